//! Receipts on paper as cashiers, whoever keeps their stock, and agencies' systems see them.

use super::{
    Error, Result,
    agency_key::agency_key,
    blank_receipts::{agency_row, in_force, numbers_of, place},
    inherit::{Tree, agencies_of},
    officer,
    receipt_series::symbol,
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{Agency, Citizen, Id, LeafVoid, ReceiptBlock, ReceiptSeries},
};
use crate::codec::{
    leaf_void,
    receipt_content::{self, Number},
};
use crate::crypto::{keyring::Purpose, signing::Signer};
use crate::identity::role::Role;
use crate::payment::{
    blank::{Leaf, Medium, Why},
    fee::FeeKind,
};
use crate::store::{
    Tx,
    blank::{self as rows, StoredBlock},
    desk,
    receipt_series::{self, StoredSeries},
    role,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The signed document that voids leaves, for the officers of its agency.
pub async fn read_leaf_void(app: &App, officer: Id<Citizen>, id: Id<LeafVoid>) -> Result<String> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let (agency, sealed, digest) = rows::find_void(&mut tx, id).await?.ok_or(Error::not_found())?;
    seat_at(&mut tx, officer, agency, today).await?;
    let key = agency_key(app, &mut tx, agency).await?;
    let bytes = key.open(&place(id), &sealed)?.expose().clone();
    if leaf_void::digest(&bytes) != digest {
        return Err(Error::internal(id));
    }
    let signer = app.keys.signing(Purpose::Record);
    let input = leaf_void::signing_input(&bytes, signer.kid());
    Ok(receipt_content::signed(&input, &signer.sign(input.as_bytes())))
}

const READERS: [Role; 3] = [Role::Cashier, Role::Accountant, Role::Auditor];

async fn seat_at(tx: &mut Tx, officer: Id<Citizen>, agency: Id<Agency>, today: Day) -> Result<officer::Seat> {
    let seats = officer::seats(tx, officer, today, &READERS).await?;
    seats.into_iter().find(|seat| seat.id == agency).ok_or(Error::not_found())
}

/// A block as pages show it.
pub struct BlockShown {
    /// The block.
    pub block: StoredBlock,
    /// The symbol of its series.
    pub symbol: String,
    /// Whose name the page says.
    pub owner: String,
    /// Whether the reader is the owner.
    pub own: bool,
    /// Whether the reader keeps the stock of its agency.
    pub keeps: bool,
    /// What became of its leaves.
    pub leaves: Vec<(i64, Leaf)>,
}

/// What the page of blanks shows.
pub struct Blanks {
    /// Whoever reads.
    pub reader: String,
    /// The blocks, those with leaves that are held first.
    pub blocks: Vec<BlockShown>,
    /// Series of which the cashier may print blanks now, with what is left of each.
    pub printable: Vec<(Id<ReceiptSeries>, String, i64)>,
    /// Series of books that the accountant may hand out, with what is left of each.
    pub books: Vec<(Id<ReceiptSeries>, String, i64)>,
    /// The cashiers who may hold a book, by agency.
    pub cashiers: Vec<(Id<Citizen>, String)>,
    /// Documents that voided leaves: identifier, reason, when, how many.
    pub voids: Vec<(Id<LeafVoid>, Why, Instant, i64)>,
}

/// How many blocks and documents a page shows.
const SHOWN: i64 = 50;

