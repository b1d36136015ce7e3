//! The text that a card reader gives: JSON with the files of a card in base64. The bytes live as long as the request.

use crate::flow::card_check::{FILE_BYTES_MAX, GROUPS_MAX, Reading};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The files of a card: `{"sod": …, "groups": {"1": …, "13": …}}`, each file in base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardFiles {
    /// The file `EF.SOD`.
    sod: String,
    /// The data groups by number.
    groups: BTreeMap<String, String>,
}

impl CardFiles {
    /// Reads the text of a reader.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim()).ok()
    }

    /// The files as bytes; `Err` names the member that is none.
    pub fn reading(&self) -> Result<Reading, &'static str> {
        let file = |text: &str| BASE64.decode(text).ok().filter(|bytes| bytes.len() <= FILE_BYTES_MAX);
        if self.groups.len() > GROUPS_MAX {
            return Err("/card/groups");
        }
        let group = |(number, text): (&String, &String)| {
            let number: u8 = number.parse().ok().filter(|n| (1..=16).contains(n))?;
            Some((number, file(text)?))
        };
        Ok(Reading {
            sod: file(&self.sod).ok_or("/card/sod")?,
            groups: self.groups.iter().map(group).collect::<Option<_>>().ok_or("/card/groups")?,
        })
    }
}
