//! The citizen decides what the portal may learn, and the portal is answered.

use super::{
    Error, Result,
    acting::{self, Party},
    audit_leaf::{Concern, leaf},
    population::OnRecord,
    sign_in::{Answer, Step, demand_present, lock, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Citizen, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    authorization::{Authorization, Cause, Confirmation, Errand, Event, Refusal, State},
    claims::{Claim, Claims},
    client::Client,
    consent::{self, Consent, Decision},
    pseudonym::Subject,
    request::ErrorCode,
};
use crate::store::{self, Tx, audit, authorization, portal, pseudonym};
use serde_json::json;

/// Takes the answer of the consent page. The decision, its evidence and the code are one transaction, in which portal
/// and citizen are still allowed.
pub async fn decide_consent(app: &App, step: &Step, answer: consent::Answer) -> Result<Answer> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let (client, confirmation) = confirmed(&mut tx, &authorization).await?;
    let asked = authorization.asked().ok_or_else(|| unfit(Refusal::Unfit))?;
    let party = allowed(app, &mut tx, &authorization, &client, &confirmation, now).await?;
    let Some(party) = party else {
        return decline(app, tx, &authorization, None, Cause::Barred, now).await;
    };
    demand_present(&mut tx, &confirmation).await?;
    let holder = &*party.holder;
    let decision = consent::decide(&client.policy.offer(asked), answer)
        .map_err(|_| Error::refused("claim_not_offered"))?;
    match decision {
        Decision::Decline => {
            let told = Some((&client, holder));
            decline(app, tx, &authorization, told, Cause::Citizen, now).await
        }
        Decision::GoOn { notified, allowed } => {
            let consent = Consent {
                id: Id::new(now, &*app.entropy),
                citizen: holder.citizen,
                client: client.id,
                notified,
                allowed,
                given_at: now,
                withdrawn_at: None,
            };
            let actor = party.actor.as_ref().map(|actor| actor.person.citizen);
            store::consent::insert(&mut tx, &consent, actor).await?;
            let concern = Concern {
                citizen: Some(holder.citizen),
                agency: Some(client.agency),
                object: consent.id.uuid(),
            };
            let details = json!({
                "authorization": authorization.id.to_string(),
                "client": client.id.to_string(),
                "purpose": client.purpose.vi.as_str(),
                "notified": names(&consent.notified),
                "allowed": names(&consent.allowed),
                "acting": party.told(),
            });
            let mut leaves = vec![leaf(app, now, "consent.given", concern, &holder.key, &details)];
            leaves.extend(acting::used(app, &party, Some(client.agency), consent.id.uuid(), now));
            audit::append(&mut tx, &leaves).await?;
            if let Some(actor) = &party.actor {
                name_at(app, &mut tx, actor.person.citizen, &client, now).await?;
            }
            issue(app, tx, &authorization, &client, &consent, now).await
        }
    }
}

/// Answers a portal that forbade pages under a consent that covers what it asks; the caller has found in this
/// transaction that the people may go on.
pub(super) async fn renew(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: &Client,
    before: &Consent,
    now: Instant,
) -> Result<Answer> {
    if portal::is_active(&mut tx, client.id, now).await? {
        issue(app, tx, authorization, client, before, now).await
    } else {
        decline(app, tx, authorization, None, Cause::Barred, now).await
    }
}

/// The citizen turns back before anybody is confirmed.
pub async fn turn_back(app: &App, step: &Step) -> Result<Answer> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    if authorization.client().is_none() {
        return Err(unfit(Refusal::Unfit));
    }
    decline(app, tx, &authorization, None, Cause::Citizen, now).await
}

async fn confirmed(tx: &mut Tx, authorization: &Authorization) -> Result<(Client, Confirmation)> {
    let client = authorization.client().ok_or_else(|| unfit(Refusal::Unfit))?;
    let State::Confirmed(confirmation) = &authorization.state else {
        return Err(unfit(Refusal::NotConfirmed));
    };
    // Whoever was named at the counter approves, and nobody else.
    if let Errand::Counter { request, .. } = &authorization.errand
        && request.citizen != Some(confirmation.citizen)
    {
        return Err(unfit(Refusal::Unfit));
    }
    let client = portal::find_in(tx, client).await?.ok_or(Error::not_found())?;
    Ok((client, *confirmation))
}

