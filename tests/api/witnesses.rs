//! The heads of the audit log leave the operator's hands: to whom, how often, and how it shows when they do not arrive.

use crate::board::{ACCOUNTANT, at_board, grant, people};
use crate::office::Office;
use crate::webhooks::{Mood, Receiver};
use crate::world::TestApp;
use chung::audit::head::TreeHead;
use chung::crypto::signing::KeyList;
use chung::flow::sequence_audit::sequence_audit;
use chung::flow::witness_heads::{add_witness, read_witnesses, retire_witness, witness_heads};
use chung::identity::role::Role;
use std::sync::Arc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

/// An office whose decisions the log holds.
async fn set() -> (TestApp, Office) {
    let world = TestApp::start().await;
    people(&world).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    office.bill(&world, "k1").await;
    sequence_audit(&world.app).await.unwrap();
    (world, office)
}

#[tokio::test]
async fn a_head_goes_to_every_witness_once_an_hour_and_can_be_checked_there() {
    let (world, office) = set().await;
    let (treasury, audit) = (Receiver::start().await, Receiver::start().await);
    add_witness(&world.app, "Kho bạc Nhà nước", &treasury.url).await.unwrap();
    add_witness(&world.app, "Kiểm toán Nhà nước", &audit.url).await.unwrap();
    assert_eq!(witness_heads(&world.app).await.unwrap(), 2);
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    let told = treasury.heard()[0].json();
    let (first, issuer) = TreeHead::verify(told["tree_head"].as_str().unwrap(), &keys).unwrap();
    assert_eq!((told["size"].as_u64(), issuer.as_str()), (Some(first.size), world.app.origin.as_str()));
    assert_eq!(audit.heard()[0].json()["tree_head"], told["tree_head"]);

    // Nothing new, or not yet: nothing is sent.
    world.later(HOUR * 2);
    assert_eq!(witness_heads(&world.app).await.unwrap(), 0);
    office.bill(&world, "k2").await;
    sequence_audit(&world.app).await.unwrap();
    assert_eq!(witness_heads(&world.app).await.unwrap(), 2);
    office.bill(&world, "k3").await;
    sequence_audit(&world.app).await.unwrap();
    assert_eq!(witness_heads(&world.app).await.unwrap(), 0);
    let told = treasury.heard()[1].json();
    let (second, _) = TreeHead::verify(told["tree_head"].as_str().unwrap(), &keys).unwrap();
    assert!(second.size > first.size);
    let page = at_board(&world, ACCOUNTANT).await.get("/board/closings").await.expect(200).text();
    assert!(
        page.contains("Kho bạc Nhà nước") && page.contains(&format!("đầu nhật ký {}", second.size)),
        "{page}"
    );
}

#[tokio::test]
async fn what_does_not_arrive_is_tried_for_three_days_and_shows() {
    let (world, office) = set().await;
    let (well, dead) = (Receiver::start().await, Receiver::start().await);
    dead.feels(Mood::Fails);
    add_witness(&world.app, "Kho bạc Nhà nước", &well.url).await.unwrap();
    add_witness(&world.app, "Kiểm toán Nhà nước", &dead.url).await.unwrap();
    witness_heads(&world.app).await.unwrap();
    assert_eq!((well.heard().len(), dead.heard().len()), (1, 1));
    let page = at_board(&world, ACCOUNTANT).await.get("/board/closings").await.expect(200).text();
    assert!(page.contains("1 lần thử, lần cuối: http_500"), "{page}");
    for _ in 0..3 {
        world.later(HOUR * 7);
        witness_heads(&world.app).await.unwrap();
    }
    assert_eq!(dead.heard().len(), 4, "it is tried again");
    let sizes: Vec<_> = dead.heard().iter().map(|heard| heard.json()["size"].clone()).collect();
    assert!(sizes.iter().all(|size| *size == sizes[0]), "one head is on its way");
    assert_eq!(well.heard().len(), 1, "who has it is not told again");
    world.later(HOUR * 72);
    witness_heads(&world.app).await.unwrap();
    assert_eq!(world.count("head_sending where state = 'given_up'").await, 1);
    // What came later covers it.
    office.bill(&world, "k2").await;
    sequence_audit(&world.app).await.unwrap();
    world.later(HOUR * 2);
    dead.feels(Mood::Takes);
    witness_heads(&world.app).await.unwrap();
    let found = read_witnesses(&world.app).await.unwrap();
    assert!(found.iter().all(|witness| witness.told.is_some() && witness.waiting.is_none()), "{found:?}");

    retire_witness(&world.app, "Kiểm toán Nhà nước").await.unwrap();
    assert_eq!(retire_witness(&world.app, "Kiểm toán Nhà nước").await.unwrap_err().code(), "not_found");
    assert_eq!(read_witnesses(&world.app).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_witness_is_somebody_on_the_public_internet() {
    let (world, _) = set().await;
    let hooks = chung::partner::webhook::RemoteWebhooks::new(false, Duration::from_secs(1)).unwrap();
    let app = world.app.with(|parts| parts.webhooks = Arc::new(hooks));
    for (name, url) in [
        ("Kho bạc", "https://10.0.0.1/heads"),
        ("Kho bạc", "http://kho-bac.example/heads"),
        ("Kho bạc", "not an address"),
        (" ", "https://kho-bac.example/heads"),
    ] {
        assert!(add_witness(&app, name, url).await.is_err(), "{name} {url}");
    }
    assert_eq!(world.count("head_witness").await, 0);
}
