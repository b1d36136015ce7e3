//! Agencies, clients and roles over the API: registered once, suspended at once, granted to nobody by themselves.

use crate::office::{Office, new_bill};
use crate::world::{Actor, Answer, TestApp};
use chung::base::id::{self, Id};
use chung::flow::roles::{Granting, agencies_of, grant_role};
use chung::identity::{personal_number::PersonalNumber, role::Role};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const ADMINISTRATOR: &str = "079185000456";
const OFFICER: &str = "079085000457";
const NOBODY: &str = "079085000999";

/// An administering agency with one administrator, made from the command line, and its system.
struct Scene {
    world: TestApp,
    office: Office,
    system: Actor,
}

/// A key for an act that is done once.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Scene {
    async fn set() -> Self {
        let world = TestApp::start().await;
        world
            .register(&[
                "079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
                "079085000457,,Trần Văn Minh,1985,male,0912345219,79,active,,2,",
            ])
            .await;
        let office = Office::open(&world, "H29.14").await;
        let system = office.system(&world, "admin");
        let first = granting(ADMINISTRATOR, Role::Administrator, "H29.14");
        grant_role(&world.app, &first).await.unwrap();
        // Lists are ordered by time, so what follows is later.
        world.later(Duration::from_secs(1));
        Self { world, office, system }
    }

    /// Does something, always under the same key.
    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.system.post_once(path, path, body).await
    }

    /// Grants a role at the administering agency.
    async fn grant(&self, role: &str, changes: Value) -> Answer {
        let agency = self.office.agency.to_string();
        let mut body =
            json!({ "number": OFFICER, "role": role, "agency": agency, "administrator": ADMINISTRATOR });
        let members = changes.as_object().cloned().unwrap_or_default();
        body.as_object_mut().unwrap().extend(members);
        self.system.post_once("/v1/roles", &fresh(), &body).await
    }

    async fn held(&self, grant: &Value) -> Vec<Role> {
        let holder: Id<id::Citizen> = grant["holder"].as_str().unwrap().parse().unwrap();
        let held = agencies_of(&self.world.app, holder, &Role::ALL).await.unwrap();
        held.into_iter().map(|(_, role)| role).collect()
    }
}

fn granting(number: &str, role: Role, agency: &str) -> Granting {
    let number: PersonalNumber = number.parse().unwrap();
    Granting { number, role, agency_code: agency.to_owned(), from: None, to: None, by: None }
}

fn new_agency(code: &str) -> Value {
    json!({
        "code": code,
        "name": { "vi": "Sở Giao thông vận tải", "en": "Department of Transport" },
        "accounts": {
            "phi": { "bank": "970405", "number": "99887766", "holder": "KHO BAC NHA NUOC" },
            "le_phi": { "bank": "970405", "number": "99887766", "holder": "KHO BAC NHA NUOC" },
        },
    })
}

fn new_system(agency: &Value) -> Value {
    json!({
        "agency": agency,
        "name": { "vi": "Phần mềm một cửa", "en": "One-stop software" },
        "profile": "basic",
        "scopes": ["bill", "receipt.read"],
    })
}

/// The answer of the token endpoint to a client's own credentials.
async fn token(world: &TestApp, client: &Value, secret: &str) -> Answer {
    let program = world.stranger();
    let resource = world.at("/v1");
    let form = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
    let request = program.request(reqwest::Method::POST, "/oidc/token");
    program.send(request.basic_auth(client.as_str().unwrap(), Some(secret)).form(&form)).await
}

