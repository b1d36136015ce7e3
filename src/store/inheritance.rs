//! What a successor inherits beside the open bills: accounts, money that goes back, decisions under way.

use super::{Result, StoreError, Tx, bill_lines, matching, recall, refund};
use crate::base::{
    id::{self, Agency, Case, Drawer, Id, MatchGroup, Recall, Refund},
    money::Money,
    secret::Sealed,
};
use crate::payment::{bill::Lines, release::Words};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Who answers for an agency's dossiers of a procedure now: itself, or the last of its successors.
pub async fn heir(tx: &mut Tx, agency: Id<Agency>, procedure: Option<&str>) -> Result<Id<Agency>> {
    Ok(heirs(tx, &[agency], procedure).await?.remove(&agency).unwrap_or(agency))
}

/// The same of many agencies, each with who answers for it.
pub async fn heirs(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    procedure: Option<&str>,
) -> Result<BTreeMap<Id<Agency>, Id<Agency>>> {
    let found = sqlx::query!(
        r#"with recursive heir (of, id, depth) as (
             select a, a, 0 from unnest($1::uuid[]) as a
             union all
             select heir.of, next.successor_id, heir.depth + 1 from heir
             cross join lateral (
                 select s.successor_id from agency_successor s
                 join agency_succession a on a.agency_id = s.agency_id and a.effected_at is not null
                 where s.agency_id = heir.id
                 order by coalesce($2::text = any(s.procedures), false) desc, s.place limit 1) next
             where heir.depth < 50)
         select distinct on (of) of as "of!", id as "id!" from heir order by of, depth desc"#,
        &agencies.iter().map(|agency| agency.uuid()).collect::<Vec<_>>(),
        procedure,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(found.into_iter().map(|row| (Id::from_uuid(row.of), Id::from_uuid(row.id))).collect())
}

