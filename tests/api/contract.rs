//! `openapi.yaml` and the service agree, both ways.
//!
//! Every answer of `/v1` in every test of this binary is held against the document as it comes (`Document::judge`, in
//! the client of `TestApp`); here the document is held against the router's table, the table of refusals, and itself.

use crate::document::{Operation, PROBLEM_JSON, document, example};
use chung::http::{auth::OPERATIONS, problem::CODES};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_document_and_the_table_of_operations_name_the_same_operations_and_scopes() {
    let promised: BTreeSet<String> =
        document().operations().iter().map(|o| format!("{} {} for {}", o.method, o.path, o.scope)).collect();
    let kept: BTreeSet<String> =
        OPERATIONS.iter().map(|o| format!("{} {} for {}", o.method, o.path, o.scope)).collect();
    assert_eq!(promised, kept);
}

#[test]
fn the_document_and_the_table_of_refusals_name_the_same_codes() {
    let kept: BTreeSet<String> = CODES.iter().map(|row| row.code.to_owned()).collect();
    assert_eq!(document().codes(), kept);
    let described = text(document().at("#/components/schemas/Problem/description").unwrap());
    for row in CODES {
        let line = format!("| `{}` | {} | ", row.code, row.status);
        assert!(described.contains(&line), "the catalogue lacks: {line}");
    }
}

/// A code that no operation lists would be one that nobody expects.
#[test]
fn every_code_stands_at_its_status_and_at_some_operation() {
    let mut listed = BTreeSet::new();
    for operation in document().operations() {
        for (status, codes) in refusals(operation) {
            assert!(!codes.is_empty(), "{} {status} names no code", operation.id);
            for code in codes {
                let row = CODES.iter().find(|row| row.code == code);
                let row = row.unwrap_or_else(|| panic!("{}: {code} is not in the table", operation.id));
                assert_eq!(row.status.to_string(), status, "{} lists {code} at {status}", operation.id);
                listed.insert(code);
            }
        }
    }
    // A wrong method is no operation.
    listed.insert("method_not_allowed".to_owned());
    let all: BTreeSet<String> = CODES.iter().map(|row| row.code.to_owned()).collect();
    assert_eq!(listed, all);
}

#[test]
fn every_operation_is_named_described_guarded_and_shown() {
    let mut names = BTreeSet::new();
    for operation in document().operations() {
        let Operation { id, body, .. } = operation;
        assert!(!id.is_empty() && names.insert(id), "{} {}", operation.method, operation.path);
        assert!(body["summary"].is_string(), "{id} has no summary");
        assert!(!operation.scope.is_empty(), "{id} demands no scope");
        let scopes =
            document().at("#/components/securitySchemes/token/flows/clientCredentials/scopes").unwrap();
        assert!(
            scopes.get(&operation.scope).is_some(),
            "{id}: the scope {} is not described",
            operation.scope
        );
        let tags = document().root()["tags"].as_array().unwrap();
        assert!(tags.iter().any(|tag| tag["name"] == body["tags"][0]), "{id} has no tag of the list");
        for status in ["401", "403", "500", "503"] {
            assert!(body["responses"].get(status).is_some(), "{id} does not say {status}");
        }
        if operation.path.contains('{') {
            assert!(body["responses"].get("404").is_some(), "{id} does not say 404");
        }
        let acts = !operation.scope.ends_with(".read");
        assert_eq!(
            operation.takes_key(),
            acts && operation.method != "PATCH",
            "{id}: acts take an Idempotency-Key; an upload has its offset"
        );
        assert!(operation.method == "GET" || acts || operation.takes_body(), "{id}: reading is done by GET");
        if operation.takes_body() {
            assert!(operation.request_example().is_some(), "{id} shows no request");
        }
    }
}