/// The blanks of a cashier, or those of an agency for whoever keeps its stock.
pub async fn read_blanks(app: &App, officer: Id<Citizen>) -> Result<Blanks> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let seats = officer::seats(&mut tx, officer, today, &READERS).await?;
    if seats.is_empty() {
        return Err(Error::forbidden("cashier_needed"));
    }
    let ids: Vec<Id<Agency>> = seats.iter().map(|seat| seat.id).collect();
    let overseen = |seat: &officer::Seat| seat.holds(Role::Accountant) || seat.holds(Role::Auditor);
    let owner = if seats.iter().any(overseen) { None } else { Some(officer) };
    let blocks = rows::blocks(&mut tx, &ids, owner, SHOWN).await?;
    let leaves = rows::leaves(&mut tx, &blocks.iter().map(|block| block.id).collect::<Vec<_>>()).await?;
    let shift = desk::lock_open(&mut tx, officer).await?;
    let (mut printable, mut books, mut cashiers) = (Vec::new(), Vec::new(), Vec::new());
    let mut symbols = BTreeMap::new();
    let mut registered: BTreeMap<Id<Agency>, Vec<StoredSeries>> = BTreeMap::new();
    for series in receipt_series::of_agencies(&mut tx, &ids).await? {
        registered.entry(series.agency).or_default().push(series);
    }
    for seat in &seats {
        for series in registered.remove(&seat.id).into_iter().flatten() {
            symbols.insert(series.id, symbol(&series));
            let left = series.range.left();
            let of = (series.id, symbol(&series), left);
            match series.medium {
                _ if left == 0 || !in_force(&series, today) => {}
                Medium::Printed if shift.as_ref().is_some_and(|shift| shift.agency == seat.id) => {
                    printable.push(of);
                }
                Medium::Book if seat.holds(Role::Accountant) => books.push(of),
                Medium::Electronic | Medium::Printed | Medium::Book => {}
            }
        }
        if seat.holds(Role::Accountant) {
            cashiers.extend(role::at_agency(&mut tx, seat.id, Role::Cashier, today).await?);
        }
    }
    let people: BTreeSet<Id<Citizen>> =
        blocks.iter().map(|block| block.owner).chain(cashiers.iter().copied()).chain([officer]).collect();
    let names = officer::names(app, &mut tx, &people).await?;
    let name = |citizen: Id<Citizen>| names.get(&citizen).cloned().unwrap_or_default();
    let mut leaves = leaves;
    let shown = |block: StoredBlock| BlockShown {
        symbol: symbols.get(&block.series).cloned().unwrap_or_default(),
        owner: name(block.owner),
        own: block.owner == officer,
        keeps: seats.iter().any(|seat| seat.id == block.agency && seat.holds(Role::Accountant)),
        leaves: leaves.remove(&block.id).unwrap_or_default(),
        block,
    };
    let voids = rows::voids(&mut tx, &ids, SHOWN).await?;
    Ok(Blanks {
        blocks: blocks.into_iter().map(shown).collect(),
        cashiers: cashiers.iter().map(|citizen| (*citizen, name(*citizen))).collect(),
        reader: name(officer),
        printable,
        books,
        voids,
    })
}

/// A block on its way to the printer: agency, form, symbol, and the numbers that are held.
pub struct Sheet {
    /// Whoever reads.
    pub reader: String,
    /// The agency's Vietnamese name.
    pub agency: String,
    /// The number of the form.
    pub form: String,
    /// Of which kind.
    pub kind: FeeKind,
    /// The printed numbers that are held.
    pub numbers: Vec<Number>,
}

/// What is printed of a block of blanks: only for its owner, and only what is held.
pub async fn read_sheet(app: &App, cashier: Id<Citizen>, block: Id<ReceiptBlock>) -> Result<Sheet> {
    let mut tx = app.store.begin().await?;
    let found = rows::lock_block(&mut tx, block).await?;
    let found = found.filter(|block| block.owner == cashier && block.medium == Medium::Printed);
    let found = found.ok_or(Error::not_found())?;
    let leaves = rows::leaves(&mut tx, &[block]).await?.remove(&block).unwrap_or_default();
    let held: Vec<i64> =
        leaves.into_iter().filter(|(_, leaf)| *leaf == Leaf::Held).map(|(serial, _)| serial).collect();
    let of = agency_row(&mut tx, found.agency).await?;
    let names = officer::names(app, &mut tx, &[cashier].into()).await?;
    Ok(Sheet {
        reader: names.get(&cashier).cloned().unwrap_or_default(),
        agency: of.name_vi,
        kind: if found.letters.is_of(FeeKind::Phi) { FeeKind::Phi } else { FeeKind::LePhi },
        numbers: numbers_of(&mut tx, &found, &held).await?,
        form: found.form,
    })
}

/// The blocks of an agency, or by either tree, as `/v1` answers with them, those with leaves that are held first.
pub async fn list_blanks(app: &App, agency: Id<Agency>, tree: Tree) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let blocks = rows::blocks(&mut tx, &agencies, None, 4 * SHOWN).await?;
    let leaves = rows::leaves(&mut tx, &blocks.iter().map(|block| block.id).collect::<Vec<_>>()).await?;
    let item = |block: &StoredBlock| {
        let of = leaves.get(&block.id).map(Vec::as_slice).unwrap_or_default();
        let count = |state| of.iter().filter(|(_, leaf)| *leaf == state).count();
        let held = of.iter().filter(|(_, leaf)| *leaf == Leaf::Held).map(|(serial, _)| *serial);
        json!({
            "id": block.id.to_string(),
            "series": format!("{}-{:02}{}", block.letters, block.year.rem_euclid(100), block.medium.letter()),
            "form": block.form,
            "medium": block.medium.as_str(),
            "first": block.range.0,
            "last": block.range.1,
            "owner": block.owner.to_string(),
            "drawn_at": rfc3339(block.drawn_at),
            "held": held.collect::<Vec<_>>(),
            "issued": count(Leaf::Issued),
            "voided": count(Leaf::Voided),
        })
    };
    let items: Vec<Value> = blocks.iter().map(item).collect();
    Ok(json!({ "items": items, "next": null }))
}
