//! The parameter `tree`: for whom a report is read once agencies succeed others. Every report under `/v1` takes it, by
//! this one extractor, and a test demands it of each. Pages name the old tree by its agency, like any other at which the
//! reader may read, and take the new one by [`Whole`].

use super::{
    pages::{
        board::name,
        page::{Page, Reader, show_status},
    },
    problem::Problem,
    query::Parameters,
};
use crate::app::App;
use crate::flow::{Error, Refusal, inherit::Tree, officer::Workplace};
use axum::extract::FromRequestParts;
use axum::http::{StatusCode, request::Parts};
use axum::response::Response;
use serde::Deserialize;

/// For whom a report is read: the agency as it stands (`own`), with everybody whom it succeeded (`new`), or for one of
/// those alone, by its identifier.
pub struct InTree(pub Tree);

#[derive(Deserialize)]
struct TreeQuery {
    tree: Option<String>,
}

impl FromRequestParts<App> for InTree {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Parameters(query) = Parameters::<TreeQuery>::from_request_parts(parts, app).await?;
        let unknown =
            |_| Error::Refused(Refusal::new("invalid_parameter").violation("tree", "unknown", None));
        Ok(Self(match query.tree.as_deref() {
            None | Some("own") => Tree::Own,
            Some("new") => Tree::New,
            Some(old) => Tree::Of(old.parse().map_err(unknown)?),
        }))
    }
}

/// Whether a page shows the new tree (`tree=new`).
pub struct Whole(pub bool);

impl FromRequestParts<App> for Whole {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match InTree::from_request_parts(parts, app).await {
            Ok(InTree(Tree::Own)) => Ok(Self(false)),
            Ok(InTree(Tree::New)) => Ok(Self(true)),
            Ok(InTree(Tree::Of(_))) | Err(_) => {
                let Ok(reader) = Reader::from_request_parts(parts, app).await;
                Err(show_status(&reader, StatusCode::NOT_FOUND, None))
            }
        }
    }
}

/// The trees by which a page can be read: address, name, and whether it is the one that is shown. Empty where the agency
/// succeeded nobody.
pub type Trees = Vec<(String, String, bool)>;

/// The trees of a page at `path`, which lists what one agency has.
pub fn trees(page: &Page, path: &str, place: &Workplace, whole: bool) -> Trees {
    if place.succeeded.is_empty() {
        return Vec::new();
    }
    let own = name(page.lang, place).to_owned();
    let new = page.with("tree-new", &[("agency", own.clone().into())]);
    let old = place.succeeded.iter().map(|(id, (vi, en))| {
        let said = if page.lang == crate::base::text::Lang::En { en } else { vi };
        (format!("{path}?agency={id}"), said.clone(), false)
    });
    let own = (format!("{path}?agency={}", place.id), own, !whole);
    [own, (format!("{path}?agency={}&tree=new", place.id), new, whole)].into_iter().chain(old).collect()
}
