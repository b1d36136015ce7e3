//! The life of an authorization as a table, and the exchange of its code.

use super::*;
use crate::{
    base::entropy::SeededEntropy,
    identity::{
        assurance::Demand,
        request::{Address, CodeChallenge},
    },
};
use std::collections::BTreeSet;
use time::macros::datetime;

const NOW: Instant = datetime!(2026-11-24 01:00 UTC);
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "https://portal.example/callback";

fn id<K: id::Kind>(seed: u64) -> Id<K> {
    Id::new(NOW, &SeededEntropy::new(seed))
}

fn request() -> AuthorizationRequest {
    AuthorizationRequest {
        address: Address { redirect_uri: CALLBACK.parse().unwrap(), state: None },
        nonce: None,
        challenge: CodeChallenge(crate::crypto::digest::sha256(VERIFIER.as_bytes())),
        scopes: BTreeSet::new(),
        asked: BTreeSet::new(),
        demand: Demand::of(None, Assurance::Low),
        prompt: BTreeSet::new(),
        max_age_s: None,
        lang: None,
        resource: None,
        dpop_jkt: None,
        hint_subject: None,
    }
}

fn confirmation() -> Confirmation {
    Confirmation {
        citizen: id(1),
        session: id(2),
        method: Method::SmsCode,
        reached: Assurance::Low,
        authenticated_at: NOW,
    }
}

fn challenge() -> Challenge {
    Challenge {
        method: Method::SmsCode,
        number_hash: [0; 32],
        citizen: Some(id(1)),
        digest: [0; 32],
        sent_at: NOW,
        expires_at: NOW + Duration::minutes(5),
        tries_left: 5,
        sends: 1,
    }
}

fn at(errand: Errand, state: State) -> Authorization {
    Authorization { id: id(4), errand, started_at: NOW, expires_at: NOW + AUTHORIZATION_LIFE, state }
}

fn portal(state: State) -> Authorization {
    at(Errand::Portal { client: id(3), request: Box::new(request()) }, state)
}

fn page(state: State) -> Authorization {
    let return_to = "/audit".parse().unwrap();
    at(Errand::Page { return_to, least: Assurance::Low, afresh: false }, state)
}

fn states() -> [State; 9] {
    let (confirmation, consent) = (confirmation(), id(5));
    [
        State::Started,
        State::Challenged(challenge()),
        State::Confirmed(confirmation),
        State::CodeIssued { confirmation, consent, code_expires_at: NOW + CODE_LIFE },
        State::Exchanged { confirmation, consent, exchanged_at: NOW },
        State::Revoked { cause: Revocation::Replayed, revoked_at: NOW },
        State::Entered { confirmation },
        State::Refused { cause: Cause::Citizen, refused_at: NOW },
        State::Expired,
    ]
}

