//! Query parameters: read strictly, refused by name.

use super::problem::Problem;
use crate::flow::{Error, Refusal};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The parsed parameters. One that is given twice, or whose value has another shape, is refused; the value is not
/// repeated, since it may be personal.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(query)| Self(query)).map_err(|_| {
            Error::Refused(Refusal::new("invalid_parameter").violation("query", "shape", None)).into()
        })
    }
}