#[tokio::test]
async fn a_registered_agency_charges_through_a_registered_client_until_it_is_suspended() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let agency = scene.post("/v1/agencies", &new_agency("H29.20")).await.expect(201).json();
    let client = scene.post("/v1/clients", &new_system(&agency["id"])).await.expect(201).json();
    let secret = client["secret"].as_str().unwrap();
    let granted = token(world, &client["id"], secret).await.expect(200).json();
    let program = world.stranger().with_bearer(granted["access_token"].as_str().unwrap());
    program.post_once("/v1/bills", "one", &new_bill()).await.expect(201);

    // The token lives on; what it is worth ends with the decision.
    let client_at = |verb: &str| format!("/v1/clients/{}/{verb}", client["id"].as_str().unwrap());
    let agency_at = |verb: &str| format!("/v1/agencies/{}/{verb}", agency["id"].as_str().unwrap());
    let stopped = ["client_suspended", "agency_suspended"];
    for (place, why) in [&client_at as &dyn Fn(&str) -> String, &agency_at].into_iter().zip(stopped) {
        let suspended =
            scene.system.post_once(&place("suspend"), &place("suspend"), &json!({})).await.expect(200);
        assert_eq!(suspended.json()["state"], "suspended");
        program.post_once("/v1/bills", &fresh(), &new_bill()).await.expect_refusal(403, why);
        assert_eq!(token(world, &client["id"], secret).await.status, 401);
        scene.system.post_once(&place("resume"), &place("resume"), &json!({})).await.expect(200);
        program.get("/v1/bills").await.expect(200);
    }
    let leaves = world.dump("audit_leaf").await;
    for kind in [
        "agency.registered",
        "agency.suspended",
        "agency.readmitted",
        "client.registered",
        "client.suspended",
        "client.readmitted",
    ] {
        assert!(leaves.contains(kind), "no leaf {kind}");
    }
    let listed = scene.system.get("/v1/agencies?limit=1").await.expect(200).json();
    // What is read says from when it is valid, beside what was answered then.
    let mut found = listed["items"][0].clone();
    for said in ["valid_from", "valid_to", "successors"] {
        found.as_object_mut().unwrap().remove(said).unwrap();
    }
    assert_eq!((&found, &listed["next"]), (&agency, &agency["id"]));
    let rest = format!("/v1/agencies?after={}", agency["id"].as_str().unwrap());
    assert_eq!(scene.system.get(&rest).await.expect(200).json()["items"][0]["code"], "H29.14");
    let of_agency = format!("/v1/clients?agency={}", agency["id"].as_str().unwrap());
    let clients = scene.system.get(&of_agency).await.expect(200).json();
    assert_eq!(clients["items"].as_array().unwrap().len(), 1);
    assert_eq!(clients["items"][0]["id"], client["id"]);
    let path = format!("/v1/agencies/{}", agency["id"].as_str().unwrap());
    assert_eq!(scene.system.get(&path).await.expect(200).json(), listed["items"][0]);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_never_kept() {
    let scene = Scene::set().await;
    let agency = json!(scene.office.agency.to_string());
    let first = scene.post("/v1/clients", &new_system(&agency)).await.expect(201).json();
    let again = scene.post("/v1/clients", &new_system(&agency)).await.expect(201).json();
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
    let path = format!("/v1/clients/{}", first["id"].as_str().unwrap());
    assert_eq!(scene.system.get(&path).await.expect(200).json(), again);
    let secret = first["secret"].as_str().unwrap();
    for table in ["client", "idempotency_key", "audit_detail"] {
        assert!(!scene.world.dump(table).await.contains(secret), "{table} shows the secret");
    }
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_by_name() {
    let scene = Scene::set().await;
    scene
        .system
        .post_once("/v1/agencies", &fresh(), &new_agency("H29.14"))
        .await
        .expect_refusal(409, "agency_code_taken");
    for (place, value) in [
        ("/code", json!("h29.1")),
        ("/code", json!("H29..1")),
        ("/code", json!("../../x")),
        ("/name/vi", json!("")),
        ("/name/en", json!("De\u{202E}partment")),
        ("/accounts/phi/number", json!("12 34")),
    ] {
        let mut body = new_agency("H29.21");
        *body.pointer_mut(place).unwrap() = value;
        scene.system.post_once("/v1/agencies", &fresh(), &body).await.expect_refusal(400, "invalid_body");
    }
    let agency = json!(scene.office.agency.to_string());
    let changes = [
        json!({ "agency": "agency_019ab3bf9fee7f8091a2b3c4d5e6f708" }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["everything"] }),
        // A leaked token must not make others like it.
        json!({ "scopes": ["admin"] }),
        json!({ "scopes": ["bill", "admin.read"] }),
        json!({ "jwks": { "keys": "none" } }),
        json!({ "redirect_uris": ["http://portal.example/"] }),
        json!({ "redirect_uris": ["https://portal.example/"] }),
        json!({ "redirect_uris": ["https://portal.example/"], "sector": "HCMC", "purpose": { "vi": "x", "en": "x" } }),
        json!({ "claims": { "by_consent": ["personal_number"] } }),
        json!({ "claims": { "by_law": { "shoe_size": "Nghị định 1" } } }),
        json!({ "expires_at": "2026-11-24T01:00:00Z" }),
        json!({ "expires_at": "tomorrow" }),
        json!({ "secret": "mine" }),
    ];
    for change in changes {
        let mut body = new_system(&agency);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        scene.system.post_once("/v1/clients", &fresh(), &body).await.expect_refusal(400, "invalid_body");
    }
    assert_eq!((scene.world.count("agency").await, scene.world.count("client").await), (1, 1));
}

