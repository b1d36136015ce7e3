//! `/desk/mandates`: an officer records a mandate, from a certified paper or from the person with the card, prints the
//! slip for the principal, and lifts a citizen's locks against the card.

use super::board::{name, said, status_of};
use super::mandate_form::{MandateForm, fault_of, wrong};
use super::me_mandates::{delegate_of, facts};
use super::page::{FieldError, Page, Reader, show, show_error, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{self, Agency, Id},
    text::Line,
};
use crate::flow::{
    Error,
    card_check::read_counters,
    locks::lift_at_counter,
    mandates::{MandateShown, Named, Recorded, read_offered, read_slip, record_at_desk},
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::identity::mandate::Paper;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/desk/mandates", get(open).post(record))
        .route("/desk/mandates/{mandate}/slip", get(slip))
        .route("/desk/locks", post(lift))
}

/// A mandate's identifier, whose it is, and what it says.
type Offered = (String, String, Vec<(String, String)>);

#[derive(Template)]
#[template(path = "pages/desk_mandates.html")]
struct DeskView<'a> {
    page: &'a Page,
    places: Vec<(String, String)>,
    desk: &'a DeskForm,
    form: &'a MandateForm,
    /// The mandates that wait for this organisation: which, whose, and what they say.
    offered: Vec<Offered>,
    form_token: String,
}

/// The principal and the paper; the rest of the form is the mandate's.
#[derive(Default, Deserialize)]
struct DeskForm {
    #[serde(default)]
    agency: String,
    #[serde(default)]
    principal_number: String,
    #[serde(default)]
    principal_name: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    certifier: String,
    #[serde(default)]
    certificate_no: String,
    #[serde(default)]
    certified_on: String,
}

async fn open(State(app): State<App>, person: SignedIn, reader: Reader) -> Response {
    page(&app, &person, &reader, (&DeskForm::default(), &MandateForm::default()), Vec::new()).await
}

async fn page(
    app: &App,
    person: &SignedIn,
    reader: &Reader,
    (desk, form): (&DeskForm, &MandateForm),
    wrong: Vec<FieldError>,
) -> Response {
    let (places, officer) = match read_counters(app, person.session.citizen).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let offered = match read_offered(app, person.session.citizen).await {
        Ok(offered) => offered,
        Err(error) => return failed(reader, &error),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page =
        Page::new(reader, "desk-mandate-title").signed_in(officer, Some(person.form_token())).refused(wrong);
    let places = places.iter().map(|place| (place.id.to_string(), name(reader.lang, place).to_owned()));
    let form_token = person.form_token();
    let offered = offered
        .iter()
        .map(|shown| (shown.mandate.id.to_string(), shown.principal.clone(), facts(&page, shown)))
        .collect();
    let view = DeskView { places: places.collect(), desk, form, offered, form_token, page: &page };
    show(status, &page, &view)
}

fn failed(reader: &Reader, error: &Error) -> Response {
    if let Error::Internal(cause) = error {
        tracing::error!(?cause, "a page of the desk failed");
    }
    let page = Page::new(reader, "me-not-done");
    match error {
        Error::Refused(_) | Error::Conflict(_) | Error::Forbidden(_) => {
            let code = error.code();
            show_error(status_of(error), &page, &said(reader.lang, code), Some(code))
        }
        Error::NotFound(_) | Error::Unavailable(_) | Error::Internal(_) => {
            show_status(reader, status_of(error), None)
        }
    }
}

impl DeskForm {
    /// The principal, or the field that is wrong.
    fn principal(&self) -> Result<Named, (&'static str, &'static str)> {
        let number = self.principal_number.parse();
        let number = number.map_err(|_| ("principal_number", "sign-in-number-wrong"))?;
        let name = self.principal_name.parse().map_err(|_| ("principal_name", "mandate-wrong-name"))?;
        Ok(Named { number, name })
    }

    fn recorded(&self) -> Result<Recorded, (&'static str, &'static str)> {
        if self.source != "paper" {
            return Ok(Recorded::Counter);
        }
        let certifier = Line::parse(&self.certifier).map_err(|_| ("certifier", "desk-wrong-paper"))?;
        let number = Line::parse(&self.certificate_no).map_err(|_| ("certificate_no", "desk-wrong-paper"))?;
        let on = self.certified_on.parse().map_err(|_| ("certified_on", "desk-wrong-paper"))?;
        Ok(Recorded::Paper(Paper { certifier, number, on }))
    }
}

async fn record(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form: fields }: SentForm<Vec<(String, String)>>,
) -> Response {
    let Some((desk, form)) = parts(&fields) else {
        return show_status(&reader, StatusCode::BAD_REQUEST, None);
    };
    let again = |fault| page(&app, &person, &reader, (&desk, &form), wrong(&reader, fault));
    let Ok(agency) = desk.agency.parse::<Id<Agency>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let (principal, recorded) = match (desk.principal(), desk.recorded()) {
        (Ok(principal), Ok(recorded)) => (principal, recorded),
        (Err(fault), _) | (_, Err(fault)) => return again(fault).await,
    };
    let new = match form.read(&app).await {
        Ok(Ok(new)) => new,
        Ok(Err(fault)) => return again(fault).await,
        Err(error) => return failed(&reader, &error),
    };
    let by = (agency, person.session.citizen);
    match record_at_desk(&app, by, &principal, &new, recorded).await {
        Ok(id) => Redirect::to(&format!("/desk/mandates/{id}/slip")).into_response(),
        Err(error) => match fault_of(&error) {
            Some(fault) => again(fault).await,
            None => failed(&reader, &error),
        },
    }
}

