//! The register fills from files, however often and however badly written.

use super::{PEOPLE, import, import_under};
use crate::world::TestApp;
use chung::base::id::{Citizen, Id};
use chung::flow::population::look_up;
use chung::identity::{
    person::Person,
    personal_number::{Finding, PersonalNumber},
};
use chung::sandbox::population::{COLUMNS, Population, write_csv};
use chung::store::register::{ImportCounts, count};
use std::collections::BTreeSet;

async fn on_record(world: &TestApp, number: &str) -> Option<(Id<Citizen>, Person)> {
    let mut tx = world.app.store.begin().await.unwrap();
    let looked = look_up(&world.app, &mut tx, number.parse().unwrap()).await.unwrap();
    looked.on_record.map(|known| (known.citizen, known.person))
}

#[tokio::test]
async fn importing_twice_changes_nothing_and_a_change_keeps_the_identity() {
    let world = TestApp::start().await;
    let (first, told) = import(&world, PEOPLE).await.unwrap();
    assert_eq!(first.counts, ImportCounts { added: 4, ..ImportCounts::default() });
    assert_eq!((told.rejects, told.chunks), (vec![], 1));
    let (citizen, person) = on_record(&world, "079185000001").await.unwrap();
    assert_eq!((person.name.as_str(), person.standings.to_string().as_str()), ("Nguyễn Thị Hòa", "student"));
    assert!(on_record(&world, "079185000009").await.is_none());

    let (again, _) = import(&world, PEOPLE).await.unwrap();
    assert_eq!(again.counts, ImportCounts { unchanged: 4, ..ImportCounts::default() });

    let renamed = PEOPLE.replace("Nguyễn Thị Hòa", "Nguyễn Thị Hoa");
    let (changed, _) = import(&world, &renamed).await.unwrap();
    assert_eq!(changed.counts, ImportCounts { changed: 1, unchanged: 3, ..ImportCounts::default() });
    let (same_citizen, person) = on_record(&world, "079185000001").await.unwrap();
    assert_eq!((same_citizen, person.name.as_str()), (citizen, "Nguyễn Thị Hoa"));
}

#[tokio::test]
async fn bad_lines_are_named_and_stop_nothing() {
    let world = TestApp::start().await;
    let first = PEOPLE.lines().next().unwrap();
    let bad = format!("\"broken,,,\n{PEOPLE}\n07918500,,An,1985,female,,79,active,,,\n{first}\n");
    let (progress, told) = import(&world, &bad).await.unwrap();
    let expected = ImportCounts { added: 4, rejected: 3, ..ImportCounts::default() };
    assert_eq!(progress.counts, expected);
    let named: Vec<(u64, &str)> = told.rejects.iter().map(|r| (r.line, r.reason.as_str())).collect();
    let reasons = [
        (2, "a quote is not closed"),
        (8, "number: a personal number has 12 digits"),
        (9, "number: stands on an earlier line"),
    ];
    assert_eq!(named, reasons);
    assert!(import(&world, "").await.is_ok_and(|(progress, _)| progress.counts == ImportCounts::default()));
}

#[tokio::test]
async fn a_population_of_several_chunks_arrives_whole() {
    let world = TestApp::start().await;
    let mut file = Vec::new();
    write_csv(&mut file, 25_000, 3, |_| ()).unwrap();
    let text = String::from_utf8(file).unwrap();
    let lines = text.split_once('\n').unwrap().1;
    let twice = format!("{lines}{}\n", lines.lines().next().unwrap());
    let (progress, told) = import_under(&world, &format!("{COLUMNS}\n"), &twice).await.unwrap();
    assert_eq!(progress.counts, ImportCounts { added: 25_000, rejected: 1, ..ImportCounts::default() });
    assert_eq!((told.rejects[0].line, told.chunks), (25_002, 3));
    assert_eq!(count(&world.app.store).await.unwrap(), 25_000);
    let number = lines.lines().nth(20_000).unwrap().split(',').next().unwrap();
    assert!(on_record(&world, number).await.is_some());
}

#[tokio::test]
async fn nothing_of_a_person_stands_readable_in_the_register() {
    let world = TestApp::start().await;
    import(&world, PEOPLE).await.unwrap();
    let dump = world.dump("register_person").await;
    assert!(dump.len() > 400);
    for secret in ["079185000001", "Nguyễn", "1985-03-15", "0912345678", "student"] {
        assert!(!dump.contains(secret) && !dump.contains(&hex::encode(secret)), "{secret}");
    }
}

/// The provinces of 2025 that took others in, by the codes of the places of birth that lie in them now.
const MERGED: [(&str, &[u16]); 23] = [
    ("08", &[2, 8]),
    ("15", &[10, 15]),
    ("19", &[6, 19]),
    ("24", &[24, 27]),
    ("25", &[17, 25, 26]),
    ("31", &[30, 31]),
    ("33", &[33, 34]),
    ("37", &[35, 36, 37]),
    ("44", &[44, 45]),
    ("48", &[48, 49]),
    ("51", &[51, 62]),
    ("52", &[52, 64]),
    ("56", &[56, 58]),
    ("66", &[54, 66]),
    ("68", &[60, 67, 68]),
    ("75", &[70, 75]),
    ("79", &[74, 77, 79]),
    ("80", &[72, 80]),
    ("82", &[82, 87]),
    ("86", &[83, 84, 86]),
    ("91", &[89, 91]),
    ("92", &[92, 93, 94]),
    ("96", &[95, 96]),
];

#[test]
fn every_made_up_number_says_the_sex_the_century_and_the_place_of_its_row() {
    let (mut centuries, mut moved, mut changed, mut provinces) = (BTreeSet::new(), 0, 0, BTreeSet::new());
    for citizen in Population::new(3).take(20_000) {
        let number: PersonalNumber = citizen.number.parse().unwrap();
        let (sex, born) = (citizen.sex.parse().unwrap(), citizen.birth_date.parse().unwrap());
        match number.findings(Some(sex), Some(born))[..] {
            [] => {}
            [Finding::SexDiffers] => changed += 1,
            ref wrong => panic!("{wrong:?}: {citizen:?}"),
        }
        centuries.insert((number.birth_year() / 100, citizen.sex));
        let place: u16 = citizen.number[..3].parse().unwrap();
        let merged = MERGED.iter().find(|(_, places)| places.contains(&place));
        let province = merged.map_or_else(|| format!("{place:02}"), |(province, _)| (*province).to_owned());
        provinces.insert(province.clone());
        if citizen.province != province {
            assert!(["01", "48", "75", "79"].contains(&citizen.province), "moved to a city: {citizen:?}");
            moved += 1;
        }
    }
    assert_eq!(centuries.len(), 4, "both sexes in both centuries: {centuries:?}");
    assert_eq!(provinces.len(), 34, "{provinces:?}");
    assert!((1..=25).contains(&changed), "one in two thousand changed sex and kept the number: {changed}");
    assert!((2_000..6_000).contains(&moved), "about a fifth lives elsewhere: {moved}");
}
