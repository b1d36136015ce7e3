//! The accounts in which money for bills arrives, and the accounts of the books that stand for them.

use super::{Result, StoreError, Tx};
use crate::{
    base::{
        clock::Instant,
        id::{Account, Agency, Id},
        text::Line,
    },
    crypto::seal::WrappedKey,
    payment::{bill::Beneficiary, fee::FeeKind, ledger},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A real account in which money for bills arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectingAccount {
    /// Its identifier.
    pub id: Id<Account>,
    /// The legal owner, under whose key its bank's words are sealed.
    pub owner: Id<Agency>,
    /// Whose accounting answers for it: the owner's, or that of whoever has taken the owner's place.
    pub heir: Id<Agency>,
    /// The bank that keeps it, by BIC.
    pub bank: String,
    /// The account number, as the bank writes it.
    pub number: String,
    /// The name that the payer's bank app shows.
    pub holder: Line,
}

/// Adds an account; false when its number exists.
pub async fn insert_account(tx: &mut Tx, account: &CollectingAccount, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into collecting_account (id, owner_id, bank, number, holder, opened_at) values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint collecting_account_number_once do nothing",
        account.id.uuid(),
        account.owner.uuid(),
        account.bank,
        account.number,
        account.holder.as_str(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(super::moved_one(&done))
}

/// Opens accounts whose numbers are not known yet.
pub async fn insert_accounts(tx: &mut Tx, accounts: &[CollectingAccount], at: Instant) -> Result<()> {
    let text = |of: fn(&CollectingAccount) -> &str| {
        accounts.iter().map(|account| of(account).to_owned()).collect::<Vec<String>>()
    };
    sqlx::query!(
        "insert into collecting_account (id, owner_id, bank, number, holder, opened_at)
         select id, owner, bank, number, holder, $6
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) a (id, owner, bank, number, holder)
         order by number
         on conflict on constraint collecting_account_number_once do nothing",
        &accounts.iter().map(|account| account.id.uuid()).collect::<Vec<_>>(),
        &accounts.iter().map(|account| account.owner.uuid()).collect::<Vec<_>>(),
        &text(|account| &account.bank),
        &text(|account| &account.number),
        &text(|account| account.holder.as_str()),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets an agency collect in an account from now on.
pub async fn collect_in(tx: &mut Tx, agency: Id<Agency>, account: Id<Account>) -> Result<()> {
    sqlx::query!(
        "insert into agency_collection (agency_id, account_id) values ($1, $2)
         on conflict (agency_id) do update set account_id = excluded.account_id",
        agency.uuid(),
        account.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What agencies have said about their accounts.
#[derive(Default)]
pub struct Standing {
    /// To whom fees of each kind belong.
    pub beneficiaries: BTreeMap<(Id<Agency>, FeeKind), Beneficiary>,
    /// Where each collects now.
    pub collecting: BTreeMap<Id<Agency>, CollectingAccount>,
}

/// What these agencies have said.
pub async fn standing(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Standing> {
    let agencies: Vec<Uuid> = agencies.iter().map(|a| a.uuid()).collect();
    let rows = sqlx::query!(
        r#"select a.id as "agency!", k.kind as "kind?", k.account_no as "account_no?", k.agent_bic as "agent_bic?",
               k.account_name as "account_name?", c.id as "id?", c.owner_id as "owner_id?",
               coalesce(c.heir_id, c.owner_id) as "heir_id?", c.bank as "bank?", c.number as "number?", c.holder as "holder?"
           from unnest($1::uuid[]) as a (id)
           left join agency_account k on k.agency_id = a.id
           left join agency_collection g on g.agency_id = a.id
           left join collecting_account c on c.id = g.account_id"#,
        &agencies,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut standing = Standing::default();
    for row in rows {
        let agency: Id<Agency> = Id::from_uuid(row.agency);
        if let (Some(kind), Some(bank), Some(number), Some(holder)) =
            (row.kind, row.agent_bic, row.account_no, row.account_name)
        {
            let bad = |column| StoreError::corrupt("agency_account", column, agency);
            let kind = kind.parse().map_err(|_| bad("kind"))?;
            let holder = Line::parse(&holder).map_err(|_| bad("account_name"))?;
            standing.beneficiaries.insert((agency, kind), Beneficiary { agency: None, bank, number, holder });
        }
        if let (Some(id), Some(owner_id), Some(heir_id), Some(bank), Some(number), Some(holder)) =
            (row.id, row.owner_id, row.heir_id, row.bank, row.number, row.holder)
        {
            let raw = Raw { id, owner_id, heir_id, bank, number, holder };
            standing.collecting.insert(agency, raw.try_into()?);
        }
    }
    Ok(standing)
}

/// An account by its identifier.
pub async fn account(tx: &mut Tx, account: Id<Account>) -> Result<Option<CollectingAccount>> {
    let row = sqlx::query_as!(
        Raw,
        r#"select id, owner_id, coalesce(heir_id, owner_id) as "heir_id!", bank, number, holder
         from collecting_account where id = $1"#,
        account.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The accounts of these identifiers.
pub async fn accounts_named(tx: &mut Tx, accounts: &[Id<Account>]) -> Result<Vec<CollectingAccount>> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        r#"select id, owner_id, coalesce(heir_id, owner_id) as "heir_id!", bank, number, holder
         from collecting_account where id = any($1) order by id"#,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// An account by its number.
pub async fn account_of_number(tx: &mut Tx, number: &str) -> Result<Option<CollectingAccount>> {
    let row = sqlx::query_as!(
        Raw,
        r#"select id, owner_id, coalesce(heir_id, owner_id) as "heir_id!", bank, number, holder
         from collecting_account where number = $1"#,
        number,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The accounts of these numbers.
pub async fn accounts_of_numbers(tx: &mut Tx, numbers: &[&str]) -> Result<Vec<CollectingAccount>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"select id, owner_id, coalesce(heir_id, owner_id) as "heir_id!", bank, number, holder
         from collecting_account where number = any($1) order by number"#,
        numbers as &[&str],
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Every collecting account, by number: what statements are fetched for.
pub async fn accounts(tx: &mut Tx) -> Result<Vec<CollectingAccount>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"select id, owner_id, coalesce(heir_id, owner_id) as "heir_id!", bank, number, holder
         from collecting_account order by number"#
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The collecting accounts that this agency owns or has inherited, by number.
pub async fn accounts_of(tx: &mut Tx, owner: Id<Agency>) -> Result<Vec<CollectingAccount>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"select id, owner_id, coalesce(heir_id, owner_id) as "heir_id!", bank, number, holder
         from collecting_account where owner_id = $1 or heir_id = $1 order by number"#,
        owner.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What booking money on an account needs.
#[derive(Debug, Clone)]
pub struct Booked {
    /// The account.
    pub id: Id<Account>,
    /// Whose accounting answers for it: its legal owner's, or that of whoever has taken the owner's place.
    pub owner: Id<Agency>,
    /// The owner's key.
    pub key: WrappedKey,
    /// The number of the books' account for the money in it.
    pub clearing: i32,
    /// The number of the books' account for money without a home in it.
    pub suspense: i32,
}

/// The accounts that have these numbers, with what booking on them needs.
pub async fn booked(tx: &mut Tx, numbers: &[&str]) -> Result<BTreeMap<String, Booked>> {
    let rows = sqlx::query!(
        "select a.number, a.id, g.id as owner_id, g.wrapped_key, g.key_generation, c.id as clearing, s.id as suspense
         from collecting_account a
         join agency g on g.id = coalesce(a.heir_id, a.owner_id)
         join ledger_account c on c.kind = 'clearing' and c.account_id = a.id
         join ledger_account s on s.kind = 'suspense' and s.account_id = a.id
         where a.number = any($1)",
        numbers as &[&str],
    )
    .fetch_all(tx.conn())
    .await?;
    let booked = rows.into_iter().map(|row| {
        let account = Booked {
            id: Id::from_uuid(row.id),
            owner: Id::from_uuid(row.owner_id),
            key: WrappedKey { bytes: row.wrapped_key, generation: row.key_generation.cast_unsigned() },
            clearing: row.clearing,
            suspense: row.suspense,
        };
        (row.number, account)
    });
    Ok(booked.collect())
}

/// The numbers of the books' accounts that stand for what these agencies collect.
pub async fn numbers_of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
) -> Result<BTreeMap<ledger::Account, i32>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|agency| agency.uuid()).collect();
    let rows = sqlx::query!(
        "select id, kind, agency_id from ledger_account
         where agency_id = any($1) and drawer_id is null and counterpart_id is null",
        &agencies,
    )
    .fetch_all(tx.conn())
    .await?;
    let open = rows.into_iter().map(|row| {
        let account = ledger_account(&row.kind, None, row.agency_id, (None, None))
            .ok_or_else(|| StoreError::corrupt("ledger_account", "kind", &row.kind))?;
        Ok((account, row.id))
    });
    open.collect()
}

/// The numbers of these accounts of the books, those that are open.
pub async fn numbers(tx: &mut Tx, accounts: &[ledger::Account]) -> Result<BTreeMap<ledger::Account, i32>> {
    let Columns { kinds, banks, agencies, drawers, others } = Columns::of(accounts);
    let rows = sqlx::query!(
        r#"select l.id, w.ordinal as "ordinal!"
         from unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[]) with ordinality
             as w (kind, account_id, agency_id, drawer_id, counterpart_id, ordinal)
         join ledger_account l on l.kind = w.kind
             and (l.account_id = w.account_id or (l.account_id is null and w.account_id is null))
             and (l.agency_id = w.agency_id or (l.agency_id is null and w.agency_id is null))
             and (l.drawer_id = w.drawer_id or (l.drawer_id is null and w.drawer_id is null))
             and (l.counterpart_id = w.counterpart_id or (l.counterpart_id is null and w.counterpart_id is null))"#,
        &kinds as &[&str],
        &banks as &[Option<Uuid>],
        &agencies as &[Option<Uuid>],
        &drawers as &[Option<Uuid>],
        &others as &[Option<Uuid>],
    )
    .fetch_all(tx.conn())
    .await?;
    let place = |ordinal: i64| usize::try_from(ordinal - 1).ok().and_then(|at| accounts.get(at)).copied();
    Ok(rows.into_iter().filter_map(|row| Some((place(row.ordinal)?, row.id))).collect())
}

/// Opens accounts of the books, and gives the numbers of all of them.
pub async fn open_numbers(
    tx: &mut Tx,
    accounts: &[ledger::Account],
) -> Result<BTreeMap<ledger::Account, i32>> {
    open_ledger_accounts(tx, accounts).await?;
    numbers(tx, accounts).await
}

/// Opens accounts of the books; those that exist stay.
pub async fn open_ledger_accounts(tx: &mut Tx, accounts: &[ledger::Account]) -> Result<()> {
    let Columns { kinds, banks, agencies, drawers, others } = Columns::of(accounts);
    sqlx::query!(
        "insert into ledger_account (kind, account_id, agency_id, drawer_id, counterpart_id)
         select a.kind, a.account_id, a.agency_id, a.drawer_id, a.counterpart_id
         from unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])
             as a (kind, account_id, agency_id, drawer_id, counterpart_id)
         on conflict on constraint ledger_account_once do nothing",
        &kinds as &[&str],
        &banks as &[Option<Uuid>],
        &agencies as &[Option<Uuid>],
        &drawers as &[Option<Uuid>],
        &others as &[Option<Uuid>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Accounts of the books as columns.
#[derive(Default)]
struct Columns {
    kinds: Vec<&'static str>,
    banks: Vec<Option<Uuid>>,
    agencies: Vec<Option<Uuid>>,
    drawers: Vec<Option<Uuid>>,
    others: Vec<Option<Uuid>>,
}

impl Columns {
    fn of(accounts: &[ledger::Account]) -> Self {
        use ledger::Account;
        let mut columns = Self::default();
        for account in accounts {
            let (bank, agency, drawer) = match account {
                Account::Clearing(bank) | Account::Suspense(bank) | Account::BankClaim(bank) => {
                    (Some(bank.uuid()), None, None)
                }
                Account::CashDrawer(agency, drawer) => (None, Some(agency.uuid()), Some(drawer.uuid())),
                Account::AgencyFee(agency, _)
                | Account::Retained(agency)
                | Account::RefundDue(agency)
                | Account::Unclaimed(agency)
                | Account::BankCharges(agency)
                | Account::CardDiscount(agency)
                | Account::CardReceivable(agency)
                | Account::CashInTransit(agency)
                | Account::DeskOwes(agency, _)
                | Account::OwedByDesk(agency, _)
                | Account::CashDifference(agency) => (None, Some(agency.uuid()), None),
            };
            columns.kinds.push(account.kind());
            columns.banks.push(bank);
            columns.agencies.push(agency);
            columns.drawers.push(drawer);
            let other = match account {
                Account::DeskOwes(_, other) | Account::OwedByDesk(_, other) => Some(other.uuid()),
                Account::Clearing(_)
                | Account::Suspense(_)
                | Account::BankClaim(_)
                | Account::CashDrawer(_, _)
                | Account::AgencyFee(_, _)
                | Account::Retained(_)
                | Account::RefundDue(_)
                | Account::Unclaimed(_)
                | Account::BankCharges(_)
                | Account::CardDiscount(_)
                | Account::CardReceivable(_)
                | Account::CashInTransit(_)
                | Account::CashDifference(_) => None,
            };
            columns.others.push(other);
        }
        columns
    }
}

/// The account of the books that a row stands for.
pub(super) fn ledger_account(
    kind: &str,
    account: Option<Uuid>,
    agency: Option<Uuid>,
    (drawer, other): (Option<Uuid>, Option<Uuid>),
) -> Option<ledger::Account> {
    use ledger::Account;
    if let Some(other) = other {
        let (agency, other) = (Id::from_uuid(agency?), Id::from_uuid(other));
        return match kind {
            "desk_owes" => Some(Account::DeskOwes(agency, other)),
            "owed_by_desk" => Some(Account::OwedByDesk(agency, other)),
            _ => None,
        };
    }
    let account = match (kind, account, agency, drawer) {
        ("clearing", Some(id), None, None) => Account::Clearing(Id::from_uuid(id)),
        ("bank_claim", Some(id), None, None) => Account::BankClaim(Id::from_uuid(id)),
        ("suspense", Some(id), None, None) => Account::Suspense(Id::from_uuid(id)),
        ("cash_drawer", None, Some(id), Some(drawer)) => {
            Account::CashDrawer(Id::from_uuid(id), Id::from_uuid(drawer))
        }
        (kind, None, Some(id), None) => {
            let agency = Id::from_uuid(id);
            match kind {
                "fee_phi" => Account::AgencyFee(agency, FeeKind::Phi),
                "fee_le_phi" => Account::AgencyFee(agency, FeeKind::LePhi),
                "fee_tax" => Account::AgencyFee(agency, FeeKind::Tax),
                "fee_service" => Account::AgencyFee(agency, FeeKind::Service),
                "fee_phi_retained" => Account::Retained(agency),
                "refund_due" => Account::RefundDue(agency),
                "unclaimed" => Account::Unclaimed(agency),
                "bank_charges" => Account::BankCharges(agency),
                "card_discount" => Account::CardDiscount(agency),
                "card_receivable" => Account::CardReceivable(agency),
                "cash_in_transit" => Account::CashInTransit(agency),
                "cash_difference" => Account::CashDifference(agency),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(account)
}

struct Raw {
    id: Uuid,
    owner_id: Uuid,
    heir_id: Uuid,
    bank: String,
    number: String,
    holder: String,
}

impl TryFrom<Raw> for CollectingAccount {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<Account> = Id::from_uuid(raw.id);
        let holder = Line::parse(&raw.holder);
        Ok(Self {
            id,
            owner: Id::from_uuid(raw.owner_id),
            heir: Id::from_uuid(raw.heir_id),
            bank: raw.bank,
            number: raw.number,
            holder: holder.map_err(|_| StoreError::corrupt("collecting_account", "holder", id))?,
        })
    }
}
