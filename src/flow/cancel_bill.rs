//! Withdraws a bill, with what was still to be paid of it. An attempt under way forbids it: its money may be coming.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf,
    change_bill::locked,
    create_bill,
    difference::withdraw_differences,
    event::event_row,
    idempotency::Idempotency,
    read_bills,
    split_bill::{claimant, close_plan},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Bill, Id},
    },
    payment::bill,
    store::{audit, bill as rows, exemption, outbox},
};
use serde_json::{Value, json};

/// Withdraws an open bill of the agency; the answer is the bill as it then is.
pub async fn cancel_bill(app: &App, agency: Id<Agency>, id: Id<Bill>, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    if let Some(answer) = key.claim_sealed(&mut tx, &sealing).await? {
        return Ok(answer);
    }
    let (mut stored, under_way) = locked(&mut tx, agency, id).await?;
    let refused = |refusal| create_bill::refused(refusal);
    stored.state = bill::cancel(&stored.state, under_way, now).map_err(refused)?;
    close_plan(&mut tx, id, now).await?;
    withdraw_differences(app, &mut tx, (id, key.client), &sealing, now).await?;
    if let Some(claimant) = claimant(&mut tx, id).await? {
        let charged: Vec<_> = stored.bill.lines.invoices().collect();
        exemption::let_go(&mut tx, claimant, &charged).await?;
    }
    if !rows::cancel_bill(&mut tx, id, now).await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    let until = read_bills::pay_until(&mut tx, &stored, now).await?;
    let answer = read_bills::open(app, &sealing, &stored, until, Day::of(now))?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: id.uuid() };
    let details = json!({ "bill": id.to_string(), "client": key.client.to_string() });
    let leaf = audit_leaf::leaf(app, now, "bill.cancelled", concern, &sealing, &details);
    let told = event_row(app, now, "bill.cancelled", (agency, id.uuid()), &json!({ "bill": id.to_string() }));
    key.keep_sealed(&mut tx, (&sealing, &*app.entropy), id.uuid(), &answer, now).await?;
    audit::append(&mut tx, &[leaf]).await?;
    outbox::enqueue(&mut tx, &[told]).await?;
    tx.commit().await?;
    Ok(answer)
}
