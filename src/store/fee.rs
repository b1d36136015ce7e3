//! The rows of the versions of the fee schedule; which one is in force, `super::fee_version` says.

use super::{Result, StoreError, Tx};
use crate::base::{id, money::Rate};
use crate::{
    base::{calendar::Day, clock::Instant, id::Id, money::Money, text::Line},
    crypto::digest::Digest,
    payment::{
        exemption::{Adjustment, Effect, Validity},
        fee::{Bilingual, Budget, Item, Procedure, Schedule},
        formula::Formula,
    },
};
use time::Date;

/// Records a version; false when exactly this schedule was imported before.
pub async fn insert_schedule(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    digest: &Digest,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into fee_schedule (id, digest, imported_at) values ($1, $2, $3)
         on conflict on constraint fee_schedule_digest_once do nothing",
        schedule.uuid(),
        digest.as_slice(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds the procedures that a version's items belong to.
pub async fn insert_procedures(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    procedures: &[&Procedure],
) -> Result<()> {
    let column = |f: fn(&Procedure) -> &str| procedures.iter().map(|p| f(p).to_owned()).collect::<Vec<_>>();
    let sensitive: Vec<bool> = procedures.iter().map(|p| p.sensitive).collect();
    sqlx::query!(
        "insert into fee_procedure (schedule_id, code, name_vi, name_en, sensitive)
         select $1, code, name_vi, name_en, sensitive
         from unnest($2::text[], $3::text[], $4::text[], $5::boolean[]) as p (code, name_vi, name_en, sensitive)",
        schedule.uuid(),
        &column(|p| p.code.as_str()),
        &column(|p| p.name.vi.as_str()),
        &column(|p| p.name.en.as_str()),
        &sensitive,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a version's items.
pub async fn insert_items(tx: &mut Tx, schedule: Id<id::Schedule>, items: &[Item]) -> Result<()> {
    let text = |f: fn(&Item) -> &str| items.iter().map(|item| f(item).to_owned()).collect::<Vec<_>>();
    let from: Vec<Date> = items.iter().map(|item| item.validity.from().date()).collect();
    let to: Vec<Option<Date>> = items.iter().map(|item| item.validity.to().map(Day::date)).collect();
    let amount: Vec<i64> = items.iter().map(|item| item.formula.unit_amount().minor()).collect();
    let basis: Vec<Option<String>> =
        items.iter().map(|item| item.retained_basis.as_ref().map(ToString::to_string)).collect();
    let formula: Vec<String> = items.iter().map(|item| item.formula.to_string()).collect();
    let retained: Vec<String> = items.iter().map(|item| item.retained.percent_text()).collect();
    sqlx::query!(
        "insert into fee_item (schedule_id, code, valid_from, valid_to, procedure_code, kind, name_vi, name_en,
             unit_amount, unit, legal_basis, retained_pct, chapter, sub_item, formula, retained_basis)
         select $1, i.code, i.valid_from, i.valid_to, i.procedure_code, i.kind, i.name_vi, i.name_en,
             i.unit_amount, i.unit, i.legal_basis, i.retained_pct, i.chapter, i.sub_item, i.formula, i.retained_basis
         from unnest($2::text[], $3::date[], $4::date[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
             as i (code, valid_from, valid_to, procedure_code, kind, name_vi, name_en, unit_amount, unit,
                   legal_basis, retained_pct, chapter, sub_item, formula, retained_basis)",
        schedule.uuid(),
        &text(|i| i.code.as_str()),
        &from,
        &to as &[Option<Date>],
        &text(|i| i.procedure.code.as_str()),
        &text(|i| i.kind.as_str()),
        &text(|i| i.name.vi.as_str()),
        &text(|i| i.name.en.as_str()),
        &amount,
        &text(|i| i.unit.as_str()),
        &text(|i| i.legal_basis.as_str()),
        &retained,
        &text(|i| i.budget.chapter.as_str()),
        &text(|i| i.budget.sub_item.as_str()),
        &formula,
        &basis as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Adds a version's adjustments.
pub async fn insert_adjustments(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    adjustments: &[Adjustment],
) -> Result<()> {
    let text = |f: fn(&Adjustment) -> String| adjustments.iter().map(f).collect::<Vec<_>>();
    let from: Vec<Date> = adjustments.iter().map(|a| a.validity.from().date()).collect();
    let to: Vec<Option<Date>> = adjustments.iter().map(|a| a.validity.to().map(Day::date)).collect();
    let evidence: Vec<Option<String>> =
        adjustments.iter().map(|a| a.evidence.as_ref().map(ToString::to_string)).collect();
    sqlx::query!(
        "insert into fee_adjustment (schedule_id, code, applies_to, valid_from, valid_to, effect, value, condition,
             whose_fact, governing_date, evidence, legal_basis)
         select $1, a.code, a.applies_to, a.valid_from, a.valid_to, a.effect, a.value, a.condition,
             a.whose_fact, a.governing_date, a.evidence, a.legal_basis
         from unnest($2::text[], $3::text[], $4::date[], $5::date[], $6::text[], $7::text[], $8::text[], $9::text[],
             $10::text[], $11::text[], $12::text[])
             as a (code, applies_to, valid_from, valid_to, effect, value, condition, whose_fact, governing_date,
                   evidence, legal_basis)",
        schedule.uuid(),
        &text(|a| a.code.to_string()),
        &text(|a| a.applies_to.as_str().to_owned()),
        &from,
        &to as &[Option<Date>],
        &text(|a| a.effect.as_str().to_owned()),
        &text(|a| a.effect.value()),
        &text(|a| a.condition.to_string()),
        &text(|a| a.whose.as_str().to_owned()),
        &text(|a| a.governing.as_str().to_owned()),
        &evidence as &[Option<String>],
        &text(|a| a.legal_basis.to_string()),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The version that has exactly this content, if it was imported.
pub async fn schedule_of_digest(tx: &mut Tx, digest: &Digest) -> Result<Option<Id<id::Schedule>>> {
    let id = sqlx::query_scalar!("select id from fee_schedule where digest = $1", digest.as_slice())
        .fetch_optional(tx.conn())
        .await?;
    Ok(id.map(Id::from_uuid))
}

/// A whole version.
pub async fn whole_schedule(tx: &mut Tx, schedule: Id<id::Schedule>) -> Result<Schedule> {
    let items = sqlx::query_as!(
        ItemRow,
        "select i.code, i.valid_from, i.valid_to, i.procedure_code, p.name_vi as procedure_vi,
             p.name_en as procedure_en, p.sensitive, i.kind, i.name_vi, i.name_en, i.unit_amount, i.unit,
             i.legal_basis, i.retained_pct, i.chapter, i.sub_item, i.formula, i.retained_basis
         from fee_item i join fee_procedure p on p.schedule_id = i.schedule_id and p.code = i.procedure_code
         where i.schedule_id = $1 order by i.code, i.valid_from",
        schedule.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let codes: Vec<String> = items.iter().map(|item| item.code.clone()).collect();
    assemble(tx, schedule, items, &codes).await
}

async fn assemble(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    items: Vec<ItemRow>,
    codes: &[String],
) -> Result<Schedule> {
    let adjustments = adjustments_of(tx, schedule, codes).await?;
    let items = items.into_iter().map(Item::try_from).collect::<Result<_>>()?;
    Schedule::new(items, adjustments).map_err(|_| StoreError::corrupt("fee_item", "valid_from", schedule))
}

async fn adjustments_of(
    tx: &mut Tx,
    schedule: Id<id::Schedule>,
    codes: &[String],
) -> Result<Vec<Adjustment>> {
    let rows = sqlx::query_as!(
        AdjustmentRow,
        "select code, applies_to, valid_from, valid_to, effect, value, condition, whose_fact, governing_date,
             evidence, legal_basis
         from fee_adjustment where schedule_id = $1 and (applies_to = '*' or applies_to = any($2))
         order by code, applies_to, valid_from",
        schedule.uuid(),
        codes,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Adjustment::try_from).collect()
}

struct ItemRow {
    code: String,
    valid_from: Date,
    valid_to: Option<Date>,
    procedure_code: String,
    procedure_vi: String,
    procedure_en: String,
    sensitive: bool,
    kind: String,
    name_vi: String,
    name_en: String,
    unit_amount: i64,
    unit: String,
    legal_basis: String,
    retained_pct: String,
    chapter: String,
    sub_item: String,
    formula: String,
    retained_basis: Option<String>,
}

impl TryFrom<ItemRow> for Item {
    type Error = StoreError;

    fn try_from(row: ItemRow) -> Result<Self> {
        let bad = |column| StoreError::corrupt("fee_item", column, &row.code);
        let line = |text: &str, column| Line::parse(text).map_err(|_| bad(column));
        Ok(Self {
            code: row.code.parse().map_err(|_| bad("code"))?,
            procedure: Procedure {
                code: row.procedure_code.parse().map_err(|_| bad("procedure_code"))?,
                name: Bilingual {
                    vi: line(&row.procedure_vi, "procedure_vi")?,
                    en: line(&row.procedure_en, "procedure_en")?,
                },
                sensitive: row.sensitive,
            },
            kind: row.kind.parse().map_err(|_| bad("kind"))?,
            name: Bilingual { vi: line(&row.name_vi, "name_vi")?, en: line(&row.name_en, "name_en")? },
            formula: Formula::parse(&row.formula, Money::vnd(row.unit_amount)).map_err(|_| bad("formula"))?,
            unit: row.unit.parse().map_err(|_| bad("unit"))?,
            legal_basis: line(&row.legal_basis, "legal_basis")?,
            validity: validity(row.valid_from, row.valid_to).ok_or_else(|| bad("valid_to"))?,
            retained: Rate::percent(&row.retained_pct).ok_or_else(|| bad("retained_pct"))?,
            retained_basis: row
                .retained_basis
                .as_deref()
                .map(|basis| line(basis, "retained_basis"))
                .transpose()?,
            budget: Budget::parse(&row.chapter, &row.sub_item).map_err(|_| bad("sub_item"))?,
        })
    }
}

struct AdjustmentRow {
    code: String,
    applies_to: String,
    valid_from: Date,
    valid_to: Option<Date>,
    effect: String,
    value: String,
    condition: String,
    whose_fact: String,
    governing_date: String,
    evidence: Option<String>,
    legal_basis: String,
}

impl TryFrom<AdjustmentRow> for Adjustment {
    type Error = StoreError;

    fn try_from(row: AdjustmentRow) -> Result<Self> {
        let bad = |column| StoreError::corrupt("fee_adjustment", column, &row.code);
        let evidence = row.evidence.as_deref().map(Line::parse).transpose();
        Ok(Self {
            code: row.code.parse().map_err(|_| bad("code"))?,
            applies_to: row.applies_to.parse().map_err(|_| bad("applies_to"))?,
            effect: Effect::parse(&row.effect, &row.value).map_err(|_| bad("effect"))?,
            condition: row.condition.parse().map_err(|_| bad("condition"))?,
            whose: row.whose_fact.parse().map_err(|_| bad("whose_fact"))?,
            governing: row.governing_date.parse().map_err(|_| bad("governing_date"))?,
            evidence: evidence.map_err(|_| bad("evidence"))?,
            legal_basis: Line::parse(&row.legal_basis).map_err(|_| bad("legal_basis"))?,
            validity: validity(row.valid_from, row.valid_to).ok_or_else(|| bad("valid_to"))?,
        })
    }
}

fn validity(from: Date, to: Option<Date>) -> Option<Validity> {
    Validity::new(Day::from_date(from), to.map(Day::from_date))
}
