//! Receipts on paper that are there before their payment: a desk prints blanks for an outage, an accountant hands out
//! books. Each number has an owner until it is entered (`desk_payment`) or voided by a signed document.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    desk::on_duty,
    issue_receipts::OnPaper,
    officer,
    receipt_draft::Drawn,
    receipt_series::symbol,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id, LeafVoid, ReceiptBlock, ReceiptSeries},
    text::Line,
};
use crate::codec::{
    leaf_void::{self, LeafVoidNotice},
    receipt_content::{self, Kind, Number},
};
use crate::identity::role::Role;
use crate::payment::{
    blank::{self as rules, Leaf, Medium, Times, Why},
    fee::FeeKind,
    receipt::Letters,
};
use crate::store::{
    Tx,
    agency::{self, AgencyRow},
    audit,
    blank::{self as rows, NewVoid, StoredBlock},
    desk::OpenShift,
    inheritance,
    receipt_series::{self, StoredSeries},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn refused(refusal: rules::Refusal) -> Error {
    match refusal {
        rules::Refusal::Used | rules::Refusal::LeavesHeld => Error::conflict(refusal.code()),
        rules::Refusal::TimeUnfit | rules::Refusal::SizeUnfit => Error::refused(refusal.code()),
    }
}

/// Draws a block of blanks that the cashier prints now, in the open shift; it ends with it.
pub async fn print_block(
    app: &App,
    cashier: Id<Citizen>,
    series: Id<ReceiptSeries>,
    leaves: i64,
) -> Result<Id<ReceiptBlock>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = on_duty(&mut tx, cashier, Day::of(now)).await?;
    let drawing = Drawing { series, medium: Medium::Printed, leaves, owner: cashier, by: cashier };
    let block = draw(app, &mut tx, &drawing, (shift.agency, Some(shift.id)), now).await?;
    tx.commit().await?;
    Ok(block)
}

/// Hands a book, or a part of it, to a cashier of the same agency: an accountant's act.
pub async fn hand_out(
    app: &App,
    accountant: Id<Citizen>,
    series: Id<ReceiptSeries>,
    cashier: Id<Citizen>,
    leaves: i64,
) -> Result<Id<ReceiptBlock>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let of = receipt_series::lock(&mut tx, series).await?.ok_or(Error::not_found())?.agency;
    officer::demand(&mut tx, accountant, of, Role::Accountant, Day::of(now)).await?;
    officer::demand(&mut tx, cashier, of, Role::Cashier, Day::of(now)).await?;
    let drawing = Drawing { series, medium: Medium::Book, leaves, owner: cashier, by: accountant };
    let block = draw(app, &mut tx, &drawing, (of, None), now).await?;
    tx.commit().await?;
    Ok(block)
}

/// What somebody draws.
struct Drawing {
    series: Id<ReceiptSeries>,
    medium: Medium,
    leaves: i64,
    owner: Id<Citizen>,
    by: Id<Citizen>,
}

async fn draw(
    app: &App,
    tx: &mut Tx,
    drawing: &Drawing,
    (agency, shift): (Id<Agency>, Option<Id<id::Shift>>),
    now: Instant,
) -> Result<Id<ReceiptBlock>> {
    rules::may_draw(drawing.leaves).map_err(refused)?;
    let found = receipt_series::lock(tx, drawing.series).await?;
    let series = found.filter(|s| s.agency == agency && s.medium == drawing.medium);
    let series = series.ok_or(Error::not_found())?;
    if !in_force(&series, Day::of(now)) || series.range.left() < drawing.leaves {
        return Err(Error::conflict("no_receipt_series"));
    }
    let first = series.range.drawn + 1;
    let block = StoredBlock {
        id: Id::new(now, &*app.entropy),
        series: series.id,
        agency,
        medium: series.medium,
        letters: series.letters,
        year: series.year,
        form: series.form.clone(),
        range: (first, first + drawing.leaves - 1),
        owner: drawing.owner,
        drawn_at: now,
        shift,
    };
    receipt_series::set_drawn(tx, &[(series.id, block.range.1)]).await?;
    rows::insert_block(tx, &block, drawing.by).await?;
    let details = json!({
        "block": block.id.to_string(),
        "series": symbol(&series),
        "first": block.range.0,
        "last": block.range.1,
        "owner": drawing.owner.to_string(),
        "by": drawing.by.to_string(),
    });
    record(app, tx, "blank.drawn", (agency, block.id), &details, now).await?;
    Ok(block.id)
}

