//! Agencies merge, and citizens stay who they are: a successor inherits its predecessors' subjects, or is handed a
//! signed map of them, once.

use super::*;
use crate::office::Office;
use chung::base::id::{self, Id};
use chung::crypto::{jwt, keyring::Purpose};
use chung::identity::profile::Terms;
use serde_json::json;

/// The subject under which a portal knows the citizen of that browser.
async fn subject_at(scene: Scene, portal: &Portal, citizen: &Actor) -> (Scene, String) {
    let portal = Portal { id: portal.id.clone(), secret: portal.secret.clone() };
    let before = scene.portal;
    let scene = Scene { portal, world: scene.world };
    let page = follow(citizen, &scene.request(&[])).await.expect(200);
    let code = value(&scene.consent(citizen, &page, "allow", &[]).await, "code");
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let subject = claims(tokens["id_token"].as_str().unwrap())["sub"].as_str().unwrap().to_owned();
    (Scene { portal: before, world: scene.world }, subject)
}

async fn on_terms(world: &TestApp, sector: &str, terms: Terms) -> Portal {
    let registered = registered_with(world, sector, None, terms).await;
    Portal { id: registered.client.to_string(), secret: registered.secret.unwrap().expose().to_owned() }
}

fn client(portal: &Portal) -> Id<id::Client> {
    portal.id.parse().unwrap()
}

#[tokio::test]
async fn a_successor_goes_on_using_its_predecessors_subjects() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let old = on_terms(&scene.world, "transport", Terms::basic()).await;
    let (scene, before) = subject_at(scene, &old, &citizen).await;
    let terms = Terms {
        predecessors: vec![client(&old)],
        inherits: vec!["transport".parse().unwrap()],
        ..Terms::basic()
    };
    let new = on_terms(&scene.world, "construction", terms).await;
    let (scene, after) = subject_at(scene, &new, &citizen).await;
    assert_eq!(before, after);
    let stranger = on_terms(&scene.world, "elsewhere", Terms::basic()).await;
    let (_, other) = subject_at(scene, &stranger, &citizen).await;
    assert_ne!(before, other, "whoever does not follow learns nothing");
}

#[tokio::test]
async fn a_successor_is_handed_a_signed_map_of_its_predecessors_subjects_once() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let old = on_terms(&scene.world, "transport", Terms::basic()).await;
    let (scene, before) = subject_at(scene, &old, &citizen).await;
    let office = Office::open(&scene.world, "H29.99").await;
    let system = office.system(&scene.world, "admin");
    let body = json!({
        "agency": office.agency.to_string(), "profile": "basic", "sector": "construction",
        "name": { "vi": "Cổng xây dựng", "en": "Construction portal" },
        "purpose": { "vi": "nộp hồ sơ", "en": "file dossiers" },
        "redirect_uris": [CALLBACK], "predecessors": [old.id.as_str()],
    });
    let new = system.post_once("/v1/clients", "new", &body).await.expect(201).json();
    assert_eq!((&new["predecessors"], &new["inherits"]), (&json!([old.id.as_str()]), &json!([])));
    let path = format!("/v1/clients/{}/subject-map", new["id"].as_str().unwrap());
    let asked = json!({ "predecessor": old.id.as_str() });
    let first = system.post_once(&path, "map", &asked).await.expect(200).json();
    assert_eq!(first["subjects"], 1);
    let keys = scene.world.app.keys.published(Purpose::Record);
    let map: Value = jwt::verify(first["map"].as_str().unwrap(), "subject-map+jwt", keys).unwrap();
    assert_eq!(map["aud"], new["id"]);
    let mapped = map["subjects"][&before].as_str().unwrap().to_owned();
    assert!(
        system.post_once(&path, "map", &asked).await.expect(200).json()["map"].is_null(),
        "a replay has none"
    );
    system.post_once(&path, "again", &asked).await.expect_refusal(409, "subject_map_taken");
    let foreign = json!({ "predecessor": scene.portal.id.as_str() });
    system.post_once(&path, "foreign", &foreign).await.expect_refusal(422, "subject_map_unfit");
    // The citizen arrives under the name that the map gave.
    let portal = Portal {
        id: new["id"].as_str().unwrap().to_owned(),
        secret: new["secret"].as_str().unwrap().to_owned(),
    };
    let (scene, after) = subject_at(scene, &portal, &citizen).await;
    assert_eq!(after, mapped);
    // Whoever inherits needs no map.
    let mut inheriting = body.clone();
    inheriting["sector"] = json!("inheriting");
    inheriting["subjects"] = json!("inherit");
    let heir = system.post_once("/v1/clients", "heir", &inheriting).await.expect(201).json();
    assert_eq!(heir["inherits"], json!(["transport"]));
    let path = format!("/v1/clients/{}/subject-map", heir["id"].as_str().unwrap());
    system.post_once(&path, "heir-map", &asked).await.expect_refusal(422, "subject_map_unfit");
    let portal = Portal {
        id: heir["id"].as_str().unwrap().to_owned(),
        secret: heir["secret"].as_str().unwrap().to_owned(),
    };
    let (_, inherited) = subject_at(scene, &portal, &citizen).await;
    assert_eq!(inherited, before);
}
