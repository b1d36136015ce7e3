//! What anybody who has a bill's reference may see: what is owed, to whom, and how far payment has come.
//!
//! The applicant's name is masked, and where the catalogue marks the procedure as sensitive neither it nor the names
//! of its fees are shown.

use super::{
    Error, Result,
    agency_key::agency_key,
    bill_answer, charge_late,
    inherit::demand_standing,
    national, population, read_bills,
    read_parts::{self, Divided, PartShown, Share},
    read_refunds::{self, RefundStep},
    receipt_name::names_of,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id, Payment},
        money::Money,
        reference::Reference,
    },
    codec::vietqr::{Service, VietQr},
    payment::{
        bill::{self, PartyName, Status},
        fee::{Bilingual, FeeKind},
        payment::State,
        session,
    },
    store::{
        Tx,
        account::{self, CollectingAccount},
        agency, bank,
        bank::Bank,
        bill as bills, calendar,
        inbox::{self, Moments},
        payment::{self, StoredPayment},
        platform, principal,
        recall::{self, StoredRecall},
        receipt, receipt_due, receipt_issuer,
    },
};
use std::collections::BTreeMap;

/// A bill as its reference alone shows it.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The reference.
    pub reference: Reference,
    /// The agency, in Vietnamese and English.
    pub agency: (String, String),
    /// The dossier.
    pub dossier: String,
    /// The procedure, unless it is sensitive.
    pub procedure: Option<Bilingual>,
    /// What is owed: the fee's name, unless the procedure is sensitive; its kind; the tariff; what is owed of it.
    pub lines: Vec<CheckoutLine>,
    /// Whose money the lines are, where several owners' money is collected together in the account below.
    pub owners: Vec<Share>,
    /// Into what it was divided, if it was.
    pub parts: Option<(Divided, Vec<PartShown>)>,
    /// The bill that it is a part of.
    pub whole: Option<Reference>,
    /// The sum.
    pub total: Money,
    /// The applicant, masked.
    pub applicant: String,
    /// The last day: the due day, later by every day on which nobody answered.
    pub due: Day,
    /// What has become of the bill.
    pub status: Status,
    /// The latest attempt.
    pub attempt: Option<StoredPayment>,
    /// The name of its bank.
    pub attempt_bank: Option<String>,
    /// The printed numbers of its receipts that hold, once paid.
    pub receipts: Vec<String>,
    /// The receipts that another issuer made: what each is called, and where to look it up.
    pub elsewhere: Vec<(String, String)>,
    /// Whether it is paid and a receipt still waits.
    pub pending: bool,
    /// The name that the receipts shall bear, masked, where one was given.
    pub receipt_name: Option<String>,
    /// The banks to choose from.
    pub banks: Vec<Bank>,
    /// Where a transfer of the payer's own goes to.
    pub transfer: Option<TransferTo>,
    /// The clearing day whose statement decides about the latest attempt, while nobody answers about it.
    pub deciding_day: Option<Day>,
    /// Whoever is signed in and would be named as the payer.
    pub payer: Option<String>,
    /// Who paid in the latest attempt, masked, where they were signed in.
    pub paid_by: Option<String>,
    /// Who filed it for the applicant, masked.
    pub submitter: Option<String>,
    /// Whether the national payment platform may be chosen.
    pub by_platform: bool,
    /// Where the payer of the latest attempt goes on there.
    pub platform_link: Option<String>,
    /// What goes back of it.
    pub refunds: Vec<RefundStep>,
    /// Requests for it between banks, and for what went back.
    pub recalls: Vec<StoredRecall>,
    /// When this was read.
    pub now: Instant,
}

/// What a transfer needs, by QR or by hand.
#[derive(Debug, Clone)]
pub struct TransferTo {
    /// The bank that keeps the account: its name where we know it, else its code.
    pub bank: String,
    /// The account.
    pub number: String,
    /// The name that the payer's bank shows.
    pub holder: String,
    /// The text of the VietQR code; none for a bank that has no number there.
    pub code: Option<String>,
}

/// One amount on the page.
#[derive(Debug, Clone)]
pub struct CheckoutLine {
    /// The name, unless hidden.
    pub name: Option<Bilingual>,
    /// Its kind.
    pub kind: FeeKind,
    /// The tariff.
    pub gross: Money,
    /// What is owed.
    pub amount: Money,
}

impl TransferTo {
    /// The transfer that pays a bill. The reference is its whole text: nothing that a bank could strip or a payer misread.
    pub(super) fn of(account: &CollectingAccount, of: &bills::StoredBill, bank: Option<String>) -> Self {
        let code = VietQr {
            bank: account.bank.clone(),
            number: account.number.clone(),
            service: Service::Account,
            amount: u64::try_from(of.bill.lines.total().minor()).ok(),
            purpose: Some(of.bill.reference.to_string()),
        };
        Self {
            bank: bank.unwrap_or_else(|| account.bank.clone()),
            number: account.number.clone(),
            holder: account.holder.to_string(),
            code: code.encode().ok(),
        }
    }
}

