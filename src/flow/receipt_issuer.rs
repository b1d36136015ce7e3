//! Where an agency's receipts come from: from here, or from another issuer; never both. An issuer that was left stays known:
//! what was ordered there is still fetched from there, and adjusted there when its money goes back.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    idempotency::Idempotency,
    order_receipt::token_place,
};
use crate::app::App;
use crate::base::{
    id::{Agency, Id},
    secret::Secret,
};
use crate::identity::endpoint::EndpointUrl;
use crate::store::{
    audit,
    receipt_issuer::{self, StoredIssuer},
};
use serde_json::{Value, json};

/// Another issuer: its address, and the token that it demands.
pub type OtherIssuer = (EndpointUrl, Secret<Vec<u8>>);

/// Sets the issuer of an agency's receipts; without another one they come from here. What waits at the one before is still
/// ordered there, under the token that it had.
pub async fn set_receipt_issuer(
    app: &App,
    agency: Id<Agency>,
    other: Option<OtherIssuer>,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    if let Some((url, _)) = &other
        && app.origin.is_production()
        && !url.is_secure()
    {
        return Err(Error::Refused(Refusal::new("invalid_body").violation("/url", "not_secure", None)));
    }
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let sealing = agency_key(app, &mut tx, agency).await?;
    let url = other.as_ref().map(|(url, _)| url.to_string());
    match other {
        None => receipt_issuer::leave(&mut tx, agency, None, now).await?,
        Some((url, token)) => {
            let token = sealing.seal(&*app.entropy, &token_place(agency), token.expose());
            let (id, url) = (Id::new(now, &*app.entropy), url.to_string());
            receipt_issuer::leave(&mut tx, agency, Some(&url), now).await?;
            let stored = StoredIssuer { id, agency, url, token };
            match receipt_issuer::put(&mut tx, &stored, (key.client, now)).await {
                Err(e) if e.violates("receipt_issuer_in_force") => {
                    return Err(Error::Unavailable(Refusal::new("try_again")));
                }
                done => done?,
            }
        }
    }
    let answer = json!({
        "agency": agency.to_string(),
        "issuer": if url.is_some() { "other" } else { "chung" },
        "url": url,
    });
    let concern = Concern { citizen: None, agency: Some(agency), object: agency.uuid() };
    let leaf = audit_leaf::leaf(app, now, "receipt_issuer.set", concern, &sealing, &answer);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, agency.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}
