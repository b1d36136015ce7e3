//! What a demonstration has set up: `demo.json`.

use super::cast::VISITOR;
use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Everything that a program needs to do what the tour does; `demo.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Installed {
    /// The service's public origin.
    pub service: String,
    /// The sandbox's origin; its script endpoints are described in the program's documentation.
    pub sandbox: String,
    /// How many people are on the register.
    pub citizens: u64,
    /// The agencies and their systems, the tour's first.
    pub agencies: [Agency; 2],
    /// The system that registers agencies and clients.
    pub administration: System,
    /// The portals, the sandbox's own first.
    pub portals: Vec<Portal>,
    /// People to sign in as; the second one is never the tour's.
    pub people: Vec<Person>,
    /// How many tours were begun.
    #[serde(default)]
    pub tours: usize,
    /// The officers, by role.
    pub staff: Vec<Officer>,
}

/// An agency that charges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Agency {
    /// Its code.
    pub code: String,
    /// The number of its collecting account.
    pub account: String,
    /// Its system at the API.
    pub system: System,
}

/// A client of the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct System {
    /// The `client_id`.
    pub client_id: String,
    /// The secret (`client_secret_basic`).
    pub client_secret: String,
    /// What it may do.
    pub scopes: String,
}

/// A relying party.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Portal {
    /// The `client_id`.
    pub client_id: String,
    /// How it proves itself at the token endpoint.
    pub auth_method: String,
    /// Its secret, for `client_secret_basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Its private key (PKCS#8, base64), for `private_key_jwt` with ES256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// Where answers are sent.
    pub redirect_uri: String,
}

/// Somebody of the register.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    /// The personal number.
    pub number: String,
    /// The name.
    pub name: String,
    /// The birth date, as far as it is known.
    pub birth_date: String,
    /// The telephone that gets the codes.
    pub phone: String,
}

/// Somebody with a role at an agency.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Officer {
    /// The agency's code.
    pub agency: String,
    /// What they may do.
    pub role: String,
    /// Who they are.
    pub person: Person,
}

impl Installed {
    /// The agency of the tour's dossier.
    pub const fn agency(&self) -> &Agency {
        &self.agencies[0]
    }

    /// Who walks the tour: all but the visitor take turns.
    pub fn walker(&self) -> anyhow::Result<&Person> {
        let walkers = self.people.iter().enumerate().filter(|(place, _)| *place != VISITOR);
        let turn = self.tours.saturating_sub(1) % self.people.len().saturating_sub(1).max(1);
        walkers.map(|(_, person)| person).nth(turn).context("nobody to sign in as")
    }

    /// Whom a visitor signs in as.
    pub fn visitor(&self) -> Option<&Person> {
        self.people.get(VISITOR)
    }
}