/// Whether numbers of a series may be drawn on that day.
pub(super) fn in_force(series: &StoredSeries, day: Day) -> bool {
    series.force.0 <= day && day <= series.force.1 && series.year == day.year()
}

async fn record(
    app: &App,
    tx: &mut Tx,
    kind: &'static str,
    (agency, block): (Id<Agency>, Id<ReceiptBlock>),
    details: &Value,
    now: Instant,
) -> Result<()> {
    let key = agency_key(app, tx, agency).await?;
    let concern = Concern { citizen: None, agency: Some(agency), object: block.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, &key, details);
    Ok(audit::append(tx, &[leaf]).await?)
}

/// Hands a book on to another cashier of the agency: an accountant's act. No leaf before a used one may be held.
pub async fn pass_on(
    app: &App,
    accountant: Id<Citizen>,
    block: Id<ReceiptBlock>,
    to: Id<Citizen>,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let found = rows::lock_block(&mut tx, block).await?.ok_or(Error::not_found())?;
    officer::demand(&mut tx, accountant, found.agency, Role::Accountant, Day::of(now)).await?;
    officer::demand(&mut tx, to, found.agency, Role::Cashier, Day::of(now)).await?;
    closes(&mut tx, &[(block, found.medium)]).await?;
    if !rows::pass_on(&mut tx, block, (found.owner, to)).await? {
        return Err(Error::not_found());
    }
    let details = json!({
        "block": block.to_string(),
        "from": found.owner.to_string(),
        "to": to.to_string(),
        "by": accountant.to_string(),
    });
    record(app, &mut tx, "blank.passed_on", (found.agency, block), &details, now).await?;
    Ok(tx.commit().await?)
}

/// Refuses while leaves are held that must be entered or voided before the shift ends.
pub(super) async fn demand_accounted(tx: &mut Tx, shift: &OpenShift, cashier: Id<Citizen>) -> Result<()> {
    let blocks = rows::of_shift(tx, shift.id, (shift.agency, cashier)).await?;
    closes(tx, &blocks).await
}

async fn closes(tx: &mut Tx, blocks: &[(Id<ReceiptBlock>, Medium)]) -> Result<()> {
    let ids: Vec<Id<ReceiptBlock>> = blocks.iter().map(|(id, _)| *id).collect();
    let leaves = rows::leaves(tx, &ids).await?;
    for (id, medium) in blocks {
        let states: Vec<Leaf> = leaves.get(id).into_iter().flatten().map(|(_, leaf)| *leaf).collect();
        rules::may_close(*medium, &states).map_err(refused)?;
    }
    Ok(())
}

/// What was written by hand during an outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The numbers of the receipts that were given, one of each kind of charge.
    pub numbers: Vec<Number>,
    /// When, as it stands on the paper.
    pub at: Instant,
}

/// A leaf that a payment is entered for.
pub(super) type TakenLeaf = (FeeKind, Id<ReceiptSeries>, i64);

/// The leaves of what was written, locked and found held by this cashier, with a time that fits the shift.
pub(super) async fn take_leaves(
    tx: &mut Tx,
    shift: &OpenShift,
    cashier: Id<Citizen>,
    written: &Written,
    now: Instant,
) -> Result<(OnPaper, Vec<TakenLeaf>)> {
    let code = agency_row(tx, shift.agency).await?.code;
    let (mut numbers, mut taken) = (BTreeMap::new(), Vec::new());
    for number in &written.numbers {
        let unfit = || Error::Refused(Refusal::new("leaf_unfit").about(number));
        let letters: Letters = number.letters().parse().map_err(|_| unfit())?;
        let serial = i64::try_from(number.place()).map_err(|_| unfit())?;
        let year = Day::of(written.at).year();
        let same = number.agency() == code && i32::from(number.year()) == year.rem_euclid(100);
        let block = match rows::block_of(tx, shift.agency, (letters, year, serial)).await? {
            Some(block) if same => rows::lock_block(tx, block).await?,
            Some(_) | None => None,
        };
        let block = block.filter(|block| block.owner == cashier).ok_or_else(unfit)?;
        let leaves = rows::leaves(tx, &[block.id]).await?.remove(&block.id).unwrap_or_default();
        let leaf = leaves.iter().find(|(at, _)| *at == serial).ok_or_else(unfit)?.1;
        let times = Times { drawn: block.drawn_at, opened: shift.opened_at, written: written.at, now };
        rules::may_enter(leaf, &times).map_err(refused)?;
        let kind = [FeeKind::Phi, FeeKind::LePhi].into_iter().find(|kind| letters.is_of(*kind));
        let kind = kind.filter(|_| number.medium() == block.medium.letter()).ok_or_else(unfit)?;
        let drawn = Drawn { letters, year, form: block.form, medium: block.medium, serial };
        if numbers.insert(kind, drawn).is_some() {
            return Err(unfit());
        }
        taken.push((kind, block.series, serial));
    }
    Ok((OnPaper { agency: shift.agency, written: written.at, numbers }, taken))
}

