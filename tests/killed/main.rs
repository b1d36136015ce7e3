//! `kill -9` under load: payments settle at full speed, the service dies in the middle, twice; what it had acknowledged is
//! there, and once everything was sent again, each payment stands in the books exactly once. Asked to end, it finishes what is
//! under way, and says so to whoever sends it requests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod world;
mod yesterday;

use chung::audit::head::{self, TreeHead};
use chung::base::calendar::Day;
use chung::crypto::{jwt, keyring::Purpose};
use chung::flow::reconcile_statement::match_statement;
use chung::store::account::account_of_number;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::{ACCOUNT, KILLED_AFTER, PAYMENTS, World, http};
use yesterday::Yesterday;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_loses_and_doubles_nothing() {
    let mut world = World::build("killed").await;
    let letters = Arc::new(world.letters().await);
    let mut acknowledged = BTreeSet::new();
    for after in KILLED_AFTER {
        world.start().await;
        acknowledged.extend(world.send(&letters, Some(after)).await);
        assert!(acknowledged.len() < PAYMENTS, "the service was killed with messages under way");
        let there = world.settled().await;
        for reference in &acknowledged {
            assert_eq!(
                there.get(reference),
                Some(&1),
                "what was acknowledged is there before it is sent again"
            );
        }
    }
    world.start().await;
    assert_eq!(world.send(&letters, None).await.len(), PAYMENTS);

    let there = world.settled().await;
    assert_eq!((there.len(), there.values().all(|times| *times == 1)), (PAYMENTS, true));
    for what in [
        "credit",
        "bill where state = 'paid'",
        "payment where state = 'settled'",
        "ledger_entry where kind = 'settled'",
        "receipt",
        "(select distinct number from receipt) r",
        "outbox where name = 'bill.paid'",
        "receipt_series s join receipt r on s.last = (select count(*) from receipt)",
    ] {
        assert_eq!(world.count(what).await, PAYMENTS, "{what}");
    }
    let unbalanced = "(select entry_id from posting group by entry_id having sum(amount) <> 0) e";
    assert_eq!((world.count(unbalanced).await, world.count("suspense").await), (0, 0));

    // The program that an auditor runs says so too, and yesterday's statement has nothing left to explain.
    let verified = world.program().args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    // So it does against a head that was kept elsewhere, and it believes no other.
    let printed = world.program().args(["audit", "head"]).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let kept = world.folder.join("kept.head");
    fs::write(&kept, &printed.stdout).unwrap();
    let against = |file: &std::path::Path| {
        let output = world.program().args(["audit", "verify", "--head"]).arg(file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (holds, why) = against(&kept);
    assert!(holds, "{why}");
    let text = String::from_utf8(printed.stdout).unwrap();
    let keys = &world.app.keys;
    let (head, log) = TreeHead::verify(&text, keys.published(Purpose::Record)).unwrap();
    let signed = |head: TreeHead| jwt::sign(keys.signing(Purpose::Record), head::TYP, &head.claims(&log));
    let (bare, signature) = text.trim().rsplit_once('.').unwrap();
    for (what, other) in [
        ("another log of that size", signed(TreeHead { root: [7; 32], ..head })),
        ("a longer log", signed(TreeHead { size: head.size + 1_000, ..head })),
        ("nobody's signature", format!("{bare}.{}", signature.chars().rev().collect::<String>())),
    ] {
        fs::write(&kept, other).unwrap();
        let (holds, why) = against(&kept);
        assert!(!holds && why.contains("the audit log does not hold"), "{what}: {why}");
    }
    let (holds, why) = against(&world.folder.join("no.head"));
    assert!(!holds && why.contains("no.head"), "{why}");
    let bank = Yesterday(letters.iter().map(|letter| letter.entry.clone()).collect());
    let app = world.app.with(|parts| parts.clearing = Arc::new(bank));
    let mut tx = app.store.begin().await.unwrap();
    let account = account_of_number(&mut tx, ACCOUNT).await.unwrap().unwrap();
    drop(tx);
    let day = Day::of(app.clock.now()).plus_days(-1);
    let told = match_statement(&app, &account, day).await.unwrap();
    let found = &told["reconciliation"];
    assert_eq!(
        (&found["matched"], &found["differing"], &found["unexplained"]["amount"]),
        (&json!(PAYMENTS), &json!(0), &json!("0")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_finishes_what_is_under_way_and_says_that_it_stops() {
    let mut world = World::build("drained").await;
    world.start().await;
    let asked = async |path: &str| {
        let answer = http().get(format!("http://127.0.0.1:{}{path}", world.internal)).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    };
    assert_eq!(asked("/live").await, Some((200, "live\n".to_owned())));
    assert_eq!(asked("/ready").await, Some((200, "ready\n".to_owned())));
    let counted = asked("/metrics").await.unwrap().1;
    for line in [
        r#"chung_http_requests_total{method="GET",route="/.well-known/openid-configuration",status="200"} 1"#,
        r#"chung_http_request_seconds_bucket{method="GET",route="/.well-known/openid-configuration",le="0.001"}"#,
        r#"chung_database_connections{state="open"}"#,
    ] {
        assert!(counted.contains(line), "{line} in {counted}");
    }

    // Half of a request is there when the service is asked to end.
    let mut slow = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let head = "POST /oidc/token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\
                content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\r\na=";
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let process = Arc::clone(world.service.as_ref().unwrap());
    let id = process.lock().unwrap().id();
    assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
    let mut said = None;
    for _ in 0..100 {
        said = asked("/ready").await;
        if said.as_ref().is_some_and(|said| said.0 == 503) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(said, Some((503, "stopping\n".to_owned())));
    assert!(TcpStream::connect(("127.0.0.1", world.port)).await.is_err(), "nobody new is let in");
    slow.write_all(b"b").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_request"), "{answer}");
    let ended = tokio::task::spawn_blocking(move || process.lock().unwrap().wait().unwrap());
    assert!(ended.await.unwrap().success());
    assert_eq!(asked("/live").await, None);

    // Without its database it is alive and not ready.
    world.start().await;
    world.server.stop();
    let asked = http().get(format!("http://127.0.0.1:{}/ready", world.internal)).send().await.unwrap();
    assert_eq!(asked.status(), 503);
    assert_eq!(asked.text().await.unwrap(), "the database does not answer\n");
}
