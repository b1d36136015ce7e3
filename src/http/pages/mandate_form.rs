//! The fields of a new mandate, the same on the citizen's page and at the desk.

use super::page::{FieldError, Page, Reader};
use crate::app::App;
use crate::base::calendar::Day;
use crate::flow::{
    Error,
    mandates::{Named, NewDelegate, NewMandate, agencies_of_codes},
};
use crate::identity::mandate::{Act, Extent};
use crate::payment::code::ProcedureCode;
use serde::Deserialize;
use std::collections::BTreeSet;

/// What was typed.
#[derive(Default, Deserialize)]
pub struct MandateForm {
    /// The delegate's number.
    #[serde(default)]
    pub delegate_number: String,
    /// The delegate's name.
    #[serde(default)]
    pub delegate_name: String,
    /// The code of an organisation, instead of a person.
    #[serde(default)]
    pub organisation: String,
    /// The acts.
    #[serde(default)]
    pub act: Vec<String>,
    /// Codes of procedures, separated by spaces or commas.
    #[serde(default)]
    pub procedures: String,
    /// Codes of agencies; none: every agency.
    #[serde(default)]
    pub agencies: String,
    /// The last day.
    #[serde(default)]
    pub last_day: String,
}

/// A field and the text that says what is wrong with it.
pub type Fault = (&'static str, &'static str);

impl MandateForm {
    /// The acts to choose from: word, label, and whether it was chosen.
    pub fn acts(&self, page: &Page) -> Vec<(&'static str, String, bool)> {
        let chosen = |word: &str| self.act.iter().any(|one| one == word);
        let act = |act: Act| {
            (act.word(), page.t(&format!("mandate-act-{}", act.word())).into_owned(), chosen(act.word()))
        };
        Act::ALL.into_iter().map(act).collect()
    }

    /// Reads every field; the first that is wrong is named.
    pub async fn read(&self, app: &App) -> Result<Result<NewMandate, Fault>, Error> {
        let agencies: Vec<&str> = words(&self.agencies).collect();
        let organisation = self.organisation.trim();
        let known = agencies_of_codes(app, &agencies).await?;
        if known.len() != agencies.len() {
            return Ok(Err(("agencies", "mandate-wrong-agencies")));
        }
        let delegate = if organisation.is_empty() {
            let Ok(number) = self.delegate_number.parse() else {
                return Ok(Err(("delegate_number", "sign-in-number-wrong")));
            };
            let Ok(name) = self.delegate_name.parse() else {
                return Ok(Err(("delegate_name", "mandate-wrong-name")));
            };
            NewDelegate::Person(Named { number, name })
        } else {
            match agencies_of_codes(app, &[organisation]).await?.pop() {
                Some(agency) => NewDelegate::Organisation(agency),
                None => return Ok(Err(("organisation", "mandate-wrong-organisation"))),
            }
        };
        let Ok(to) = self.last_day.parse::<Day>() else {
            return Ok(Err(("last_day", "mandate-wrong-days")));
        };
        let codes = words(&self.procedures).map(|code| code.parse::<ProcedureCode>().map(|c| c.to_string()));
        let Ok(procedures) = codes.collect::<Result<BTreeSet<String>, _>>() else {
            return Ok(Err(("procedures", "mandate-wrong-procedures")));
        };
        let Ok(acts) = self.act.iter().map(|word| word.parse::<Act>()).collect::<Result<BTreeSet<_>, _>>()
        else {
            return Ok(Err(("acts", "mandate-wrong-acts")));
        };
        if acts.is_empty() {
            return Ok(Err(("acts", "mandate-wrong-acts")));
        }
        let from = Day::of(app.clock.now());
        let extent = Extent { acts, procedures, agencies: known.into_iter().collect(), from, to };
        Ok(Ok(NewMandate { delegate, extent }))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', ';', '\n']).map(str::trim).filter(|word| !word.is_empty())
}

/// The field at which a refusal of the flow shows, and its words.
pub fn fault_of(error: &Error) -> Option<Fault> {
    match error.code() {
        "person_unknown" => Some(("delegate_number", "mandate-wrong-person")),
        "mandate_for_oneself" => Some(("delegate_number", "problem-mandate_for_oneself")),
        "party_unfit" => Some(("delegate_number", "problem-party_unfit")),
        "mandate_days" => Some(("last_day", "mandate-wrong-days")),
        "mandate_extent" => Some(("procedures", "mandate-wrong-procedures")),
        "card_check_needed" => Some(("principal_number", "mandate-wrong-card")),
        _ => None,
    }
}

/// The refusal of one field, as the page shows it.
pub fn wrong(reader: &Reader, (field, key): Fault) -> Vec<FieldError> {
    vec![FieldError { field, message: Page::new(reader, key).title }]
}
