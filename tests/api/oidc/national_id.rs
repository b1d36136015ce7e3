//! Citizens sign in with the national e-ID, played by the sandbox over HTTP: the way that works, what each level is
//! worth, and every forged, repeated or mixed-up answer refused.

use super::*;
use chung::base::entropy::SeededEntropy;
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::flow::facts::facts_of_citizen;
use chung::partner::national_id::{Registration, RemoteNationalId};
use chung::sandbox::national_id::{Account, Registered as AtUpstream, Upstream, router};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// A scene with the national e-ID beside it.
struct WithUpstream {
    scene: Scene,
    upstream: Arc<Upstream>,
    origin: String,
    _running: tokio::task::JoinSet<()>,
}

fn account(number: &str, name: &str, born: &str, level: u8) -> Account {
    let text = |text: &str| text.to_owned();
    Account { number: text(number), name: text(name), birth_date: text(born), level, tech_id: None }
}

async fn set(least: Assurance) -> WithUpstream {
    crate::world::install();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let key = SigningKey::generate();
    let keys = KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())]);
    let issuer = format!("{origin}/national-id");
    let registration = Registration {
        issuer: issuer.parse().unwrap(),
        client_id: "chung".to_owned(),
        client_secret: chung::base::secret::Secret::new("secret".to_owned()),
        keys,
    };
    let remote = RemoteNationalId::new(registration, Duration::from_secs(5)).unwrap();
    let world = TestApp::start_with_national_id(Arc::new(remote)).await;
    world
        .register(&[
            "079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,1,",
            "079085000457,,Trần Văn Khóa,1985,male,0912345219,79,locked,,1,",
            "079085000458,,Lê Văn Khác,1985-05-01,male,0912345220,79,active,,2,",
        ])
        .await;
    let registered = AtUpstream {
        issuer,
        client_id: "chung".to_owned(),
        client_secret: "secret".to_owned(),
        redirect_uri: world.at("/sign-in/national-id/callback"),
    };
    let accounts = [
        account(HOA, "NGUYỄN THỊ HOÀ", "15/03/1985", 2),
        account(LOCKED, "TRẦN VĂN KHÓA", "1985", 2),
        account(NOBODY, "AI ĐÓ", "1985", 2),
    ];
    let upstream =
        Upstream::new(registered, key, accounts, world.clock.clone(), Arc::new(SeededEntropy::new(7)));
    let mut running = tokio::task::JoinSet::new();
    let routes = router(upstream.clone());
    running.spawn(async move {
        let _ = axum::serve(listener, routes).await;
    });
    let portal = portal(&world, "hcmc", least).await;
    WithUpstream { scene: Scene { world, portal }, upstream, origin, _running: running }
}

impl WithUpstream {
    /// Presses the first button and gives back the address at the upstream.
    async fn depart(&self, citizen: &Actor) -> String {
        let page = follow(citizen, &self.scene.request(&[])).await.expect(200);
        let text = page.text();
        let (button, number) = (text.find("/national-id\""), text.find("name=\"number\""));
        assert!(button.is_some() && (number.is_none() || button < number), "it is the first button: {text}");
        let form = [("form_token", &*page.form_field("form_token"))];
        let action = format!("{}/national-id", sign_in_of(&page));
        let answer = citizen.post_form(&action, &form).await.expect(303);
        assert!(answer.location().starts_with(&self.origin), "{}", answer.location());
        answer.location()
    }

    /// Signs in there as somebody, and gives back the address of ours to which the browser is sent.
    async fn at_upstream(&self, there: &str, number: &str, loa: &str) -> String {
        let asked = Url::parse(there).unwrap();
        let parameters: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
        let of = |name: &str| value(&parameters, name);
        let form = [
            ("number", number.to_owned()),
            ("loa", loa.to_owned()),
            ("state", of("state")),
            ("nonce", of("nonce")),
            ("code_challenge", of("code_challenge")),
        ];
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let page = self.scene.world.stranger().get(there).await.expect(200).text();
        assert!(page.contains("/national-id/authorize"), "{page}");
        let at = format!("{}/national-id/authorize", self.origin);
        self.scene.world.stranger().post_form(&at, &form).await.expect(303).location()
    }

