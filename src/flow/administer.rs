//! What administrators' systems do over the API: each act once per key, none for the actor's own good.
//!
//! The scope `admin` reaches over all agencies. It can be handed out from the command line only, and so can the keys and
//! secrets of who has it, so that a token that leaks cannot make others like it. A system acts for a person where a role is granted or taken back: it names the
//! administrator, who must be one.

use super::{
    Error, Refusal, Result,
    admin_answer::{agency_json, client_json, role_json},
    idempotency::Idempotency,
    population,
    register_client::{By, NewAgency, NewClient, add_agency, add_client, move_agency, move_client},
    roles::{Granting, add_grant, end_grant},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Client, Id},
    text::Line,
};
use crate::identity::{
    personal_number::PersonalNumber,
    role::Role,
    token::{Access, ApiScope, Noun},
};
use crate::payment::fee::FeeKind;
use crate::store::{
    Tx,
    agency::{self, AccountRow},
    portal, role,
};
use serde_json::Value;

/// The administrators' system that asks, and the agency it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    /// The client.
    pub client: Id<Client>,
    /// Its agency.
    pub agency: Id<Agency>,
}

/// An account that an agency's fees of one kind are collected in.
pub struct Account {
    /// The kind.
    pub kind: FeeKind,
    /// The bank or Treasury office that keeps it, by its clearing code.
    pub bank: String,
    /// Its number.
    pub number: String,
    /// The name that the payer's bank app shows.
    pub holder: Line<70>,
}

/// Registers an agency, with the accounts that its fees are collected in.
pub async fn register_agency_once(
    app: &App,
    new: &NewAgency,
    accounts: &[Account],
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let row = add_agency(app, &mut tx, new, By::Client(key.client), now).await?;
    // Two kinds of fee, so at most two accounts.
    for account in accounts {
        let account = AccountRow {
            kind: account.kind.as_str().to_owned(),
            account_no: account.number.clone(),
            agent_bic: account.bank.clone(),
            account_name: account.holder.to_string(),
        };
        agency::put_account(&mut tx, row.id, &account).await?;
    }
    let answer = agency_json(&row);
    key.keep(&mut tx, row.id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Suspends an agency with its clients, officers and endpoints, or readmits it. Nobody suspends their own.
pub async fn set_agency_standing(
    app: &App,
    actor: Actor,
    id: Id<Agency>,
    active: bool,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    if id == actor.agency && !active {
        return Err(Error::forbidden("own_act"));
    }
    let row = move_agency(app, &mut tx, id, active, By::Client(actor.client), now).await?;
    let answer = agency_json(&row);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Registers a client; with `inherit` it goes on using its predecessors' subjects. The answer holds its secret, if one was drawn, this once: a replay has none.
pub async fn register_client_once(
    app: &App,
    new: &NewClient,
    inherit: bool,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let wrong = |field: &str, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    let admin = ApiScope { noun: Noun::Admin, access: Access::Read };
    if new.scopes.allows(admin) {
        return Err(wrong("/scopes", "not_over_the_api"));
    }
    if new.until.is_some_and(|until| until <= now) {
        return Err(wrong("/expires_at", "in_the_past"));
    }
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let inheriting = inheriting(&mut tx, new, inherit).await?;
    let (client, secret) = add_client(app, &mut tx, &inheriting, By::Client(key.client), now).await?;
    let mut answer = client_json(&client);
    key.keep(&mut tx, client.id.uuid(), &answer, now).await?;
    tx.commit().await?;
    answer["secret"] = secret.map_or(Value::Null, |secret| secret.expose().into());
    Ok(answer)
}

/// A successor that goes on using its predecessors' subjects names their sectors, the first one's first.
async fn inheriting(tx: &mut Tx, new: &NewClient, inherit: bool) -> Result<NewClient> {
    let mut new = new.clone();
    if inherit {
        for predecessor in &new.terms.predecessors {
            let unknown =
                || Error::Refused(Refusal::new("invalid_body").violation("/predecessors", "unknown", None));
            let before = portal::find_in(tx, *predecessor).await?.ok_or_else(unknown)?;
            for sector in before.sectors() {
                if *sector != new.sector && !new.terms.inherits.contains(sector) {
                    new.terms.inherits.push(sector.clone());
                }
            }
        }
    }
    Ok(new)
}

/// Suspends a client, whose tokens are worth nothing from then on, or readmits it. Nobody suspends themselves.
pub async fn set_client_standing(
    app: &App,
    actor: Actor,
    id: Id<Client>,
    active: bool,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    if id == actor.client && !active {
        return Err(Error::forbidden("own_act"));
    }
    let client = move_client(app, &mut tx, id, active, By::Client(actor.client), now).await?;
    let answer = client_json(&client);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// A role that an administrator wants to grant.
pub struct NewRole {
    /// To the holder of this number.
    pub number: PersonalNumber,
    /// What.
    pub role: Role,
    /// Where.
    pub agency: Id<Agency>,
    /// Its first day; today if absent.
    pub from: Option<Day>,
    /// Its last day; open if absent.
    pub to: Option<Day>,
    /// Who grants it.
    pub administrator: PersonalNumber,
}

/// Grants a role in the name of an administrator, who cannot be the one it is granted to.
pub async fn grant_role_once(app: &App, actor: Actor, new: &NewRole, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let unknown = || Error::Refused(Refusal::new("invalid_body").violation("/agency", "unknown", None));
    let agency = agency::find_all(&mut tx, &[new.agency]).await?.pop().ok_or_else(unknown)?;
    let by = administrator(app, &mut tx, new.administrator, &[agency.id, actor.agency], now).await?;
    let granting = Granting {
        number: new.number,
        role: new.role,
        agency_code: agency.code,
        from: new.from,
        to: new.to,
        by: Some(by),
    };
    let grant = add_grant(app, &mut tx, &granting, now).await.map_err(|error| match error {
        Error::NotFound(_) => Error::refused("holder_unknown"),
        other => other,
    })?;
    let answer = role_json(&grant);
    key.keep(&mut tx, grant.id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Takes a role back in the name of an administrator.
pub async fn revoke_role_once(
    app: &App,
    actor: Actor,
    id: Id<id::RoleGrant>,
    by: PersonalNumber,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let known = role::find(&mut tx, id).await?.ok_or(Error::not_found())?;
    let by = administrator(app, &mut tx, by, &[known.agency, actor.agency], now).await?;
    let grant = end_grant(app, &mut tx, id, Some(by), now).await?;
    let answer = role_json(&grant);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The holder of that number, who must be an administrator today at one of these agencies.
async fn administrator(
    app: &App,
    tx: &mut Tx,
    number: PersonalNumber,
    agencies: &[Id<Agency>],
    now: Instant,
) -> Result<Id<Citizen>> {
    let looked = population::look_up(app, tx, number).await?;
    let holder = looked.on_record.ok_or(Error::forbidden("administrator_needed"))?.citizen;
    let held = role::of_citizen(tx, holder, Day::of(now)).await?;
    let may = held.iter().any(|(at, role)| *role == Role::Administrator && agencies.contains(at));
    if may { Ok(holder) } else { Err(Error::forbidden("administrator_needed")) }
}
