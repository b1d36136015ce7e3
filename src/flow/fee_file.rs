//! The published form of a fee schedule: two CSV files with a header row.
//!
//! A schedule is a legal document, so a file with one bad row is refused as a whole, and every bad row is named.

use crate::{
    base::{
        calendar::Day,
        money::{Currency, Money, Rate},
        text::Line,
    },
    payment::{
        exemption::{Adjustment, Effect, Validity},
        fee::{Bilingual, Budget, FeeKind, Item, Procedure, Schedule},
        formula::Formula,
    },
};
use std::{fmt, str::FromStr};

/// The items of the demonstration schedule (illustrative amounts and citations).
pub const SAMPLE_ITEMS: &str = include_str!("sample/fee_items.csv");
/// Its adjustments.
pub const SAMPLE_ADJUSTMENTS: &str = include_str!("sample/fee_adjustments.csv");

/// Something in the files that is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// Which file.
    pub file: FeeFile,
    /// The line, counted from 1, when one line is to blame.
    pub line: Option<u64>,
    /// The column, when one is to blame.
    pub column: Option<&'static str>,
    /// What is wrong.
    pub reason: String,
}

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeFile {
    /// The items.
    Items,
    /// The adjustments.
    Adjustments,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.file {
            FeeFile::Items => "items",
            FeeFile::Adjustments => "adjustments",
        })?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Reads both files into a schedule.
///
/// Items: `fee_code procedure_code procedure_vi procedure_en kind item_vi item_en amount_vnd unit legal_basis
/// valid_from valid_to retained_pct chapter sub_item`, and optionally `sensitive` (`yes` or `no`), `formula` (as
/// `payment::formula` reads it) and `retained_basis`. Adjustments:
/// `adjustment_code applies_to effect value condition whose_fact governing_date evidence legal_basis valid_from
/// valid_to`. Further columns are ignored.
pub fn read_schedule(items: &str, adjustments: &str) -> Result<Schedule, Vec<RowFault>> {
    let (items, mut faults) = read_rows(FeeFile::Items, items, item);
    let (adjustments, more) = read_rows(FeeFile::Adjustments, adjustments, adjustment);
    faults.extend(more);
    if !faults.is_empty() {
        return Err(faults);
    }
    Schedule::new(items, adjustments).map_err(|faults| {
        let whole = |reason: String| RowFault { file: FeeFile::Items, line: None, column: None, reason };
        faults.into_iter().map(|fault| whole(fault.to_string())).collect()
    })
}

type Fault = (&'static str, String);

fn read_rows<T>(
    file: FeeFile,
    text: &str,
    parse: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> (Vec<T>, Vec<RowFault>) {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(e) => {
            return (vec![], vec![RowFault { file, line: Some(1), column: None, reason: e.to_string() }]);
        }
    };
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let line = e.position().map(csv::Position::line);
                faults.push(RowFault { file, line, column: None, reason: e.to_string() });
                continue;
            }
        };
        match parse(&Row { header: &header, record: &record }) {
            Ok(row) => rows.push(row),
            Err((column, reason)) => {
                let line = record.position().map(csv::Position::line);
                faults.push(RowFault { file, line, column: Some(column), reason });
            }
        }
    }
    (rows, faults)
}

struct Row<'a> {
    header: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn optional(&self, column: &'static str) -> &str {
        let index = self.header.iter().position(|name| name == column);
        index.and_then(|index| self.record.get(index)).unwrap_or_default()
    }

    fn text(&self, column: &'static str) -> Result<&str, Fault> {
        match self.optional(column) {
            "" => Err((column, "is missing".to_owned())),
            text => Ok(text),
        }
    }

    fn parse<T: FromStr<Err: fmt::Display>>(&self, column: &'static str) -> Result<T, Fault> {
        self.text(column)?.parse().map_err(|e: T::Err| (column, e.to_string()))
    }

    fn line(&self, column: &'static str) -> Result<Line, Fault> {
        Line::parse(self.text(column)?).map_err(|e| (column, e.to_string()))
    }

    fn bilingual(&self, vi: &'static str, en: &'static str) -> Result<Bilingual, Fault> {
        Ok(Bilingual { vi: self.line(vi)?, en: self.line(en)? })
    }

    fn validity(&self) -> Result<Validity, Fault> {
        let from: Day = self.parse("valid_from")?;
        let to = if self.optional("valid_to").is_empty() { None } else { Some(self.parse("valid_to")?) };
        Validity::new(from, to).ok_or(("valid_to", "lies before valid_from".to_owned()))
    }
}

fn item(row: &Row<'_>) -> Result<Item, Fault> {
    let amount = Money::parse(row.text("amount_vnd")?, Currency::Vnd);
    let sensitive = match row.optional("sensitive") {
        "" | "no" => false,
        "yes" => true,
        _ => return Err(("sensitive", "is yes or no".to_owned())),
    };
    Ok(Item {
        code: row.parse("fee_code")?,
        procedure: Procedure {
            code: row.parse("procedure_code")?,
            name: row.bilingual("procedure_vi", "procedure_en")?,
            sensitive,
        },
        kind: charge_kind(row)?,
        name: row.bilingual("item_vi", "item_en")?,
        formula: Formula::parse(row.optional("formula"), amount.map_err(|e| ("amount_vnd", e.to_string()))?)
            .map_err(|e| ("formula", e.to_string()))?,
        unit: row.parse("unit")?,
        legal_basis: row.line("legal_basis")?,
        validity: row.validity()?,
        retained: Rate::percent(row.text("retained_pct")?)
            .ok_or(("retained_pct", "is a percentage from 0 to 100".to_owned()))?,
        retained_basis: match row.optional("retained_basis") {
            "" => None,
            _ => Some(row.line("retained_basis")?),
        },
        budget: Budget::parse(row.text("chapter")?, row.text("sub_item")?)
            .map_err(|e| ("sub_item", e.to_string()))?,
    })
}

