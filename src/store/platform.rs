//! Partners of the payment platform's protocol, their tolerances, and the payments that they began here.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Bill, Client, Id, Payment},
    secret::Sealed,
};
use crate::crypto::{digest::Digest, seal::WrappedKey};
use uuid::Uuid;

/// The shared secret, sealed under the agency's key.
pub enum PartnerSecret {}

/// A partner.
#[derive(Debug, Clone)]
pub struct StoredPartner {
    /// Its code.
    pub code: String,
    /// The agency that it works for.
    pub agency: Id<Agency>,
    /// In whose name its bills are issued.
    pub client: Id<Client>,
    /// The secret.
    pub secret: Sealed<PartnerSecret>,
    /// Where it is told of payments.
    pub confirm_url: String,
}

/// Adds a partner, or gives it another secret and address.
pub async fn put(tx: &mut Tx, partner: &StoredPartner, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into platform_partner (code, agency_id, client_id, secret, key, confirm_url, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (code) do update set secret = excluded.secret, key = excluded.key,
             confirm_url = excluded.confirm_url
         where platform_partner.agency_id = excluded.agency_id",
        partner.code,
        partner.agency.uuid(),
        partner.client.uuid(),
        partner.secret.bytes(),
        partner.secret.key().cast_signed(),
        partner.confirm_url,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A partner by its code.
pub async fn partner(tx: &mut Tx, code: &str) -> Result<Option<StoredPartner>> {
    let row = sqlx::query!(
        "select code, agency_id, client_id, secret, key, confirm_url from platform_partner where code = $1",
        code,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| StoredPartner {
        code: row.code,
        agency: Id::from_uuid(row.agency_id),
        client: Id::from_uuid(row.client_id),
        secret: Sealed::new(row.secret, row.key.cast_unsigned()),
        confirm_url: row.confirm_url,
    }))
}

/// Which partners may speak, all of them or that one: those whose client is active and has not expired, and whose agency
/// is active, or one that has taken its place.
pub async fn speakers(tx: &mut Tx, code: Option<&str>, now: Instant) -> Result<Vec<String>> {
    let codes = sqlx::query_scalar!(
        r#"with recursive heir (code, id) as (
             select code, agency_id from platform_partner where coalesce(code = $1, true)
             union
             select heir.code, s.successor_id from heir
             join agency_succession a on a.agency_id = heir.id and a.effected_at is not null
             join agency_successor s on s.agency_id = a.agency_id)
         select p.code from platform_partner p join client c on c.id = p.client_id
         where c.state = 'active' and coalesce(c.expires_at > $2, true)
             and exists (select from heir join agency a on a.id = heir.id
                         where heir.code = p.code and a.state = 'active')
         order by p.code"#,
        code,
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(codes)
}

/// Lists a tolerance until a day.
pub async fn put_tolerance(tx: &mut Tx, partner: &str, deviation: &str, until: Day) -> Result<()> {
    sqlx::query!(
        "insert into platform_tolerance (partner_code, deviation, until) values ($1, $2, $3)
         on conflict (partner_code, deviation) do update set until = excluded.until",
        partner,
        deviation,
        until.date(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether a deviation is tolerated on a day; counts that it was seen.
pub async fn tolerated(tx: &mut Tx, partner: &str, deviation: &str, on: Day, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "update platform_tolerance set seen = seen + 1, last_seen_at = $4
         where partner_code = $1 and deviation = $2 and until >= $3",
        partner,
        deviation,
        on.date(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A payment that a partner began.
#[derive(Debug, Clone)]
pub struct StoredOrder {
    /// The partner.
    pub partner: String,
    /// Its name of the payment.
    pub reference: String,
    /// What it asked for.
    pub digest: Digest,
    /// The bill that stands for it here.
    pub bill: Id<Bill>,
    /// What the payer reads.
    pub text: String,
}

/// A payment by the partner's name of it.
pub async fn order(tx: &mut Tx, partner: &str, reference: &str) -> Result<Option<StoredOrder>> {
    let row = sqlx::query!(
        "select partner_code, reference, digest, bill_id, text from platform_order
         where partner_code = $1 and reference = $2",
        partner,
        reference,
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let bad = || StoreError::corrupt("platform_order", "digest", &row.reference);
        Ok(StoredOrder {
            digest: row.digest.try_into().map_err(|_| bad())?,
            partner: row.partner_code,
            reference: row.reference,
            bill: Id::from_uuid(row.bill_id),
            text: row.text,
        })
    })
    .transpose()
}

/// Adds a payment; false when its name stands already.
pub async fn insert_order(tx: &mut Tx, order: &StoredOrder, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into platform_order (partner_code, reference, digest, bill_id, text, created_at)
         values ($1, $2, $3, $4, $5, $6) on conflict on constraint platform_order_pkey do nothing",
        order.partner,
        order.reference,
        order.digest.as_slice(),
        order.bill.uuid(),
        order.text,
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Payments whose bills are paid and of which these partners have not been told, or whose time has come again; each is
/// left alone until `until` by whoever looks next. Of each partner come the oldest, and one alone while another rests that
/// it did not understand: those come last.
pub async fn claim_confirms(
    tx: &mut Tx,
    partners: &[String],
    (now, until): (Instant, Instant),
    limit: i64,
) -> Result<Vec<(StoredOrder, i32)>> {
    let mut rows = sqlx::query!(
        r#"with d as materialized (
             select d.partner_code, d.reference
             from (select w.code, exists (select from platform_order r where r.partner_code = w.code
                       and r.confirmed_at is null and r.confirm_at > $2) as failing
                   from unnest($1::text[]) as w (code)) as w
             cross join lateral (
                 select p.partner_code, p.reference, p.created_at
                 from platform_order p join bill b on b.id = p.bill_id
                 where p.partner_code = w.code and p.confirmed_at is null and b.state = 'paid'
                     and coalesce(p.confirm_at <= $2, true)
                 order by p.created_at, p.reference limit case when w.failing then 1 else $4::bigint end
                 for update of p skip locked) as d
             order by w.failing,
                 row_number() over (partition by d.partner_code order by d.created_at, d.reference),
                 d.created_at, d.partner_code limit $4::bigint)
         update platform_order o set confirms = confirms + 1, confirm_at = $3 from d
         where o.partner_code = d.partner_code and o.reference = d.reference
         returning o.partner_code, o.reference, o.digest, o.bill_id, o.text, o.confirms"#,
        partners,
        now,
        until,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.sort_by(|a, b| (&a.partner_code, &a.reference).cmp(&(&b.partner_code, &b.reference)));
    rows.into_iter()
        .map(|row| {
            let bad = || StoreError::corrupt("platform_order", "digest", &row.reference);
            let order = StoredOrder {
                digest: row.digest.try_into().map_err(|_| bad())?,
                partner: row.partner_code,
                reference: row.reference,
                bill: Id::from_uuid(row.bill_id),
                text: row.text,
            };
            Ok((order, row.confirms))
        })
        .collect()
}

/// Says that a partner has been told, or when it is told again.
pub async fn finish_confirm(
    tx: &mut Tx,
    order: &StoredOrder,
    confirmed_at: Option<Instant>,
    again: Option<Instant>,
) -> Result<()> {
    sqlx::query!(
        "update platform_order set confirmed_at = $3, confirm_at = $4 where partner_code = $1 and reference = $2",
        order.partner,
        order.reference,
        confirmed_at,
        again,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What uses a tolerance still: for the switch guide.
pub async fn tolerances(tx: &mut Tx, partner: &str) -> Result<Vec<(String, Day, i64)>> {
    let rows = sqlx::query!(
        "select deviation, until, seen from platform_tolerance where partner_code = $1 order by deviation",
        partner,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.deviation, Day::from_date(row.until), row.seen)).collect())
}

/// The latest payment of a bill that settled it: its bank, and its identifier.
pub async fn paid_by(tx: &mut Tx, bill: Id<Bill>) -> Result<Option<(Uuid, String, i64)>> {
    let row = sqlx::query!(
        "select p.id, p.bank, p.amount from bill b join payment p on p.id = b.paid_by where b.id = $1",
        bill.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (row.id, row.bank, row.amount)))
}

/// Our membership in the national platform.
#[derive(Debug, Clone)]
pub struct StoredMembership {
    /// Where it takes messages.
    pub url: String,
    /// Our code there.
    pub code: String,
    /// The secret.
    pub secret: Sealed<PartnerSecret>,
    /// The key that it is sealed under.
    pub wrapped: WrappedKey,
}

/// Sets the membership.
pub async fn put_membership(tx: &mut Tx, membership: &StoredMembership) -> Result<()> {
    sqlx::query!(
        "insert into platform_membership (url, code, secret, key, wrapped_key, generation)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (only_one) do update set url = excluded.url, code = excluded.code, secret = excluded.secret,
             key = excluded.key, wrapped_key = excluded.wrapped_key, generation = excluded.generation",
        membership.url,
        membership.code,
        membership.secret.bytes(),
        membership.secret.key().cast_signed(),
        membership.wrapped.bytes,
        membership.wrapped.generation.cast_signed(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The membership, if we are a member.
pub async fn membership(tx: &mut Tx) -> Result<Option<StoredMembership>> {
    let row = sqlx::query!("select url, code, secret, key, wrapped_key, generation from platform_membership")
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| StoredMembership {
        url: row.url,
        code: row.code,
        secret: Sealed::new(row.secret, row.key.cast_unsigned()),
        wrapped: WrappedKey { bytes: row.wrapped_key, generation: row.generation.cast_unsigned() },
    }))
}

/// Keeps where the payer of an attempt goes on; the first answer stays.
pub async fn put_link(tx: &mut Tx, payment: Id<Payment>, url: &str) -> Result<()> {
    sqlx::query!(
        "insert into platform_link (payment_id, url) values ($1, $2) on conflict (payment_id) do nothing",
        payment.uuid(),
        url,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Where the payer of an attempt goes on.
pub async fn link(tx: &mut Tx, payment: Id<Payment>) -> Result<Option<String>> {
    let url = sqlx::query_scalar!("select url from platform_link where payment_id = $1", payment.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(url)
}