/// Whose sign-in it is, if portal and people may all go on at this moment.
pub(super) async fn allowed(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    client: &Client,
    confirmation: &Confirmation,
    now: Instant,
) -> Result<Option<Party>> {
    if !portal::is_active(tx, client.id, now).await? {
        return Ok(None);
    }
    let party = acting::party(app, tx, authorization, confirmation, client.agency, now).await?;
    // At a counter everybody approves for themselves: the officer has named the person.
    let counter = matches!(authorization.errand, Errand::Counter { .. });
    Ok(party.filter(|party| !counter || party.actor.is_none()))
}

async fn issue(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: &Client,
    consent: &Consent,
    now: Instant,
) -> Result<Answer> {
    let code = issue_in(app, &mut tx, authorization, client, consent, now).await?;
    tx.commit().await?;
    match &authorization.errand {
        Errand::Portal { request, .. } => Ok(Answer::code(app, &request.address, &code)),
        Errand::Counter { .. } => Ok(Answer::here(true)),
        Errand::Page { .. } => Err(unfit(Refusal::Unfit)),
    }
}

/// The same in a transaction that goes on.
pub(super) async fn issue_in(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    client: &Client,
    consent: &Consent,
    now: Instant,
) -> Result<Token> {
    let next = authorization.after(Event::IssueCode { consent: consent.id }, now).map_err(unfit)?;
    name_at(app, tx, consent.citizen, client, now).await?;
    answer_once(tx, authorization, now).await?;
    let code = Token::new(TokenKind::Code, &*app.entropy);
    let digest = sha256(code.expose().as_bytes());
    if !authorization::advance(tx, authorization.id, &authorization.state, &next, Some(&digest)).await? {
        return Err(Error::conflict("sign_in_moved"));
    }
    Ok(code)
}

/// A pushed request may be opened by several browsers and answered by one: whoever comes second is told that it is over,
/// and the portal hears nothing more.
async fn answer_once(tx: &mut Tx, authorization: &Authorization, now: Instant) -> Result<()> {
    if store::pushed_request::use_up(tx, authorization.id, now).await? {
        Ok(())
    } else {
        Err(Error::refused("sign_in_over"))
    }
}

/// The portal knows the person, and whoever acts for them, by a name of their own.
async fn name_at(app: &App, tx: &mut Tx, citizen: Id<Citizen>, client: &Client, now: Instant) -> Result<()> {
    if pseudonym::find(tx, citizen, &client.sectors()).await?.is_none() {
        let drawn = Subject::new(&*app.entropy);
        pseudonym::keep(tx, citizen, &client.sector, &drawn, now).await?;
    }
    Ok(())
}

async fn decline(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    told: Option<(&Client, &OnRecord)>,
    cause: Cause,
    now: Instant,
) -> Result<Answer> {
    super::sign_in::advance(&mut tx, authorization, Event::Refuse(cause), now).await?;
    answer_once(&mut tx, authorization, now).await?;
    if let Some((client, holder)) = told {
        let concern = Concern {
            citizen: Some(holder.citizen),
            agency: Some(client.agency),
            object: authorization.id.uuid(),
        };
        let details = json!({"authorization": authorization.id.to_string(), "client": client.id.to_string()});
        audit::append(&mut tx, &[leaf(app, now, "consent.refused", concern, &holder.key, &details)]).await?;
    }
    tx.commit().await?;
    let description = match cause {
        Cause::Citizen => "the citizen chose not to go on",
        Cause::Barred | Cause::PageNeeded => "this sign-in is not allowed at present",
    };
    match &authorization.errand {
        Errand::Portal { request, .. } => {
            Ok(Answer::refusal(app, &request.address, ErrorCode::AccessDenied, description))
        }
        Errand::Counter { .. } => Ok(Answer::here(false)),
        Errand::Page { .. } => Err(unfit(Refusal::Unfit)),
    }
}

fn names(claims: &Claims) -> Vec<&'static str> {
    claims.iter().copied().map(Claim::name).collect()
}
