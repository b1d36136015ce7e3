//! Takes a receipt back: void, or replaced by another. Both are documents of their own; the receipt itself stays.

use super::{
    Error, Refusal, Result,
    agency_key::agencies_with_keys,
    audit_leaf::{self, Concern},
    event::event_row,
    idempotency::Idempotency,
    inherit::demand_standing,
    issue_receipts::issuer_of,
    officer,
    read_receipts::describe_receipt,
    receipt_draft::{Draft, issue_drafts},
    render_receipt::content_of,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    text::Line,
};
use crate::codec::{
    receipt_content::{self, Number, leaf_name},
    receipt_void::{self, VoidNotice},
};
use crate::crypto::{digest::Digest, keyring::Purpose, seal::DataKey, signing::Signer};
use crate::payment::{case::By, receipt::ReceiptName};
use crate::store::{
    Tx, audit, bill, outbox,
    receipt::{self, StoredReceipt},
    receipt_issuer, receipt_void as voids,
};
use serde_json::{Value, json};

/// Why a receipt is taken back: one line, which stands on the documents.
pub type Reason = Line<200>;

/// Who takes a receipt back.
#[derive(Debug, Clone, Copy)]
pub enum Taker<'a> {
    /// A system of the agency, once for its key.
    System(&'a Idempotency),
    /// An officer who keeps the agency's books. A receipt is taken back once, whoever presses twice.
    Officer(Id<Citizen>),
}

impl Taker<'_> {
    /// The answer that was given before; whoever may not take it back is refused.
    async fn answered(&self, tx: &mut Tx, agency: Id<Agency>, now: Instant) -> Result<Option<Value>> {
        match self {
            Self::System(key) => key.claim(tx).await,
            Self::Officer(citizen) => {
                officer::demand_accountant(tx, *citizen, agency, Day::of(now)).await.map(|()| None)
            }
        }
    }

    async fn keep(&self, tx: &mut Tx, id: Id<id::Receipt>, answer: &Value, now: Instant) -> Result<()> {
        match self {
            Self::System(key) => key.keep(tx, id.uuid(), answer, now).await,
            Self::Officer(_) => Ok(()),
        }
    }

    const fn by(&self) -> By {
        match self {
            Self::System(key) => By::System(key.client),
            Self::Officer(citizen) => By::Officer(*citizen),
        }
    }
}

