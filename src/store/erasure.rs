//! What is taken away when a citizen's key is destroyed, and what law keeps elsewhere.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::digest::Digest;
use uuid::Uuid;

/// What a voucher that stays with its agency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoucherKind {
    /// A receipt.
    Receipt,
    /// A bill: whom it concerns, who files and pays, and what its fees were computed from.
    Bill,
    /// A refund: why, and who took the money.
    Refund,
    /// A movement at the bank that entries of the ledger rest on: who paid.
    Ledger,
}

impl VoucherKind {
    /// Its name in rows and texts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Bill => "bill",
            Self::Refund => "refund",
            Self::Ledger => "ledger",
        }
    }
}

/// A voucher that stays with its agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptVoucher {
    /// What it is.
    pub kind: VoucherKind,
    /// Its number as printed; of a bill or a refund the bill's reference, of a movement the bank's.
    pub number: String,
    /// The agency's name, in Vietnamese and English.
    pub agency: (String, String),
    /// When it was issued.
    pub issued_at: Instant,
}

/// The vouchers of these dossiers, each at its agency, as far as they still say something about a person.
pub async fn vouchers_of(tx: &mut Tx, dossiers: &[(Id<id::Agency>, String)]) -> Result<Vec<KeptVoucher>> {
    let agencies: Vec<Uuid> = dossiers.iter().map(|(agency, _)| agency.uuid()).collect();
    let codes: Vec<String> = dossiers.iter().map(|(_, dossier)| dossier.clone()).collect();
    let rows = sqlx::query!(
        r#"WITH bills AS MATERIALIZED (
               SELECT b.id, b.reference, b.issued_at, b.agency_id
               FROM (SELECT DISTINCT agency_id, dossier FROM unnest($1::uuid[], $2::text[]) AS u (agency_id, dossier)) d
               JOIN bill b ON b.agency_id = d.agency_id AND b.dossier = d.dossier)
           SELECT v.kind AS "kind!", v.number AS "number!", v.issued_at AS "issued_at!", a.name_vi, a.name_en
           FROM (SELECT 'receipt' AS kind, r.number, r.issued_at, r.agency_id
                 FROM bills b JOIN receipt r ON r.bill_id = b.id WHERE length(r.content) > 0
                 UNION ALL
                 SELECT 'bill', b.reference, b.issued_at, b.agency_id
                 FROM bills b JOIN bill_content c ON c.bill_id = b.id WHERE length(c.parties) > 0
                 UNION ALL
                 SELECT 'refund', b.reference, f.requested_at, f.agency_id
                 FROM bills b JOIN refund f ON f.bill_id = b.id WHERE length(f.words) > 0
                 UNION ALL
                 SELECT 'ledger', l.servicer_reference, s.fetched_at, o.owner_id
                 FROM bills b JOIN payment p ON p.bill_id = b.id JOIN credit c ON c.payment_id = p.id
                 JOIN statement_line l ON l.account_id = c.account_id
                     AND l.servicer_reference = c.servicer_reference AND (length(l.told) > 0 OR EXISTS (
                         SELECT FROM statement_told t WHERE t.statement_id = l.statement_id AND t.first <= l.number
                             AND t.last >= l.number AND length(t.told) > 0))
                 JOIN statement s ON s.id = l.statement_id
                 JOIN collecting_account o ON o.id = c.account_id) v
           JOIN agency a ON a.id = v.agency_id
           ORDER BY v.issued_at, v.kind, v.number"#,
        &agencies,
        &codes
    )
    .fetch_all(tx.conn())
    .await?;
    let kept = rows.into_iter().map(|row| KeptVoucher {
        kind: match row.kind.as_str() {
            "bill" => VoucherKind::Bill,
            "refund" => VoucherKind::Refund,
            "ledger" => VoucherKind::Ledger,
            _ => VoucherKind::Receipt,
        },
        number: row.number,
        agency: (row.name_vi, row.name_en),
        issued_at: row.issued_at,
    });
    Ok(kept.collect())
}

/// Destroys the citizen's key with the record that it sealed; false when it was destroyed before.
pub async fn destroy_key(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM register_person WHERE citizen_id = $1", citizen.uuid())
        .execute(tx.conn())
        .await?;
    Ok(super::moved_one(&done))
}

/// Takes the number from the citizen's row: the identifier stays as the name of nobody.
pub async fn forget_number(tx: &mut Tx, citizen: Id<id::Citizen>, nobodys: &Digest) -> Result<()> {
    sqlx::query!("UPDATE citizen SET number_hash = $2 WHERE id = $1", citizen.uuid(), nobodys.as_slice())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes the details of every decision about the citizen; the leaves stay, and say nothing any more.
pub async fn forget_details(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM audit_detail WHERE citizen_id = $1", citizen.uuid())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// Ends every session of the citizen.
pub async fn end_sessions(tx: &mut Tx, citizen: Id<id::Citizen>, at: Instant) -> Result<()> {
    sqlx::query!(
        "UPDATE session SET ended_at = $2 WHERE citizen_id = $1 AND ended_at IS NULL",
        citizen.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Removes the names under which portals knew the citizen.
pub async fn forget_pseudonyms(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<()> {
    sqlx::query!("DELETE FROM pseudonym WHERE citizen_id = $1", citizen.uuid()).execute(tx.conn()).await?;
    Ok(())
}

/// Removes the ways to sign in, what notices said and where they went, locks, recovery slips, data requests, and the
/// browsers and numbers that led here.
pub async fn forget_ways(tx: &mut Tx, citizen: Id<id::Citizen>, number_hash: &Digest) -> Result<()> {
    super::familiar::forget(tx, number_hash).await?;
    let id = citizen.uuid();
    let conn = tx.conn();
    sqlx::query!("DELETE FROM notice WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!("UPDATE session SET authenticator_id = NULL WHERE citizen_id = $1", id)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM authenticator WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM contact WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM citizen_lock WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM recovery_slip WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM subject_request WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    sqlx::query!("DELETE FROM register_former_number WHERE citizen_id = $1", id).execute(&mut *conn).await?;
    Ok(())
}

/// Removes what the national e-ID reported, and which account of it was the citizen's.
pub async fn forget_national_id(tx: &mut Tx, citizen: Id<id::Citizen>) -> Result<()> {
    sqlx::query!(
        r#"WITH reports AS (DELETE FROM account_level_report WHERE citizen_id = $1)
           DELETE FROM national_id_account WHERE citizen_id = $1"#,
        citizen.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Records the erasure.
pub async fn insert(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    at: Instant,
    leaf: Id<id::Leaf>,
    vouchers: usize,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO erasure (citizen_id, at, leaf_id, vouchers) VALUES ($1, $2, $3, $4)",
        citizen.uuid(),
        at,
        leaf.uuid(),
        i32::try_from(vouchers).unwrap_or(i32::MAX)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
