//! Where what an agency collects goes on to: a dated history that is only added to.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Id},
};
use crate::payment::payout::{Authority, Kind, Rule};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Adds a rule; false when one of that kind and day was told before.
pub async fn add(tx: &mut Tx, agency: Id<Agency>, rule: &Rule, at: Instant) -> Result<bool> {
    let booking = |place: usize| rule.booking.as_ref().map(|booking| booking[place].as_str());
    let done = sqlx::query!(
        "insert into payout_rule (agency_id, kind, valid_from, bank, number, holder, treasury_office, authority_code,
             authority_name, chapter, sub_item, area, basis, set_at, to_sellers)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict on constraint payout_rule_once do nothing",
        agency.uuid(),
        rule.kind.as_str(),
        rule.valid_from.date(),
        rule.bank,
        rule.number,
        rule.holder,
        rule.treasury_office,
        rule.authority.as_ref().map(|authority| authority.code.as_str()),
        rule.authority.as_ref().map(|authority| authority.name.as_str()),
        booking(0),
        booking(1),
        booking(2),
        rule.basis,
        at,
        rule.to_sellers,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// The rules of these agencies, each agency's by kind and day.
pub async fn of_agencies(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<BTreeMap<Id<Agency>, Vec<Rule>>> {
    let ids: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select agency_id, kind, valid_from, bank, number, holder, treasury_office, authority_code, authority_name,
             chapter, sub_item, area, basis, to_sellers
         from payout_rule where agency_id = any($1) order by agency_id, kind, valid_from",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut rules: BTreeMap<Id<Agency>, Vec<Rule>> = BTreeMap::new();
    for row in rows {
        let kind = Kind::named(&row.kind);
        let rule = Rule {
            kind: kind.ok_or_else(|| StoreError::corrupt("payout_rule", "kind", row.agency_id))?,
            valid_from: Day::from_date(row.valid_from),
            bank: row.bank,
            number: row.number,
            holder: row.holder,
            treasury_office: row.treasury_office,
            authority: row
                .authority_code
                .zip(row.authority_name)
                .map(|(code, name)| Authority { code, name }),
            booking: match (row.chapter, row.sub_item, row.area) {
                (Some(chapter), Some(sub_item), Some(area)) => Some([chapter, sub_item, area]),
                _ => None,
            },
            basis: row.basis,
            to_sellers: row.to_sellers,
        };
        rules.entry(Id::from_uuid(row.agency_id)).or_default().push(rule);
    }
    Ok(rules)
}
