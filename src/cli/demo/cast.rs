//! The people of a demonstration: the register, who signs in, and who has a role.

use super::installed::{Officer, Person};
use super::setup::AGENCIES;
use crate::app::App;
use crate::cli::{
    import::{population as import_people, rejects_of},
    out,
    sandbox::population as write_population,
};
use crate::identity::role::Role;
use crate::sandbox::population;
use anyhow::{Context, bail, ensure};
use std::path::Path;

/// The seed of the people.
const SEED: u64 = 2026;

/// The visitor's place among the people.
pub(super) const VISITOR: usize = 1;

/// Generates and imports the people.
pub(super) async fn people(app: &App, citizens: u64, data: &Path) -> anyhow::Result<()> {
    let file = data.join("population.csv");
    write_population(citizens, SEED, Some(&file))?;
    let done = import_people(app, &file, &rejects_of(&file), None).await?;
    let counts = done.counts;
    out::line(&format!(
        "{} made-up citizens are on the register (seed {SEED}; {} are new).",
        counts.added + counts.changed + counts.unchanged,
        counts.added
    ));
    ensure!(counts.rejected == 0, "{} lines of {} were refused", counts.rejected, file.display());
    Ok(())
}

/// Grown-up, living people with a telephone of their own: a student, somebody for the visitor to sign in as, then the
/// officers are taken, then more students as far as there are any, and others.
pub(super) fn cast(citizens: u64) -> anyhow::Result<(Vec<Person>, Vec<Officer>)> {
    let mut phones = std::collections::BTreeSet::new();
    let count = usize::try_from(citizens).unwrap_or(usize::MAX);
    let (students, others): (Vec<_>, Vec<_>) = population::Population::new(SEED)
        .take(count)
        .filter(|citizen| citizen.status == "active" && citizen.birth_date.as_str() < "2007")
        .filter_map(|citizen| {
            let student = citizen.standings.as_slice() == ["student"];
            let phone = citizen.phone.filter(|phone| phones.insert(phone.clone()))?;
            let (number, name, birth_date) = (citizen.number, citizen.name, citizen.birth_date);
            Some((student, Person { number, name, birth_date, phone }))
        })
        .take(2_000)
        .partition(|(student, _)| *student);
    if students.len() + others.len() < ROLES.len() + OTHER_ROLES.len() + PEOPLE {
        bail!("--citizens {citizens} is too few for the demonstration: take 200 or more");
    }
    let mut others = others.into_iter().map(|(_, person)| person);
    let officer = |agency: usize| {
        move |(role, person): (&Role, Person)| Officer {
            agency: AGENCIES[agency].code.to_owned(),
            role: role.word().to_owned(),
            person,
        }
    };
    let mut staff: Vec<Officer> = ROLES.iter().zip(&mut others).map(officer(0)).collect();
    let visitor = others.next().context("nobody for the visitor")?;
    staff.extend(OTHER_ROLES.iter().zip(&mut others).map(officer(1)));
    let mut people: Vec<Person> =
        students.into_iter().map(|(_, person)| person).chain(others).take(PEOPLE - 1).collect();
    people.insert(VISITOR, visitor);
    Ok((people, staff))
}

/// How many people a program may sign in as; the tours take turns, since one number gets only so many codes an hour.
const PEOPLE: usize = 11;

/// The officers of the tour's agency.
const ROLES: [Role; 7] = [
    Role::Officer,
    Role::Officer,
    Role::Cashier,
    Role::Accountant,
    Role::Approver,
    Role::Auditor,
    Role::Administrator,
];
/// The officers of the other one.
const OTHER_ROLES: [Role; 2] = [Role::Cashier, Role::Accountant];
