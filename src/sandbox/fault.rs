//! What can go wrong on purpose.
//!
//! `POST /script/faults` takes one fault as JSON; only `fault` is required:
//!
//! ```json
//! {"fault": "lose", "on": "camt.054", "times": 1, "percent": 100, "delay_ms": 5000, "amount": 1000, "code": "AM04",
//!  "end_to_end_id": "01935d5e7a107c3b9b1f000000000002"}
//! ```
//!
//! | fault | `on` (default) | what happens |
//! |---|---|---|
//! | `lose` | `camt.054`, `pacs.002`; `platform.confirm` if named | the message is never sent; the book and the statement have the money all the same |
//! | `delay` | `camt.054`, `pacs.002`; `pain.013`, `pacs.028`, `camt.060` | sent, or answered, `delay_ms` later (5000) |
//! | `double` | `camt.054`, `pacs.002` | sent twice, the same bytes under the same BizMsgIdr |
//! | `alter` | `camt.054` | sent twice under one BizMsgIdr, the second time with another amount |
//! | `reorder` | `camt.054` | the credit is sent before the status report |
//! | `corrupt` | `camt.054`, `pacs.002`; `pain.013`, `pacs.028`, `camt.060` | a byte flips after signing, once per message; or in the answer |
//! | `reject` | `pain.013`; `pacs.004`, `pacs.008` | the request, the return or the order is answered with a rejection for `code` (`AG01`) |
//! | `pend` | `pacs.004`, `pacs.008` | the return or the order is answered as pending, and decided by a `pacs.002` of its own |
//! | `reject_late` | `pacs.004`, `pacs.008` | it is answered as accepted, and rejected for `code` by a `pacs.002` afterwards |
//! | `step_up` | `pain.013` | the request is answered with a demand for more proof; the payer decides all the same |
//! | `wrong_amount` | `camt.054` | the bank really moves `amount` more (−1000), in the book too |
//! | `unknown_reference` | `camt.054` | the bank really moves the money without any reference of ours |
//! | `partial` | `camt.054` | the bank really moves the money in two halves, each told and booked by itself |
//! | `drop_request` | `pain.013`, or whatever is named: any message to the clearing system, `receipt`, `platform.init`, `platform.query` | the message never arrives; the caller sees a bare 503 |
//! | `drop_answer` | the same | the message is acted on, the caller sees a bare 503 |
//! | `another_account` | `camt.060` | the statement is answered for another account |
//! | `another_day` | `camt.060` | the statement is answered for the day before |
//! | `wrong_stamp` | `time_stamp` | the token is wrong in what `code` names: `imprint`, `nonce`, `signer`, `unfit`, `stranger`, `replay` |
//!
//! `times` says how often it strikes (1; 0 means always), `percent` how likely each time. Chance is drawn from the
//! sandbox's seed, for each fault and kind of message by itself: under one seed the nth message of a kind meets the same
//! fate, whatever happens between. `GET /script/faults` lists those that can still strike; `DELETE /script/faults` clears
//! them.

use crate::codec::iso20022::EndToEndId;
use crate::crypto::digest::sha256_parts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Never sent.
    Lose,
    /// Late.
    Delay,
    /// Twice the same.
    Double,
    /// Twice under one identifier, not the same.
    Alter,
    /// The credit before the status report.
    Reorder,
    /// Damaged after signing.
    Corrupt,
    /// Refused.
    Reject,
    /// Pending first, decided later.
    Pend,
    /// Accepted first, rejected later.
    RejectLate,
    /// More proof is demanded.
    StepUp,
    /// Another amount than asked for.
    WrongAmount,
    /// Money without our reference.
    UnknownReference,
    /// The money comes in two halves.
    Partial,
    /// The message to us is lost.
    DropRequest,
    /// Our answer is lost.
    DropAnswer,
    /// A statement of another account.
    AnotherAccount,
    /// A statement of another day.
    AnotherDay,
    /// A time stamp that is wrong in what `code` names.
    WrongStamp,
}

/// One scripted fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub fault: Kind,
    /// With which message, by the beginning of its definition's name; each kind has its default.
    #[serde(default)]
    pub on: Option<String>,
    /// How often it still strikes; 0 for always.
    #[serde(default = "once")]
    pub times: u32,
    /// How likely it strikes, of 100.
    #[serde(default = "certain")]
    pub percent: u8,
    /// How late.
    #[serde(default = "five_seconds")]
    pub delay_ms: u32,
    /// How many đồng more, or fewer.
    #[serde(default = "a_thousand_less")]
    pub amount: i64,
    /// The reason code of a rejection.
    #[serde(default = "forbidden")]
    pub code: String,
    /// Only for this payment.
    #[serde(default)]
    pub end_to_end_id: Option<String>,
}

const fn once() -> u32 {
    1
}
const fn certain() -> u8 {
    100
}
const fn five_seconds() -> u32 {
    5_000
}
const fn a_thousand_less() -> i64 {
    -1_000
}
fn forbidden() -> String {
    String::from("AG01")
}

/// The faults that can still strike, and the chance that decides.
pub struct Faults {
    waiting: Vec<(Fault, Option<u32>)>,
    struck: Vec<(Kind, Option<EndToEndId>)>,
    seed: u64,
    drawn: BTreeMap<(Kind, String), u64>,
}

impl Faults {
    /// No faults, and the chance of this seed.
    pub fn new(seed: u64) -> Self {
        Self { waiting: Vec::new(), struck: Vec::new(), seed, drawn: BTreeMap::new() }
    }

