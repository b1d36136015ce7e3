//! `openapi.yaml` as tests read it: its operations, and whether a message is what it promises.
//!
//! The document leaves answers open, so that a client ignores members it does not know; here every object that lists
//! its members is closed, so that the service never sends one that the document does not know.

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// The document.
pub struct Document {
    root: Value,
    operations: Vec<Operation>,
}

/// One operation of the document.
pub struct Operation {
    /// `GET`, `POST`.
    pub method: String,
    /// The path as the document has it.
    pub path: String,
    /// Its `operationId`.
    pub id: String,
    /// The scope that its security demands.
    pub scope: String,
    /// The operation object, its responses resolved.
    pub body: Value,
    responses: Vec<Answer>,
}

/// One response of one operation.
struct Answer {
    status: u16,
    media: Option<String>,
    schema: Option<Value>,
    /// Built when the first such answer comes: a test sees few of them.
    validator: OnceLock<Validator>,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The document, read once.
pub fn document() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let root: Value =
            serde_norway::from_str(include_str!("../../openapi.yaml")).expect("openapi.yaml is YAML");
        let mut document = Document { root, operations: Vec::new() };
        document.operations = document.read_operations();
        document
    })
}

impl Document {
    /// The whole document.
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// Every operation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation that answers to that method and address.
    pub fn operation(&self, method: &str, address: &str) -> Option<&Operation> {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let of_method = self.operations.iter().filter(|o| o.method == method);
        // A fixed word goes before a parameter.
        of_method.filter(|o| fits(&o.path, path)).min_by_key(|o| o.path.matches('{').count())
    }

    /// What a reference inside the document points at; anything else is itself.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.at(reference).unwrap_or_else(|| panic!("nothing at {reference}")),
            None => value,
        }
    }

    /// What stands at a reference like `#/components/schemas/Bill`.
    pub fn at(&self, reference: &str) -> Option<&Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// The codes of the catalogue.
    pub fn codes(&self) -> BTreeSet<String> {
        let codes = self.at("#/components/schemas/Problem/properties/code/enum").and_then(Value::as_array);
        codes.expect("Problem.code has an enum").iter().map(text).collect()
    }

    /// A validator of one schema of the document, with every object closed.
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut whole = self.at("#/components/schemas").cloned().unwrap_or_default();
        let mut schema = schema.clone();
        close(&mut whole);
        close(&mut schema);
        if let Value::Object(members) = &mut schema {
            members.insert("components".to_owned(), json!({ "schemas": whole }));
        }
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(&schema).unwrap_or_else(|e| panic!("not a schema: {e}"))
    }

    /// Says how an answer of `/v1` differs from what the document promises.
    pub fn judge(&self, method: &str, address: &str, answer: &Seen<'_>) -> Result<(), String> {
        let Some(operation) = self.operation(method, address) else {
            // No operation: only a refusal may come.
            return self.judge_refusal(answer);
        };
        let Some(promised) = operation.responses.iter().find(|r| r.status == answer.status) else {
            return Err(format!("{} does not promise {}: {}", operation.id, answer.status, answer.shown()));
        };
        if promised.media.as_deref() != answer.media {
            let (promised, came) = (promised.media.as_deref(), answer.media);
            return Err(format!("{} {} promises {promised:?}, came {came:?}", operation.id, answer.status));
        }
        match &promised.schema {
            Some(schema) => {
                let validator = promised.validator.get_or_init(|| self.validator(schema));
                valid(validator, answer, &operation.id)
            }
            None => Ok(()),
        }
    }

    fn judge_refusal(&self, answer: &Seen<'_>) -> Result<(), String> {
        static PROBLEM: OnceLock<Validator> = OnceLock::new();
        let problem =
            PROBLEM.get_or_init(|| self.validator(&json!({ "$ref": "#/components/schemas/Problem" })));
        if matches!(answer.status, 404 | 405) && answer.media == Some(PROBLEM_JSON) {
            valid(problem, answer, "no operation")
        } else {
            Err(format!("the document knows no such operation, but {} came", answer.status))
        }
    }

    fn read_operations(&self) -> Vec<Operation> {
        let paths = self.root["paths"].as_object().expect("the document has paths");
        let mut operations = Vec::new();
        // What is outside speaks by rules of its own, and is judged where it is spoken.
        for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
            let methods = METHODS.iter().filter_map(|m| Some((m, item.get(*m)?)));
            operations.extend(methods.map(|(method, body)| self.read_operation(method, path, body)));
        }
        operations
    }

    fn read_operation(&self, method: &str, path: &str, body: &Value) -> Operation {
        let mut body = body.clone();
        let responses =
            body["responses"].as_object_mut().unwrap_or_else(|| panic!("{path} has no responses"));
        let mut answers = Vec::new();
        for (status, response) in responses.iter_mut() {
            *response = self.resolved(response).clone();
            let (media, content) = match response.get("content").and_then(Value::as_object) {
                Some(content) => {
                    content.iter().next().map_or((None, None), |(m, c)| (Some(m.clone()), Some(c)))
                }
                None => (None, None),
            };
            let is_json = media.as_deref().is_some_and(|m| m.ends_with("json"));
            let schema = content.and_then(|c| c.get("schema")).filter(|_| is_json).cloned();
            let status = status.parse().expect("a status");
            answers.push(Answer { status, media, schema, validator: OnceLock::new() });
        }
        let scope = body.pointer("/security/0/token/0").map(text).unwrap_or_default();
        Operation {
            method: method.to_uppercase(),
            path: path.to_owned(),
            id: body.get("operationId").map(text).unwrap_or_default(),
            scope,
            body,
            responses: answers,
        }
    }
}

