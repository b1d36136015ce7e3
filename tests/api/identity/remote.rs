//! The register is a partner over signed HTTP, which is slow, wrong or away at times, and tells of changes.

use super::{import_of, verifications::question};
use crate::office::Office;
use crate::ways::{Person, type_number};
use crate::world::{Actor, Answer, TestApp};
use chung::app::Population;
use chung::config::Limits;
use chung::crypto::{
    keyring::{KeyRing, Purpose},
    signing::{KeyList, Signer, SigningKey},
};
use chung::flow::{confirm_verifications::confirm_verifications, population::look_up};
use chung::http::listen::listen;
use chung::identity::person::Status;
use chung::partner::{population::RemotePopulation, signed_http::Peer};
use chung::sandbox::register::{Register, RegisterSettings, router};
use chung::store::{erasure, register};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

const HOA: &str = "079185000001";
const PEOPLE: &str = "\
number,name,birth_date,sex,phone,province,status,account_level
079185000001,Nguyễn Thị Hòa,1985-03-15,female,0912345678,79,active,2
079085000004,Đỗ Văn Được,1985-12-31,male,0912345680,79,active,2
";

struct Scene {
    world: TestApp,
    office: Office,
    system: Actor,
    register: String,
    _running: JoinSet<()>,
    _stop: watch::Sender<bool>,
}

impl Scene {
    async fn set() -> Self {
        Self::with(Limits::default(), None).await
    }

    async fn with(limits: Limits, maintenance: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(SigningKey::generate());
        let keys = KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())]);
        let mut built = None;
        let world = TestApp::start_beside(limits.clone(), |service, clock| {
            let ring = KeyRing::from_toml(include_str!("../../../keys/development.toml")).unwrap();
            let address: url::Url = format!("{origin}/population").parse().unwrap();
            let settings = RegisterSettings {
                address: address.clone(),
                notices: format!("{service}/population/notices").parse().unwrap(),
                service_keys: ring.published(Purpose::Message).clone(),
                key,
            };
            built = Some(Register::new(settings, clock).unwrap());
            let timeout = Duration::from_millis(limits.population_timeout_ms);
            let peer = Peer { address, keys: keys.clone(), timeout, answer_bytes_max: 64 << 10 };
            let window = maintenance.map(|hours| hours.parse().unwrap());
            let source = RemotePopulation::new(peer, Arc::new(ring), limits.look_ups_max, window).unwrap();
            Population { source: Some(Arc::new(source)), keys: Arc::new(keys) }
        })
        .await;
        let register = built.unwrap();
        register.fill(PEOPLE);
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        let listening = listen(listener, router(register), stopping);
        running.spawn(async move {
            let _ = listening.await;
        });
        let office = Office::open(&world, "H29.14").await;
        let system = office.system(&world, "verification event.read");
        Self { world, office, system, register: origin, _running: running, _stop: stop }
    }

    async fn ask(&self, key: &str, name: &str) -> Value {
        self.about(key, HOA, name).await
    }

    async fn about(&self, key: &str, number: &str, name: &str) -> Value {
        let body = question(number, &json!({ "name": name }));
        self.system.post_once("/v1/verifications", key, &body).await.expect(201).json()
    }

    async fn script(&self, path: &str, body: &Value) -> Answer {
        self.world.stranger().post_json(&format!("{}/script/population/{path}", self.register), body).await
    }

    async fn trouble(&self, trouble: Value) {
        self.script("trouble", &trouble).await.expect(204);
    }

    async fn calm(&self) {
        let stranger = self.world.stranger();
        let path = format!("{}/script/population/trouble", self.register);
        stranger.send(stranger.request(Method::DELETE, &path)).await.expect(204);
    }

    async fn look_ups(&self) -> Vec<Value> {
        let path = format!("{}/script/population/look-ups", self.register);
        self.world.stranger().get(&path).await.expect(200).json()["look_ups"].as_array().unwrap().clone()
    }

    /// What the service answered to a notice.
    async fn notice(&self, id: &str, number: &str, kind: &str, value: Option<&str>) -> Value {
        let notice = json!({
            "MaThongBao": id, "SoDinhDanh": number, "Loai": kind, "HieuLucTuNgay": "2026-11-20", "GiaTri": value,
        });
        self.script("notices", &notice).await.expect(200).json()["answered"].clone()
    }

    async fn policy(&self, changes: &Value) {
        let mut policy = json!({
            "attributes": ["name", "birth_date"], "predicates": [], "name_rule": "standard-1",
        });
        for (member, value) in changes.as_object().unwrap() {
            policy[member] = value.clone();
        }
        let path = format!("/v1/clients/{}/policy", self.office.client);
        self.office.system(&self.world, "admin").post_once(&path, "policy", &policy).await.expect(201);
    }
}

