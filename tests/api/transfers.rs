//! Transfers that nobody was asked for: they find their bill by the reference in their text, whatever banks do to it.

use crate::central_bank::{entry, notification};
use crate::office::{ACCOUNT, Office};
use crate::payments::start;
use crate::world::TestApp;
use chung::base::{clock::Clock, text::Line};
use chung::codec::iso20022::{EndToEndId, Entry};
use chung::codec::vietqr::VietQr;
use chung::flow::import_calendar::{SAMPLE, import_calendar};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

fn reference(bill: &Value) -> String {
    bill["reference"].as_str().unwrap().to_owned()
}

/// Money with a text of its own.
pub fn transfer(world: &TestApp, bank_reference: &str, dong: i64, text: &str) -> Entry {
    let mut entry = entry(bank_reference, dong, None, world.clock.now());
    entry.end_to_end = Some(Line::parse("NOTPROVIDED").unwrap());
    entry.remittance = vec![Line::parse(text).unwrap()];
    entry.counterparty_agent = Some(chung::codec::iso20022::Agent::Member("970418".parse().unwrap()));
    entry.accepted = Some(world.clock.now());
    entry
}

pub async fn arrives(world: &TestApp, message: u128, entries: Vec<Entry>) {
    world.tell(&notification(message, ACCOUNT, entries, world.clock.now())).await.expect(200);
}

