//! Starts an attempt to pay a bill: the intent is recorded, then the clearing system is asked, then its answer is
//! recorded. A crash between is healed by the inquiry. What is plain is recorded together with that of other payers
//! (`plain_attempts`).

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf, charge_late, create_bill,
    move_payment::{Moved, move_payment},
    national, payers, read_bills, split_bill,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        entropy::random,
        id::{Citizen, Id},
        reference::Reference,
        text::Line,
    },
    codec::iso20022::{AccountNumber, Agent, EndToEndId, MessageId, RequestToPay, Uetr},
    crypto::seal::DataKey,
    payment::{
        bill,
        payment::{self, APPROVAL_WINDOW, State, Told, Watch, Way},
    },
    store::{
        Tx, account,
        attempts::{self, Begun, Choice},
        audit::{self, NewLeaf},
        bank,
        bill::{self as bills, StoredBill},
        payment::StoredPayment,
    },
};
use serde_json::json;
use uuid::Uuid;

/// Asks the payer's bank, by its code, to present the bill of that reference to its customer. Anybody may pay.
pub async fn start_payment(app: &App, reference: &Reference, bank: &str) -> Result<StoredPayment> {
    start_payment_as(app, reference, bank, None).await
}

/// The same for somebody who is signed in, whom page and receipt then name.
pub async fn start_payment_as(
    app: &App,
    reference: &Reference,
    bank: &str,
    payer: Option<Id<Citizen>>,
) -> Result<StoredPayment> {
    let plain = match payer {
        None if bank != national::CHOICE => {
            let choice = Choice { reference: *reference, bank: bank.to_owned() };
            app.batches.attempts.submit(choice).await?
        }
        _ => None,
    };
    let begun = match plain {
        Some(begun) => begun,
        None => begin(app, reference, bank, payer).await?,
    };
    let (now, attempt) = (begun.attempt.created_at, &begun.attempt);
    let event = if attempt.way == Way::Platform {
        national::begin(app, attempt, &begun.of, &begun.account, now).await?
    } else {
        let request = request(app, &begun, now)?;
        app.clearing.request_to_pay(MessageId(attempt.id.uuid()), &request, now).await
    };
    let told = Told { payment: attempt.id, event };
    // Whatever became of the others that were told of: what is told twice moves once.
    if let Ok(Some(moved)) = app.batches.moves.submit(told.clone()).await {
        return Ok(moved);
    }
    match move_payment(app, told.payment, &told.event).await? {
        Moved::Moved(moved) | Moved::Asking(moved) | Moved::Stayed(moved) => Ok(moved),
        Moved::Unknown => Err(Error::internal("an attempt that was recorded is gone")),
    }
}

/// Records the intent.
async fn begin(app: &App, reference: &Reference, bank: &str, payer: Option<Id<Citizen>>) -> Result<Begun> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let named = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let (state, under_way) = bills::lock_bill(&mut tx, named.bill.id).await?.ok_or(Error::not_found())?;
    // Read again under the lock: an amendment may just have been made.
    let mut of = bills::bill(&mut tx, named.bill.id).await?.ok_or(Error::not_found())?;
    let until = read_bills::pay_until(&mut tx, &of, now).await?;
    bill::may_pay(&state, until, Day::of(now)).map_err(create_bill::refused)?;
    if !under_way {
        split_bill::choose_way(&mut tx, of.bill.id, now).await?;
        charge_late::charge_late(app, &mut tx, &mut of, (now, now)).await?;
    }
    let by_platform = bank == national::CHOICE && national::is_member(&mut tx).await?;
    if !by_platform && bank::known(&mut tx, &[bank]).await?.is_empty() {
        return Err(Error::refused(payment::Refusal::UnknownBank.code()));
    }
    let account = account::account(&mut tx, of.account).await?;
    let account = account.ok_or(Error::refused(payment::Refusal::NoCollectingAccount.code()))?;
    let attempt = new_attempt(app, &of, bank, now);
    let attempt = if by_platform {
        StoredPayment { way: Way::Platform, bank: String::new(), ..attempt }
    } else {
        attempt
    };
    record(app, &mut tx, &of, &attempt, now).await?;
    payers::begun(app, &mut tx, &of, &attempt, payer, now).await?;
    tx.commit().await?;
    Ok(Begun { of, account, attempt })
}

pub(super) fn new_attempt(app: &App, of: &StoredBill, bank: &str, now: Instant) -> StoredPayment {
    StoredPayment {
        id: Id::new(now, &*app.entropy),
        bill: of.bill.id,
        account: of.account,
        amount: of.bill.lines.total(),
        way: Way::Request,
        bank: bank.to_owned(),
        uetr: Uetr::new(Uuid::from_bytes(random(&*app.entropy))).uuid(),
        state: State::Created(Watch::from(now)),
        created_at: now,
    }
}

async fn record(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    attempt: &StoredPayment,
    now: Instant,
) -> Result<()> {
    if attempts::begin(tx, &[attempt]).await?.is_empty() {
        let refusal = Refusal::new(payment::Refusal::AlreadyLive.code());
        return Err(Error::Conflict(refusal.about(of.bill.reference)));
    }
    let key = agency_key(app, tx, of.bill.agency).await?;
    Ok(audit::append(tx, &[created_leaf(app, of, attempt, &key, now)]).await?)
}

/// The leaf of an attempt that begins.
pub(super) fn created_leaf(
    app: &App,
    of: &StoredBill,
    attempt: &StoredPayment,
    key: &DataKey,
    now: Instant,
) -> NewLeaf {
    let concern =
        audit_leaf::Concern { citizen: None, agency: Some(of.bill.agency), object: attempt.id.uuid() };
    let details = json!({
        "payment": attempt.id.to_string(),
        "bill": attempt.bill.to_string(),
        "amount": attempt.amount.decimal(),
        "bank": attempt.bank,
    });
    audit_leaf::leaf(app, now, "payment.created", concern, key, &details)
}

fn request(app: &App, Begun { of, account, attempt }: &Begun, now: Instant) -> Result<RequestToPay> {
    let remittance = format!("{} {}", of.bill.reference, of.bill.dossier);
    let line = |text: &str| Line::<140>::parse(text).map_err(Error::internal);
    Ok(RequestToPay {
        end_to_end_id: EndToEndId(attempt.id.uuid()),
        uetr: Uetr::new(attempt.uetr),
        amount: attempt.amount,
        expires: now + APPROVAL_WINDOW,
        debtor: None,
        debtor_agent: agent(&attempt.bank)?,
        creditor: line(&account.holder.as_str().chars().take(140).collect::<String>())?,
        creditor_agent: agent(&account.bank)?,
        creditor_account: account.number.parse::<AccountNumber>().map_err(Error::internal)?,
        remittance: line(&remittance)?,
        return_url: Some(app.origin.at(&format!("/pay/{}", of.bill.reference))),
    })
}

/// A bank is named by its BIC, or else by its number in the clearing system.
fn agent(code: &str) -> Result<Agent> {
    let bic = code.parse().map(Agent::Bic);
    bic.or_else(|_| code.parse().map(Agent::Member)).map_err(Error::internal)
}
