//! Giving money back: how much may go, why, who decides, and where a refund stands.
//!
//! ```text
//! Requested ──approved──▶ Approved ──handed over──▶ Sent ──debited──▶ Done
//!     │                     │  │  └─no answer─▶ Unknown ──asked, or the statement──▶ any of these
//!     │                     │  └──refused by the bank──▶ Bounced ──another way──▶ Approved, AtDesk
//!     │                     ├──cash──▶ AtDesk ──paid out──▶ Done
//!     │                     └──remitted before──▶ AwaitingTreasury ──its statement line──▶ Done
//!     │                                               └──its order was not taken──▶ Approved, AtDesk
//!     └──declined──▶ Declined
//! ```
//!
//! A refund is a record of its own with mirrored postings; nothing that was settled is ever changed. What may still
//! be given back is what came less every refund that was not declined: the rule here, and a constraint beside it.
//! Requested by one officer, approved by another; above a bound by two others. Deliberately absent: the clock of other
//! bodies. Nobody promises here when a bank or the Treasury acts.

use super::payment::BankReason;
use crate::base::{
    clock::Instant,
    id::{Citizen, Id},
    money::{Currency, Money},
};
use time::Duration;

/// How long the agency's own steps may take: the one promise that the agency can keep itself, in working days.
pub const APPROVAL_DAYS: u32 = 5;

/// When a return that nobody answered is asked about, counted from the silence; then the statement decides.
pub const INQUIRY_AFTER: [Duration; 3] = [Duration::seconds(90), Duration::minutes(30), Duration::hours(2)];

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The same bill was paid twice.
    PaidTwice,
    /// More or less came than was owed, and the payer pays anew.
    WrongAmount,
    /// Money came for a bill that could not be paid any more.
    LateMoney,
    /// Nobody can say what the money was for.
    Unexplained,
    /// The agency computed the fee wrongly.
    AgencyError,
    /// An exemption or reduction was proved after payment.
    ExemptedLater,
    /// The dossier was withdrawn before the agency began its work.
    DossierWithdrawn,
    /// The agency refused the dossier before it began its work.
    DossierRefused,
    /// The payer's bank asked the money back, and the agency agrees.
    Recalled,
    /// A decision on a complaint, or a court's.
    Decision,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::PaidTwice,
        Self::WrongAmount,
        Self::LateMoney,
        Self::Unexplained,
        Self::AgencyError,
        Self::ExemptedLater,
        Self::DossierWithdrawn,
        Self::DossierRefused,
        Self::Recalled,
        Self::Decision,
    ];

    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaidTwice => "paid_twice",
            Self::WrongAmount => "wrong_amount",
            Self::LateMoney => "late_money",
            Self::Unexplained => "unexplained",
            Self::AgencyError => "agency_error",
            Self::ExemptedLater => "exempted_later",
            Self::DossierWithdrawn => "dossier_withdrawn",
            Self::DossierRefused => "dossier_refused",
            Self::Recalled => "recalled",
            Self::Decision => "decision",
        }
    }

    /// The reason of that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The law by which it goes back, as receipts and pages cite it.
    pub const fn legal_basis(self) -> &'static str {
        match self {
            Self::PaidTwice | Self::WrongAmount | Self::AgencyError => {
                "Luật Quản lý thuế 38/2019/QH14, Điều 60; Luật Phí và lệ phí 97/2015/QH13"
            }
            Self::LateMoney | Self::Unexplained => "Bộ luật Dân sự 91/2015/QH13, Điều 579",
            Self::ExemptedLater => "Luật Phí và lệ phí 97/2015/QH13, Điều 10",
            Self::DossierWithdrawn | Self::DossierRefused => {
                "Nghị định 61/2018/NĐ-CP; quy định thu của thủ tục, khi việc giải quyết chưa bắt đầu"
            }
            Self::Recalled => "Nghị định 52/2024/NĐ-CP, tra soát và hoàn trả",
            Self::Decision => "Luật Khiếu nại 02/2011/QH13; Luật Tố tụng hành chính 93/2015/QH13",
        }
    }

    /// The code of the external return reason list (ISO 20022) that the payer's bank reads.
    pub const fn return_code(self) -> &'static str {
        match self {
            Self::PaidTwice => "DUPL",
            Self::WrongAmount => "AM09",
            Self::LateMoney | Self::Unexplained => "NOCM",
            Self::Recalled => "FOCR",
            Self::AgencyError
            | Self::ExemptedLater
            | Self::DossierWithdrawn
            | Self::DossierRefused
            | Self::Decision => "CUST",
        }
    }

    /// Whether it speaks of a bill that was rightly paid, or of money that has no bill.
    pub const fn is_about_a_bill(self) -> bool {
        match self {
            Self::AgencyError
            | Self::ExemptedLater
            | Self::DossierWithdrawn
            | Self::DossierRefused
            | Self::Recalled
            | Self::Decision => true,
            Self::PaidTwice | Self::WrongAmount | Self::LateMoney | Self::Unexplained => false,
        }
    }

    /// Whether the agency must state that it has not begun its work: what was begun is not given back.
    pub const fn needs_work_not_begun(self) -> bool {
        matches!(self, Self::DossierWithdrawn | Self::DossierRefused)
    }
}

