//! Withdraws a bill. An attempt under way forbids it: its money may be coming.

use super::{
    Error, Result, audit_leaf, create_bill, event::event_json, idempotency::Idempotency, read_bills,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Event, Id},
    },
    payment::bill::{self, State},
    store::{
        audit, bill as rows,
        outbox::{self, NewOutbox, Topic},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the key of a withdrawal keeps.
#[derive(Serialize, Deserialize)]
struct Then {
    at_ns: i64,
    pay_until: String,
}

/// Withdraws an open bill of the agency; the answer is the bill as it then is.
pub async fn cancel_bill(app: &App, agency: Id<Agency>, id: Id<Bill>, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let before = key.claim(&mut tx).await?;
    let mut stored =
        rows::bill(&mut tx, id).await?.filter(|b| b.bill.agency == agency).ok_or(Error::not_found())?;
    let sealing = read_bills::agency_key(app, &mut tx, agency).await?;
    if let Some(then) = before {
        // The key keeps when it was, and no second copy of the names in the bill.
        let then: Then = serde_json::from_value(then).map_err(Error::internal)?;
        let at = Instant::from_unix_timestamp_nanos(then.at_ns.into()).map_err(Error::internal)?;
        stored.state = State::Cancelled { at };
        let pay_until = then.pay_until.parse().map_err(|_| Error::internal("a key without its day"))?;
        return read_bills::open(app, &sealing, &stored, pay_until, Day::of(at));
    }
    let (state, under_way) = rows::lock_bill(&mut tx, id).await?.ok_or(Error::not_found())?;
    let refused = |refusal| create_bill::refused(refusal);
    stored.state = bill::cancel(&state, under_way, now).map_err(refused)?;
    if !rows::cancel_bill(&mut tx, id, now).await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    let until = read_bills::pay_until(&mut tx, &stored, now).await?;
    let answer = read_bills::open(app, &sealing, &stored, until, Day::of(now))?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: id.uuid() };
    let details = json!({ "bill": id.to_string(), "client": key.client.to_string() });
    let leaf = audit_leaf::leaf(app, now, "bill.cancelled", concern, &sealing, &details);
    let event: Id<Event> = Id::new(now, &*app.entropy);
    let told = NewOutbox {
        id: event,
        at: now,
        topic: Topic::Event,
        agency: Some(agency),
        object: id.uuid(),
        name: "bill.cancelled",
        body: event_json("bill.cancelled", now, &json!({ "bill": id.to_string() })),
    };
    let at_ns = i64::try_from(now.unix_timestamp_nanos()).map_err(Error::internal)?;
    let then = Then { at_ns, pay_until: until.to_string() };
    key.keep(&mut tx, id.uuid(), &json!(then), now).await?;
    audit::append(&mut tx, &[leaf]).await?;
    outbox::enqueue(&mut tx, &[told]).await?;
    tx.commit().await?;
    Ok(answer)
}