    /// The whole way to wherever the answer leads.
    async fn through(&self, citizen: &Actor, number: &str, loa: &str) -> Answer {
        let there = self.depart(citizen).await;
        let back = self.at_upstream(&there, number, loa).await;
        let answer = citizen.get(&back).await;
        if answer.status == 303 { follow(citizen, &answer.location()).await } else { answer }
    }
}

#[tokio::test]
async fn the_first_button_leads_to_the_national_e_id_and_back_with_its_level() {
    let set = set(Assurance::High).await;
    let citizen = set.scene.world.stranger();
    let page = set.through(&citizen, HOA, "2").await.expect(200);
    assert!(page.text().contains("Nguyễn Thị Hòa"), "{}", page.text());
    let answer = set.scene.consent(&citizen, &page, "allow", &[]).await;
    let tokens = set.scene.exchange(&value(&answer, "code"), &[]).await.expect(200).json();
    let said = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(said["acr"], "urn:chung:acr:high");
    assert_eq!(said["amr"], serde_json::json!(["urn:chung:amr:national_id"]));
    assert_eq!(set.scene.world.count("account_level_report where level = 2").await, 1);
    assert_eq!(set.scene.world.count("national_id_account").await, 1);
    assert_eq!(set.scene.world.count("audit_leaf where kind = 'account_level.reported'").await, 1);

    // The account level that was reported is the one that fees are computed by, whatever an older list says.
    let row = set.scene.world.dump("account_level_report").await;
    let id = row.split(',').nth(1).unwrap().parse().unwrap();
    let facts = facts_of_citizen(&set.scene.world.app, chung::base::id::Id::from_uuid(id)).await.unwrap();
    assert_eq!(facts.account_level, Some(2));
    for table in ["account_level_report", "national_id_account", "national_id_trip"] {
        let rows = set.scene.world.dump(table).await;
        assert!(!rows.contains(HOA) && !rows.contains("eyJ"), "{table} holds something in the clear: {rows}");
    }

    // The level expires before the session does: the portal is not served by it any more.
    set.scene.world.later(Duration::from_secs(4 * 3600));
    let page = follow(&citizen, &set.scene.request(&[])).await.expect(200);
    assert!(page.text().contains("/national-id\""), "{}", page.text());
}

#[tokio::test]
async fn a_step_up_to_the_national_e_id_serves_whoever_asks_for_less() {
    let set = set(Assurance::Low).await;
    let citizen = set.scene.world.stranger();
    set.scene.signed_in(&citizen).await;
    let high = [("acr_values", Some("urn:chung:acr:high"))];
    // A code was enough before; for this the page offers the national e-ID and nothing weaker.
    let page = follow(&citizen, &set.scene.request(&high)).await.expect(200);
    assert!(page.text().contains("/national-id\"") && !page.text().contains("name=\"number\""));
    let form = [("form_token", &*page.form_field("form_token"))];
    let action = format!("{}/national-id", sign_in_of(&page));
    let there = citizen.post_form(&action, &form).await.expect(303).location();
    let back = set.at_upstream(&there, HOA, "2").await;
    let onward = citizen.get(&back).await.expect(303);
    let page = follow(&citizen, &onward.location()).await.expect(200);
    let answer = set.scene.consent(&citizen, &page, "allow", &[]).await;
    let tokens = set.scene.exchange(&value(&answer, "code"), &[]).await.expect(200).json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["acr"], "urn:chung:acr:high");
    for least in ["urn:chung:acr:substantial", "urn:chung:acr:low", "urn:chung:acr:high"] {
        let page = follow(&citizen, &set.scene.request(&[("acr_values", Some(least))])).await.expect(200);
        let answer = set.scene.consent(&citizen, &page, "allow", &[]).await;
        let tokens = set.scene.exchange(&value(&answer, "code"), &[]).await.expect(200).json();
        assert_eq!(claims(tokens["id_token"].as_str().unwrap())["acr"], "urn:chung:acr:high", "{least}");
    }
    // Grown old it serves only whoever asks for the least.
    set.scene.world.later(Duration::from_secs(4 * 3600));
    let page = follow(&citizen, &set.scene.request(&high)).await.expect(200);
    assert!(page.text().contains("/national-id\""));
    let page = follow(&citizen, &set.scene.request(&[])).await.expect(200);
    let answer = set.scene.consent(&citizen, &page, "allow", &[]).await;
    let tokens = set.scene.exchange(&value(&answer, "code"), &[]).await.expect(200).json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["acr"], "urn:chung:acr:low");
}

