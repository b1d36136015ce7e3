//! Takes a message of the clearing system, whose signature has been checked. Each is taken once per sender and
//! identifier; a repetition gets the same answer, and another content under the same identifier is refused by name.

use super::{
    Error, Refusal, Result,
    move_payment::{Moved, move_payment},
    recall::{take_recall, take_resolution},
    settle_debits::{Debited, TellsDebit, settle_debits},
    settle_payments::settle_notification,
    take_report::take_report,
};
use crate::{
    app::App,
    base::{
        id::{Id, Payment},
        text::Line,
    },
    codec::iso20022::{
        AboutWhat, Agent, CreditNotification, Direction, EndToEndId, Entry, Message, Received,
        TransactionStatus, Uetr,
    },
    partner::clearing::report_of,
    payment::{
        payment::Event,
        record,
        settlement::{Charge, Credit, Notification, Origin, Taken},
    },
    store::{
        account::account_of_number,
        inbox::{self, StoredMessage},
    },
};

/// What is answered when a message has been taken: the same word for each repetition. Money that has arrived is most of what
/// comes: the steps of all else are made room for when they are taken, so that a notification does not carry them.
pub async fn take_message(app: &App, received: Received) -> Result<String> {
    let head = StoredMessage {
        sender: received.header.from.to_string(),
        biz_msg_idr: received.header.id.to_string(),
        kind: received.message.definition().to_owned(),
        digest: received.digest,
        answer: String::new(),
    };
    match received.message {
        Message::CreditNotification(notification) => take_credits(app, head, notification).await,
        Message::RequestStatus(status) => {
            Box::pin(take_status(app, head, status.end_to_end_id, status.status)).await
        }
        Message::CancellationRequest(asked) => {
            let act = take_recall(app, received.header.id, &asked);
            Box::pin(take_once(app, head, async { act.await.map(|()| "recorded") })).await
        }
        Message::Resolution(told) => {
            let act = take_resolution(app, &told);
            Box::pin(take_once(app, head, async { act.await.map(|()| "recorded") })).await
        }
        Message::PaymentStatus(status) if status.about == AboutWhat::Request => {
            Box::pin(take_status(app, head, status.end_to_end_id, status.status)).await
        }
        Message::PaymentStatus(status) => {
            let report = report_of(status.status).ok_or(Error::Refused(Refusal::new("unknown_status")))?;
            let act = take_report(app, status.about, status.end_to_end_id.0, report);
            let act = async { Ok(if act.await? { "recorded" } else { "unknown_payment" }) };
            Box::pin(take_once(app, head, act)).await
        }
        Message::RequestToPay(_)
        | Message::Statement(_)
        | Message::StatusInquiry(_)
        | Message::StatementRequest(_)
        | Message::PaymentReturn(_)
        | Message::CreditTransfer(_)
        | Message::MessageReject(_) => Err(Error::refused("message_not_expected")),
    }
}

async fn take_credits(app: &App, head: StoredMessage, notification: CreditNotification) -> Result<String> {
    let arrived = |e: &Entry| e.direction == Direction::Credit && !e.reversal && e.amount.is_positive();
    // What left first: it is idempotent by itself, and the message counts as taken only with its credits.
    if notification.entries.iter().any(is_debit) {
        Box::pin(take_debits(app, &head, &notification)).await?;
    }
    let notification = Notification {
        credits: notification.entries.into_iter().filter(arrived).map(credit).collect(),
        sender: head.sender,
        message: head.biz_msg_idr,
        kind: head.kind,
        digest: head.digest,
        account: notification.account.to_string(),
    };
    match settle_notification(app, notification).await? {
        Taken::Recorded | Taken::Repeated => Ok("recorded".to_owned()),
        Taken::OtherContent => Err(Error::conflict("message_id_reused")),
        Taken::UnknownAccount => Err(Error::refused("unknown_account")),
    }
}

/// Books what left the account, unless another content came under the message's identifier before.
async fn take_debits(app: &App, head: &StoredMessage, notification: &CreditNotification) -> Result<()> {
    let debits = debits(app, notification).await?;
    if !debits.is_empty() && is_other_content(app, head).await? {
        return Err(Error::conflict("message_id_reused"));
    }
    settle_debits(app, &debits).await
}

/// Whether a movement left the account and names something.
fn is_debit(entry: &Entry) -> bool {
    entry.direction == Direction::Debit && !entry.reversal && entry.end_to_end_id().is_some()
}

