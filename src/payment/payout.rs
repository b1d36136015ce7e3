//! What goes on from a collecting account to whom it belongs: which part of a line by which rule, and what an order goes
//! through until its bank or the statement shows that the money has left.
//!
//! A rule is the decision; it is dated, and the clearing day decides which one holds. The kept part of phí and the rest
//! may go two ways. Nothing here says that the Treasury has booked the money: that is the Treasury's to say.

use super::{
    bill::BillLine,
    fee::FeeKind,
    ledger::Account,
    payment::BankReason,
    refund::{Answer, next_inquiry},
};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Id},
    money::{Money, MoneyError},
};

/// What is passed on, as rules and slips tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The part of phí that is not kept.
    Phi,
    /// Lệ phí, all of it.
    LePhi,
    /// A tax, all of it.
    Tax,
    /// The part of phí that the collecting agency keeps.
    Retained,
    /// Prices that sellers have invoiced: to each seller, or into the account from which their agency pays them.
    Service,
    /// What a desk took for another agency, on its way to that agency's account: no rule's, an accountant orders it.
    Collected,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Phi, Self::LePhi, Self::Tax, Self::Retained, Self::Service, Self::Collected];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phi => "phi",
            Self::LePhi => "le_phi",
            Self::Tax => "tax",
            Self::Retained => "retained",
            Self::Service => "service",
            Self::Collected => "collected",
        }
    }

    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// As what money of a charge goes on, but for the kept part of phí.
    pub const fn of(charge: FeeKind) -> Self {
        match charge {
            FeeKind::Phi => Self::Phi,
            FeeKind::LePhi => Self::LePhi,
            FeeKind::Tax => Self::Tax,
            FeeKind::Service => Self::Service,
        }
    }

    /// The account of the books that an order of this kind settles; none where it is carried between two agencies.
    pub const fn account(self, agency: Id<Agency>) -> Option<Account> {
        match self {
            Self::Phi => Some(Account::AgencyFee(agency, FeeKind::Phi)),
            Self::LePhi => Some(Account::AgencyFee(agency, FeeKind::LePhi)),
            Self::Tax => Some(Account::AgencyFee(agency, FeeKind::Tax)),
            Self::Retained => Some(Account::Retained(agency)),
            Self::Service => Some(Account::AgencyFee(agency, FeeKind::Service)),
            Self::Collected => None,
        }
    }
}

/// What stands on a slip in the place of a Treasury office whose money goes to none.
pub const NO_TREASURY: &str = "0000";

/// An office that the budget collects by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// *Mã cơ quan quản lý thu*: seven digits.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// Where money of one kind goes from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Of what.
    pub kind: Kind,
    /// The first clearing day whose money goes so.
    pub valid_from: Day,
    /// The bank or Treasury office that keeps the account.
    pub bank: String,
    /// The account.
    pub number: String,
    /// Its name.
    pub holder: String,
    /// *Kho bạc*: four digits, or [`NO_TREASURY`].
    pub treasury_office: String,
    /// The collecting authority, where the money is the budget's.
    pub authority: Option<Authority>,
    /// *Chương*, *tiểu mục*, *địa bàn*; a tax brings its own.
    pub booking: Option<[String; 3]>,
    /// The instrument by which it goes there.
    pub basis: String,
    /// Prices of services go into the account that their line names for the seller, and not into this one.
    pub to_sellers: bool,
}

/// A seller who is paid: the tax code on its invoices, and its own account's bank and number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seller {
    /// The tax code.
    pub tax_code: String,
    /// The bank that keeps its account.
    pub bank: String,
    /// The account.
    pub number: String,
}

impl Rule {
    /// Whether its slip could be filled in: what goes to the budget needs the authority, lệ phí its booking too.
    pub const fn is_complete(&self) -> bool {
        match self.kind {
            Kind::LePhi => self.authority.is_some() && self.booking.is_some(),
            Kind::Tax => self.authority.is_some(),
            Kind::Phi | Kind::Retained | Kind::Service => true,
            Kind::Collected => false,
        }
    }
}

/// Whom a line's price goes to by a rule, and the rule as it is for that seller; `None` where it goes by the rule alone.
pub fn to_seller(rule: &Rule, line: &BillLine) -> Option<(Seller, Rule)> {
    let invoice = line.invoice.as_ref().filter(|_| rule.to_sellers && rule.kind == Kind::Service)?;
    let to = &line.beneficiary;
    let seller =
        Seller { tax_code: invoice.tax_code.clone(), bank: to.bank.clone(), number: to.number.clone() };
    let rule = Rule {
        bank: to.bank.clone(),
        number: to.number.clone(),
        holder: to.holder.to_string(),
        treasury_office: NO_TREASURY.to_owned(),
        ..rule.clone()
    };
    Some((seller, rule))
}

