//! A statement that is answered for another account or another day is not taken for the one that was asked for.

use crate::world::{ACCOUNT, World};
use chung::base::money::Money;
use chung::partner::clearing::NoStatement;
use serde_json::{Value, json};

#[tokio::test]
async fn a_statement_of_another_account_or_day_is_not_taken() {
    let world = World::new(None).await;
    world.ask(1).await;
    world.approve(1).await;
    world.sandbox.deliver_due().await;
    world.script("script/days/close", json!({})).await;

    world.fault(json!({ "fault": "another_account" })).await;
    world.fault(json!({ "fault": "another_day" })).await;
    let first = world.statement("2026-11-24").await;
    let Err(NoStatement::AnotherAccount(account)) = &first else { panic!("{first:?}") };
    assert_ne!(account.as_str(), ACCOUNT);
    assert_eq!(first.unwrap_err().code(), "statement_of_another_account");
    let verdict = async || {
        let list: Value = serde_json::from_str(&world.page("script/conformance").await).unwrap();
        let lines = list["behaviours"].as_array().unwrap().clone();
        let of = |name: &str| lines.iter().find(|line| line["behaviour"] == name).unwrap()["verdict"].clone();
        [of("statement_of_another_account"), of("statement_of_another_day")]
    };
    assert_eq!(verdict().await, ["not_handled", "not_tried"]);
    let second = world.statement("2026-11-24").await;
    assert_eq!(second, Err(NoStatement::AnotherDay("2026-11-23".parse().unwrap())));
    assert_eq!(second.unwrap_err().code(), "statement_of_another_day");
    assert_eq!(world.statement("2026-11-24").await.unwrap().closing, Money::vnd(205_000));
    assert_eq!(verdict().await, ["handled", "handled"]);
}