    /// Everything that can go wrong between institutions goes wrong this often, of a hundred times, until it is cleared.
    pub fn add_all(&mut self, percent: u8) {
        for kind in BETWEEN_INSTITUTIONS {
            self.add(Fault {
                fault: kind,
                on: None,
                times: 0,
                percent,
                delay_ms: five_seconds(),
                amount: a_thousand_less(),
                code: forbidden(),
                end_to_end_id: None,
            });
        }
    }

    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        let left = (fault.times > 0).then_some(fault.times);
        self.waiting.push((fault, left));
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Those that can still strike.
    pub fn list(&self) -> Vec<Fault> {
        let shown =
            |(fault, left): &(Fault, Option<u32>)| Fault { times: left.unwrap_or(0), ..fault.clone() };
        self.waiting.iter().map(shown).collect()
    }

    /// What has struck so far, and whom.
    pub fn struck(&self) -> &[(Kind, Option<EndToEndId>)] {
        &self.struck
    }

    /// The fault of this kind that strikes this message now, if one does.
    pub fn strike(&mut self, kind: Kind, message: &str, payment: Option<EndToEndId>) -> Option<Fault> {
        let whom = payment;
        let payment = payment.map(|id| id.to_string());
        let place = self.waiting.iter().position(|(fault, _)| {
            let on = fault.on.as_deref().unwrap_or_else(|| default_message(kind));
            fault.fault == kind
                && message.starts_with(on)
                && fault.end_to_end_id.as_ref().is_none_or(|only| payment.as_ref() == Some(only))
        })?;
        let percent = u64::from(self.waiting[place].0.percent);
        if percent < 100 && self.draw(kind, message) >= percent {
            return None;
        }
        let (fault, left) = &mut self.waiting[place];
        let fault = fault.clone();
        if let Some(left) = left {
            *left -= 1;
            if *left == 0 {
                self.waiting.remove(place);
            }
        }
        self.struck.push((kind, whom));
        Some(fault)
    }

    /// A number below 100, the next for this fault and this kind of message.
    fn draw(&mut self, kind: Kind, message: &str) -> u64 {
        let nth = self.drawn.entry((kind, message.to_owned())).or_insert(0);
        *nth += 1;
        let named = format!("{kind:?}/{message}/{nth}");
        let digest = sha256_parts(&[&self.seed.to_be_bytes(), named.as_bytes()]);
        digest.iter().take(7).fold(0, |number, byte| number << 8 | u64::from(*byte)) % 100
    }
}

/// What goes wrong by chance when nothing is scripted.
const BETWEEN_INSTITUTIONS: [Kind; 17] = [
    Kind::Lose,
    Kind::Delay,
    Kind::Double,
    Kind::Alter,
    Kind::Reorder,
    Kind::Corrupt,
    Kind::Reject,
    Kind::Pend,
    Kind::RejectLate,
    Kind::StepUp,
    Kind::WrongAmount,
    Kind::UnknownReference,
    Kind::Partial,
    Kind::DropRequest,
    Kind::DropAnswer,
    Kind::AnotherAccount,
    Kind::AnotherDay,
];

const fn default_message(kind: Kind) -> &'static str {
    match kind {
        Kind::WrongStamp => "time_stamp",
        Kind::AnotherAccount | Kind::AnotherDay => "camt.060",
        Kind::Reject | Kind::StepUp | Kind::DropRequest | Kind::DropAnswer => "pain.013",
        Kind::Pend | Kind::RejectLate => "pacs.00",
        Kind::Lose
        | Kind::Delay
        | Kind::Double
        | Kind::Alter
        | Kind::Reorder
        | Kind::Corrupt
        | Kind::WrongAmount
        | Kind::UnknownReference
        | Kind::Partial => "camt.054",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn strikes_as_often_as_told_and_only_there() {
        let mut faults = Faults::new(1);
        faults.add(fault(r#"{"fault": "lose", "times": 2}"#));
        assert_eq!(faults.strike(Kind::Lose, "pacs.002.001.12", None), None);
        assert_eq!(faults.strike(Kind::Double, "camt.054.001.10", None), None);
        let struck = (0..3).filter(|_| faults.strike(Kind::Lose, "camt.054.001.10", None).is_some());
        assert_eq!(struck.count(), 2);
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn chance_is_drawn_from_the_seed() {
        let draw = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(fault(r#"{"fault": "drop_answer", "times": 0, "percent": 50}"#));
            (0..64)
                .map(|_| faults.strike(Kind::DropAnswer, "pain.013.001.10", None).is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).contains(&true) && draw(1).contains(&false));
    }

    #[test]
    fn a_message_meets_the_same_fate_whatever_happens_between() {
        let draw = |seed, noise: usize| {
            let mut faults = Faults::new(seed);
            faults.add_all(30);
            let mut fates = Vec::new();
            for _ in 0..64 {
                fates.push(faults.strike(Kind::Lose, "camt.054.001.10", None).is_some());
                (0..noise).for_each(|_| drop(faults.strike(Kind::DropRequest, "pain.013.001.10", None)));
            }
            fates
        };
        assert_eq!(draw(1, 0), draw(1, 3));
        assert_ne!(draw(1, 0), draw(2, 0));
        let lost = draw(1, 0).into_iter().filter(|lost| *lost).count();
        assert!((8..32).contains(&lost), "{lost} of 64 at 30 %");
    }

    #[test]
    fn unknown_faults_and_fields_are_refused() {
        for bad in [r#"{"fault": "explode"}"#, r#"{"fault": "lose", "often": 2}"#, "{}"] {
            assert!(serde_json::from_str::<Fault>(bad).is_err(), "{bad}");
        }
    }
}
