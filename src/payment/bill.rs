//! The bill: what an agency asks somebody to pay for one dossier.
//!
//! The total is the sum of the lines by construction. A bill is `Open`, then `Paid` or `Cancelled`, once; that its
//! due day has passed is derived from the day and never stored. Deliberately absent: how the amounts came about
//! (`super::fee`) and the attempts to pay them (`super::payment`).

pub use super::owner::Owner;

use super::{
    code::{Code, DossierCode, ProcedureCode},
    fee::{Bilingual, FeeKind},
    invoice::Invoice,
    ledger::Part,
    notice::Notice,
};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Bill as BillKind, Id, Payment},
    money::{Currency, Money},
    reference::Reference,
    text::Line,
};

/// The most lines that are asked for in one bill; each may come to be followed by one of late interest.
pub const LINES_MAX: usize = 50;
/// The furthest due day, counted from the day of issue.
pub const DUE_DAYS_MAX: i64 = 366;

/// One amount on a bill, owed to one beneficiary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillLine {
    /// The fee.
    pub fee: Code,
    /// Service price or state charge.
    pub kind: FeeKind,
    /// Its name.
    pub name: Bilingual,
    /// How many units.
    pub count: u32,
    /// The tariff amount.
    pub gross: Money,
    /// What is owed.
    pub amount: Money,
    /// What of it the beneficiary keeps; the rest is the budget's. Nothing of any other kind than phí.
    pub retained: Money,
    /// The law that sets it.
    pub legal_basis: Line,
    /// To whom it belongs.
    pub beneficiary: Beneficiary,
    /// The notice by which an office elsewhere assessed it; taxes alone have one.
    pub notice: Option<Notice>,
    /// The seller's invoice for it; the price of a service alone has one.
    pub invoice: Option<Invoice>,
}

/// The account to which an amount belongs, as it was when the bill was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beneficiary {
    /// The agency whose money it is, when another one than the bill's.
    pub agency: Option<Id<Agency>>,
    /// The bank or Treasury office, by its clearing code.
    pub bank: String,
    /// The account number, as the bank writes it.
    pub number: String,
    /// The legal owner.
    pub holder: Line,
}

/// The lines of a bill: at least one, not too many, with a positive total that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    lines: Vec<BillLine>,
    total: Money,
}

impl Lines {
    /// Puts lines together.
    pub fn new(lines: Vec<BillLine>) -> Result<Self, Refusal> {
        if lines.len() > 2 * LINES_MAX {
            return Err(Refusal::LineCount);
        }
        let fits = |line: &BillLine| (0..=line.amount.minor()).contains(&line.retained.minor());
        if lines.iter().any(|line| line.amount.minor() < 0 || !fits(line)) {
            return Err(Refusal::NegativeLine);
        }
        let total = Money::sum(Currency::Vnd, lines.iter().map(|line| line.amount))
            .map_err(|_| Refusal::TotalTooLarge)?;
        if total.is_zero() { Err(Refusal::NothingToPay) } else { Ok(Self { lines, total }) }
    }

    /// The sum of the lines.
    pub const fn total(&self) -> Money {
        self.total
    }

    /// The lines in the order of the bill.
    pub fn as_slice(&self) -> &[BillLine] {
        &self.lines
    }

