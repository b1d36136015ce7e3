//! `/board/matches`: lines and credits that are one matter. An accountant puts them together; what they leave open beyond
//! the tolerance waits for a second person.

use super::board::{DecideForm, age, failed, kind, name, role, said, status_of};
use super::page::{Page, Reader, show, show_status};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Case, Id, MatchGroup},
    money::Money,
};
use crate::flow::{
    Error,
    match_cases::{MatchShown, Matches, Unmatched, Words, decide_match, propose_match, read_matches},
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::payment::matching::{Reason, is_unbooked_credit, sides};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/board/matches", get(list).post(propose))
        .route("/board/matches/{id}/decide", post(decide))
}

#[derive(Default, Deserialize)]
struct Asked {
    agency: Option<String>,
}

async fn list(
    State(app): State<App>,
    signed_in: SignedIn,
    reader: Reader,
    Query(asked): Query<Asked>,
) -> Response {
    match asked.agency.as_deref().map(str::parse::<Id<Agency>>).transpose() {
        Ok(agency) => show_list(&app, &signed_in, &reader, agency, None).await,
        Err(_) => show_status(&reader, StatusCode::NOT_FOUND, None),
    }
}

#[derive(Deserialize)]
struct ProposeForm {
    agency: String,
    #[serde(default)]
    case: Vec<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    words: String,
}

async fn propose(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form }: SentForm<ProposeForm>,
) -> Response {
    let cases = form.case.iter().map(|case| case.parse()).collect::<Result<BTreeSet<Id<Case>>, _>>();
    let (Ok(agency), Ok(cases)) = (form.agency.parse::<Id<Agency>>(), cases) else {
        return show_status(&reader, StatusCode::NOT_FOUND, None);
    };
    let Some(reason) = Reason::named(&form.reason) else {
        return show_status(&reader, StatusCode::BAD_REQUEST, Some("reason"));
    };
    let Ok(words) = Words::parse(form.words.trim()) else {
        let message = Page::new(&reader, "reconciliation-words-error").title;
        let wrong = Some((StatusCode::BAD_REQUEST, message));
        return show_list(&app, &signed_in, &reader, Some(agency), wrong).await;
    };
    let citizen = signed_in.session.citizen;
    match propose_match(&app, citizen, agency, &cases, (reason, &words)).await {
        Ok(_) => Redirect::to(&format!("/board/matches?agency={agency}")).into_response(),
        Err(error @ (Error::Refused(_) | Error::Conflict(_))) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_list(&app, &signed_in, &reader, Some(agency), Some(wrong)).await
        }
        Err(error) => failed(&reader, &error),
    }
}

async fn decide(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    SentForm { signed_in, form }: SentForm<DecideForm>,
) -> Response {
    let (id, approve) = match form.read::<MatchGroup>(&id) {
        Ok(read) => read,
        Err((status, why)) => return show_status(&reader, status, why),
    };
    match decide_match(&app, signed_in.session.citizen, id, approve).await {
        Ok(()) => Redirect::to("/board/matches").into_response(),
        Err(error @ (Error::Refused(_) | Error::Conflict(_))) => {
            let wrong = (status_of(&error), said(reader.lang, error.code()));
            show_list(&app, &signed_in, &reader, None, Some(wrong)).await
        }
        Err(error) => failed(&reader, &error),
    }
}

async fn show_list(
    app: &App,
    signed_in: &SignedIn,
    reader: &Reader,
    agency: Option<Id<Agency>>,
    wrong: Option<(StatusCode, String)>,
) -> Response {
    let found = match read_matches(app, signed_in.session.citizen, agency).await {
        Ok(found) => found,
        Err(error) => return failed(reader, &error),
    };
    let page = Page::new(reader, "match-title")
        .signed_in(found.reader_name.clone(), Some(signed_in.form_token()))
        .wide();
    let (page, status) = page.refused_if("words", wrong);
    let reason = |reason: Reason| {
        let word = reason.as_str();
        (word, page.t(&format!("match-reason-{word}")).into_owned())
    };
    let view = MatchesView {
        agency: name(reader.lang, &found.agency).to_owned(),
        role: role(&page, found.agency.acts),
        accounts: found.accounts.iter().map(|of| AccountBlock::of(&page, of, &found)).collect(),
        groups: found.groups.iter().map(|group| GroupRow::of(&page, group, &found)).collect(),
        reasons: Reason::ALL.map(reason).into(),
        form_token: signed_in.form_token(),
        page: &page,
        found: &found,
    };
    show(status, &page, &view)
}

