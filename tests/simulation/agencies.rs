//! What agencies ask for: a bill, one bill for each owner of its money, and that a bill be withdrawn.

use crate::assessed::{service, tax};
use crate::life::{Life, Promised, expect_or_refused};
use crate::process::live;
use crate::seen::Seen;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{Agency, Id},
};
use chung::flow::{
    Error, cancel_bill::cancel_bill, idempotency::Idempotency, issue_by_owner::issue_by_owner,
};
use chung::payment::{
    bill::Parties,
    exemption::{Channel, Circumstances, Dates, Facts},
    fee::Asked as AskedFee,
    issue::Draft,
};
use std::collections::BTreeSet;
use std::time::Duration;

impl Life<'_> {
    pub fn draft(&self, key: &str, agency: Id<Agency>) -> Draft {
        let today = Day::of(self.clock.now());
        let serial = self.keys + 1_000;
        let facts = Facts::default;
        // Of every three one is due at once and may be paid for days, late.
        let late = self.keys % 3 == 1;
        let due = if late { today } else { today.plus_days(1 + (self.keys % 3) as i64) };
        Draft {
            agency,
            client: self.world.client,
            key: (key.to_owned(), chung::crypto::digest::sha256(key.as_bytes())),
            dossier: format!("H29.14-261124-{serial}").parse().unwrap(),
            procedure: "1.001610".parse().unwrap(),
            asked: ["DKKD-01", "DKKD-02"]
                .map(|fee| AskedFee { fee: fee.parse().unwrap(), count: 1, copies: 1, value: None })
                .into(),
            circumstances: Circumstances {
                channel: Channel::Online,
                dates: Dates { submission: today, acceptance: None, payment: None },
                applicant: facts(),
                submitter: facts(),
            },
            grounds: chung::payment::issue::Grounds::default(),
            owners: std::collections::BTreeMap::new(),
            obligations: Vec::new(),
            together: false,
            payable_until: late.then(|| due.plus_days(2 + (self.keys % 5) as i64)),
            due,
            parties: Parties {
                applicant: chung::base::text::Line::parse("Nguyễn Thị Hòa").unwrap(),
                submitter: None,
                payer: None,
                receipt_name: None,
            },
        }
    }

    /// The agency issues a bill; when its answer was lost it asks again, and gets the same.
    pub async fn issue(&mut self, seen: &Seen) {
        match self.chance.below(100) {
            0..=11 => return self.issue_to_owners(seen).await,
            12..=23 => return self.issue_in_bulk(seen).await,
            24..=33 => return self.begin_by_system(seen).await,
            _ => {}
        }
        self.keys += 1;
        let key = format!("key {}", self.keys);
        let agency = self.agencies[self.chance.below(2)];
        let (draft, charge) = self.some_draft(&key, agency, seen);
        let death = self.death(seen);
        self.say("a bill is asked for");
        let first = live(&self.app, death, async |app| Self::issued(&app, draft.clone()).await).await;
        let answer = loop {
            match live(&self.app, None, async |app| Self::issued(&app, draft.clone()).await).await.unwrap() {
                Ok(answer) => break answer,
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                // A price is charged once, by whatever bill.
                Err(error) if error.code() == "invoice_known" => {
                    assert!(!matches!(first, Some(Ok(_))), "a bill that was issued is refused");
                    return seen.note("bill not issued: invoice_known");
                }
                Err(error) => panic!("{error:?}"),
            }
        };
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        if let Some(Ok(first)) = first {
            assert_eq!(read(&first), read(&answer), "the same request got two answers");
        }
        let told = read(&answer);
        assert_eq!(crate::changes::amount(&told), charge.total, "charged by the schedule in force");
        if self.times() > 1 {
            seen.note("bill by another version");
        }
        let kinds = draft.obligations.iter().map(|line| line.kind);
        kinds.for_each(|kind| seen.note(format!("bill with {kind}")));
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let (id, reference) = (text("id").parse().unwrap(), text("reference"));
        self.bills.push(Promised { id, reference, agency, owner: agency, key, answer, charge });
    }

    pub async fn cancel(&mut self, seen: &Seen) {
        let Some(bill) = self.some_bill() else { return };
        let (agency, id) = (self.bills[bill].agency, self.bills[bill].id);
        self.keys += 1;
        let key =
            Idempotency::new(self.world.client, &format!("cancel-{}", self.keys), "cancel", b"").unwrap();
        let death = self.death(seen);
        self.say(&format!("the agency withdraws {id}"));
        let done = live(&self.app, death, async |app| cancel_bill(&app, agency, id, &key).await).await;
        if let Some(Err(Error::Conflict(refusal))) = &done {
            seen.note(format!("bill cannot be cancelled: {}", refusal.code));
        }
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// A bill whose fees belong to two agencies is issued as one bill for each: none is open for all of it.
    pub async fn issue_to_owners(&mut self, seen: &Seen) {
        let [one, other] = self.agencies;
        let key = self.act_key("owners");
        let mut draft = self.draft(key.key(), one);
        draft.key = (key.key().to_owned(), *key.digest());
        draft.together = true;
        let beside = if self.chance.percent(35) { self.beside(&mut draft) } else { 0 };
        draft.owners.insert("DKKD-02".parse().unwrap(), other);
        let act = async |app: chung::app::App| issue_by_owner(&app, draft.clone(), true).await;
        let Some(whole) = self.asked_until_answered(seen, ("bill issued to owners", act)).await else {
            return;
        };
        let total = self.price() + beside;
        assert_eq!((&whole["status"], crate::changes::amount(&whole)), (&"superseded".into(), total));
        let parts = whole["parts"].as_array().unwrap();
        let sum: i64 = parts.iter().map(crate::changes::amount).sum();
        let owners: BTreeSet<_> = draft.obligations.iter().map(|line| &line.beneficiary.number).collect();
        assert_eq!((parts.len(), sum), (2 + owners.len(), total), "the owners' parts are the whole");
        self.promise(&whole, one, one);
        let charge = &mut self.bills.last_mut().unwrap().charge;
        (charge.apart, charge.beside) = (true, beside);
        for part in parts {
            self.promise(part, one, if part["lines"][0]["fee"] == "DKKD-02" { other } else { one });
        }
        if beside > 0 {
            seen.note("tax or service billed apart");
        }
    }

    /// Puts a tax, the price of a service or both beside the fees, each to be paid into the account that its paper names;
    /// how much that is.
    fn beside(&mut self, draft: &mut Draft) -> i64 {
        let which = self.chance.below(3);
        if which != 0 {
            draft.obligations.push(tax(self.keys));
        }
        if which < 2 {
            draft.obligations.push(service(self.sold, Day::of(self.clock.now())));
            self.sold += 1;
        }
        self.others.extend(["7115", "3711", "3712"]);
        draft.obligations.iter().map(|line| line.amount.minor()).sum()
    }
}