fn events() -> [(&'static str, Event); 7] {
    [
        ("challenge", Event::Challenge(challenge())),
        ("miss", Event::Miss),
        ("confirm", Event::Confirm(confirmation())),
        ("start over", Event::StartOver),
        ("issue code", Event::IssueCode { consent: id(5) }),
        ("enter", Event::Enter),
        ("refuse", Event::Refuse(Cause::Citizen)),
    ]
}

/// One line per open state of a portal's sign-in, one column per event; every closed state refuses everything.
#[test]
fn the_life_of_a_sign_in() {
    let table = [
        (
            "started",
            [
                "challenged",
                "NotChallenged",
                "confirmed",
                "started",
                "NotConfirmed",
                "NotConfirmed",
                "refused",
            ],
        ),
        (
            "challenged",
            ["challenged", "challenged", "confirmed", "started", "NotConfirmed", "NotConfirmed", "refused"],
        ),
        (
            "confirmed",
            [
                "AlreadyConfirmed",
                "NotChallenged",
                "AlreadyConfirmed",
                "started",
                "code_issued",
                "Unfit",
                "refused",
            ],
        ),
        ("code_issued", ["AlreadyOver"; 7]),
        ("exchanged", ["AlreadyOver"; 7]),
        ("revoked", ["AlreadyOver"; 7]),
        ("entered", ["AlreadyOver"; 7]),
        ("refused", ["AlreadyOver"; 7]),
        ("expired", ["Expired"; 7]),
    ];
    for (state, (name, row)) in states().into_iter().zip(table) {
        assert_eq!(state.word(), name);
        let authorization = portal(state);
        for ((event_name, event), expected) in events().into_iter().zip(row) {
            let outcome = match authorization.after(event, NOW) {
                Ok(next) => next.word().to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            };
            assert_eq!(outcome, expected, "{name}, {event_name}");
        }
    }
}

#[test]
fn a_page_of_ours_is_entered_and_never_gets_a_code() {
    let confirmed = page(State::Confirmed(confirmation()));
    assert_eq!(confirmed.after(Event::Enter, NOW), Ok(State::Entered { confirmation: confirmation() }));
    assert_eq!(confirmed.after(Event::IssueCode { consent: id(5) }, NOW), Err(Refusal::Unfit));
}

#[test]
fn time_ends_every_open_state() {
    for state in [State::Started, State::Challenged(challenge()), State::Confirmed(confirmation())] {
        let authorization = portal(state);
        for (name, event) in events() {
            assert_eq!(authorization.after(event, authorization.expires_at), Err(Refusal::Expired), "{name}");
        }
    }
}

#[test]
fn a_confirmation_below_the_demand_does_not_count() {
    let mut request = request();
    request.demand = Demand::of(None, Assurance::Substantial);
    let authorization = at(Errand::Portal { client: id(3), request: Box::new(request) }, State::Started);
    assert_eq!(authorization.after(Event::Confirm(confirmation()), NOW), Err(Refusal::Unfit));
}

#[test]
fn a_code_is_exchanged_once_by_its_client_with_its_verifier() {
    let [.., code_issued, exchanged, revoked, _, refused, _] = states();
    let good = Presented { client: id(3), redirect_uri: Some(CALLBACK), verifier: Some(VERIFIER), key: None };
    let issued = portal(code_issued);
    let granted = Exchange::Granted { confirmation: confirmation(), consent: id(5) };
    assert_eq!(issued.exchange(&good, NOW), granted);
    let refuse = Exchange::Refused;
    let table = [
        (Presented { client: id(9), ..good }, ExchangeRefusal::NotYours),
        (Presented { redirect_uri: None, ..good }, ExchangeRefusal::RedirectUri),
        (
            Presented { redirect_uri: Some("https://portal.example/callback/"), ..good },
            ExchangeRefusal::RedirectUri,
        ),
        (Presented { verifier: None, ..good }, ExchangeRefusal::Verifier),
        (
            Presented { verifier: Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"), ..good },
            ExchangeRefusal::Verifier,
        ),
    ];
    let bound = AuthorizationRequest { dpop_jkt: Some("k".to_owned()), ..request() };
    let bound = at(Errand::Portal { client: id(3), request: Box::new(bound) }, issued.state.clone());
    assert_eq!(bound.exchange(&good, NOW), refuse(ExchangeRefusal::Key));
    assert_eq!(bound.exchange(&Presented { key: Some("other"), ..good }, NOW), refuse(ExchangeRefusal::Key));
    assert_ne!(bound.exchange(&Presented { key: Some("k"), ..good }, NOW), refuse(ExchangeRefusal::Key));
    for (presented, why) in table {
        assert_eq!(issued.exchange(&presented, NOW), refuse(why), "{presented:?}");
    }
    assert_eq!(issued.exchange(&good, NOW + CODE_LIFE), refuse(ExchangeRefusal::Expired));
    assert_eq!(portal(exchanged.clone()).exchange(&good, NOW), Exchange::Replayed);
    let foreign = Presented { client: id(9), ..good };
    assert_eq!(portal(exchanged).exchange(&foreign, NOW), refuse(ExchangeRefusal::NotYours));
    assert_eq!(portal(revoked).exchange(&good, NOW), refuse(ExchangeRefusal::Revoked));
    assert_eq!(portal(refused).exchange(&good, NOW), refuse(ExchangeRefusal::NotYours));
    assert_eq!(page(State::Started).exchange(&good, NOW), refuse(ExchangeRefusal::NotYours));
}

#[test]
fn a_return_path_stays_on_this_service() {
    for good in ["/audit", "/desk?day=2026-11-24", "/"] {
        assert!(good.parse::<LocalPath>().is_ok(), "{good}");
    }
    for bad in
        ["", "audit", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/a\r\nb", "/a#b"]
    {
        assert!(bad.parse::<LocalPath>().is_err(), "{bad:?}");
    }
}