impl Checkout {
    /// Whether it is paid owner by owner, and never as a whole.
    pub fn is_apart(&self) -> bool {
        self.status == Status::Superseded && matches!(self.parts, Some((Divided::ByOwner, _)))
    }

    /// Whether some line is proved by another document than a receipt, and may be shown.
    pub fn has_sheets(&self) -> bool {
        let other = |line: &CheckoutLine| line.amount.is_zero() || !FeeKind::CHARGES.contains(&line.kind);
        self.lines.iter().all(|line| line.name.is_some()) && self.lines.iter().any(other)
    }
}

/// The bill of a reference, with masks.
pub async fn read_checkout(app: &App, reference: &Reference) -> Result<Checkout> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut stored = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let attempt = payment::payments_of_bill(&mut tx, stored.bill.id).await?.into_iter().next();
    // While money may be coming, what is asked stands still.
    if !attempt.as_ref().is_some_and(|attempt| attempt.state.is_live())
        && let Some((lines, _)) = charge_late::late_lines(app, &mut tx, &stored, now).await?
    {
        stored.bill.lines = lines;
    }
    let of = agency::find_all(&mut tx, &[stored.bill.agency]).await?;
    let of = of.into_iter().next().ok_or(Error::not_found())?;
    let key = agency_key(app, &mut tx, stored.bill.agency).await?;
    let until = read_bills::pay_until(&mut tx, &stored, now).await?;
    let due = read_bills::stands_still(&mut tx, stored.bill.id, stored.bill.due, now).await?;
    let banks = bank::banks(&mut tx).await?;
    let account = account::account(&mut tx, stored.account).await?;
    let deciding_day = deciding_day(&mut tx, attempt.as_ref()).await?;
    let parties = bill_answer::open_parties(&key, stored.bill.id, &stored.parties)?;
    let hidden = stored.procedure.sensitive;
    let lines = stored.bill.lines.as_slice().iter().map(|line| CheckoutLine {
        name: (!hidden).then(|| line.name.clone()),
        kind: line.kind,
        gross: line.gross,
        amount: line.amount,
    });
    let by_platform = national::is_member(&mut tx).await?;
    let mut owners = read_parts::read_owners(&mut tx, &stored).await?;
    if owners.len() < 2 {
        owners.clear();
    }
    let family = read_parts::read_family(app, &mut tx, stored.bill.id, &banks, now).await?;
    let platform_link = match &attempt {
        Some(attempt) => platform::link(&mut tx, attempt.id).await?,
        None => None,
    };
    let refunds = read_refunds::of_bill(&mut tx, stored.bill.id).await?;
    let recalls = recall::of_bill(&mut tx, stored.bill.id).await?;
    let pending = !receipt_due::of_bills(&mut tx, &[stored.bill.id]).await?.is_empty();
    let elsewhere = receipt_issuer::provided(&mut tx, &[stored.bill.id]).await?;
    let names = names_of(&mut tx, &[stored.bill.id], |_| Some(&key)).await?;
    let paid_by = paid_by(app, &mut tx, attempt.as_ref().map(|attempt| attempt.id)).await?;
    drop(tx);
    let receipts = receipt::of_bill(&app.store, stored.bill.id).await?;
    let bank_name = |code: &str| banks.iter().find(|b| b.code == code).map(|b| b.name.clone());
    Ok(Checkout {
        reference: *reference,
        agency: (of.name_vi, of.name_en),
        dossier: stored.bill.dossier.to_string(),
        procedure: (!hidden).then(|| stored.procedure.name.clone()),
        lines: lines.collect(),
        owners,
        parts: family.parts,
        whole: family.whole,
        total: stored.bill.lines.total(),
        applicant: bill::masked(&parties.applicant),
        submitter: parties.submitter.as_ref().map(bill::masked),
        payer: None,
        paid_by,
        due,
        status: bill::status(&stored.state, until, Day::of(now)),
        transfer: account.map(|account| TransferTo::of(&account, &stored, bank_name(&account.bank))),
        deciding_day,
        attempt_bank: attempt.as_ref().and_then(|attempt| bank_name(&attempt.bank)),
        attempt,
        receipts: receipts.into_iter().filter(|r| r.void.is_none()).map(|receipt| receipt.number).collect(),
        elsewhere: elsewhere
            .into_iter()
            .map(|p| (format!("{} {} {}", p.form, p.series, p.number), p.lookup))
            .collect(),
        pending,
        receipt_name: names.get(&stored.bill.id).map(|name| bill::masked(&name.name)),
        banks,
        by_platform,
        platform_link,
        refunds,
        recalls,
        now,
    })
}

/// Which clearing day's statement decides about a silent attempt: the same however late it is read.
async fn deciding_day(tx: &mut Tx, attempt: Option<&StoredPayment>) -> Result<Option<Day>> {
    let Some((amount, State::Unknown(watch))) = attempt.map(|attempt| (attempt.amount, &attempt.state))
    else {
        return Ok(None);
    };
    let silent = Day::of(watch.since);
    let (hours, days) = (calendar::sessions(tx, silent).await?, calendar::working_days(tx, silent).await?);
    Ok(Some(session::deciding_day(&hours, &days, amount, watch.since)))
}