/// How money goes back; where it lies decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// It lies in the collecting account: to the account that paid, through the clearing system.
    Clearing,
    /// At a desk, in cash, to the payer in person.
    Cash,
    /// It was remitted: by the Treasury's refund order.
    Treasury,
}

impl Way {
    /// The word on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clearing => "clearing",
            Self::Cash => "cash",
            Self::Treasury => "treasury",
        }
    }

    /// The way of that name.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Clearing, Self::Cash, Self::Treasury].into_iter().find(|way| way.as_str() == word)
    }
}

/// Where money lies that shall go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lies {
    /// It went on to the budget or the agency's account at the Treasury.
    pub remitted: bool,
    /// It came to a desk, not into an account.
    pub in_cash: bool,
}

/// The way that money goes: where it lies, and what its payer wants where there is a choice. Money that came in cash
/// has no account to go back to.
pub const fn way(lies: Lies, wants_cash: bool) -> Way {
    match (lies.remitted, lies.in_cash || wants_cash) {
        (true, _) => Way::Treasury,
        (false, true) => Way::Cash,
        (false, false) => Way::Clearing,
    }
}

/// Where a refund stands once it is decided: what is to happen next, by the way that it goes.
pub const fn decided(way: Way) -> State {
    match way {
        Way::Clearing => State::Approved,
        Way::Cash => State::AtDesk,
        Way::Treasury => State::AwaitingTreasury,
    }
}

/// Who holds the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The agency's approver.
    Approver,
    /// The clearing system and the payer's bank.
    Bank,
    /// A cashier's desk, and the payer who has to come.
    Desk,
    /// The Treasury.
    Treasury,
    /// The agency's accounting, which must choose another way.
    Accounting,
    /// Nobody: it is over.
    Nobody,
}

impl Holder {
    /// The word in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approver => "approver",
            Self::Bank => "bank",
            Self::Desk => "desk",
            Self::Treasury => "treasury",
            Self::Accounting => "accounting",
            Self::Nobody => "nobody",
        }
    }
}

/// Where a refund stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Somebody has asked for it.
    Requested,
    /// It was declined.
    Declined {
        /// Since when.
        at: Instant,
    },
    /// It is decided, and the clearing system is to be told.
    Approved,
    /// The clearing system has it.
    Sent,
    /// Nobody has answered; it must not be sent in another way.
    Unknown {
        /// How often it was asked about.
        inquiries: u8,
        /// Since when.
        since: Instant,
    },
    /// The payer's bank did not take it.
    Bounced {
        /// Why.
        reason: BankReason,
    },
    /// It waits at a desk.
    AtDesk,
    /// The Treasury has to order it.
    AwaitingTreasury,
    /// The money is back.
    Done {
        /// Since when.
        at: Instant,
    },
}

impl State {
    /// The word on the wire and in rows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Declined { .. } => "declined",
            Self::Approved => "approved",
            Self::Sent => "sent",
            Self::Unknown { .. } => "unknown",
            Self::Bounced { .. } => "bounced",
            Self::AtDesk => "at_desk",
            Self::AwaitingTreasury => "awaiting_treasury",
            Self::Done { .. } => "done",
        }
    }

    /// Who holds the next step.
    pub const fn holder(&self) -> Holder {
        match self {
            Self::Requested => Holder::Approver,
            Self::Approved | Self::Sent | Self::Unknown { .. } => Holder::Bank,
            Self::Bounced { .. } => Holder::Accounting,
            Self::AtDesk => Holder::Desk,
            Self::AwaitingTreasury => Holder::Treasury,
            Self::Declined { .. } | Self::Done { .. } => Holder::Nobody,
        }
    }

    /// Whether its amount still counts against what came.
    pub const fn counts(&self) -> bool {
        !matches!(self, Self::Declined { .. })
    }
}

