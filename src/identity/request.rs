//! An authorization request, parsed: what a portal asks, in types that cannot say anything else.
//!
//! Parsing has two steps because their failures go to different people. First the client and its redirect URI are
//! settled ([`Address`]); as long as they are not, a failure is shown to the person and nobody is redirected. Then
//! everything else is read; its failures are answers to the portal. Code flow with PKCE S256 is the only flow.

use super::{
    assurance::{Assurance, Demand},
    claims::{Claim, Claims, SignInScope},
    client::{Client, RedirectUri},
    profile::Resource,
    pseudonym::Subject,
    session::Wanted,
};
use crate::{base::text::Lang, crypto::digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::collections::BTreeSet;

/// The parameters of a request in the order they came, each name perhaps more than once.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

/// A parameter that stands more than once (RFC 6749, section 3.1 forbids it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated(pub &'static str);

impl Parameters {
    /// Takes the pairs of a query or a form.
    pub const fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The pairs without these names: what may be kept of a request.
    pub fn without(&self, names: &[&str]) -> Vec<(&str, &str)> {
        let kept = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        kept.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The value of that name; an empty value counts as absent (RFC 6749, section 3.1).
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(n, _)| n == name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(Repeated(name)),
            None => Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())),
        }
    }
}

/// Why nobody can be redirected: the failure is shown to the person at the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misaddressed {
    /// No `client_id`, an unknown one, or two.
    #[error("the portal is not known here")]
    UnknownClient,
    /// A `request_uri` that was never given out, is over, was used before, or belongs to another portal.
    #[error("the request is not known here any more")]
    UnknownRequest,
    /// No `redirect_uri`, an unregistered one, or two.
    #[error("the address to return to is not registered for this portal")]
    UnknownRedirectUri,
}

/// Where the answer goes, once client and redirect URI are settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The registered address.
    pub redirect_uri: RedirectUri,
    /// The portal's `state`, given back unchanged with every answer; `None` if absent, repeated or unprintable.
    pub state: Option<String>,
}

impl Address {
    /// Settles the redirect URI against the client's registration.
    pub fn settle(client: &Client, parameters: &Parameters) -> Result<Self, Misaddressed> {
        let asked = parameters.one("redirect_uri").ok().flatten().ok_or(Misaddressed::UnknownRedirectUri)?;
        let redirect_uri = client.redirect_uri(asked).ok_or(Misaddressed::UnknownRedirectUri)?.clone();
        let state =
            parameters.one("state").ok().flatten().filter(|s| printable(s, STATE_MAX)).map(str::to_owned);
        Ok(Self { redirect_uri, state })
    }
}

/// The error codes with which an authorization request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The citizen or the service said no.
    AccessDenied,
    /// `prompt=none`, but a person must act.
    ConsentRequired,
    /// The request is malformed.
    InvalidRequest,
    /// `openid` is missing from the scope.
    InvalidScope,
    /// A `resource` that this client may not have a token for.
    InvalidTarget,
    /// `prompt=none`, but nobody is signed in.
    LoginRequired,
    /// A `registration` parameter.
    RegistrationNotSupported,
    /// A `request` parameter.
    RequestNotSupported,
    /// A `request_uri` parameter.
    RequestUriNotSupported,
    /// Something of ours failed.
    ServerError,
    /// Something of ours is not there right now.
    TemporarilyUnavailable,
    /// The client may not ask this.
    UnauthorizedClient,
    /// No way to sign in reaches the assurance that is demanded.
    UnmetAuthenticationRequirements,
    /// Another flow than the code flow.
    UnsupportedResponseType,
}

impl ErrorCode {
    /// The code on the wire (RFC 6749 section 4.1.2.1; OpenID Connect Core section 3.1.2.6 and its extension).
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ConsentRequired => "consent_required",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }
}

/// An answer to the portal that says no, and why, for its developer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRefusal {
    /// The code.
    pub code: ErrorCode,
    /// One plain sentence in ASCII.
    pub description: &'static str,
}

/// What the portal forbids or forces on the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prompt {
    /// No page may be shown.
    None,
    /// The person must sign in again.
    Login,
    /// The person must be asked again.
    Consent,
    /// The person may want to be somebody else; treated as a new sign-in.
    SelectAccount,
}