    /// What each beneficiary gets of each kind, `own` being the bill's agency; what is nothing does not occur.
    pub fn parts(&self, own: Id<Agency>) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for line in self.lines.iter().filter(|line| line.amount.is_positive()) {
            let agency = line.beneficiary.agency.unwrap_or(own);
            let part = Part { agency, kind: line.kind, amount: line.amount, retained: line.retained };
            match parts.iter_mut().find(|part| (part.agency, part.kind) == (agency, line.kind)) {
                // Sums of parts of a total that exists.
                Some(before) => {
                    before.amount = before.amount.plus(part.amount).unwrap_or(before.amount);
                    before.retained = before.retained.plus(part.retained).unwrap_or(before.retained);
                }
                None => parts.push(part),
            }
        }
        parts
    }

    /// The lines in parts that stand to each other like the weights and add up to them exactly, line by line.
    pub fn split(&self, weights: &[u64]) -> Result<Vec<Self>, Refusal> {
        let mut parts: Vec<Vec<BillLine>> = vec![Vec::new(); weights.len()];
        for line in &self.lines {
            let amounts = line.amount.split(weights).ok_or(Refusal::NothingToPay)?;
            let of_amounts: Vec<u64> = amounts.iter().map(|amount| amount.minor().unsigned_abs()).collect();
            // In proportion to the amounts, so that no part keeps more than it is.
            let kept = line.retained.split(&of_amounts);
            for (i, amount) in amounts.into_iter().enumerate().filter(|(_, amount)| amount.is_positive()) {
                let retained = kept.as_ref().and_then(|kept| kept.get(i).copied());
                let retained = retained.unwrap_or(Money::zero(amount.currency()));
                parts[i].push(BillLine { amount, retained, ..line.clone() });
            }
        }
        parts.into_iter().map(Self::new).collect()
    }

    /// The lines of each owner, in the order of the bill: a tax and the price of a service belong to the account that they
    /// name. Lines by which no money moves stand with the first owner's.
    pub fn by_owner(&self, own: Id<Agency>) -> Result<Vec<(Owner, Self)>, Refusal> {
        let mut owners: Vec<(Owner, Vec<BillLine>)> = Vec::new();
        for line in &self.lines {
            let owner = Owner::of(line, own);
            match owners.iter_mut().find(|found| found.0 == owner) {
                Some(found) => found.1.push(line.clone()),
                None => owners.push((owner, vec![line.clone()])),
            }
        }
        let owed = |lines: &[BillLine]| lines.iter().any(|line| line.amount.is_positive());
        let (mut owners, free): (Vec<_>, Vec<_>) = owners.into_iter().partition(|(_, lines)| owed(lines));
        if let Some((_, first)) = owners.first_mut() {
            first.extend(free.into_iter().flat_map(|(_, lines)| lines));
        }
        owners.into_iter().map(|(owner, lines)| Ok((owner, Self::new(lines)?))).collect()
    }

    /// What is owed of each kind; a kind with nothing owed does not occur.
    pub fn shares(&self) -> Vec<(FeeKind, Money)> {
        let of_kind = |kind| self.lines.iter().filter(move |line| line.kind == kind).map(|line| line.amount);
        FeeKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, Money::sum(Currency::Vnd, of_kind(kind)).ok()?)))
            .filter(|(_, amount)| amount.is_positive())
            .collect()
    }
}

/// The longest name of a party.
pub type PartyName = Line<120>;

/// The four people of a bill, who need not be the same. Names are as given; who they are is the identity half's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// Whom the dossier concerns.
    pub applicant: PartyName,
    /// Who filed it, when somebody else.
    pub submitter: Option<PartyName>,
    /// Who is expected to pay, when somebody else; anybody may.
    pub payer: Option<PartyName>,
    /// The name that the receipt shall carry, when another one.
    pub receipt_name: Option<PartyName>,
}

impl Parties {
    /// The name on the receipt: the one asked for, else the payer's, else the applicant's.
    pub fn name_on_receipt(&self) -> &PartyName {
        self.receipt_name.as_ref().or(self.payer.as_ref()).unwrap_or(&self.applicant)
    }
}