#[test]
fn every_parameter_of_a_path_is_declared_with_an_example() {
    for operation in document().operations() {
        let named: BTreeSet<&str> = operation
            .path
            .split(['{', '}'])
            .enumerate()
            .filter(|(i, _)| i % 2 == 1)
            .map(|(_, n)| n)
            .collect();
        let parameters = operation.parameters();
        let of_path = parameters.iter().filter(|p| p["in"] == "path");
        let declared: BTreeSet<&str> = of_path.clone().filter_map(|p| p["name"].as_str()).collect();
        assert_eq!(named, declared, "{}", operation.id);
        for parameter in of_path {
            let fits = document().validator(&parameter["schema"]).is_valid(&parameter["example"]);
            assert!(fits, "{}: {}", operation.id, parameter["example"]);
        }
    }
}

const FILES: [&str; 10] = [
    PROBLEM_JSON,
    "application/pdf",
    "application/xml",
    "application/jsonl",
    "application/octet-stream",
    "application/jose",
    "application/timestamp-reply",
    "text/csv",
    "text/plain",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
];

#[test]
fn every_example_fits_its_schema() {
    for operation in document().operations() {
        let request = operation.body.pointer("/requestBody/content");
        let responses = operation.body["responses"].as_object().unwrap();
        let contents = responses.iter().filter_map(|(status, r)| Some((status.as_str(), r.get("content")?)));
        for (place, content) in request.map(|c| ("request", c)).into_iter().chain(contents) {
            for (media, described) in content.as_object().unwrap() {
                let place = format!("{} {place}", operation.id);
                match example(described) {
                    Some(shown) => fits(&described["schema"], shown, &place),
                    // A file has no example, and a refusal's stands with its schema.
                    None => assert!(FILES.contains(&media.as_str()), "{place} shows nothing"),
                }
            }
        }
    }
}

fn fits(schema: &Value, shown: &Value, place: &str) {
    let validator = document().validator(schema);
    let faults: Vec<String> =
        validator.iter_errors(shown).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{place}: {}", faults.join("\n"));
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let mut used = BTreeSet::new();
    references(document().root(), &mut used);
    for reference in &used {
        assert!(document().at(reference).is_some(), "nothing at {reference}");
    }
    for kind in ["parameters", "responses", "schemas"] {
        let place = format!("#/components/{kind}");
        for name in document().at(&place).unwrap().as_object().unwrap().keys() {
            assert!(used.contains(&format!("{place}/{name}")), "nobody uses {place}/{name}");
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Money, identifiers and times look the same everywhere (the conventions on the document's front page).
#[test]
fn schemas_keep_the_conventions() {
    let schemas = document().at("#/components/schemas").unwrap().as_object().unwrap();
    for (name, schema) in schemas {
        members(schema, &mut |member, shape| {
            assert!(
                member.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
                "{name}.{member}"
            );
            if member.ends_with("_at") {
                let target = shape["$ref"].as_str().unwrap_or_default();
                assert!(target.contains("/Time"), "{name}.{member} is not a Time");
            }
            assert_ne!(shape["type"], "number", "{name}.{member}: no fractions on this wire");
        });
    }
    let money = json!({ "amount": 50000, "currency": "VND" });
    assert!(!document().validator(&json!({ "$ref": "#/components/schemas/Money" })).is_valid(&money));
}

fn members(schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, shape) in properties {
            look(name, shape);
            members(shape, look);
        }
    }
    members_of_items(schema, look);
}

fn members_of_items(schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    if let Some(items) = schema.get("items") {
        members(items, look);
    }
    for choice in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        members(choice, look);
    }
}

/// The codes that an operation lists, by status.
fn refusals(operation: &Operation) -> BTreeMap<String, BTreeSet<String>> {
    let responses = operation.body["responses"].as_object().unwrap();
    let refusals = responses.iter().filter(|(status, _)| status.as_str() >= "400");
    let codes = refusals.map(|(status, response)| {
        let schema = &response["content"][PROBLEM_JSON]["schema"];
        assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{} {status}", operation.id);
        let codes = schema.pointer("/properties/code/enum").and_then(Value::as_array);
        (status.clone(), codes.into_iter().flatten().map(text).collect())
    });
    codes.collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