async fn status(world: &TestApp, office: &Office, bill: &Value) -> String {
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let read = office.system(world, "bill.read").get(&path).await.expect(200).json();
    read["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_code_on_the_page_is_a_transfer_that_pays_the_bill() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let page = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
    for shown in ["<svg class=\"qr\"", ACCOUNT, "KHO BAC NHA NUOC KHU VUC II", &reference(&bill), "970405"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let code = VietQr {
        bank: "970405".to_owned(),
        number: ACCOUNT.to_owned(),
        service: chung::codec::vietqr::Service::Account,
        amount: Some(205_000),
        purpose: Some(reference(&bill)),
    };
    let label = "Mã VietQR để chuyển đúng số tiền với đúng nội dung";
    let drawn = chung::codec::qr_svg::qr_svg(&code.encode().unwrap(), label).unwrap();
    assert!(page.contains(&drawn), "the code says account, amount and reference");

    arrives(&world, 1, vec![transfer(&world, "R1", 205_000, &reference(&bill))]).await;
    assert_eq!(status(&world, &office, &bill).await, "paid");
    let path = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let paid = office.system(&world, "payment.read").get(&path).await.expect(200).json()["items"][0].clone();
    assert_eq!(
        (&paid["way"], &paid["status"], &paid["bank"]),
        (&"transfer".into(), &"settled".into(), &"970418".into())
    );
    assert_eq!(world.held().await, []);
    let page = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
    assert!(page.contains("/receipts/"), "{page}");
}

#[tokio::test]
async fn a_transfer_of_what_the_page_asks_for_after_the_due_day_pays_with_its_interest() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    crate::bills::late_rule(&world, &office).await;
    let mut late = crate::office::new_bill();
    late["payable_until"] = serde_json::json!("2026-12-31");
    let system = office.system(&world, "bill");
    let mut bills = Vec::new();
    for key in ["a", "b", "c"] {
        bills.push(system.post_once("/v1/bills", key, &late).await.expect(201).json());
    }
    world.later(Duration::from_secs(17 * 86_400));
    // Ten days late: 205.000 × 0,03 % × 10 = 615, on the page and in its code.
    let page = world.stranger().get(&format!("/pay/{}", reference(&bills[0]))).await.expect(200).text();
    assert!(page.contains("205.615"), "{page}");
    let ordered = transfer(&world, "R1", 205_615, &reference(&bills[0]));
    arrives(&world, 1, vec![ordered]).await;
    assert_eq!(status(&world, &office, &bills[0]).await, "paid");
    // Ordered today, booked tomorrow.
    let late_order = transfer(&world, "R2", 205_615, &reference(&bills[1]));
    world.later(Duration::from_secs(86_400));
    let mut booked = entry("R2", 205_615, None, world.clock.now());
    (booked.end_to_end, booked.remittance) = (late_order.end_to_end, late_order.remittance);
    (booked.counterparty_agent, booked.accepted) = (late_order.counterparty_agent, late_order.accepted);
    arrives(&world, 2, vec![booked]).await;
    assert_eq!(status(&world, &office, &bills[1]).await, "paid");
    let path = format!("/v1/bills/{}", bills[1]["id"].as_str().unwrap());
    let paid = office.system(&world, "bill.read").get(&path).await.expect(200).json();
    assert_eq!((&paid["version"], &paid["total"]["amount"]), (&2.into(), &"205615".into()));
    assert_eq!(paid["lines"].as_array().unwrap().last().unwrap()["fee"], "CHAM-NOP");
    assert_eq!(world.held().await, []);
    // Anything else that is too much waits, and charges nothing.
    arrives(&world, 3, vec![transfer(&world, "R3", 205_616, &reference(&bills[2]))]).await;
    assert_eq!(status(&world, &office, &bills[2]).await, "open");
    assert_eq!(world.held().await.len(), 1);
    assert_eq!(world.count("bill_version").await, 2);
    let books = chung::flow::verify_books::verify_books(&world.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None);
}

#[tokio::test]
async fn a_reference_is_recognised_however_banks_write_it() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let spelled: [fn(&str) -> String; 6] = [
        str::to_lowercase,
        |r| r.as_bytes().chunks(5).map(|c| String::from_utf8_lossy(c)).collect::<Vec<_>>().join("-"),
        |r| format!("MBVCB.{r}.CT tu 0011001234567 NGUYEN THI HOA"),
        |r| {
            format!(
                "{} nop phi ho so",
                r.as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c)).collect::<Vec<_>>().join(" ")
            )
        },
        |r| format!("IBFT {}.CHUYEN TIEN", r.to_lowercase()),
        |r| format!("QR{r}QR"),
    ];
    for (at, spell) in spelled.into_iter().enumerate() {
        let bill = office.bill(&world, &format!("k{at}")).await;
        let text = spell(&reference(&bill));
        arrives(&world, 10 + at as u128, vec![transfer(&world, &format!("R{at}"), 205_000, &text)]).await;
        assert_eq!(status(&world, &office, &bill).await, "paid", "{text}");
    }
    // Broken over two lines of the text.
    let bill = office.bill(&world, "broken").await;
    let (one, two) = (reference(&bill)[..9].to_owned(), reference(&bill)[9..].to_owned());
    let mut broken = transfer(&world, "R90", 205_000, &one);
    broken.remittance.push(Line::parse(&two).unwrap());
    arrives(&world, 90, vec![broken]).await;
    assert_eq!(status(&world, &office, &bill).await, "paid");
    // Its bank's own name of the transfer looks like an attempt of ours.
    let bill = office.bill(&world, "strange").await;
    let mut strange = transfer(&world, "R91", 205_000, &reference(&bill));
    strange.end_to_end = Some(Line::parse(&EndToEndId(Uuid::from_u128(7)).to_string()).unwrap());
    arrives(&world, 91, vec![strange]).await;
    assert_eq!(status(&world, &office, &bill).await, "paid");
    assert_eq!(world.held().await, []);
}

