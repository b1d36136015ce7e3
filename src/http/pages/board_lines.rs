//! `/board/statements/{id}/lines`: each line of a day with the dossiers, the fees with their legal basis and the receipts behind
//! it.

use super::board::{failed, name, role};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Id, Receipt, Statement},
    money::Money,
};
use crate::flow::read_lines::{Behind, Lines, TracedLine, read_lines};
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/statements/{id}/lines", get(open))
}

#[derive(Deserialize)]
struct LineQuery {
    after: Option<String>,
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
    Query(asked): Query<LineQuery>,
) -> Response {
    let after = asked.after.as_deref().map(str::parse::<i32>).transpose();
    let (Ok(id), Ok(after)) = (id.parse::<Id<Statement>>(), after) else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let found = match read_lines(&app, signed_in.session.citizen, id, after).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let mut page = Page::new(&reader, "trace-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    page.title = page.with("trace-title-of", &[("day", found.day.display_vi().into())]);
    let view = LinesView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        rows: found.lines.iter().map(|(line, behind)| Row::of(&page, line, behind)).collect(),
        statement: format!("/board/statements/{id}"),
        next: found.next.map(|next| format!("/board/statements/{id}/lines?after={next}")),
        page: &page,
        found: &found,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_lines.html")]
struct LinesView<'a> {
    page: &'a Page,
    found: &'a Lines,
    agency: String,
    role: String,
    rows: Vec<Row>,
    statement: String,
    next: Option<String>,
}

/// One line.
struct Row {
    number: i32,
    reference: String,
    amount: String,
    /// The day from which it counts, and when the payer's bank took the order.
    value_day: String,
    accepted_at: Option<String>,
    outcome: String,
    left_out: bool,
    /// What is behind it: the payment that it names, or those that belong to it otherwise.
    behind: Vec<Dossier>,
    /// How many more there are than are shown.
    more: Option<String>,
}

/// One bill behind a line.
struct Dossier {
    dossier: String,
    reference: String,
    why: Option<String>,
    /// Each fee: code, amount, legal basis.
    fees: Vec<(String, String, String)>,
    /// Each receipt: address and number.
    receipts: Vec<(String, String)>,
    elsewhere: Vec<String>,
}

impl Row {
    fn of(page: &Page, line: &TracedLine, behind: &[Behind]) -> Self {
        let own = dossier((line.bill.as_ref(), line.fees.as_ref()), &line.receipts, &line.elsewhere);
        let others = behind.iter().filter_map(|one| {
            let why = page.t(&format!("trace-why-{}", one.why.replace('_', "-"))).into_owned();
            let found = dossier((one.bill.as_ref(), one.fees.as_ref()), &one.receipts, &one.elsewhere)?;
            Some(Dossier { why: Some(why), ..found })
        });
        let told = behind.len();
        let many = behind.first().map_or(0, |one| usize::try_from(one.of).unwrap_or(0));
        let more = many.saturating_sub(told);
        Self {
            number: line.number,
            reference: line.reference.clone(),
            amount: Money::vnd(line.amount).display_vi(),
            value_day: line.value_on.display_vi(),
            accepted_at: line.accepted_at.map(display_vi),
            outcome: outcome(page, line),
            left_out: line.left_out,
            behind: own.into_iter().chain(others).collect(),
            more: (more > 0).then(|| page.with("trace-more", &[("count", more.into())])),
        }
    }
}

fn outcome(page: &Page, line: &TracedLine) -> String {
    let key = match line.outcome.as_deref() {
        None => "trace-outcome-none".to_owned(),
        Some("settled") => "trace-outcome-settled".to_owned(),
        Some(reason) => format!("suspense-reason-{}", reason.replace('_', "-")),
    };
    page.t(&key).into_owned()
}

fn dossier(
    (bill, fees): (Option<&(Uuid, String, String)>, Option<&Value>),
    receipts: &[(Uuid, String)],
    elsewhere: &[String],
) -> Option<Dossier> {
    let (_, dossier, reference) = bill?;
    let text = |value: &Value| value.as_str().unwrap_or("—").to_owned();
    let fees = fees.and_then(Value::as_array).into_iter().flatten().map(|fee| {
        let amount = Money::vnd(fee["amount"].as_i64().unwrap_or(0));
        (text(&fee["fee"]), amount.display_vi(), text(&fee["basis"]))
    });
    let receipts = receipts
        .iter()
        .map(|(id, number)| (format!("/board/receipts/{}", Id::<Receipt>::from_uuid(*id)), number.clone()));
    Some(Dossier {
        dossier: dossier.clone(),
        reference: reference.clone(),
        why: None,
        fees: fees.collect(),
        receipts: receipts.collect(),
        elsewhere: elsewhere.to_vec(),
    })
}