#[tokio::test]
async fn nobody_suspends_themselves() {
    let scene = Scene::set().await;
    let own =
        [format!("/v1/clients/{}", scene.office.client), format!("/v1/agencies/{}", scene.office.agency)];
    for path in own {
        let suspend = format!("{path}/suspend");
        scene.system.post_once(&suspend, &fresh(), &json!({})).await.expect_refusal(403, "own_act");
        assert_eq!(scene.system.get(&path).await.expect(200).json()["state"], "active");
    }
}

#[tokio::test]
async fn an_administrator_grants_roles_to_others_for_a_time_and_takes_them_back() {
    let scene = Scene::set().await;
    let to = json!({ "valid_from": "2026-11-25", "valid_to": "2026-11-30" });
    let grant = scene.grant("cashier", to).await.expect(201).json();
    assert_eq!(
        (&grant["role"], &grant["valid_to"], &grant["revoked_at"]),
        (&json!("cashier"), &json!("2026-11-30"), &Value::Null)
    );
    assert!(scene.held(&grant).await.is_empty(), "it has not begun");
    // Seventeen hours from nine in the morning.
    scene.world.later(Duration::from_secs(17 * 3_600));
    assert_eq!(scene.held(&grant).await, [Role::Cashier]);

    let revoke = format!("/v1/roles/{}/revoke", grant["id"].as_str().unwrap());
    let by = |number: &str| json!({ "administrator": number });
    scene.system.post_once(&revoke, "r0", &by(OFFICER)).await.expect_refusal(403, "administrator_needed");
    let revoked = scene.system.post_once(&revoke, "r", &by(ADMINISTRATOR)).await.expect(200).json();
    assert!(revoked["revoked_at"].is_string());
    assert!(scene.held(&grant).await.is_empty());
    assert_eq!(scene.system.post_once(&revoke, "r", &by(ADMINISTRATOR)).await.expect(200).json(), revoked);

    let listed = scene.system.get("/v1/roles").await.expect(200).json();
    let roles: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["role"]).collect();
    assert_eq!(roles, ["cashier", "administrator"]);
    assert!(!listed.to_string().contains(OFFICER), "a personal number travels");
    let leaves = scene.world.dump("audit_leaf").await;
    assert!(leaves.contains("role.granted") && leaves.contains("role.revoked"));
}

#[tokio::test]
async fn a_role_ends_with_its_last_day_and_may_be_granted_again() {
    let mut scene = Scene::set().await;
    let grant = scene.grant("officer", json!({ "valid_to": "2026-11-25" })).await.expect(201).json();
    scene.grant("officer", json!({})).await.expect_refusal(409, "role_held_already");
    // Half an hour before midnight in Vietnam, and half an hour after.
    scene.world.later(Duration::from_secs(38 * 3_600 + 1_800));
    assert_eq!(scene.held(&grant).await, [Role::Officer]);
    scene.world.later(Duration::from_secs(3_600));
    assert!(scene.held(&grant).await.is_empty());
    scene.system = scene.office.system(&scene.world, "admin");
    let again = scene.grant("officer", json!({})).await.expect(201).json();
    assert_eq!(again["valid_from"], "2026-11-26");
    assert_eq!(scene.held(&again).await, [Role::Officer]);
}