/// A name of which only the initials are left, not even its lengths: `Nguyễn Thị Hòa` becomes `N•• T•• H••`.
pub fn masked(name: &PartyName) -> String {
    let mask = |word: &str| word.chars().take(1).chain(['•', '•']).collect::<String>();
    name.as_str().split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

/// A bill as it was issued, without its parties (they are sealed) and without its state (it moves).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Its identifier.
    pub id: Id<BillKind>,
    /// The agency that asks.
    pub agency: Id<Agency>,
    /// The public reference, the same everywhere.
    pub reference: Reference,
    /// The dossier that it is for.
    pub dossier: DossierCode,
    /// The procedure of the dossier.
    pub procedure: ProcedureCode,
    /// What is owed.
    pub lines: Lines,
    /// The last day of payment, in Vietnam, the whole day included.
    pub due: Day,
    /// The last day on which it can be paid at all, with interest; the due day, if nothing else was said.
    pub payable_until: Day,
    /// Which version of it this is: an amendment makes the next one.
    pub version: u32,
    /// When it was issued.
    pub issued_at: Instant,
}

/// What has become of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be paid.
    Open,
    /// It has been paid.
    Paid {
        /// By which attempt.
        payment: Id<Payment>,
        /// When the books were written.
        at: Instant,
    },
    /// The agency withdrew it.
    Cancelled {
        /// When.
        at: Instant,
    },
    /// Another bill took its place.
    Superseded {
        /// When.
        at: Instant,
    },
}

/// A bill's state as others see it on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It can be paid.
    Open,
    /// Its due day is over; it was neither paid nor cancelled.
    Expired,
    /// It has been paid.
    Paid,
    /// The agency withdrew it.
    Cancelled,
    /// Another bill took its place.
    Superseded,
}

impl Status {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }
}

/// The last day to pay: the due day stands still while nobody answers about an attempt that began in time, so each
/// such silence, given by its first and last day in the order of their beginnings, moves it by as many days.
pub fn pay_until(due: Day, silences: &[(Day, Day)]) -> Day {
    silences.iter().fold(due, |until, (since, to)| {
        let days = (to.date() - since.date()).whole_days().max(0);
        if *since <= until { until.plus_days(days) } else { until }
    })
}

/// The status of a bill in `state`, payable until `until`, seen on `today`.
pub fn status(state: &State, until: Day, today: Day) -> Status {
    match state {
        State::Open if today > until => Status::Expired,
        State::Open => Status::Open,
        State::Paid { .. } => Status::Paid,
        State::Cancelled { .. } => Status::Cancelled,
        State::Superseded { .. } => Status::Superseded,
    }
}

/// Whether a new attempt to pay may start today.
pub fn may_pay(state: &State, until: Day, today: Day) -> Result<(), Refusal> {
    match status(state, until, today) {
        Status::Open => Ok(()),
        Status::Expired => Err(Refusal::PastDue),
        Status::Paid => Err(Refusal::AlreadyPaid),
        Status::Cancelled => Err(Refusal::AlreadyCancelled),
        Status::Superseded => Err(Refusal::AlreadySuperseded),
    }
}

/// Withdraws a bill; refused while an attempt is under way, because its money may be coming.
pub fn cancel(state: &State, attempt_under_way: bool, now: Instant) -> Result<State, Refusal> {
    match state {
        State::Open if attempt_under_way => Err(Refusal::PaymentUnderWay),
        State::Open => Ok(State::Cancelled { at: now }),
        State::Paid { .. } => Err(Refusal::AlreadyPaid),
        State::Cancelled { .. } => Err(Refusal::AlreadyCancelled),
        State::Superseded { .. } => Err(Refusal::AlreadySuperseded),
    }
}

/// Whether an open bill may get another version, or another bill in its place; refused while an attempt is under way.
pub fn may_change(state: &State, attempt_under_way: bool) -> Result<(), Refusal> {
    match state {
        State::Open if attempt_under_way => Err(Refusal::PaymentUnderWay),
        State::Open => Ok(()),
        State::Paid { .. } => Err(Refusal::AlreadyPaid),
        State::Cancelled { .. } => Err(Refusal::AlreadyCancelled),
        State::Superseded { .. } => Err(Refusal::AlreadySuperseded),
    }
}

