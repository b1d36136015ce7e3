//! Forms of people who are signed in.
//!
//! A page that takes [`SentForm`] knows that the form came from a page of ours which this very person was shown, and cannot
//! forget to ask. Uploads in parts, the steps of a sign-in and a few shared forms still ask by [`SignedIn::sent`] themselves.

use super::{
    pages::page::{Reader, show_status},
    session::{SignedIn, is_foreign},
};
use crate::app::App;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Form;
use serde::{Deserialize, de::DeserializeOwned};
use url::form_urlencoded;

/// The field with the proof, see [`SignedIn::form_token`].
const PROOF: &[u8] = b"form_token";

/// A form, and who sent it.
pub struct SentForm<F> {
    /// The person.
    pub signed_in: SignedIn,
    /// What they wrote.
    pub form: F,
}

/// A form that says nothing but that it was sent.
#[derive(Deserialize)]
pub struct Bare {}

impl<F: DeserializeOwned + 'static> FromRequest<App> for SentForm<F> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, app).await?;
        let Ok(reader) = Reader::from_request_parts(&mut parts, app).await;
        let foreign = is_foreign(app, &parts.headers);
        let again = parts.clone();
        let text = Bytes::from_request(Request::from_parts(parts, body), app);
        let text = text.await.map_err(IntoResponse::into_response)?;
        let proof = form_urlencoded::parse(&text).find(|(name, _)| name.as_bytes() == PROOF);
        if foreign || !proof.is_some_and(|(_, proof)| signed_in.sent(&proof)) {
            return Err(show_status(&reader, StatusCode::BAD_REQUEST, Some("form_token")));
        }
        let form = Form::<F>::from_request(Request::from_parts(again, Body::from(text)), app);
        let Form(form) = form.await.map_err(IntoResponse::into_response)?;
        Ok(Self { signed_in, form })
    }
}
