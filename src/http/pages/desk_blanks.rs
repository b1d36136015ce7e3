//! `/desk/blanks`: receipts on paper. A cashier prints blanks for an outage and voids what nobody was given; an accountant
//! hands out books. What was written is entered with the bill's payment (`desk`).

use super::board::{failed, why};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Citizen, Id, LeafVoid, ReceiptBlock, ReceiptSeries},
    text::Line,
};
use crate::flow::{
    Error,
    blank_receipts::{hand_out, pass_on, print_block, void_leaves},
    read_blanks::{BlockShown, read_blanks, read_leaf_void, read_sheet},
};
use crate::http::api::receipts::attachment;
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::payment::{
    blank::{Leaf, Medium, Why, serials},
    fee::FeeKind,
};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/desk/blanks", get(open).post(act))
        .route("/desk/blanks/{block}", get(sheet))
        .route("/desk/blanks/voids/{document}", get(document))
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    show_blanks(&app, &signed_in, &reader, None).await
}

async fn show_blanks(app: &App, signed_in: &SignedIn, reader: &Reader, wrong: Option<Error>) -> Response {
    let blanks = match read_blanks(app, signed_in.session.citizen).await {
        Ok(blanks) => blanks,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "blanks-title")
        .signed_in(blanks.reader.clone(), Some(signed_in.form_token()))
        .wide();
    if let Some(error @ Error::Internal(_)) = &wrong {
        return failed(reader, error);
    }
    let (page, status) = page.refused_if("blanks", why(reader.lang, wrong.as_ref()));
    let named = |(id, name, left): &(Id<ReceiptSeries>, String, i64)| (id.to_string(), name.clone(), *left);
    let voided = |(id, why, at, leaves): &(Id<LeafVoid>, Why, _, i64)| {
        let reason = page.t(&format!("blanks-why-{}", why.as_str())).into_owned();
        (id.to_string(), display_vi(*at), reason, *leaves)
    };
    let view = BlanksView {
        blocks: blanks.blocks.iter().map(|block| Block::of(&page, block)).collect(),
        printable: blanks.printable.iter().map(named).collect(),
        books: blanks.books.iter().map(named).collect(),
        cashiers: blanks.cashiers.iter().map(|(id, name)| (id.to_string(), name.clone())).collect(),
        voids: blanks.voids.iter().map(voided).collect(),
        form_token: signed_in.form_token(),
        page: &page,
    };
    show(status, &page, &view)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sent {
    act: String,
    series: String,
    cashier: String,
    block: String,
    leaves: String,
    why: String,
    words: String,
}

impl Sent {
    fn series(&self) -> Result<Id<ReceiptSeries>, Error> {
        self.series.parse().map_err(|_| Error::not_found())
    }

    fn block(&self) -> Result<Id<ReceiptBlock>, Error> {
        self.block.parse().map_err(|_| Error::not_found())
    }

    fn cashier(&self) -> Result<Id<Citizen>, Error> {
        self.cashier.parse().map_err(|_| Error::not_found())
    }

    fn count(&self) -> Result<i64, Error> {
        self.leaves.trim().parse().map_err(|_| Error::refused("block_size_unfit"))
    }
}

async fn act(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    match done(&app, signed_in.session.citizen, &sent).await {
        Ok(next) => Redirect::to(&next).into_response(),
        Err(error) => show_blanks(&app, &signed_in, &reader, Some(error)).await,
    }
}

/// Does what was asked; where to go then.
async fn done(app: &App, officer: Id<Citizen>, sent: &Sent) -> Result<String, Error> {
    match sent.act.as_str() {
        "print" => {
            let block = print_block(app, officer, sent.series()?, sent.count()?).await?;
            return Ok(format!("/desk/blanks/{block}"));
        }
        "hand_out" => {
            hand_out(app, officer, sent.series()?, sent.cashier()?, sent.count()?).await?;
        }
        "pass_on" => pass_on(app, officer, sent.block()?, sent.cashier()?).await?,
        "void" => {
            let numbers = serials(&sent.leaves).ok_or(Error::refused("leaf_unfit"))?;
            let why = sent.why.parse::<Why>().map_err(|_| Error::refused("invalid_body"))?;
            let words = Some(sent.words.trim()).filter(|words| !words.is_empty()).map(Line::parse);
            let words = words.transpose().map_err(|_| Error::refused("invalid_body"))?;
            void_leaves(app, officer, sent.block()?, &numbers, (why, words.as_ref())).await?;
        }
        _ => return Err(Error::refused("invalid_body")),
    }
    Ok("/desk/blanks".to_owned())
}

async fn sheet(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(block): Path<String>,
) -> Response {
    let Ok(block) = block.parse() else { return show_status(&reader, StatusCode::NOT_FOUND, None) };
    match read_sheet(&app, signed_in.session.citizen, block).await {
        Ok(sheet) => {
            let page = Page::new(&reader, "blanks-sheet-title")
                .signed_in(sheet.reader.clone(), Some(signed_in.form_token()));
            let kind = match sheet.kind {
                FeeKind::Phi => "blanks-receipt-phi",
                FeeKind::LePhi | FeeKind::Tax | FeeKind::Service => "blanks-receipt-le-phi",
            };
            let view = SheetView {
                kind: page.t(kind).into_owned(),
                agency: sheet.agency,
                form: sheet.form,
                numbers: sheet.numbers.iter().map(ToString::to_string).collect(),
                page: &page,
            };
            show(StatusCode::OK, &page, &view)
        }
        Err(error) => failed(&reader, &error),
    }
}

async fn document(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(document): Path<String>,
) -> Response {
    let Ok(id) = document.parse::<Id<LeafVoid>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    match read_leaf_void(&app, signed_in.session.citizen, id).await {
        Ok(signed) => attachment("application/jose", &format!("{id}.jws"), signed.into_bytes()),
        Err(error) => failed(&reader, &error),
    }
}

/// A block as the page shows it.
struct Block {
    id: String,
    symbol: String,
    medium: String,
    range: String,
    owner: String,
    held: String,
    issued: usize,
    voided: usize,
    prints: bool,
    voids: bool,
    passes: bool,
}

impl Block {
    fn of(page: &Page, shown: &BlockShown) -> Self {
        let count = |state| shown.leaves.iter().filter(|(_, leaf)| *leaf == state).count();
        let held: Vec<i64> =
            shown.leaves.iter().filter(|(_, leaf)| *leaf == Leaf::Held).map(|(serial, _)| *serial).collect();
        let any = !held.is_empty();
        Self {
            id: shown.block.id.to_string(),
            symbol: shown.symbol.clone(),
            medium: page.t(&format!("blanks-medium-{}", shown.block.medium)).into_owned(),
            range: format!("{:07}–{:07}", shown.block.range.0, shown.block.range.1),
            owner: shown.owner.clone(),
            held: stretches(&held),
            issued: count(Leaf::Issued),
            voided: count(Leaf::Voided),
            prints: any && shown.own && shown.block.medium == Medium::Printed,
            voids: any && (shown.own || shown.keeps),
            passes: any && shown.keeps && shown.block.medium == Medium::Book,
        }
    }
}

/// Numbers in order as people write them: `3, 5-9`.
fn stretches(numbers: &[i64]) -> String {
    let parts: Vec<String> = numbers
        .chunk_by(|a, b| a + 1 == *b)
        .filter_map(|run| match (run.first()?, run.last()?) {
            (first, last) if first == last => Some(first.to_string()),
            (first, last) => Some(format!("{first}-{last}")),
        })
        .collect();
    parts.join(", ")
}

#[derive(Template)]
#[template(path = "pages/desk_blanks.html")]
struct BlanksView<'a> {
    page: &'a Page,
    blocks: Vec<Block>,
    printable: Vec<(String, String, i64)>,
    books: Vec<(String, String, i64)>,
    cashiers: Vec<(String, String)>,
    voids: Vec<(String, String, String, i64)>,
    form_token: String,
}

#[derive(Template)]
#[template(path = "pages/desk_blank_sheet.html")]
struct SheetView<'a> {
    page: &'a Page,
    agency: String,
    form: String,
    kind: String,
    numbers: Vec<String>,
}
