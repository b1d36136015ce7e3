//! Statements that two people bring in each of the forms in which banks give them: CSV in two profiles, `camt.053` and
//! `camt.054`. What MT940 does stands in `imports`.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant};
use crate::imports::{bring, bring_with, decide, set};
use crate::office::{ACCOUNT, Office};
use crate::world::TestApp;
use chung::identity::role::Role;
use reqwest::Method;
use serde_json::json;

/// Our name of the payment that the first file of the office is about.
fn reference(file: &str) -> &str {
    file.split("NTRF").nth(1).unwrap().split("//").next().unwrap()
}

/// One entry of a camt message.
fn entry(amount: &str, reference: &str, end_to_end: &str) -> String {
    format!(
        "<Ntry><Amt Ccy=\"VND\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>\
         <BookgDt><Dt>2026-11-24</Dt></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls><TxDtls><Refs>\
         <EndToEndId>{end_to_end}</EndToEndId></Refs><RmtInf><Ustrd>Nop phi</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
}

fn balance(code: &str, amount: i64) -> String {
    format!(
        "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"VND\">{amount}</Amt>\
         <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-24</Dt></Dt></Bal>"
    )
}

const OWN: &str = "<Acct><Id><Othr><Id>1500201001234</Id></Othr></Id></Acct>";

/// A statement of a day that ends with so much.
fn camt053(entries: &str, closing: i64) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\">\
         <BkToCstmrStmt><GrpHdr><MsgId>S1</MsgId></GrpHdr><Stmt><Id>S1</Id>{OWN}{}{}{entries}</Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", 0),
        balance("CLBD", closing)
    )
}

/// A list of movements, without balances; banks give their elements prefixes.
fn camt054(entries: &str) -> String {
    let entries = entries.replace("</", "</b:").replace('<', "<b:").replace("<b:/b:", "</b:");
    let own = OWN.replace("</", "</b:").replace('<', "<b:").replace("<b:/b:", "</b:");
    format!(
        "<b:Document xmlns:b=\"urn:iso:std:iso:20022:tech:xsd:camt.054.001.08\"><b:BkToCstmrDbtCdtNtfctn><b:Ntfctn>\
         <b:Id>N1</b:Id>{own}{entries}</b:Ntfctn></b:BkToCstmrDbtCdtNtfctn></b:Document>"
    )
}

