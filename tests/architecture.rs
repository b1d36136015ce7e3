//! The house keeps its own rules: who may import whom, names we do not use, files that nobody includes.
//!
//! The rules are read from the text of the sources, without comments, so that a `use` and a full path count alike.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our rooms each room may use. A room may always use itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("crypto", &["base"]),
    ("audit", &["base", "crypto"]),
    ("codec", &["base", "crypto", "text"]),
    ("text", &["base"]),
    ("identity", &["base", "crypto"]),
    ("payment", &["base", "crypto"]),
    ("partner", &["base", "crypto", "codec", "identity", "payment"]),
    ("store", &["base", "crypto", "identity", "payment", "audit"]),
    ("batch", &["base"]),
    (
        "app",
        &["config", "base", "batch", "codec", "crypto", "store", "partner", "identity", "payment", "text"],
    ),
    (
        "flow",
        &[
            "app", "base", "batch", "crypto", "audit", "codec", "text", "identity", "payment", "partner",
            "store",
        ],
    ),
    ("http", &["app", "flow", "base", "codec", "crypto", "text", "identity", "payment", "audit"]),
    ("work", &["app", "batch", "flow", "base", "codec", "text", "identity", "payment"]),
    ("config", &["base"]),
    ("telemetry", &["base"]),
    ("sandbox", &["base", "crypto", "codec", "text"]),
];

/// Crates that live in few rooms, and those rooms. `crypto` alone holds JOSE and the raw keys; SQL lives in `store`.
const LIVES_IN: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("axum", &["http", "sandbox"]),
    ("axum_extra", &["http", "sandbox"]),
    ("askama", &["http", "sandbox"]),
    ("jsonwebtoken", &["crypto"]),
    ("ring", &["crypto", "base"]),
    ("cms", &["codec", "sandbox"]),
    ("x509_cert", &["codec", "crypto", "sandbox"]),
    ("der", &["codec", "crypto", "sandbox"]),
    ("reqwest", &["partner", "sandbox", "cli"]),
    ("clap", &["config", "cli", "main"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["cli", "main"]),
];

/// What domain rooms never speak: they are pure.
const NOT_IN_DOMAIN: &[&str] = &["sqlx", "axum", "serde", "serde_json", "tracing", "tokio", "reqwest"];

/// Endings and words that say nothing about what a thing is.
const BANNED_NAMES: &[&str] = &["Manager", "Helper", "Util", "Utils", "Info", "Impl"];

struct Source {
    path: PathBuf,
    /// The top-level room: the first folder or file name under `src`.
    room: String,
    /// The text without comments and without the tests that stand at the end.
    code: String,
    lines: usize,
}

