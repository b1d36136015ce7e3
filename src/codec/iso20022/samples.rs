//! One message of every kind, for tests.

use super::*;
use crate::base::calendar::Day;
use crate::base::money::Money;
use crate::base::text::Line;
use time::macros::datetime;
use uuid::Uuid;

pub(super) fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0193_5d5e_7a10_7c3b_9b1f_0000_0000_0000 + n)
}

pub(super) fn line<const MAX: usize>(text: &str) -> Line<MAX> {
    Line::parse(text).unwrap()
}

pub(super) fn header() -> Header {
    Header {
        from: "CHUNG".parse().unwrap(),
        to: "SBV01".parse().unwrap(),
        id: MessageId(uuid(1)),
        created: datetime!(2026-11-24 01:02:03.456 UTC),
        possible_duplicate: false,
    }
}

pub(super) fn entry(n: u128, dong: i64, direction: Direction) -> Entry {
    let day = Day::new(2026, 11, 24).unwrap();
    Entry {
        reference: line(&format!("FT26328{n:09}")),
        amount: Money::vnd(dong),
        direction,
        reversal: direction == Direction::Debit,
        booked: day,
        value: day,
        end_to_end: Some(line(&EndToEndId(uuid(n)).to_string())),
        uetr: Some(Uetr::new(uuid(n))),
        clearing_reference: Some(line("SBV0123456789")),
        counterparty: Some(line("NGUYEN THI HOA")),
        counterparty_agent: Some(Agent::Member("970436".parse().unwrap())),
        remittance: vec![line("7K3QD0000000000000AB nop phi <ly lich> & \"tu phap\"")],
        accepted: Some(datetime!(2026-11-24 01:02:00 UTC)),
        charged: None,
    }
}

/// Money of which the bank tells no more than it must, less what it kept.
fn bare(n: u128) -> Entry {
    Entry {
        end_to_end: None,
        uetr: None,
        clearing_reference: None,
        counterparty: None,
        counterparty_agent: None,
        remittance: Vec::new(),
        accepted: None,
        charged: Some(Charged { amount: Money::vnd(2_050), card: true }),
        ..entry(n, 202_950, Direction::Credit)
    }
}

pub(super) fn request() -> RequestToPay {
    RequestToPay {
        end_to_end_id: EndToEndId(uuid(2)),
        uetr: Uetr::new(uuid(2)),
        amount: Money::vnd(205_000),
        expires: datetime!(2026-11-24 01:17:03 UTC),
        debtor: Some(line("Nguyễn Thị Hòa")),
        debtor_agent: Agent::Member("970436".parse().unwrap()),
        creditor: line("Kho bạc Nhà nước Khu vực II"),
        creditor_agent: Agent::Bic("SBVNVNVX".parse().unwrap()),
        creditor_account: "1130000012345".parse().unwrap(),
        remittance: line("7K3QD0000000000000AB"),
        return_url: Some(String::from("http://localhost:8080/pay/7K3QD0000000000000AB?a=1&b=2")),
    }
}