#[tokio::test]
async fn a_transfer_that_is_not_what_was_owed_waits() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let (one, two) = (office.bill(&world, "k1").await, office.bill(&world, "k2").await);
    let both = format!("{} {}", reference(&one), reference(&two));
    let mut mangled = reference(&one).into_bytes();
    mangled[3] = if mangled[3] == b'7' { b'8' } else { b'7' };
    let mangled = String::from_utf8(mangled).unwrap();
    arrives(
        &world,
        1,
        vec![
            transfer(&world, "R1", 204_999, &reference(&one)),
            transfer(&world, "R2", 205_001, &reference(&one)),
            transfer(&world, "R3", 410_000, &both),
            transfer(&world, "R4", 205_000, &mangled),
            transfer(&world, "R5", 205_000, "nop phi"),
        ],
    )
    .await;
    let mut reasons: Vec<String> = world.held().await.into_iter().map(|(reason, _)| reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["unmatched", "unmatched", "unmatched", "wrong_amount", "wrong_amount"]);
    assert_eq!(status(&world, &office, &one).await, "open");
    // In one message the right one settles, the second is kept, and a third of another bill settles too.
    let entries = ["R6", "R7"].map(|r| transfer(&world, r, 205_000, &reference(&one)));
    let entries = entries.into_iter().chain([transfer(&world, "R8", 205_000, &reference(&two))]).collect();
    arrives(&world, 2, entries).await;
    assert_eq!(
        (status(&world, &office, &one).await, status(&world, &office, &two).await),
        ("paid".into(), "paid".into())
    );
    assert_eq!(world.held().await.last(), Some(&("second_money".to_owned(), 205_000)));
    assert_eq!(world.count("suspense where bill_id is null").await, 3);
    assert_eq!(world.count("credit_origin").await, 8);

    // Ordered after the due day.
    let three = office.bill(&world, "k3").await;
    world.later(Duration::from_secs(9 * 86_400));
    arrives(&world, 3, vec![transfer(&world, "R9", 205_000, &reference(&three))]).await;
    assert_eq!(world.held().await.last(), Some(&("late_success".to_owned(), 205_000)));
    // Ordered in time, told late.
    let mut in_time = transfer(&world, "R10", 205_000, &reference(&three));
    in_time.accepted = Some(world.clock.now() - Duration::from_secs(7 * 86_400));
    arrives(&world, 4, vec![in_time]).await;
    assert_eq!(status(&world, &office, &three).await, "paid");
}

#[tokio::test]
async fn money_of_a_request_that_a_transfer_overtook_waits_and_ends_its_attempt() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    arrives(&world, 1, vec![transfer(&world, "R1", 205_000, &reference(&bill))]).await;
    assert_eq!(status(&world, &office, &bill).await, "paid");
    world.tell(&world.credit(2, "R2", 205_000, &payment)).await.expect(200);
    assert_eq!(world.held().await, [("second_money".to_owned(), 205_000)]);
    let read = office
        .system(&world, "payment.read")
        .get(&format!("/v1/payments/{payment}"))
        .await
        .expect(200)
        .json();
    assert_eq!((&read["status"], &read["reason"]), (&"rejected".into(), &"paid_otherwise".into()));
    assert_eq!(world.count("live_attempt").await, 0);

    // Both in one message, the request first: the transfer is the second money.
    let bill = office.bill(&world, "k2").await;
    let payment = start(&world, &office, &bill).await;
    let named: Uuid = crate::office::uuid(&payment);
    let mut asked = transfer(&world, "R3", 205_000, "x");
    asked.end_to_end = Some(Line::parse(&EndToEndId(named).to_string()).unwrap());
    arrives(&world, 3, vec![asked, transfer(&world, "R4", 205_000, &reference(&bill))]).await;
    assert_eq!(world.held().await.len(), 2);
    assert_eq!(world.count("payment where state = 'settled'").await, 2);
}

