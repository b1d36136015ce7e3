//! What a citizen consented to is delivered once, signed, and shows in the citizen's history.

use super::*;
use chung::crypto::{jwt, keyring::Purpose};
use chung::flow::deliver_kyc::TYP;

async fn deliver(scene: &Scene, token: &str) -> Answer {
    let portal = scene.world.stranger().with_bearer(token.to_owned());
    portal.send(portal.request(reqwest::Method::POST, "/oidc/kyc")).await
}

#[tokio::test]
async fn consented_claims_are_delivered_once_as_a_signed_token() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let token = scene.exchange(&code, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    let signed = deliver(&scene, &token).await.expect(200);
    assert_eq!(signed.headers["content-type"], "application/jwt");
    let keys = scene.world.app.keys.published(Purpose::Record);
    let said: Value = jwt::verify(&signed.text(), TYP, keys).unwrap();
    assert_eq!(said["aud"], scene.portal.id);
    assert_eq!(said["claims"]["name"], "Nguyễn Thị Hòa");
    assert_eq!(said["claims"]["personal_number"], HOA);
    assert_eq!(said["claims"]["phone_number"], HOA_PHONE);
    assert!(said["claims"].get("birthdate").is_none(), "not what no consent covers: {said}");
    assert_eq!((&said["purpose"], said["consent"].is_string()), (&"nộp hồ sơ".into(), true));

    let again = deliver(&scene, &token).await.expect(400).json();
    assert_eq!(again["error"], "kyc_delivered");
    let page = citizen.get("/me").await.expect(200).text();
    assert!(page.contains("Cổng nhận bản xác nhận thông tin có ký số"), "{page}");
    deliver(&scene, "nonsense").await.expect(401);
    // A new consent is a new delivery.
    let other = scene.world.stranger();
    let code = scene.signed_in(&other).await;
    let token = scene.exchange(&code, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    deliver(&scene, &token).await.expect(200);
}

#[tokio::test]
async fn whoever_is_locked_or_whose_portal_is_suspended_has_nothing_delivered() {
    let scene = Scene::set().await;
    let code = scene.signed_in(&scene.world.stranger()).await;
    let token = scene.exchange(&code, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    scene
        .world
        .register(&["079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,locked,,2,"])
        .await;
    deliver(&scene, &token).await.expect(401);
    scene
        .world
        .register(&["079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,"])
        .await;
    scene.world.sql("update client set state = 'suspended'").await.unwrap();
    deliver(&scene, &token).await.expect(401);
    assert_eq!(scene.world.count("kyc_delivery").await, 0);
}