pub(super) fn messages() -> Vec<Message> {
    let reason = Reason { code: line("AM04"), text: Some(line("Số dư không đủ")) };
    let (original, end_to_end_id, uetr) = (MessageId(uuid(1)), EndToEndId(uuid(2)), Some(Uetr::new(uuid(2))));
    let account: AccountNumber = "1130000012345".parse().unwrap();
    vec![
        Message::RequestToPay(request()),
        Message::RequestStatus(RequestStatus {
            original,
            end_to_end_id,
            uetr,
            status: TransactionStatus::Rejected(reason),
        }),
        Message::RequestStatus(RequestStatus {
            original,
            end_to_end_id,
            uetr: None,
            status: TransactionStatus::Accepted,
        }),
        Message::PaymentStatus(PaymentStatus {
            inquiry: Some(MessageId(uuid(3))),
            about: AboutWhat::Request,
            original,
            end_to_end_id,
            uetr,
            status: TransactionStatus::Settled,
            accepted: Some(datetime!(2026-11-24 01:02:00 UTC)),
            clearing_reference: Some(line("SBV0123456789")),
        }),
        Message::PaymentStatus(PaymentStatus {
            inquiry: None,
            about: AboutWhat::Request,
            original,
            end_to_end_id,
            uetr,
            status: TransactionStatus::StepUp,
            accepted: None,
            clearing_reference: None,
        }),
        Message::CreditNotification(CreditNotification {
            account: account.clone(),
            entries: vec![entry(4, 205_000, Direction::Credit), entry(5, 1, Direction::Debit)],
        }),
        Message::CreditNotification(CreditNotification { account: account.clone(), entries: vec![bare(6)] }),
        Message::Statement(Statement {
            account: account.clone(),
            day: Day::new(2026, 11, 24).unwrap(),
            opening: Money::vnd(-5),
            closing: Money::vnd(204_994),
            entries: vec![entry(4, 205_000, Direction::Credit), entry(5, 1, Direction::Debit)],
            part: Part::WHOLE,
        }),
        Message::Statement(Statement {
            account: account.clone(),
            day: Day::new(2026, 11, 24).unwrap(),
            opening: Money::vnd(-5),
            closing: Money::vnd(1_000_000),
            entries: vec![entry(6, 205_000, Direction::Credit)],
            part: Part { number: 2, last: false },
        }),
        Message::StatusInquiry(StatusInquiry { about: AboutWhat::Return, original, end_to_end_id, uetr }),
        Message::StatementRequest(StatementRequest {
            account,
            owner: line("Kho bạc Nhà nước"),
            day: Day::new(2026, 11, 24).unwrap(),
            page: 2,
        }),
        Message::PaymentReturn(PaymentReturn {
            id: end_to_end_id,
            original: OriginalTransfer {
                end_to_end: Some(line("NOTPROVIDED")),
                uetr,
                clearing_reference: Some(line("SBV0123456789")),
            },
            original_amount: Money::vnd(205_000),
            amount: Money::vnd(5_000),
            value: Day::new(2026, 11, 25).unwrap(),
            account: "1130000012345".parse().unwrap(),
            payer_agent: Agent::Member("970436".parse().unwrap()),
            reason: line("DUPL"),
            text: line("7K3QD0000000000000AB hoàn khoản nộp hai lần"),
        }),
        Message::CreditTransfer(CreditTransfer {
            id: end_to_end_id,
            uetr: uetr.unwrap(),
            amount: Money::vnd(205_000),
            value: Day::new(2026, 11, 25).unwrap(),
            debtor: line("Sở Tư pháp"),
            debtor_account: "1130000012345".parse().unwrap(),
            debtor_agent: Agent::Member("970405".parse().unwrap()),
            creditor_agent: Agent::Bic("SBVNVNVX".parse().unwrap()),
            creditor: line("Kho bạc Nhà nước"),
            creditor_account: "7111".parse().unwrap(),
            remittance: line("NSNN 00612611000000001 LE PHI"),
        }),
        Message::CancellationRequest(CancellationRequest {
            id: end_to_end_id,
            original: OriginalTransfer { uetr, ..OriginalTransfer::default() },
            amount: Money::vnd(205_000),
            settled: Day::new(2026, 11, 24).unwrap(),
            reason: line("DUPL"),
            text: Some(line("Khách hàng chuyển nhầm")),
        }),
        Message::Resolution(Resolution {
            request: end_to_end_id,
            original,
            answer: ResolutionAnswer::Rejected(line("CUST")),
            text: Some(line("Hồ sơ đã giải quyết")),
        }),
        Message::Resolution(Resolution {
            request: end_to_end_id,
            original,
            answer: ResolutionAnswer::Accepted,
            text: None,
        }),
        Message::Resolution(Resolution {
            request: end_to_end_id,
            original,
            answer: ResolutionAnswer::Pending,
            text: None,
        }),
        Message::MessageReject(MessageReject {
            refused: line("01935d5e7a107c3b9b1f000000000001"),
            code: line("missing_element"),
            at: datetime!(2026-11-24 01:02:04 UTC),
            description: Some(line("element UETR is missing")),
        }),
    ]
}
