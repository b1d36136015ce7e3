//! The form in which a batch of questions comes and its answers go: one row a line, CSV or JSON Lines (UTF-8).
//!
//! Columns, or members: `number`, at least one of `name` and `birth_date`, and `sex`, `old_number`, `phone`, `province`
//! as in a single question; `ref` is the caller's own name for the row (up to 100 characters) and comes back with the
//! answer. Questions without values are `predicates` as in a single question, or the columns `age_at_least` (with the
//! day in `on`), `birth_date_known_to` and `resident_of`. A CSV file names its columns in the first line. A line that
//! cannot be read is answered by the name of what is wrong and harms no other.

use super::{population_file::fields, question_record::predicate};
use crate::base::text::Line;
use crate::codec::verification_statement::PredicateAnswer;
use crate::identity::{personal_number::PersonalNumber, predicate::Predicate, verification::Claims};
use serde::Deserialize;
use std::str::FromStr;

/// The columns of a CSV file.
const COLUMNS: [&str; 12] = [
    "ref",
    "number",
    "name",
    "birth_date",
    "sex",
    "old_number",
    "phone",
    "province",
    "age_at_least",
    "on",
    "birth_date_known_to",
    "resident_of",
];
/// The most questions without values that one row asks.
const PREDICATES_MAX: usize = 8;

/// One row of a batch.
pub struct Row {
    /// The caller's name for it.
    pub reference: Option<String>,
    /// About whom.
    pub number: PersonalNumber,
    /// What is held to be true.
    pub claims: Claims,
    /// Which questions without values are asked.
    pub predicates: Vec<Predicate>,
}

/// A row that cannot be read: the caller's name for it, if that could be, and the column that is wrong.
pub struct BadRow {
    /// The caller's name for it.
    pub reference: Option<String>,
    /// What is wrong: a column's name, `shape`, `fields`, or `name_or_birth_date_needed`.
    pub wrong: &'static str,
}

/// The columns that a CSV file's first line names, in their order; `None` if it names none that will do.
pub fn columns(line: &str) -> Option<Vec<&'static str>> {
    let names = fields(line.trim_start_matches('\u{feff}').trim_end()).ok()?;
    let known = |name: &str| COLUMNS.into_iter().find(|column| *column == name.trim());
    let columns: Vec<&'static str> = names.iter().map(|name| known(name)).collect::<Option<_>>()?;
    let once = columns.iter().all(|column| columns.iter().filter(|other| *other == column).count() == 1);
    let enough =
        columns.contains(&"number") && (columns.contains(&"name") || columns.contains(&"birth_date"));
    let dated = columns.contains(&"age_at_least") == columns.contains(&"on");
    (once && enough && dated).then_some(columns)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Texts {
    #[serde(rename = "ref")]
    reference: Option<String>,
    number: String,
    name: Option<String>,
    birth_date: Option<String>,
    sex: Option<String>,
    old_number: Option<String>,
    phone: Option<String>,
    province: Option<String>,
    predicates: Vec<Asked>,
}

/// One question without a value; exactly one of the three.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    age_at_least: Option<u16>,
    on: Option<String>,
    birth_date_known_to: Option<String>,
    resident_of: Option<String>,
}

/// Reads one line of a file with these columns; without columns it is JSON.
pub fn row(columns: Option<&[String]>, line: &str) -> Result<Row, BadRow> {
    let bad = |wrong| BadRow { reference: None, wrong };
    let texts = match columns {
        None => serde_json::from_str(line).map_err(|_| bad("shape"))?,
        Some(columns) => {
            let fields = fields(line).map_err(|_| bad("shape"))?;
            if fields.len() != columns.len() {
                return Err(bad("fields"));
            }
            let (mut texts, mut age) = (Texts::default(), Asked::default());
            for (column, field) in columns.iter().zip(fields) {
                let text = Some(field.trim().to_owned()).filter(|text| !text.is_empty());
                match column.as_str() {
                    "ref" => texts.reference = text,
                    "number" => texts.number = text.unwrap_or_default(),
                    "name" => texts.name = text,
                    "birth_date" => texts.birth_date = text,
                    "sex" => texts.sex = text,
                    "old_number" => texts.old_number = text,
                    "phone" => texts.phone = text,
                    "province" => texts.province = text,
                    "age_at_least" => {
                        let years = text.map(|text| text.parse()).transpose();
                        age.age_at_least = years.map_err(|_| bad("age_at_least"))?;
                    }
                    "on" => age.on = text,
                    "birth_date_known_to" => texts
                        .predicates
                        .extend(text.map(|to| Asked { birth_date_known_to: Some(to), ..Asked::default() })),
                    _ => texts
                        .predicates
                        .extend(text.map(|region| Asked { resident_of: Some(region), ..Asked::default() })),
                }
            }
            if age.age_at_least.is_some() || age.on.is_some() {
                texts.predicates.push(age);
            }
            texts
        }
    };
    read(&texts)
}