impl Prompt {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::None, Self::Login, Self::Consent, Self::SelectAccount];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}

/// The S256 challenge of RFC 7636: the SHA-256 of a verifier that only the portal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeChallenge(pub [u8; 32]);

impl CodeChallenge {
    fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Whether `verifier` is well formed and is the one behind this challenge.
    pub fn answers_to(&self, verifier: &str) -> bool {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        let shape = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
        shape && digest::equal(&digest::sha256(verifier.as_bytes()), &self.0)
    }
}

/// What the `claims` parameter asks for beyond scopes (OpenID Connect Core, section 5.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsParameter {
    /// The known claims it names; unknown ones are passed over.
    pub claims: Claims,
    /// The levels of an essential `acr`, if it asks for one.
    pub essential_acr: Vec<String>,
}

/// A request to sign a citizen in, complete and well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Where the answer goes.
    pub address: Address,
    /// Given back in the ID token.
    pub nonce: Option<String>,
    /// What the token request must answer to.
    pub challenge: CodeChallenge,
    /// The known scopes of the request.
    pub scopes: BTreeSet<SignInScope>,
    /// What the portal would like to be told, by scopes and by name.
    pub asked: Claims,
    /// How sure it must be.
    pub demand: Demand,
    /// What it forbids or forces.
    pub prompt: BTreeSet<Prompt>,
    /// The oldest sign-in it accepts, in seconds.
    pub max_age_s: Option<u32>,
    /// The language it suggests.
    pub lang: Option<Lang>,
    /// What the access token is for, besides userinfo (RFC 8707).
    pub resource: Option<Resource>,
    /// The thumbprint of the key that the code is bound to (RFC 9449, section 10).
    pub dpop_jkt: Option<String>,
    /// The one person whom the portal means, by the name it knows them by.
    pub hint_subject: Option<Subject>,
}

/// The longest `state` and `nonce` that are kept.
const STATE_MAX: usize = 1_024;

impl AuthorizationRequest {
    /// Reads everything but the address; `read_claims` turns the JSON of `claims` into its meaning.
    ///
    /// `reachable` is the strongest sign-in that this service offers; what lies above it is refused now, before the
    /// citizen is troubled.
    pub fn parse(
        client: &Client,
        parameters: &Parameters,
        address: Address,
        reachable: Assurance,
        read_claims: fn(&str) -> Option<ClaimsParameter>,
    ) -> Result<Self, RequestRefusal> {
        let one = |name| parameters.one(name).map_err(|_| malformed("a parameter stands more than once"));
        refuse_unsupported(parameters)?;
        let state_is_kept = one("state")?.is_none_or(|s| printable(s, STATE_MAX));
        if !state_is_kept {
            return Err(malformed("state must be at most 1024 printable ASCII characters"));
        }
        let nonce = one("nonce")?.map(str::to_owned);
        if nonce.as_deref().is_some_and(|n| n.len() > STATE_MAX || n.chars().any(char::is_control)) {
            return Err(malformed("nonce must be at most 1024 bytes without control characters"));
        }
        let challenge = read_challenge(one("code_challenge")?, one("code_challenge_method")?)?;
        let mut scopes = read_scopes(one("scope")?)?;
        if !client.terms.offline {
            scopes.remove(&SignInScope::OfflineAccess);
        }
        let named = match one("claims")?.map(read_claims) {
            Some(None) => return Err(malformed("claims must be a JSON object as OpenID Connect defines it")),
            Some(Some(named)) => named,
            None => ClaimsParameter::default(),
        };
        let prompt = read_prompt(one("prompt")?)?;
        let max_age_s = match one("max_age")?.map(str::parse::<u32>) {
            Some(Err(_)) => return Err(malformed("max_age must be a whole number of seconds")),
            Some(Ok(seconds)) => Some(seconds),
            None => None,
        };
        let demand = read_demand(client, one("acr_values")?, &named, reachable)?;
        let by_scope = scopes.iter().flat_map(|scope| scope.claims()).copied();
        let asked: Claims = by_scope.chain(named.claims).collect::<BTreeSet<Claim>>();
        let lang = one("ui_locales")?.and_then(|tags| tags.parse().ok());
        let resource = read_resource(parameters)?;
        let dpop_jkt = one("dpop_jkt")?.map(str::to_owned);
        if dpop_jkt.as_deref().is_some_and(|jkt| CodeChallenge::parse(jkt).is_none()) {
            return Err(malformed("dpop_jkt must be the thumbprint of a key"));
        }
        Ok(Self {
            address,
            nonce,
            challenge,
            scopes,
            asked,
            demand,
            prompt,
            max_age_s,
            lang,
            resource,
            dpop_jkt,
            hint_subject: None,
        })
    }