/// Two people bring a file of three rows of which the second cannot be read: what its page says of that row, how many lines
/// the statement has, and the money of whatever nobody knows.
async fn brought_by_two(
    (world, office): (&TestApp, &Office),
    file: &str,
    (format, told): (&str, &str),
    (lines, unknown): (i64, &[&str]),
) {
    let (accountant, approver) = (at_board(world, ACCOUNTANT).await, at_board(world, AUDITOR).await);
    bring(&accountant, office, file).await.expect(303);
    let page = accountant.get("/board/imports").await.expect(200).text();
    for shown in ["chờ người thứ hai", format, told, ACCOUNT, "Nguyễn Thị Hòa"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // One person alone is not believed, by whichever way they try.
    assert!(!page.contains("value=\"accept\""));
    decide(&accountant, &page, "accept").await.expect(403);
    bring(&accountant, office, file).await.expect(409);
    assert_eq!(world.count("statement").await, 0);

    let seen = approver.get("/board/imports").await.expect(200).text();
    decide(&approver, &seen, "accept").await.expect(303);
    let reading = office.system(world, "statement.read case.read");
    let statement = reading.get("/v1/statements").await.expect(200).json()["items"][0].clone();
    assert_eq!(
        (&statement["day"], &statement["reconciliation"]["matched"]),
        (&json!("2026-11-24"), &json!(1)),
        "{statement}"
    );
    let rows = format!("/v1/statements/{}/lines", statement["id"].as_str().unwrap());
    let rows = reading.get(&rows).await.expect(200).json()["items"].as_array().unwrap().clone();
    assert_eq!(i64::try_from(rows.len()).unwrap(), lines, "{rows:?}");
    assert!(
        rows.iter().any(|row| row["payment"].as_str().is_some_and(|id| id.starts_with("pay_"))),
        "{rows:?}"
    );
    let cases = reading.get("/v1/cases").await.expect(200).json();
    let mut amounts: Vec<String> = cases["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["stated"]["amount"].as_str().unwrap().to_owned())
        .collect();
    amounts.sort_unstable();
    assert_eq!(amounts, unknown, "{cases}");
    assert_eq!(
        world.count("statement_import where state = 'accepted' and rows = 2 and bad_rows = 1").await,
        1
    );
}

#[tokio::test]
async fn a_vietnamese_banks_table_is_matched_and_the_money_of_its_bad_row_is_a_case() {
    let (world, office, mt940) = set().await;
    // The newest row first, with the balance after each: what the bad row moved follows from its neighbours.
    let file = format!(
        "Ngày giao dịch;Số tham chiếu;Ghi nợ;Ghi có;Số dư;Nội dung\r\n\
         24/11/2026;R3;;3.000;218.000;\"Chuyển tiền;\n không rõ\"\r\n\
         24/11/2026;R2;;mười nghìn;215.000;Chuyển tiền\r\n\
         24/11/2026;R1;;205.000;205.000;Nop phi {}\r\n",
        reference(&mt940)
    );
    brought_by_two(
        (&world, &office),
        &file,
        ("csv", "Dòng 2: không đọc được số tiền"),
        (3, &["10000", "3000"]),
    )
    .await;
    assert_eq!(world.count("statement where opening = 0 and closing = 218000").await, 1);
}

#[tokio::test]
async fn an_english_banks_table_without_balances_is_matched_and_its_bad_row_is_told() {
    let (world, office, mt940) = set().await;
    let file = format!(
        "\u{feff}Booking date,Reference,Amount,Description,End to end ID\n\
         2026-11-24,R1,\"205,000.00\",Fee,{}\n2026-11-24,,5000,Nobody knows,\n2026-11-24,R3,3000,Nobody knows,\n",
        reference(&mt940)
    );
    let told = "Dòng 2: thiếu hoặc không đọc được số tham chiếu";
    brought_by_two((&world, &office), &file, ("csv", told), (2, &["3000"])).await;
}

#[tokio::test]
async fn a_camt_053_is_matched_and_the_money_of_its_bad_row_is_a_case() {
    let (world, office, mt940) = set().await;
    let ours = reference(&mt940);
    let entries = entry("205000", "R1", ours)
        + &entry("12,5", "R2", "NOTPROVIDED")
        + &entry("3000", "R3", "NOTPROVIDED");
    let told = "Dòng 2: không đọc được số tiền";
    brought_by_two(
        (&world, &office),
        &camt053(&entries, 218_000),
        ("camt.053", told),
        (3, &["10000", "3000"]),
    )
    .await;
}

#[tokio::test]
async fn a_camt_054_is_matched_and_its_bad_row_is_told() {
    let (world, office, mt940) = set().await;
    let ours = reference(&mt940);
    let bad = entry("4000", "R2", "NOTPROVIDED").replace("CRDT", "SIDEWAYS");
    let entries = entry("205000", "R1", ours) + &bad + &entry("3000", "R3", "NOTPROVIDED");
    let told = "Dòng 2: không rõ tiền vào hay tiền ra";
    brought_by_two((&world, &office), &camt054(&entries), ("camt.054", told), (2, &["3000"])).await;
}

#[tokio::test]
async fn the_same_table_from_a_second_accountant_confirms_it() {
    let (world, office, mt940) = set().await;
    grant(&world, NOBODY.0, Role::Accountant).await;
    let (first, second) = (at_board(&world, ACCOUNTANT).await, at_board(&world, NOBODY).await);
    let ours = reference(&mt940);
    let csv = format!("Date;Reference;Credit;Details\n2026-11-24;R1;205.000;{ours}\n");
    bring(&first, &office, &csv).await.expect(303);
    // Another file of the day, though it says the same, is none of two.
    let camt = camt054(&entry("205000", "R1", ours));
    let page = bring(&second, &office, &camt).await.expect(409).text();
    assert!(page.contains("đang chờ người thứ hai"), "{page}");
    assert_eq!(world.count("statement").await, 0);
    bring(&second, &office, &csv).await.expect(303);
    assert_eq!(world.count("statement where lines = 1 and matched = 1").await, 1);
}

#[tokio::test]
async fn a_file_that_is_none_of_its_kind_or_day_or_account_is_refused_and_leaves_nothing() {
    let (world, office, mt940) = set().await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let ours = reference(&mt940);
    let one = entry("205000", "R1", ours);
    let good = camt053(&one, 205_000);
    let table = "Date,Reference,Amount,Balance\n";
    for (status, file, says) in [
        // None of its kind.
        (422, good.replace("BkToCstmrStmt", "CstmrCdtTrfInitn"), "không thuộc định dạng"),
        (422, "PK\u{3}\u{4}\u{14}\u{0} a workbook".to_owned(), "không thuộc định dạng"),
        (422, "Họ tên,Quê quán\nHòa,Huế\n".to_owned(), "không thuộc định dạng"),
        (422, good.replace("</Stmt>", ""), "Không đọc được cấu trúc"),
        (422, format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{good}"), "Không đọc được cấu trúc"),
        // Of another account.
        (422, good.replace(ACCOUNT, "1500201009999"), "tài khoản khác"),
        (422, camt054(&one).replace(ACCOUNT, "1500201009999"), "tài khoản khác"),
        // Whose sums do not hold.
        (422, camt053(&one, 206_000), "không cân"),
        (422, format!("{table}2026-11-24,R1,205000,205000\n2026-11-24,R2,1000,207000\n"), "không cân"),
        // Of no day, of two, of one that is not over.
        (422, camt054(""), "không phải của một ngày"),
        (422, format!("{table}2026-11-24,R1,1,\n2026-11-23,R2,1,\n"), "không phải của một ngày"),
        (422, camt054(&(one.clone() + &one.replace("11-24", "11-23"))), "không phải của một ngày"),
        (422, camt054(&one.replace("11-24", "11-25")), "chưa khóa sổ"),
        (422, format!("{table}2026-11-25,R1,1,\n"), "chưa khóa sổ"),
    ] {
        let answer = bring(&accountant, &office, &file).await;
        assert_eq!(answer.status, status, "{file}: {}", answer.text());
        assert!(answer.text().contains(says), "{says} in {}", answer.text());
    }
    // Nor does a page that somebody else made bring one, nor whoever does not keep these books.
    bring_with(&accountant, &office, &good, "0").await.expect(400);
    bring(&at_board(&world, AUDITOR).await, &office, &good).await.expect(403);
    let foreign = accountant
        .request(Method::POST, "/board/imports")
        .header("origin", "https://elsewhere.example")
        .header("content-type", "multipart/form-data; boundary=x")
        .body("--x--\r\n");
    accountant.send(foreign).await.expect(400);
    let other = Office::open(&world, "H29.15").await;
    let elsewhere = bring(&accountant, &other, &good).await;
    assert!([403, 404].contains(&elsewhere.status), "{}", elsewhere.status);
    for table in ["statement_import", "statement_import_piece", "statement_import_part", "statement"] {
        assert_eq!(world.count(table).await, 0, "{table}");
    }
}
