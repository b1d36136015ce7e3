use super::samples::{entry, header, line, messages, request, uuid};
use super::*;
use crate::base::money::{Money, MoneyError};
use crate::codec::tools::said;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;

const MAX: usize = 1_000_000;

fn text_of(message: &Message) -> String {
    write(&header(), message)
}

fn credit() -> String {
    let account = "1130000012345".parse().unwrap();
    text_of(&Message::CreditNotification(CreditNotification {
        account,
        entries: vec![entry(4, 205_000, Direction::Credit)],
    }))
}

/// Changes a good credit notification and reads it.
fn spoilt(from: &str, to: &str) -> Refusal {
    let good = credit();
    assert!(good.contains(from), "{from} is not in {good}");
    read(good.replacen(from, to, 1).as_bytes(), MAX).unwrap_err()
}

#[test]
fn every_message_is_read_back_as_it_was_written() {
    for message in messages() {
        let text = text_of(&message);
        let received = read(text.as_bytes(), MAX).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!((received.header, received.message), (header(), message));
    }
}

#[test]
fn the_digest_covers_the_document_and_only_it() {
    let message = &messages()[0];
    let first = read(text_of(message).as_bytes(), MAX).unwrap();
    let again = Header { possible_duplicate: true, ..header() };
    let second = read(write(&again, message).as_bytes(), MAX).unwrap();
    assert_eq!(first.digest, second.digest);
    let text = text_of(message);
    let document = &text[text.find("<Document").unwrap()..text.rfind("</Envelope>").unwrap()];
    assert_eq!(first.digest, sha256(document.as_bytes()));
    let other = text.replacen("<PmtMtd>", "<PmtMtd >", 1);
    assert_ne!(read(other.as_bytes(), MAX).unwrap().digest, first.digest);
}

#[test]
fn white_space_and_a_declaration_do_no_harm() {
    let spaced = credit().replace("><", ">\n  <").replace(">\n  </Dbtr", "></Dbtr");
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{spaced}\n");
    assert!(read(text.as_bytes(), MAX).is_ok());
}

#[test]
fn hostile_xml_is_refused_by_name() {
    let good = credit();
    let read_text = |text: &str| read(text.as_bytes(), MAX).unwrap_err();
    let doctype = format!("<!DOCTYPE Envelope [<!ENTITY a \"b\">]>{good}");
    assert_eq!(read_text(&doctype), Refusal::DocumentType);
    assert_eq!(read_text(&good.replacen("NGUYEN", "&a;", 1)), Refusal::Entity);
    assert_eq!(read_text(&good.replacen("NGUYEN", "&#0;", 1)), Refusal::ControlCharacter);
    assert_eq!(read_text(&good.replacen("NGUYEN", "\u{1}", 1)), Refusal::ControlCharacter);
    assert_eq!(read_text(&format!("<?php evil?>{good}")), Refusal::ProcessingInstruction);
    assert_eq!(read_text(&good.replacen("NGUYEN", "<?evil?>", 1)), Refusal::ProcessingInstruction);
    let comment = good.replacen("205000", "20<!-- -->5000", 1);
    assert_eq!(read_text(&comment), Refusal::ForbiddenMarkup("comment"));
    let cdata = good.replacen("NGUYEN", "<![CDATA[NGUYEN]]>", 1);
    assert_eq!(read_text(&cdata), Refusal::ForbiddenMarkup("CDATA section"));
    assert_eq!(spoilt("<Ntfctn>", "<Ntfctn>text"), Refusal::ForbiddenMarkup("text between elements"));
    assert_eq!(read_text(&good.replace("BkTxCd", "x:BkTxCd")), Refusal::ForbiddenMarkup("namespace prefix"));
    let bomb = format!("<BkTxCd>{}{}", "<Domn>".repeat(10_000), "</Domn>".repeat(10_000));
    assert_eq!(read_text(&good.replacen("<BkTxCd>", &bomb, 1)), Refusal::TooDeep);
    assert_eq!(read(&[b'<'; 20], 10), Err(Refusal::TooLarge));
    assert_eq!(read(b"<Envelope \xff", MAX), Err(Refusal::NotUtf8));
    let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{good}");
    assert_eq!(read_text(&declared), Refusal::NotUtf8);
    assert_eq!(read_text(&format!("{good}<more/>")), Refusal::Malformed);
    assert_eq!(read_text(good.trim_end_matches("</Envelope>")), Refusal::Malformed);
    assert_eq!(read_text(""), Refusal::MissingElement("Envelope"));
}

