//! Amounts, days and files as banks write them, and the rows that are none.

use super::*;

/// A file as it was read, in pieces of so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Whole {
    format: Format,
    account: Option<String>,
    day: Day,
    balances: Option<(Money, Money)>,
    entries: Vec<Entry>,
    bad: Vec<BadRow>,
}

fn read_in(bytes: &[u8], length: usize) -> Result<Whole, NotAFile> {
    let pass = |day, take: &mut dyn FnMut(Row)| {
        let mut reader = Reader::new(day);
        for piece in bytes.chunks(length) {
            reader.feed(piece, take)?;
        }
        reader.finish(take)
    };
    let Heading { format, account, day, balances } = pass(None, &mut |_| ())?;
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    pass(Some(day), &mut |row| match row {
        Ok(entry) => entries.push(entry),
        Err(row) => bad.push(row),
    })?;
    Ok(Whole { format, account, day, balances, entries, bad })
}

/// It reads the same in pieces of any length.
fn read(bytes: &[u8]) -> Result<Whole, NotAFile> {
    let whole = read_in(bytes, bytes.len().max(1));
    for length in [1, 2, 7, 64] {
        assert_eq!(read_in(bytes, length), whole, "in pieces of {length}");
    }
    whole
}

#[test]
fn a_long_file_is_read_in_the_room_of_its_longest_part() {
    let rows = 4_000;
    let entry = |n: usize| {
        format!(
            "<x:Ntry><x:Amt Ccy=\"VND\">{n}</x:Amt><x:CdtDbtInd>CRDT</x:CdtDbtInd><x:BookgDt><x:Dt>2026-11-24</x:Dt>\
             </x:BookgDt><x:AcctSvcrRef>R{n}</x:AcctSvcrRef></x:Ntry>\n"
        )
    };
    let xml: String = (1..=rows).map(entry).collect();
    let xml =
        format!("<x:BkToCstmrDbtCdtNtfctn><!-- <x:Ntry> is no row here -->{xml}</x:BkToCstmrDbtCdtNtfctn>");
    let csv: String = (1..=rows).map(|n| format!("2026-11-24,R{n},{n},\"two\nlines\"\n")).collect();
    let csv = format!("Date,Reference,Amount,Details\n{csv}");
    for file in [xml, csv] {
        assert!(file.len() > 2 * HEAD_BYTES);
        let (mut reader, mut seen) = (Reader::new(None), 0);
        for piece in file.as_bytes().chunks(1_000) {
            reader.feed(piece, &mut |row| seen += usize::from(row.is_ok())).unwrap();
            assert!(reader.held() <= HEAD_BYTES + 2_000, "{}", reader.held());
        }
        let heading = reader.finish(&mut |row| seen += usize::from(row.is_ok())).unwrap();
        assert_eq!((seen, heading.day), (rows, Day::new(2026, 11, 24).unwrap()));
    }
    // What never ends is no file, however long somebody sends.
    let endless = "<BkToCstmrStmt><Ntry>".to_owned() + &"<A>".repeat(PART_BYTES_MAX);
    let mut reader = Reader::new(None);
    let fed = endless.as_bytes().chunks(100_000).try_for_each(|piece| reader.feed(piece, &mut |_| ()));
    assert_eq!(fed, Err(NotAFile::Broken));
}

impl Reader {
    /// How many bytes are held.
    fn held(&self) -> usize {
        self.head.len()
            + match &self.kind {
                Some(Kind::Camt(feed)) => feed.held(),
                Some(Kind::Mt940(_)) | None => 0,
                Some(Kind::Table(feed)) => feed.held(),
            }
    }
}

#[test]
fn money_is_read_as_banks_write_it() {
    for (text, expected) in [
        ("205000", Some(205_000)),
        ("205,000", Some(205_000)),
        ("205.000", Some(205_000)),
        ("1.205.000 đ", Some(1_205_000)),
        ("205000,00", Some(205_000)),
        ("205,000.00", Some(205_000)),
        ("205000,", Some(205_000)),
        ("205000,5", None),
        ("20,50,00", None),
        ("", None),
        ("x", None),
    ] {
        assert_eq!(money(text).map(Money::minor), expected, "{text}");
    }
}