/// Opens a withdrawn bill again, under the same reference.
pub fn revive(state: &State) -> Result<State, Refusal> {
    match state {
        State::Cancelled { .. } => Ok(State::Open),
        State::Open => Err(Refusal::NotCancelled),
        State::Paid { .. } => Err(Refusal::AlreadyPaid),
        State::Superseded { .. } => Err(Refusal::AlreadySuperseded),
    }
}

/// A last day of payment that fits the due day.
pub fn check_until(until: Day, due: Day) -> Result<(), Refusal> {
    if until < due {
        Err(Refusal::UntilBeforeDue)
    } else if until > due.plus_days(DUE_DAYS_MAX) {
        Err(Refusal::DueTooFar)
    } else {
        Ok(())
    }
}

/// A due day that a bill issued on `today` may have.
pub fn check_due(due: Day, today: Day) -> Result<(), Refusal> {
    if due < today {
        Err(Refusal::DueInThePast)
    } else if due > today.plus_days(DUE_DAYS_MAX) {
        Err(Refusal::DueTooFar)
    } else {
        Ok(())
    }
}

/// What a bill refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many lines.
    #[error("a bill has at most 50 lines")]
    LineCount,
    /// A line below zero.
    #[error("a line is not negative")]
    NegativeLine,
    /// Every line is exempt.
    #[error("nothing is owed")]
    NothingToPay,
    /// The sum is beyond what an account can hold.
    #[error("the total is too large")]
    TotalTooLarge,
    /// The due day is over before the bill exists.
    #[error("the due day has passed")]
    DueInThePast,
    /// The due day is more than a year ahead.
    #[error("the due day is more than 366 days ahead")]
    DueTooFar,
    /// The dossier's agency has no account for a kind of fee.
    #[error("the agency has no account for this kind of fee")]
    NoAccount,
    /// The bill cannot be paid any more.
    #[error("the bill is past its due day")]
    PastDue,
    /// The bill is paid.
    #[error("the bill is already paid")]
    AlreadyPaid,
    /// The bill is withdrawn.
    #[error("the bill is already cancelled")]
    AlreadyCancelled,
    /// An attempt to pay is alive.
    #[error("a payment of this bill is under way")]
    PaymentUnderWay,
    /// Another bill took its place.
    #[error("the bill was replaced")]
    AlreadySuperseded,
    /// Only a withdrawn bill is revived.
    #[error("the bill is not cancelled")]
    NotCancelled,
    /// The last day of payment lies before the due day.
    #[error("the bill can be paid until its due day at least")]
    UntilBeforeDue,
    /// One of the instalments is paid or being paid: the whole is not payable at once any more, and the other way round.
    #[error("the other way to pay was chosen")]
    OtherWayChosen,
    /// A bill is split once.
    #[error("the bill is split already")]
    AlreadySplit,
    /// The lines belong to several owners, and nothing says how they are collected.
    #[error("the lines belong to several owners")]
    SeveralOwners,
    /// A seller's invoice is charged by a bill, or noted beside one.
    #[error("the seller's invoice is known already")]
    InvoiceKnown,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LineCount => "invalid_body",
            // No tariff is negative.
            Self::NegativeLine => "internal",
            Self::NothingToPay => "nothing_to_pay",
            Self::TotalTooLarge => "amount_too_large",
            Self::DueInThePast => "due_in_the_past",
            Self::DueTooFar => "due_too_far",
            Self::NoAccount => "agency_account_missing",
            Self::PastDue => "bill_past_due",
            Self::AlreadyPaid => "bill_already_paid",
            Self::AlreadyCancelled => "bill_already_cancelled",
            Self::PaymentUnderWay => "payment_under_way",
            Self::AlreadySuperseded => "bill_superseded",
            Self::NotCancelled => "bill_not_cancelled",
            Self::UntilBeforeDue => "until_before_due",
            Self::SeveralOwners => "several_owners",
            Self::InvoiceKnown => "invoice_known",
            Self::OtherWayChosen => "other_way_chosen",
            Self::AlreadySplit => "bill_split_already",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use proptest::prelude::*;
    use time::macros::datetime;

    fn line(kind: FeeKind, amount: i64) -> BillLine {
        let text = Line::parse("text").unwrap();
        BillLine {
            fee: "LLTP-01".parse().unwrap(),
            kind,
            name: Bilingual { vi: text.clone(), en: text.clone() },
            count: 1,
            gross: Money::vnd(amount),
            amount: Money::vnd(amount),
            retained: Money::vnd(if kind == FeeKind::Phi { amount / 4 * 3 } else { 0 }),
            legal_basis: text,
            beneficiary: Beneficiary {
                agency: None,
                bank: "VBAAVNVX".to_owned(),
                number: "3511".to_owned(),
                holder: Line::parse("KBNN").unwrap(),
            },
            notice: None,
            invoice: None,
        }
    }

    fn day(s: &str) -> Day {
        s.parse().unwrap()
    }

    #[test]
    fn lines_refuse_what_cannot_be_paid() {
        for (lines, refusal) in [
            (vec![], Refusal::NothingToPay),
            (vec![line(FeeKind::Phi, 1); 2 * LINES_MAX + 1], Refusal::LineCount),
            (vec![line(FeeKind::Phi, 0)], Refusal::NothingToPay),
            (vec![line(FeeKind::Phi, 5), line(FeeKind::Phi, -1)], Refusal::NegativeLine),
            (vec![line(FeeKind::Phi, i64::MAX), line(FeeKind::LePhi, 1)], Refusal::TotalTooLarge),
        ] {
            assert_eq!(Lines::new(lines), Err(refusal));
        }
    }

    #[test]
    fn the_due_day_counts_whole_and_ends_at_17_utc() {
        let due = day("2026-12-31");
        let last = Day::of(datetime!(2026-12-31 16:59:59 UTC));
        let after = Day::of(datetime!(2026-12-31 17:00 UTC));
        assert_eq!(may_pay(&State::Open, due, last), Ok(()));
        assert_eq!(may_pay(&State::Open, due, after), Err(Refusal::PastDue));
        assert_eq!(status(&State::Open, due, after), Status::Expired);
        assert_eq!(check_due(due, after), Err(Refusal::DueInThePast));
        assert_eq!(check_due(due, day("2025-12-30")), Ok(()));
        assert_eq!(check_due(due, day("2025-12-29")), Err(Refusal::DueTooFar));
    }

    #[test]
    fn the_due_day_stands_still_while_nobody_answers() {
        let due = day("2026-12-01");
        let silent = |pairs: &[(&str, &str)]| {
            let silences: Vec<_> = pairs.iter().map(|(since, to)| (day(since), day(to))).collect();
            pay_until(due, &silences).to_string()
        };
        assert_eq!(silent(&[]), "2026-12-01");
        assert_eq!(silent(&[("2026-11-30", "2026-11-30")]), "2026-12-01");
        assert_eq!(silent(&[("2026-12-01", "2026-12-03")]), "2026-12-03");
        assert_eq!(silent(&[("2026-12-01", "2026-12-03"), ("2026-12-03", "2026-12-04")]), "2026-12-04");
        // One that began too late saves nobody.
        assert_eq!(silent(&[("2026-12-02", "2026-12-09")]), "2026-12-01");
    }

    #[test]
    fn a_bill_ends_once() {
        let now = datetime!(2026-11-24 01:00 UTC);
        let payment = Id::new(now, &SeededEntropy::new(2));
        let paid = State::Paid { payment, at: now };
        let cancelled = State::Cancelled { at: now };
        assert_eq!(cancel(&State::Open, false, now), Ok(cancelled));
        assert_eq!(cancel(&State::Open, true, now), Err(Refusal::PaymentUnderWay));
        assert_eq!(cancel(&paid, false, now), Err(Refusal::AlreadyPaid));
        assert_eq!(cancel(&cancelled, false, now), Err(Refusal::AlreadyCancelled));
        assert_eq!(may_pay(&cancelled, day("2026-12-01"), day("2026-11-24")), Err(Refusal::AlreadyCancelled));
    }

    #[test]
    fn a_withdrawn_bill_is_revived_and_a_replaced_one_never() {
        let now = datetime!(2026-11-24 01:00 UTC);
        let (cancelled, superseded) = (State::Cancelled { at: now }, State::Superseded { at: now });
        assert_eq!(revive(&cancelled), Ok(State::Open));
        assert_eq!(revive(&State::Open), Err(Refusal::NotCancelled));
        assert_eq!(revive(&superseded), Err(Refusal::AlreadySuperseded));
        assert_eq!(may_change(&State::Open, true), Err(Refusal::PaymentUnderWay));
        assert_eq!(may_change(&superseded, false), Err(Refusal::AlreadySuperseded));
        assert_eq!(check_until(day("2026-11-30"), day("2026-12-01")), Err(Refusal::UntilBeforeDue));
        assert_eq!(check_until(day("2026-12-01"), day("2026-12-01")), Ok(()));
    }

    #[test]
    fn a_masked_name_keeps_initials_only() {
        assert_eq!(masked(&Line::parse("Nguyễn Thị Hòa").unwrap()), "N•• T•• H••");
        assert_eq!(masked(&Line::parse("Ê").unwrap()), "Ê••");
    }

    proptest! {
        #[test]
        fn parts_add_up_line_by_line(amounts in prop::collection::vec(1_000_i64..1_000_000, 1..6), weights in prop::collection::vec(1_u64..9, 2..5)) {
            let whole = Lines::new(amounts.iter().map(|&amount| line(FeeKind::Phi, amount)).collect()).unwrap();
            let parts = whole.split(&weights).unwrap();
            prop_assert_eq!(parts.len(), weights.len());
            for (i, line) in whole.as_slice().iter().enumerate() {
                let sum = |of: fn(&BillLine) -> Money| parts.iter().map(|part| of(&part.as_slice()[i]).minor()).sum::<i64>();
                prop_assert_eq!(sum(|l| l.amount), line.amount.minor());
                prop_assert_eq!(sum(|l| l.retained), line.retained.minor());
            }
        }

        #[test]
        fn shares_add_up_to_the_total(amounts in prop::collection::vec((any::<bool>(), 0..1_000_000_000_i64), 1..20)) {
            let kind = |phi| if phi { FeeKind::Phi } else { FeeKind::LePhi };
            let lines: Vec<BillLine> = amounts.iter().map(|&(phi, amount)| line(kind(phi), amount)).collect();
            let sum: i64 = amounts.iter().map(|(_, amount)| amount).sum();
            match Lines::new(lines) {
                Err(refusal) => prop_assert!(sum == 0 && refusal == Refusal::NothingToPay),
                Ok(lines) => {
                    prop_assert_eq!(lines.total(), Money::vnd(sum));
                    let shares = lines.shares();
                    prop_assert_eq!(Money::sum(Currency::Vnd, shares.iter().map(|s| s.1)), Ok(Money::vnd(sum)));
                    prop_assert!(shares.iter().all(|s| s.1.is_positive()));
                    let agency = Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(3));
                    let parts = lines.parts(agency);
                    let found: Vec<_> = shares.iter().map(|s| s.1).collect();
                    let kept = parts.iter().map(|part| part.retained.minor()).sum::<i64>();
                    prop_assert_eq!(Money::sum(Currency::Vnd, parts.iter().map(|p| p.amount)), Ok(Money::vnd(sum)));
                    prop_assert!(parts.len() == found.len() && kept <= sum);
                }
            }
        }
    }
}
