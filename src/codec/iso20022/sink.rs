//! Writes XML: elements nest by construction and every text is escaped.

use crate::base::calendar::{Day, rfc3339};
use crate::base::clock::Instant;
use crate::base::money::Money;
use std::fmt::{Display, Write};

/// A message being written.
pub(super) struct Sink {
    out: String,
}

impl Sink {
    /// An empty message.
    pub fn new() -> Self {
        Self { out: String::with_capacity(4_096) }
    }

    /// The message.
    pub fn finish(self) -> String {
        self.out
    }

    /// An element with a namespace and what `inside` writes.
    pub fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        self.raw(&["<", name, " xmlns=\"", namespace, "\">"]);
        inside(self);
        self.raw(&["</", name, ">"]);
    }

    /// An element and what `inside` writes.
    pub fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.raw(&["<", name, ">"]);
        inside(self);
        self.raw(&["</", name, ">"]);
    }

    /// An element that holds a text.
    pub fn text(&mut self, name: &str, text: impl Display) {
        self.raw(&["<", name, ">"]);
        self.escaped(text);
        self.raw(&["</", name, ">"]);
    }

    /// The same, if there is a text.
    pub fn text_if(&mut self, name: &str, text: Option<impl Display>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// An instant in UTC.
    pub fn instant(&mut self, name: &str, instant: Instant) {
        self.text(name, rfc3339(instant));
    }

    /// A choice of date or time, given as a date.
    pub fn day(&mut self, name: &str, day: Day) {
        self.within(name, |s| s.text("Dt", day));
    }

    /// An amount; its sign is told elsewhere.
    pub fn amount(&mut self, name: &str, money: Money) {
        self.raw(&["<", name, " Ccy=\"", money.currency().code(), "\">"]);
        self.escaped(money.decimal().trim_start_matches('-'));
        self.raw(&["</", name, ">"]);
    }

    fn raw(&mut self, parts: &[&str]) {
        for part in parts {
            self.out.push_str(part);
        }
    }

    fn escaped(&mut self, text: impl Display) {
        struct Escape<'a>(&'a mut String);
        impl Write for Escape<'_> {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                for c in text.chars() {
                    match c {
                        '<' => self.0.push_str("&lt;"),
                        '>' => self.0.push_str("&gt;"),
                        '&' => self.0.push_str("&amp;"),
                        '"' => self.0.push_str("&quot;"),
                        other => self.0.push(other),
                    }
                }
                Ok(())
            }
        }
        // Writing to a String does not fail.
        _ = write!(Escape(&mut self.out), "{text}");
    }
}
