//! What the bank tells of a day: as it was, or at first with a line left out or one too many, and again when it has taken
//! a credit back; as a message, or as a file that people bring.

use crate::life::Life;
use crate::rails::Rails;
use crate::seen::Seen;
use chung::base::{calendar::Day, clock::Clock, clock::Instant, money::Money, text::Line};
use chung::codec::iso20022::{Direction, Entry, Message, Part, Statement, write};
use sqlx::Row;
use uuid::Uuid;

/// What is wrong with the first telling of a day.
#[derive(Debug, Clone)]
pub enum Telling {
    Right,
    LeavesOut(String),
    Adds(Box<Entry>),
}

impl Rails {
    /// The statement of a day, as the bank tells it now.
    pub fn told(&self, account: &str, day: Day, now: Instant) -> Statement {
        if account == self.account {
            self.tell_anew(day, now);
        }
        self.as_told(account, day)
    }

    /// A part of it, where the bank tells its days in several messages.
    pub fn told_in_parts(&self, account: &str, day: Day, page: u32, now: Instant) -> Statement {
        let mut whole = if page == 1 { self.told(account, day, now) } else { self.as_told(account, day) };
        let Some(lines) = self.pages else { return whole };
        let parts = whole.entries.len().div_ceil(lines).max(1);
        let number = page as usize;
        whole.entries = whole.entries.chunks(lines).nth(number - 1).unwrap_or_default().to_vec();
        Statement { part: Part { number: page, last: number >= parts }, ..whole }
    }

    fn as_told(&self, account: &str, day: Day) -> Statement {
        let truth = self.truth.lock().unwrap();
        let here = |entry: &Entry| {
            truth.elsewhere.get(entry.reference.as_str()).unwrap_or(&self.account).as_str() == account
        };
        let stands = |entry: &&Entry| here(entry) && !truth.withdrawn.contains(entry.reference.as_str());
        let sum = |entries: &mut dyn Iterator<Item = &Entry>| {
            entries.fold(Money::vnd(0), |sum, entry| match entry.direction {
                Direction::Credit => sum.plus(entry.amount).unwrap(),
                Direction::Debit => sum.minus(entry.amount).unwrap(),
            })
        };
        let movements = || truth.movements.iter().filter(stands);
        let opening = sum(&mut movements().filter(|entry| entry.booked < day));
        let mut entries: Vec<Entry> = movements().filter(|entry| entry.booked == day).cloned().collect();
        match truth.tellings.get(&day).filter(|_| account == self.account) {
            Some(Telling::LeavesOut(reference)) => entries.retain(|e| e.reference.as_str() != reference),
            Some(Telling::Adds(entry)) => entries.push((**entry).clone()),
            Some(Telling::Right) | None => {}
        }
        let closing = opening.plus(sum(&mut entries.iter())).unwrap();
        let account = account.parse().unwrap();
        Statement { account, day, opening, closing, entries, part: Part::WHOLE }
    }

    /// At first a day may be told wrongly; some time later it is told as it was.
    fn tell_anew(&self, day: Day, now: Instant) {
        let (known, some) = {
            let truth = self.truth.lock().unwrap();
            let own = |entry: &&Entry| !truth.elsewhere.contains_key(entry.reference.as_str());
            let of_day = truth.movements.iter().filter(own).filter(|entry| entry.booked == day);
            (
                truth.tellings.get(&day).cloned(),
                of_day.map(|entry| entry.reference.to_string()).collect::<Vec<_>>(),
            )
        };
        let wrong = !matches!(known, None | Some(Telling::Right));
        let telling = if *self.calm.lock().unwrap() || wrong && self.fault(40, "fault: day told again") {
            Telling::Right
        } else if known.is_some() {
            return;
        } else if !some.is_empty() && self.fault(10, "fault: line left out") {
            let at = self.chance.lock().unwrap().below(some.len());
            Telling::LeavesOut(some[at].clone())
        } else if self.fault(8, "fault: line too many") {
            let entry = Self::entry(&format!("P{day}"), None, Money::vnd(33_000), now);
            Telling::Adds(Box::new(Entry { booked: day, value: day, ..entry }))
        } else {
            Telling::Right
        };
        let truth = &mut *self.truth.lock().unwrap();
        truth.doubtful |= matches!(telling, Telling::LeavesOut(_));
        truth.tellings.insert(day, telling);
    }

    /// The day on which a movement was booked.
    pub fn day_of(&self, reference: &str) -> Day {
        let truth = self.truth.lock().unwrap();
        truth.movements.iter().find(|entry| entry.reference.as_str() == reference).unwrap().booked
    }

    /// The same as a file; none of a day without movements.
    pub fn statement_file(&self, day: Day, now: Instant) -> Option<String> {
        let statement = self.told(&self.account, day, now);
        let header = Self::header(&mut self.truth.lock().unwrap(), now);
        (!statement.entries.is_empty()).then(|| write(&header, &Message::Statement(statement)))
    }

