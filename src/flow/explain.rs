//! A fee computation in words and as values: each step names whose fact and which date counted, and by which law.

use crate::{
    base::{calendar::Day, money::Money, text::Lang},
    payment::{
        exemption::{Condition, Effect},
        fee::{Bilingual, Step, Verdict},
        formula::Term,
        late::Interest,
        notice::Notice,
    },
    text::{Texts, Value},
};
use serde_json::json;

/// The step as a member of an answer, with its text in both languages.
pub fn step_json(step: &Step) -> serde_json::Value {
    let text = json!({ "vi": text(step, Lang::Vi), "en": text(step, Lang::En) });
    match step {
        Step::Tariff { unit_amount, terms, count, unit, on, legal_basis, gross } => json!({
            "step": "tariff",
            "terms": terms.iter().map(term_json).collect::<Vec<_>>(),
            "unit_amount": money(*unit_amount),
            "count": count,
            "unit": unit.as_str(),
            "governing_date": "submission",
            "on": on.to_string(),
            "legal_basis": legal_basis.as_str(),
            "amount": money(*gross),
            "text": text,
        }),
        Step::Reduction { adjustment, effect, whose, condition, governing, on, legal_basis, verdict } => {
            json!({
                "step": "reduction",
                "adjustment": adjustment.as_str(),
                "effect": effect.as_str(),
                "value": effect.value(),
                "whose_fact": whose.as_str(),
                "condition": condition.to_string(),
                "governing_date": governing.as_str(),
                "on": on.map(|day| day.to_string()),
                "legal_basis": legal_basis.as_str(),
                "verdict": verdict.as_str(),
                "saving": match verdict {
                    Verdict::Granted(saving) => Some(money(*saving)),
                    Verdict::ConditionFails | Verdict::FactUnknown | Verdict::DateUnknown | Verdict::Outdone => None,
                },
                "text": text,
            })
        }
    }
}

/// Why a bill for a difference exists, in both languages.
pub fn difference_text(adjustment: &str, saving: Money, reference: &str) -> serde_json::Value {
    let text = |lang| {
        Texts::embedded().with(
            lang,
            "payment-trace-difference",
            &[
                ("adjustment", adjustment.into()),
                ("saving", saving.display_vi().into()),
                ("reference", reference.into()),
            ],
        )
    };
    json!({ "vi": text(Lang::Vi), "en": text(Lang::En) })
}

/// Why a bill for what is still to be paid exists, in both languages.
pub fn anew_text(amount: Money, reference: &str) -> serde_json::Value {
    let facts = [("amount", amount.display_vi().into()), ("reference", reference.into())];
    let text = |lang| Texts::embedded().with(lang, "payment-trace-anew", &facts);
    json!({ "vi": text(Lang::Vi), "en": text(Lang::En) })
}

/// What a line of late interest is called.
pub fn interest_name(interest: &Interest) -> Bilingual {
    let text = |lang| {
        let number = Value::from(interest.days.to_string());
        Texts::embedded().with(lang, "payment-late-name", &[("days", number)])
    };
    let line = |lang| crate::base::text::Line::parse(&text(lang));
    Bilingual {
        vi: line(Lang::Vi).unwrap_or_else(|_| interest.line.name.vi.clone()),
        en: line(Lang::En).unwrap_or_else(|_| interest.line.name.en.clone()),
    }
}

/// How a line of late interest came about.
pub fn interest_json(interest: &Interest, today: Day) -> serde_json::Value {
    let text = |lang| {
        Texts::embedded().with(
            lang,
            "payment-trace-late",
            &[
                ("percent", interest.rate.percent_text().replace('.', ",").into()),
                ("days", interest.days.to_string().into()),
                ("base", interest.on.display_vi().into()),
                ("on", today.display_vi().into()),
                ("basis", interest.rule.legal_basis.as_str().into()),
                ("amount", interest.amount.display_vi().into()),
            ],
        )
    };
    json!({
        "step": "late",
        "adjustment": interest.rule.code.as_str(),
        "percent": interest.rate.percent_text(),
        "days": interest.days,
        "base": money(interest.on),
        "on": today.to_string(),
        "legal_basis": interest.rule.legal_basis.as_str(),
        "amount": money(interest.amount),
        "text": { "vi": text(Lang::Vi), "en": text(Lang::En) },
    })
}

/// How a line that an office elsewhere assessed came about.
pub fn notice_json(notice: &Notice, amount: Money) -> serde_json::Value {
    let text = |lang| {
        Texts::embedded().with(
            lang,
            "payment-trace-notice",
            &[
                ("number", notice.number.as_str().into()),
                ("chapter", notice.chapter.as_str().into()),
                ("sub_item", notice.sub_item.as_str().into()),
                ("amount", amount.display_vi().into()),
            ],
        )
    };
    json!({
        "step": "notice",
        "notice": notice.number.as_str(),
        "amount": money(amount),
        "text": { "vi": text(Lang::Vi), "en": text(Lang::En) },
    })
}

/// An amount on the wire.
pub fn money(amount: Money) -> serde_json::Value {
    json!({ "amount": amount.decimal(), "currency": amount.currency().code() })
}