#[tokio::test]
async fn a_lower_sign_in_there_is_a_lower_sign_in_here_and_no_account_level_makes_it_more() {
    let set = set(Assurance::High).await;
    let citizen = set.scene.world.stranger();
    let page = set.through(&citizen, HOA, "1").await.expect(403);
    assert!(page.text().contains("Cần mức cao hơn"), "{}", page.text());
    assert_eq!(set.scene.world.count("session").await, 0);
    assert_eq!(set.scene.world.count("account_level_report where level = 2").await, 1);
    let other = portal(&set.scene.world, "land", Assurance::Substantial).await;
    let set = WithUpstream { scene: Scene { world: set.scene.world, portal: other }, ..set };
    let page = set.through(&citizen, HOA, "1").await.expect(200);
    let answer = set.scene.consent(&citizen, &page, "allow", &[]).await;
    let tokens = set.scene.exchange(&value(&answer, "code"), &[]).await.expect(200).json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["acr"], "urn:chung:acr:substantial");
}

#[tokio::test]
async fn when_it_is_down_the_page_says_so_names_the_counter_and_nothing_weaker_is_tried() {
    let set = set(Assurance::High).await;
    let citizen = set.scene.world.stranger();
    let page = follow(&citizen, &set.scene.request(&[])).await.expect(200);
    set.upstream.set_fault(Some("down"));
    let form = [("form_token", &*page.form_field("form_token"))];
    let action = format!("{}/national-id", sign_in_of(&page));
    let down = citizen.post_form(&action, &form).await.expect(503).text();
    assert!(down.contains("không trả lời") && down.contains("bộ phận một cửa của Sở Tư pháp"), "{down}");
    assert!(!down.contains("name=\"number\""), "{down}");
    // It goes down between the two halves.
    set.upstream.set_fault(None);
    let there = set.depart(&citizen).await;
    let back = set.at_upstream(&there, HOA, "2").await;
    set.upstream.set_fault(Some("down"));
    let down = citizen.get(&back).await.expect(503).text();
    assert!(down.contains("bộ phận một cửa"), "{down}");
    assert_eq!((set.scene.world.count("session").await, set.scene.world.count("outbox").await), (0, 0));
    // And it comes back.
    set.upstream.set_fault(None);
    set.through(&citizen, HOA, "2").await.expect(200);
}

