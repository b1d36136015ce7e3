//! One life: what can happen next, and how it ends.

use crate::cashiers::Desk;
use crate::fees::{Charge, Version};
use crate::laws::check_always;
use crate::process::live;
use crate::rails::{Letter, Rails};
use crate::seen::Seen;
use crate::tellings::clearing_day;
use crate::world::{Chance, Drawn, World};
use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::{Clock, Instant, ManualClock},
    id::{Agency, Id},
};
use chung::flow::{
    Error, inquire_payment::inquire_due, pass_on::pass_on, recall::send_recalls,
    return_second_money::return_second_money, send_refund::look_after_refunds,
};
use sqlx::Row;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

/// The fewest steps and faults of a life.
const STEPS: usize = 50;
const FAULTS: usize = 5;
/// A process that is to die does so before as many of its statements are answered.
pub const STATEMENTS: usize = 30;

/// A bill that the service has promised, with what was asked and answered.
pub struct Promised {
    pub id: Id<chung::base::id::Bill>,
    pub reference: String,
    pub agency: Id<Agency>,
    /// Whose money it is: another's in a part of a bill of several owners.
    pub owner: Id<Agency>,
    pub key: String,
    pub answer: String,
    pub charge: Charge,
}

/// What is told of a life, each with how often the service had drawn by then.
pub type Told = Vec<(String, u64)>;

/// One life.
pub struct Life<'a> {
    pub world: &'a World,
    pub app: App,
    /// The same at the nodes where two act at once.
    pub nodes: [App; 2],
    /// The agencies that ask: another one in the place of the first once it was succeeded.
    pub agencies: [Id<Agency>; 2],
    /// The versions of the fee schedule beside the first.
    pub versions: Vec<Version>,
    /// The accounts beside the agencies' own that something is paid into.
    pub others: BTreeSet<&'static str>,
    /// How many services sellers have invoiced.
    pub sold: usize,
    pub rails: Arc<Rails>,
    pub clock: Arc<ManualClock>,
    pub chance: Chance,
    /// The chance of what happens beside all that: drawn apart, so that the rest of a seed is the same with it and without.
    pub beside: Chance,
    pub bills: Vec<Promised>,
    /// Who asked for bills that were paid before an agency was succeeded, and whose money it was.
    pub paid_before: BTreeMap<uuid::Uuid, (Id<Agency>, Id<Agency>)>,
    /// The tills, as their cashiers know them.
    pub desk: Desk,
    /// Until when what of the agency's system is tolerated.
    pub tolerated: BTreeMap<&'static str, Day>,
    pub keys: usize,
    /// Whether the first agency has but a few numbers for its receipts.
    pub short: bool,
    /// Whether somebody listens to the first agency's events.
    pub listens: bool,
    /// Whether it asked not to be told for a while.
    pub rests: bool,
    pub delivered: Vec<Letter>,
    pub faults: usize,
    pub tell: bool,
    /// The state of each object when it was last looked at, and what the look showed.
    pub states: BTreeMap<String, String>,
    pub looked: String,
    /// What was told of it, step by step.
    pub told: RefCell<Told>,
    /// How often the service drew.
    pub drawn: Arc<Drawn>,
}

/// The state of everything that has one, a line for each.
const LOOK: &str =
    "select coalesce(string_agg(concat_ws('|', what, id, state, why), E'\n' order by what, id), '') from (
     select 'payment' as what, id, state, coalesce('rejected: ' || reason, '') as why from payment
     union all select 'bill', id, state, '' from bill
     union all select 'case', id, state, kind from \"case\"
     union all select 'suspense', id, reason, '' from suspense
     union all select 'refund', id, state, '' from refund
     union all select 'payout', id, state, '' from payout
     union all select 'recall ' || direction, id, state, '' from recall) as all_of_it";

/// When every life begins; the bank tells the day before and all that follow.
pub const BEGAN: Instant = time::macros::datetime!(2026-11-24 09:00 UTC);

