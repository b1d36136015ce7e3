//! The lines of a bill as the `lines` column has them.

use crate::{
    base::{id::Id, money::Money, text::Line},
    payment::{
        bill::{Beneficiary, BillLine, Lines},
        fee::{Bilingual, FeeKind},
        invoice::Invoice,
        notice::Notice,
    },
};
use serde::{Deserialize, Serialize};
use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// The column of one bill, not read yet.
#[derive(Debug)]
pub(super) struct Unread(Vec<u8>);

impl Type<Postgres> for Unread {
    fn type_info() -> PgTypeInfo {
        <serde_json::Value as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Unread {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        // The text stands behind one byte, the version of how it is sent.
        Ok(Self(value.as_bytes()?.get(1..).unwrap_or_default().to_vec()))
    }
}

/// Reads the columns of many bills, each text once: bills of one procedure mostly owe the same.
#[derive(Default)]
pub(super) struct Reader(HashMap<Vec<u8>, Arc<Lines>>);

impl Reader {
    /// The lines of a bill; none where they do not read.
    pub(super) fn read(&mut self, Unread(text): Unread) -> Option<Arc<Lines>> {
        if let Some(known) = self.0.get(&text) {
            return Some(known.clone());
        }
        let read = Arc::new(lines_of(serde_json::from_slice(&text).ok()?)?);
        self.0.insert(text, read.clone());
        Some(read)
    }
}

pub(super) fn lines(json: serde_json::Value) -> Option<Lines> {
    lines_of(serde_json::from_value(json).ok()?)
}

fn lines_of(rows: Vec<LineJson>) -> Option<Lines> {
    Lines::new(rows.into_iter().map(LineJson::line).collect::<Option<_>>()?).ok()
}

pub(super) fn lines_json(lines: &Lines) -> serde_json::Value {
    let rows: Vec<LineJson> = lines.as_slice().iter().map(LineJson::of).collect();
    serde_json::to_value(rows).unwrap_or_default()
}

/// The columns of a bill's amounts; the last one has all that belongs to accounts which the lines name.
pub(super) fn shares(lines: &Lines) -> (i64, i64, i64) {
    let of = |kind| lines.shares().iter().find(|share| share.0 == kind).map_or(0, |share| share.1.minor());
    (of(FeeKind::Phi), of(FeeKind::LePhi), of(FeeKind::Tax) + of(FeeKind::Service))
}

/// A line in the `lines` column.
#[derive(Debug, Serialize, Deserialize)]
struct LineJson {
    fee: String,
    kind: String,
    vi: String,
    en: String,
    count: u32,
    gross: i64,
    amount: i64,
    /// Lines from before it was kept apart have none.
    #[serde(default)]
    retained: i64,
    basis: String,
    /// The beneficiary, when it is not the bill's agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agency: Option<Uuid>,
    bank: String,
    number: String,
    holder: String,
    /// Number, chapter, sub-item and area of the notice that a tax was assessed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notice: Option<[String; 4]>,
    /// Number, serial, day and seller's tax code of the invoice for the price of a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invoice: Option<[String; 4]>,
}

impl LineJson {
    fn of(line: &BillLine) -> Self {
        Self {
            fee: line.fee.to_string(),
            kind: line.kind.to_string(),
            vi: line.name.vi.to_string(),
            en: line.name.en.to_string(),
            count: line.count,
            gross: line.gross.minor(),
            amount: line.amount.minor(),
            retained: line.retained.minor(),
            basis: line.legal_basis.to_string(),
            agency: line.beneficiary.agency.map(Id::uuid),
            bank: line.beneficiary.bank.clone(),
            number: line.beneficiary.number.clone(),
            holder: line.beneficiary.holder.to_string(),
            notice: line.notice.as_ref().map(|notice| {
                [notice.number.as_str(), &notice.chapter, &notice.sub_item, &notice.area].map(str::to_owned)
            }),
            invoice: line.invoice.as_ref().map(|invoice| {
                let day = invoice.issued_on.to_string();
                [invoice.number.clone(), invoice.serial.clone(), day, invoice.tax_code.clone()]
            }),
        }
    }

    fn line(self) -> Option<BillLine> {
        let name = Bilingual { vi: Line::parse(&self.vi).ok()?, en: Line::parse(&self.en).ok()? };
        let invoice = match self.invoice {
            Some([number, serial, day, tax_code]) => Some(Invoice {
                number,
                serial,
                issued_on: day.parse().ok()?,
                tax_code,
                name: name.clone(),
                amount: Money::vnd(self.gross),
            }),
            None => None,
        };
        Some(BillLine {
            invoice,
            fee: self.fee.parse().ok()?,
            kind: self.kind.parse().ok()?,
            name,
            count: self.count,
            gross: Money::vnd(self.gross),
            amount: Money::vnd(self.amount),
            retained: Money::vnd(self.retained),
            legal_basis: Line::parse(&self.basis).ok()?,
            beneficiary: Beneficiary {
                agency: self.agency.map(Id::from_uuid),
                bank: self.bank,
                number: self.number,
                holder: Line::parse(&self.holder).ok()?,
            },
            notice: match self.notice {
                Some([number, chapter, sub_item, area]) => {
                    Some(Notice::parse(&number, &chapter, &sub_item, &area).ok()?)
                }
                None => None,
            },
        })
    }
}