fn read(texts: &Texts) -> Result<Row, BadRow> {
    let reference = match &texts.reference {
        None => None,
        Some(text) => match Line::<100>::parse(text) {
            Ok(line) => Some(line.to_string()),
            Err(_) => return Err(BadRow { reference: None, wrong: "ref" }),
        },
    };
    let bad = |wrong| BadRow { reference: reference.clone(), wrong };
    let claims = Claims {
        name: maybe(&texts.name).map_err(|()| bad("name"))?,
        birth_date: maybe(&texts.birth_date).map_err(|()| bad("birth_date"))?,
        sex: maybe(&texts.sex).map_err(|()| bad("sex"))?,
        old_number: maybe(&texts.old_number).map_err(|()| bad("old_number"))?,
        phone: maybe(&texts.phone).map_err(|()| bad("phone"))?,
        province: maybe(&texts.province).map_err(|()| bad("province"))?,
    };
    if !claims.is_decidable() {
        return Err(bad("name_or_birth_date_needed"));
    }
    let number = texts.number.parse().map_err(|_| bad("number"))?;
    let predicates: Option<Vec<Predicate>> = texts.predicates.iter().map(asked).collect();
    let predicates = predicates.filter(|asked| asked.len() <= PREDICATES_MAX);
    let predicates = predicates.ok_or_else(|| bad("predicates"))?;
    Ok(Row { reference, number, claims, predicates })
}

fn asked(one: &Asked) -> Option<Predicate> {
    predicate(&PredicateAnswer {
        age_at_least: one.age_at_least,
        on: one.on.clone(),
        birth_date_known_to: one.birth_date_known_to.clone(),
        resident_of: one.resident_of.clone(),
        ..PredicateAnswer::default()
    })
}

fn maybe<T: FromStr>(text: &Option<String>) -> Result<Option<T>, ()> {
    text.as_deref().map(|text| text.parse().map_err(|_| ())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_read_alike_and_bad_rows_are_named() {
        let named: Vec<String> =
            columns("number, ref,name").unwrap().into_iter().map(str::to_owned).collect();
        let csv = row(Some(&named), "079185000001,a-1,\"Lê, Lan\"").map_err(|bad| bad.wrong).ok().unwrap();
        let json = r#"{"ref":"a-1","number":"079185000001","name":"Lê, Lan"}"#;
        let json = row(None, json).map_err(|bad| bad.wrong).ok().unwrap();
        assert_eq!((csv.number, &csv.claims, &csv.reference), (json.number, &json.claims, &json.reference));
        for (line, wrong) in [
            ("{", "shape"),
            (r#"{"number":"1","name":"An"}"#, "number"),
            (r#"{"number":"079185000001","sex":"male"}"#, "name_or_birth_date_needed"),
            (r#"{"number":"079185000001","name":"An","birth_date":"31/12/1985"}"#, "birth_date"),
            (r#"{"number":"079185000001","name":"An","religion":"x"}"#, "shape"),
            (r#"{"number":"079185000001","name":"An","predicates":[{}]}"#, "predicates"),
            (r#"{"number":"079185000001","name":"An","predicates":[{"age_at_least":18}]}"#, "predicates"),
            (r#"{"number":"079185000001","name":"An","predicates":[{"older_than":18}]}"#, "shape"),
        ] {
            assert_eq!(row(None, line).err().map(|bad| bad.wrong), Some(wrong), "{line}");
        }
        assert_eq!(row(Some(&named), "079185000001,b").err().map(|bad| bad.wrong), Some("fields"));
        let named = columns("number,name,age_at_least,on,resident_of").unwrap();
        let named: Vec<String> = named.into_iter().map(str::to_owned).collect();
        let csv =
            row(Some(&named), "079185000001,An,18,2026-11-24,79").map_err(|bad| bad.wrong).ok().unwrap();
        assert_eq!(csv.predicates.len(), 2);
        let none = row(Some(&named), "079185000001,An,,,").map_err(|bad| bad.wrong).ok().unwrap();
        assert!(none.predicates.is_empty());
        for (line, wrong) in
            [("079185000001,An,18,,", "predicates"), ("079185000001,An,x,2026-11-24,", "age_at_least")]
        {
            assert_eq!(row(Some(&named), line).err().map(|bad| bad.wrong), Some(wrong), "{line}");
        }
        for header in ["number", "number,name,name", "number,religion", "", "name,ref", "number,name,on"] {
            assert_eq!(columns(header), None, "{header:?}");
        }
    }
}
