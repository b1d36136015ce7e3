//! A fee computation in words and as values: each step names whose fact and which date counted, and by which law.

use crate::{
    base::{money::Money, text::Lang},
    payment::{
        exemption::{Condition, Effect},
        fee::{Step, Verdict},
    },
    text::{Texts, Value},
};
use serde_json::json;

/// The step as a member of an answer, with its text in both languages.
pub fn step_json(step: &Step) -> serde_json::Value {
    let text = json!({ "vi": text(step, Lang::Vi), "en": text(step, Lang::En) });
    match step {
        Step::Tariff { unit_amount, count, unit, on, legal_basis, gross } => json!({
            "step": "tariff",
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

/// An amount on the wire.
pub fn money(amount: Money) -> serde_json::Value {
    json!({ "amount": amount.decimal(), "currency": amount.currency().code() })
}

/// The step as one sentence.
pub fn text(step: &Step, lang: Lang) -> String {
    let texts = Texts::embedded();
    let word = |key: String| texts.get(lang, &key).into_owned();
    match step {
        Step::Tariff { unit_amount, count, unit, on, legal_basis, gross } => texts.with(
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
    }
}

fn condition_text(condition: &Condition, lang: Lang) -> String {
    let texts = Texts::embedded();
    let number = |key, n: &u8| texts.with(lang, key, &[("number", Value::from(n.to_string()))]);
    match condition {
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
