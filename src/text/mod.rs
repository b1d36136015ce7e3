//! Every Vietnamese and English text (`.ftl`) and its loader; pages, messages, receipts and refusals draw on it.
//!
//! One file per room and language. A key names its room first (`receipt-check-title`), stands in both languages and
//! takes the same variables in both; a test demands it. Texts are compiled in: nothing is read at run time. Numbers
//! and dates arrive as text that `base` has already written the Vietnamese way, except counts that need a plural.
//! Deliberately absent: bidirectional isolation marks, which would stand as stray characters in SMS and PDF.

use crate::base::text::Lang;
use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use std::{borrow::Cow, sync::LazyLock};
use unic_langid::LanguageIdentifier;

pub use fluent_bundle::FluentValue as Value;

/// The rooms: name, Vietnamese source, English source.
const ROOMS: &[(&str, &str, &str)] = &[
    ("card", include_str!("vi/card.ftl"), include_str!("en/card.ftl")),
    ("closing", include_str!("vi/closing.ftl"), include_str!("en/closing.ftl")),
    ("erasure", include_str!("vi/erasure.ftl"), include_str!("en/erasure.ftl")),
    ("desk", include_str!("vi/desk.ftl"), include_str!("en/desk.ftl")),
    ("check", include_str!("vi/check.ftl"), include_str!("en/check.ftl")),
    ("events", include_str!("vi/events.ftl"), include_str!("en/events.ftl")),
    ("import", include_str!("vi/import.ftl"), include_str!("en/import.ftl")),
    ("match", include_str!("vi/match.ftl"), include_str!("en/match.ftl")),
    ("me", include_str!("vi/me.ftl"), include_str!("en/me.ftl")),
    ("messages", include_str!("vi/messages.ftl"), include_str!("en/messages.ftl")),
    ("pages", include_str!("vi/pages.ftl"), include_str!("en/pages.ftl")),
    ("payment", include_str!("vi/payment.ftl"), include_str!("en/payment.ftl")),
    ("payout", include_str!("vi/payout.ftl"), include_str!("en/payout.ftl")),
    ("problem", include_str!("vi/problem.ftl"), include_str!("en/problem.ftl")),
    ("receipt", include_str!("vi/receipt.ftl"), include_str!("en/receipt.ftl")),
    ("reconciliation", include_str!("vi/reconciliation.ftl"), include_str!("en/reconciliation.ftl")),
    ("refund", include_str!("vi/refund.ftl"), include_str!("en/refund.ftl")),
    ("sandbox", include_str!("vi/sandbox.ftl"), include_str!("en/sandbox.ftl")),
    ("sign-in", include_str!("vi/sign_in.ftl"), include_str!("en/sign_in.ftl")),
    ("trace", include_str!("vi/trace.ftl"), include_str!("en/trace.ftl")),
    ("ways", include_str!("vi/ways.ftl"), include_str!("en/ways.ftl")),
    ("slip", include_str!("vi/slip.ftl"), include_str!("en/slip.ftl")),
];

/// The texts of both languages.
pub struct Texts {
    vi: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

impl Texts {
    /// The texts that were compiled in, parsed once.
    pub fn embedded() -> &'static Self {
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts {
            vi: bundle(Lang::Vi, ROOMS.iter().map(|room| room.1)),
            en: bundle(Lang::En, ROOMS.iter().map(|room| room.2)),
        });
        &TEXTS
    }

    /// The text of a key that takes no variables. A key that does not exist is shown as itself: a page with one odd
    /// word serves better than no page, and the tests find it.
    pub fn get(&self, lang: Lang, key: &str) -> Cow<'_, str> {
        self.format(lang, key, None).unwrap_or_else(|| Cow::Owned(key.to_owned()))
    }

    /// The text of a key with its variables: `with(lang, "bill-due", &[("day", day.display_vi().into())])`.
    pub fn with(&self, lang: Lang, key: &str, args: &[(&str, Value<'_>)]) -> String {
        let args: FluentArgs<'_> = args.iter().cloned().collect();
        self.format(lang, key, Some(&args)).map_or_else(|| key.to_owned(), Cow::into_owned)
    }

    /// Whether there is a text of that key (in both languages: a test keeps them alike).
    pub fn has(&self, key: &str) -> bool {
        self.vi.has_message(key)
    }

    fn format<'a>(&'a self, lang: Lang, key: &str, args: Option<&'a FluentArgs<'a>>) -> Option<Cow<'a, str>> {
        let bundle = match lang {
            Lang::Vi => &self.vi,
            Lang::En => &self.en,
        };
        let pattern = bundle.get_message(key)?.value()?;
        Some(bundle.format_pattern(pattern, args, &mut Vec::new()))
    }
}

