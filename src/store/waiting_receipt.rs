//! What receipts that wait are made of, of hundreds of bills by one statement: no more of a bill than its receipts repeat, and
//! nothing of how it was computed.

use super::{
    Result, StoreError, Tx,
    bill_lines::{Reader, Unread},
};
use crate::base::{
    id::{Account, Agency, Bill, Id, Payment},
    secret::Sealed,
};
use crate::payment::{
    bill::{Lines, Parties},
    receipt::ReceiptName,
};
use std::sync::Arc;
use uuid::Uuid;

/// A bill that was paid, as far as its receipts tell it.
#[derive(Debug, Clone)]
pub struct Paid {
    /// The bill.
    pub bill: Id<Bill>,
    /// The agency that collects.
    pub agency: Id<Agency>,
    /// Its public reference.
    pub reference: String,
    /// Its dossier.
    pub dossier: String,
    /// The procedure's code.
    pub procedure: String,
    /// The procedure's Vietnamese name.
    pub procedure_vi: String,
    /// What was owed.
    pub lines: Arc<Lines>,
    /// The four parties, with the payer among them where one was signed in.
    pub parties: Sealed<Parties>,
    /// The name that was given for the receipts.
    pub name: Option<Sealed<ReceiptName>>,
    /// The payment.
    pub payment: Id<Payment>,
    /// The account that collected.
    pub account: Id<Account>,
    /// The bank that the payer paid from.
    pub bank: String,
}

/// What there is about each of these, in order; none where something of it is gone.
pub async fn paid(tx: &mut Tx, about: &[(Id<Bill>, Id<Payment>)]) -> Result<Vec<Option<Paid>>> {
    let bills: Vec<Uuid> = about.iter().map(|one| one.0.uuid()).collect();
    let payments: Vec<Uuid> = about.iter().map(|one| one.1.uuid()).collect();
    let rows = sqlx::query!(
        r#"select w.place as "place!", b.id, b.agency_id, b.reference, b.dossier, c.procedure, c.name_vi,
               c.lines as "lines: Unread", coalesce(y.parties, c.parties) as "parties!",
               coalesce(y.key, c.key) as "key!", n.name as "name?", n.key as "name_key?", p.id as payment_id, p.account_id,
               p.bank
           from unnest($1::uuid[], $2::uuid[]) with ordinality as w (bill_id, payment_id, place)
           join bill b on b.id = w.bill_id
           join bill_content c on c.bill_id = w.bill_id
           join payment p on p.id = w.payment_id
           left join payment_payer y on y.payment_id = w.payment_id
           left join receipt_name n on n.bill_id = w.bill_id and length(n.name) > 0"#,
        &bills,
        &payments,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found = vec![None; about.len()];
    let mut lines = Reader::default();
    for row in rows {
        let bill = Id::from_uuid(row.id);
        let lines = lines.read(row.lines).ok_or_else(|| StoreError::corrupt("bill", "lines", bill))?;
        let place = usize::try_from(row.place - 1).ok().and_then(|place| found.get_mut(place));
        let Some(place) = place else { continue };
        *place = Some(Paid {
            bill,
            agency: Id::from_uuid(row.agency_id),
            reference: row.reference,
            dossier: row.dossier,
            procedure: row.procedure,
            procedure_vi: row.name_vi,
            lines,
            parties: Sealed::new(row.parties, row.key.cast_unsigned()),
            name: row.name.zip(row.name_key).map(|(name, key)| Sealed::new(name, key.cast_unsigned())),
            payment: Id::from_uuid(row.payment_id),
            account: Id::from_uuid(row.account_id),
            bank: row.bank,
        });
    }
    Ok(found)
}
