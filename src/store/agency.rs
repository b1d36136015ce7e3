//! Agencies, their accounts and their data keys.

use super::{Result, Store, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Id},
    page::{Page, PageRequest},
};
use crate::crypto::seal::WrappedKey;
use uuid::Uuid;

/// An agency as its row has it.
#[derive(Debug, Clone)]
pub struct AgencyRow {
    /// Its identifier.
    pub id: Id<Agency>,
    /// Its code, e.g. `H29.14`.
    pub code: String,
    /// Its name in Vietnamese.
    pub name_vi: String,
    /// Its name in English.
    pub name_en: String,
    /// The tax code on its receipts.
    pub tax_code: Option<String>,
    /// Its address in Vietnamese.
    pub address_vi: Option<String>,
    /// Whether it may ask and charge.
    pub active: bool,
    /// Its data key, wrapped.
    pub key: WrappedKey,
}

/// Where an agency's money of one kind is collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// `phi` or `le_phi`.
    pub kind: String,
    /// The account's number.
    pub account_no: String,
    /// The clearing code of the bank or Treasury office that keeps it.
    pub agent_bic: String,
    /// The name on it.
    pub account_name: String,
}

/// Registers an agency; its code is unique (`agency_code_key`).
pub async fn insert(tx: &mut Tx, agency: &AgencyRow, at: Instant) -> Result<()> {
    let generation = i32::try_from(agency.key.generation).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"INSERT INTO agency (id, code, name_vi, name_en, tax_code, address_vi, state, wrapped_key, key_generation,
                               created_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'active', $7, $8, $9)"#,
        agency.id.uuid(),
        agency.code,
        agency.name_vi,
        agency.name_en,
        agency.tax_code,
        agency.address_vi,
        agency.key.bytes,
        generation,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sets where the agency's money of one kind is collected.
pub async fn put_account(tx: &mut Tx, agency: Id<Agency>, account: &AccountRow) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO agency_account (agency_id, kind, account_no, agent_bic, account_name)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (agency_id, kind) DO UPDATE
           SET account_no = EXCLUDED.account_no, agent_bic = EXCLUDED.agent_bic, account_name = EXCLUDED.account_name"#,
        agency.uuid(),
        account.kind,
        account.account_no,
        account.agent_bic,
        account.account_name
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sets where the agency's money of each of these kinds is collected.
pub async fn put_accounts(tx: &mut Tx, agency: Id<Agency>, accounts: &[AccountRow]) -> Result<()> {
    let column = |of: fn(&AccountRow) -> &str| accounts.iter().map(of).collect::<Vec<&str>>();
    sqlx::query!(
        r#"INSERT INTO agency_account (agency_id, kind, account_no, agent_bic, account_name)
           SELECT $1, a.kind, a.account_no, a.agent_bic, a.account_name
           FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
               AS a (kind, account_no, agent_bic, account_name)
           ON CONFLICT (agency_id, kind) DO UPDATE
           SET account_no = EXCLUDED.account_no, agent_bic = EXCLUDED.agent_bic, account_name = EXCLUDED.account_name"#,
        agency.uuid(),
        &column(|a| &a.kind) as &[&str],
        &column(|a| &a.account_no) as &[&str],
        &column(|a| &a.agent_bic) as &[&str],
        &column(|a| &a.account_name) as &[&str],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The accounts of an agency.
pub async fn accounts(tx: &mut Tx, agency: Id<Agency>) -> Result<Vec<AccountRow>> {
    let rows = sqlx::query_as!(
        AccountRow,
        "SELECT kind, account_no, agent_bic, account_name FROM agency_account WHERE agency_id = $1 ORDER BY kind",
        agency.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// The agencies of these identifiers, those that exist.
pub async fn find_all(tx: &mut Tx, ids: &[Id<Agency>]) -> Result<Vec<AgencyRow>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, code, name_vi, name_en, tax_code, address_vi, state, wrapped_key, key_generation
           FROM agency WHERE id = ANY($1)"#,
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The agency of that code.
pub async fn find_by_code(tx: &mut Tx, code: &str) -> Result<Option<AgencyRow>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, code, name_vi, name_en, tax_code, address_vi, state, wrapped_key, key_generation
           FROM agency WHERE code = $1"#,
        code
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Every agency, by code.
pub async fn list(store: &Store) -> Result<Vec<AgencyRow>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, code, name_vi, name_en, tax_code, address_vi, state, wrapped_key, key_generation
           FROM agency ORDER BY code"#
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The agencies, the newest first, a page at a time.
pub async fn page(tx: &mut Tx, page: &PageRequest<Id<Agency>>) -> Result<Page<AgencyRow>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, code, name_vi, name_en, tax_code, address_vi, state, wrapped_key, key_generation
           FROM agency WHERE coalesce(id < $1, true) ORDER BY id DESC LIMIT $2"#,
        page.after.map(Id::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<AgencyRow>>>()?;
    Ok(Page::from_rows(rows, page))
}

/// Suspends or readmits an agency; false when none of that identifier was in the other state.
pub async fn set_active(tx: &mut Tx, agency: Id<Agency>, active: bool) -> Result<bool> {
    let state = if active { "active" } else { "suspended" };
    let done =
        sqlx::query!("UPDATE agency SET state = $2 WHERE id = $1 AND state <> $2", agency.uuid(), state)
            .execute(tx.conn())
            .await?;
    Ok(super::moved_one(&done))
}

struct Raw {
    id: Uuid,
    code: String,
    name_vi: String,
    name_en: String,
    tax_code: Option<String>,
    address_vi: Option<String>,
    state: String,
    wrapped_key: Vec<u8>,
    key_generation: i32,
}

impl TryFrom<Raw> for AgencyRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        let generation = u32::try_from(raw.key_generation)
            .map_err(|_| StoreError::corrupt("agency", "key_generation", id))?;
        Ok(Self {
            id,
            code: raw.code,
            name_vi: raw.name_vi,
            name_en: raw.name_en,
            tax_code: raw.tax_code,
            address_vi: raw.address_vi,
            active: raw.state == "active",
            key: WrappedKey { bytes: raw.wrapped_key, generation },
        })
    }
}