#[tokio::test]
async fn each_look_up_names_service_officer_and_request_and_is_asked_once() {
    let scene = Scene::set().await;
    let answer = scene.ask("a", "Nguyễn Thị Hòa").await;
    assert_eq!(
        (&answer["state"], &answer["source"]),
        (&json!("match"), &json!("national-population-register"))
    );
    assert_eq!(answer["as_of"], "2026-11-24T02:00:00Z");
    let asked = scene.look_ups().await;
    assert_eq!((&asked[0]["MaDVC"], &asked[0]["MaCanBo"]), (&json!("2.000488.01"), &json!("hoa.nt")));
    assert!(asked[0]["MaYeuCau"].as_str().unwrap().starts_with("msg_"));
    assert_eq!(scene.about("b", "079185000099", "Ai Đó").await["state"], "not_on_record");
    // The same key again, and what the policy forbids, do not reach the register.
    assert_eq!(scene.ask("a", "Nguyễn Thị Hòa").await, answer);
    scene.policy(&json!({ "purposes": ["Khác"] })).await;
    let body = question(HOA, &json!({ "name": "Nguyễn Thị Hòa" }));
    scene.system.post_once("/v1/verifications", "c", &body).await.expect_refusal(403, "policy_forbids");
    assert_eq!(scene.look_ups().await.len(), 2);
    let dump = scene.world.dump("register_person").await;
    assert!(!dump.contains(HOA) && !dump.contains("Nguyễn"));
}

#[tokio::test]
async fn a_wrong_answer_is_no_answer_and_is_not_counted() {
    let scene = Scene::set().await;
    scene.policy(&json!({ "daily_quota": 1 })).await;
    for wrong in ["person", "request", "signature", "garbage"] {
        scene.trouble(json!({ "wrong": wrong, "times": 1 })).await;
        let answer = scene.ask(wrong, "Nguyễn Thị Hòa").await;
        assert_eq!(
            (&answer["state"], &answer["slip"]),
            (&json!("source_unavailable"), &Value::Null),
            "{wrong}"
        );
        assert_eq!(answer["as_of"], Value::Null);
    }
    assert_eq!(scene.world.count("number_budget").await, 0);
    assert_eq!(scene.ask("right", "Nguyễn Thị Hòa").await["state"], "match");
    let body = question(HOA, &json!({ "name": "Nguyễn Thị Hòa" }));
    scene.system.post_once("/v1/verifications", "over", &body).await.expect_refusal(429, "quota_spent");
}

#[tokio::test]
async fn a_slow_register_costs_a_deadline_then_nothing_and_is_tried_again_after_a_rest() {
    let scene = Scene::with(Limits { population_timeout_ms: 150, ..Limits::default() }, None).await;
    scene.trouble(json!({ "delay_ms": 2000 })).await;
    for i in 0..8 {
        assert_eq!(scene.ask(&format!("s{i}"), "Nguyễn Thị Hòa").await["state"], "source_unavailable");
    }
    assert_eq!(scene.look_ups().await.len(), 5, "the circuit opened after five failures");
    scene.calm().await;
    assert_eq!(scene.ask("open", "Nguyễn Thị Hòa").await["state"], "source_unavailable");
    scene.world.later(Duration::from_secs(11));
    assert_eq!(scene.ask("closed", "Nguyễn Thị Hòa").await["state"], "match");
}