#[test]
fn an_mt940_is_read_and_a_bad_row_set_aside() {
    let file = read(
        b":20:STMT\r\n:25:1500201001234\r\n:28C:1/1\r\n:60F:C261123VND100000,00\r\n\
          :61:2611241124C205000,00NTRF01935d5e7a107c3b9b1f000000000002//FT1\r\n:86:Nop phi\r\n\
          :61:261124Xwhat\r\n:61:2611241124D5000,NCHGNONREF//FT3\r\n:62F:C261124VND400000,00\r\n-",
    )
    .unwrap();
    assert_eq!((file.format, file.account.as_deref()), (Format::Mt940, Some("1500201001234")));
    assert_eq!(file.bad.len(), 1);
    assert_eq!(file.entries.len(), 2);
    assert_eq!(file.entries[0].reference.as_str(), "FT1");
    assert!(file.entries[0].end_to_end_id().is_some());
    assert_eq!(file.entries[1].direction, Direction::Debit);
    assert_eq!(file.balances.map(|b| b.1.minor()), Some(400_000));
}

/// A day in two messages, as a bank tells it that has more to say than a message holds.
fn two_messages(second: &str) -> String {
    format!(
        ":20:STMT\r\n:25:1500201001234\r\n:28C:1/1\r\n:60F:C261123VND100000,\r\n\
         :61:2611241124C205000,NTRFNONREF//FT1\r\n:62M:C261124VND305000,\r\n-\r\n\
         :20:STMT\r\n:25:1500201001234\r\n:28C:1/2\r\n{second}:62F:C261124VND400000,\r\n-"
    )
}

#[test]
fn an_mt940_of_several_messages_is_one_day_from_its_first_balance_to_its_last() {
    let pages = two_messages(":60M:C261124VND305000,\r\n:61:261124C95000,NTRFNONREF//FT2\r\n");
    let file = read(pages.as_bytes()).unwrap();
    assert_eq!((file.entries.len(), file.bad.len()), (2, 0));
    assert_eq!(file.balances.map(|b| (b.0.minor(), b.1.minor())), Some((100_000, 400_000)));
    // A row that cannot be read leaves the balances what they are.
    let bad = two_messages(":60M:C261124VND305000,\r\n:61:261124?what\r\n");
    let file = read(bad.as_bytes()).unwrap();
    assert_eq!((file.entries.len(), file.bad.len()), (1, 1));
    assert_eq!(file.balances.map(|b| b.1.minor()), Some(400_000));
    // A message is missing between them; another day begins.
    let gap = two_messages(":60M:C261124VND304000,\r\n");
    assert_eq!(read(gap.as_bytes()), Err(NotAFile::Broken));
    assert_eq!(read(two_messages(":60F:C261124VND305000,\r\n").as_bytes()), Err(NotAFile::NoDay));
}

#[test]
fn rows_that_a_bank_entered_on_another_day_than_it_closes_are_of_no_one_day() {
    let file = |rows: &str| {
        let file = format!(":20:S\r\n:60F:C261123VND0,\r\n{rows}:62F:C261124VND2000,\r\n-");
        read(file.as_bytes()).map(|file| file.entries.len())
    };
    let entered = ":61:2611241124C1000,NTRFNONREF//A\r\n";
    // From which day money counts is another matter.
    assert_eq!(file(&format!("{entered}:61:2611201124C1000,NTRFNONREF//B\r\n")), Ok(2));
    assert_eq!(file(&format!("{entered}:61:261120C1000,NTRFNONREF//B\r\n")), Ok(2));
    assert_eq!(file(&format!("{entered}:61:2611241123C1000,NTRFNONREF//B\r\n")), Err(NotAFile::NoDay));
}

#[test]
fn csv_of_two_banks_is_read() {
    let vietnamese = "Ngày giao dịch;Số tham chiếu;Ghi nợ;Ghi có;Nội dung\n\
                      24/11/2026;FT1;;205.000;Nop 01935d5e7a107c3b9b1f000000000002\n\
                      24/11/2026;FT2;5.000;;Phi\n24/11/2026;;;x;\n";
    let file = read(vietnamese.as_bytes()).unwrap();
    assert_eq!((file.entries.len(), file.bad.len(), file.balances), (2, 1, None));
    assert!(file.entries[0].end_to_end_id().is_some());
    let english = "Date,Reference,Amount,Description\n2026-11-24,A,205000,\n2026-11-24,B,-5000,x\n";
    let file = read(english.as_bytes()).unwrap();
    assert_eq!(file.entries[1].direction, Direction::Debit);
    assert_eq!(read(b"a,b\n1,2\n"), Err(NotAFile::Unknown));
    assert_eq!(read(b"Date,Reference,Amount\n2026-11-24,A,1\n2026-11-25,B,1\n"), Err(NotAFile::NoDay));
    assert_eq!(read(b"hello"), Err(NotAFile::Unknown));
}

