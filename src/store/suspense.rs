//! How money leaves suspense: a decision of two people, and nothing else. A trigger holds the table to it.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Case, Citizen, Client, Id, Payment},
        money::Money,
        secret::Sealed,
        text::Line,
    },
    payment::release::{Toward, Words},
};
use uuid::Uuid;

/// Money that waits, as far as its release looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// In which account it lies, and its bank's reference for it.
    pub account: Id<Account>,
    /// The reference.
    pub servicer_reference: String,
    /// How much.
    pub amount: Money,
    /// Whether it still waits.
    pub held: bool,
}

/// Locks an agency's money in suspense and reads it.
pub async fn lock(tx: &mut Tx, agency: Id<Agency>, case: Id<Case>) -> Result<Option<Held>> {
    let row = sqlx::query!(
        "select account_id, servicer_reference, amount, state from suspense where id = $1 and agency_id = $2 for no key update",
        case.uuid(),
        agency.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Held {
        account: Id::from_uuid(row.account_id),
        servicer_reference: row.servicer_reference,
        amount: Money::vnd(row.amount),
        held: row.state == "held",
    }))
}

/// A proposed or approved release.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Where the money goes.
    pub toward: Toward,
    /// By what law.
    pub legal_basis: Line<200>,
    /// Why.
    pub words: Sealed<Words>,
    /// Who proposed it.
    pub proposed_by: Id<Citizen>,
    /// When.
    pub proposed_at: Instant,
    /// Who approved it, with which entry, and when.
    pub approved: Option<(Id<Citizen>, Id<id::Entry>, Instant)>,
}

/// The decision about money in suspense, if there is one.
pub async fn decision(tx: &mut Tx, case: Id<Case>) -> Result<Option<Decision>> {
    let row = sqlx::query!(
        "select toward, bill_id, legal_basis, words, key, proposed_by, proposed_at, approved_by, entry_id, approved_at
         from suspense_decision where suspense_id = $1",
        case.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let bad = |column| StoreError::corrupt("suspense_decision", column, case);
        let approved = row.approved_by.zip(row.entry_id).zip(row.approved_at);
        Ok(Decision {
            toward: Toward::named(&row.toward, row.bill_id.map(Id::from_uuid))
                .ok_or_else(|| bad("toward"))?,
            legal_basis: Line::parse(&row.legal_basis).map_err(|_| bad("legal_basis"))?,
            words: Sealed::new(row.words, row.key.cast_unsigned()),
            proposed_by: Id::from_uuid(row.proposed_by),
            proposed_at: row.proposed_at,
            approved: approved.map(|((by, entry), at)| (Id::from_uuid(by), Id::from_uuid(entry), at)),
        })
    })
    .transpose()
}

