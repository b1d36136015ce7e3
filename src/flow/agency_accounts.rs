//! To whom an agency's fees of each kind belong. Whoever calls this has been allowed to.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
};
use crate::app::App;
use crate::base::text::Line;
use crate::codec::iso20022::{AccountNumber, MemberId};
use crate::payment::fee::FeeKind;
use crate::store::{
    agency::{self, AccountRow},
    audit,
};
use serde_json::json;

/// The account to which fees of one kind go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBeneficiary {
    /// Which fees.
    pub kind: FeeKind,
    /// The number in the clearing system of the bank or Treasury office that keeps the account.
    pub bank: MemberId,
    /// Its number.
    pub number: AccountNumber,
    /// The name on it.
    pub holder: Line,
}

/// Sets the accounts of an agency, from the next bill on; the same twice changes nothing. Returns whether it did.
pub async fn set_accounts(app: &App, code: &str, accounts: &[NewBeneficiary]) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let agency = agency::find_by_code(&mut tx, code).await?.ok_or_else(|| {
        Error::NotFound(Refusal::new("not_found").violation("agency", "unknown", Some(code.to_owned())))
    })?;
    let known = agency::accounts(&mut tx, agency.id).await?;
    let rows = accounts.iter().map(|account| AccountRow {
        kind: account.kind.as_str().to_owned(),
        account_no: account.number.to_string(),
        agent_bic: account.bank.to_string(),
        account_name: account.holder.to_string(),
    });
    let rows: Vec<AccountRow> = rows.filter(|row| !known.contains(row)).collect();
    if rows.is_empty() {
        return Ok(false);
    }
    agency::put_accounts(&mut tx, agency.id, &rows).await?;
    let key = app.keys.data_key(&agency.key, agency.id.uuid().as_bytes())?;
    let concern = Concern { citizen: None, agency: Some(agency.id), object: agency.id.uuid() };
    let told =
        rows.iter().map(|row| json!({"kind": row.kind, "bank": row.agent_bic, "number": row.account_no}));
    let details = json!({"agency": agency.id.to_string(), "accounts": told.collect::<Vec<_>>()});
    audit::append(&mut tx, &[leaf(app, now, "agency.accounts_set", concern, &key, &details)]).await?;
    tx.commit().await?;
    Ok(true)
}
