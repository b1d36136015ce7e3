//! In whose name: for whom a sign-in is, whose a bill is and who filed it, who paid.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Bill, Citizen, Id, Mandate, Payment, Verification},
    secret::Sealed,
};
use crate::identity::{authorization::Revocation, kinship::Representation, mandate::Right};
use crate::payment::bill::Parties;
use uuid::Uuid;

/// For whom somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// For themselves.
    Oneself,
    /// For somebody else.
    For {
        /// For whom.
        principal: Id<Citizen>,
        /// By what right when it was chosen.
        right: Right,
    },
}

/// Keeps a choice in place of the one before.
pub async fn choose(tx: &mut Tx, authorization: Id<id::Authorization>, chosen: Chosen) -> Result<()> {
    let (principal, right) = match chosen {
        Chosen::Oneself => (None, None),
        Chosen::For { principal, right } => (Some(principal.uuid()), Some(right)),
    };
    sqlx::query!(
        "INSERT INTO authorization_principal (authorization_id, principal_id, right_word, mandate_id)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (authorization_id) DO UPDATE SET principal_id = EXCLUDED.principal_id,
             right_word = EXCLUDED.right_word, mandate_id = EXCLUDED.mandate_id",
        authorization.uuid(),
        principal,
        right.map(|right| right.word()),
        right.and_then(|right| right.mandate()).map(Id::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The choice of a sign-in.
pub async fn chosen(tx: &mut Tx, authorization: Id<id::Authorization>) -> Result<Option<Chosen>> {
    let row = sqlx::query!(
        "SELECT principal_id, right_word, mandate_id FROM authorization_principal WHERE authorization_id = $1",
        authorization.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| match (row.principal_id, row.right_word) {
        (Some(principal), Some(word)) => {
            let right = right(&word, row.mandate_id)
                .ok_or_else(|| StoreError::corrupt("authorization_principal", "right_word", authorization))?;
            Ok(Chosen::For { principal: Id::from_uuid(principal), right })
        }
        _ => Ok(Chosen::Oneself),
    })
    .transpose()
}

fn right(word: &str, mandate: Option<Uuid>) -> Option<Right> {
    match (word, mandate) {
        ("mandate", Some(id)) => Some(Right::Mandate(Id::from_uuid(id))),
        ("parent", None) => Some(Right::Kin(Representation::Parent)),
        ("guardian", None) => Some(Right::Kin(Representation::Guardian)),
        _ => None,
    }
}

/// Revokes what sign-ins under these mandates gave: their tokens stop working with this transaction.
pub async fn revoke_of_mandates(
    tx: &mut Tx,
    mandates: &[Id<Mandate>],
    cause: Revocation,
    at: Instant,
) -> Result<u64> {
    let mandates: Vec<Uuid> = mandates.iter().map(|id| id.uuid()).collect();
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET state = 'revoked', cause = $2, ended_at = $3
           WHERE state = 'exchanged' AND id IN (SELECT authorization_id FROM authorization_principal WHERE mandate_id = ANY($1))"#,
        &mandates,
        cause.word(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Revokes what sign-ins of others in this citizen's name gave, at every portal or at one.
pub async fn revoke_for_citizen(
    tx: &mut Tx,
    principal: Id<Citizen>,
    client: Option<Id<id::Client>>,
    cause: Revocation,
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET state = 'revoked', cause = $3, ended_at = $4
           WHERE state = 'exchanged' AND coalesce(client_id = $2, true)
             AND id IN (SELECT authorization_id FROM authorization_principal WHERE principal_id = $1)"#,
        principal.uuid(),
        client.map(Id::uuid),
        cause.word(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Somebody who acts for the person of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActingRow {
    /// For whom.
    pub principal: Id<Citizen>,
    /// Who.
    pub actor: Id<Citizen>,
    /// By what right.
    pub right: Right,
}

/// Notes who acts in these verifications.
pub async fn insert_acting(tx: &mut Tx, rows: &[(Id<Verification>, ActingRow)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| id.uuid()).collect();
    let principals: Vec<Uuid> = rows.iter().map(|(_, row)| row.principal.uuid()).collect();
    let actors: Vec<Uuid> = rows.iter().map(|(_, row)| row.actor.uuid()).collect();
    let words: Vec<&str> = rows.iter().map(|(_, row)| row.right.word()).collect();
    let mandates: Vec<Option<Uuid>> = rows.iter().map(|(_, row)| row.right.mandate().map(Id::uuid)).collect();
    sqlx::query!(
        "INSERT INTO verification_acting (verification_id, principal_id, actor_id, right_word, mandate_id)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[])",
        &ids,
        &principals,
        &actors,
        &words as &[&str],
        &mandates as &[Option<Uuid>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Who acts in a verification.
pub async fn acting(tx: &mut Tx, verification: Id<Verification>) -> Result<Option<ActingRow>> {
    let row = sqlx::query!(
        "SELECT principal_id, actor_id, right_word, mandate_id FROM verification_acting WHERE verification_id = $1",
        verification.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let right = right(&row.right_word, row.mandate_id)
            .ok_or_else(|| StoreError::corrupt("verification_acting", "right_word", verification))?;
        let (principal, actor) = (Id::from_uuid(row.principal_id), Id::from_uuid(row.actor_id));
        Ok(ActingRow { principal, actor, right })
    })
    .transpose()
}

/// Whose a bill is, and who filed for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillCitizen {
    /// The applicant.
    pub citizen: Id<Citizen>,
    /// Who filed for them, and by what right.
    pub actor: Option<(Id<Citizen>, Right)>,
}

/// Notes whose these bills are and who filed for them, out of the verifications that they name.
pub async fn note_bills(tx: &mut Tx, bills: &[(Id<Bill>, Id<Verification>)]) -> Result<()> {
    if bills.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = bills.iter().map(|(id, _)| id.uuid()).collect();
    let verifications: Vec<Uuid> = bills.iter().map(|(_, verification)| verification.uuid()).collect();
    sqlx::query!(
        "INSERT INTO bill_citizen (bill_id, citizen_id, actor_id, right_word, mandate_id)
         SELECT b.bill_id, v.citizen_id, a.actor_id, a.right_word, a.mandate_id
         FROM unnest($1::uuid[], $2::uuid[]) AS b (bill_id, verification_id)
         JOIN verification v ON v.id = b.verification_id
         LEFT JOIN verification_acting a ON a.verification_id = b.verification_id
         WHERE v.citizen_id IS NOT NULL",
        &ids,
        &verifications,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whose these bills are, those of which it is known.
pub async fn bill_citizens(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<Vec<(Id<Bill>, BillCitizen)>> {
    let bills: Vec<Uuid> = bills.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT bill_id, citizen_id, actor_id, right_word, mandate_id FROM bill_citizen WHERE bill_id = ANY($1)",
        &bills,
    )
    .fetch_all(tx.conn())
    .await?;
    let read = rows.into_iter().map(|row| {
        let bill: Id<Bill> = Id::from_uuid(row.bill_id);
        let actor = match (row.actor_id, row.right_word) {
            (Some(actor), Some(word)) => {
                let right = right(&word, row.mandate_id)
                    .ok_or_else(|| StoreError::corrupt("bill_citizen", "right_word", bill))?;
                Some((Id::from_uuid(actor), right))
            }
            _ => None,
        };
        Ok((bill, BillCitizen { citizen: Id::from_uuid(row.citizen_id), actor }))
    });
    read.collect()
}

/// The newest bills of a citizen, at most fifty.
pub async fn bills_of(tx: &mut Tx, citizen: Id<Citizen>) -> Result<Vec<Id<Bill>>> {
    let ids = sqlx::query_scalar!(
        "SELECT bill_id FROM bill_citizen WHERE citizen_id = $1 ORDER BY bill_id DESC LIMIT 50",
        citizen.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Notes who pays, and the parties as the receipts then name them, under the agency's key.
pub async fn insert_payer(
    tx: &mut Tx,
    payment: Id<Payment>,
    payer: Id<Citizen>,
    parties: &Sealed<Parties>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO payment_payer (payment_id, citizen_id, parties, key) VALUES ($1, $2, $3, $4)",
        payment.uuid(),
        payer.uuid(),
        parties.bytes(),
        parties.key().cast_signed(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Who pays in an attempt, where it is known.
pub async fn payer(tx: &mut Tx, payment: Id<Payment>) -> Result<Option<Id<Citizen>>> {
    Ok(payers(tx, &[payment]).await?.pop().map(|payer| payer.citizen))
}

/// A bill, and a payment of it, as far as somebody is told of them.
pub type About = (Option<Id<Bill>>, Option<Id<Payment>>);

/// Whom these concern, by their places: the citizen whose bill it is, and whoever was signed in when they paid.
pub async fn concerned(tx: &mut Tx, about: &[About]) -> Result<Vec<(usize, Id<Citizen>)>> {
    let bills: Vec<Option<Uuid>> = about.iter().map(|(bill, _)| bill.map(Id::uuid)).collect();
    let payments: Vec<Option<Uuid>> = about.iter().map(|(_, payment)| payment.map(Id::uuid)).collect();
    let rows = sqlx::query!(
        r#"WITH a AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS a (bill_id, payment_id, place))
           SELECT a.place AS "place!", b.citizen_id AS "citizen!" FROM a JOIN bill_citizen b ON b.bill_id = a.bill_id
           UNION
           SELECT a.place, p.citizen_id FROM a JOIN payment_payer p ON p.payment_id = a.payment_id
           ORDER BY 1, 2"#,
        &bills as &[Option<Uuid>],
        &payments as &[Option<Uuid>],
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().filter_map(|row| {
        let place = usize::try_from(row.place).ok()?.checked_sub(1)?;
        Some((place, Id::from_uuid(row.citizen)))
    });
    Ok(found.collect())
}

/// Who paid in these attempts, where it is known, and the parties that their receipts name.
pub async fn payers(tx: &mut Tx, payments: &[Id<Payment>]) -> Result<Vec<Payer>> {
    let payments: Vec<Uuid> = payments.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT payment_id, citizen_id, parties, key FROM payment_payer WHERE payment_id = ANY($1) ORDER BY payment_id",
        &payments,
    )
    .fetch_all(tx.conn())
    .await?;
    let payers = rows.into_iter().map(|row| Payer {
        payment: Id::from_uuid(row.payment_id),
        citizen: Id::from_uuid(row.citizen_id),
        parties: Sealed::new(row.parties, row.key.cast_unsigned()),
    });
    Ok(payers.collect())
}

/// Whoever was signed in when they paid.
pub struct Payer {
    /// In which attempt.
    pub payment: Id<Payment>,
    /// Who.
    pub citizen: Id<Citizen>,
    /// The parties of the bill with the payer among them.
    pub parties: Sealed<Parties>,
}

/// The agencies of these identifiers that are organisations of a mandate, by name, for pages.
pub async fn agency_names(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<(Id<Agency>, String, String)>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!("SELECT id, name_vi, name_en FROM agency WHERE id = ANY($1)", &agencies)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.id), row.name_vi, row.name_en)).collect())
}

/// The agencies of these codes, those that exist.
pub async fn agencies_of_codes(tx: &mut Tx, codes: &[&str]) -> Result<Vec<Id<Agency>>> {
    let rows = sqlx::query_scalar!("SELECT id FROM agency WHERE code = ANY($1)", codes as &[&str])
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}