/// The rule of that kind which holds on a clearing day, if money booked on `booked` may go by it: nothing goes that came
/// before the first rule began.
pub fn rule_for(rules: &[Rule], kind: Kind, day: Day, booked: Day) -> Option<&Rule> {
    let of_kind = || rules.iter().filter(move |rule| rule.kind == kind);
    let first = of_kind().map(|rule| rule.valid_from).min()?;
    if booked < first {
        return None;
    }
    of_kind().filter(|rule| rule.valid_from <= day).max_by_key(|rule| rule.valid_from)
}

/// What is left of a paid line after `back` of it went back, and out of its kept part `kept_back` of that, by kind; what is
/// nothing is left out.
pub fn parts(line: &BillLine, (back, kept_back): (Money, Money)) -> Result<Vec<(Kind, Money)>, MoneyError> {
    let left = line.amount.minus(back)?;
    let kept = line.retained.minus(kept_back)?;
    let rest = left.minus(kept)?;
    Ok([(Kind::of(line.kind), rest), (Kind::Retained, kept)]
        .into_iter()
        .filter(|part| part.1.is_positive())
        .collect())
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is to be told to the clearing system.
    Created,
    /// The clearing system has it.
    Sent,
    /// Nobody answered.
    Unknown {
        /// How often it was told again.
        tries: u8,
        /// Since when.
        since: Instant,
    },
    /// It will not be carried out.
    Bounced {
        /// Why.
        reason: BankReason,
    },
    /// A bank or its statement shows that the money has left.
    Done {
        /// When that was booked.
        at: Instant,
    },
}

impl State {
    /// The word on the wire and in rows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Sent => "sent",
            Self::Unknown { .. } => "unknown",
            Self::Bounced { .. } => "bounced",
            Self::Done { .. } => "done",
        }
    }

    /// When somebody here must look after it, seen from now.
    pub fn next_look(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Created => Some(now),
            Self::Unknown { tries, since } => next_inquiry(*tries, *since),
            Self::Sent | Self::Bounced { .. } | Self::Done { .. } => None,
        }
    }
}

/// What can happen to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The clearing system answered, or did not.
    Answered(Answer),
    /// Its time has come.
    Due,
    /// The account was debited for it.
    Debited,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is now in this state.
    Move(State),
    /// It is in this state, and is told to the clearing system under the name that it has: who knows it answers as
    /// before, who does not carries it out once.
    Tell(State),
    /// Nothing changes.
    Stay,
    /// Nothing changes, though the message denies what is certain: somebody must look.
    Contradiction,
}