#[derive(Template)]
#[template(path = "pages/matches.html")]
struct MatchesView<'a> {
    page: &'a Page,
    found: &'a Matches,
    agency: String,
    role: String,
    accounts: Vec<AccountBlock>,
    groups: Vec<GroupRow>,
    reasons: Vec<(&'static str, String)>,
    form_token: String,
}

/// What of one account is to be matched.
struct AccountBlock {
    number: String,
    note: String,
    cases: Vec<CaseRow>,
    suggested: Vec<Suggestion>,
}

/// One case that may be chosen.
struct CaseRow {
    id: String,
    kind: String,
    place: String,
    stated: String,
    held: String,
    age: String,
}

/// Cases that would fit together, or a line that may be booked.
struct Suggestion {
    cases: Vec<String>,
    reason: &'static str,
    text: String,
    accept: String,
}

impl AccountBlock {
    fn of(page: &Page, of: &Unmatched, found: &Matches) -> Self {
        let cases: Vec<CaseRow> = of
            .cases
            .iter()
            .map(|(case, place)| {
                let (stated, held) = sides(&case.difference).unwrap_or((Money::vnd(0), Money::vnd(0)));
                let shown = |money: Money| if money.is_zero() { String::new() } else { money.display_vi() };
                let reference = place.as_ref().map(|place| place.reference.clone());
                let reference = reference.or_else(|| case.difference.credit.clone()).unwrap_or_default();
                CaseRow {
                    id: case.id.to_string(),
                    kind: kind(page, case.difference.kind),
                    place: format!("{} · {reference}", case.day.display_vi()),
                    stated: shown(stated),
                    held: shown(held),
                    age: age(page, found.now - case.opened_at),
                }
            })
            .collect();
        let suggested = of.suggested.iter().map(|group| {
            let members: Vec<&CaseRow> = group.iter().filter_map(|at| cases.get(*at)).collect();
            let side = |of: fn(&CaseRow) -> &str| {
                let sums = members.iter().map(|case| of(case)).filter(|sum| !sum.is_empty());
                sums.collect::<Vec<_>>().join(" + ")
            };
            let reason = if members.len() > 2 { Reason::Collected } else { Reason::Other };
            Suggestion {
                reason: reason.as_str(),
                accept: page.t("match-accept").into_owned(),
                text: page.with(
                    "match-suggestion",
                    &[("stated", side(|case| &case.stated).into()), ("held", side(|case| &case.held).into())],
                ),
                cases: members.iter().map(|case| case.id.clone()).collect(),
            }
        });
        let credited =
            of.cases.iter().zip(&cases).filter(|((case, _), _)| is_unbooked_credit(&case.difference));
        let credited = credited.map(|(_, row)| Suggestion {
            cases: vec![row.id.clone()],
            reason: Reason::Credited.as_str(),
            text: page.with(
                "match-credited",
                &[("place", row.place.as_str().into()), ("stated", row.stated.as_str().into())],
            ),
            accept: page.t("match-credit").into_owned(),
        });
        Self {
            suggested: suggested.chain(credited).collect(),
            number: of.account.number.clone(),
            note: page.with("match-tolerance", &[("amount", of.tolerance.display_vi().into())]),
            cases,
        }
    }
}

/// One match in the table.
struct GroupRow {
    at: String,
    reason: String,
    words: String,
    count: usize,
    stated: String,
    held: String,
    difference: String,
    by: String,
    state: String,
    tag: &'static str,
    action: Option<String>,
    approves: bool,
}

impl GroupRow {
    fn of(page: &Page, shown: &MatchShown, found: &Matches) -> Self {
        let group = &shown.group;
        let waits = group.state == "proposed" && found.agency.acts;
        let (first, second) = &shown.by;
        Self {
            at: display_vi(group.proposed.1),
            reason: page.t(&format!("match-reason-{}", group.reason.as_str())).into_owned(),
            words: shown.words.clone().unwrap_or_default(),
            count: group.cases.len(),
            stated: group.stated.display_vi(),
            held: group.held.display_vi(),
            difference: group.stated.minus(group.held).map(|money| money.display_vi()).unwrap_or_default(),
            by: second.as_ref().map_or_else(|| first.clone(), |second| format!("{first}, {second}")),
            state: page.t(&format!("match-state-{}", group.state)).into_owned(),
            tag: match group.state.as_str() {
                "matched" => "ok",
                "proposed" => "warn",
                _ => "bad",
            },
            action: waits.then(|| format!("/board/matches/{}/decide", group.id)),
            approves: waits && group.proposed.0 != found.reader,
        }
    }
}
