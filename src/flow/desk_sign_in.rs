//! An officer starts a sign-in on a page, for a portal of their agency, and watches what becomes of it.
//!
//! The portal fetches its tokens by the name that the page shows once: the name is worth nothing without the portal's own
//! proof. It is asked for what the law lets the portal be told, and for nothing else. The page tells nothing of the number:
//! one of nobody waits as long as any other.

use super::{
    Error, Result, officer, population,
    start_counter::{Starter, Waiting, begin},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Id},
    text::Line,
};
use crate::identity::{
    assurance::Demand,
    claims::{Claims, Ground, SignInScope},
    client::{Client, Wording},
    counter::{Asked, COUNTER_LIFE_MAX, CounterRequest},
    personal_number::PersonalNumber,
    session::Session,
};
use crate::store::{Tx, at_counter, portal};
use std::{collections::BTreeSet, net::IpAddr};

pub use crate::store::at_counter::Started;

/// How many of an officer's own the page shows.
const SHOWN_MAX: i64 = 20;

/// What the page shows.
pub struct SignInsShown {
    /// The officer's name.
    pub name: String,
    /// The portals for which they may start one.
    pub portals: Vec<(Id<id::Client>, Wording)>,
    /// What they started, the newest first.
    pub started: Vec<Started>,
}

/// The page of an officer.
pub async fn read_desk_sign_ins(app: &App, session: &Session) -> Result<SignInsShown> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let portals = portals(app, &mut tx, session).await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    let officer = looked.on_record.ok_or(Error::not_found())?;
    let started = at_counter::started_by(&mut tx, session.citizen, SHOWN_MAX, now).await?;
    Ok(SignInsShown {
        name: officer.person.name.as_str().to_owned(),
        portals: portals.into_iter().map(|client| (client.id, client.name)).collect(),
        started,
    })
}

/// Starts a sign-in for whoever stands at the counter.
pub async fn start_at_desk(
    app: &App,
    session: &Session,
    client: Id<id::Client>,
    (number, message): (PersonalNumber, Line<60>),
    from: IpAddr,
) -> Result<Waiting> {
    let mut tx = app.store.begin().await?;
    let mut portals = portals(app, &mut tx, session).await?;
    tx.commit().await?;
    let place = portals.iter().position(|portal| portal.id == client).ok_or(Error::not_found())?;
    let client = portals.swap_remove(place);
    let asked = asked(&client, number, message);
    begin(app, &client, asked, Starter { from, officer: Some(session.citizen) }).await
}

/// The portals of the officer's agencies that may start sign-ins at a counter, and may act now.
async fn portals(app: &App, tx: &mut Tx, session: &Session) -> Result<Vec<Client>> {
    let now = app.clock.now();
    let places = officer::counters(tx, session.citizen, Day::of(now)).await?;
    if places.is_empty() {
        return Err(Error::forbidden("officer_needed"));
    }
    let here = |client: &Client| places.iter().any(|place| place.id == client.agency);
    let all = portal::list(&app.store).await?;
    Ok(all.into_iter().filter(|c| c.terms.counter && here(c) && c.may_act(now).is_ok()).collect())
}

fn asked(client: &Client, number: PersonalNumber, message: Line<60>) -> Asked {
    let by_law = client.policy.rules().iter().filter(|rule| matches!(rule.ground, Ground::Law(_)));
    let asked: Claims = by_law.map(|rule| rule.claim).collect();
    let told = |scope: &SignInScope| scope.claims().iter().any(|claim| asked.contains(claim));
    let scopes: BTreeSet<SignInScope> =
        SignInScope::ALL.into_iter().filter(|scope| *scope == SignInScope::OpenId || told(scope)).collect();
    let demand = Demand::of(None, client.acr_min);
    let request = CounterRequest { citizen: None, scopes, asked, demand, message, resource: None };
    Asked { number, request, life: COUNTER_LIFE_MAX }
}