#[tokio::test]
async fn the_page_names_the_clearing_day_from_the_calendar() {
    let world = TestApp::start().await;
    assert_eq!(import_calendar(&world.app, SAMPLE).await.unwrap(), 25);
    assert_eq!(import_calendar(&world.app, SAMPLE).await.unwrap(), 0);
    import_calendar(&world.app, "day,working,name_vi,name_en,basis\n2026-11-25,no,Nghỉ,Off,Test\n")
        .await
        .unwrap();
    let twice = "day,working,name_vi,name_en,basis\n2026-11-26,no,a,b,c\n2026-11-26,yes,a,b,c\n";
    assert!(import_calendar(&world.app, twice).await.is_err());
    assert!(
        import_calendar(&world.app, "day,working,name_vi,name_en,basis\n2026-11-26,maybe,a,b,c\n")
            .await
            .is_err()
    );
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    // Ten minutes before the cut-off: whoever says yes at the end of their time is booked after the holiday.
    world.later(Duration::from_secs(6 * 3_600 + 50 * 60));
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    start(&world, &office, &bill).await;
    let shown = async || {
        let page = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
        let day = page.split("Sao kê của ngày giao dịch ").nth(1).map(|rest| rest[..10].to_owned());
        (day, page.contains("có thể nộp tại quầy"))
    };
    for _ in 0..3 {
        assert_eq!(shown().await, (None, true), "a bank that is still asked decides");
        world.later(Duration::from_secs(2 * 3_600));
        chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    }
    // However late it is read, it is the same day: that of the rule which decides.
    let tell = async |day: &str| {
        let told = serde_json::json!({ "account": ACCOUNT, "day": day });
        office.system(&world, "statement").post_once("/v1/statements", day, &told).await.expect(200);
    };
    for day in ["2026-11-24", "2026-11-25"] {
        assert_eq!(shown().await, (Some("26/11/2026".to_owned()), true));
        world.later(Duration::from_secs(86_400));
        tell(day).await;
    }
    world.later(Duration::from_secs(86_400));
    assert_eq!(shown().await, (Some("26/11/2026".to_owned()), true), "no statement of that day came yet");
    tell("2026-11-26").await;
    assert_eq!(shown().await, (None, false), "it is decided");
    let path = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let attempts = office.system(&world, "payment.read").get(&path).await.expect(200).json();
    assert_eq!(attempts["items"][0]["reason"], "not_in_statement");
}

#[tokio::test]
async fn cut_offs_are_imported_for_days_that_are_not_over_and_the_page_goes_by_them() {
    use chung::flow::{Error, import_cut_offs::import_cut_offs};
    let world = TestApp::start().await;
    let header = "valid_from,session,opens,closes,closes_month_end,amount_max,basis";
    let file = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    let high = "2026-11-24,high_value,08:00,17:00,17:45,,Circular X";
    let good = file(&["2026-11-24,low_value,08:00,09:10,10:00,499999999,Circular X", high]);
    let refused = async |rows: &[&str]| {
        let Err(Error::Refused(refusal)) = import_cut_offs(&world.app, &file(rows)).await else {
            panic!("{rows:?} was taken");
        };
        let fault = refusal.violations.into_iter().next().unwrap();
        (fault.field, fault.rule)
    };
    for (row, rule) in [
        ("2026-11-24,low_value,08:00,9:10,10:00,499999999,X", "time"),
        ("2026-11-24,low_value,08:00,24:00,24:00,499999999,X", "time"),
        ("2026-11-24,low_value,08:00,16:00:30,17:00,499999999,X", "time"),
        ("2026-11-24,low_value,16:00,16:00,17:00,499999999,X", "order"),
        ("2026-11-24,low_value,08:00,16:00,15:59,499999999,X", "order"),
        ("2026-11-24,low_value,08:00,16:00,17:00,,X", "amount_max"),
        ("2026-11-24,low_value,08:00,16:00,17:00,-5,X", "amount_max"),
        ("2026-11-24,low_value,08:00,16:00,17:00,much,X", "amount_max"),
        ("2026-11-24,instant,08:00,16:00,17:00,1,X", "session"),
        ("tomorrow,low_value,08:00,16:00,17:00,1,X", "day"),
        ("2026-11-24,low_value,08:00,16:00,17:00,1,", "missing"),
        ("2026-11-24,low_value,08:00,16:00,17:00,1", "shape"),
        ("2026-11-23,low_value,08:00,16:00,17:00,1,X", "past"),
        (high, "repeated"),
    ] {
        assert_eq!(refused(&[high, row]).await, ("line 3".to_owned(), rule), "{row}");
    }
    assert_eq!(refused(&[high]).await, ("line 2".to_owned(), "one_session"));
    assert_eq!(world.count("clearing_session").await, 2, "whole or not at all");
    assert_eq!(import_cut_offs(&world.app, &good).await.unwrap(), 2);
    assert_eq!(import_cut_offs(&world.app, &good).await.unwrap(), 0, "once");
    // What held before stands for itself, and is no change.
    let stands = "2019-11-01,high_value,08:00,17:00,17:45,,Circular 37/2016/TT-NHNN as amended";
    let low = "2019-11-01,low_value,08:00,16:00,17:00,499999999,Circular 37/2016/TT-NHNN as amended";
    assert_eq!(import_cut_offs(&world.app, &file(&[stands, low])).await.unwrap(), 0);
    assert_eq!(refused(&[stands, &low.replace("16:00", "16:30")]).await, ("line 3".to_owned(), "past"));
    // The rows keep the rule themselves.
    for wrong in [
        "insert into clearing_session values ('2027-01-01', 'low_value', '08:00', '16:00', '17:00', 1, 'x')",
        "insert into clearing_session values ('2027-01-01', 'low_value', '08:00', '16:00', '17:00', null, 'x')",
        "insert into clearing_session values ('2026-11-24', 'low_value', '08:00', '16:00', '17:00', 1, 'x')",
        "delete from clearing_session where valid_from = '2026-11-24'",
    ] {
        world.sql(wrong).await.expect_err(wrong);
    }

    // At nine a payer is asked; whoever says yes at the end of their time is too late for the session that ends at ten past.
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    start(&world, &office, &bill).await;
    for _ in 0..3 {
        world.later(Duration::from_secs(2 * 3_600));
        chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    }
    let page = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
    assert!(page.contains("Sao kê của ngày giao dịch 25/11/2026"), "{page}");
}

