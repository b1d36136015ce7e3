//! What a claim says about a person: on the consent page, masked where a glance over the shoulder would tell too
//! much, and to the portal, in full.

use crate::base::text::Lang;
use crate::identity::{
    birth_date::BirthDate,
    claims::Claim,
    person::{Person, Status},
    personal_number::Sex,
};
use crate::text::Texts;
use serde_json::{Value, json};

/// Whether the register lets a person use the electronic identity; [`super::locks`] knows the person's own locks.
pub(super) const fn is_open(person: &Person) -> bool {
    match person.status {
        Status::Active => true,
        Status::Pending | Status::Locked | Status::Deceased { .. } => false,
    }
}

/// The value as the consent page shows it; `None` when the register has none.
pub fn shown(person: &Person, claim: Claim, lang: Lang) -> Option<String> {
    match claim {
        Claim::Name => Some(person.name.as_str().to_owned()),
        Claim::Birthdate => Some(match person.birth_date {
            BirthDate::Full(day) => day.display_vi(),
            BirthDate::YearMonth(_) | BirthDate::Year(_) => person.birth_date.to_string(),
        }),
        Claim::Gender => {
            let key = match person.sex {
                Sex::Male => "claim-gender-male",
                Sex::Female => "claim-gender-female",
            };
            Some(Texts::embedded().get(lang, key).into_owned())
        }
        Claim::PersonalNumber => Some(person.number.to_string()),
        Claim::OldNumber => person.old_number.as_ref().map(ToString::to_string),
        Claim::PhoneNumber => person.phone.as_ref().map(ToString::to_string),
        Claim::Address => Some(person.province.name().to_owned()),
        Claim::AccountLevel => person.account_level.map(|level| level.number().to_string()),
    }
}

/// The value as userinfo tells it (OpenID Connect Core, section 5.1); `None` when the register has none.
pub fn told(person: &Person, claim: Claim) -> Option<Value> {
    match claim {
        Claim::Name => Some(json!(person.name.as_str())),
        // Section 5.1 knows a full date or a year alone; a month without a day is told as its year.
        Claim::Birthdate => Some(match person.birth_date {
            BirthDate::Full(day) => json!(day.to_string()),
            BirthDate::YearMonth(_) | BirthDate::Year(_) => json!(format!("{:04}", person.birth_date.year())),
        }),
        Claim::Gender => Some(json!(match person.sex {
            Sex::Male => "male",
            Sex::Female => "female",
        })),
        Claim::PersonalNumber => Some(json!(person.number.digits())),
        Claim::OldNumber => person.old_number.as_ref().map(|old| json!(old.digits())),
        Claim::PhoneNumber => person.phone.as_ref().map(|phone| json!(phone.e164())),
        Claim::Address => Some(json!({"region": person.province.name(), "country": "VN"})),
        Claim::AccountLevel => person.account_level.map(|level| json!(level.number())),
    }
}