/// A bundle keeps what parses: an entry with a mistake is left out, and the tests refuse any mistake.
fn bundle<'a>(lang: Lang, sources: impl Iterator<Item = &'a str>) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = lang.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    for source in sources {
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, _)| partial);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    /// Each key of a source with the variables that its text uses.
    fn keys(room: &str, source: &str) -> BTreeMap<String, BTreeSet<String>> {
        let resource = FluentResource::try_new(source.to_owned())
            .unwrap_or_else(|(_, errors)| panic!("{room}: {errors:?}"));
        assert!(resource.entries().count() > 0, "{room} holds no text");
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut current = None;
        for line in source.lines() {
            if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
                let key = line.split('=').next().unwrap().trim().to_owned();
                assert!(keys.insert(key.clone(), BTreeSet::new()).is_none(), "{room}: {key} stands twice");
                current = Some(key);
            }
            let Some(key) = &current else { continue };
            for (at, _) in line.match_indices('$') {
                let variable = line[at + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
                keys.get_mut(key).unwrap().insert(variable.collect());
            }
        }
        keys
    }

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_variables() {
        let mut seen = BTreeSet::new();
        for (room, vi, en) in ROOMS {
            let (vi, en) = (keys(room, vi), keys(room, en));
            for (key, variables) in &vi {
                assert_eq!(Some(variables), en.get(key), "{room}: {key} differs between vi and en");
                assert!(seen.insert(key.clone()), "{key} stands in two rooms");
            }
            let only_en: Vec<_> = en.keys().filter(|key| !vi.contains_key(*key)).collect();
            assert!(only_en.is_empty(), "{room}: only in English: {only_en:?}");
        }
    }

    /// Every template may only ask for texts that exist.
    #[test]
    fn templates_name_existing_keys() {
        let mut checked = 0;
        for template in files(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "html") {
            let source = std::fs::read_to_string(&template).unwrap();
            for call in [".t(\"", ".with(\""] {
                for part in source.split(call).skip(1) {
                    let key = part.split('"').next().unwrap();
                    assert!(Texts::embedded().has(key), "{}: no text {key}", template.display());
                    checked += 1;
                }
            }
        }
        assert!(checked > 0, "no template was found");
    }

    /// Reports and pages name each kind of account in the books.
    #[test]
    fn each_kind_of_account_has_its_words() {
        let ledger = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/payment/ledger.rs");
        let source = std::fs::read_to_string(ledger).unwrap();
        let kinds = source.split("pub const fn kind").nth(1).unwrap();
        let kinds: Vec<&str> =
            kinds.split("pub const fn").next().unwrap().split('"').skip(1).step_by(2).collect();
        assert!(kinds.contains(&"clearing") && kinds.contains(&"bank_claim"), "{kinds:?}");
        for kind in kinds {
            for key in
                [format!("closing-account-{kind}"), format!("books-account-{}", kind.replace('_', "-"))]
            {
                assert!(Texts::embedded().has(&key), "no text {key}");
            }
        }
    }

    fn files(folder: PathBuf, extension: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(path, extension));
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
        found
    }

    #[test]
    fn a_text_takes_its_variables_and_a_missing_key_shows_itself() {
        let texts = Texts::embedded();
        let text = texts.with(Lang::Vi, "page-signed-in-as", &[("name", "Nguyễn Thị Hòa".into())]);
        assert_eq!(text, "Đang đăng nhập: Nguyễn Thị Hòa");
        assert_eq!(texts.get(Lang::En, "no-such-key"), "no-such-key");
        assert_eq!(texts.get(Lang::En, "page-other-language"), "Tiếng Việt");
    }
}