#[tokio::test]
async fn a_broken_connection_is_tried_once_more_as_long_as_successes_pay_for_it() {
    let scene = Scene::with(Limits { number_asks_portal_max: 100, ..Limits::default() }, None).await;
    let broken = || json!({ "hang_up": true, "times": 1 });
    scene.trouble(broken()).await;
    assert_eq!(scene.ask("first", "Nguyễn Thị Hòa").await["state"], "match");
    let asked = scene.look_ups().await;
    assert_eq!((asked.len(), &asked[0]["MaYeuCau"]), (2, &asked[1]["MaYeuCau"]), "the same request");
    // Ten retries are saved up, and ten successes pay for one.
    for i in 0..10 {
        scene.trouble(broken()).await;
        assert_eq!(scene.ask(&format!("b{i}"), "Nguyễn Thị Hòa").await["state"], "match", "{i}");
    }
    scene.trouble(broken()).await;
    assert_eq!(scene.ask("spent", "Nguyễn Thị Hòa").await["state"], "source_unavailable");
    assert_eq!(scene.look_ups().await.len(), 23);
    for i in 0..10 {
        assert_eq!(scene.ask(&format!("s{i}"), "Nguyễn Thị Hòa").await["state"], "match");
    }
    scene.trouble(broken()).await;
    assert_eq!(scene.ask("earned", "Nguyễn Thị Hòa").await["state"], "match");
    // A refusal that is an answer, or an answer that is wrong, is not asked for again.
    for (i, trouble) in [json!({ "status": 503, "times": 1 }), json!({ "wrong": "request", "times": 1 })]
        .into_iter()
        .enumerate()
    {
        let before = scene.look_ups().await.len();
        scene.trouble(trouble).await;
        assert_eq!(scene.ask(&format!("n{i}"), "Nguyễn Thị Hòa").await["state"], "source_unavailable");
        assert_eq!(scene.look_ups().await.len(), before + 1);
    }
}

#[tokio::test]
async fn an_older_file_takes_nothing_back_that_a_notice_told() {
    let scene = Scene::set().await;
    scene.ask("a", "Nguyễn Thị Hòa").await;
    assert_eq!(scene.notice("n", HOA, "name_changed", Some("Nguyễn Ngọc Hòa")).await, 200);
    assert_eq!(scene.notice("d", HOA, "death", None).await, 200);
    let person = async || {
        let mut tx = scene.world.app.store.begin().await.unwrap();
        let looked = look_up(&scene.world.app, &mut tx, HOA.parse().unwrap()).await.unwrap();
        looked.on_record.unwrap().person
    };
    let moved = PEOPLE.replace("0912345678,79", "0912345678,01");
    for (file, day, noticed, changed) in [
        (PEOPLE, None, 1, 0),
        (PEOPLE, Some("2026-11-23"), 1, 0),
        (PEOPLE, Some("2026-11-24"), 1, 0),
        (&*moved, Some("2026-11-24"), 1, 1),
    ] {
        let (progress, _) = import_of(&scene.world, file, day).await.unwrap();
        assert_eq!((progress.noticed, progress.counts.changed), (noticed, changed), "{day:?}");
        let held = person().await;
        assert_eq!(held.name.as_str(), "Nguyễn Ngọc Hòa", "{day:?}");
        assert_eq!(held.former_names[0].name.as_str(), "Nguyễn Thị Hòa");
        assert!(matches!(held.status, Status::Deceased { .. }), "{:?}", held.status);
    }
    assert_eq!(person().await.province.code(), "01", "what no notice told is the file's");
    // A file that was drawn later knows better.
    let (progress, _) = import_of(&scene.world, PEOPLE, Some("2026-11-25")).await.unwrap();
    assert_eq!((progress.noticed, progress.counts.changed), (0, 1));
    let held = person().await;
    assert_eq!((held.name.as_str(), held.status), ("Nguyễn Thị Hòa", Status::Active));
    // A notice and a file at once: whichever is first, the notice stays.
    let file = import_of(&scene.world, PEOPLE, Some("2026-11-24"));
    let (told, read) = tokio::join!(scene.notice("l", HOA, "locked", None), file);
    assert_eq!((told, read.is_ok()), (json!(200), true));
    import_of(&scene.world, PEOPLE, Some("2026-11-24")).await.unwrap();
    assert_eq!(person().await.status, Status::Locked);
    // Whoever says the notices are old is not believed: a former number is no line for anybody.
    assert_eq!(scene.notice("m", HOA, "new_number", Some("079186000077")).await, 200);
    let (progress, told) = import_of(&scene.world, PEOPLE, Some("2026-12-31")).await.unwrap();
    assert_eq!((progress.counts.rejected, told.rejects[0].line), (1, 2));
}

