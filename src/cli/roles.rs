//! `chung roles`: who may do what at which agency.

use super::{
    agencies::codes,
    environment::{self, Opened, refused},
    out,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Id},
    page::PageRequest,
};
use crate::config::Config;
use crate::flow::roles::{Granting, grant_role, revoke_role};
use crate::identity::{personal_number::PersonalNumber, role::Role};
use crate::store::role;
use anyhow::Context;

/// What to do with roles
#[derive(Debug, clap::Subcommand)]
pub enum Roles {
    /// Grant a role at an agency to the holder of a personal number; the first administrator is made so
    ///
    /// Roles: officer, cashier, accountant, approver, auditor (reads only), administrator. Whoever takes money
    /// (cashier) can be neither accountant nor approver there. The holder signs in with their own electronic
    /// identity. Example: chung roles grant 079185000456 administrator H29.14
    Grant {
        /// The holder's personal number, twelve digits; must be on the register
        number: PersonalNumber,
        /// The role
        role: Role,
        /// The agency's code
        agency: String,
        /// The first day [default: today]
        #[arg(long, value_name = "DAY")]
        from: Option<Day>,
        /// The last day; open without it
        #[arg(long, value_name = "DAY")]
        to: Option<Day>,
    },
    /// List the roles that were granted and not taken back, the newest first: grant, holder, role, agency, days
    List,
    /// Take a role back, from the next request on
    Revoke {
        /// The grant's identifier, as `chung roles list` shows it
        grant: Id<id::RoleGrant>,
    },
}

/// Runs the command.
pub async fn run(config: &Config, command: &Roles) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    let done = match environment::office(config, opened.store.clone()) {
        Ok(app) => act(&app, command).await,
        Err(error) => Err(error),
    };
    opened.close().await;
    done
}

async fn act(app: &App, command: &Roles) -> anyhow::Result<()> {
    match command {
        Roles::Grant { number, role, agency, from, to } => {
            let agency_code = agency.clone();
            let granting =
                Granting { number: *number, role: *role, agency_code, from: *from, to: *to, by: None };
            let grant = grant_role(app, &granting).await.map_err(|error| refused(&error))?;
            out::line(&grant.to_string());
            Ok(())
        }
        Roles::List => list(app).await,
        Roles::Revoke { grant } => {
            revoke_role(app, *grant).await.map_err(|error| refused(&error))?;
            out::line(&format!("{grant} is taken back"));
            Ok(())
        }
    }
}

async fn list(app: &App) -> anyhow::Result<()> {
    let codes = codes(app).await?;
    let mut after = None;
    loop {
        let request = PageRequest::new(after, Some(100)).context("a page of a hundred")?;
        let mut tx = app.store.begin().await?;
        let page = role::page(&mut tx, None, &request).await?;
        tx.commit().await?;
        for grant in page.items.iter().filter(|grant| grant.revoked_at.is_none()) {
            let agency = codes.iter().find(|(id, _)| *id == grant.agency).map_or("?", |(_, code)| code);
            let to = grant.to.map(|day| format!(" to {day}")).unwrap_or_default();
            let (id, holder, role) = (grant.id, grant.citizen, grant.role.word());
            out::line(&format!("{id} {holder} {role:<13} {agency:<12} from {}{to}", grant.from));
        }
        if !page.more {
            return Ok(());
        }
        after = page.items.last().map(|grant| grant.id);
    }
}
