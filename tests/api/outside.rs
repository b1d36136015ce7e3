//! The service with the sandbox as its outside world, each on sockets of its own: real adapters, real signatures, and one
//! clock for both.

use crate::office::{BANK, Office, uuid};
use crate::payments::start;
use crate::world::TestApp;
use chung::app::ClearingPeer;
use chung::base::entropy::SeededEntropy;
use chung::codec::iso20022::MemberId;
use chung::config::Limits;
use chung::crypto::{
    keyring::Purpose,
    signing::{KeyList, Signer, SigningKey},
};
use chung::partner::{clearing::RemoteClearing, platform::RemotePlatform, signed_http::Peer};
use chung::sandbox::{Sandbox, Settings, router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

/// The service, an office in it, and the outside world.
pub struct Outside {
    pub world: TestApp,
    pub office: Office,
    pub sandbox: Arc<Sandbox>,
    /// Where the outside world is reached.
    pub origin: Url,
    http: reqwest::Client,
    _servers: JoinSet<()>,
}

impl Outside {
    pub async fn start() -> Self {
        crate::world::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let key = Arc::new(SigningKey::generate());
        let keys = KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())]);
        let peer = Peer {
            address: origin.join("clearing").unwrap(),
            keys: keys.clone(),
            timeout: Duration::from_secs(5),
            answer_bytes_max: 1_000_000,
        };
        let world = TestApp::start_as(Limits::default(), |parts, _| {
            let us: MemberId = "CHUNG".parse().unwrap();
            let them: MemberId = "SBV01".parse().unwrap();
            let clearing = RemoteClearing::new(peer, parts.keys.clone(), us.clone(), them.clone());
            parts.clearing = Arc::new(clearing.unwrap());
            parts.clearing_peer = Arc::new(ClearingPeer { us, them, keys });
            parts.platform = Arc::new(RemotePlatform::new(Duration::from_secs(5)).unwrap());
        })
        .await;
        let settings = Settings {
            origin: origin.clone(),
            central_bank: "SBV01".parse().unwrap(),
            service: "CHUNG".parse().unwrap(),
            inbox: world.at("/clearing/inbox").parse().unwrap(),
            replies: world.at("/messenger/inbox").parse().unwrap(),
            service_keys: world.app.keys.published(Purpose::Message).clone(),
            key,
            sms_token: None,
            seed: 7,
            journal: None,
        };
        let sandbox = Sandbox::new(settings, world.clock.clone(), Arc::new(SeededEntropy::new(2))).unwrap();
        let routes = router(sandbox.clone());
        let mut servers = JoinSet::new();
        servers.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let office = Office::open(&world, "H29.14").await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { world, office, sandbox, origin, http, _servers: servers }
    }

    /// Sends JSON to the outside world; the status and what it says.
    pub async fn script(&self, path: &str, body: &Value) -> (u16, Value) {
        let sent = self.http.post(self.origin.join(path).unwrap()).json(body).send().await.unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap_or_default())
    }

    /// Scripts a fault.
    pub async fn fault(&self, fault: Value) {
        assert_eq!(self.script("script/faults", &fault).await.0, 204);
    }

    /// What the outside world lists there.
    pub async fn list(&self, path: &str) -> Value {
        self.http.get(self.origin.join(path).unwrap()).send().await.unwrap().json().await.unwrap()
    }

    /// The text of a page of the outside world.
    pub async fn page(&self, address: &str) -> String {
        self.http.get(address).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    /// Begins to pay a new bill at a bank; the payment.
    pub async fn begin(&self, key: &str) -> String {
        let bill = self.office.bill(&self.world, key).await;
        start(&self.world, &self.office, &bill).await
    }

    /// The payer agrees at the bank.
    pub async fn approve(&self, payment: &str) {
        let path = format!("script/banks/{BANK}/requests/{}/approve", uuid(payment).simple());
        assert_eq!(self.script(&path, &json!({})).await.0, 204);
    }

    /// Lets every message come that is due.
    pub async fn deliver(&self) {
        self.sandbox.deliver_due().await;
    }

    /// The payment as the agency reads it.
    pub async fn read(&self, payment: &str) -> Value {
        let path = format!("/v1/payments/{payment}");
        self.office.system(&self.world, "payment.read").get(&path).await.expect(200).json()
    }

    pub async fn status(&self, payment: &str) -> String {
        self.read(payment).await["status"].as_str().unwrap().to_owned()
    }
}
