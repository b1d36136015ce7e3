//! The page of a closing that is prepared beside: how far it is, or why it could not be. It asks for itself again while the work
//! goes on; no script is needed. Once the closing is there its own page stands under the same address.

use super::board::{failed, name, role, said};
use super::board_messages::grouped;
use super::closings::days_of;
use super::page::{Page, Reader, show};
use crate::app::App;
use crate::base::id::{Closing, Id};
use crate::flow::long_closings::{LongClosingShown, read_long_closing};
use crate::http::session::SignedIn;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

/// After how many seconds the page is asked for again.
const AGAIN_SECONDS: u32 = 3;

pub(super) async fn show_waiting(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    id: Id<Closing>,
) -> Response {
    let found = match read_long_closing(app, signed_in.session.citizen, id).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let closing = &found.closing;
    let mut page =
        Page::new(reader, "closing-list-title").signed_in(found.reader.clone(), Some(signed_in.form_token()));
    page.title = page.t(&format!("closing-title-{}", closing.period.kind.as_str())).into_owned();
    page.asks_again = closing.waits.then_some(AGAIN_SECONDS);
    let view = WaitsView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        days: days_of(closing.period),
        tone: if closing.waits { "" } else { "bad" },
        says: says(&page, &found),
        again: (closing.waits && closing.tries > 1)
            .then(|| page.with("closing-again", &[("tries", closing.tries.to_string().into())])),
        bar: closing.far.1.filter(|all| closing.waits && *all > 0).map(|all| (closing.far.0, all)),
        back: format!("/board/closings?agency={}", found.agency.id),
        waits: closing.waits,
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/closing_waits.html")]
struct WaitsView<'a> {
    page: &'a Page,
    agency: String,
    role: String,
    days: String,
    tone: &'static str,
    says: String,
    again: Option<String>,
    bar: Option<(i64, i64)>,
    waits: bool,
    back: String,
}

/// How far it is, or what stands in the way.
fn says(page: &Page, found: &LongClosingShown) -> String {
    let closing = &found.closing;
    if let Some((code, about)) = &closing.refused {
        let about = about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
        return format!("{} {}{about}", page.t("closing-refused"), said(page.lang, code));
    }
    match &closing.step {
        None => page.t("closing-waits").into_owned(),
        Some(step) => {
            let (count, all) = (closing.far.0, closing.far.1.unwrap_or(closing.far.0));
            let args = [("count", grouped(count).into()), ("all", grouped(all).into())];
            page.with(&format!("closing-far-{step}"), &args)
        }
    }
}