/// Records a proposal; false when there is a decision already.
pub async fn propose(
    tx: &mut Tx,
    case: Id<Case>,
    decision: &Decision,
    client: Option<Id<Client>>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into suspense_decision (suspense_id, toward, legal_basis, words, key, proposed_by, client_id,
             proposed_at, bill_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (suspense_id) do nothing",
        case.uuid(),
        decision.toward.as_str(),
        decision.legal_basis.as_str(),
        decision.words.bytes(),
        decision.words.key().cast_signed(),
        decision.proposed_by.uuid(),
        client.map(Id::uuid),
        decision.proposed_at,
        decision.toward.bill().map(Id::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Records the approval of a proposal.
pub async fn approve(
    tx: &mut Tx,
    case: Id<Case>,
    by: Id<Citizen>,
    (entry, payment): (Id<id::Entry>, Option<Id<Payment>>),
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "update suspense_decision set approved_by = $2, entry_id = $3, approved_at = $4, payment_id = $5
         where suspense_id = $1 and approved_by is null",
        case.uuid(),
        by.uuid(),
        entry.uuid(),
        at,
        payment.map(Id::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Drops a proposal that nobody has approved.
pub async fn drop_proposal(tx: &mut Tx, case: Id<Case>) -> Result<bool> {
    let done = sqlx::query!(
        "delete from suspense_decision where suspense_id = $1 and approved_by is null",
        case.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Lets held money go; without an approved decision the table refuses.
pub async fn release(tx: &mut Tx, case: Id<Case>) -> Result<bool> {
    let done =
        sqlx::query!("update suspense set state = 'released' where id = $1 and state = 'held'", case.uuid())
            .execute(tx.conn())
            .await?;
    Ok(super::moved_one(&done))
}

/// The money that a decision turned to a payment.
pub async fn turned_to(tx: &mut Tx, payment: Id<Payment>) -> Result<Option<(Id<Account>, String)>> {
    let row = sqlx::query!(
        "select s.account_id, s.servicer_reference from suspense_decision d join suspense s on s.id = d.suspense_id
         where d.payment_id = $1",
        payment.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (Id::from_uuid(row.account_id), row.servicer_reference)))
}

/// Money that waits or waited, as a page lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMoney {
    /// The case that names it.
    pub case: Id<Case>,
    /// Whose accounting decides.
    pub agency: Id<Agency>,
    /// How much.
    pub amount: Money,
    /// Why it waits.
    pub reason: String,
    /// Its bank's reference.
    pub servicer_reference: String,
    /// The account in which it lies.
    pub account: String,
    /// Whether it still waits.
    pub held: bool,
    /// Since when.
    pub opened_at: Instant,
    /// Until when somebody must have decided.
    pub due: Day,
    /// What is proposed from its first moment.
    pub proposal: String,
}

struct HeldRow {
    id: Uuid,
    agency_id: Uuid,
    amount: i64,
    reason: String,
    servicer_reference: String,
    number: String,
    state: String,
    opened_at: Instant,
    due: time::Date,
    proposal: String,
}

impl From<HeldRow> for HeldMoney {
    fn from(row: HeldRow) -> Self {
        Self {
            case: Id::from_uuid(row.id),
            agency: Id::from_uuid(row.agency_id),
            amount: Money::vnd(row.amount),
            reason: row.reason,
            servicer_reference: row.servicer_reference,
            account: row.number,
            held: row.state == "held",
            opened_at: row.opened_at,
            due: Day::from_date(row.due),
            proposal: row.proposal,
        }
    }
}

/// The money in suspense of these agencies, what waits first; all of it, or that of one case.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    one: Option<Id<Case>>,
    limit: i64,
) -> Result<Vec<HeldMoney>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|agency| agency.uuid()).collect();
    let rows = sqlx::query_as!(
        HeldRow,
        "select s.id, s.agency_id, s.amount, s.reason, s.servicer_reference, a.number, s.state, s.opened_at, s.due, s.proposal
         from suspense s join collecting_account a on a.id = s.account_id
         where s.agency_id = any($1) and coalesce(s.id = $2, true) order by s.state, s.id desc limit $3",
        &agencies,
        one.map(Id::uuid),
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(HeldMoney::from).collect())
}

/// The money in suspense that these cases of an agency are about.
pub async fn of_cases(tx: &mut Tx, agencies: &[Id<Agency>], cases: &[Id<Case>]) -> Result<Vec<HeldMoney>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let cases: Vec<Uuid> = cases.iter().map(|case| case.uuid()).collect();
    let rows = sqlx::query_as!(
        HeldRow,
        "select s.id, s.agency_id, s.amount, s.reason, s.servicer_reference, a.number, s.state, s.opened_at, s.due,
             s.proposal
         from suspense s join collecting_account a on a.id = s.account_id
         where s.id = any($1) and s.agency_id = any($2) order by s.id",
        &cases,
        &agencies,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(HeldMoney::from).collect())
}

/// The decisions about these cases, each with the reference of the bill that it pays.
pub async fn decisions(tx: &mut Tx, cases: &[Id<Case>]) -> Result<Vec<(Id<Case>, Decision, Option<String>)>> {
    let cases: Vec<Uuid> = cases.iter().map(|case| case.uuid()).collect();
    let rows = sqlx::query!(
        r#"select d.suspense_id as "suspense_id!", d.toward as "toward!", d.bill_id, d.legal_basis as "legal_basis!",
             d.words as "words!", d.key as "key!", d.proposed_by as "proposed_by!", d.proposed_at as "proposed_at!",
             d.approved_by, d.entry_id, d.approved_at, b.reference as "reference?"
         from suspense_decision d left join bill b on b.id = d.bill_id where d.suspense_id = any($1) order by d.suspense_id"#,
        &cases,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = |column| StoreError::corrupt("suspense_decision", column, row.suspense_id);
            let approved = row.approved_by.zip(row.entry_id).zip(row.approved_at);
            let decision = Decision {
                toward: Toward::named(&row.toward, row.bill_id.map(Id::from_uuid))
                    .ok_or_else(|| bad("toward"))?,
                legal_basis: Line::parse(&row.legal_basis).map_err(|_| bad("legal_basis"))?,
                words: Sealed::new(row.words, row.key.cast_unsigned()),
                proposed_by: Id::from_uuid(row.proposed_by),
                proposed_at: row.proposed_at,
                approved: approved.map(|((by, entry), at)| (Id::from_uuid(by), Id::from_uuid(entry), at)),
            };
            Ok((Id::from_uuid(row.suspense_id), decision, row.reference))
        })
        .collect()
}