#[tokio::test]
async fn so_many_look_ups_wait_and_no_more() {
    let limits = Limits {
        look_ups_max: 2,
        population_timeout_ms: 2_000,
        request_timeout_ms: 60_000,
        ..Limits::default()
    };
    let scene = Scene::with(limits, None).await;
    scene.trouble(json!({ "delay_ms": 500 })).await;
    let asked = (0..8).map(|i| {
        let scene = &scene;
        async move { scene.ask(&format!("m{i}"), "Nguyễn Thị Hòa").await["state"].clone() }
    });
    let states = futures_util::future::join_all(asked).await;
    let matches = states.iter().filter(|state| **state == json!("match")).count();
    assert!((2..8).contains(&matches), "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == json!("source_unavailable")).count(), 8 - matches);
    // One that was sent may have waited too long for its answer; most were never sent.
    assert!((matches..8).contains(&scene.look_ups().await.len()));
}

#[tokio::test]
async fn in_the_hours_of_maintenance_nothing_is_sent() {
    let scene = Scene::with(Limits::default(), Some("08:30-09:30")).await;
    assert_eq!(scene.ask("a", "Nguyễn Thị Hòa").await["state"], "source_unavailable");
    assert_eq!(scene.look_ups().await.len(), 0);
    scene.world.later(Duration::from_secs(31 * 60));
    assert_eq!(scene.ask("b", "Nguyễn Thị Hòa").await["state"], "match");
}

#[tokio::test]
async fn a_copy_answers_only_while_it_is_as_young_as_the_policy_demands() {
    let scene = Scene::set().await;
    assert_eq!(scene.ask("a", "Nguyễn Thị Hòa").await["state"], "match");
    scene.trouble(json!({ "status": 503 })).await;
    assert_eq!(scene.ask("b", "Nguyễn Thị Hòa").await["state"], "source_unavailable");
    scene.policy(&json!({ "stale_max_hours": 2 })).await;
    scene.world.later(Duration::from_secs(3600));
    let stale = scene.ask("c", "Nguyễn Thị Hòa").await;
    assert_eq!(
        (&stale["state"], &stale["as_of"]),
        (&json!("stale_accepted"), &json!("2026-11-24T02:00:00Z"))
    );
    assert_eq!(scene.ask("d", "Lê Lai").await["state"], "no_match");
    assert_eq!(scene.about("e", "079085000004", "Đỗ Văn Được").await["state"], "source_unavailable");
    scene.world.later(Duration::from_secs(2 * 3600));
    assert_eq!(scene.ask("f", "Nguyễn Thị Hòa").await["state"], "source_unavailable");
}

#[tokio::test]
async fn a_question_without_an_answer_is_asked_again_and_its_answer_told() {
    let scene = Scene::set().await;
    scene.policy(&json!({ "confirms_later": true })).await;
    scene.trouble(json!({ "status": 500 })).await;
    let first = scene.ask("a", "Nguyễn Thị Hòa").await;
    assert_eq!(first["state"], "source_unavailable");
    let path = format!("/v1/verifications/{}", first["id"].as_str().unwrap());
    let waiting = scene.system.get(&path).await.expect(200).json();
    assert_eq!(waiting["confirmation"], json!({ "state": "waiting", "verification": null }));
    assert!(!scene.world.dump("unconfirmed").await.contains(HOA));
    scene.world.later(Duration::from_secs(6));
    assert_eq!(confirm_verifications(&scene.world.app).await.unwrap(), 1);
    assert_eq!(confirm_verifications(&scene.world.app).await.unwrap(), 0, "it waits for its next turn");
    scene.calm().await;
    scene.world.later(Duration::from_secs(30));
    assert_eq!(confirm_verifications(&scene.world.app).await.unwrap(), 1);
    let answered = scene.system.get(&path).await.expect(200).json();
    assert_eq!(answered["state"], "source_unavailable", "what was answered stays answered");
    let by = answered["confirmation"]["verification"].as_str().unwrap();
    assert_eq!(
        scene.system.get(&format!("/v1/verifications/{by}")).await.expect(200).json()["state"],
        "match"
    );
    let told = scene.system.get("/v1/events").await.expect(200).json();
    let told = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["type"] == "verification.confirmed")
        .unwrap()
        .clone();
    assert_eq!(told["data"]["confirmed_by"], by);
}