    /// What a session must be to answer it.
    pub fn wanted(&self) -> Wanted {
        Wanted { demand: self.demand, max_age_s: self.max_age_s, forced: self.forces_sign_in() }
    }

    /// Whether pages may be shown at all.
    pub fn may_show_pages(&self) -> bool {
        !self.prompt.contains(&Prompt::None)
    }

    /// Whether the person must prove again who they are, however lately they did.
    pub fn forces_sign_in(&self) -> bool {
        self.prompt.contains(&Prompt::Login) || self.prompt.contains(&Prompt::SelectAccount)
    }
}

const fn malformed(description: &'static str) -> RequestRefusal {
    RequestRefusal { code: ErrorCode::InvalidRequest, description }
}

fn printable(text: &str, max: usize) -> bool {
    text.len() <= max && text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// Refuses, in a fixed order, what this provider does not do.
fn refuse_unsupported(parameters: &Parameters) -> Result<(), RequestRefusal> {
    let one = |name| parameters.one(name).map_err(|_| malformed("a parameter stands more than once"));
    let refuse = |code, description| Err(RequestRefusal { code, description });
    if one("request")?.is_some() {
        return refuse(ErrorCode::RequestNotSupported, "request objects are not supported");
    }
    if one("request_uri")?.is_some() {
        return refuse(ErrorCode::RequestUriNotSupported, "request_uri is not supported");
    }
    if one("registration")?.is_some() {
        return refuse(ErrorCode::RegistrationNotSupported, "clients are registered by an administrator");
    }
    match one("response_type")? {
        Some("code") => {}
        Some(_) => return refuse(ErrorCode::UnsupportedResponseType, "the only response_type is code"),
        None => return Err(malformed("response_type is missing")),
    }
    match one("response_mode")? {
        None | Some("query") => Ok(()),
        Some(_) => Err(malformed("the only response_mode is query")),
    }
}

fn read_challenge(challenge: Option<&str>, method: Option<&str>) -> Result<CodeChallenge, RequestRefusal> {
    let challenge = challenge.ok_or(malformed("code_challenge is missing: PKCE is required"))?;
    if method != Some("S256") {
        return Err(malformed("code_challenge_method must be S256"));
    }
    CodeChallenge::parse(challenge).ok_or(malformed("code_challenge must be 43 characters of base64url"))
}

fn read_scopes(text: Option<&str>) -> Result<BTreeSet<SignInScope>, RequestRefusal> {
    let known = text.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok());
    let scopes: BTreeSet<SignInScope> = known.collect();
    if scopes.contains(&SignInScope::OpenId) {
        Ok(scopes)
    } else {
        Err(RequestRefusal { code: ErrorCode::InvalidScope, description: "scope must contain openid" })
    }
}