#[tokio::test]
async fn while_nobody_answers_the_due_day_stands_still() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    assert_eq!((&bill["due"], &bill["pay_until"]), (&"2026-12-01".into(), &"2026-12-01".into()));
    // The last day: the bank is asked and silent for two days, then says that it never got the request.
    world.later(Duration::from_secs(7 * 86_400));
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    start(&world, &office, &bill).await;
    world.later(Duration::from_secs(2 * 86_400));
    let waiting = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
    assert!(waiting.contains("hạn nộp và tiền chậm nộp dừng lại"), "{waiting}");
    world.bank.reports.lock().unwrap().push(chung::payment::payment::Report::NotFound);
    chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let read = office.system(&world, "bill.read").get(&path).await.expect(200).json();
    assert_eq!((&read["status"], &read["pay_until"]), (&"open".into(), &"2026-12-03".into()));
    let listed = office.system(&world, "bill.read").get("/v1/bills").await.expect(200).json();
    assert_eq!(listed["items"][0], read);
    let page = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
    assert!(page.contains("03/12/2026"), "{page}");
    arrives(&world, 1, vec![transfer(&world, "R1", 205_000, &reference(&bill))]).await;
    assert_eq!(status(&world, &office, &bill).await, "paid");
}

#[tokio::test]
async fn a_bank_that_asks_for_more_proof_and_one_that_waits_long_are_shown_as_they_are() {
    use chung::payment::payment::{Event, Report};
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(Event::Reported(Report::StepUp));
    let payment = start(&world, &office, &bill).await;
    let read =
        office.system(&world, "payment.read").get(&format!("/v1/payments/{payment}")).await.expect(200);
    assert_eq!(read.json()["status"], "step_up_required");
    let path = format!("/pay/{}", reference(&bill));
    let page = world.stranger().get(&path).await.expect(200).text();
    assert!(page.contains("Ngân hàng cần xác thực thêm") && !page.contains("<svg"), "{page}");
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    assert_eq!(status(&world, &office, &bill).await, "paid");

    let bill = office.bill(&world, "k2").await;
    start(&world, &office, &bill).await;
    world.later(Duration::from_secs(17 * 60));
    world.bank.reports.lock().unwrap().push(Report::Pending);
    chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    let page = world.stranger().get(&format!("/pay/{}", reference(&bill))).await.expect(200).text();
    assert!(page.contains("vẫn đang chờ ông/bà duyệt"), "{page}");
}
