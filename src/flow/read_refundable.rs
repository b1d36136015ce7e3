//! What of a paid bill may still go back, line by line, for the officer who asks for a part of it.

use super::{
    Error, Result, officer,
    read_refunds::{RefundPlace, refund_places},
    request_refund::{held, refused},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Citizen, Id},
        money::Money,
    },
    payment::{
        bill::{BillLine, State},
        refund::Refusal,
        refund_share::Held,
    },
    store::{bill as bills, inheritance::heir},
};
use std::collections::BTreeSet;

/// A paid bill as whoever asks for a part of it sees it.
pub struct Refundable {
    /// Whoever reads.
    pub reader: String,
    /// Where they ask.
    pub place: RefundPlace,
    /// The bill's reference.
    pub reference: String,
    /// Its dossier.
    pub dossier: String,
    /// Its lines in their order, each with what was not promised back yet.
    pub lines: Vec<(BillLine, Money)>,
}

/// The lines of a paid bill of an agency where the citizen may ask for refunds; a bill of elsewhere is not there.
pub async fn read_refundable(app: &App, citizen: Id<Citizen>, reference: &str) -> Result<Refundable> {
    let mut tx = app.store.begin().await?;
    let places = refund_places(&mut tx, citizen, Day::of(app.clock.now())).await?;
    let reference = reference.trim().parse().map_err(|_| Error::not_found())?;
    let stored = bills::bill_of_reference(&mut tx, &reference).await?.ok_or(Error::not_found())?;
    let owner = stored.bill.agency;
    let heir = heir(&mut tx, owner, Some(stored.procedure.code.as_str())).await?;
    let answers = |place: &RefundPlace| place.asks && [owner, heir].contains(&place.id);
    let place = places.into_iter().find(answers).ok_or(Error::not_found())?;
    let State::Paid { payment, .. } = stored.state else { return Err(refused(Refusal::NotPaid)) };
    let charged = stored.bill.lines.as_slice();
    let held = held(&mut tx, payment, charged).await?;
    let left = |(line, held): (&BillLine, &Held)| Ok((line.clone(), held.left().map_err(Error::internal)?));
    let lines = charged.iter().zip(&held).map(left).collect::<Result<_>>()?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    Ok(Refundable {
        reader: names.get(&citizen).cloned().unwrap_or_default(),
        place,
        reference: stored.bill.reference.to_string(),
        dossier: stored.bill.dossier.to_string(),
        lines,
    })
}
