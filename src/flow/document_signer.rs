//! Keys and certificates with which agencies sign their documents.
//!
//! The private key is made here and never leaves; an authority certifies it by a request (PKCS #10). Until there is an
//! authority's certificate the agency signs with one of its own, which whoever receives a document knows by its
//! fingerprint only.

use super::{
    Error, Refusal, Result,
    agency_key::agency_with_key,
    audit_leaf::{self, Concern},
    idempotency::Idempotency,
};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    clock::Instant,
    entropy::random,
    id::{Agency, DocumentSigner, Id},
};
use crate::codec::{
    asn1::{from_pem, pem},
    pdf_signature::{self, Signing},
    signer_certificate::{self, Subject},
};
use crate::crypto::{
    digest::sha256,
    seal::DataKey,
    signing::{Signer, SigningKey},
};
use crate::store::{
    Tx,
    agency::AgencyRow,
    audit,
    document_signer::{self, Certified, StoredSigner},
};
use serde_json::{Value, json};
use time::Duration;

/// How long a certificate of one's own is valid.
const OWN_LIFE: Duration = Duration::days(5 * 365);

/// Makes a key for an agency, and the request to certify it.
pub async fn request_certificate(app: &App, agency: Id<Agency>, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let (row, sealing) = agency_with_key(app, &mut tx, agency).await?;
    let (stored, signing) = new_signer(app, &row, &sealing, now);
    document_signer::insert(&mut tx, &stored).await?;
    record(app, &mut tx, &stored, "signer.requested", &sealing, now).await?;
    let unsigned = signer_certificate::request(subject(&row), signing.verifying_key().point());
    let signature = signing.sign(unsigned.message());
    let mut answer = signer_json(&stored);
    answer["request"] = pem("CERTIFICATE REQUEST", &unsigned.finish(&signature)).into();
    key.keep(&mut tx, stored.id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Puts an authority's certificate beside its key; the first certificate is the agency's, the rest stand above it.
pub async fn install_certificate(
    app: &App,
    id: Id<DocumentSigner>,
    certificates: &str,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let stored = document_signer::find(&mut tx, id).await?.ok_or(Error::not_found())?;
    let unfit =
        |rule| Error::Refused(Refusal::new("certificate_unfit").violation("/certificates", rule, None));
    let mut blocks = from_pem("CERTIFICATE", certificates).ok_or_else(|| unfit("shape"))?;
    if blocks.is_empty() {
        return Err(unfit("shape"));
    }
    let chain = blocks.split_off(1);
    let certificate = blocks.remove(0);
    let known = signer_certificate::read(&certificate).ok_or_else(|| unfit("shape"))?;
    if chain.iter().any(|above| signer_certificate::read(above).is_none()) {
        return Err(unfit("shape"));
    }
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let signing = open(&sealing, &stored)?;
    if known.point.as_ref() != Some(signing.verifying_key().point()) {
        return Err(unfit("another_key"));
    }
    if known.valid.1 <= now {
        return Err(unfit("expired"));
    }
    let certified = Certified { certificate, chain, valid: known.valid };
    if !document_signer::certify(&mut tx, id, &certified).await? {
        return Err(Error::conflict("certificate_exists"));
    }
    let stored = StoredSigner { certified: Some(certified), ..stored };
    record(app, &mut tx, &stored, "signer.certified", &sealing, now).await?;
    let answer = signer_json(&stored);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The agency's signers, the newest first.
pub async fn list_signers(app: &App, agency: Id<Agency>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    agency_with_key(app, &mut tx, agency).await?;
    let items: Vec<Value> =
        document_signer::of_agency(&mut tx, agency).await?.iter().map(signer_json).collect();
    Ok(json!({ "items": items, "next": null }))
}

/// Signs a document of the agency as it was made at `now`; the agency's first document brings it a certificate of its
/// own where it has none.
pub(super) async fn sign_pdf(
    app: &App,
    (agency, sealing): (Id<Agency>, &DataKey),
    pdf: &[u8],
    reason: &str,
    now: Instant,
) -> Result<Vec<u8>> {
    let mut tx = app.store.begin().await?;
    let (row, _) = agency_with_key(app, &mut tx, agency).await?;
    let found = document_signer::of_moment(&mut tx, agency, now).await?;
    let stored = match found {
        Some(stored) => stored,
        None => make_own(app, &mut tx, &row, sealing, now).await?,
    };
    tx.commit().await?;
    let signing = open(sealing, &stored)?;
    let certified = stored.certified.ok_or_else(|| Error::internal(stored.id))?;
    let prepared = pdf_signature::prepare(pdf, &Signing { name: &row.name_vi, reason, at: now });
    let prepared = prepared.map_err(Error::internal)?;
    let unsigned = prepared.unsigned(&certified.certificate, &certified.chain);
    let unsigned = unsigned.ok_or_else(|| Error::internal(stored.id))?;
    let signature = signing.sign(&unsigned.message());
    prepared.finish(&unsigned.finish(&signature)).map_err(Error::internal)
}

async fn make_own(
    app: &App,
    tx: &mut Tx,
    row: &AgencyRow,
    sealing: &DataKey,
    now: Instant,
) -> Result<StoredSigner> {
    tx.lock(super::idempotency::lock_name(Id::from_uuid(row.id.uuid()), "document signer")).await?;
    if let Some(stored) = document_signer::of_moment(tx, row.id, now).await? {
        return Ok(stored);
    }
    let (stored, signing) = new_signer(app, row, sealing, now);
    let mut serial: [u8; 16] = random(&*app.entropy);
    serial[0] = serial[0] & 0x7f | 0x40;
    let valid = (now, now + OWN_LIFE);
    let unsigned = signer_certificate::own(subject(row), signing.verifying_key().point(), serial, valid);
    let signature = signing.sign(unsigned.message());
    let certified = Certified { certificate: unsigned.finish(&signature), chain: Vec::new(), valid };
    let stored = StoredSigner { certified: Some(certified), own: true, ..stored };
    document_signer::insert(tx, &stored).await?;
    record(app, tx, &stored, "signer.made", sealing, now).await?;
    Ok(stored)
}

fn new_signer(app: &App, row: &AgencyRow, sealing: &DataKey, now: Instant) -> (StoredSigner, SigningKey) {
    let signing = SigningKey::generate();
    let id = Id::new(now, &*app.entropy);
    let stored = StoredSigner {
        id,
        agency: row.id,
        private_key: sealing.seal(&*app.entropy, &place(id), signing.pkcs8()),
        certified: None,
        own: false,
        created_at: now,
    };
    (stored, signing)
}

fn open(sealing: &DataKey, stored: &StoredSigner) -> Result<SigningKey> {
    let plain = sealing.open(&place(stored.id), &stored.private_key)?;
    SigningKey::from_pkcs8(plain.expose()).map_err(Error::internal)
}

fn place(id: Id<DocumentSigner>) -> Vec<u8> {
    [b"document_signer.private_key".as_slice(), id.uuid().as_bytes()].concat()
}

fn subject(row: &AgencyRow) -> Subject<'_> {
    Subject { name: &row.name_vi, tax_code: row.tax_code.as_deref() }
}

fn signer_json(signer: &StoredSigner) -> Value {
    let certified = signer.certified.as_ref();
    json!({
        "id": signer.id.to_string(),
        "agency": signer.agency.to_string(),
        "own": signer.own,
        "certificate": certified.map(|c| pem("CERTIFICATE", &c.certificate)),
        "fingerprint_sha256": certified.map(|c| hex::encode(sha256(&c.certificate))),
        "valid_from": certified.map(|c| rfc3339(c.valid.0)),
        "valid_to": certified.map(|c| rfc3339(c.valid.1)),
        "created_at": rfc3339(signer.created_at),
        "request": null,
    })
}

async fn record(
    app: &App,
    tx: &mut Tx,
    signer: &StoredSigner,
    kind: &'static str,
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(signer.agency), object: signer.id.uuid() };
    let fingerprint = signer.certified.as_ref().map(|c| hex::encode(sha256(&c.certificate)));
    let details = json!({ "signer": signer.id.to_string(), "fingerprint_sha256": fingerprint });
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}
