//! The banks among which a payer chooses: those of the clearing system that take requests to pay.

use super::{Error, Refusal, Result};
use crate::app::App;
use crate::base::text::Line;
use crate::codec::iso20022::MemberId;
use crate::store::bank::{Bank, put_banks};

/// Adds banks and renames those that exist; nobody is removed. Each is a number in the clearing system and a name;
/// every bad one is named, and then nothing is written.
pub async fn import_banks(app: &App, banks: &[(String, String)]) -> Result<usize> {
    let mut refusal = Refusal::new("invalid_body");
    let mut read = Vec::with_capacity(banks.len());
    for (code, name) in banks {
        match (code.parse::<MemberId>(), Line::<200>::parse(name)) {
            (Ok(code), Ok(name)) => read.push(Bank { code: code.to_string(), name: name.to_string() }),
            (Err(_), _) => refusal = refusal.violation("code", "shape", Some(code.clone())),
            (Ok(_), Err(_)) => refusal = refusal.violation("name", "unprintable", Some(code.clone())),
        }
    }
    if !refusal.violations.is_empty() {
        return Err(Error::Refused(refusal));
    }
    read.sort_by(|a, b| a.code.cmp(&b.code));
    if let Some(pair) = read.windows(2).find(|pair| pair[0].code == pair[1].code) {
        return Err(Error::Refused(refusal.violation("code", "named_twice", Some(pair[0].code.clone()))));
    }
    let mut tx = app.store.begin().await?;
    put_banks(&mut tx, &read).await?;
    tx.commit().await?;
    Ok(read.len())
}