#[tokio::test]
async fn nobody_signs_in_while_the_register_is_silent_and_no_try_is_counted() {
    let scene = Scene::set().await;
    let browser = scene.world.stranger();
    let mut page = browser.get("/me").await;
    while page.status == 303 {
        page = browser.get(&page.location()).await;
    }
    let text = page.text();
    let at = text.find("/sign-in/authz_").unwrap();
    let action = text[at..at + "/sign-in/authz_".len() + 32].to_owned();
    let token = page.form_field("form_token");
    scene.trouble(json!({ "status": 503 })).await;
    let form = [("form_token", token.as_str()), ("number", HOA)];
    let silent = browser.post_form(&action, &form).await.expect(503).text();
    assert!(silent.contains("Lần thử này không bị tính"), "{silent}");
    assert_eq!(scene.world.count("code_counter").await, 0);
    scene.calm().await;
    browser.post_form(&action, &form).await.expect(303);
    assert!(scene.world.last_text("+84912345678").await.is_some());
}

#[tokio::test]
async fn a_notice_holds_at_once_and_everything_follows_the_person() {
    let scene = Scene::set().await;
    assert_eq!(scene.ask("0", "Nguyễn Thị Hòa").await["state"], "match");
    let citizen = async |number: &str| {
        let mut tx = scene.world.app.store.begin().await.unwrap();
        let looked = look_up(&scene.world.app, &mut tx, number.parse().unwrap()).await.unwrap();
        looked.on_record.map(|known| known.citizen)
    };
    let before = citizen(HOA).await.unwrap();
    // Even while the register answers nothing, what it told of before holds.
    scene.policy(&json!({ "stale_max_hours": 24 })).await;
    for (i, (kind, value, name, state)) in [
        ("death", None, "Nguyễn Thị Hòa", "deceased"),
        ("locked", None, "Nguyễn Thị Hòa", "deceased"),
        ("unlocked", None, "Nguyễn Thị Hòa", "deceased"),
        ("death_corrected", None, "Nguyễn Thị Hòa", "stale_accepted"),
        ("locked", None, "Nguyễn Thị Hòa", "locked"),
        ("death_corrected", None, "Nguyễn Thị Hòa", "locked"),
        ("unlocked", None, "Nguyễn Thị Hòa", "stale_accepted"),
        ("new_card", Some("079185000001-2"), "Nguyễn Thị Hòa", "stale_accepted"),
        ("name_changed", Some("Nguyễn Ngọc Hòa"), "Nguyễn Ngọc Hòa", "stale_accepted"),
        ("name_changed", Some("Nguyễn Bảo Hòa"), "Nguyễn Thị Hòa", "former"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(scene.notice(&format!("n{i}"), HOA, kind, value).await, 200, "{kind}");
        scene.trouble(json!({ "status": 503, "times": 1 })).await;
        let answer = scene.ask(&format!("k{i}"), name).await;
        assert_eq!(answer["state"], state, "{kind}");
        if state == "former" {
            assert_eq!(
                (&answer["former_until"], &answer["attributes"]["name"]["grade"]),
                (&json!("2026-11-20"), &json!("former"))
            );
        }
    }
    scene.calm().await;
    scene.world.later(Duration::from_secs(11));
    let mut born = question(HOA, &json!({ "name": "Nguyễn Bảo Hòa", "birth_date": "1986-03-15" }));
    assert_eq!(scene.notice("b", HOA, "birth_date_changed", Some("1986-03-15")).await, 200);
    let answer = scene.system.post_once("/v1/verifications", "born", &born).await.expect(201).json();
    assert_eq!(answer["state"], "match");

    assert_eq!(scene.notice("s", HOA, "sex_changed", Some("male")).await, 200);
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let known = look_up(&scene.world.app, &mut tx, HOA.parse().unwrap()).await.unwrap().on_record.unwrap();
    drop(tx);
    assert_eq!(known.person.sex, "male".parse().unwrap());
    let new = "079186000077";
    assert_eq!(scene.notice("m", HOA, "new_number", Some(new)).await, 200);
    let former = scene.ask("by-old", "Nguyễn Bảo Hòa").await;
    assert_eq!((&former["state"], &former["former_until"]), (&json!("former"), &json!("2026-11-20")));
    born["number"] = json!(new);
    let answer = scene.system.post_once("/v1/verifications", "by-new", &born).await.expect(201).json();
    assert_eq!(answer["state"], "match");
    assert_eq!((citizen(new).await, citizen(HOA).await), (Some(before), Some(before)));
    assert_eq!(scene.world.count("audit_leaf where kind = 'register.noticed'").await, 13);
}

#[tokio::test]
async fn an_answer_that_was_on_its_way_brings_back_no_key_that_was_destroyed() {
    let scene = Scene::set().await;
    scene.ask("a", "Nguyễn Thị Hòa").await;
    scene.world.later(Duration::from_secs(360));
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let looked = look_up(&scene.world.app, &mut tx, HOA.parse().unwrap()).await.unwrap();
    let citizen = looked.on_record.unwrap().citizen;
    register::hold_people(&mut tx, &[citizen]).await.unwrap();
    let erased = async {
        while scene
            .world
            .count("pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
            .await
            == 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(erasure::destroy_key(&mut tx, citizen).await.unwrap());
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(scene.ask("b", "Nguyễn Thị Hòa"), erased);
    assert_eq!(answer["state"], "match");
    let of = format!("register_person where citizen_id = '{}'", citizen.uuid());
    assert_eq!((scene.world.count(&of).await, scene.world.count("register_person").await), (0, 1));
}

#[tokio::test]
async fn a_notice_is_taken_once_and_only_from_the_register() {
    let scene = Scene::set().await;
    assert_eq!(scene.notice("x", HOA, "locked", None).await, 200, "of nobody held here");
    assert_eq!(scene.world.count("inbox_message where answer = 'not_held'").await, 1);
    scene.ask("a", "Nguyễn Thị Hòa").await;
    assert_eq!(scene.notice("y", HOA, "unlocked", None).await, 200);
    assert_eq!(scene.notice("y", HOA, "unlocked", None).await, 200);
    assert_eq!(scene.notice("y", HOA, "death", None).await, 409, "another notice under the same name");
    assert_eq!(scene.notice("z", HOA, "name_changed", None).await, 422, "a change without its value");
    assert_eq!(scene.notice("w", HOA, "promoted", None).await, 422);
    assert_eq!(scene.world.count("audit_leaf where kind = 'register.noticed'").await, 1);
    let forged =
        json!({ "MaThongBao": "f", "SoDinhDanh": HOA, "Loai": "death", "HieuLucTuNgay": "2026-11-20" });
    scene.world.stranger().post_json("/population/notices", &forged).await.expect(401);
    assert_ne!(scene.ask("b", "Nguyễn Thị Hòa").await["state"], "deceased");
}

#[tokio::test]
async fn a_sign_in_past_its_limits_does_not_reach_the_register() {
    let limits = Limits { codes_per_address_max: 2, ..Limits::default() };
    let scene = Scene::with(limits, None).await;
    let person = |number| Person { number, phone: "" };
    for number in [HOA, "079085000099"] {
        type_number(&scene.world.stranger(), person(number), "sms").await.expect(200);
    }
    let asked = scene.look_ups().await.len();
    assert_eq!(asked, 2);
    for number in [HOA, "079085000099"] {
        type_number(&scene.world.stranger(), person(number), "sms").await.expect(429);
    }
    assert_eq!(scene.look_ups().await.len(), asked);
}