#[test]
fn rooms_use_only_the_rooms_that_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = table.get(source.room.as_str()) else { continue };
        for used in rooms_used(&source.code) {
            if used != source.room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_stands_in_the_table() {
    let free = ["cli", "main", "lib"];
    let rooms: BTreeSet<String> = sources().into_iter().map(|s| s.room).collect();
    for room in rooms {
        assert!(free.contains(&room.as_str()) || MAY_USE.iter().any(|(name, _)| *name == room), "{room}");
    }
}

#[test]
fn crates_live_in_their_rooms() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, rooms) in LIVES_IN {
            if speaks(&source.code, name) && !rooms.contains(&source.room.as_str()) {
                wrong.push(format!("{} speaks {name}", source.path.display()));
            }
        }
        if ["identity", "payment"].contains(&source.room.as_str()) {
            for name in NOT_IN_DOMAIN.iter().filter(|name| speaks(&source.code, name)) {
                wrong.push(format!("{} speaks {name}", source.path.display()));
            }
            if source.code.contains("async fn") || source.code.contains(".await") {
                wrong.push(format!("{} is asynchronous", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Who judges whether a form comes from a page of ours: what people send is proved by the type that a page takes
/// (`http/sent.rs`). A portal's request to sign out is no form of ours.
const JUDGE_PROOFS: &[&str] = &["sent.rs", "session.rs", "logout.rs"];

#[test]
fn nobody_but_the_extractors_judges_the_proof_of_a_form() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.room == "http") {
        let judges = ["is_foreign(", "is_genuine(", "step_sent(", ".sent("];
        let judges = judges.iter().any(|call| source.code.contains(call));
        if judges && !JUDGE_PROOFS.iter().any(|name| source.path.ends_with(name)) {
            wrong.push(source.path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_say_what_a_thing_is() {
    let mut wrong = Vec::new();
    for source in sources() {
        for line in source.code.lines() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for pair in words.windows(2) {
                let (keyword, name) = (pair[0], pair[1]);
                let is_type = ["struct", "enum", "trait", "type"].contains(&keyword);
                let bad_type = is_type && BANNED_NAMES.iter().any(|banned| name.ends_with(banned));
                let bad_function = keyword == "fn" && name.starts_with("get_");
                let bad_module =
                    keyword == "mod" && ["common", "util", "utils", "helpers", "misc"].contains(&name);
                if bad_type || bad_function || bad_module {
                    wrong.push(format!("{}: {name}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_is_an_orphan() {
    let mut wrong = Vec::new();
    for source in sources() {
        let stem = source.path.file_stem().unwrap().to_string_lossy().into_owned();
        if ["lib", "main"].contains(&stem.as_str()) {
            continue;
        }
        let folder = source.path.parent().unwrap();
        let (name, parent) = if stem == "mod" {
            (folder.file_name().unwrap().to_string_lossy().into_owned(), folder.parent().unwrap())
        } else {
            (stem, folder)
        };
        let parents = [
            parent.join("mod.rs"),
            parent.with_extension("rs"),
            parent.join("lib.rs"),
            parent.join("main.rs"),
        ];
        let declared = parents
            .iter()
            .filter_map(|p| fs::read_to_string(p).ok())
            .any(|text| text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};"))))
            || fs::read_dir(parent).unwrap().flatten().any(|entry| {
                let text = fs::read_to_string(entry.path()).unwrap_or_default();
                text.contains(&format!("#[path = \"{name}.rs\"]"))
            });
        if !declared {
            wrong.push(source.path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_fit_their_purpose() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|s| s.lines > 600)
        .map(|s| format!("{}: {} lines", s.path.display(), s.lines))
        .collect();
    assert!(long.is_empty(), "rooms to divide: {long:#?}");
}

#[test]
fn every_module_says_what_it_owns() {
    for source in sources() {
        let text = fs::read_to_string(&source.path).unwrap();
        let is_test = source.path.to_string_lossy().contains("tests");
        assert!(is_test || text.starts_with("//!"), "{} has no module documentation", source.path.display());
    }
}

/// The rooms named by `crate::room`, also inside `use crate::{…}`.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find("crate::") {
        let own = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        rest = &rest[at + "crate::".len()..];
        if own {
            continue;
        }
        if let Some(list) = rest.strip_prefix('{') {
            rooms.extend(heads_of_list(list));
        } else {
            rooms.extend(first_word(rest));
        }
    }
    rooms
}

/// The first path segment of each item of a `use` list, whose opening brace has been read.
fn heads_of_list(list: &str) -> Vec<String> {
    let (mut depth, mut at_head, mut heads) = (0, true, Vec::new());
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            c if at_head && depth == 0 && c.is_alphabetic() => {
                heads.extend(first_word(&list[i..]));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn first_word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// Whether the code names a path of that crate.
fn speaks(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') && !code[..at].ends_with("::")
    }) || code.contains(&format!("use {name};"))
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut |path| {
        let inside = path.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        found.push(Source {
            path: path.to_owned(),
            room: first.trim_end_matches(".rs").to_owned(),
            lines: text.lines().count(),
            code: without_comments_and_tests(&text),
        });
    });
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, visit);
        } else if path.extension().is_some_and(|e| e == "rs") {
            visit(&path);
        }
    }
}

fn without_comments_and_tests(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let line = line.split("//").next().unwrap_or_default();
        code.push_str(line);
        code.push('\n');
    }
    code
}

#[test]
fn the_readers_of_this_file_read() {
    let code =
        "use crate::{base::{a, b}, flow};\nuse crate::store::x; fn f() { crate::http::y(); mycrate::z() }";
    let expected: Vec<&str> = vec!["base", "flow", "http", "store"];
    assert_eq!(rooms_used(code).iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(speaks("use ring::hmac;", "ring") && !speaks("let string::x", "ring"));
    assert_eq!(without_comments_and_tests("a // b\n#[cfg(test)]\nmod tests"), "a \n");
}