#[test]
fn what_is_not_in_its_place_is_refused() {
    assert_eq!(spoilt("camt.054.001.10\"", "camt.054.001.11\""), Refusal::WrongNamespace("Document"));
    assert_eq!(
        spoilt(">camt.054.001.10<", ">camt.054.001.11<"),
        Refusal::UnknownMessage("camt.054.001.11".into())
    );
    assert_eq!(spoilt(ENVELOPE, "urn:other"), Refusal::WrongNamespace("Envelope"));
    assert_eq!(spoilt(HEADER, "urn:other"), Refusal::WrongNamespace("AppHdr"));
    assert_eq!(spoilt("<Ntfctn>", "<Ntfctn><Surprise/>"), Refusal::UnexpectedElement("Surprise".into()));
    assert_eq!(spoilt("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Sts>"), Refusal::UnexpectedElement("Sts".into()));
    let twice = "<CdtDbtInd>CRDT</CdtDbtInd><CdtDbtInd>CRDT</CdtDbtInd><Sts>";
    let twice = spoilt("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", twice);
    assert_eq!(twice, Refusal::DuplicateElement("CdtDbtInd".into()));
    let id = MessageId(uuid(1)).to_string();
    let renamed = credit().replacen(&format!("<MsgId>{id}"), &format!("<MsgId>{}", MessageId(uuid(9))), 1);
    assert_eq!(read(renamed.as_bytes(), MAX), Err(Refusal::AnotherIdentifier));
    assert_eq!(spoilt(&format!("<BizMsgIdr>{id}"), "<BizMsgIdr>7"), Refusal::Unreadable("BizMsgIdr"));
    assert_eq!(spoilt("<Cd>BOOK", "<Cd>PDNG"), Refusal::NotBooked);
    assert_eq!(spoilt("<BookgDt><Dt>2026-11-24", "<BookgDt><Dt>2026-02-30"), Refusal::Unreadable("Dt"));
    assert_eq!(spoilt("<Ntfctn>", "<Ntfctn a=\"b\">"), Refusal::WrongAttribute("Ntfctn"));
    let long = format!("<Nm>{}", "x".repeat(141));
    assert_eq!(spoilt("<Nm>NGUYEN THI HOA", &long), Refusal::TooLong("Nm"));
}

#[test]
fn amounts_are_whole_dong_of_a_known_currency() {
    let amount = |text: &str| {
        let text = format!("<Amt {text}</Amt>");
        let changed = credit().replace("<Amt Ccy=\"VND\">205000</Amt>", &text);
        read(changed.as_bytes(), MAX).unwrap_err()
    };
    let why = |why| Refusal::Amount { element: "Amt", why };
    assert_eq!(amount("Ccy=\"VND\">205000.5"), why(MoneyError::Fraction));
    assert_eq!(amount("Ccy=\"VND\">9223372036854775808"), why(MoneyError::TooLarge));
    assert_eq!(amount("Ccy=\"VND\">-1"), why(MoneyError::NotANumber));
    assert_eq!(amount("Ccy=\"USD\">205000"), why(MoneyError::UnknownCurrency));
    assert_eq!(amount("Ccy=\"VND\">0"), Refusal::ZeroAmount("Amt"));
    assert_eq!(amount(">205000"), Refusal::WrongAttribute("Amt"));
    assert_eq!(amount("Ccy=\"VND\" Ccy=\"VND\">205000"), Refusal::WrongAttribute("Amt"));
    assert_eq!(amount("Ccy=\"VND\"><b/>"), Refusal::UnexpectedElement("b".into()));
    let sum = spoilt("<Sum>205000", "<Sum>205001");
    assert_eq!((sum.code(), sum), ("wrong_total", Refusal::WrongTotal));
}

#[test]
fn a_statement_adds_up_or_is_refused() {
    let mut statements = messages().into_iter().filter_map(|message| match message {
        Message::Statement(statement) if statement.part == Part::WHOLE => Some(statement),
        _ => None,
    });
    let mut statement = statements.next_back().expect("a whole statement");
    statement.closing = Money::vnd(204_995);
    let text = text_of(&Message::Statement(statement));
    assert_eq!(read(text.as_bytes(), MAX), Err(Refusal::WrongTotal));
}

#[test]
fn a_batch_booked_in_one_line_is_several_movements() {
    let text = credit();
    let start = text.find("<TxDtls>").unwrap();
    let end = text.find("</TxDtls>").unwrap() + "</TxDtls>".len();
    let part = |dong: &str, reference: &str| {
        text[start..end].replace("205000", dong).replace("FT26328000000004", reference)
    };
    let batch = |second: &str| {
        let details = part("200000", "FT-A") + &part(second, "FT-B");
        read(text.replace(&text[start..end], &details).as_bytes(), MAX)
    };
    let Ok(Received { message: Message::CreditNotification(notification), .. }) = batch("5000") else {
        panic!("{:?}", batch("5000"))
    };
    let amounts: Vec<_> =
        notification.entries.iter().map(|e| (e.reference.as_str(), e.amount.minor())).collect();
    assert_eq!(amounts, [("FT-A", 200_000), ("FT-B", 5_000)]);
    assert_eq!(batch("5001"), Err(Refusal::WrongTotal));
}