/// Phí or lệ phí: a tax is assessed by a notice, never by a schedule.
fn charge_kind(row: &Row<'_>) -> Result<FeeKind, Fault> {
    let kind = row.parse("kind")?;
    if FeeKind::CHARGES.contains(&kind) {
        Ok(kind)
    } else {
        Err(("kind", "the kind is phi or le_phi".to_owned()))
    }
}

fn adjustment(row: &Row<'_>) -> Result<Adjustment, Fault> {
    let evidence = if row.optional("evidence").is_empty() { None } else { Some(row.line("evidence")?) };
    let parsed = |column: &'static str| move |e: crate::payment::exemption::NotARule| (column, e.to_string());
    Ok(Adjustment {
        code: row.parse("adjustment_code")?,
        applies_to: row.parse("applies_to")?,
        effect: Effect::parse(row.text("effect")?, row.optional("value")).map_err(parsed("value"))?,
        condition: row.parse("condition")?,
        whose: row.optional("whose_fact").parse().map_err(parsed("whose_fact"))?,
        governing: row.optional("governing_date").parse().map_err(parsed("governing_date"))?,
        evidence,
        legal_basis: row.line("legal_basis")?,
        validity: row.validity()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::{
        exemption::{Born, Channel, Circumstances, Dates, Facts},
        fee::{Asked, charge, total},
        formula::Measure,
    };
    use std::collections::BTreeSet;

    fn day(s: &str) -> Day {
        s.parse().unwrap()
    }

    /// `fee×count channel date level birth status` and what is owed.
    fn check(case: &str, owed: i64) {
        let [fee, count, channel, date, level, born, status] = case.split(' ').collect::<Vec<_>>()[..] else {
            panic!("seven words: {case}");
        };
        let known = |text: &str| (text != "-").then(|| text.to_owned());
        let schedule = read_schedule(SAMPLE_ITEMS, SAMPLE_ADJUSTMENTS).unwrap();
        let fee = fee.parse().unwrap();
        let procedure = schedule.item(&fee, day(date)).unwrap().procedure.code.clone();
        let circumstances = Circumstances {
            channel: channel.parse::<Channel>().unwrap(),
            dates: Dates { submission: day(date), acceptance: None, payment: None },
            applicant: Facts {
                account_level: known(level).map(|level| level.parse().unwrap()),
                born: known(born).map(|born| Born { earliest: day(&born), latest: day(&born) }),
                statuses: known(status).map(|status| BTreeSet::from([status.parse().unwrap()])),
            },
            submitter: Facts::default(),
        };
        let measure: Measure = count.parse().unwrap();
        let asked = [Asked { fee, count: measure.count, copies: measure.copies, value: measure.value }];
        let lines = charge(&schedule, &procedure, &asked, &circumstances).unwrap();
        assert_eq!(total(&lines), Ok(Money::vnd(owed)), "{case}");
    }

    #[test]
    fn the_sample_charges_what_it_says() {
        for (case, owed) in [
            ("LLTP-01 1 online 2026-11-24 - - -", 200_000),
            ("LLTP-01 1 online 2026-11-24 - - student", 100_000),
            ("LLTP-01 1 counter 2026-11-24 - 2012-01-01 -", 0),
            ("LLTP-01 1 counter 2026-11-24 - 2010-11-24 -", 200_000),
            ("HC-01 1 online 2025-12-31 - - -", 180_000),
            ("HC-01 1 online 2026-01-01 - - -", 200_000),
            ("GPLX-01 1 online 2026-11-24 - - -", 115_000),
            ("GPLX-01 1 assisted 2026-11-24 - - -", 135_000),
            ("DD-01 1 online 2026-06-30 2 - -", 650_000),
            ("DD-01 1 online 2026-08-14 2 - -", 700_000),
            ("DD-01 1 online 2026-08-15 2 - -", 630_000),
            ("DD-01 1 online 2027-02-28 2 - -", 630_000),
            ("DD-01 1 online 2027-03-01 2 - -", 700_000),
            ("DD-01 1 online 2026-08-15 1 - -", 700_000),
            ("HT-02 3 online 2026-11-24 2 - -", 0),
            ("HT-02 3 online 2026-11-24 1 - -", 24_000),
            ("DD-01 1 post 2026-11-24 - - poor_household", 0),
            ("CT-01 5 counter 2026-11-24 - - -", 7_000),
            ("CT-01 300x2 counter 2026-11-24 - - -", 400_000),
        ] {
            check(case, owed);
        }
    }

    #[test]
    fn every_bad_row_is_named() {
        let items = SAMPLE_ITEMS
            .replace("200000,dossier,Circular 25/2021", "200000.5,dossier,Circular 25/2021")
            .replace(",70000,dossier,", ",70000,handful,");
        let adjustments = SAMPLE_ADJUSTMENTS.replace("age<16,applicant", "age<16,payer");
        let faults = read_schedule(&items, &adjustments).unwrap_err();
        let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let expected = [
            "items line 4, amount_vnd: the currency has no such fraction",
            "items line 6, unit: the unit is dossier, copy or page",
            "adjustments line 9, whose_fact: the fact is the applicant's or the submitter's, never the payer's",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn overlapping_versions_are_refused() {
        let items = SAMPLE_ITEMS.replace("2020-01-01,2026-06-30", "2020-01-01,2026-07-01");
        let faults = read_schedule(&items, SAMPLE_ADJUSTMENTS).unwrap_err();
        assert_eq!(faults[0].to_string(), "items: two versions of DD-01 are in force on 2026-07-01");
    }
}