/// What the clearing system says to a return, at once or when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has it.
    Taken,
    /// It certainly did not get it, or knows nothing of it.
    NeverGot,
    /// It will not carry it out.
    Refused(BankReason),
    /// Silence.
    None,
}

/// What the clearing system says of its own accord about money that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is not decided.
    Pending,
    /// It is being carried out.
    Accepted,
    /// It will not be carried out.
    Rejected(BankReason),
}

impl Word {
    /// The word on the wire and in rows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected(_) => "rejected",
        }
    }

    /// What follows from it, like an answer: what is pending was taken.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Pending | Self::Accepted => Answer::Taken,
            Self::Rejected(reason) => Answer::Refused(reason.clone()),
        }
    }
}

/// A word, and when it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The last one.
    pub word: Word,
    /// When.
    pub at: Instant,
}

/// What can happen to an approved refund on the rails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The clearing system answered, or did not.
    Answered(Answer),
    /// The time for an inquiry has come.
    InquiryDue,
    /// A notification or a statement shows that the account was debited for it.
    Debited,
    /// The order that was to remit its money was not taken: the money lies where it came, and goes back in that way.
    NeverRemitted(Way),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is now in this state.
    Move(State),
    /// It is now in this state, and the clearing system is to be asked.
    Ask(State),
    /// Nothing changes.
    Stay,
    /// Nothing changes, though the message denies what is certain: somebody must look.
    Contradiction,
}

/// The life of a refund on the rails and at the Treasury.
pub fn follow(state: &State, event: &Event, now: Instant) -> Next {
    use Next::{Contradiction, Move, Stay};
    use State::{Approved, AtDesk, AwaitingTreasury, Bounced, Declined, Done, Requested, Sent, Unknown};
    match (state, event) {
        (Approved | Sent | Unknown { .. } | AwaitingTreasury, Event::Debited) => Move(Done { at: now }),
        (AwaitingTreasury, Event::NeverRemitted(way)) => Move(decided(*way)),
        (Done { .. }, Event::Debited) => Stay,
        // Money left although nobody had decided it, or although it had come back.
        (Requested | Declined { .. } | Bounced { .. } | AtDesk, Event::Debited) => Contradiction,

        (Approved | Unknown { .. }, Event::Answered(Answer::Taken)) => Move(Sent),
        (Approved, Event::Answered(Answer::None)) => Move(Unknown { inquiries: 0, since: now }),
        (Approved | Sent | Unknown { .. }, Event::Answered(Answer::Refused(reason))) => {
            Move(Bounced { reason: reason.clone() })
        }
        // It never left: it is sent again under the same name.
        (Unknown { .. }, Event::Answered(Answer::NeverGot)) => Move(Approved),
        (Sent, Event::Answered(Answer::NeverGot)) | (Done { .. }, Event::Answered(Answer::Refused(_))) => {
            Contradiction
        }
        (Approved, Event::Answered(Answer::NeverGot)) => Stay,
        (Sent | Unknown { .. } | Done { .. }, Event::Answered(Answer::None)) => Stay,
        (Sent | Done { .. }, Event::Answered(Answer::Taken)) => Stay,
        (Done { .. }, Event::Answered(Answer::NeverGot)) => Stay,

        (Unknown { inquiries, since }, Event::InquiryDue) => match next_inquiry(*inquiries, *since) {
            Some(due) if due <= now => {
                Next::Ask(Unknown { inquiries: inquiries.saturating_add(1), since: *since })
            }
            Some(_) | None => Stay,
        },
        (Approved | Sent | Done { .. }, Event::InquiryDue) => Stay,
        (
            Requested | Declined { .. } | Bounced { .. } | AtDesk | AwaitingTreasury,
            Event::Answered(_) | Event::InquiryDue,
        ) => Stay,
        (
            Requested
            | Declined { .. }
            | Approved
            | Sent
            | Unknown { .. }
            | Bounced { .. }
            | AtDesk
            | Done { .. },
            Event::NeverRemitted(_),
        ) => Stay,
    }
}

/// When a silent return is asked about next.
pub fn next_inquiry(inquiries: u8, since: Instant) -> Option<Instant> {
    INQUIRY_AFTER.get(usize::from(inquiries)).map(|after| since + *after)
}

/// The bounds of one agency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Up to this amount one approver is enough.
    pub one_approver_max: Money,
    /// The sum that an agency may approve in a day.
    pub day_max: Money,
}

/// Whether an approval completes the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// It does.
    Complete,
    /// Another approver is needed.
    First,
}

