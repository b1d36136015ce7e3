//! What can happen next, and how a life ends.

use crate::process::live;
use crate::rails::{Asked, Decision, Letter, named};
use crate::seen::Seen;
use crate::world::{ACCOUNT, BANKS, Life, Promised};
use chung::base::{
    calendar::Day,
    clock::Clock,
    clock::Instant,
    id::{Agency, Id},
    money::Money,
    reference::Reference,
};
use chung::codec::http_signature::{Request, sign_request, verify_request};
use chung::codec::iso20022::{Direction, read};
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::flow::{
    Error, cancel_bill::cancel_bill, create_bill::create_bill, idempotency::Idempotency,
    inquire_payment::inquire_due, pass_on::pass_on, reconcile_statement::match_statement,
    return_second_money::return_second_money, send_refund::look_after_refunds, start_payment::start_payment,
    take_message::take_message,
};
use chung::payment::{
    bill::Parties,
    exemption::{Channel, Circumstances, Dates, Facts},
    fee::Asked as AskedFee,
    issue::Draft,
};
use chung::store::account::account_of_number;
use std::time::Duration;
use uuid::Uuid;

/// The fewest steps and faults of a life.
const STEPS: usize = 50;
const FAULTS: usize = 5;

impl Life<'_> {
    /// Lives: at least so many steps, until enough went wrong.
    pub async fn live(&mut self, seen: &Seen) {
        let mut steps = 0;
        while steps < STEPS || self.faults < FAULTS {
            self.step(seen).await;
            self.look(seen).await;
            steps += 1;
            assert!(steps < 1_000, "a life in which nothing goes wrong");
        }
    }

    async fn step(&mut self, seen: &Seen) {
        match self.chance.below(100) {
            0..=7 => self.issue(seen).await,
            8..=25 => self.start(seen).await,
            26..=41 => self.decide(),
            42..=62 => self.deliver(seen).await,
            63..=65 => self.cancel(seen).await,
            66..=69 => self.stray_money(seen),
            70..=71 => self.forge(seen).await,
            72..=78 => self.inquire(seen).await,
            79..=81 => self.give_back(seen).await,
            82..=84 => self.reconcile(seen).await,
            85..=86 => self.pass_on(seen).await,
            87..=91 => self.change(seen).await,
            92..=93 => self.take_receipt_back(seen).await,
            _ => self.wait(),
        }
        self.note_faults(seen);
    }

    /// Counts what went wrong at the bank.
    fn note_faults(&mut self, seen: &Seen) {
        let faults: Vec<&str> = std::mem::take(&mut self.rails.truth.lock().unwrap().faults);
        for fault in faults {
            self.faults += 1;
            seen.note(fault);
        }
    }

    /// How many polls the process of the next act has to live, if it is to die.
    pub fn death(&mut self, seen: &Seen) -> Option<u32> {
        let dies = self.chance.percent(12);
        dies.then(|| {
            self.fault(seen, "process died");
            u32::try_from(self.chance.below(60)).unwrap()
        })
    }

    fn wait(&mut self) {
        let hours = [0, 0, 0, 0, 0, 1, 9, 24][self.chance.below(8)];
        let seconds = self.chance.below(600) as u64 + 1;
        self.clock.advance(Duration::from_secs(hours * 3_600 + seconds));
        self.say("time passes");
    }

    pub fn draft(&self, key: &str, agency: Id<Agency>) -> Draft {
        let today = Day::of(self.clock.now());
        let serial = self.keys + 1_000;
        let facts = Facts::default;
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
            payable_until: None,
            due: today.plus_days(1 + (self.keys % 3) as i64),
            parties: Parties {
                applicant: chung::base::text::Line::parse("Nguyễn Thị Hòa").unwrap(),
                submitter: None,
                payer: None,
                receipt_name: None,
            },
        }
    }

    /// The agency issues a bill; when its answer was lost it asks again, and gets the same.
    async fn issue(&mut self, seen: &Seen) {
        self.keys += 1;
        let key = format!("key {}", self.keys);
        let agency = self.agencies[self.chance.below(2)];
        let draft = self.draft(&key, agency);
        let death = self.death(seen);
        self.say("a bill is asked for");
        let first = live(&self.app, death, async |app| create_bill(&app, draft.clone()).await).await;
        let answer = loop {
            match live(&self.app, None, async |app| create_bill(&app, draft.clone()).await).await.unwrap() {
                Ok(answer) => break answer,
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("{error:?}"),
            }
        };
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        if let Some(Ok(first)) = first {
            assert_eq!(read(&first), read(&answer), "the same request got two answers");
        }
        let told = read(&answer);
        assert_eq!(crate::changes::amount(&told), self.price(), "charged by the schedule in force");
        if self.dearer_from.is_some_and(|from| from <= Day::of(self.clock.now())) {
            seen.note("bill by the raised fees");
        }
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let (id, reference) = (text("id").parse().unwrap(), text("reference"));
        self.bills.push(Promised { id, reference, agency, key, answer });
    }

    pub fn some_bill(&mut self) -> Option<usize> {
        (!self.bills.is_empty()).then(|| self.chance.below(self.bills.len()))
    }

    /// A citizen pays, or two do at once.
    async fn start(&mut self, seen: &Seen) {
        let Some(bill) = self.some_bill() else { return };
        let reference: Reference = self.bills[bill].reference.parse().unwrap();
        let death = self.death(seen);
        let twice = self.chance.percent(10);
        let bank = BANKS[self.chance.below(BANKS.len())];
        if twice {
            self.fault(seen, "two at once");
        }
        self.say(&format!("somebody pays {}", self.bills[bill].id));
        let start = async |app| start_payment(&app, &reference, bank).await;
        let second = async { if twice { live(&self.app, None, start).await } else { None } };
        let (first, second) = tokio::join!(live(&self.app, death, start), second);
        for done in [first, second].into_iter().flatten() {
            expect_or_refused(done.map(drop));
        }
        self.clock.advance(Duration::from_millis(10));
    }

    /// The payer looks into the bank's application.
    fn decide(&mut self) {
        let now = self.clock.now();
        let waiting: Vec<Uuid> = {
            let truth = self.rails.truth.lock().unwrap();
            let open = |asked: &Asked| asked.decision == Decision::Waiting && asked.expires > now;
            truth.asked.iter().filter(|(_, asked)| open(asked)).map(|(id, _)| *id).collect()
        };
        if !waiting.is_empty() {
            let payment = waiting[self.chance.below(waiting.len())];
            let approve = self.chance.percent(80);
            self.say(&format!("the payer {} {payment}", if approve { "approves" } else { "refuses" }));
            self.rails.decide(payment, approve, now);
        }
    }

    /// The rails hand over a message, or fail to.
    async fn deliver(&mut self, seen: &Seen) {
        let waiting = self.rails.truth.lock().unwrap().mail.len();
        if waiting == 0 {
            return;
        }
        let at = self.chance.below(waiting);
        if at > 0 {
            self.fault(seen, "message out of order");
        }
        let letter = self.rails.truth.lock().unwrap().mail[at].clone();
        match self.chance.below(10) {
            0 if letter.carries_money => {
                // What is not acknowledged is sent again.
                self.fault(seen, "message late");
                return;
            }
            0 | 1 if !letter.carries_money => {
                self.fault(seen, "message lost");
                self.rails.truth.lock().unwrap().mail.remove(at);
                return;
            }
            3 => {
                self.fault(seen, "message corrupted");
                self.corrupt(&letter);
                return;
            }
            4 => {
                self.fault(seen, "two nodes");
                let other = live(&self.app, None, async |app| {
                    look_after_refunds(&app).await?;
                    pass_on(&app).await?;
                    inquire_due(&app).await
                });
                let (taken, done) = tokio::join!(self.take(&letter, None), other);
                done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
                if taken == Some(Taken::Acknowledged) {
                    self.rails.truth.lock().unwrap().mail.remove(at);
                    self.delivered.push(letter);
                }
                return;
            }
            2 => {
                self.fault(seen, "message doubled");
                let twice = async { self.take(&letter, None).await };
                let (first, second) = tokio::join!(self.take(&letter, None), twice);
                assert!(first != Some(Taken::Refused) && second != Some(Taken::Refused));
                return;
            }
            _ => {}
        }
        let death = self.death(seen);
        self.say("a message arrives");
        if self.take(&letter, death).await == Some(Taken::Acknowledged) {
            self.rails.truth.lock().unwrap().mail.remove(at);
            self.delivered.push(letter);
        }
    }

    /// A byte flips after signing: the message is not believed, and comes again.
    fn corrupt(&mut self, letter: &Letter) {
        let now = self.clock.now();
        let key = SigningKey::generate();
        let request = |body| Request {
            method: "POST",
            target_uri: "http://localhost:8080/clearing/inbox",
            content_type: "application/xml",
            body,
        };
        let (headers, _) = sign_request(&request(letter.xml.as_bytes()), &key, now);
        let mut damaged = letter.xml.clone().into_bytes();
        let place = self.chance.below(damaged.len());
        damaged[place] ^= 1 << self.chance.below(8);
        let pinned = KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())]);
        let believed = |body| verify_request(&request(body), &headers, &pinned, now).is_ok();
        assert!(believed(letter.xml.as_bytes()) && !believed(damaged.as_slice()), "byte {place}");
    }

    /// Hands a message to the service; `None` when the process died over it.
    async fn take(&self, letter: &Letter, death: Option<u32>) -> Option<Taken> {
        let received = read(letter.xml.as_bytes(), 1 << 20).unwrap();
        let done = live(&self.app, death, async |app| take_message(&app, received).await).await?;
        Some(match done {
            Ok(_) => Taken::Acknowledged,
            Err(Error::Unavailable(_)) => Taken::ComeAgain,
            Err(Error::Conflict(refusal)) if refusal.code == "payment_moved" => Taken::ComeAgain,
            Err(Error::Conflict(refusal)) if refusal.code == "message_id_reused" => Taken::Refused,
            Err(error) => panic!("{error:?}"),
        })
    }

    /// A message under a known identifier with other content is refused and changes nothing.
    async fn forge(&mut self, seen: &Seen) {
        let Some(letter) = self.delivered.iter().rev().find(|letter| letter.carries_money) else { return };
        let other = letter.xml.replacen("<AcctSvcrRef>R", "<AcctSvcrRef>X", 2).replacen(
            "<NtryRef>R",
            "<NtryRef>X",
            1,
        );
        let letter = Letter { xml: other, carries_money: true };
        assert_eq!(
            self.take(&letter, None).await,
            Some(Taken::Refused),
            "other content under a known identifier"
        );
        self.fault(seen, "message with other content");
    }

    async fn cancel(&mut self, seen: &Seen) {
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

    /// Money that nobody asked for in this way.
    fn stray_money(&mut self, seen: &Seen) {
        let now = self.clock.now();
        let asked: Vec<(Uuid, Asked)> = {
            let truth = self.rails.truth.lock().unwrap();
            truth.asked.iter().map(|(id, asked)| (*id, asked.clone())).collect()
        };
        let one = (!asked.is_empty()).then(|| asked[self.chance.below(asked.len())].clone());
        match (self.chance.below(6), one) {
            (4, _) => {
                let Some(bill) = self.some_bill() else { return };
                self.fault(seen, "transfer by reference");
                let text = format!("CT {} nop phi", self.bills[bill].reference.to_lowercase());
                let wrong = self.chance.percent(20);
                let amount = if wrong { 1_000 } else { self.total(bill) };
                self.rails.transfer(&text, Money::vnd(amount), now);
            }
            (0 | 5, Some((payment, asked))) if asked.decision == Decision::Approved => {
                self.fault(seen, "paid twice");
                self.rails.money(Some(payment), asked.amount, now);
            }
            (1, Some((payment, asked))) if asked.decision == Decision::Refused => {
                self.fault(seen, "money after the end");
                self.rails.money(Some(payment), asked.amount, now);
            }
            (2, Some((payment, asked))) => {
                self.fault(seen, "wrong amount");
                self.rails.money(Some(payment), asked.amount.minus(Money::vnd(5_000)).unwrap(), now);
            }
            _ => {
                self.fault(seen, "unknown reference");
                self.rails.money(None, Money::vnd(70_000), now);
            }
        }
        self.say("money comes");
    }

    /// What a bill asks for.
    pub fn total(&self, bill: usize) -> i64 {
        let answer: serde_json::Value = serde_json::from_str(&self.bills[bill].answer).unwrap();
        answer["total"]["amount"].as_str().unwrap().parse().unwrap()
    }

    /// What was collected goes on to whom it belongs.
    async fn pass_on(&mut self, seen: &Seen) {
        let death = self.death(seen);
        self.say("money goes on");
        let done = live(&self.app, death, async |app| pass_on(&app).await).await;
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// Second money goes back, and what is silent is asked about.
    async fn give_back(&mut self, seen: &Seen) {
        let death = self.death(seen);
        self.say("second money goes back");
        let done = live(&self.app, death, async |app| {
            return_second_money(&app).await?;
            look_after_refunds(&app).await
        })
        .await;
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// What waits to be given back goes while everything still fails: without this most of it would leave in the calm.
    async fn give_back_to_the_end(&mut self, seen: &Seen) {
        for _ in 0..3 {
            self.deliver_all().await;
            // Thrice between two deliveries: what is silent is asked about before the money is seen to leave.
            for _ in 0..3 {
                self.give_back(seen).await;
                self.reconcile(seen).await;
                self.pass_on(seen).await;
                if self.chance.percent(60) {
                    self.look(seen).await;
                }
                self.clock.advance(Duration::from_secs(2 * 3_600));
            }
        }
        self.note_faults(seen);
        self.look(seen).await;
    }

    async fn inquire(&mut self, seen: &Seen) {
        let death = self.death(seen);
        self.say("inquiries");
        let done = live(&self.app, death, async |app| inquire_due(&app).await).await;
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// The accountant matches yesterday.
    async fn reconcile(&mut self, seen: &Seen) {
        let death = self.death(seen);
        let yesterday = Day::of(self.clock.now()).plus_days(-1);
        self.say(&format!("the statement of {yesterday}"));
        self.match_day(yesterday, death).await;
    }

    /// Matches a day; the answer, unless the process died or the account does not exist yet.
    pub async fn match_day(&self, day: Day, death: Option<u32>) -> Option<serde_json::Value> {
        let mut tx = self.app.store.begin().await.unwrap();
        let account = account_of_number(&mut tx, ACCOUNT).await.unwrap()?;
        drop(tx);
        let done = live(&self.app, death, async |app| match_statement(&app, &account, day).await).await?;
        match done {
            Ok(answer) => Some(answer),
            Err(Error::Unavailable(_)) => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// The faults stop: what is in the mail arrives, silence is asked about, every day gets its statement.
    pub async fn settle_down(&mut self, seen: &Seen) {
        self.give_back_to_the_end(seen).await;
        *self.rails.calm.lock().unwrap() = true;
        for _ in 0..6 {
            self.deliver_all().await;
            self.clock.advance(Duration::from_secs(3 * 3_600));
            while live(&self.app, None, async |app| inquire_due(&app).await).await.unwrap().unwrap() > 0 {}
            while live(&self.app, None, async |app| return_second_money(&app).await).await.unwrap().unwrap()
                > 0
            {}
            live(&self.app, None, async |app| look_after_refunds(&app).await).await.unwrap().unwrap();
            self.look(seen).await;
        }
        let began: Instant = time::macros::datetime!(2026-11-24 09:00 UTC);
        let mut day = Day::of(began);
        // Thrice: what the statements show never to have left is sent again.
        for _ in 0..3 {
            for _ in 0..2 {
                self.deliver_all().await;
                live(&self.app, None, async |app| return_second_money(&app).await).await.unwrap().unwrap();
                live(&self.app, None, async |app| look_after_refunds(&app).await).await.unwrap().unwrap();
                while live(&self.app, None, async |app| pass_on(&app).await).await.unwrap().unwrap() > 0 {}
                self.look(seen).await;
            }
            self.deliver_all().await;
            self.clock.advance(Duration::from_secs(72 * 3_600));
            while day < Day::of(self.clock.now()) {
                self.match_day(day, None).await;
                day = day.plus_days(1);
            }
            self.look(seen).await;
        }
        if self.chance.percent(25) {
            self.close_days(seen, (Day::of(began), day)).await;
        }
    }

    async fn deliver_all(&mut self) {
        loop {
            let Some(letter) = self.rails.truth.lock().unwrap().mail.first().cloned() else { return };
            if self.take(&letter, None).await == Some(Taken::Acknowledged) {
                self.rails.truth.lock().unwrap().mail.remove(0);
            } else {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// What moved, as the bank knows it: the movement's reference, its amount, and what it names.
    pub fn moved(&self) -> Vec<(String, i64, Option<Uuid>)> {
        let truth = self.rails.truth.lock().unwrap();
        let told = |entry| named(entry);
        let came = truth.movements.iter().filter(|e| e.direction == Direction::Credit);
        came.map(|e| (e.reference.to_string(), e.amount.minor(), told(e))).collect()
    }

    /// What left, as the bank knows it.
    pub fn left(&self) -> Vec<(String, i64)> {
        let truth = self.rails.truth.lock().unwrap();
        let left = truth.movements.iter().filter(|e| e.direction == Direction::Debit);
        left.map(|e| (e.reference.to_string(), e.amount.minor())).collect()
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Acknowledged,
    ComeAgain,
    Refused,
}

/// A flow may refuse; it may not fail.
pub fn expect_or_refused(done: Result<(), Error>) {
    if let Err(Error::Internal(cause)) = done {
        panic!("{cause:?}");
    }
}