#[tokio::test]
async fn no_answer_serves_twice_late_elsewhere_or_for_another() {
    let set = set(Assurance::High).await;
    let (citizen, thief) = (set.scene.world.stranger(), set.scene.world.stranger());
    // In another browser the answer is nobody's.
    let there = set.depart(&citizen).await;
    let back = set.at_upstream(&there, HOA, "2").await;
    follow(&thief, &set.scene.request(&[])).await.expect(200);
    thief.get(&back).await.expect(410);
    // Where it belongs it serves once.
    citizen.get(&back).await.expect(303);
    citizen.get(&back).await.expect(400);
    assert_eq!(set.scene.world.count("session").await, 1);

    // Changed on its way: another issuer, none, another state, somebody else's code.
    for change in ["iss=https%3A%2F%2Fevil.example", "iss="] {
        let citizen = set.scene.world.stranger();
        let there = set.depart(&citizen).await;
        let back = set.at_upstream(&there, HOA, "2").await;
        let at = back.find("iss=").unwrap();
        citizen.get(&format!("{}{change}", &back[..at])).await.expect(400);
    }
    let citizen = set.scene.world.stranger();
    let (mine, theirs) = (set.depart(&citizen).await, set.depart(&thief).await);
    let (mine, theirs) =
        (set.at_upstream(&mine, HOA, "2").await, set.at_upstream(&theirs, LOCKED, "2").await);
    let part = |back: &str, name: &str| {
        let pairs: Vec<(String, String)> = Url::parse(back).unwrap().query_pairs().into_owned().collect();
        value(&pairs, name)
    };
    let mixed = mine.replace(&part(&mine, "code"), &part(&theirs, "code"));
    citizen.get(&mixed).await.expect(400);
    citizen.get("/sign-in/national-id/callback?state=x&code=y").await.expect(410);
    citizen.get("/sign-in/national-id/callback").await.expect(410);

    // Late: the trip is over.
    let late = set.scene.world.stranger();
    let there = set.depart(&late).await;
    set.scene.world.later(Duration::from_secs(10 * 60));
    let back = set.at_upstream(&there, HOA, "2").await;
    late.get(&back).await.expect(400);
    assert_eq!(set.scene.world.count("session").await, 1);
}

#[tokio::test]
async fn what_is_not_signed_for_us_now_and_for_this_sign_in_is_not_believed() {
    let set = set(Assurance::High).await;
    for fault in ["wrong_nonce", "wrong_audience", "wrong_issuer", "stranger_key", "other_subject", "expired"]
    {
        set.upstream.set_fault(Some(fault));
        let citizen = set.scene.world.stranger();
        let there = set.depart(&citizen).await;
        let back = set.at_upstream(&there, HOA, "2").await;
        let page = citizen.get(&back).await;
        assert_eq!(page.status, 400, "{fault}: {}", page.text());
    }
    let tables = ["session", "national_id_account", "account_level_report"];
    for table in tables {
        assert_eq!(set.scene.world.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn an_account_is_one_citizens_and_whoever_the_register_bars_stays_out() {
    let set = set(Assurance::High).await;
    let citizen = set.scene.world.stranger();
    // Locked, unknown, turned back.
    set.through(&citizen, LOCKED, "2").await.expect(403);
    set.through(&set.scene.world.stranger(), NOBODY, "2").await.expect(403);
    let turned = set.scene.world.stranger();
    let there = set.depart(&turned).await;
    let back = set.at_upstream(&there, "079085999999", "2").await;
    assert!(back.contains("error=access_denied"), "{back}");
    let answer = turned.get(&back).await.expect(303);
    assert!(follow(&turned, &answer.location()).await.text().contains("/national-id\""));
    // The same number with another person's name is another person.
    let add = async |account: serde_json::Value| {
        let at = format!("{}/script/national-id/accounts", set.origin);
        set.scene.world.stranger().post_json(&at, &account).await.expect(204);
    };
    add(serde_json::json!({ "number": HOA, "name": "LÊ THỊ KHÁC", "birth_date": "15/03/1985", "level": 2 }))
        .await;
    set.through(&set.scene.world.stranger(), HOA, "2").await.expect(403);
    assert_eq!(set.scene.world.count("audit_leaf where kind = 'national_id.refused'").await, 1);
    assert_eq!(set.scene.world.count("session").await, 0);
    // An account that was one citizen's never becomes another's.
    let hoa = serde_json::json!({
        "number": HOA, "name": "Nguyễn Thị Hòa", "birth_date": "15/03/1985", "level": 2, "tech_id": "T1"
    });
    add(hoa).await;
    set.through(&set.scene.world.stranger(), HOA, "2").await.expect(200);
    let moved = serde_json::json!({
        "number": "079085000458", "name": "Lê Văn Khác", "birth_date": "01/05/1985", "level": 2, "tech_id": "T1"
    });
    add(moved).await;
    set.through(&set.scene.world.stranger(), "079085000458", "2").await.expect(403);
    assert_eq!(set.scene.world.count("session").await, 1);
}