/// One attempt of the agency's bills.
pub async fn read_payment(app: &App, agency: Id<Agency>, id: Id<Payment>) -> Result<serde_json::Value> {
    let mut tx = app.store.begin().await?;
    let attempt = payment::payment(&mut tx, id).await?.ok_or(Error::not_found())?;
    let owner = demand_bill(&mut tx, agency, attempt.bill).await?;
    let names = payer_names(app, &mut tx, owner, std::slice::from_ref(&attempt)).await?;
    let moments = inbox::moments(&mut tx, &[id]).await?;
    Ok(payment_json(&attempt, &names, &moments))
}

/// Demands that a bill is the agency's, or was that of whom it succeeded; whose it is.
pub(super) async fn demand_bill(tx: &mut Tx, agency: Id<Agency>, bill: Id<Bill>) -> Result<Id<Agency>> {
    let of = bills::bill(tx, bill).await?.ok_or(Error::not_found())?;
    demand_standing(tx, agency, of.bill.agency, Some(of.procedure.code.as_str())).await?;
    Ok(of.bill.agency)
}

/// The attempts of one of the agency's bills, the newest first.
pub async fn list_payments(app: &App, agency: Id<Agency>, of: Id<Bill>) -> Result<serde_json::Value> {
    let mut tx = app.store.begin().await?;
    let owner = demand_bill(&mut tx, agency, of).await?;
    let attempts = payment::payments_of_bill(&mut tx, of).await?;
    let names = payer_names(app, &mut tx, owner, &attempts).await?;
    let ids: Vec<Id<Payment>> = attempts.iter().map(|attempt| attempt.id).collect();
    let moments = inbox::moments(&mut tx, &ids).await?;
    let items: Vec<_> = attempts.iter().map(|attempt| payment_json(attempt, &names, &moments)).collect();
    Ok(serde_json::json!({ "items": items, "next": null }))
}

/// The names on the receipts of those attempts whose payer was signed in: the payer's, and the applicant's beside it.
async fn payer_names(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    attempts: &[StoredPayment],
) -> Result<BTreeMap<Id<Payment>, String>> {
    let ids: Vec<Id<Payment>> = attempts.iter().map(|attempt| attempt.id).collect();
    let payers = principal::payers(tx, &ids).await?;
    let mut names = BTreeMap::new();
    if payers.is_empty() {
        return Ok(names);
    }
    let key = agency_key(app, tx, agency).await?;
    for payer in &payers {
        if let Some(of) = attempts.iter().find(|attempt| attempt.id == payer.payment) {
            let parties = bill_answer::open_parties(&key, of.bill, &payer.parties)?;
            names.insert(payer.payment, parties.name_on_receipt().to_string());
        }
    }
    Ok(names)
}

/// Who paid in an attempt, masked, where the payer was signed in.
async fn paid_by(app: &App, tx: &mut Tx, attempt: Option<Id<Payment>>) -> Result<Option<String>> {
    let Some(attempt) = attempt else { return Ok(None) };
    let Some(payer) = principal::payers(tx, &[attempt]).await?.pop() else { return Ok(None) };
    let found = population::look_up_citizen(app, tx, payer.citizen).await?.on_record;
    let name = found.and_then(|found| PartyName::parse(found.person.name.as_str()).ok());
    Ok(name.as_ref().map(bill::masked))
}

fn payment_json(
    attempt: &StoredPayment,
    payers: &BTreeMap<Id<Payment>, String>,
    moments: &BTreeMap<Id<Payment>, Moments>,
) -> serde_json::Value {
    use crate::base::calendar::rfc3339;
    let (ended_at, reason) = match &attempt.state {
        State::Created(_)
        | State::Submitted(_)
        | State::StepUp(_)
        | State::Accepted(_)
        | State::Unknown(_) => (None, None),
        State::Settled { at } => (Some(rfc3339(*at)), None),
        State::Rejected { at, reason } => (Some(rfc3339(*at)), Some(reason.as_str().to_owned())),
    };
    let watch = attempt.state.watch();
    serde_json::json!({
        "id": attempt.id.to_string(),
        "bill": attempt.bill.to_string(),
        "status": attempt.state.as_str(),
        "amount": super::explain::money(attempt.amount),
        "way": attempt.way.as_str(),
        "payer": payers.get(&attempt.id),
        "bank": Some(&attempt.bank).filter(|bank| !bank.is_empty()),
        "end_to_end_id": attempt.id.uuid().simple().to_string(),
        "uetr": attempt.uetr.to_string(),
        "created_at": rfc3339(attempt.created_at),
        "ended_at": ended_at,
        "credited": moments.get(&attempt.id).map(|moments| serde_json::json!({
            "accepted_at": moments.accepted_at.map(rfc3339),
            "booked_on": moments.booked_on.to_string(),
            "value_on": moments.value_on.to_string(),
        })),
        "reason": reason,
        "inquiries": watch.map(|watch| watch.inquiries),
        "next_inquiry_at": watch.and_then(|watch| watch.next).map(rfc3339),
    })
}
