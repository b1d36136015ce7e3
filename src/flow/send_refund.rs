//! Sends decided refunds to the clearing system, and asks about those that nobody answered.
//!
//! The intent was recorded with the decision; the message bears the refund's own identifier, so that sending it again
//! is the same return. Silence is asked about at most three times, and then the statement decides.

use super::{Error, Result, agency_key::agency_key, request_refund::record};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Id},
        money::Money,
        text::{Line, unaccented},
    },
    codec::iso20022::{
        AboutWhat, AccountNumber, Agent, EndToEndId, MessageId, OriginalTransfer, PaymentReturn,
        StatusInquiry, Uetr,
    },
    payment::{
        refund::{Event, Next, State, Way, follow},
        session,
        settlement::Origin,
    },
    store::{
        Tx, account, bill as bills, calendar, debit, desk,
        inbox::CreditKey,
        payment as payments,
        refund::{self as rows, Source, StoredRefund, next_look},
        suspense, transfer,
    },
};
use time::Duration;

/// How many refunds one look takes.
const AT_ONCE: i64 = 32;

/// When a refund that certainly did not leave is sent again.
const AGAIN_AFTER: Duration = Duration::minutes(5);

/// How often a decision is made again when the refund moves at the same moment.
const TRIES: usize = 4;

/// Hands a decided refund to the clearing system, and records what it says.
pub async fn send_refund(app: &App, id: Id<id::Refund>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(refund) = rows::find(&mut tx, id).await?.filter(|r| r.state == State::Approved) else {
        return Ok(());
    };
    let message = message(&mut tx, &refund, now).await?;
    // Whoever looks meanwhile leaves it alone.
    rows::look_again(&mut tx, id, Some(now + AGAIN_AFTER)).await?;
    tx.commit().await?;
    let answer = app.clearing.return_payment(MessageId(id.uuid()), &message, now).await;
    move_refund(app, id, &Event::Answered(answer)).await.map(|_| ())
}

/// Looks after every refund whose time has come; how many.
pub async fn look_after_refunds(app: &App) -> Result<usize> {
    let mut tx = app.store.begin().await?;
    let due = rows::due(&mut tx, app.clock.now(), AT_ONCE).await?;
    drop(tx);
    for id in &due {
        send_refund(app, *id).await?;
        if let Some(refund) = move_refund(app, *id, &Event::InquiryDue).await? {
            ask(app, &refund).await?;
        }
    }
    Ok(due.len())
}

async fn ask(app: &App, refund: &StoredRefund) -> Result<()> {
    let now = app.clock.now();
    let message: Id<id::Message> = Id::new(now, &*app.entropy);
    let inquiry = StatusInquiry {
        about: AboutWhat::Return,
        original: MessageId(refund.id.uuid()),
        end_to_end_id: EndToEndId(refund.id.uuid()),
        uetr: None,
    };
    let answer = app.clearing.inquire_return(MessageId(message.uuid()), inquiry, now).await;
    move_refund(app, refund.id, &Event::Answered(answer)).await.map(|_| ())
}

/// Applies an event; the refund, if the clearing system is to be asked about it.
pub async fn move_refund(app: &App, id: Id<id::Refund>, event: &Event) -> Result<Option<StoredRefund>> {
    for _ in 0..TRIES {
        let now = app.clock.now();
        let mut tx = app.store.begin().await?;
        let Some(refund) = rows::find(&mut tx, id).await? else { return Ok(None) };
        let (state, asking) = match follow(&refund.state, event, now) {
            Next::Stay => {
                // A silent one whose inquiries are used up waits for the statement.
                if *event == Event::InquiryDue && refund.state != State::Approved {
                    rows::look_again(&mut tx, id, next_look(&refund.state)).await?;
                    tx.commit().await?;
                }
                return Ok(None);
            }
            Next::Contradiction => {
                tracing::error!(refund = %id, ?event, state = refund.state.as_str(), "a message denies what is certain");
                return Ok(None);
            }
            Next::Move(state) => (state, false),
            Next::Ask(state) => (state, true),
        };
        let next_at = match &state {
            State::Approved => Some(now),
            other => next_look(other),
        };
        if !rows::move_refund(&mut tx, &refund, &state, next_at).await? {
            continue;
        }
        let refund = StoredRefund { state, ..refund };
        let sealing = agency_key(app, &mut tx, refund.agency).await?;
        record(app, &mut tx, &refund, kind(&refund.state), &sealing, now).await?;
        tx.commit().await?;
        return Ok(asking.then_some(refund));
    }
    Err(Error::conflict("refund_moved"))
}

const fn kind(state: &State) -> &'static str {
    match state {
        State::Requested => "refund.requested",
        State::Declined { .. } => "refund.declined",
        State::Approved => "refund.approved",
        State::Sent => "refund.sent",
        State::Unknown { .. } => "refund.unknown",
        State::Bounced { .. } => "refund.bounced",
        State::AtDesk => "refund.at_desk",
        State::AwaitingTreasury => "refund.awaiting_treasury",
        State::Done { .. } => "refund.done",
    }
}

