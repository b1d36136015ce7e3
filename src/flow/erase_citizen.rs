//! A citizen has their traces erased: the key that everything about them is sealed under is destroyed, at once and for
//! ever, and what law keeps stays where law keeps it.
//!
//! Destroyed with the key: the record that was held here, the details of every decision about the citizen, what the
//! national e-ID reported, the names under which portals knew them, every session and what it gave, the ways to sign in,
//! where notices went and what they said, locks, data requests. Mandates end, and their papers' names go. Kept:
//! receipts, refunds and the vouchers behind the ledger, sealed under their agency's key for the retention that law
//! sets; the log's leaves, which hold nothing personal and from now on verify as erased; rows that name only the
//! identifier, which stands for nobody. The citizen is told before and after, on the page and where notices went, which
//! nobody can look up afterwards. A code by SMS erases nobody: whoever has no stronger way brings the card to a counter.
//! Whoever holds a role is an officer whose acts are evidence, and is refused.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf_named},
    danger::demand,
    mandates, notify,
    population::{self, look_up_citizen},
    retention::{BILL_YEARS, VOUCHER_YEARS},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    entropy::random,
    id::{self, Agency, Id, Leaf},
    page::{LIMIT_MAX, PageRequest},
};
use crate::crypto::seal::DataKey;
use crate::identity::{authorization::Revocation, danger::Danger, session::Session};
use crate::store::{Tx, audit, authorization, erasure, history, principal, role};
use serde_json::{Value, json};

pub use crate::store::erasure::{KeptVoucher, VoucherKind};

/// What an erasure would leave, or has left.
pub struct Remains {
    /// The citizen's name, while it is known.
    pub name: Option<String>,
    /// The vouchers that stay, with the last day on which they are kept.
    pub vouchers: Vec<(KeptVoucher, Day)>,
}

/// What would stay, for the page that asks whether the citizen is sure.
pub async fn preview_erasure(app: &App, citizen: Id<id::Citizen>) -> Result<Remains> {
    let mut tx = app.store.begin().await?;
    let holder = look_up_citizen(app, &mut tx, citizen).await?.on_record.ok_or(Error::not_found())?;
    let vouchers = vouchers(&mut tx, citizen, &holder.key).await?;
    Ok(Remains { name: Some(holder.person.name.as_str().to_owned()), vouchers })
}

/// Erases. Nothing of it can be undone, by anybody.
pub async fn erase_citizen(app: &App, session: &Session) -> Result<Remains> {
    let now = app.clock.now();
    let citizen = session.citizen;
    demand(session, Danger::Erase, now)?;
    let mut tx = app.store.begin().await?;
    role::lock_citizen(&mut tx, citizen).await?;
    if !role::of_citizen(&mut tx, citizen, Day::of(now)).await?.is_empty() {
        return Err(Error::Conflict(Refusal::new("role_held")));
    }
    let holder = look_up_citizen(app, &mut tx, citizen).await?.on_record.ok_or(Error::not_found())?;
    let vouchers = vouchers(&mut tx, citizen, &holder.key).await?;
    notify::tell_erased(app, &mut tx, &holder, now).await?;
    erasure::forget_details(&mut tx, citizen).await?;
    erasure::forget_national_id(&mut tx, citizen).await?;
    erasure::forget_pseudonyms(&mut tx, citizen).await?;
    mandates::end_erased(app, &mut tx, citizen, now).await?;
    authorization::revoke_of_citizen(&mut tx, citizen, None, Revocation::Erased, now).await?;
    principal::revoke_for_citizen(&mut tx, citizen, None, Revocation::Erased, now).await?;
    let number_hash = population::number_hash(app, &holder.person.number);
    erasure::forget_ways(&mut tx, citizen, &number_hash).await?;
    erasure::end_sessions(&mut tx, citizen, now).await?;
    erasure::forget_number(&mut tx, citizen, &random(&*app.entropy)).await?;
    if !erasure::destroy_key(&mut tx, citizen).await? {
        return Err(Error::not_found());
    }
    let leaf = record(app, &mut tx, citizen, vouchers.len(), now).await?;
    erasure::insert(&mut tx, citizen, now, leaf, vouchers.len()).await?;
    tx.commit().await?;
    Ok(Remains { name: None, vouchers })
}

/// The decision stands in the log. Its details are sealed under a key that nobody keeps: there is nobody left whose
/// history could show them.
async fn record(
    app: &App,
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    vouchers: usize,
    now: Instant,
) -> Result<Id<Leaf>> {
    let id: Id<Leaf> = Id::new(now, &*app.entropy);
    let (nobodys, _) = app.keys.new_data_key(&*app.entropy, id.uuid().as_bytes());
    let concern = Concern { citizen: None, agency: None, object: citizen.uuid() };
    let details = json!({ "vouchers": vouchers });
    let leaf = leaf_named(app, (id, now), "citizen.erased", concern, &nobodys, &details);
    audit::append(tx, &[leaf]).await?;
    Ok(id)
}

/// The bills, receipts, refunds and bank movements of the dossiers for which agencies asked about the citizen.
async fn vouchers(tx: &mut Tx, citizen: Id<id::Citizen>, key: &DataKey) -> Result<Vec<(KeptVoucher, Day)>> {
    let mut dossiers: Vec<(Id<Agency>, String)> = Vec::new();
    let mut after: Option<Id<Leaf>> = None;
    while let Some(page) = PageRequest::new(after, Some(LIMIT_MAX)) {
        let found = history::of_citizen(tx, citizen, &page).await?;
        after = found.items.last().filter(|_| found.more).map(|last| last.leaf);
        for row in &found.items {
            let plain = key.open(row.leaf.uuid().as_bytes(), &row.sealed)?;
            let details: Option<Value> =
                plain.expose().get(32..).and_then(|text| serde_json::from_slice(text).ok());
            let details = details.unwrap_or_default();
            let agency = details["agency"].as_str().and_then(|agency| agency.parse().ok());
            if let (Some(agency), Some(dossier)) = (agency, details["dossier"].as_str()) {
                dossiers.push((agency, dossier.to_owned()));
            }
        }
        if after.is_none() {
            break;
        }
    }
    let kept = erasure::vouchers_of(tx, &dossiers).await?;
    Ok(kept.into_iter().map(|voucher| (last_day(&voucher), voucher)).map(|(day, v)| (v, day)).collect())
}

/// Vouchers are kept for whole years after the year of their issue.
fn last_day(voucher: &KeptVoucher) -> Day {
    let years = match voucher.kind {
        VoucherKind::Bill => BILL_YEARS,
        VoucherKind::Receipt | VoucherKind::Refund | VoucherKind::Ledger => VOUCHER_YEARS,
    };
    let year = Day::of(voucher.issued_at).year() + years;
    Day::new(year, 12, 31).unwrap_or_else(|| Day::of(voucher.issued_at))
}
