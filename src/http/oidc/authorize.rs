//! `/oidc/authorize`: a portal sends a citizen.

use crate::app::App;
use crate::flow::authorize::{Authorized, authorize};
use crate::http::pages::{
    page::{Page, Reader, show_error},
    sign_in::{failed, to_pages},
};
use crate::http::session::session_token;
use crate::identity::{
    claims::Claims,
    request::{ClaimsParameter, Misaddressed, Parameters},
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::{CookieJar, Form, Query};
use serde_json::Value;

type Pairs = Vec<(String, String)>;

/// By a link.
pub async fn by_query(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    Query(pairs): Query<Pairs>,
) -> Response {
    take(&app, &jar, &reader, pairs).await
}

/// By a form, as OpenID Connect demands beside the link.
pub async fn by_form(
    State(app): State<App>,
    jar: CookieJar,
    reader: Reader,
    Form(pairs): Form<Pairs>,
) -> Response {
    take(&app, &jar, &reader, pairs).await
}

async fn take(app: &App, jar: &CookieJar, reader: &Reader, pairs: Pairs) -> Response {
    let cookie = session_token(app, jar);
    match authorize(app, &Parameters::new(pairs), cookie.as_ref(), read_claims).await {
        Ok(Authorized::Begun(begun)) => to_pages(app, &begun),
        Ok(Authorized::Answered(answer)) => Redirect::to(&answer.location).into_response(),
        Ok(Authorized::Misaddressed(misaddressed)) => lost(reader, misaddressed),
        Err(error) => failed(reader, error),
    }
}

/// Nobody is redirected to an address that is not registered: the person is told.
fn lost(reader: &Reader, misaddressed: Misaddressed) -> Response {
    let (key, code) = match misaddressed {
        Misaddressed::UnknownClient => ("sign-in-unknown-client", "unknown_client"),
        Misaddressed::UnknownRequest => ("sign-in-unknown-request", "unknown_request_uri"),
        Misaddressed::UnknownRedirectUri => ("sign-in-unknown-redirect", "unknown_redirect_uri"),
    };
    let page = Page::new(reader, "sign-in-misaddressed-title");
    let body = page.t(key);
    show_error(StatusCode::BAD_REQUEST, &page, &body, Some(code))
}

/// The `claims` parameter (OpenID Connect Core, section 5.5): names under `userinfo` and `id_token`; `null` or an
/// object asks. Values cannot be demanded of the register, so only an essential `acr` means more than its name.
pub(super) fn read_claims(text: &str) -> Option<ClaimsParameter> {
    if text.len() > 4_096 {
        return None;
    }
    let Value::Object(members) = serde_json::from_str(text).ok()? else { return None };
    let mut parameter = ClaimsParameter::default();
    for member in ["userinfo", "id_token"] {
        match members.get(member) {
            None | Some(Value::Null) => {}
            Some(Value::Object(asked)) => {
                let well_formed = |how: &Value| how.is_null() || how.is_object();
                if !asked.values().all(well_formed) {
                    return None;
                }
                parameter
                    .claims
                    .extend(asked.keys().filter_map(|name| name.parse().ok()).collect::<Claims>());
                parameter.essential_acr.extend(asked.get("acr").map(essential_values).unwrap_or_default());
            }
            Some(_) => return None,
        }
    }
    Some(parameter)
}

fn essential_values(how: &Value) -> Vec<String> {
    if how.get("essential") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let one = how.get("value").into_iter();
    let several = how.get("values").and_then(Value::as_array).into_iter().flatten();
    one.chain(several).filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::claims::Claim;

    #[test]
    fn the_claims_parameter_asks_by_name() {
        let text = r#"{"userinfo": {"name": null, "phone_number": {"essential": true}, "shoe_size": null},
                       "id_token": {"acr": {"essential": true, "values": ["urn:chung:acr:high"]}}}"#;
        let read = read_claims(text).unwrap();
        assert_eq!(read.claims, Claims::from([Claim::Name, Claim::PhoneNumber]));
        assert_eq!(read.essential_acr, ["urn:chung:acr:high"]);
        assert_eq!(read_claims("{}"), Some(ClaimsParameter::default()));
        for bad in ["", "[]", "{\"userinfo\": []}", "{\"userinfo\": {\"name\": 1}}", "{"] {
            assert_eq!(read_claims(bad), None, "{bad}");
        }
    }
}
