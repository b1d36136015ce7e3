//! How a [`Person`] is written before it is sealed. The form is ours alone: nobody outside a flow ever sees it.

use crate::base::calendar::Day;
use crate::identity::assurance::AccountLevel;
use crate::identity::person::{Person, Status, former_names};
use serde::{Deserialize, Serialize};

/// A record that was sealed by us and no longer reads: named by the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed record's {0} does not parse")]
pub struct BadRecord(&'static str);

/// Short names: a million of them are stored.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(rename = "n")]
    number: &'a str,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    old_number: Option<&'a str>,
    #[serde(rename = "f")]
    name: std::borrow::Cow<'a, str>,
    #[serde(rename = "b")]
    birth_date: std::borrow::Cow<'a, str>,
    #[serde(rename = "s")]
    sex: &'a str,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(rename = "r")]
    province: &'a str,
    #[serde(rename = "t")]
    status: &'a str,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    died_on: Option<String>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    account_level: Option<u8>,
    #[serde(rename = "g", default, skip_serializing_if = "String::is_empty")]
    standings: String,
    #[serde(rename = "h", default, skip_serializing_if = "String::is_empty")]
    former_names: String,
    #[serde(rename = "k", default, skip_serializing_if = "String::is_empty")]
    parents: String,
    #[serde(rename = "w", default, skip_serializing_if = "String::is_empty")]
    guardians: String,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    capacity_lost_on: Option<String>,
}

/// The record as bytes; equal people give equal bytes.
pub fn encode(person: &Person) -> Vec<u8> {
    let (status, died_on) = match person.status {
        Status::Active => ("active", None),
        Status::Pending => ("pending", None),
        Status::Locked => ("locked", None),
        Status::Deceased { on } => ("deceased", Some(on.to_string())),
    };
    let former: Vec<String> = person
        .former_names
        .iter()
        .map(|former| format!("{}@{}", former.name.as_str(), former.until))
        .collect();
    let record = Record {
        number: person.number.digits(),
        old_number: person.old_number.as_ref().map(|old| old.digits()),
        name: person.name.as_str().into(),
        birth_date: person.birth_date.to_string().into(),
        sex: person.sex.word(),
        phone: person.phone.as_ref().map(|phone| phone.digits()),
        province: person.province.code(),
        status,
        died_on,
        account_level: person.account_level.map(AccountLevel::number),
        standings: person.standings.to_string(),
        former_names: former.join(";"),
        parents: person.parents.text(),
        guardians: person.guardians.text(),
        capacity_lost_on: person.capacity_lost_on.map(|day| day.to_string()),
    };
    serde_json::to_vec(&record).unwrap_or_default()
}

/// The person whose record these bytes are.
pub fn decode(bytes: &[u8]) -> Result<Person, BadRecord> {
    let record: Record<'_> = serde_json::from_slice(bytes).map_err(|_| BadRecord("shape"))?;
    Ok(Person {
        number: read("number", record.number)?,
        old_number: record.old_number.map(|old| read("old_number", old)).transpose()?,
        name: read("name", &record.name)?,
        birth_date: read("birth_date", &record.birth_date)?,
        sex: read("sex", record.sex)?,
        phone: record.phone.map(|phone| read("phone", phone)).transpose()?,
        province: read("province", record.province)?,
        status: status(&record)?,
        account_level: match record.account_level {
            None => None,
            Some(number) => Some(AccountLevel::of(number).ok_or(BadRecord("account_level"))?),
        },
        standings: read("standings", &record.standings)?,
        former_names: former_names(&record.former_names).map_err(|_| BadRecord("former_names"))?,
        parents: read("parents", &record.parents)?,
        guardians: read("guardians", &record.guardians)?,
        capacity_lost_on: record
            .capacity_lost_on
            .as_deref()
            .map(|day| read("capacity_lost_on", day))
            .transpose()?,
    })
}

fn read<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, BadRecord> {
    text.parse().map_err(|_| BadRecord(field))
}

fn status(record: &Record<'_>) -> Result<Status, BadRecord> {
    let died_on: Option<Day> = record.died_on.as_deref().map(|day| read("died_on", day)).transpose()?;
    match (record.status, died_on) {
        ("active", None) => Ok(Status::Active),
        ("pending", None) => Ok(Status::Pending),
        ("locked", None) => Ok(Status::Locked),
        ("deceased", Some(on)) => Ok(Status::Deceased { on }),
        _ => Err(BadRecord("status")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::personal_number::Sex;

    #[test]
    fn a_record_reads_back_as_the_same_person() {
        let full = Person {
            number: "079085123456".parse().unwrap(),
            old_number: "024123456".parse().ok(),
            name: "H'Hen \"Niê\" \\".parse().unwrap(),
            birth_date: "1985-03".parse().unwrap(),
            sex: Sex::Female,
            phone: "0912345678".parse().ok(),
            province: "79".parse().unwrap(),
            status: Status::Deceased { on: "2020-01-01".parse().unwrap() },
            account_level: AccountLevel::of(2),
            standings: "merit poor_household".parse().unwrap(),
            former_names: former_names("H'Hen Niê@2010-02-01;Hen@1999-01-31").unwrap(),
            parents: "079055123456".parse().unwrap(),
            guardians: "079055123456 079155123456".parse().unwrap(),
            capacity_lost_on: "2019-01-01".parse().ok(),
        };
        let bare = Person {
            old_number: None,
            phone: None,
            status: Status::Active,
            account_level: None,
            standings: "".parse().unwrap(),
            former_names: vec![],
            parents: "".parse().unwrap(),
            guardians: "".parse().unwrap(),
            capacity_lost_on: None,
            ..full.clone()
        };
        for person in [full, bare] {
            assert_eq!(decode(&encode(&person)), Ok(person));
        }
        assert_eq!(decode(b"{}"), Err(BadRecord("shape")));
    }
}
