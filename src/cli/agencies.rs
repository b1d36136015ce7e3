//! `chung agencies`: the offices that ask about citizens and charge fees.

use super::{
    environment::{self, Opened, refused},
    out,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Id},
    text::{Line, NotALine},
};
use crate::config::Config;
use crate::flow::{
    agency_accounts::{NewBeneficiary, set_accounts},
    read_messages::{cap_messages, report_messages},
    register_client::{NewAgency, register_agency, set_agency_active},
};
use crate::identity::client::Wording;
use crate::store::agency::{self, AgencyRow};
use anyhow::Context;

/// What to do with agencies
#[derive(Debug, clap::Subcommand)]
pub enum Agencies {
    /// Register an agency, with a data key of its own
    ///
    /// Example: chung agencies register H29.14 --name "Sở Tư pháp" --name-en "Department of Justice"
    /// --account "phi=970405:1500201001234:KHO BAC NHA NUOC KHU VUC II". Prints its identifier.
    Register(Register),
    /// Set the accounts in which an agency's fees are collected, from its next bill on
    Accounts {
        /// The agency's code
        code: String,
        /// KIND=BANK:NUMBER:HOLDER; KIND is phi or le_phi, BANK the number of the bank or Treasury office in the
        /// clearing system
        #[arg(required = true, value_name = "ACCOUNT", value_parser = beneficiary)]
        account: Vec<NewBeneficiary>,
    },
    /// List the agencies: code, state, identifier, name
    List,
    /// Suspend an agency: its clients, officers and portals are refused from the next request on
    Suspend {
        /// The agency's code
        code: String,
    },
    /// Show what the SMS of a month cost: agency, kind of message, segments, dong
    Messages {
        /// The month, e.g. 2026-11 [default: the running one]
        #[arg(long, value_name = "MONTH", value_parser = month)]
        month: Option<Day>,
    },
    /// Cap the SMS segments that an agency's sign-ins may use in a month; other ways to sign in go on
    Cap {
        /// The agency's code
        code: String,
        /// Segments in a month
        segments: u32,
    },
    /// Readmit a suspended agency
    Resume {
        /// The agency's code
        code: String,
    },
}

/// An agency to register
#[derive(Debug, clap::Args)]
pub struct Register {
    /// Its code, e.g. H29.14; receipt numbers begin with it
    code: String,
    /// Its name in Vietnamese
    #[arg(long, value_name = "TEXT", value_parser = line)]
    name: Line<200>,
    /// Its name in English
    #[arg(long, value_name = "TEXT", value_parser = line)]
    name_en: Line<200>,
    /// The tax code on its receipts
    #[arg(long, value_name = "DIGITS")]
    tax_code: Option<String>,
    /// Its address in Vietnamese, as receipts print it
    #[arg(long, value_name = "TEXT")]
    address: Option<String>,
    /// Where its fees are collected: KIND=BANK:NUMBER:HOLDER, KIND being phi or le_phi; may be given twice
    #[arg(long, value_name = "ACCOUNT", value_parser = beneficiary)]
    account: Vec<NewBeneficiary>,
}

/// Runs the command.
pub async fn run(config: &Config, command: Agencies) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    let done = match environment::office(config, opened.store.clone()) {
        Ok(app) => act(&app, command).await,
        Err(error) => Err(error),
    };
    opened.close().await;
    done
}

