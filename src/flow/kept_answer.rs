//! Answers about bills as idempotency keys keep them: without the names in the bill, of which there is no second copy in
//! the clear. A repeated request gets the same answer, its names opened again.

use super::{Result, bill_answer, read_bills::agency_key};
use crate::{
    app::App,
    base::id::{Bill, Id},
    store::{Tx, bill as rows},
};
use serde_json::Value;

/// The answer without names.
pub(super) fn without_names(answer: &Value) -> Value {
    let mut kept = answer.clone();
    for bill in bills(&mut kept) {
        bill["parties"] = Value::Null;
    }
    kept
}

/// The answer with its names, which never change.
pub(super) async fn with_names(app: &App, tx: &mut Tx, mut answer: Value) -> Result<Value> {
    for bill in bills(&mut answer) {
        let id: Option<Id<Bill>> = bill["id"].as_str().and_then(|id| id.parse().ok());
        let Some(id) = id else { continue };
        if let Some(stored) = rows::bill(tx, id).await? {
            let key = agency_key(app, tx, stored.bill.agency).await?;
            let parties = bill_answer::open_parties(&key, id, &stored.parties)?;
            bill["parties"] = bill_answer::parties_json(&parties);
        }
    }
    Ok(answer)
}

/// The bills of an answer: itself, its member `bill`, or those of its list.
fn bills(answer: &mut Value) -> Vec<&mut Value> {
    let is_bill = |value: &Value| value.get("reference").is_some() && value.get("parties").is_some();
    if is_bill(answer) {
        return vec![answer];
    }
    let Some(members) = answer.as_object_mut() else { return Vec::new() };
    let inside = members.iter_mut().flat_map(|(name, value)| match (name.as_str(), value) {
        ("bill", value) => vec![value],
        ("items", Value::Array(items)) => items.iter_mut().collect(),
        (_, _) => Vec::new(),
    });
    inside.filter(|value| is_bill(value)).collect()
}