#[tokio::test]
async fn duties_stay_apart_and_nobody_grants_to_themselves() {
    let scene = Scene::set().await;
    let own = json!({ "number": ADMINISTRATOR });
    scene.grant("accountant", own).await.expect_refusal(403, "own_act");
    let not_one = json!({ "administrator": NOBODY });
    scene.grant("accountant", not_one).await.expect_refusal(403, "administrator_needed");
    let themselves = json!({ "administrator": OFFICER });
    scene.grant("accountant", themselves).await.expect_refusal(403, "administrator_needed");
    scene.grant("accountant", json!({ "number": NOBODY })).await.expect_refusal(422, "holder_unknown");
    for wrong in [
        json!({ "number": "1" }),
        json!({ "agency": "agency_019ab3bf9fee7f8091a2b3c4d5e6f708" }),
        json!({ "valid_to": "2026-11-23" }),
        json!({ "valid_from": "2026-11-23" }),
        json!({ "role": "king" }),
    ] {
        scene.grant("accountant", wrong).await.expect_refusal(400, "invalid_body");
    }
    // A refusal does not use the key up, not even for a moment.
    let agency = scene.office.agency.to_string();
    let mut body = json!({ "number": OFFICER, "role": "auditor", "agency": agency, "administrator": NOBODY });
    scene.system.post_once("/v1/roles", "same", &body).await.expect_refusal(403, "administrator_needed");
    body["administrator"] = json!(ADMINISTRATOR);
    scene.system.post_once("/v1/roles", "same", &body).await.expect(201);
    let from = json!({ "valid_from": "2026-12-01" });
    let grant = scene.grant("accountant", from).await.expect(201).json();
    let refused = scene.grant("cashier", json!({})).await.expect_refusal(409, "roles_exclude_each_other");
    assert_eq!(refused.json()["about"], grant["id"]);
    // Until the day before, both are possible.
    scene.grant("cashier", json!({ "valid_to": "2026-11-30" })).await.expect(201);
    scene.grant("approver", json!({})).await.expect_refusal(409, "roles_exclude_each_other");

    // Administrators of another agency have no say here, unless it is the one that administers.
    let other = Office::open(&scene.world, "H29.15").await;
    grant_role(&scene.world.app, &granting(OFFICER, Role::Administrator, "H29.15")).await.unwrap();
    let body = json!({ "administrator": OFFICER, "number": ADMINISTRATOR });
    scene.grant("auditor", body).await.expect_refusal(403, "administrator_needed");
    let there =
        json!({ "agency": other.agency.to_string(), "administrator": OFFICER, "number": ADMINISTRATOR });
    scene.grant("auditor", there).await.expect(201);
}

#[tokio::test]
async fn of_two_grants_that_exclude_each_other_one_wins() {
    let scene = Scene::set().await;
    let (one, two) = tokio::join!(scene.grant("cashier", json!({})), scene.grant("approver", json!({})));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let (one, two) = tokio::join!(scene.grant("officer", json!({})), scene.grant("officer", json!({})));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn the_public_keys_are_listed_and_no_private_one() {
    let scene = Scene::set().await;
    let listed = scene.system.get("/v1/keys").await.expect(200);
    assert!(!listed.text().contains("\"d\""));
    let keys = listed.json();
    for purpose in ["token", "record", "message"] {
        let of = |key: &&Value| key["purpose"] == purpose && key["signs"] == true;
        assert_eq!(keys["items"].as_array().unwrap().iter().filter(of).count(), 1, "{purpose}");
    }
    let published = scene.world.stranger().get("/oidc/jwks").await.expect(200).json();
    let kid = &published["keys"][0]["kid"];
    assert!(keys["items"].as_array().unwrap().iter().any(|key| &key["kid"] == kid));
}