#[test]
fn the_balances_after_each_row_tell_both_ends_in_either_order_of_time() {
    let ends = |rows: &[&str]| {
        let file = format!("Ngày;Số tham chiếu;Ghi nợ;Ghi có;Số dư\n{}\n", rows.join("\n"));
        read(file.as_bytes()).unwrap().balances.map(|ends| (ends.0.minor(), ends.1.minor()))
    };
    let mut rows =
        ["24/11/2026;A;;205.000;305.000", "24/11/2026;B;5.000;;300.000", "24/11/2026;C;;1.000;301.000"];
    assert_eq!(ends(&rows), Some((100_000, 301_000)));
    // A row that cannot be read between them, and one at the end, whose balance can.
    assert_eq!(ends(&[rows[0], "24/11/2026;B;x;;300.000", rows[2]]), Some((100_000, 301_000)));
    assert_eq!(ends(&[rows[0], rows[1], "24/11/2026;C;;x;301.000"]), Some((100_000, 301_000)));
    rows.reverse();
    assert_eq!(ends(&rows), Some((100_000, 301_000)), "the newest first");
    assert_eq!(ends(&["24/11/2026;B;5.000;;-2.000"]), Some((3_000, -2_000)), "one row, overdrawn");
    assert_eq!(ends(&["24/11/2026;B;5.000;;"]), None);
}

#[test]
fn a_camt_file_of_a_bank_is_read() {
    let file = read(
        "<?xml version=\"1.0\"?><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.02\"><BkToCstmrStmt>\
         <GrpHdr><MsgId>X-1</MsgId></GrpHdr><Stmt><Acct><Id><Othr><Id>1500201001234</Id></Othr></Id></Acct>\
         <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"VND\">0</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
         <Dt><Dt>2026-11-24</Dt></Dt></Bal>\
         <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"VND\">205000</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
         <Dt><Dt>2026-11-24</Dt></Dt></Bal>\
         <Ntry><Amt Ccy=\"VND\">205000</Amt><CdtDbtInd>CRDT</CdtDbtInd><BookgDt><Dt>2026-11-24</Dt></BookgDt>\
         <AcctSvcrRef>FT1</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>01935d5e7a107c3b9b1f000000000002</EndToEndId>\
         </Refs><RmtInf><Ustrd>A &amp; B</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\
         <Ntry><Amt Ccy=\"VND\">12,5</Amt></Ntry></Stmt></BkToCstmrStmt></Document>"
            .as_bytes(),
    )
    .unwrap();
    assert_eq!((file.format, file.entries.len(), file.bad.len()), (Format::Camt053, 1, 1));
    assert_eq!(file.entries[0].remittance[0].as_str(), "A & B");
    assert_eq!(file.day, Day::new(2026, 11, 24).unwrap());
    let balance = |code: &str, day: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt>0</Amt><Dt><Dt>{day}</Dt></Dt></Bal>"
        )
    };
    let booked = |day: &str| {
        format!(
            "<Ntry><Amt>5</Amt><CdtDbtInd>CRDT</CdtDbtInd><BookgDt><Dt>{day}</Dt></BookgDt>\
             <AcctSvcrRef>F{day}</AcctSvcrRef></Ntry>"
        )
    };
    let of_days = |days: &[&str]| {
        let entries: String = days.iter().map(|day| booked(day)).collect();
        let (opening, closing) = (balance("OPBD", "2026-11-23"), balance("CLBD", "2026-11-24"));
        let file = format!("<BkToCstmrStmt><Stmt>{opening}{closing}{entries}</Stmt></BkToCstmrStmt>");
        read(file.as_bytes()).map(|file| file.day)
    };
    assert_eq!(of_days(&["2026-11-24"]), Ok(Day::new(2026, 11, 24).unwrap()));
    assert_eq!(of_days(&["2026-11-23", "2026-11-24"]), Err(NotAFile::NoDay), "a file of two days");
    assert_eq!(of_days(&["2026-11-23"]), Err(NotAFile::NoDay), "it closes another day than its rows");
    assert!(read(b"<BkToCstmrStmt><unclosed>").is_err());
    assert!(read(b"<!DOCTYPE x [<!ENTITY a \"b\">]><BkToCstmrStmt></BkToCstmrStmt>").is_err());
}
