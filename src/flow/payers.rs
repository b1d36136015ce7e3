//! Who pays, where the payer is signed in: kept with the attempt, so that page and receipt name both, and told to the
//! applicant. Anybody pays without signing in; then nobody is named. No lock stops paying.

use super::{
    Result,
    agency_key::agency_key,
    audit_leaf::{Concern, leaf},
    bill_answer, population,
    tell_payers::begun_details,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Citizen, Id},
};
use crate::payment::bill::{Parties, PartyName};
use crate::store::{
    Tx, audit,
    bill::StoredBill,
    payment::StoredPayment,
    principal::{self, BillCitizen},
};
use crate::text::Texts;

/// Whoever is signed in, as the payment page names them.
pub async fn payer_name(app: &App, citizen: Id<Citizen>) -> Result<Option<String>> {
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    Ok(looked.on_record.map(|found| found.person.name.as_str().to_owned()))
}

/// Notes in the attempt's transaction who pays and whose bill it is.
pub(super) async fn begun(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    attempt: &StoredPayment,
    payer: Option<Id<Citizen>>,
    now: Instant,
) -> Result<()> {
    let payer = match payer {
        Some(id) => population::look_up_citizen(app, tx, id).await?.on_record,
        None => None,
    };
    if let Some(payer) = &payer {
        let key = agency_key(app, tx, of.bill.agency).await?;
        let parties = bill_answer::open_parties(&key, of.bill.id, &of.parties)?;
        let named = naming_both(parties, payer.person.name.as_str());
        let sealed = bill_answer::seal_parties(app, &key, of.bill.id, &named);
        principal::insert_payer(tx, attempt.id, payer.citizen, &sealed).await?;
    }
    let owner = principal::bill_citizens(tx, &[of.bill.id]).await?.pop();
    let Some((_, BillCitizen { citizen, .. })) = owner else { return Ok(()) };
    let Some(holder) = population::look_up_citizen(app, tx, citizen).await?.on_record else { return Ok(()) };
    let details = begun_details(of, attempt, payer.as_ref().map(|payer| payer.person.name.as_str()));
    let concern = |id| Concern { citizen: Some(id), agency: Some(of.bill.agency), object: attempt.id.uuid() };
    let mut leaves = vec![leaf(app, now, "payment.begun", concern(citizen), &holder.key, &details)];
    if let Some(payer) = payer.filter(|payer| payer.citizen != citizen) {
        leaves.push(leaf(app, now, "payment.made", concern(payer.citizen), &payer.key, &details));
    }
    Ok(audit::append(tx, &leaves).await?)
}

/// The parties with the payer's name, and the applicant's beside it where they differ; what the bill itself says of its
/// payer and its receipt stays.
fn naming_both(parties: Parties, payer: &str) -> Parties {
    if parties.payer.is_some() || parties.receipt_name.is_some() || parties.applicant.as_str() == payer {
        return parties;
    }
    let both = Texts::embedded().with(
        crate::base::text::Lang::Vi,
        "receipt-paid-for",
        &[("payer", payer.to_owned().into()), ("applicant", parties.applicant.as_str().to_owned().into())],
    );
    Parties { payer: PartyName::parse(&both).ok(), ..parties }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_payer_and_applicant_unless_the_bill_says_otherwise() {
        let name = |text: &str| PartyName::parse(text).unwrap();
        let bare =
            Parties {
                applicant: name("Trương Văn Ông"), submitter: None, payer: None, receipt_name: None
            };
        let both = naming_both(bare.clone(), "Trương Văn Út");
        assert_eq!(both.name_on_receipt().as_str(), "Trương Văn Út (nộp thay Trương Văn Ông)");
        assert_eq!(naming_both(bare.clone(), "Trương Văn Ông").payer, None);
        let firm = Parties { receipt_name: Some(name("Công ty A")), ..bare };
        assert_eq!(naming_both(firm, "Trương Văn Út").name_on_receipt().as_str(), "Công ty A");
    }
}
