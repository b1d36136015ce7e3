//! Heads of the audit log bear the time of an authority outside: a day's closing shows it, its files carry it, anybody checks
//! it offline, and a stamp that is wrong in anything is no stamp.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::office::Office;
use crate::tools::said;
use crate::world::{Actor, TestApp};
use chung::app::App;
use chung::base::clock::ManualClock;
use chung::base::entropy::SeededEntropy;
use chung::base::secret::Secret;
use chung::codec::certificate::Anchors;
use chung::crypto::keyring::Purpose;
use chung::crypto::signing::SigningKey;
use chung::flow::sequence_audit::sequence_audit;
use chung::flow::stamp_heads::stamp_heads;
use chung::identity::role::Role;
use chung::partner::time_stamp::{Authority, ListFolder, RemoteTimeStamps};
use chung::sandbox::{Sandbox, Settings, router, time_stamps::AUTHORITY};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

pub const HOUR: Duration = Duration::from_secs(3_600);

/// An office with two bookkeepers, and the sandbox's authority, which stamps for the service that is given back.
pub struct Scene {
    pub world: TestApp,
    pub office: Office,
    pub app: App,
    sandbox: Url,
    _running: JoinSet<()>,
}

/// The outside world as integrators run it, on an address of its own.
pub async fn sandbox(world: &TestApp) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let service: Url = world.app.origin.at("/").parse().unwrap();
    let settings = Settings {
        origin: origin.clone(),
        central_bank: "SBV01".parse().unwrap(),
        service: "CHUNG".parse().unwrap(),
        inbox: service.join("clearing/inbox").unwrap(),
        replies: service.join("messenger/inbox").unwrap(),
        service_keys: world.app.keys.published(Purpose::Message).clone(),
        key: Arc::new(SigningKey::generate()),
        sms_token: Some(Secret::new("a token".to_owned())),
        seed: 7,
        journal: None,
    };
    let sandbox = Sandbox::new(settings, world.clock.clone(), Arc::new(SeededEntropy::new(2))).unwrap();
    let mut running = JoinSet::new();
    running.spawn(async move { axum::serve(listener, router(sandbox)).await.unwrap() });
    (origin, running)
}

/// Makes something go wrong there.
pub async fn trouble(sandbox: &Url, fault: &Value) {
    let script = sandbox.join("script/faults").unwrap();
    let added = reqwest::Client::new().post(script).json(fault).send().await.unwrap();
    assert!(added.status().is_success(), "{}", added.status());
}

impl Scene {
    pub async fn open() -> Self {
        let world = TestApp::start().await;
        people(&world).await;
        let office = Office::open(&world, "H29.14").await;
        grant(&world, ACCOUNTANT.0, Role::Accountant).await;
        grant(&world, AUDITOR.0, Role::Approver).await;
        office.bill(&world, "k1").await;
        sequence_audit(&world.app).await.unwrap();
        let (sandbox, running) = sandbox(&world).await;
        let app = world.app.with(|parts| {
            let service = RemoteTimeStamps::new(sandbox.join("time-stamps").unwrap(), HOUR).unwrap();
            let anchors = Arc::new(Anchors::read([AUTHORITY]).unwrap());
            parts.time_stamps =
                Some(Authority { service: Arc::new(service), anchors, lists: ListFolder::default() });
        });
        Self { world, office, app, sandbox, _running: running }
    }

    async fn trouble(&self, fault: &Value) {
        trouble(&self.sandbox, fault).await;
    }

    pub async fn state(&self) -> Vec<(String, Option<String>)> {
        let rows = "select state, outcome from head_stamp order by size";
        sqlx::query_as(rows).fetch_all(&mut self.world.connection().await).await.unwrap()
    }

