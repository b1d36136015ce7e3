//! The service's own door, where messages come over the wire: signed, and damaged on the way.

use crate::life::Life;
use crate::process::live;
use crate::rails::Letter;
use axum::{
    body::Body,
    http::{Request as Posted, StatusCode},
};
use chung::app::App;
use chung::base::clock::Clock;
use chung::codec::{
    http_signature::{Headers, Request, sign_request},
    iso20022::CONTENT_TYPE,
};
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::http::router::router;
use sqlx::Row;
use std::sync::LazyLock;
use tower::ServiceExt;

/// The key of the clearing system, and one that is nobody's: each is made once.
static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| [SigningKey::generate(), SigningKey::generate()]);

/// The keys that the service believes.
pub fn believed() -> KeyList {
    let key = &KEYS[0];
    KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())])
}

/// Everything that a message could write.
const WRITTEN: &str = "select concat_ws(' ', (select count(*) from inbox_message), (select count(*) from credit),
     (select count(*) from ledger_entry), (select count(*) from audit_leaf), (select count(*) from outbox),
     (select count(*) from suspense), (select count(*) from recall), (select count(*) from clearing_report),
     (select string_agg(state, '' order by id) from payment), (select string_agg(state, '' order by id) from refund))";

impl Life<'_> {
    /// A byte of the body or of the signature changes after signing, or somebody else signs: nothing is believed and nothing
    /// written. What is whole may come through the same door then; whether it was taken.
    pub async fn corrupt(&mut self, letter: &Letter) -> bool {
        let body = letter.xml.clone().into_bytes();
        let (headers, mut damaged) = (self.signed(&body, 0), body.clone());
        let mut wrong = headers.clone();
        match self.chance.below(3) {
            0 => {
                let place = self.chance.below(damaged.len());
                damaged[place] ^= 1 << self.chance.below(8);
            }
            1 => {
                let (from, to) =
                    (wrong.signature.find(':').unwrap() + 1, wrong.signature.rfind(':').unwrap());
                let place = from + self.chance.below(to - from - 4);
                let other = if wrong.signature.as_bytes()[place] == b'A' { "B" } else { "A" };
                wrong.signature.replace_range(place..=place, other);
            }
            _ => wrong = self.signed(&body, 1),
        }
        let before: String = self.world.rows(WRITTEN).await[0].get(0);
        let told = self.at_the_door(&wrong, damaged).await;
        assert_eq!(told, StatusCode::UNAUTHORIZED, "what is damaged is not believed");
        let after: String = self.world.rows(WRITTEN).await[0].get(0);
        assert_eq!(before, after, "what is not believed writes nothing");
        self.chance.percent(50) && self.at_the_door(&headers, body).await == StatusCode::OK
    }

    fn signed(&self, body: &[u8], key: usize) -> Headers {
        let request = Request {
            method: "POST",
            target_uri: "http://localhost:8080/clearing/inbox",
            content_type: CONTENT_TYPE,
            body,
        };
        sign_request(&request, &KEYS[key], self.clock.now()).0
    }

    async fn at_the_door(&self, headers: &Headers, body: Vec<u8>) -> StatusCode {
        let posted = Posted::post("/clearing/inbox")
            .header("content-type", CONTENT_TYPE)
            .header("content-digest", &headers.content_digest)
            .header("signature-input", &headers.signature_input)
            .header("signature", &headers.signature)
            .body(Body::from(body))
            .unwrap();
        let act = async |app: App| router(app).oneshot(posted).await.unwrap().status();
        let told = live(&self.app, None, act).await.unwrap();
        assert_ne!(told, StatusCode::INTERNAL_SERVER_ERROR);
        told
    }
}
