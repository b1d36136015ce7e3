//! What the clearing system says of its own accord (`pacs.002`) about money that leaves: a refund, or an order that passes
//! money on. Pending and accepted are kept apart; a rejection, however late, puts it back to whoever must act. What it
//! denies after the money was seen to leave moves nothing here: the money will come back, and is then a case.

use super::{Result, agency_key::agency_key, pass_on, send_refund};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        id::{self, Id},
    },
    codec::iso20022::AboutWhat,
    payment::{
        payment::Report,
        payout,
        refund::{self, Answer, Told, Word},
    },
    store::{Tx, clearing_report, payout as orders, refund as refunds},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Takes a report; false when it names nothing of ours.
pub(super) async fn take_report(app: &App, about: AboutWhat, named: Uuid, report: Report) -> Result<bool> {
    let word = match report {
        Report::Pending | Report::StepUp => Some(Word::Pending),
        Report::Accepted => Some(Word::Accepted),
        Report::Rejected(reason) => Some(Word::Rejected(reason)),
        Report::NotFound => None,
    };
    let answer = word.as_ref().map_or(Answer::NeverGot, Word::answer);
    let mut tx = app.store.begin().await?;
    let known = match about {
        AboutWhat::Request => false,
        AboutWhat::Return => refunds::find(&mut tx, Id::from_uuid(named)).await?.is_some(),
        AboutWhat::Transfer => orders::find(&mut tx, Id::from_uuid(named)).await?.is_some(),
    };
    drop(tx);
    if !known {
        return Ok(false);
    }
    // Moving first: a crash before the word is kept lets the message come again, and moving again changes nothing.
    match about {
        AboutWhat::Return => {
            send_refund::move_refund(app, Id::from_uuid(named), &refund::Event::Answered(answer)).await?;
        }
        AboutWhat::Transfer | AboutWhat::Request => {
            pass_on::step(app, Id::from_uuid(named), &payout::Event::Answered(answer)).await?;
        }
    }
    if let Some(word) = word {
        keep(app, (about, named), &word).await?;
    }
    Ok(true)
}

async fn keep(app: &App, (about, named): (AboutWhat, Uuid), word: &Word) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if !clearing_report::keep(&mut tx, named, word, now).await? {
        return Ok(());
    }
    let rejected = matches!(word, Word::Rejected(_)) && about == AboutWhat::Transfer;
    let order: Id<id::Payout> = Id::from_uuid(named);
    if rejected
        && let Some(order) = orders::find(&mut tx, order).await?
        && matches!(order.state, payout::State::Done { .. })
    {
        let sealing = agency_key(app, &mut tx, order.agency).await?;
        pass_on::record(app, &mut tx, &order, "payout.denied", &sealing, now).await?;
    }
    Ok(tx.commit().await?)
}

/// What was told of refunds or orders, as `/v1` answers it; by their identifiers.
pub(super) async fn reports(tx: &mut Tx, objects: &[Uuid]) -> Result<BTreeMap<Uuid, Value>> {
    let told = clearing_report::of(tx, objects).await?;
    Ok(told.into_iter().map(|(id, told)| (id, report_json(&told))).collect())
}

fn report_json(told: &Told) -> Value {
    let reason = match &told.word {
        Word::Rejected(reason) => Some(reason.to_string()),
        Word::Pending | Word::Accepted => None,
    };
    json!({ "word": told.word.as_str(), "reason": reason, "told_at": rfc3339(told.at) })
}