fn read_resource(parameters: &Parameters) -> Result<Option<Resource>, RequestRefusal> {
    let refuse = |description| RequestRefusal { code: ErrorCode::InvalidTarget, description };
    match parameters.one("resource") {
        Err(_) => Err(refuse("one access token is for one resource")),
        Ok(None) => Ok(None),
        Ok(Some(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| refuse("resource must be an absolute address without a fragment")),
    }
}

fn read_prompt(text: Option<&str>) -> Result<BTreeSet<Prompt>, RequestRefusal> {
    let words = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let known = words.map(|word| Prompt::ALL.into_iter().find(|prompt| prompt.word() == word));
    let prompt: BTreeSet<Prompt> =
        known.collect::<Option<_>>().ok_or(malformed("prompt holds an unknown word"))?;
    if prompt.contains(&Prompt::None) && prompt.len() > 1 {
        return Err(malformed("prompt=none stands alone"));
    }
    Ok(prompt)
}

fn read_demand(
    client: &Client,
    acr_values: Option<&str>,
    named: &ClaimsParameter,
    reachable: Assurance,
) -> Result<Demand, RequestRefusal> {
    let unmet = RequestRefusal {
        code: ErrorCode::UnmetAuthenticationRequirements,
        description: "no way to sign in here reaches the assurance that this portal needs",
    };
    let mut demand = Demand::of(acr_values, client.acr_min);
    if !named.essential_acr.is_empty() {
        // Essential means: one of these or an error (OpenID Connect Core, section 5.5.1.1); a stronger one will do.
        let known = named.essential_acr.iter().filter_map(|value| value.parse::<Assurance>().ok());
        let least = known.min().ok_or(unmet)?;
        demand.least = demand.least.max(least);
        demand.aim = demand.aim.max(demand.least);
    }
    if demand.met_by(reachable) { Ok(demand) } else { Err(unmet) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::client::tests::portal;
    use proptest::prelude::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const CALLBACK: &str = "https://portal.example/callback?from=chung";

    fn good() -> Vec<(&'static str, &'static str)> {
        vec![
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile offline_access"),
            ("state", "s1"),
            ("nonce", "n1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }

    fn pairs(list: &[(&str, &str)]) -> Parameters {
        Parameters::new(list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    fn read_claims(text: &str) -> Option<ClaimsParameter> {
        match text {
            "phone" => {
                Some(ClaimsParameter { claims: Claims::from([Claim::PhoneNumber]), essential_acr: vec![] })
            }
            "high" => Some(ClaimsParameter {
                claims: Claims::new(),
                essential_acr: vec!["urn:chung:acr:high".into()],
            }),
            _ => None,
        }
    }

    fn parse(list: &[(&str, &str)]) -> Result<AuthorizationRequest, RequestRefusal> {
        let (client, parameters) = (portal(), pairs(list));
        let address = Address::settle(&client, &parameters).unwrap();
        AuthorizationRequest::parse(&client, &parameters, address, Assurance::Low, read_claims)
    }

    #[test]
    fn a_complete_request_is_read() {
        let mut list = good();
        list.extend([
            ("claims", "phone"),
            ("max_age", "0"),
            ("ui_locales", "fr en"),
            ("prompt", "login consent"),
        ]);
        let request = parse(&list).unwrap();
        assert_eq!(request.address.state.as_deref(), Some("s1"));
        assert_eq!(request.nonce.as_deref(), Some("n1"));
        assert_eq!(request.scopes, BTreeSet::from([SignInScope::OpenId, SignInScope::Profile]));
        assert!(request.asked.contains(&Claim::Name) && request.asked.contains(&Claim::PhoneNumber));
        assert!(!request.asked.contains(&Claim::PersonalNumber));
        assert_eq!((request.max_age_s, request.lang), (Some(0), Some(Lang::En)));
        assert!(request.forces_sign_in() && request.may_show_pages());
    }

    /// One line is one change to a good request and the code with which it is refused.
    #[test]
    fn each_defect_has_its_code() {
        use ErrorCode::{
            InvalidRequest, InvalidScope, InvalidTarget, RegistrationNotSupported, RequestNotSupported,
            RequestUriNotSupported, UnmetAuthenticationRequirements, UnsupportedResponseType,
        };
        let long = "x".repeat(1_025);
        let table: [(&str, Option<&str>, ErrorCode); 28] = [
            ("response_type", None, InvalidRequest),
            ("response_type", Some("token"), UnsupportedResponseType),
            ("response_type", Some("code id_token"), UnsupportedResponseType),
            ("response_mode", Some("fragment"), InvalidRequest),
            ("scope", None, InvalidScope),
            ("scope", Some("profile"), InvalidScope),
            ("scope", Some("OpenID"), InvalidScope),
            ("code_challenge", None, InvalidRequest),
            ("code_challenge", Some(""), InvalidRequest),
            ("code_challenge", Some("short"), InvalidRequest),
            ("code_challenge", Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="), InvalidRequest),
            ("code_challenge_method", None, InvalidRequest),
            ("code_challenge_method", Some("plain"), InvalidRequest),
            ("state", Some("a\nb"), InvalidRequest),
            ("state", Some(&long), InvalidRequest),
            ("nonce", Some(&long), InvalidRequest),
            ("prompt", Some("none login"), InvalidRequest),
            ("prompt", Some("create"), InvalidRequest),
            ("max_age", Some("-1"), InvalidRequest),
            ("claims", Some("{"), InvalidRequest),
            ("claims", Some("high"), UnmetAuthenticationRequirements),
            ("acr_values", Some("urn:chung:acr:high"), UnmetAuthenticationRequirements),
            ("resource", Some("records"), InvalidTarget),
            ("resource", Some("https://api.example/#x"), InvalidTarget),
            ("dpop_jkt", Some("short"), InvalidRequest),
            ("request", Some("e30."), RequestNotSupported),
            ("request_uri", Some("urn:x"), RequestUriNotSupported),
            ("registration", Some("{}"), RegistrationNotSupported),
        ];
        for (name, value, code) in table {
            let mut list = good();
            list.retain(|(n, _)| *n != name);
            list.extend(value.map(|value| (name, value)));
            assert_eq!(parse(&list).unwrap_err().code, code, "{name} = {value:?}");
        }
    }

    #[test]
    fn every_parameter_may_stand_once() {
        for name in
            ["response_type", "scope", "state", "nonce", "code_challenge", "prompt", "claims", "acr_values"]
        {
            let mut list = good();
            list.retain(|(n, _)| *n != name);
            list.extend([(name, "code"), (name, "code")]);
            assert_eq!(parse(&list).unwrap_err().code, ErrorCode::InvalidRequest, "{name}");
        }
    }

    #[test]
    fn the_address_is_settled_first_and_exactly() {
        let client = portal();
        let settle = |list: &[(&str, &str)]| Address::settle(&client, &pairs(list));
        let refused = Err(Misaddressed::UnknownRedirectUri);
        assert_eq!(settle(&[]), refused);
        assert_eq!(settle(&[("redirect_uri", "https://evil.example/")]), refused);
        assert_eq!(settle(&[("redirect_uri", CALLBACK), ("redirect_uri", CALLBACK)]), refused);
        let twice = settle(&[("redirect_uri", CALLBACK), ("state", "a"), ("state", "b")]).unwrap();
        assert_eq!(twice.state, None, "a doubtful state is not echoed");
    }

    #[test]
    fn the_floor_holds_whatever_is_asked() {
        let mut client = portal();
        client.acr_min = Assurance::Substantial;
        let mut list = good();
        list.push(("acr_values", "urn:chung:acr:low"));
        let parameters = pairs(&list);
        let address = Address::settle(&client, &parameters).unwrap();
        let parse = |reachable| {
            AuthorizationRequest::parse(&client, &parameters, address.clone(), reachable, read_claims)
        };
        assert_eq!(parse(Assurance::Low).unwrap_err().code, ErrorCode::UnmetAuthenticationRequirements);
        assert_eq!(parse(Assurance::High).unwrap().demand.least, Assurance::Substantial);
    }

    #[test]
    fn the_challenge_of_rfc_7636_answers_to_its_verifier() {
        let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
        assert!(challenge.answers_to(VERIFIER));
        assert!(!challenge.answers_to(&VERIFIER[..42]));
        assert!(!challenge.answers_to(CHALLENGE));
    }

    proptest! {
        #[test]
        fn no_request_panics_and_none_lowers_the_floor(
            names in proptest::collection::vec(0_usize..12, 0..12),
            values in proptest::collection::vec("[ -~]{0,40}", 12),
        ) {
            let known = ["response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
                "prompt", "max_age", "acr_values", "claims", "ui_locales", "response_mode"];
            let mut list = good();
            for i in &names {
                list.retain(|(n, _)| *n != known[*i]);
                list.push((known[*i], values[*i].as_str()));
            }
            if let Ok(request) = parse(&list) {
                prop_assert!(request.demand.least >= portal().acr_min);
                prop_assert!(request.scopes.contains(&SignInScope::OpenId));
            }
        }
    }
}
