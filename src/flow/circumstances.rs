//! What a bill was computed from, as it is kept with the bill's trace under the agency's seal: so that another version of
//! the schedule can be tried on it, and a revoked fact can be told from the others.

use crate::base::{calendar::Day, money::Money};
use crate::payment::{
    exemption::{Born, Circumstances, Dates, Facts},
    fee::Asked,
    issue::Grounds,
};
use serde::{Deserialize, Serialize};

/// The asked fees and the circumstances of one bill.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    channel: String,
    submission: String,
    acceptance: Option<String>,
    applicant: KeptFacts,
    submitter: KeptFacts,
    asked: Vec<KeptAsk>,
    /// The verifications that the facts were taken from; bills from before they were kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    applicant_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitter_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptFacts {
    level: Option<u8>,
    born: Option<(String, String)>,
    statuses: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct KeptAsk {
    fee: String,
    count: u32,
    copies: u32,
    value: Option<i64>,
}

impl Kept {
    /// Keeps them.
    pub fn of(asked: &[Asked], circumstances: &Circumstances, grounds: Grounds) -> Self {
        let facts = |facts: &Facts| KeptFacts {
            level: facts.account_level,
            born: facts.born.map(|born| (born.earliest.to_string(), born.latest.to_string())),
            statuses: facts
                .statuses
                .as_ref()
                .map(|statuses| statuses.iter().map(|status| status.as_str().to_owned()).collect()),
        };
        Self {
            applicant_by: grounds.applicant.map(|verification| verification.to_string()),
            submitter_by: grounds.submitter.map(|verification| verification.to_string()),
            channel: circumstances.channel.as_str().to_owned(),
            submission: circumstances.dates.submission.to_string(),
            acceptance: circumstances.dates.acceptance.map(|day| day.to_string()),
            applicant: facts(&circumstances.applicant),
            submitter: facts(&circumstances.submitter),
            asked: asked
                .iter()
                .map(|ask| KeptAsk {
                    fee: ask.fee.to_string(),
                    count: ask.count,
                    copies: ask.copies,
                    value: ask.value.map(Money::minor),
                })
                .collect(),
        }
    }

    /// What the facts were taken from.
    pub fn grounds(&self) -> Grounds {
        let read = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        Grounds { applicant: read(&self.applicant_by), submitter: read(&self.submitter_by) }
    }

    /// Reads them back; `None` when they no longer parse.
    pub fn read(&self) -> Option<(Vec<Asked>, Circumstances)> {
        let day = |text: &String| text.parse::<Day>().ok();
        let facts = |kept: &KeptFacts| {
            let born = match &kept.born {
                Some((earliest, latest)) => Some(Born { earliest: day(earliest)?, latest: day(latest)? }),
                None => None,
            };
            let statuses = match &kept.statuses {
                Some(words) => Some(words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?),
                None => None,
            };
            Some(Facts { account_level: kept.level, born, statuses })
        };
        let acceptance = match &self.acceptance {
            Some(text) => Some(day(text)?),
            None => None,
        };
        let circumstances = Circumstances {
            channel: self.channel.parse().ok()?,
            dates: Dates { submission: day(&self.submission)?, acceptance, payment: None },
            applicant: facts(&self.applicant)?,
            submitter: facts(&self.submitter)?,
        };
        let asked = self.asked.iter().map(|ask| {
            Some(Asked {
                fee: ask.fee.parse().ok()?,
                count: ask.count,
                copies: ask.copies,
                value: ask.value.map(Money::vnd),
            })
        });
        Some((asked.collect::<Option<_>>()?, circumstances))
    }
}
