//! `/board/days/{id}`: how far the matching of a long day is, until it ends with its result or with why it could not be done. The
//! page asks for itself again while the work goes on; no script is needed.

use super::board::{failed, name, role, said};
use super::board_messages::grouped;
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::id::{Id, LongDay};
use crate::flow::match_long_days::{LongDayShown, read_long_day};
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

/// After how many seconds the page is asked for again.
const AGAIN_SECONDS: u32 = 3;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/days/{id}", get(open))
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<Id<LongDay>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let found = match read_long_day(&app, signed_in.session.citizen, id).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let mut page =
        Page::new(&reader, "day-title").signed_in(found.reader.clone(), Some(signed_in.form_token()));
    let waits = found.day.state == "waiting";
    page.asks_again = waits.then_some(AGAIN_SECONDS);
    let account = found.day.account.clone();
    let view = DayView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        of: page.with("day-of", &[("day", found.day.day.display_vi().into()), ("account", account.into())]),
        tone: match found.day.state.as_str() {
            "done" => "ok",
            "refused" => "bad",
            _ => "",
        },
        says: says(&page, &found),
        again: (waits && found.day.tries > 1)
            .then(|| page.with("day-again", &[("tries", found.day.tries.to_string().into())])),
        bar: found.day.far.1.filter(|_| waits).map(|all| (found.day.far.0, all)),
        waits,
        page: &page,
        found: &found,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/board_days.html")]
struct DayView<'a> {
    page: &'a Page,
    found: &'a LongDayShown,
    agency: String,
    role: String,
    of: String,
    tone: &'static str,
    says: String,
    again: Option<String>,
    bar: Option<(i32, i32)>,
    waits: bool,
}

/// How far it is, or what came of it.
fn says(page: &Page, found: &LongDayShown) -> String {
    let day = &found.day;
    let with = |key: &str, (count, all): (i32, i32)| {
        page.with(key, &[("count", grouped(count.into()).into()), ("all", grouped(all.into()).into())])
    };
    let (so_far, all) = (day.far.0, day.far.1.or(day.lines).unwrap_or(day.far.0));
    match (day.state.as_str(), day.step.as_deref()) {
        ("done", _) => with("day-done", day.matched.unwrap_or_default()),
        ("refused", _) => {
            let why = said(page.lang, day.refusal.as_deref().unwrap_or_default());
            format!("{} {why}", page.t("day-refused"))
        }
        (_, Some("kept")) if so_far >= all => with("day-books", (so_far, all)),
        (_, Some(step)) => with(&format!("day-{step}"), (so_far, all)),
        (_, None) => page.t("day-waits").into_owned(),
    }
}
