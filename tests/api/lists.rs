//! Every list that has pages: walked one object at a time by its cursor it shows what it shows at once, each object once.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant};
use crate::central_bank::{entry, notification};
use crate::closings;
use crate::office::{ACCOUNT, Office};
use crate::payouts::Scene;
use crate::webhooks::{Mood, Receiver, cancelled, register, tell};
use crate::world::Actor;
use chung::base::{calendar::Day, clock::Clock};
use chung::flow::{
    delegation_rules::{SAMPLE, import_rules},
    pass_on::pass_on,
};
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many objects a list has, each seen once on the way from page to page.
async fn walked(system: &Actor, path: &str) -> usize {
    let whole = system.get(&format!("{path}?limit=200")).await.expect(200).json();
    let all = whole["items"].as_array().unwrap().clone();
    let (mut seen, mut address) = (Vec::new(), format!("{path}?limit=1"));
    loop {
        let page = system.get(&address).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 1, "{path}: {page}");
        seen.extend(items.iter().cloned());
        let Some(after) = page["next"].as_str() else { break };
        assert!(seen.len() <= all.len(), "{path} has no end");
        address = format!("{path}?limit=1&after={after}");
    }
    assert_eq!(seen, all, "{path}");
    all.len()
}

impl Scene {
    /// A mandate that the clerk records from a certified paper.
    async fn mandate(&self, number: &str) -> Value {
        let body = json!({
            "principal": { "number": NOBODY.0, "name": "Lê Văn Lạ" },
            "delegate": { "person": { "number": AUDITOR.0, "name": "Trần Văn Khỏe" } },
            "acts": ["apply", "receive"], "procedures": ["2.000488"], "valid_to": "2026-12-31",
            "paper": { "certifier": "UBND phường Bến Nghé", "number": number, "certified_on": "2026-11-20" },
            "officer": ACCOUNTANT.0,
        });
        let system = self.office.system(&self.world, "mandate");
        system.post_once("/v1/mandates", number, &body).await.expect(201).json()
    }

    /// A refund of a thousand đồng of a bill that was paid.
    async fn refund(&self, bill: &Value, key: &str) -> Value {
        let body = json!({
            "bill": bill["id"], "reason": "agency_error", "words": "x", "officer": ACCOUNTANT.0,
            "amount": { "amount": "1000", "currency": "VND" },
        });
        self.office
            .system(&self.world, "refund")
            .post_once("/v1/refunds", key, &body)
            .await
            .expect(201)
            .json()
    }

    /// Several of everything: bills paid on two days and passed on, money that waits, refunds, mandates.
    async fn with_several_of_everything() -> Self {
        let mut scene = Self::set().await;
        import_rules(&scene.world.app, SAMPLE).await.unwrap();
        grant(&scene.world, ACCOUNTANT.0, Role::Officer).await;
        scene.rules(&[("phi", "37110001"), ("retained", "37140001"), ("le_phi", "7111")]).await;
        scene.pay_and_match().await;
        let first = scene.bill.clone();
        let system = scene.office.system(&scene.world, "bill");
        for n in 2..=3_u128 {
            let key = format!("k{n}");
            let bill =
                system.post_once("/v1/bills", &key, &crate::payouts::new_bill()).await.expect(201).json();
            let payment = crate::payments::start(&scene.world, &scene.office, &bill).await;
            let told = scene.world.credit(10 + n, &format!("R{n}"), 150_000, &payment);
            scene.world.tell(&told).await.expect(200);
            let waits = entry(&format!("W{n}"), 7_000, None, scene.world.clock.now());
            scene
                .world
                .tell(&notification(20 + n, ACCOUNT, vec![waits], scene.world.clock.now()))
                .await
                .expect(200);
            scene.refund(&bill, &format!("refund-{n}")).await;
            scene.mandate(&format!("{n}/2026")).await;
        }
        scene.bill = first;
        pass_on(&scene.world.app).await.unwrap();
        let day = Day::of(scene.world.clock.now());
        scene.world.later(Duration::from_secs(86_400));
        scene.match_day(day).await;
        scene
    }
}