/// The life of an order.
pub fn follow(state: &State, event: &Event, now: Instant) -> Next {
    use Next::{Contradiction, Move, Stay, Tell};
    use State::{Bounced, Created, Done, Sent, Unknown};
    match (state, event) {
        (Created | Sent | Unknown { .. }, Event::Debited) => Move(Done { at: now }),
        (Done { .. }, Event::Debited) => Stay,
        (Bounced { .. }, Event::Debited) => Contradiction,

        (Created | Unknown { .. }, Event::Answered(Answer::Taken)) => Move(Sent),
        (Created | Sent | Unknown { .. }, Event::Answered(Answer::Refused(reason))) => {
            Move(Bounced { reason: reason.clone() })
        }
        (Created, Event::Answered(Answer::None)) => Move(Unknown { tries: 0, since: now }),
        (Unknown { .. }, Event::Answered(Answer::NeverGot)) => Move(Created),
        (Created, Event::Answered(Answer::NeverGot)) | (Unknown { .. }, Event::Answered(Answer::None)) => {
            Stay
        }
        (Sent | Done { .. }, Event::Answered(Answer::Taken | Answer::None)) => Stay,
        (Sent, Event::Answered(Answer::NeverGot))
        | (Done { .. }, Event::Answered(Answer::NeverGot | Answer::Refused(_))) => Contradiction,
        (Bounced { .. }, Event::Answered(_)) => Stay,

        (Created, Event::Due) => Tell(Created),
        (Unknown { tries, since }, Event::Due) => match next_inquiry(*tries, *since) {
            Some(due) if due <= now => Tell(Unknown { tries: tries.saturating_add(1), since: *since }),
            Some(_) | None => Stay,
        },
        (Sent | Bounced { .. } | Done { .. }, Event::Due) => Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{entropy::SeededEntropy, text::Line};
    use crate::payment::{bill::Beneficiary, fee::Bilingual};
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-25 02:00 UTC);

    fn line(kind: FeeKind, amount: i64, retained: i64) -> BillLine {
        BillLine {
            fee: "LLTP-01".parse().unwrap(),
            kind,
            name: Bilingual { vi: Line::parse("Phí").unwrap(), en: Line::parse("Fee").unwrap() },
            count: 1,
            gross: Money::vnd(amount),
            amount: Money::vnd(amount),
            retained: Money::vnd(retained),
            legal_basis: Line::parse("TT 1").unwrap(),
            beneficiary: Beneficiary {
                agency: None,
                bank: "970405".to_owned(),
                number: "1".to_owned(),
                holder: Line::parse("KB").unwrap(),
            },
            notice: None,
            invoice: None,
        }
    }

    fn rule(kind: Kind, from: &str, number: &str) -> Rule {
        Rule {
            kind,
            valid_from: from.parse().unwrap(),
            bank: "970405".to_owned(),
            number: number.to_owned(),
            holder: "KB".to_owned(),
            treasury_office: "0061".to_owned(),
            authority: None,
            booking: None,
            basis: "QĐ 1".to_owned(),
            to_sellers: false,
        }
    }

    #[test]
    fn the_clearing_day_decides_the_rule_and_nothing_goes_that_came_before_the_first() {
        let rules = [
            rule(Kind::Phi, "2026-11-01", "1"),
            rule(Kind::Phi, "2026-12-01", "2"),
            rule(Kind::Tax, "2026-01-01", "3"),
        ];
        let of = |day: &str, booked: &str| {
            rule_for(&rules, Kind::Phi, day.parse().unwrap(), booked.parse().unwrap())
                .map(|rule| rule.number.as_str())
        };
        assert_eq!(of("2026-11-30", "2026-11-30"), Some("1"));
        assert_eq!(of("2026-12-01", "2026-11-30"), Some("2"));
        assert_eq!(of("2026-11-02", "2026-10-31"), None);
        assert_eq!(of("2026-10-31", "2026-10-31"), None);
        assert!(
            rule_for(&rules, Kind::LePhi, "2026-12-01".parse().unwrap(), "2026-12-01".parse().unwrap())
                .is_none()
        );
        assert!(
            !rule(Kind::LePhi, "2026-01-01", "1").is_complete()
                && rule(Kind::Phi, "2026-01-01", "1").is_complete()
        );
    }

    proptest! {
        #[test]
        fn what_goes_on_and_what_went_back_is_what_was_paid(amount in 1_i64..1_000_000, pct in 0_i64..=100, cut in 0_i64..=100) {
            let (retained, back) = (amount * pct / 100, amount * cut / 100);
            let kept_back = Money::vnd(retained * back / amount);
            let parts = parts(&line(FeeKind::Phi, amount, retained), (Money::vnd(back), kept_back)).unwrap();
            let sum: i64 = parts.iter().map(|part| part.1.minor()).sum();
            prop_assert_eq!(sum, amount - back);
            prop_assert!(parts.iter().all(|part| part.1.is_positive()));
        }
    }

    #[test]
    fn an_order_is_over_only_when_the_money_was_seen_to_leave() {
        let unknown = |tries| State::Unknown { tries, since: NOW };
        let refused = Answer::Refused("AM04".parse().unwrap());
        let bounced = State::Bounced { reason: "AM04".parse().unwrap() };
        let done = State::Done { at: NOW };
        let told = Event::Answered;
        for (state, event, next) in [
            (State::Created, Event::Due, Next::Tell(State::Created)),
            (State::Created, told(Answer::Taken), Next::Move(State::Sent)),
            (State::Created, told(Answer::None), Next::Move(unknown(0))),
            (State::Sent, told(Answer::Taken), Next::Stay),
            (State::Sent, Event::Due, Next::Stay),
            (State::Sent, Event::Debited, Next::Move(done.clone())),
            (State::Sent, told(refused.clone()), Next::Move(bounced.clone())),
            (unknown(1), told(Answer::NeverGot), Next::Move(State::Created)),
            (unknown(1), Event::Debited, Next::Move(done.clone())),
            (unknown(9), Event::Due, Next::Stay),
            (bounced, Event::Debited, Next::Contradiction),
            (done.clone(), Event::Debited, Next::Stay),
            (done, told(refused), Next::Contradiction),
        ] {
            assert_eq!(follow(&state, &event, NOW), next, "{state:?} {event:?}");
        }
        let later = NOW + time::Duration::hours(2);
        assert_eq!(follow(&unknown(0), &Event::Due, later), Next::Tell(unknown(1)));
        let agency = Id::new(NOW, &SeededEntropy::new(1));
        assert_eq!(Kind::Retained.account(agency), Some(Account::Retained(agency)));
        assert_eq!(Kind::Collected.account(agency), None);
    }
}