async fn act(app: &App, command: Agencies) -> anyhow::Result<()> {
    match command {
        Agencies::Register(new) => {
            let Register { code, name, name_en, tax_code, address, account } = new;
            let name = Wording { vi: name, en: name_en };
            let new = NewAgency { code: code.clone(), name, tax_code, address_vi: address };
            let id = register_agency(app, &new).await.map_err(|error| refused(&error))?;
            if !account.is_empty() {
                set_accounts(app, &code, &account).await.map_err(|error| refused(&error))?;
            }
            out::line(&id.to_string());
        }
        Agencies::Accounts { code, account } => {
            let changed = set_accounts(app, &code, &account).await.map_err(|error| refused(&error))?;
            out::line(if changed { "the accounts are set" } else { "nothing changed" });
        }
        Agencies::List => {
            for agency in agency::list(&app.store).await? {
                let state = if agency.active { "active" } else { "suspended" };
                out::line(&format!("{:<12} {state:<9} {} {}", agency.code, agency.id, agency.name_vi));
            }
        }
        Agencies::Messages { month } => {
            for line in report_messages(app, month).await.map_err(|error| refused(&error))? {
                let agency = line.agency.map_or_else(|| "(chung)".to_owned(), |(_, code, ..)| code);
                out::line(&format!("{agency:<12} {:<16} {:>9} {:>12}", line.kind, line.segments, line.cost));
            }
        }
        Agencies::Cap { code, segments } => {
            cap_messages(app, &code, segments).await.map_err(|error| refused(&error))?;
            out::line(&format!("{code} may use {segments} segments a month"));
        }
        Agencies::Suspend { code } => set_active(app, &code, false).await?,
        Agencies::Resume { code } => set_active(app, &code, true).await?,
    }
    Ok(())
}

async fn set_active(app: &App, code: &str, active: bool) -> anyhow::Result<()> {
    let id = find(app, code).await?.id;
    set_agency_active(app, id, active).await.map_err(|error| refused(&error))?;
    out::line(&format!("{code} is {}", if active { "active" } else { "suspended" }));
    Ok(())
}

/// The agency of that code.
pub async fn find(app: &App, code: &str) -> anyhow::Result<AgencyRow> {
    let mut tx = app.store.begin().await?;
    let found = agency::find_by_code(&mut tx, code).await?;
    found.with_context(|| format!("there is no agency {code}; `chung agencies list` shows them"))
}

/// The codes of all agencies, by identifier.
pub async fn codes(app: &App) -> anyhow::Result<Vec<(Id<id::Agency>, String)>> {
    Ok(agency::list(&app.store).await?.into_iter().map(|agency| (agency.id, agency.code)).collect())
}

/// `2026-11`, as its first day.
fn month(text: &str) -> anyhow::Result<Day> {
    format!("{text}-01").parse().context("a month is written like 2026-11")
}

/// A printable line of text.
pub fn line(text: &str) -> Result<Line<200>, NotALine> {
    Line::parse(text)
}

/// `phi=970405:1500201001234:KHO BAC NHA NUOC`.
pub fn beneficiary(text: &str) -> anyhow::Result<NewBeneficiary> {
    let form = "an account is KIND=BANK:NUMBER:HOLDER, e.g. phi=970405:1500201001234:KHO BAC NHA NUOC";
    let (kind, rest) = text.split_once('=').context(form)?;
    let mut parts = rest.splitn(3, ':');
    let mut part = || parts.next().context(form);
    Ok(NewBeneficiary {
        kind: kind.parse().ok().context("the kind is phi or le_phi")?,
        bank: part()?.parse().ok().context("the bank is its number in the clearing system")?,
        number: part()?.parse().ok().context("the account's number is not one")?,
        holder: Line::parse(part()?).context("the holder")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::fee::FeeKind;

    #[test]
    fn an_account_is_read_from_one_argument() {
        let read = beneficiary("le_phi=970405:1500201001234:KHO BAC: KHU VUC II").unwrap();
        assert_eq!((read.kind, read.bank.as_str()), (FeeKind::LePhi, "970405"));
        assert_eq!((read.number.as_str(), read.holder.as_str()), ("1500201001234", "KHO BAC: KHU VUC II"));
        for wrong in
            ["", "phi", "toll=970405:1:A", "phi=970405:1500", "phi=970 405:1500:A", "phi=970405:1500:"]
        {
            assert!(beneficiary(wrong).is_err(), "{wrong}");
        }
    }
}