/// Whether another content came under the message's identifier before.
async fn is_other_content(app: &App, head: &StoredMessage) -> Result<bool> {
    let mut tx = app.store.begin().await?;
    let before = inbox::messages(&mut tx, &[(&head.sender, &head.biz_msg_idr)]).await?;
    Ok(before.first().is_some_and(|before| before.digest != head.digest))
}

/// The movements out of the account that name something of ours.
async fn debits(app: &App, notification: &CreditNotification) -> Result<Vec<Debited>> {
    let entries = notification.entries.iter().filter(|entry| is_debit(entry));
    let mut tx = app.store.begin().await?;
    let account = account_of_number(&mut tx, notification.account.as_str()).await?;
    let Some(account) = account else { return Ok(Vec::new()) };
    let debited = entries.filter_map(|entry| {
        Some(Debited {
            account: account.id,
            servicer_reference: entry.reference.to_string(),
            amount: entry.amount,
            refund: Id::from_uuid(entry.end_to_end_id()?.0),
            booked_on: entry.booked,
            told_by: TellsDebit::Notification,
        })
    });
    Ok(debited.collect())
}

/// Acts on a message once: a repetition gets the same answer. The act itself may come twice, when a process dies
/// between it and its being remembered, and changes nothing then. It says the word of the answer.
async fn take_once(
    app: &App,
    mut head: StoredMessage,
    act: impl Future<Output = Result<&'static str>>,
) -> Result<String> {
    let mut tx = app.store.begin().await?;
    let before = inbox::messages(&mut tx, &[(&head.sender, &head.biz_msg_idr)]).await?;
    drop(tx);
    if let Some(before) = before.into_iter().next() {
        let same = before.digest == head.digest;
        return if same { Ok(before.answer) } else { Err(Error::conflict("message_id_reused")) };
    }
    head.answer = act.await?.to_owned();
    let answer = head.answer.clone();
    let mut tx = app.store.begin().await?;
    inbox::insert_messages(&mut tx, &[head], app.clock.now()).await?;
    tx.commit().await?;
    Ok(answer)
}

/// One movement as settling decides it.
fn credit(entry: Entry) -> Credit {
    let payment: Option<Id<Payment>> = entry.end_to_end_id().map(|id| Id::from_uuid(id.0));
    let text = |line: &Line<35>| line.to_string();
    let bank = entry.counterparty_agent.as_ref().map(|agent| match agent {
        Agent::Member(member) => member.to_string(),
        Agent::Bic(bic) => bic.to_string(),
    });
    let mut credit = Credit {
        servicer_reference: entry.reference.to_string(),
        amount: entry.amount,
        charge: entry.charged.map(|charged| Charge {
            kind: if charged.card { record::Kind::CardDiscount } else { record::Kind::BankCharge },
            amount: charged.amount,
        }),
        payment,
        references: Vec::new(),
        remittance: entry.remittance,
        booked_on: entry.booked,
        value_on: entry.value,
        origin: Origin {
            bank,
            uetr: entry.uetr.map(Uetr::uuid),
            end_to_end: entry.end_to_end.as_ref().map(text),
            clearing_reference: entry.clearing_reference.as_ref().map(text),
            accepted_at: entry.accepted,
        },
    };
    if credit.payment.is_none() {
        credit.references = credit.read_references();
    }
    credit
}

async fn take_status(
    app: &App,
    mut head: StoredMessage,
    payment: EndToEndId,
    status: TransactionStatus,
) -> Result<String> {
    let mut tx = app.store.begin().await?;
    let before = inbox::messages(&mut tx, &[(&head.sender, &head.biz_msg_idr)]).await?;
    drop(tx);
    if let Some(before) = before.into_iter().next() {
        let same = before.digest == head.digest;
        return if same { Ok(before.answer) } else { Err(Error::conflict("message_id_reused")) };
    }
    let report = report_of(status).ok_or(Error::Refused(Refusal::new("unknown_status")))?;
    // Moving first: a crash before the message is remembered lets it come again, and moving again changes nothing.
    let moved = move_payment(app, Id::from_uuid(payment.0), &Event::Reported(report)).await?;
    head.answer = match moved {
        Moved::Moved(_) | Moved::Asking(_) | Moved::Stayed(_) => "recorded".to_owned(),
        Moved::Unknown => "unknown_payment".to_owned(),
    };
    let mut tx = app.store.begin().await?;
    let answer = head.answer.clone();
    inbox::insert_messages(&mut tx, &[head], app.clock.now()).await?;
    tx.commit().await?;
    Ok(answer)
}
