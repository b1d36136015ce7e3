//! What a bank tells of a movement beyond its money: who paid, and with which words. Sealed for many lines at once under the key
//! of the account's owner, and opened for the one that somebody looks at.

use super::{Error, Result, agency_key::kept_words};
use crate::{
    base::{
        entropy::Entropy,
        id::{Id, Statement, StatementLine},
    },
    codec::iso20022::Entry,
    crypto::seal::DataKey,
    store::{case_facts::LineTold, statement::NewTold},
};
use serde::{Deserialize, Serialize};

/// How many lines are sealed together.
const TOGETHER: usize = 500;

/// Who paid and with which words, without names for either: there are a million of them.
#[derive(Serialize)]
struct Told<'a>(Option<&'a str>, Vec<&'a str>);

/// What was told of one line.
#[derive(Default, Deserialize)]
pub(super) struct PayerTold {
    pub counterparty: Option<String>,
    pub remittance: Vec<String>,
}

/// Seals what is told of lines of a statement, the first of them at the place after `from`.
pub(super) fn seal_told<'a>(
    entropy: &dyn Entropy,
    key: &DataKey,
    (statement, from): (Id<Statement>, i32),
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<Vec<NewTold>> {
    let told: Vec<Told<'_>> = entries
        .map(|entry| {
            let payer = entry.counterparty.as_ref().map(|name| name.as_str());
            Told(payer, entry.remittance.iter().map(|line| line.as_str()).collect())
        })
        .collect();
    let sealed = told.chunks(TOGETHER).zip((from + 1..).step_by(TOGETHER)).map(|(together, first)| {
        let many = i32::try_from(together.len()).map_err(Error::internal)?;
        let plain = serde_json::to_vec(together).map_err(Error::internal)?;
        let told = key.seal(entropy, &place(statement, first), &plain);
        Ok(NewTold { places: (first, first + many - 1), told })
    });
    sealed.collect()
}

/// Opens what was told of a line; nothing once its retention is over.
pub(super) fn open_told(key: &DataKey, line: Id<StatementLine>, of: &LineTold) -> Result<PayerTold> {
    // Lines of before were sealed one by one.
    let Some((statement, first, before)) = of.among else {
        let Some(text) = kept_words(key, line.uuid().as_bytes(), &of.told)? else {
            return Ok(PayerTold::default());
        };
        return serde_json::from_str(&text).map_err(Error::internal);
    };
    let Some(text) = kept_words(key, &place(statement, first), &of.told)? else {
        return Ok(PayerTold::default());
    };
    let together: Vec<(Option<String>, Vec<String>)> =
        serde_json::from_str(&text).map_err(Error::internal)?;
    let told = together.into_iter().nth(before);
    let (counterparty, remittance) =
        told.ok_or_else(|| Error::internal("a line that is not sealed with others"))?;
    Ok(PayerTold { counterparty, remittance })
}

fn place(statement: Id<Statement>, first: i32) -> Vec<u8> {
    format!("statement_told.told {statement} {first}").into_bytes()
}
