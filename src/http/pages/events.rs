//! `/board/events`: which systems of the agency are told of events, how they are doing, and what they have not
//! acknowledged. The page reads only: systems ask for another telling through `/v1/events/endpoints`.

use super::board::{failed, name, role};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Endpoint, Event, Id},
};
use crate::flow::replay_events::{Deliveries, EndpointShown, Shown, read_deliveries};
use crate::http::session::SignedIn;
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/events", get(open))
}

#[derive(Default, Deserialize)]
struct Asked {
    agency: Option<String>,
    endpoint: Option<String>,
    show: Option<String>,
    after: Option<String>,
}

async fn open(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(asked): Query<Asked>,
) -> Response {
    let read = || {
        let agency: Option<Id<Agency>> = asked.agency.as_deref().map(str::parse).transpose().ok()?;
        let endpoint: Option<Id<Endpoint>> = asked.endpoint.as_deref().map(str::parse).transpose().ok()?;
        let after: Option<Id<Event>> = asked.after.as_deref().map(str::parse).transpose().ok()?;
        let shown = asked.show.as_deref().map_or(Some(Shown::Unacknowledged), Shown::named)?;
        Some((agency, endpoint, shown, after))
    };
    let Some((agency, endpoint, shown, after)) = read() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let citizen = signed_in.session.citizen;
    match read_deliveries(&app, citizen, agency, endpoint, (shown, after)).await {
        Ok(found) => show_deliveries(&signed_in, &reader, &found, shown),
        Err(error) => failed(&reader, &error),
    }
}

fn show_deliveries(signed_in: &SignedIn, reader: &Reader, found: &Deliveries, shown: Shown) -> Response {
    let page = Page::new(reader, "events-title")
        .signed_in(found.reader.clone(), Some(signed_in.form_token()))
        .wide();
    let all = shown == Shown::All;
    let address = |endpoint: Id<Endpoint>, all: bool, after: Option<Id<Event>>| {
        let show = if all { "&show=all" } else { "" };
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        format!("/board/events?agency={}&endpoint={endpoint}{show}{after}", found.agency.id)
    };
    let chosen = found.endpoints.iter().find(|e| Some(e.id) == found.chosen);
    let switch = if all { "events-show-unacknowledged" } else { "events-show-all" };
    let view = EventsView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        id: found.agency.id.to_string(),
        endpoints: found
            .endpoints
            .iter()
            .map(|e| EndpointRow::of(&page, e, address(e.id, all, None), found.chosen == Some(e.id)))
            .collect(),
        heading: chosen
            .map(|e| page.with("events-deliveries", &[("url", e.url.as_str().into())]))
            .unwrap_or_default(),
        other: (chosen.map(|e| address(e.id, !all, None)).unwrap_or_default(), page.t(switch).into_owned()),
        rows: found.deliveries.iter().map(|delivery| DeliveryRow::of(&page, delivery)).collect(),
        next: chosen.zip(found.next).map(|(e, after)| address(e.id, all, Some(after))),
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/events.html")]
struct EventsView<'a> {
    page: &'a Page,
    agency: String,
    role: String,
    id: String,
    endpoints: Vec<EndpointRow>,
    heading: String,
    other: (String, String),
    rows: Vec<DeliveryRow>,
    next: Option<String>,
}

/// One endpoint in the table.
struct EndpointRow {
    href: String,
    url: String,
    health: String,
    tag: &'static str,
    note: Option<String>,
    waiting: i64,
    dead: i64,
    chosen: bool,
}

impl EndpointRow {
    fn of(page: &Page, endpoint: &EndpointShown, href: String, chosen: bool) -> Self {
        let rest = endpoint.rest_until.map(|at| page.with("events-rest", &[("at", display_vi(at).into())]));
        let note = (endpoint.failures > 0).then(|| {
            let counted = format!("{} {}", endpoint.failures, page.t("events-failures"));
            rest.map_or(counted.clone(), |rest| format!("{counted}, {rest}"))
        });
        Self {
            href,
            url: endpoint.url.clone(),
            health: page.t(&format!("events-health-{}", endpoint.health)).into_owned(),
            tag: match endpoint.health {
                "well" => "ok",
                "failing" => "bad",
                "suspended" => "warn",
                _ => "",
            },
            note,
            waiting: endpoint.tally.0,
            dead: endpoint.tally.1,
            chosen,
        }
    }
}

/// One delivery in the table.
struct DeliveryRow {
    name: String,
    event: String,
    sequence: String,
    at: String,
    state: String,
    tag: &'static str,
    attempts: i32,
    outcome: String,
    next: String,
}

impl DeliveryRow {
    fn of(page: &Page, delivery: &crate::flow::replay_events::StoredDelivery) -> Self {
        let none = || "—".to_owned();
        let outcome = delivery.outcome.as_deref().map(|word| match word.strip_prefix("http_") {
            Some(status) => page.with("events-outcome-http", &[("status", status.into())]),
            None => page.t(&format!("events-outcome-{word}")).into_owned(),
        });
        Self {
            name: delivery.name.clone(),
            event: delivery.event.to_string(),
            sequence: delivery.sequence.map_or_else(none, |number| number.to_string()),
            at: display_vi(delivery.event_at),
            state: page.t(&format!("events-state-{}", delivery.state)).into_owned(),
            tag: match delivery.state.as_str() {
                "done" => "ok",
                "dead" => "bad",
                _ => "warn",
            },
            attempts: delivery.attempts,
            outcome: outcome.unwrap_or_else(none),
            next: if delivery.state == "pending" { display_vi(delivery.due_at) } else { none() },
        }
    }
}