    /// What the Treasury was asked to give back leaves, once.
    pub fn order_by_treasury(&self, account: &str, refund: Uuid, amount: Money, now: Instant) {
        if self.truth.lock().unwrap().by_treasury.insert(refund) {
            self.leave(account, refund, amount, now);
        }
    }
}

impl Life<'_> {
    /// The bank takes a credit back that it has shown, or shows it again, and tells the day anew: that day.
    pub async fn take_back(&mut self, seen: &Seen) -> Option<Day> {
        let shown = "select c.servicer_reference as reference, s.day from credit c
             join statement s on s.account_id = c.account_id and s.day = c.booked_on
             where exists (select from statement_line l where l.statement_id = s.id and l.servicer_reference = c.servicer_reference
                 and not exists (select from withdrawn_line w where w.line_id = l.id)) order by 1";
        let rows = self.world.rows(shown).await;
        let again = self.rails.truth.lock().unwrap().withdrawn.iter().next().cloned();
        let day = match again {
            Some(reference) if self.chance.percent(60) => {
                self.fault(seen, "credit shown again");
                self.rails.truth.lock().unwrap().withdrawn.remove(&reference);
                self.rails.day_of(&reference)
            }
            _ if rows.is_empty() => return None,
            _ => {
                let row = &rows[self.chance.below(rows.len())];
                self.fault(seen, "credit taken back");
                let truth = &mut *self.rails.truth.lock().unwrap();
                truth.doubtful = true;
                truth.withdrawn.insert(row.get("reference"));
                Day::from_date(row.get("day"))
            }
        };
        self.say(&format!("the bank tells {day} anew"));
        let death = self.death(seen);
        self.match_day(day, death).await;
        Some(day)
    }

    /// A bank that took a credit back may find that it was right to show it.
    pub async fn change_its_mind(&mut self, seen: &Seen) {
        let took_back = !self.rails.truth.lock().unwrap().withdrawn.is_empty();
        if took_back && self.chance.percent(50) {
            self.take_back(seen).await;
        }
    }

    /// What the bank owes the account: credits that it took back.
    pub fn taken_back(&self) -> i64 {
        let truth = self.rails.truth.lock().unwrap();
        let gone = truth.movements.iter().filter(|entry| truth.withdrawn.contains(entry.reference.as_str()));
        gone.map(|entry| entry.amount.minor()).sum()
    }

    /// Cash that was carried to the bank, and what the card company pays, comes into the account.
    pub fn credit_desk_money(&mut self, seen: &Seen) {
        let now = self.clock.now();
        for slip in self.desk.slips.iter_mut().filter(|slip| slip.credit.is_none() && slip.carried > 0) {
            slip.credit = Some(self.rails.money(None, Money::vnd(slip.carried), now));
            seen.note("cash arrives at the bank");
        }
        let paid = |payment| self.desk.company.iter().any(|(_, slips, _)| slips.contains(payment));
        let open: Vec<_> = self.desk.cards.iter().filter(|(payment, _)| !paid(payment)).copied().collect();
        let sum: i64 = open.iter().map(|(_, amount)| amount).sum();
        if sum > 0 {
            let kept = sum / 100;
            let credit = self.rails.money(None, Money::vnd(sum - kept), now);
            self.desk.company.push((credit, open.into_iter().map(|(payment, _)| payment).collect(), kept));
            seen.note("card company pays");
        }
    }
}

/// A Friday that is a holiday in these lives, and the Saturday that is worked instead.
pub const HOLIDAY: (i32, u8, u8) = (2026, 11, 27);
pub const WORKED: (i32, u8, u8) = (2026, 11, 28);
/// The last two working days of a month, on which the session ends an hour later.
const LATE: [(i32, u8, u8); 4] = [(2026, 11, 28), (2026, 11, 30), (2026, 12, 30), (2026, 12, 31)];

/// The day on which the bank books what it takes now: it is there at once, and settles on the day whose session is not
/// over yet.
pub fn clearing_day(now: Instant) -> Day {
    let day = |(year, month, day): (i32, u8, u8)| Day::new(year, month, day).unwrap();
    let local = now.to_offset(time::UtcOffset::from_hms(7, 0, 0).unwrap());
    let works = |one: Day| {
        let weekend = one.date().weekday().number_from_monday() > 5;
        one == day(WORKED) || !weekend && one != day(HOLIDAY)
    };
    let today = Day::of(now);
    let ends = if LATE.iter().any(|late| today == day(*late)) { 17 } else { 16 };
    let mut booked = if local.hour() < ends { today } else { today.plus_days(1) };
    while !works(booked) {
        booked = booked.plus_days(1);
    }
    booked
}

/// A text of the bank's.
pub fn words(text: &str) -> Line<35> {
    Line::parse(text).unwrap()
}
