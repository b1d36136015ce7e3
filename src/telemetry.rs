//! Logs as JSON lines and metrics for Prometheus.
//!
//! Owns: the form of a log line and the redaction list. Invariant: a field on the list never leaves the process, and
//! neither does anything that has the shape of a personal number or of one of our tokens, whatever its field is
//! called. Deliberately absent: deciding what is worth logging; a failure is logged once, where it is handled.

use crate::base::{
    calendar::rfc3339,
    clock::{Clock, SystemClock},
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value};
use std::{fmt, io::Write, sync::Mutex};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    EnvFilter,
    layer::{Context, Layer, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Fields that are never written, by name.
pub const REDACTED: [&str; 20] = [
    "address",
    "authorization",
    "birth_date",
    "body",
    "claims",
    "code",
    "cookie",
    "dossier",
    "email",
    "full_name",
    "name",
    "number",
    "old_number",
    "password",
    "payer",
    "personal_number",
    "phone",
    "query",
    "secret",
    "token",
];

/// Starts logging JSON lines to `out`; `filter` is a `tracing` filter such as `info`.
pub fn log_to(out: impl Write + Send + 'static, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let lines = JsonLines::new(out);
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|error| error.to_string())
}

/// Starts counting; the handle renders what `/metrics` shows.
pub fn count() -> Result<PrometheusHandle, BuildError> {
    let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    PrometheusBuilder::new().set_buckets(&seconds)?.install_recorder()
}

/// A `tracing` layer that writes one JSON object per event, with the fields of the spans around it.
pub struct JsonLines<W> {
    out: Mutex<W>,
}

impl<W: Write> JsonLines<W> {
    /// Lines to `out`.
    pub const fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        line.0.insert("at".into(), rfc3339(SystemClock.now()).into());
        line.0.insert("level".into(), event.metadata().level().as_str().into());
        line.0.insert("target".into(), event.metadata().target().into());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.clone());
            }
        }
        event.record(&mut line);
        let mut bytes = Value::Object(line.0).to_string().into_bytes();
        bytes.push(b'\n');
        // A log that cannot be written must not stop the work that it tells of.
        let _ = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write_all(&bytes);
    }
}

/// The fields of one span or event, redacted as they arrive.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let value = if REDACTED.contains(&field.name()) { Value::from("***") } else { value };
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, masked(value).into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, masked(&format!("{value:?}")).into());
    }
}

/// The text without personal numbers (12 digits standing alone) and without tokens of ours.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let until = |ends: &dyn Fn(char) -> bool| rest.find(ends).unwrap_or(rest.len());
        // What a token carries sealed may have hyphens in it.
        let whole = until(&|c| !is_word(c) && c != '-');
        let end = if is_token(&rest[..whole]) { whole } else { until(&|c| !is_word(c)) };
        let (word, tail) = rest.split_at(end);
        out.push_str(if is_private(word) { "***" } else { word });
        let skip = tail.find(is_word).unwrap_or(tail.len());
        out.push_str(&tail[..skip]);
        rest = &tail[skip..];
    }
    out
}

fn is_private(word: &str) -> bool {
    let personal_number = word.len() == 12 && word.bytes().all(|b| b.is_ascii_digit());
    personal_number || is_token(word)
}

fn is_token(word: &str) -> bool {
    let prefixes = ["chc_", "chs_", "chk_", "cha_", "chr_", "chf_", "eyJ"];
    word.len() > 40 && prefixes.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        entropy::SeededEntropy,
        secret::{Token, TokenKind},
    };
    use std::io;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(act: impl FnOnce()) -> Value {
        let memory = Memory::default();
        let subscriber = tracing_subscriber::registry().with(JsonLines::new(memory.clone()));
        tracing::subscriber::with_default(subscriber, act);
        let bytes = memory.0.lock().unwrap().clone();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_line_holds_the_event_and_the_spans_around_it() {
        let line = logged(|| {
            let span = tracing::info_span!("request", request = "abc", number = "079204000123");
            span.in_scope(|| tracing::warn!(attempts = 3, "given up"));
        });
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "given up");
        assert_eq!((&line["request"], &line["attempts"]), (&"abc".into(), &3.into()));
        assert_eq!(line["number"], "***");
    }

    #[test]
    fn numbers_and_tokens_do_not_leave_under_any_name() {
        let token = Token::new(TokenKind::Session, &SeededEntropy::new(9)).expose().to_owned();
        let line = logged(
            || tracing::info!(detail = %format!("079204000123 sent {token}."), "asked for 079204000123"),
        );
        assert_eq!(line["detail"], "*** sent ***.");
        assert_eq!(line["message"], "asked for ***");
        let code = Token::carrying(TokenKind::Code, &[0xfb; 60]);
        assert!(code.expose().contains('-'));
        assert_eq!(masked(&format!("code={}&state=s-1", code.expose())), "code=***&state=s-1");
        let kept = "pay_0123456789abcdef0123456789abcdef and 0123456789ab";
        assert_eq!(masked(kept), kept);
    }

    #[test]
    fn every_listed_field_is_redacted() {
        for name in REDACTED {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        }
        let line = logged(|| tracing::info!(phone = "0901", email = ?"a@b", token = 7, "x"));
        assert!(["phone", "email", "token"].iter().all(|field| line[*field] == "***"));
    }
}