/// Voids leaves that nobody was given, by a signed document: the owner's act, or an accountant's.
pub async fn void_leaves(
    app: &App,
    officer: Id<Citizen>,
    block: Id<ReceiptBlock>,
    serials: &[i64],
    (why, words): (Why, Option<&Line<200>>),
) -> Result<Id<LeafVoid>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let found = rows::lock_block(&mut tx, block).await?.ok_or(Error::not_found())?;
    let role = if found.owner == officer { Role::Cashier } else { Role::Accountant };
    // Leaves of an agency that is no more are accounted for by whoever has taken its place.
    let heir = inheritance::heir(&mut tx, found.agency, None).await?;
    officer::demand(&mut tx, officer, heir, role, Day::of(now)).await?;
    if serials.iter().any(|serial| *serial < found.range.0 || *serial > found.range.1) {
        return Err(Error::refused("leaf_unfit"));
    }
    let numbers = numbers_of(&mut tx, &found, serials).await?;
    let notice = LeafVoidNotice {
        v: 1,
        iss: app.origin.as_str().to_owned(),
        numbers,
        at: receipt_content::instant(now),
        reason: why.as_str().to_owned(),
        words: words.map(ToString::to_string),
    };
    let (id, leaf): (Id<LeafVoid>, Id<id::Leaf>) = (Id::new(now, &*app.entropy), Id::new(now, &*app.entropy));
    let key = agency_key(app, &mut tx, found.agency).await?;
    let bytes = notice.bytes();
    let void = NewVoid {
        id,
        agency: found.agency,
        why,
        content: key.seal(&*app.entropy, &place(id), &bytes),
        digest: leaf_void::digest(&bytes),
        leaf,
        by: officer,
        at: now,
    };
    rows::insert_void(&mut tx, &void).await?;
    let count = rows::void(&mut tx, found.series, serials, id, now).await?;
    if usize::try_from(count) != Ok(serials.len()) {
        return Err(refused(rules::Refusal::Used));
    }
    let details = json!({
        "block": block.to_string(),
        "document": id.to_string(),
        "document_sha256": hex::encode(void.digest),
        "leaves": serials,
        "reason": why.as_str(),
        "by": officer.to_string(),
    });
    let concern = Concern { citizen: None, agency: Some(found.agency), object: block.uuid() };
    let leaf = audit_leaf::leaf_named(app, (leaf, now), "blank.voided", concern, &key, &details);
    audit::append(&mut tx, &[leaf]).await?;
    tx.commit().await?;
    Ok(id)
}

/// The place that the sealed document is bound to.
pub(super) fn place(void: Id<LeafVoid>) -> Vec<u8> {
    [b"leaf_void.content".as_slice(), void.uuid().as_bytes()].concat()
}

/// The agency of that identifier.
pub(super) async fn agency_row(tx: &mut Tx, agency: Id<Agency>) -> Result<AgencyRow> {
    agency::find_all(tx, &[agency]).await?.pop().ok_or(Error::not_found())
}

/// The printed numbers of leaves of a block.
pub(super) async fn numbers_of(tx: &mut Tx, block: &StoredBlock, serials: &[i64]) -> Result<Vec<Number>> {
    let code = agency_row(tx, block.agency).await?.code;
    let kind = if block.letters.is_of(FeeKind::Phi) { Kind::Phi } else { Kind::LePhi };
    let number = |serial: &i64| {
        let book = (block.letters.book(), kind);
        Number::in_book(&code, book, block.year, serial.unsigned_abs()).on(block.medium.letter())
    };
    Ok(serials.iter().map(number).collect())
}