/// The step as one sentence.
pub fn text(step: &Step, lang: Lang) -> String {
    let texts = Texts::embedded();
    let word = |key: String| texts.get(lang, &key).into_owned();
    match step {
        Step::Tariff { terms, count, unit, on, legal_basis, gross, .. }
            if !matches!(terms[..], [Term::Units { .. }]) =>
        {
            texts.with(
                lang,
                "payment-trace-formula",
                &[
                    (
                        "terms",
                        terms_text(terms, &word(format!("payment-unit-{}", unit.as_str())), lang).into(),
                    ),
                    ("count", count.to_string().into()),
                    ("on", on.display_vi().into()),
                    ("basis", legal_basis.as_str().into()),
                    ("amount", gross.display_vi().into()),
                ],
            )
        }
        Step::Tariff { unit_amount, terms: _, count, unit, on, legal_basis, gross } => texts.with(
            lang,
            "payment-trace-tariff",
            &[
                ("unit_amount", unit_amount.display_vi().into()),
                ("count", count.to_string().into()),
                ("unit", word(format!("payment-unit-{}", unit.as_str())).into()),
                ("on", on.display_vi().into()),
                ("basis", legal_basis.as_str().into()),
                ("amount", gross.display_vi().into()),
            ],
        ),
        Step::Reduction { adjustment, effect, whose, condition, governing, on, legal_basis, verdict } => {
            let saving = match verdict {
                Verdict::Granted(saving) => saving.display_vi(),
                Verdict::ConditionFails | Verdict::FactUnknown | Verdict::DateUnknown | Verdict::Outdone => {
                    String::new()
                }
            };
            texts.with(
                lang,
                &format!("payment-trace-{}", verdict.as_str().replace('_', "-")),
                &[
                    ("adjustment", adjustment.as_str().into()),
                    ("effect", effect_text(*effect, lang).into()),
                    ("whose", word(format!("payment-whose-{}", whose.as_str())).into()),
                    ("condition", condition_text(condition, lang).into()),
                    ("date", word(format!("payment-date-{}", governing.as_str())).into()),
                    ("on", on.map(|day| day.display_vi()).unwrap_or_default().into()),
                    ("basis", legal_basis.as_str().into()),
                    ("saving", saving.into()),
                ],
            )
        }
    }
}

fn term_json(term: &Term) -> serde_json::Value {
    match term {
        Term::Units { count, each } => json!({ "term": "units", "count": count, "amount": money(*each) }),
        Term::Share { rate, value } => {
            json!({ "term": "share", "percent": rate.percent_text(), "amount": money(*value) })
        }
        Term::Band { from } => json!({ "term": "band", "amount": money(*from) }),
        Term::Floor(amount) => json!({ "term": "floor", "amount": money(*amount) }),
        Term::Cap(amount) => json!({ "term": "cap", "amount": money(*amount) }),
        Term::Copies(count) => json!({ "term": "copies", "count": count }),
    }
}

/// The terms as the middle of a sentence: `2 trang × 2.000 đ + 3 trang × 1.000 đ, tối đa 200.000 đ, × 2 bản`.
fn terms_text(terms: &[Term], unit: &str, lang: Lang) -> String {
    let texts = Texts::embedded();
    let one = |key: &str, amount: Money| texts.with(lang, key, &[("amount", amount.display_vi().into())]);
    let mut text = String::new();
    for term in terms {
        let (joint, part) = match term {
            Term::Units { count, each } => (" + ", format!("{count} {unit} × {}", each.display_vi())),
            Term::Share { rate, value } => {
                ("", format!("{} % × {}", rate.percent_text().replace('.', ","), value.display_vi()))
            }
            Term::Band { from } => ("", one("payment-term-band", *from)),
            Term::Floor(amount) => (", ", one("payment-term-floor", *amount)),
            Term::Cap(amount) => (", ", one("payment-term-cap", *amount)),
            Term::Copies(count) => {
                let copies = Value::from(count.to_string());
                (", ", texts.with(lang, "payment-term-copies", &[("number", copies)]))
            }
        };
        if !text.is_empty() {
            text.push_str(joint);
        }
        text.push_str(&part);
    }
    text
}

fn effect_text(effect: Effect, lang: Lang) -> String {
    let texts = Texts::embedded();
    match effect {
        Effect::PercentOff(rate) => {
            texts.with(lang, "payment-effect-percent", &[("percent", rate.percent_text().into())])
        }
        Effect::FixedAmount(amount) => {
            texts.with(lang, "payment-effect-fixed", &[("amount", amount.display_vi().into())])
        }
        Effect::Exempt => texts.get(lang, "payment-effect-exempt").into_owned(),
        Effect::LateDaily(rate) => {
            texts.with(lang, "payment-effect-late", &[("percent", rate.percent_text().into())])
        }
    }
}

fn condition_text(condition: &Condition, lang: Lang) -> String {
    let texts = Texts::embedded();
    let number = |key, n: &u8| texts.with(lang, key, &[("number", Value::from(n.to_string()))]);
    match condition {
        Condition::Late => texts.get(lang, "payment-condition-late").into_owned(),
        Condition::Channel(channel) => {
            texts.get(lang, &format!("payment-condition-channel-{}", channel.as_str())).into_owned()
        }
        Condition::AccountLevelAtLeast(level) => number("payment-condition-level", level),
        Condition::AgeBelow(years) => number("payment-condition-age-below", years),
        Condition::AgeAtLeast(years) => number("payment-condition-age-from", years),
        Condition::Status(status) => {
            let key = format!("payment-condition-status-{}", status.as_str().replace('_', "-"));
            if texts.has(&key) { texts.get(lang, &key).into_owned() } else { status.as_str().to_owned() }
        }
    }
}