#[test]
fn a_strange_remark_does_not_stop_money() {
    let text = credit().replace("nop phi", "nop\u{202E}\tphi");
    let Message::CreditNotification(notification) = read(text.as_bytes(), MAX).unwrap().message else {
        panic!()
    };
    assert!(notification.entries[0].remittance[0].as_str().contains("nop phi"));
    let foreign = credit().replace(&EndToEndId(uuid(4)).to_string(), "NOTPROVIDED");
    let Message::CreditNotification(notification) = read(foreign.as_bytes(), MAX).unwrap().message else {
        panic!()
    };
    assert_eq!(notification.entries[0].end_to_end, Some(line("NOTPROVIDED")));
    assert_eq!(notification.entries[0].end_to_end_id(), None);
}

#[test]
fn identifiers_are_spelled_one_way() {
    let uetr = Uetr::new(uuid(7));
    assert_eq!(uetr.to_string().parse(), Ok(uetr));
    assert!(uetr.to_string().to_uppercase().parse::<Uetr>().is_err());
    assert!("01935d5e-7a10-7c3b-9b1f-000000000007".parse::<Uetr>().is_err(), "version 7 is not version 4");
    assert!(MessageId(uuid(7)).to_string().to_uppercase().parse::<MessageId>().is_err());
    assert!("SBVNVNV".parse::<Bic>().is_err() && "sbvnvnvx".parse::<Bic>().is_err());
    assert!("".parse::<MemberId>().is_err() && "97 0436".parse::<MemberId>().is_err());
}

/// Validates every sample of every message against the official schemas.
#[test]
fn samples_validate_against_the_official_schemas() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/iso20022");
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/iso20022");
    std::fs::create_dir_all(&folder).unwrap();
    let mut kinds = Vec::new();
    for message in messages() {
        let text = text_of(&message);
        let cut = |name: &str| {
            let (from, to) =
                (text.find(&format!("<{name} ")).unwrap(), text.find(&format!("</{name}>")).unwrap());
            text[from..to].to_owned() + &format!("</{name}>")
        };
        for (kind, element) in [(message.definition(), "Document"), ("head.001.001.02", "AppHdr")] {
            let file = folder.join(format!("{}-{kind}.xml", kinds.len()));
            std::fs::write(&file, cut(element)).unwrap();
            kinds.push((kind, file));
        }
    }
    for (kind, file) in kinds {
        let schema = schemas.join(format!("{kind}.xsd"));
        let mut judge = Command::new("xmllint");
        let Some(run) = said(judge.args(["--nonet", "--noout", "--schema"]).arg(schema).arg(&file)) else {
            return;
        };
        assert!(run.status.success(), "{kind}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

proptest! {
    #[test]
    fn any_credit_is_read_back(dong in 1..=i64::MAX, remark in "[ -~\u{c0}-\u{1ef9}]{1,140}", n in any::<u64>()) {
        prop_assume!(crate::base::text::Line::<140>::parse(&remark).is_ok());
        let credit = Entry { remittance: vec![line(&remark)], ..entry(4, dong, Direction::Credit) };
        let credit = Entry { uetr: Some(Uetr::new(uuid(n.into()))), ..credit };
        let account: AccountNumber = format!("{n}").parse().unwrap();
        let message = Message::CreditNotification(CreditNotification { account, entries: vec![credit] });
        let text = text_of(&message);
        prop_assert_eq!(read(text.as_bytes(), MAX).map(|r| r.message), Ok(message));
    }

    #[test]
    fn any_request_is_read_back(dong in 1..=i64::MAX, name in "[ -~]{1,140}", url in "https://[a-z&?=<>\"']{1,80}") {
        prop_assume!(crate::base::text::Line::<140>::parse(&name).is_ok());
        let request = RequestToPay {
            amount: Money::vnd(dong),
            creditor: line(&name),
            debtor: None,
            return_url: Some(url),
            ..request()
        };
        let message = Message::RequestToPay(request);
        let text = text_of(&message);
        prop_assert_eq!(read(text.as_bytes(), MAX).map(|r| r.message), Ok(message));
    }

    #[test]
    fn no_cut_or_flipped_byte_panics(at in 0..4_000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = credit().into_bytes();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if cut { prop_assert!(read(&bytes, MAX).is_err()) } else { _ = read(&bytes, MAX) }
    }
}