    /// Closes the day before, which nothing happened on that a statement would have to show; the closing's page.
    pub async fn close(&self) -> String {
        let (accountant, approver) =
            (at_board(&self.world, ACCOUNTANT).await, at_board(&self.world, AUDITOR).await);
        let token = accountant.get("/board/closings").await.expect(200).form_field("form_token");
        let agency = self.office.agency.to_string();
        let form = [("form_token", &*token), ("agency", &*agency), ("kind", "day"), ("day", "2026-11-23")];
        let closing = accountant.post_form("/board/closings", &form).await.expect(303).location();
        let token = approver.get(&closing).await.expect(200).form_field("form_token");
        let form = [("form_token", &*token), ("outcome", "approve")];
        approver.post_form(&format!("{closing}/decide"), &form).await.expect(303);
        closing
    }
}

pub async fn listed(system: &Actor) -> Value {
    system.get("/v1/closings").await.expect(200).json()["items"][0].clone()
}

#[tokio::test]
async fn the_head_of_a_closing_is_stamped_and_anybody_checks_it_offline() {
    let scene = Scene::open().await;
    let world = &scene.world;
    let system = scene.office.system(world, "statement.read");
    let closing = scene.close().await;
    assert_eq!(listed(&system).await["time_stamp"], Value::Null);
    // While the authority is silent the closing stands, its page tells, and its files wait for the stamp.
    scene.trouble(&json!({ "fault": "drop_answer", "on": "time_stamp" })).await;
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
    let accountant = at_board(world, ACCOUNTANT).await;
    let page = accountant.get(&closing).await.expect(200).text();
    assert!(page.contains("1 lần thử, lần cuối: http_503"), "{page}");
    assert_eq!(listed(&system).await["time_stamp"], json!({ "state": "waiting" }));
    accountant.get(&format!("{closing}/stamp")).await.expect(404);
    accountant.get(&format!("{closing}/pdf")).await.expect(200);
    assert_eq!(world.count("closing_file").await, 0, "what lacks its stamp is not kept");

    world.later(HOUR);
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
    let told = listed(&system).await;
    let stamp = &told["time_stamp"];
    assert_eq!((&stamp["state"], &stamp["policy"]), (&json!("stamped"), &json!("2.999.1.3.1")));
    assert_eq!(stamp["at"], "2026-11-24T03:00:00Z");
    let page = accountant.get(&closing).await.expect(200).text();
    for shown in ["Dấu thời gian của đầu nhật ký", "Sandbox time stamps", "10:00"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    accountant.get(&format!("{closing}/pdf")).await.expect(200);
    accountant.get(&format!("{closing}/xlsx")).await.expect(200);
    assert_eq!(world.count("closing_file").await, 3);
    let english = accountant.get(&format!("{closing}?lang=en")).await.expect(200).text();
    assert!(english.contains("Download the time stamp"), "{english}");

    // An independent tool believes it, with nothing but the head, the answer and the authority's certificate.
    let folder = std::env::temp_dir().join(format!("chung-stamps-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let id = told["id"].as_str().unwrap();
    for (name, file) in [
        ("head.jws", system.get(&format!("/v1/closings/{id}/head")).await.expect(200).body),
        ("head.tsr", system.get(stamp["file"].as_str().unwrap()).await.expect(200).body),
        ("authority.pem", AUTHORITY.to_vec()),
        ("keys.json", world.stranger().get("/receipts/keys").await.expect(200).body),
    ] {
        std::fs::write(folder.join(name), file).unwrap();
    }
    assert_eq!(
        accountant.get(&format!("{closing}/stamp")).await.expect(200).body,
        std::fs::read(folder.join("head.tsr")).unwrap()
    );
    let openssl = |data: &str| {
        let mut judge = Command::new("openssl");
        judge.current_dir(&folder).args([
            "ts",
            "-verify",
            "-in",
            "head.tsr",
            "-CAfile",
            "authority.pem",
            "-data",
        ]);
        said(judge.arg(data)).map(|said| said.status.success())
    };
    assert!(openssl("head.jws").is_none_or(|valid| valid && openssl("keys.json") == Some(false)));
    let ours = |head: &str| {
        let said = Command::new(env!("CARGO_BIN_EXE_chung"))
            .current_dir(&folder)
            .args(["verify", "head", head, "--keys", "keys.json", "--stamp", "head.tsr"])
            .args(["--anchor", "authority.pem"])
            .output()
            .unwrap();
        (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
    };
    let (valid, said) = ours("head.jws");
    assert!(valid && said.contains("stamped: ") && said.contains("Sandbox time stamps"), "{said}");
    // Another head of the same log, signed by the same service, is not what was stamped.
    scene.office.bill(world, "k2").await;
    sequence_audit(&world.app).await.unwrap();
    let newest = "select signed from tree_head order by size desc limit 1";
    let other: String = sqlx::query_scalar(newest).fetch_one(&mut world.connection().await).await.unwrap();
    std::fs::write(folder.join("other.jws"), other).unwrap();
    assert!(!ours("other.jws").0);
    std::fs::remove_dir_all(&folder).unwrap();

    let stranger = Office::open(world, "H29.150").await.system(world, "statement.read");
    stranger.get(&format!("/v1/closings/{id}/stamp")).await.expect_refusal(404, "not_found");
    at_board(world, NOBODY).await.get(&format!("{closing}/stamp")).await.expect(404);
    world.sql("update head_stamp set serial = '00' where state = 'stamped'").await.unwrap_err();
}

#[tokio::test]
async fn a_stamp_that_is_wrong_in_anything_is_refused_by_name_and_asked_for_again() {
    let scene = Scene::open().await;
    // The first one is good: it is what is replayed afterwards.
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
    assert_eq!(scene.state().await, [("stamped".to_owned(), Some("stamped".to_owned()))]);
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 0, "a head is stamped once");
    scene.office.bill(&scene.world, "k2").await;
    sequence_audit(&scene.world.app).await.unwrap();
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 0, "once an hour");
    scene.world.later(HOUR * 2);
    for (fault, outcome) in [
        (json!({ "fault": "wrong_stamp", "code": "imprint" }), "wrong_imprint"),
        (json!({ "fault": "wrong_stamp", "code": "nonce" }), "wrong_nonce"),
        (json!({ "fault": "wrong_stamp", "code": "signer" }), "bad_signature"),
        (json!({ "fault": "wrong_stamp", "code": "unfit" }), "unfit_signer"),
        (json!({ "fault": "wrong_stamp", "code": "stranger" }), "untrusted_signer"),
        (json!({ "fault": "wrong_stamp", "code": "replay" }), "wrong_imprint"),
        (json!({ "fault": "reject", "on": "time_stamp" }), "not_granted"),
        (json!({ "fault": "corrupt", "on": "time_stamp" }), "bad_signature"),
        (json!({ "fault": "drop_request", "on": "time_stamp" }), "http_503"),
    ] {
        scene.trouble(&fault).await;
        assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1, "{fault}");
        let last = scene.state().await.pop().unwrap();
        assert_eq!(last, ("waiting".to_owned(), Some(outcome.to_owned())), "{fault}");
        scene.world.later(HOUR * 7);
    }
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
    assert_eq!(scene.state().await.pop().unwrap().0, "stamped");
    assert_eq!(scene.world.count("head_stamp").await, 2);
    // Without an authority nothing is asked for.
    assert_eq!(stamp_heads(&scene.world.app).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_not_stamped_in_three_days_is_given_up_and_the_clocks_must_agree() {
    let scene = Scene::open().await;
    scene.trouble(&json!({ "fault": "drop_request", "on": "time_stamp", "times": 0 })).await;
    for _ in 0..20 {
        stamp_heads(&scene.app).await.unwrap();
        scene.world.later(HOUR * 7);
    }
    let states = scene.state().await;
    assert_eq!(states[0], ("given_up".to_owned(), Some("http_503".to_owned())), "{states:?}");
    // An authority that lives in another time: its certificate holds, its hour does not.
    let scene = Scene::open().await;
    let late = Arc::new(ManualClock::at(datetime!(2026-11-24 01:00 UTC)));
    let app = scene.app.with(|parts| parts.clock = late);
    assert_eq!(stamp_heads(&app).await.unwrap(), 1);
    assert_eq!(scene.state().await, [("waiting".to_owned(), Some("wrong_time".to_owned()))]);
}
