//! Rows that must never exist, and why: each a law with a name of its own.

mod bills;
mod money;
mod receipts;
mod statements;

/// A law: its name, the rows that break it, and whether it holds at every moment or only once a life has settled down.
pub struct Law {
    pub name: &'static str,
    pub rows: &'static str,
    pub always: bool,
}

const fn law(name: &'static str, rows: &'static str) -> Law {
    Law { name, rows, always: false }
}

const fn always(name: &'static str, rows: &'static str) -> Law {
    Law { name, rows, always: true }
}

/// The laws, in the order in which their breaches are numbered.
fn laws() -> impl Iterator<Item = &'static Law> {
    let all: [&'static [Law]; 4] = [&bills::LAWS, &money::LAWS, &receipts::LAWS, &statements::LAWS];
    all.into_iter().flatten()
}

/// The name of the law of that number.
pub fn name(nth: usize) -> &'static str {
    laws().nth(nth).unwrap().name
}

/// All of them as one question, or those that hold at every moment.
pub fn question(always: bool) -> String {
    let asked = laws().enumerate().filter(|(_, law)| law.always || !always);
    let each =
        asked.map(|(nth, law)| format!("select {nth} as law, broken.row from ({}) as broken", law.rows));
    each.collect::<Vec<_>>().join(" union all ")
}