/// Decides an approval. `approved_today` is what the agency has approved on the same Vietnam day.
pub fn approve(
    state: &State,
    amount: Money,
    requested_by: Option<Id<Citizen>>,
    approved_before: &[Id<Citizen>],
    approver: Id<Citizen>,
    (bounds, approved_today): (Bounds, Money),
) -> Result<Approval, Refusal> {
    if *state != State::Requested {
        return Err(Refusal::AlreadyDecided);
    }
    if requested_by == Some(approver) || approved_before.contains(&approver) {
        return Err(Refusal::OwnAct);
    }
    let today = approved_today.plus(amount).map_err(|_| Refusal::OverDayLimit)?;
    if today.minor() > bounds.day_max.minor() {
        return Err(Refusal::OverDayLimit);
    }
    let enough = amount.minor() <= bounds.one_approver_max.minor() || !approved_before.is_empty();
    Ok(if enough { Approval::Complete } else { Approval::First })
}

/// Which of what is asked back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// All that is left.
    Whole,
    /// This amount, spread over the lines as they are left.
    Amount(Money),
    /// These amounts, each of a line by its place from 0.
    Lines(Vec<(usize, Money)>),
}

/// How much of each line goes back; `left` is what each line still holds. The sum never exceeds what is left, and no
/// line gives more than it holds.
pub fn allocate(left: &[Money], extent: &Extent) -> Result<Vec<Money>, Refusal> {
    let sum = Money::sum(Currency::Vnd, left.iter().copied()).map_err(|_| Refusal::MoreThanCame)?;
    if !sum.is_positive() {
        return Err(Refusal::MoreThanCame);
    }
    match extent {
        Extent::Whole => Ok(left.to_vec()),
        Extent::Amount(amount) => {
            if !amount.is_positive() {
                return Err(Refusal::Nothing);
            }
            if amount.minor() > sum.minor() {
                return Err(Refusal::MoreThanCame);
            }
            let weights: Vec<u64> = left.iter().map(|money| money.minor().unsigned_abs()).collect();
            amount.split(&weights).ok_or(Refusal::MoreThanCame)
        }
        Extent::Lines(asked) => {
            let mut back = vec![Money::zero(Currency::Vnd); left.len()];
            for (at, amount) in asked {
                let line = back.get_mut(*at).ok_or(Refusal::UnknownLine)?;
                if !amount.is_positive() {
                    return Err(Refusal::Nothing);
                }
                *line = line.plus(*amount).map_err(|_| Refusal::MoreThanCame)?;
                if line.minor() > left[*at].minor() {
                    return Err(Refusal::MoreThanCame);
                }
            }
            if asked.is_empty() { Err(Refusal::Nothing) } else { Ok(back) }
        }
    }
}

/// Why no refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was asked for.
    #[error("nothing is asked back")]
    Nothing,
    /// More than what came and is not given back yet.
    #[error("more is asked back than is left of what came")]
    MoreThanCame,
    /// The bill has no such line.
    #[error("the bill has no such line")]
    UnknownLine,
    /// Some of it was passed on to an account of somebody else, who alone can give it back.
    #[error("some of the money lies in an account of somebody else")]
    LiesElsewhere,
    /// Some of it was remitted and some was not.
    #[error("the money lies in several places")]
    LiesApart,
    /// The bill was not paid.
    #[error("the bill is not paid")]
    NotPaid,
    /// The reason does not fit the money.
    #[error("the reason does not fit what shall be given back")]
    ReasonUnfit,
    /// The agency has begun its work, or a rule of the procedure says that nothing goes back.
    #[error("by law nothing is given back for this reason")]
    NotRefundable,
    /// Somebody decided it before.
    #[error("the refund is decided")]
    AlreadyDecided,
    /// Nobody approves an own act.
    #[error("nobody approves an own act")]
    OwnAct,
    /// The agency's bound for a day.
    #[error("the agency's bound for a day is reached")]
    OverDayLimit,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nothing => "refund_of_nothing",
            Self::MoreThanCame => "refund_exceeds_receipt",
            Self::UnknownLine => "unknown_line",
            Self::LiesElsewhere => "refund_lies_elsewhere",
            Self::LiesApart => "refund_lies_apart",
            Self::NotPaid => "bill_not_paid",
            Self::ReasonUnfit => "refund_reason_unfit",
            Self::NotRefundable => "not_refundable",
            Self::AlreadyDecided => "refund_decided",
            Self::OwnAct => "own_act",
            Self::OverDayLimit => "refund_over_day_limit",
        }
    }
}

#[cfg(test)]
#[path = "refund_tests.rs"]
mod tests;