/// The media type of refusals.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An answer as it came.
pub struct Seen<'a> {
    /// Its status.
    pub status: u16,
    /// Its media type, without parameters.
    pub media: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

impl Seen<'_> {
    fn shown(&self) -> String {
        String::from_utf8_lossy(self.body).chars().take(600).collect()
    }
}

impl Operation {
    /// The parameters, references resolved.
    pub fn parameters(&self) -> Vec<&'static Value> {
        let of = |holder: &'static Value| holder.get("parameters").and_then(Value::as_array);
        let document = document();
        let item = &document.root["paths"][&self.path];
        let own = &item[self.method.to_lowercase().as_str()];
        let all = of(item).into_iter().chain(of(own)).flatten();
        all.map(|parameter| document.resolved(parameter)).collect()
    }

    /// An example of the JSON body that it takes.
    pub fn request_example(&self) -> Option<&Value> {
        example(self.body.pointer("/requestBody/content/application~1json")?)
    }

    /// Whether it takes a JSON body.
    pub fn takes_body(&self) -> bool {
        self.body.pointer("/requestBody/content/application~1json").is_some()
    }

    /// Whether it demands an `Idempotency-Key`.
    pub fn takes_key(&self) -> bool {
        self.parameters().iter().any(|p| p["name"] == "Idempotency-Key")
    }

    /// The address, each parameter replaced by its example.
    pub fn example_address(&self) -> String {
        let mut address = self.path.clone();
        for parameter in self.parameters().into_iter().filter(|p| p["in"] == "path") {
            let name = text(&parameter["name"]);
            address = address.replace(&format!("{{{name}}}"), &text(&parameter["example"]));
        }
        address
    }
}

/// The example of a media type object: `example`, or the first of `examples`.
pub fn example(media: &Value) -> Option<&Value> {
    let first = || media.get("examples")?.as_object()?.values().next()?.get("value");
    media.get("example").or_else(first)
}

fn valid(validator: &Validator, answer: &Seen<'_>, whose: &str) -> Result<(), String> {
    let body: Value = serde_json::from_slice(answer.body).map_err(|e| format!("{whose}: not JSON: {e}"))?;
    let faults: Vec<String> =
        validator.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{whose} {}: {}\n{body:#}", answer.status, faults.join("\n")))
}

/// Whether a path of the document names that address.
fn fits(template: &str, path: &str) -> bool {
    let (wanted, has) = (template.split('/'), path.split('/'));
    let same = wanted.clone().count() == has.clone().count();
    same && wanted.zip(has).all(|(wanted, has)| wanted == has || (wanted.starts_with('{') && !has.is_empty()))
}

/// Closes every object schema that lists its members and does not say whether there may be others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if is_open_object(members) {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_open_object(members: &Map<String, Value>) -> bool {
    let names = |word: &str| members.contains_key(word);
    members.get("type").is_some_and(|kind| {
        *kind == "object" || kind.as_array().is_some_and(|k| k.contains(&json!("object")))
    }) && names("properties")
        && !names("additionalProperties")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
