//! Everything that is kept about a citizen, as one file for the citizen: the record, the history, consents, sessions,
//! locks, mandates, requests and bills.

use super::{
    Error, Result, locks, mandates, population, read_history::read_history, sharing::read_sharing,
    subject_requests::read_requests,
};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    id::{Citizen, Id},
    page::{LIMIT_MAX, PageRequest},
};
use crate::identity::{claims::Claims, person::Person, session::Session};
use crate::store::principal;
use serde_json::{Value, json};

/// The file, as JSON.
pub async fn export_citizen(app: &App, reader: &Session) -> Result<String> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, reader.citizen).await?;
    let holder = looked.on_record.ok_or(Error::not_found())?;
    let bills = principal::bills_of(&mut tx, reader.citizen).await?;
    tx.commit().await?;
    let sharing = read_sharing(app, reader).await?;
    let locks = locks::read_locks(app, reader).await?;
    let mandates = mandates::read_mandates(app, reader).await?;
    let (_, requests) = read_requests(app, reader.citizen).await?;
    let names = |claims: &Claims| claims.iter().map(|claim| claim.name()).collect::<Vec<_>>();
    let file = json!({
        "exported_at": rfc3339(now),
        "service": app.origin.as_str(),
        "record": record(&holder.person),
        "history": history(app, reader.citizen).await?,
        "consents": sharing.consents.iter().map(|shown| json!({
            "consent": shown.consent.id.to_string(),
            "portal": shown.portal.0,
            "given_at": rfc3339(shown.consent.given_at),
            "given_by": shown.actor,
            "allowed": names(&shown.consent.allowed),
            "notified": names(&shown.consent.notified),
            "withdrawn_at": shown.consent.withdrawn_at.map(rfc3339),
        })).collect::<Vec<_>>(),
        "sessions": sharing.sessions.iter().map(|shown| json!({
            "session": shown.session.id.to_string(),
            "method": shown.session.method.word(),
            "authenticated_at": rfc3339(shown.session.authenticated_at),
            "expires_at": rfc3339(shown.session.expires_at),
        })).collect::<Vec<_>>(),
        "locks": locks.locks.iter().map(|(lock, portal)| json!({
            "lock": lock.id.to_string(),
            "scope": lock.scope.word(),
            "portal": portal.as_ref().map(|name| name.vi.to_string()),
            "set_at": rfc3339(lock.set_at),
            "last_day": lock.last_day.map(|day| day.to_string()),
        })).collect::<Vec<_>>(),
        "mandates": mandates.mandates.iter().map(mandates::mandate_json).collect::<Vec<_>>(),
        "requests": requests.iter().map(|shown| json!({
            "request": shown.row.id.to_string(),
            "right": shown.row.kind.word(),
            "filed_at": rfc3339(shown.row.filed_at),
            "decide_by": shown.row.clock.decide_by.to_string(),
            "state": shown.row.state.word(),
            "words": shown.words,
            "answer": shown.answer,
        })).collect::<Vec<_>>(),
        "bills": bills.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    Ok(file.to_string())
}

/// What the register's copy says.
fn record(person: &Person) -> Value {
    json!({
        "number": person.number.digits(),
        "old_number": person.old_number.as_ref().map(|old| old.digits()),
        "name": person.name.as_str(),
        "birth_date": person.birth_date.to_string(),
        "sex": person.sex.word(),
        "phone": person.phone.as_ref().map(|phone| phone.digits()),
        "province": person.province.name(),
        "account_level": person.account_level.map(|level| level.number()),
        "standings": person.standings.to_string(),
    })
}

/// Every entry, a page at a time, the newest first.
async fn history(app: &App, citizen: Id<Citizen>) -> Result<Vec<Value>> {
    let mut entries = Vec::new();
    let mut after = None;
    loop {
        let Some(page) = PageRequest::new(after, Some(LIMIT_MAX)) else { return Ok(entries) };
        let found = read_history(app, citizen, &page).await?;
        entries.extend(found.entries.iter().map(|entry| {
            json!({
                "entry": entry.leaf.to_string(),
                "kind": entry.kind,
                "at": rfc3339(entry.at),
                "agency": entry.agency.as_ref().map(|(vi, _)| vi),
                "details": entry.details,
            })
        }));
        after = found.next;
        if after.is_none() {
            return Ok(entries);
        }
    }
}