/// One form, read as its two halves.
fn parts(fields: &[(String, String)]) -> Option<(DeskForm, MandateForm)> {
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let desk = serde_html_form::from_str(&text).ok()?;
    Some((desk, serde_html_form::from_str(&text).ok()?))
}

#[derive(Template)]
#[template(path = "pages/desk_slip.html")]
struct SlipView<'a> {
    page: &'a Page,
    place: String,
    id: String,
    shown: &'a MandateShown,
    delegate: &'a str,
    facts: Vec<(String, String)>,
    recorded: String,
}

async fn slip(
    State(app): State<App>,
    person: SignedIn,
    reader: Reader,
    Path(mandate): Path<String>,
) -> Response {
    let Ok(id) = mandate.parse::<Id<id::Mandate>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let officer = person.session.citizen;
    let (shown, at) = match read_slip(&app, officer, id).await {
        Ok(found) => found,
        Err(error) => return failed(&reader, &error),
    };
    let places = read_counters(&app, officer).await.map(|(places, _)| places).unwrap_or_default();
    let place = places.iter().find(|place| place.id == at);
    let page = Page::new(&reader, "mandate-slip-title");
    let view = SlipView {
        place: place.map(|place| name(reader.lang, place).to_owned()).unwrap_or_default(),
        id: id.to_string(),
        delegate: delegate_of(reader.lang, &shown),
        facts: facts(&page, &shown),
        recorded: display_vi(shown.mandate.given_at),
        shown: &shown,
        page: &page,
    };
    show(StatusCode::OK, &page, &view)
}

#[derive(Deserialize)]
struct LiftForm {
    agency: String,
    #[serde(default)]
    number: String,
}

async fn lift(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in: person, form }: SentForm<LiftForm>,
) -> Response {
    let Ok(agency) = form.agency.parse::<Id<Agency>>() else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let nothing = (DeskForm::default(), MandateForm::default());
    let Ok(number) = form.number.parse() else {
        let fault = wrong(&reader, ("number", "sign-in-number-wrong"));
        return page(&app, &person, &reader, (&nothing.0, &nothing.1), fault).await;
    };
    match lift_at_counter(&app, (agency, person.session.citizen), number).await {
        Ok(_) => {
            let page = Page::new(&reader, "desk-lifted-title");
            show_error(StatusCode::OK, &page, &page.t("desk-lifted"), None)
        }
        Err(error) => failed(&reader, &error),
    }
}