impl Life<'_> {
    /// Lives: at least so many steps, until enough went wrong.
    pub async fn live(&mut self, seen: &Seen) {
        let mut steps = 0;
        self.begin_listening(seen).await;
        self.begin_short(seen).await;
        self.begin_elsewhere(seen).await;
        while steps < STEPS || self.faults < FAULTS {
            self.step(seen).await;
            self.act_beside(seen).await;
            seen.timed("living: look", self.look(seen)).await;
            steps += 1;
            if steps % 16 == 0 {
                seen.timed("living: laws", check_always(self)).await;
            }
            assert!(steps < 1_000, "a life in which nothing goes wrong");
        }
    }

    async fn step(&mut self, seen: &Seen) {
        match self.chance.below(138) {
            0..=7 => self.issue(seen).await,
            8..=24 => self.start(seen).await,
            25..=40 => self.decide(),
            41..=61 => self.deliver(seen).await,
            62..=64 => self.cancel(seen).await,
            65..=68 => self.stray_money(seen).await,
            69..=70 => self.forge(seen).await,
            71..=76 => self.inquire(seen).await,
            77..=79 => self.give_back(seen).await,
            80..=82 => self.reconcile(seen).await,
            83..=84 => self.pass_on(seen).await,
            85..=90 => self.change(seen).await,
            91..=92 => self.take_receipt_back(seen).await,
            93..=105 => self.serve(seen).await,
            106..=111 => self.keep_books(seen).await,
            112..=118 => self.ask_back(seen).await,
            119..=121 => self.issue_waiting(seen).await,
            122..=123 => self.ask_for_documents(seen).await,
            124..=126 => self.match_beside(seen).await,
            127..=130 => self.stamp(seen).await,
            _ => self.wait(),
        }
        self.note_faults(seen);
    }

    /// What people do now and then whatever else goes on.
    async fn act_beside(&mut self, seen: &Seen) {
        match self.beside.below(100) {
            0..=3 => self.mind_listener(seen).await,
            4..=18 => self.match_by_hand(seen).await,
            19..=30 => self.release(seen).await,
            31..=32 => self.redirect(seen).await,
            33..=36 => self.deny_what_left(seen).await,
            37..=40 => self.pay_late(seen).await,
            41..=44 => self.warn(seen).await,
            45..=50 => self.pass_on_collected(seen).await,
            _ => {}
        }
    }

    /// Counts what went wrong at the bank.
    pub fn note_faults(&mut self, seen: &Seen) {
        let faults: Vec<&str> = std::mem::take(&mut self.rails.truth.lock().unwrap().faults);
        for fault in faults {
            self.faults += 1;
            seen.note(fault);
        }
    }

    /// How many statements the process of the next act has to live, if it is to die.
    pub fn death(&mut self, seen: &Seen) -> Option<u32> {
        let dies = self.chance.percent(12);
        dies.then(|| self.dying(seen))
    }

    /// How many statements the process of the next act has to live.
    pub fn dying(&mut self, seen: &Seen) -> u32 {
        self.fault(seen, "process died");
        u32::try_from(self.chance.below(STATEMENTS)).unwrap()
    }

    fn wait(&mut self) {
        let hours = [0, 0, 0, 0, 0, 1, 9, 24][self.chance.below(8)];
        let seconds = self.chance.below(600) as u64 + 1;
        self.clock.advance(Duration::from_secs(hours * 3_600 + seconds));
        self.say("time passes");
    }

    /// The faults stop: what is in the mail arrives, silence is asked about, every day gets its statement.
    pub async fn settle_down(&mut self, seen: &Seen) {
        self.register_more(seen).await;
        seen.timed("settling down: money goes back", self.give_back_to_the_end(seen)).await;
        check_always(self).await;
        *self.rails.calm.lock().unwrap() = true;
        for _ in 0..6 {
            self.deliver_all().await;
            self.clock.advance(Duration::from_secs(3 * 3_600));
            while live(&self.app, None, async |app| inquire_due(&app).await).await.unwrap().unwrap() > 0 {}
            while live(&self.app, None, async |app| return_second_money(&app).await).await.unwrap().unwrap()
                > 0
            {}
            live(&self.app, None, async |app| look_after_refunds(&app).await).await.unwrap().unwrap();
            self.confirm_to_systems().await;
            self.look(seen).await;
        }
        let mut day = Day::of(BEGAN).plus_days(-1);
        // Thrice, unless nothing is on its way before: what the statements show never to have left is sent again.
        for _ in 0..3 {
            self.tidy_up(seen).await;
            for _ in 0..2 {
                let before = self.looked.clone();
                self.deliver_all().await;
                live(&self.app, None, async |app| send_recalls(&app).await).await.unwrap().unwrap();
                live(&self.app, None, async |app| return_second_money(&app).await).await.unwrap().unwrap();
                live(&self.app, None, async |app| look_after_refunds(&app).await).await.unwrap().unwrap();
                while live(&self.app, None, async |app| pass_on(&app).await).await.unwrap().unwrap() > 0 {}
                self.issue_the_rest(seen).await;
                self.match_all_beside().await;
                self.confirm_to_systems().await;
                self.look(seen).await;
                if self.looked == before {
                    break;
                }
            }
            self.deliver_all().await;
            // Until what was taken now is booked, and its day over.
            let booked = clearing_day(self.clock.now());
            self.clock.advance(Duration::from_secs(24 * 3_600));
            while Day::of(self.clock.now()) <= booked {
                self.clock.advance(Duration::from_secs(24 * 3_600));
            }
            while day < Day::of(self.clock.now()) {
                seen.timed("settling down: days", self.match_day(day, None)).await;
                // What ended before the next day was told ended before it.
                self.clock.advance(Duration::from_secs(1));
                day = day.plus_days(1);
            }
            self.look(seen).await;
            if self.is_at_rest().await {
                break;
            }
        }
        self.note_arrivals(seen).await;
        self.confirm_to_systems().await;
        if self.chance.percent(8) {
            self.close_days(seen, (Day::of(BEGAN), day)).await;
        }
        self.stamp_the_rest().await;
        self.clock.advance(Duration::from_secs(7 * 3_600));
        self.stamp_the_rest().await;
        self.tell_all(seen).await;
    }

    /// Whether nothing is on its way any more: no receipt, and of what was seen at the last look no attempt, refund, order or
    /// request of a bank.
    async fn is_at_rest(&self) -> bool {
        let waits = "select bill_id from receipt_due union all select payment_id from adjustment_due
                     union all select payment_id from adjustment_order limit 1";
        self.world.rows(waits).await.is_empty()
            && self.looked.lines().all(|line| {
                let mut parts = line.split(['|', ' ']);
                let what = parts.next().unwrap();
                let state = parts.nth(if what == "recall" { 2 } else { 1 }).unwrap();
                match what {
                    "payment" => ["settled", "rejected"].contains(&state),
                    "refund" | "payout" => ["done", "declined", "bounced"].contains(&state),
                    "recall" => ["accepted", "refused"].contains(&state),
                    _ => true,
                }
            })
    }

    /// Notes which objects have come into which state since the last look.
    pub async fn look(&mut self, seen: &Seen) {
        let rows = self.world.rows(LOOK).await;
        let told: String = rows[0].get(0);
        self.remember(told.clone());
        if told == self.looked {
            return;
        }
        let before = std::mem::replace(&mut self.looked, told);
        let known: BTreeSet<&str> = before.lines().collect();
        for line in self.looked.lines().filter(|line| !known.contains(line)) {
            let parts: Vec<&str> = line.splitn(4, '|').collect();
            let [what, id, state, why] = parts[..] else { panic!("{line}") };
            let before = self.states.insert(format!("{what} {id}"), state.to_owned());
            if before.as_deref() == Some(state) {
                continue;
            }
            match (what, before) {
                ("suspense", _) => seen.note(format!("suspense {state}")),
                ("case", None) => seen.note(format!("case {why}")),
                ("case", Some(_)) => seen.note(format!("case {state}")),
                ("refund", None) if state == "approved" || state == "requested" => {}
                ("refund", None) => seen.note(format!("refund approved → {state}")),
                (_, None) if state == "created" || state == "open" => {}
                (_, None) => {
                    let first = if what == "bill" || what.starts_with("recall") { "open" } else { "created" };
                    seen.note(format!("{what} {first} → {state}"));
                }
                // By the next look it may be anywhere on its other way.
                ("refund", Some(before)) if before == "awaiting_treasury" && state != "done" => {
                    seen.note("refund awaiting_treasury → never remitted");
                }
                (_, Some(before)) => seen.note(format!("{what} {before} → {state}")),
            }
            if let Some(reason) = why.strip_prefix("rejected: ") {
                let own =
                    ["not_sent", "never_received", "wrong_amount", "not_in_statement", "paid_otherwise"];
                seen.note(if own.contains(&reason) { why } else { "rejected: by the bank" });
            }
        }
    }

    /// Counts a fault.
    pub fn fault(&mut self, seen: &Seen, name: &str) {
        self.faults += 1;
        seen.note(format!("fault: {name}"));
    }

    /// In which turns two acts at once go on.
    pub fn turns(&mut self) -> Chance {
        Chance::new(self.chance.below(1 << 30) as u64)
    }

    /// Tells a step: aloud where a life is looked at alone.
    #[expect(clippy::print_stdout, reason = "a failing seed is read step by step")]
    pub fn say(&self, step: &str) {
        let told = format!("{} {step}", self.clock_text());
        if self.tell {
            println!("{told}");
        }
        self.remember(told);
    }

    /// Remembers what happened, and how much chance the service had used by then.
    pub fn remember(&self, what: String) {
        self.told.borrow_mut().push((what, self.drawn.1.load(Ordering::Relaxed)));
    }

    fn clock_text(&self) -> String {
        use chung::base::clock::Clock;
        chung::base::calendar::display_vi(self.clock.now())
    }
}

/// A flow may refuse; it may not fail.
pub fn expect_or_refused(done: Result<(), Error>) {
    if let Err(Error::Internal(cause)) = done {
        panic!("{cause:?}");
    }
}