/// Voids a receipt of the agency, or of whom it succeeded; nothing stands in its place.
pub async fn void_receipt(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Receipt>,
    reason: &Reason,
    taker: Taker<'_>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = taker.answered(&mut tx, agency, now).await? {
        return Ok(answer);
    }
    let old = current(&mut tx, agency, id).await?;
    let agencies = agencies_with_keys(app, &mut tx, [old.agency]).await?;
    let (_, sealing) = agencies.get(&old.agency).ok_or(Error::not_found())?;
    let leaf = Id::new(now, &*app.entropy);
    let voiding = Voiding { app, now, by: taker.by(), agency, sealing, leaf };
    let digest = voiding.void(&mut tx, &old, reason, None).await?;
    let details = voided_details(&old, &digest, &json!([]));
    voiding.tell(&mut tx, &old, "receipt.voided", &details, None).await?;
    let answer = json!({ "receipt": old.id.to_string(), "number": old.number, "state": "void" });
    taker.keep(&mut tx, id, &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Issues a receipt in the place of another: the next number, the same money, another name; the answer is the new one. A
/// successor gives it in its own name, from its own series and under its own signature, in the place of what the agency gave that
/// it succeeded.
pub async fn replace_receipt(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Receipt>,
    (name, reason): (&ReceiptName, &Reason),
    taker: Taker<'_>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = taker.answered(&mut tx, agency, now).await? {
        return Ok(answer);
    }
    let old = current(&mut tx, agency, id).await?;
    if receipt_issuer::find(&mut tx, None, agency).await?.is_some() {
        return Err(Error::conflict("receipts_elsewhere"));
    }
    let agencies = agencies_with_keys(app, &mut tx, [old.agency, agency]).await?;
    let (_, sealing) = agencies.get(&old.agency).ok_or(Error::not_found())?;
    let (mut content, _) = content_of(&old, sealing)?;
    if old.agency != agency {
        content.agency = issuer_of(&agencies.get(&agency).ok_or(Error::not_found())?.0);
    }
    content.paid = Some(content.paid.unwrap_or(content.at));
    content.at = receipt_content::instant(now);
    content.replaces = Some((number_of(&old)?, reason.to_string()));
    content.payer = name.name.to_string();
    content.payer_tax = name.tax_code.as_ref().map(ToString::to_string);
    content.payer_address = name.address.as_ref().map(ToString::to_string);
    let leaf = Id::new(now, &*app.entropy);
    let draft = Draft::in_place_of(&old, agency, leaf, content);
    let issued = issue_drafts(app, &mut tx, now, vec![draft], &agencies).await?.into_iter().next().flatten();
    let issued = issued.ok_or(Error::conflict("no_receipt_series"))?;
    let voiding = Voiding { app, now, by: taker.by(), agency, sealing, leaf };
    let number: Number = issued.number.parse().map_err(Error::internal)?;
    let digest = voiding.void(&mut tx, &old, reason, Some((issued.id, number))).await?;
    let details = voided_details(&old, &digest, &json!([leaf_name(&issued.number, &issued.digest)]));
    voiding.tell(&mut tx, &old, "receipt.replaced", &details, Some((issued.id, &issued.number))).await?;
    let answer = json!({ "receipt": issued.id.to_string(), "number": issued.number, "state": "issued" });
    taker.keep(&mut tx, issued.id, &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The receipt as `/v1` describes it, after it was taken back or issued.
pub async fn describe(app: &App, agency: Id<Agency>, answer: &Value) -> Result<Value> {
    let id = answer["receipt"].as_str().and_then(|id| id.parse().ok());
    let id: Id<id::Receipt> = id.ok_or_else(|| Error::internal("an answer without its receipt"))?;
    describe_receipt(app, &super::read_receipts::read_receipt(app, agency, id).await?).await
}

/// The signed notice that a receipt is void, for whoever may read the receipt.
pub async fn read_void(
    app: &App,
    receipt: &StoredReceipt,
    key: &DataKey,
) -> Result<Option<(VoidNotice, String)>> {
    let mut tx = app.store.begin().await?;
    let Some(stored) = voids::of_receipt(&mut tx, receipt.id).await? else { return Ok(None) };
    let bytes = key.open(&place(receipt.id), &stored.content)?.expose().clone();
    let notice = VoidNotice::read(&bytes).filter(|_| receipt_void::digest(&bytes) == stored.digest);
    let notice = notice.ok_or_else(|| Error::internal(receipt.id))?;
    let signer = app.keys.signing(Purpose::Record);
    let input = receipt_void::signing_input(&bytes, signer.kid());
    Ok(Some((notice, receipt_content::signed(&input, &signer.sign(input.as_bytes())))))
}

/// The receipt as it stands, locked: of two who take it back at once the second sees the first.
async fn current(tx: &mut Tx, agency: Id<Agency>, id: Id<id::Receipt>) -> Result<StoredReceipt> {
    receipt::lock(tx, id).await?;
    let old = receipt::find_in(tx, id).await?.ok_or(Error::not_found())?;
    if old.agency != agency {
        let bill = bill::bill(tx, old.bill).await?.ok_or(Error::not_found())?;
        demand_standing(tx, agency, old.agency, Some(bill.procedure.code.as_str())).await?;
    }
    if old.void.is_some() { Err(gone(&old)) } else { Ok(old) }
}

fn gone(old: &StoredReceipt) -> Error {
    Error::Conflict(Refusal::new("receipt_void_already").about(old.id))
}

fn number_of(receipt: &StoredReceipt) -> Result<Number> {
    receipt.number.parse().map_err(Error::internal)
}

fn voided_details(old: &StoredReceipt, digest: &Digest, receipts: &Value) -> Value {
    json!({
        "void": old.number,
        "content_sha256": hex::encode(old.digest),
        "notice_sha256": hex::encode(digest),
        "bill": old.bill.to_string(),
        "receipts": receipts,
    })
}

/// A receipt on its way out.
struct Voiding<'a> {
    app: &'a App,
    now: Instant,
    by: By,
    /// For whom that is, and who is told.
    agency: Id<Agency>,
    sealing: &'a DataKey,
    leaf: Id<id::Leaf>,
}

impl Voiding<'_> {
    async fn void(
        &self,
        tx: &mut Tx,
        old: &StoredReceipt,
        reason: &Reason,
        replaced_by: Option<(Id<id::Receipt>, Number)>,
    ) -> Result<Digest> {
        let notice = VoidNotice {
            v: 1,
            iss: self.app.origin.as_str().to_owned(),
            number: number_of(old)?,
            content_sha256: hex::encode(old.digest),
            at: receipt_content::instant(self.now),
            reason: reason.to_string(),
            replaced_by: replaced_by.as_ref().map(|(_, number)| number.clone()),
        };
        let bytes = notice.bytes();
        let digest = receipt_void::digest(&bytes);
        let stored = voids::StoredVoid {
            receipt: old.id,
            agency: old.agency,
            replaced_by: replaced_by.map(|(id, _)| id),
            at: self.now,
            by: self.by,
            content: self.sealing.seal(&*self.app.entropy, &place(old.id), &bytes),
            digest,
            leaf: self.leaf,
        };
        match voids::insert(tx, &stored).await {
            Err(e) if e.violates("receipt_void_once") => Err(gone(old)),
            done => {
                done?;
                Ok(digest)
            }
        }
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        old: &StoredReceipt,
        kind: &'static str,
        details: &Value,
        new: Option<(Id<id::Receipt>, &str)>,
    ) -> Result<()> {
        let concern = Concern { citizen: None, agency: Some(old.agency), object: old.bill.uuid() };
        let named = (self.leaf, self.now);
        let leaf = audit_leaf::leaf_named(self.app, named, kind, concern, self.sealing, details);
        audit::append(tx, &[leaf]).await?;
        let told = json!({
            "bill": old.bill.to_string(),
            "receipt": old.id.to_string(),
            "number": old.number,
            "replaced_by": new.map(|(id, _)| id.to_string()),
            "replaced_by_number": new.map(|(_, number)| number),
        });
        let row = event_row(self.app, self.now, kind, (self.agency, old.bill.uuid()), &told);
        Ok(outbox::enqueue(tx, &[row]).await?)
    }
}

fn place(receipt: Id<id::Receipt>) -> Vec<u8> {
    [b"receipt_void.content".as_slice(), receipt.uuid().as_bytes()].concat()
}
