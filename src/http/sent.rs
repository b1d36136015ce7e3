//! Forms that are proved to come from a page of ours.
//!
//! A page that takes one of these cannot forget to ask: [`SentForm`] and [`SentFile`] come from a page that this very person
//! was shown, [`StepForm`] from one of this browser's sign-in, and [`OwnForm`], which nobody has to be signed in for, from no
//! other origin. Nobody else judges a proof, but for signing out, which takes a portal's request as well.

use super::{
    multipart::Fields,
    pages::{
        page::{Reader, show_status},
        sign_in::over,
    },
    session::{SignedIn, is_foreign, step, step_sent},
};
use crate::app::App;
use crate::flow::sign_in::Step;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::{CookieJar, Form};
use serde::{Deserialize, de::DeserializeOwned};
use url::form_urlencoded;

/// The field with the proof, see [`SignedIn::form_token`].
const PROOF: &str = "form_token";

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
        let sent = Sent::read(parts, body, app).await?;
        if is_foreign(app, &sent.parts.headers) || !signed_in.sent(&sent.proof()) {
            return Err(unproved(&reader));
        }
        Ok(Self { signed_in, form: sent.form(app).await? })
    }
}

/// A form with a file, read whole or taken as it comes, and who sent it. The proof stands before the file.
pub struct SentFile<F> {
    /// The person.
    pub signed_in: SignedIn,
    /// The form.
    pub form: F,
}

impl<F: Fields + FromRequest<App, Rejection = StatusCode>> FromRequest<App> for SentFile<F> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, app).await?;
        let Ok(reader) = Reader::from_request_parts(&mut parts, app).await;
        if is_foreign(app, &parts.headers) {
            return Err(unproved(&reader));
        }
        let form = F::from_request(Request::from_parts(parts, body), app).await.map_err(|status| {
            let stalled = (status == StatusCode::REQUEST_TIMEOUT).then_some("upload_stalled");
            show_status(&reader, status, stalled)
        })?;
        if !signed_in.sent(form.field(PROOF)) {
            return Err(unproved(&reader));
        }
        Ok(Self { signed_in, form })
    }
}

/// A form of a sign-in that this browser began, and which step it belongs to. The route names the sign-in.
pub struct StepForm<F> {
    /// The step.
    pub step: Step,
    /// What was written.
    pub form: F,
}

impl<F: DeserializeOwned + 'static> FromRequest<App> for StepForm<F> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(reader) = Reader::from_request_parts(&mut parts, app).await;
        let id = Path::<String>::from_request_parts(&mut parts, app).await;
        let Path(id) = id.map_err(IntoResponse::into_response)?;
        let jar = CookieJar::from_headers(&parts.headers);
        let sent = Sent::read(parts, body, app).await?;
        match step(app, &jar, &id) {
            Some(step) if step_sent(&step, &sent.proof()) && !is_foreign(app, &sent.parts.headers) => {
                Ok(Self { step, form: sent.form(app).await? })
            }
            Some(_) | None => Err(over(&reader)),
        }
    }
}

/// A form that anybody may send from a page of ours.
pub struct OwnForm<F>(pub F);

impl<F: DeserializeOwned + 'static> FromRequest<App> for OwnForm<F> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Ok(reader) = Reader::from_request_parts(&mut parts, app).await;
        if is_foreign(app, &parts.headers) {
            return Err(unproved(&reader));
        }
        let form = Form::<F>::from_request(Request::from_parts(parts, body), app);
        Ok(Self(form.await.map_err(IntoResponse::into_response)?.0))
    }
}

/// A form as it came, whose proof is judged before it is read.
struct Sent {
    parts: Parts,
    text: Bytes,
}

impl Sent {
    async fn read(parts: Parts, body: Body, app: &App) -> Result<Self, Response> {
        let text = Bytes::from_request(Request::from_parts(parts.clone(), body), app);
        Ok(Self { parts, text: text.await.map_err(IntoResponse::into_response)? })
    }

    fn proof(&self) -> String {
        let proof = form_urlencoded::parse(&self.text).find(|(name, _)| name == PROOF);
        proof.map(|(_, proof)| proof.into_owned()).unwrap_or_default()
    }

    async fn form<F: DeserializeOwned + 'static>(self, app: &App) -> Result<F, Response> {
        let request = Request::from_parts(self.parts, Body::from(self.text));
        let Form(form) = Form::<F>::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        Ok(form)
    }
}

fn unproved(reader: &Reader) -> Response {
    show_status(reader, StatusCode::BAD_REQUEST, Some(PROOF))
}
