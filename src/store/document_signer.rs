//! The keys and certificates with which agencies sign documents.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, DocumentSigner, Id},
    secret::Sealed,
};
use uuid::Uuid;

/// A private key (PKCS #8), sealed under the agency's key.
pub enum PrivateKey {}

/// A certificate with what stands above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// The certificate, in DER.
    pub certificate: Vec<u8>,
    /// Those above it, in DER.
    pub chain: Vec<Vec<u8>>,
    /// Its first and its last moment.
    pub valid: (Instant, Instant),
}

/// A signer as its row holds it.
pub struct StoredSigner {
    /// Its identifier.
    pub id: Id<DocumentSigner>,
    /// Whose.
    pub agency: Id<Agency>,
    /// The key, sealed.
    pub private_key: Sealed<PrivateKey>,
    /// The certificate, once there is one.
    pub certified: Option<Certified>,
    /// Whether its own key signed the certificate.
    pub own: bool,
    /// When it was made.
    pub created_at: Instant,
}

/// Adds a signer.
pub async fn insert(tx: &mut Tx, signer: &StoredSigner) -> Result<()> {
    let certified = signer.certified.as_ref();
    let chain: &[Vec<u8>] = certified.map_or(&[], |c| &c.chain);
    sqlx::query!(
        "INSERT INTO document_signer (id, agency_id, private_key, key, certificate, chain, own, valid_from, valid_to,
                                      created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        signer.id.uuid(),
        signer.agency.uuid(),
        signer.private_key.bytes(),
        signer.private_key.key().cast_signed(),
        certified.map(|c| c.certificate.as_slice()),
        chain,
        signer.own,
        certified.map(|c| c.valid.0),
        certified.map(|c| c.valid.1),
        signer.created_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts an authority's certificate beside the key that it was asked for; false when there is one already.
pub async fn certify(tx: &mut Tx, signer: Id<DocumentSigner>, certified: &Certified) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE document_signer SET certificate = $2, chain = $3, valid_from = $4, valid_to = $5
         WHERE id = $1 AND certificate IS NULL",
        signer.uuid(),
        certified.certificate,
        &certified.chain,
        certified.valid.0,
        certified.valid.1
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// A signer by its identifier.
pub async fn find(tx: &mut Tx, id: Id<DocumentSigner>) -> Result<Option<StoredSigner>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, agency_id, private_key, key, certificate, chain, own, valid_from, valid_to, created_at
         FROM document_signer WHERE id = $1",
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The agency's signers, the newest first.
pub async fn of_agency(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<StoredSigner>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, agency_id, private_key, key, certificate, chain, own, valid_from, valid_to, created_at
         FROM document_signer WHERE agency_id = $1 ORDER BY id DESC",
        agency.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Who signs for the agency at that moment: by an authority's certificate if there is one, the newest first.
pub async fn of_moment(tx: &mut Tx, agency: Id<Agency>, at: Instant) -> Result<Option<StoredSigner>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, agency_id, private_key, key, certificate, chain, own, valid_from, valid_to, created_at
         FROM document_signer WHERE agency_id = $1 AND valid_from <= $2 AND valid_to > $2
         ORDER BY own, id DESC LIMIT 1",
        agency.uuid(),
        at
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    private_key: Vec<u8>,
    key: i32,
    certificate: Option<Vec<u8>>,
    chain: Vec<Vec<u8>>,
    own: bool,
    valid_from: Option<Instant>,
    valid_to: Option<Instant>,
    created_at: Instant,
}

impl TryFrom<Row> for StoredSigner {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let certified = match (row.certificate, row.valid_from, row.valid_to) {
            (Some(certificate), Some(from), Some(to)) => {
                Some(Certified { certificate, chain: row.chain, valid: (from, to) })
            }
            _ => None,
        };
        Ok(Self {
            id: Id::from_uuid(row.id),
            agency: Id::from_uuid(row.agency_id),
            private_key: Sealed::new(row.private_key, row.key.cast_unsigned()),
            certified,
            own: row.own,
            created_at: row.created_at,
        })
    }
}