/// The return: the original transfer as its bank told it, and a text that says what the payer gets back.
async fn message(tx: &mut Tx, refund: &StoredRefund, now: Instant) -> Result<PaymentReturn> {
    let lost = |what| Error::internal(format!("a refund without its {what}"));
    debug_assert!(refund.way == Way::Clearing, "only money in an account is returned");
    let account = refund.account.ok_or_else(|| lost("account"))?;
    let account = account::account(tx, account).await?.ok_or_else(|| lost("account"))?;
    let (original, bank, original_amount) = original(tx, refund).await?;
    let days = calendar::working_days(tx, Day::of(now)).await?;
    let hours = calendar::sessions(tx, Day::of(now)).await?;
    let value = session::slot(&hours, &days, refund.amount, now).map_or(Day::of(now), |slot| slot.day);
    let reference = match refund.bill {
        Some(bill) => bills::bill(tx, bill).await?.map(|b| b.bill.reference.to_string()),
        None => None,
    };
    let text = format!("{} HOAN TRA {}", reference.unwrap_or_default(), refund.reason.as_str());
    let text: String = unaccented(&text).chars().take(105).collect();
    Ok(PaymentReturn {
        id: EndToEndId(refund.id.uuid()),
        original,
        original_amount,
        amount: refund.amount,
        value,
        account: account.number.parse::<AccountNumber>().map_err(Error::internal)?,
        payer_agent: agent(&bank.unwrap_or(account.bank))?,
        reason: Line::parse(refund.reason.return_code()).map_err(Error::internal)?,
        text: Line::parse(&text).map_err(Error::internal)?,
    })
}

/// How the clearing system knows the transfer, the payer's bank as far as it was told, and how much had come.
pub(super) async fn original(
    tx: &mut Tx,
    refund: &StoredRefund,
) -> Result<(OriginalTransfer, Option<String>, Money)> {
    let lost = |what| Error::internal(format!("a refund without its {what}"));
    let source = match (refund.source, refund.bill, refund.account) {
        // Of what was paid at a desk only a transfer lies in an account: it came by itself.
        (Source::Payment(payment), Some(bill), Some(_)) => {
            desk::by_transfer(tx, bill, payment).await?.map(|transfer| Source::Case(transfer.case))
        }
        _ => None,
    };
    let (origin, amount, asked) = match source.unwrap_or(refund.source) {
        Source::Payment(payment) => {
            let paid = payments::payment(tx, payment).await?.ok_or_else(|| lost("payment"))?;
            let credit = match debit::settling_credit(tx, payment).await? {
                None => suspense::turned_to(tx, payment).await?,
                found => found,
            };
            (origin(tx, credit).await?, paid.amount, Some(paid))
        }
        Source::Case(case) => {
            let waiting = debit::lock_waiting(tx, case).await?.ok_or_else(|| lost("case"))?;
            let named = match waiting.payment {
                Some(payment) => payments::payment(tx, payment).await?,
                None => None,
            };
            // A line that people booked says nothing but which payment it names.
            let told = origin(tx, Some(waiting.key)).await?;
            (told.filter(|told| named.is_none() || *told != Origin::default()), waiting.amount, named)
        }
    };
    if let Some(origin) = origin {
        let line = |text: Option<String>| text.and_then(|text| Line::parse(&text).ok());
        let original = OriginalTransfer {
            end_to_end: line(origin.end_to_end),
            uetr: origin.uetr.map(Uetr::new),
            clearing_reference: line(origin.clearing_reference),
        };
        return Ok((original, origin.bank, amount));
    }
    // Money of a request of ours: its payment names it.
    let paid = asked.ok_or_else(|| lost("origin"))?;
    let original = OriginalTransfer {
        end_to_end: Line::parse(&EndToEndId(paid.id.uuid()).to_string()).ok(),
        uetr: Some(Uetr::new(paid.uetr)),
        clearing_reference: None,
    };
    Ok((original, Some(paid.bank).filter(|bank| !bank.is_empty()), amount))
}

/// Where a credit came from, if that was told apart from its payment.
async fn origin(tx: &mut Tx, credit: Option<CreditKey>) -> Result<Option<Origin>> {
    let Some(key) = credit else { return Ok(None) };
    Ok(transfer::origins(tx, std::slice::from_ref(&key)).await?.remove(&key))
}

/// A bank is named by its BIC, or else by its number in the clearing system.
fn agent(code: &str) -> Result<Agent> {
    let bic = code.parse().map(Agent::Bic);
    bic.or_else(|_| code.parse().map(Agent::Member)).map_err(Error::internal)
}
