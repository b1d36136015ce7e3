//! What a till took for an agency with an account of its own is passed on by transfer: an accountant orders it, the bank
//! carries it over, and who is owed it finds it there.

use crate::cashiers::Slip;
use crate::life::Life;
use crate::process::live;
use crate::seen::Seen;
use crate::world::{ACCOUNTANTS, CASHIERS, OWN, World};
use chung::app::App;
use chung::base::{
    id::{Agency, Case, Citizen, Drawer, Id},
    money::Money,
    text::Line,
};
use chung::flow::{
    Error,
    cash::describe_cash,
    inherit::Tree,
    open_account::{NewAccount, open_account},
    transfer_collected::transfer_collected,
};
use chung::store::agency::{self, AccountRow};
use serde_json::Value;
use sqlx::Row;
use std::collections::BTreeSet;

/// The second agency collects in an account of its own from now on.
pub async fn open_own(world: &World, app: &App) {
    let second = world.agencies[1];
    let (bank, number) = ("970405".to_owned(), OWN.to_owned());
    let mut tx = app.store.begin().await.unwrap();
    for kind in ["phi", "le_phi"] {
        let account = AccountRow {
            kind: kind.to_owned(),
            account_no: number.clone(),
            agent_bic: bank.clone(),
            account_name: "SO HAI".to_owned(),
        };
        agency::put_account(&mut tx, second, &account).await.unwrap();
    }
    tx.commit().await.unwrap();
    let account = NewAccount { bank, number, holder: Line::parse("SO HAI").unwrap() };
    open_account(app, second, account).await.unwrap();
}

impl Life<'_> {
    /// An accountant passes on what a till owes: all of it, or half; never more, and nobody else does it.
    pub async fn pass_on_collected(&mut self, seen: &Seen) {
        if !self.others.contains(OWN) {
            return;
        }
        let owing = self.owing().await;
        if owing.is_empty() {
            return;
        }
        let (till, to, owed) = owing[self.beside.below(owing.len())];
        let amount = if self.beside.percent(50) { owed } else { (owed / 2).max(1) };
        let order = |by: Id<Citizen>, amount: i64| {
            async move |app: App| transfer_collected(&app, by, (till, to), Money::vnd(amount)).await
        };
        let code = |done: Option<Result<_, Error>>| done.unwrap().err().map(|error| error.code());
        let more = live(&self.app, None, order(ACCOUNTANTS[0], owed + 1)).await;
        assert_eq!(code(more), Some("tender_differs"), "more than a till owes");
        let other = live(&self.app, None, order(CASHIERS[0], amount)).await;
        assert_eq!(code(other), Some("accountant_needed"), "a cashier orders it");
        let death = self.dies_beside(seen);
        self.say(&format!("{amount} of {owed} goes on to {to}"));
        match live(&self.app, death, order(ACCOUNTANTS[0], amount)).await {
            Some(Ok(_)) => {
                assert_eq!(to, self.world.agencies[1], "an order from an account to itself");
                seen.note("what a desk owes ordered on");
            }
            Some(Err(error)) if error.code() == "transfer_unfit" => {
                assert_ne!(to, self.world.agencies[1], "two accounts are taken for one");
                seen.note("shared account: nothing to transfer");
            }
            Some(Err(error)) => panic!("{error:?}"),
            None => {}
        }
    }

    /// What each till owes whom, as the page of cash says.
    async fn owing(&self) -> Vec<(Id<Drawer>, Id<Agency>, i64)> {
        let told = describe_cash(&self.app, self.agencies[0], Tree::Own).await.unwrap();
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        let tills = told["tills"].as_array().unwrap().iter();
        let each =
            tills.flat_map(|till| till["owes"].as_array().unwrap().iter().map(move |owes| (till, owes)));
        let owing = each.map(|(till, owes)| {
            let amount = text(&owes["amount"]["amount"]).parse().unwrap();
            (text(&till["id"]).parse().unwrap(), text(&owes["to"]).parse().unwrap(), amount)
        });
        owing.collect()
    }

    /// What came over is the tills' debt no more, and waits on its slip until it is found.
    pub async fn note_arrivals(&mut self, seen: &Seen) {
        let arrived = self.rails.truth.lock().unwrap().arrived.clone();
        for (order, (credit, amount)) in arrived {
            if !self.desk.passed_on.insert(order) {
                continue;
            }
            let number =
                format!("select slip_number from payout where id = '{order}' and kind = 'collected'");
            let number: String = self.world.rows(&number).await[0].get(0);
            self.desk.owed -= amount.minor();
            self.desk.slips.push(Slip {
                name: Line::parse(&number).unwrap(),
                carried: amount.minor(),
                shifts: BTreeSet::new(),
                credit: Some(credit),
                confirmed: false,
            });
            seen.note("collected money comes to whom it is owed to");
        }
    }

    /// The case of a credit that still waits.
    pub async fn held_case(&self, credit: &str) -> Option<Id<Case>> {
        let sql = format!("select id from suspense where servicer_reference = '{credit}' and state = 'held'");
        Some(Id::from_uuid(self.world.rows(&sql).await.first()?.get("id")))
    }
}