#[tokio::test]
async fn a_list_is_walked_by_its_cursor_past_the_first_page() {
    let scene = Scene::with_several_of_everything().await;
    let endpoint = |n: u32| json!({ "url": format!("https://agency.example/{n}"), "types": ["bill.paid"] });
    let events = scene.office.system(&scene.world, "event");
    for n in 1..=2 {
        let answer = events.post_once("/v1/events/endpoints", &n.to_string(), &endpoint(n)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    scene.world.insert_client(uuid::Uuid::from_u128(77), scene.office.agency.uuid()).await;
    for (path, scope, least) in [
        ("/v1/bills", "bill.read", 3),
        ("/v1/receipts", "receipt.read", 3),
        ("/v1/receipts/signed", "receipt.read", 3),
        ("/v1/statements", "statement.read", 2),
        ("/v1/payouts", "statement.read", 3),
        ("/v1/refunds", "refund.read", 2),
        ("/v1/cases", "case.read", 2),
        ("/v1/events", "event.read", 5),
        ("/v1/events/endpoints", "event.read", 2),
        ("/v1/mandates", "mandate.read", 2),
        ("/v1/clients", "admin.read", 2),
        ("/v1/roles", "admin.read", 3),
    ] {
        let many = walked(&scene.office.system(&scene.world, scope), path).await;
        assert!(many >= least, "{path} has {many}");
    }
    // A cursor of another agency shows nothing of it, and one that is none is refused.
    let other = Office::open(&scene.world, "H29.150").await;
    let after = format!("/v1/bills?limit=1&after={}", scene.bill["id"].as_str().unwrap());
    let theirs = other.system(&scene.world, "bill.read").get(&after).await;
    assert_eq!(theirs.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn what_another_agency_really_has_is_not_there() {
    let scene = Scene::with_several_of_everything().await;
    let world = &scene.world;
    let read = async |path: &str, scope: &str| {
        scene.office.system(world, scope).get(path).await.expect(200).json()["items"][0]["id"].clone()
    };
    let of_bill = format!("/v1/payments?bill={}", scene.bill["id"].as_str().unwrap());
    let other = Office::open(world, "H29.150").await;
    for (kind, id, scope) in [
        ("payments", read(&of_bill, "payment.read").await, "payment"),
        ("refunds", read("/v1/refunds", "refund.read").await, "refund"),
        ("payouts", read("/v1/payouts", "statement.read").await, "statement"),
        ("mandates", read("/v1/mandates", "mandate.read").await, "mandate"),
        ("receipts", read("/v1/receipts", "receipt.read").await, "receipt"),
        ("cases", read("/v1/cases", "case.read").await, "case"),
        ("statements", read("/v1/statements", "statement.read").await, "statement"),
    ] {
        let (path, reading) = (format!("/v1/{kind}/{}", id.as_str().unwrap()), format!("{scope}.read"));
        scene.office.system(world, &reading).get(&path).await.expect(200);
        let answer = other.system(world, &reading).get(&path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        answer.expect_refusal(404, "not_found");
    }
    let mandate = read("/v1/mandates", "mandate.read").await;
    let path = format!("/v1/mandates/{}/revoke", mandate.as_str().unwrap());
    let body = json!({ "officer": ACCOUNTANT.0 });
    let theirs = other.system(world, "mandate").post_once(&path, "r", &body).await;
    assert!([403, 404].contains(&theirs.status), "{}", theirs.text());
    let mine = format!("/v1/mandates/{}", mandate.as_str().unwrap());
    let read = scene.office.system(world, "mandate.read").get(&mine).await.expect(200).json();
    assert_eq!(read["status"], "offered", "{read}");
}

#[tokio::test]
async fn what_administrators_endpoints_and_accountants_list_is_walked_in_the_same_way() {
    let (world, office, _) = closings::set().await;
    let receiver = Receiver::start().await;
    let endpoint = register(&world, &office, &receiver.url, &[]).await;
    receiver.feels(Mood::Fails);
    for key in ["a", "b", "c"] {
        cancelled(&world, &office, key).await;
        let alert = format!(
            "insert into portal_alert (id, client_id, agency_id, at, answered, misses, until)
             values (gen_random_uuid(), '{}', '{}', '2026-11-25T02:00Z', 3, 3, '2026-11-25T03:00Z')",
            office.client.uuid(),
            office.agency.uuid()
        );
        world.sql(&alert).await.unwrap();
    }
    tell(&world.app).await;
    for day in ["2026-11-24", "2026-11-25"] {
        let body = json!({ "account": ACCOUNT, "day": day });
        office.system(&world, "statement").post_once("/v1/statements", day, &body).await.expect(200);
        let accountant = at_board(&world, ACCOUNTANT).await;
        closings::prepare(&accountant, &office, "day", day).await.expect(303);
        world.later(Duration::from_secs(86_400));
    }
    Office::open(&world, "H29.15").await;
    let deliveries = format!("/v1/events/endpoints/{}/deliveries", endpoint["id"].as_str().unwrap());
    for (path, scope, many) in [
        ("/v1/closings", "statement.read", 2),
        ("/v1/agencies", "admin.read", 2),
        ("/v1/alerts", "admin.read", 3),
        (&*deliveries, "event.read", 3),
    ] {
        assert_eq!(walked(&office.system(&world, scope), path).await, many, "{path}");
    }
}

#[tokio::test]
async fn a_statement_of_more_lines_than_a_page_is_read_to_its_end() {
    let (world, office, _) = closings::set().await;
    let movement = |n: i64| entry(&format!("N{n}"), 1_000 + n, None, world.clock.now());
    world.bank.movements.lock().unwrap().extend((0..450).map(movement));
    world.later(Duration::from_secs(86_400));
    let body = json!({ "account": ACCOUNT, "day": "2026-11-25" });
    let system = office.system(&world, "statement statement.read case.read");
    let told = system.post_once("/v1/statements", "s", &body).await.expect(200).json();
    let lines = format!("/v1/statements/{}/lines", told["id"].as_str().unwrap());
    let (mut seen, mut address, mut pages) = (Vec::new(), lines.clone(), 0);
    loop {
        let page = system.get(&address).await.expect(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|line| line["line"].clone()));
        pages += 1;
        let Some(after) = page["next"].as_str() else { break };
        address = format!("{lines}?after={after}");
    }
    let each: BTreeSet<String> = seen.iter().map(Value::to_string).collect();
    assert_eq!((seen.len(), each.len(), pages > 1), (450, 450, true));
    // Each of them is a case, and these have pages too.
    let (mut cases, mut address) = (BTreeSet::new(), "/v1/cases?limit=200".to_owned());
    loop {
        let page = system.get(&address).await.expect(200).json();
        for case in page["items"].as_array().unwrap() {
            assert!(cases.insert(case["id"].to_string()), "{case} came twice");
        }
        let Some(after) = page["next"].as_str() else { break };
        address = format!("/v1/cases?limit=200&after={after}");
    }
    assert_eq!(cases.len(), 450);
}