/// Lets a successor answer for the accounts of an agency, and for those that it had inherited.
pub async fn pass_accounts(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!(
        "update collecting_account set heir_id = $2 where owner_id = $1 or heir_id = $1",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A refund that has not ended.
pub struct PassingRefund {
    /// The refund.
    pub id: Id<Refund>,
    /// The procedure of the bill that it gives back; none for money in suspense.
    pub procedure: Option<String>,
    /// How much.
    pub amount: Money,
    /// Whether the books say already that it is owed.
    pub owed: bool,
    /// Its words.
    pub words: Sealed<refund::Words>,
}

/// The refunds of an agency that have not ended, locked.
pub async fn refunds(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<PassingRefund>> {
    let rows = sqlx::query!(
        r#"select r.id as "id!", r.amount as "amount!", r.words as "words!", r.key as "key!", c.procedure as "procedure?",
             r.state in ('approved', 'sent', 'unknown', 'bounced', 'at_desk') as "owed!"
         from refund r left join bill_content c on c.bill_id = r.bill_id and r.payment_id is not null
         where r.agency_id = $1 and r.ended_at is null order by r.id for no key update of r"#,
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let passing = rows.into_iter().map(|row| PassingRefund {
        id: Id::from_uuid(row.id),
        procedure: row.procedure,
        amount: Money::vnd(row.amount),
        owed: row.owed,
        words: Sealed::new(row.words, row.key.cast_unsigned()),
    });
    Ok(passing.collect())
}

/// Gives refunds to those who answer for them now, their words sealed anew.
pub async fn pass_refunds(
    tx: &mut Tx,
    passed: &[(Id<Refund>, Id<Agency>, Sealed<refund::Words>)],
) -> Result<()> {
    let ids: Vec<Uuid> = passed.iter().map(|p| p.0.uuid()).collect();
    let heirs: Vec<Uuid> = passed.iter().map(|p| p.1.uuid()).collect();
    let words: Vec<&[u8]> = passed.iter().map(|p| p.2.bytes()).collect();
    let keys: Vec<i32> = passed.iter().map(|p| p.2.key().cast_signed()).collect();
    sqlx::query!(
        "update refund r set agency_id = p.agency_id, words = p.words, key = p.key
         from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::integer[]) as p (id, agency_id, words, key)
         where r.id = p.id",
        &ids,
        &heirs,
        &words as &[&[u8]],
        &keys,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A request of a bank for money back that nobody has answered.
pub struct PassingRecall {
    /// The request.
    pub id: Id<Recall>,
    /// What was said.
    pub words: Option<Sealed<recall::Words>>,
}

/// The requests about an agency's money that are open, or are again if somebody declines their refund; locked.
pub async fn recalls(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<PassingRecall>> {
    let rows = sqlx::query!(
        "select r.id, r.words, r.key from recall r where r.agency_id = $1 and (r.state = 'open'
             or exists (select from refund f where f.id = r.refund_id and f.state = 'requested'))
         order by r.id for no key update of r",
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let passing = rows.into_iter().map(|row| PassingRecall {
        id: Id::from_uuid(row.id),
        words: row.words.zip(row.key).map(|(words, key)| Sealed::new(words, key.cast_unsigned())),
    });
    Ok(passing.collect())
}

/// Gives open requests to a successor, their words sealed anew.
pub async fn pass_recalls(
    tx: &mut Tx,
    passed: &[(Id<Recall>, Option<Sealed<recall::Words>>)],
    to: Id<Agency>,
) -> Result<()> {
    let ids: Vec<Uuid> = passed.iter().map(|p| p.0.uuid()).collect();
    let words: Vec<Option<&[u8]>> = passed.iter().map(|p| p.1.as_ref().map(Sealed::bytes)).collect();
    let keys: Vec<Option<i32>> =
        passed.iter().map(|p| p.1.as_ref().map(|words| words.key().cast_signed())).collect();
    sqlx::query!(
        "update recall r set agency_id = $4, words = p.words, key = p.key
         from unnest($1::uuid[], $2::bytea[], $3::integer[]) as p (id, words, key) where r.id = p.id",
        &ids,
        &words as &[Option<&[u8]>],
        &keys as &[Option<i32>],
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Money in suspense that passes on: what waits, and what is owed back by a decision and that no refund carries yet.
pub struct PassingSuspense {
    /// The case that names it.
    pub case: Id<Case>,
    /// What of it the books say is owed back already.
    pub owed: Money,
    /// The words of its decision, if there is one.
    pub words: Option<Sealed<Words>>,
}

/// The money of an agency that passes on, locked.
pub async fn suspense(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<PassingSuspense>> {
    let rows = sqlx::query!(
        r#"select s.id as "id!", case when s.state = 'held' then 0 else s.amount end as "owed!", d.words as "words?", d.key as "key?"
         from suspense s left join suspense_decision d on d.suspense_id = s.id
         where s.agency_id = $1 and (s.state = 'held' or d.toward = 'refund_due' and d.approved_by is not null and not exists (
             select from refund r where r.case_id = s.id and r.state not in ('requested', 'declined')))
         order by s.id for no key update of s"#,
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let passing = rows.into_iter().map(|row| PassingSuspense {
        case: Id::from_uuid(row.id),
        owed: Money::vnd(row.owed),
        words: row.words.zip(row.key).map(|(words, key)| Sealed::new(words, key.cast_unsigned())),
    });
    Ok(passing.collect())
}

/// Gives money in suspense to a successor's accounting, and the words of decisions sealed anew.
pub async fn pass_suspense(
    tx: &mut Tx,
    passed: &[(Id<Case>, Option<Sealed<Words>>)],
    to: Id<Agency>,
) -> Result<()> {
    let ids: Vec<Uuid> = passed.iter().map(|p| p.0.uuid()).collect();
    sqlx::query!("update suspense set agency_id = $2 where id = any($1)", &ids, to.uuid())
        .execute(tx.conn())
        .await?;
    let decided: Vec<(Uuid, &Sealed<Words>)> =
        passed.iter().filter_map(|p| Some((p.0.uuid(), p.1.as_ref()?))).collect();
    reseal_decisions(tx, &decided).await
}

async fn reseal_decisions(tx: &mut Tx, decided: &[(Uuid, &Sealed<Words>)]) -> Result<()> {
    let ids: Vec<Uuid> = decided.iter().map(|d| d.0).collect();
    let words: Vec<&[u8]> = decided.iter().map(|d| d.1.bytes()).collect();
    let keys: Vec<i32> = decided.iter().map(|d| d.1.key().cast_signed()).collect();
    sqlx::query!(
        "update suspense_decision d set words = p.words, key = p.key
         from unnest($1::uuid[], $2::bytea[], $3::integer[]) as p (id, words, key) where d.suspense_id = p.id",
        &ids,
        &words as &[&[u8]],
        &keys,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The matches of an agency that wait for a second person, locked, with their words.
pub async fn proposals(
    tx: &mut Tx,
    agency: Id<Agency>,
) -> Result<Vec<(Id<MatchGroup>, Sealed<matching::Words>)>> {
    let rows = sqlx::query!(
        "select id, words, key from match_group where agency_id = $1 and state = 'proposed' order by id for no key update",
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let waiting =
        rows.into_iter().map(|row| (Id::from_uuid(row.id), Sealed::new(row.words, row.key.cast_unsigned())));
    Ok(waiting.collect())
}

/// Gives them to a successor, their words sealed anew.
pub async fn pass_proposals(
    tx: &mut Tx,
    passed: &[(Id<MatchGroup>, Sealed<matching::Words>)],
    to: Id<Agency>,
) -> Result<()> {
    let ids: Vec<Uuid> = passed.iter().map(|p| p.0.uuid()).collect();
    let words: Vec<&[u8]> = passed.iter().map(|p| p.1.bytes()).collect();
    let keys: Vec<i32> = passed.iter().map(|p| p.1.key().cast_signed()).collect();
    sqlx::query!(
        "update match_group g set agency_id = $4, words = p.words, key = p.key
         from unnest($1::uuid[], $2::bytea[], $3::integer[]) as p (id, words, key) where g.id = p.id",
        &ids,
        &words as &[&[u8]],
        &keys,
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those whose cases these are and who were succeeded.
pub async fn succeeded_of_cases(tx: &mut Tx, cases: &[Id<Case>]) -> Result<Vec<Id<Agency>>> {
    let cases: Vec<Uuid> = cases.iter().map(|case| case.uuid()).collect();
    let gone = sqlx::query_scalar!(
        r#"select distinct c.agency_id from "case" c
           join agency_succession a on a.agency_id = c.agency_id and a.effected_at is not null
           where c.id = any($1) order by c.agency_id"#,
        &cases,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(gone.into_iter().map(Id::from_uuid).collect())
}

/// Open bills of others on which something is owed to an agency, locked: with procedure and lines.
pub async fn bills_elsewhere(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<(Id<id::Bill>, String, Lines)>> {
    let rows = sqlx::query!(
        "select b.id, c.procedure, c.lines from bill b join bill_content c on c.bill_id = b.id
         where b.state = 'open' and c.lines @> jsonb_build_array(jsonb_build_object('agency', $1::text))
         order by b.id for no key update of b",
        agency.uuid().to_string(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = || StoreError::corrupt("bill_content", "lines", row.id);
            Ok((Id::from_uuid(row.id), row.procedure, bill_lines::lines(row.lines).ok_or_else(bad)?))
        })
        .collect()
}

/// Puts the lines of open bills whose owners or accounts changed; their amounts are what they were.
pub async fn put_lines(tx: &mut Tx, changed: &[(Id<id::Bill>, Lines)]) -> Result<()> {
    let ids: Vec<Uuid> = changed.iter().map(|c| c.0.uuid()).collect();
    let lines: Vec<serde_json::Value> = changed.iter().map(|c| bill_lines::lines_json(&c.1)).collect();
    sqlx::query!(
        "update bill_content c set lines = p.lines
         from unnest($1::uuid[], $2::jsonb[]) as p (bill_id, lines) where c.bill_id = p.bill_id",
        &ids,
        &lines,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives the tills to a successor; one whose name is taken there is called after the agency, too.
pub async fn pass_drawers(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!(
        "update drawer d set agency_id = $2, name = case
             when exists (select from drawer o where o.agency_id = $2 and o.name = d.name)
             then d.name || ' ' || (select a.code from agency a where a.id = $1) else d.name end
         where d.agency_id = $1",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets the shifts that are open go on at the successor's tills.
pub async fn pass_shifts(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!(
        "update shift set agency_id = $2 where agency_id = $1 and closed_at is null",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets what other agencies' tills took for an agency be owed to its successor.
pub async fn pass_collections(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!(
        "update desk_collection set heir_id = $2 where coalesce(heir_id, agency_id) = $1",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update cash_deposit set heir_id = $2 where coalesce(heir_id, agency_id) = $1 and case_id is not null",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives the cash that is on its way to the bank to a successor.
pub async fn pass_deposits(tx: &mut Tx, from: Id<Agency>, to: Id<Agency>) -> Result<()> {
    sqlx::query!(
        "update cash_deposit set agency_id = $2 where agency_id = $1 and case_id is null",
        from.uuid(),
        to.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Locks what is under way from one desk's agency to another, if this one is either: what leaves meanwhile is booked before
/// the balances are read, or finds the successor.
pub async fn lock_transfers(tx: &mut Tx, agency: Id<Agency>) -> Result<()> {
    sqlx::query_scalar!(
        "select id from payout where counterpart_id is not null and (agency_id = $1 or counterpart_id = $1)
             and state not in ('done', 'bounced') order by id for no key update",
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(())
}

/// What an account of a desk holds.
pub struct DeskBalance {
    /// The kind of the account.
    pub kind: String,
    /// Whose it is.
    pub agency: Id<Agency>,
    /// Of which till.
    pub drawer: Option<Id<Drawer>>,
    /// The agency at its other side.
    pub other: Option<Id<Agency>>,
    /// How much.
    pub sum: Money,
}

/// What an agency's desk holds, and is owed or owes: cash, cash on its way, cards, and what it took for others or others
/// took for it, in the books of both.
pub async fn desk_balances(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<DeskBalance>> {
    let rows = sqlx::query!(
        r#"select a.kind, a.agency_id as "agency_id!", a.drawer_id, a.counterpart_id, sum(p.amount)::bigint as "sum!"
         from ledger_account a join posting p on p.account_id = a.id
         where a.agency_id = $1 and a.kind in ('cash_drawer', 'cash_in_transit', 'card_receivable', 'desk_owes', 'owed_by_desk')
             or a.counterpart_id = $1 and a.kind in ('desk_owes', 'owed_by_desk')
         group by a.id having sum(p.amount) <> 0 order by a.id"#,
        agency.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let balance = rows.into_iter().map(|row| DeskBalance {
        kind: row.kind,
        agency: Id::from_uuid(row.agency_id),
        drawer: row.drawer_id.map(Id::from_uuid),
        other: row.counterpart_id.map(Id::from_uuid),
        sum: Money::vnd(row.sum),
    });
    Ok(balance.collect())
}
