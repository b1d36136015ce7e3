//! A synthetic population, the same for one seed: families with plausible names, numbers, phones and fates.
//!
//! It is written in the form that `flow::population_file` reads, described there: CSV in UTF-8 whose header line is
//! [`COLUMNS`]. A `birth_date` may be a year or a month, `status` is `active`, `locked` or `deceased` (then with
//! `died_on`), `province` has two digits, `standings` are words separated by spaces, `parents` and `guardians` are numbers
//! separated by spaces. Children know their parents, orphans have a guardian, and some adults have lost their capacity.
//!
//! Nobody in it exists. Numbers never repeat (up to 63 million rows), and nothing is kept in memory but one family.

mod names;

use crate::base::calendar::Day;
use crate::base::entropy::{Entropy, SeededEntropy};
use names::Custom;
use std::collections::VecDeque;
use std::io::{self, Write};

/// The header line.
pub const COLUMNS: &str = "number,old_number,name,birth_date,sex,phone,province,status,died_on,account_level,standings,parents,guardians,\
     capacity_lost_on";

/// The day on which the population is drawn; everybody is born before it.
const DRAWN_ON: (i32, u8, u8) = (2026, 6, 30);

/// One synthetic citizen, each field as its column is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the columns of the file")]
pub struct Citizen {
    pub number: String,
    pub old_number: Option<String>,
    pub name: String,
    pub birth_date: String,
    pub sex: &'static str,
    pub phone: Option<String>,
    pub province: &'static str,
    pub status: &'static str,
    pub died_on: Option<Day>,
    pub account_level: Option<u8>,
    pub standings: Vec<&'static str>,
    pub parents: Vec<String>,
    pub guardians: Vec<String>,
    pub capacity_lost_on: Option<Day>,
}

impl Citizen {
    /// Writes the citizen as one line; no field holds a comma or a quote.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (old, phone) = (text(&self.old_number), text(&self.phone));
        let died = self.died_on.map(|day| day.to_string()).unwrap_or_default();
        let level = self.account_level.map(|level| level.to_string()).unwrap_or_default();
        write!(out, "{},{old},{},{},{}", self.number, self.name, self.birth_date, self.sex)?;
        let lost = self.capacity_lost_on.map(|day| day.to_string()).unwrap_or_default();
        write!(
            out,
            ",{phone},{},{},{died},{level},{}",
            self.province,
            self.status,
            self.standings.join(" ")
        )?;
        writeln!(out, ",{},{},{lost}", self.parents.join(" "), self.guardians.join(" "))
    }
}

/// The citizens that belong to a seed, family by family, without end.
pub struct Population {
    chance: Chance,
    born: u64,
    families: u64,
    waiting: VecDeque<Citizen>,
    /// A living adult of the family before: the guardian of orphans.
    neighbour: Option<String>,
}

impl Population {
    /// The population of that seed.
    pub fn new(seed: u64) -> Self {
        Self {
            chance: Chance(SeededEntropy::new(seed)),
            born: 0,
            families: 0,
            waiting: VecDeque::new(),
            neighbour: None,
        }
    }

    fn settle_family(&mut self) {
        let chance = &mut self.chance;
        let (place, province) = chance.pick(&PLACES);
        let (custom, inherited) = names::family(chance, province);
        let lives_in =
            if chance.percent(20) { chance.pick(&["79", "79", "01", "01", "48", "75"]) } else { province };
        let family = Family {
            custom,
            inherited,
            place,
            lives_in,
            phone: phone(self.families),
            hardship: match chance.below(100) {
                0..=2 => Some("poor_household"),
                3..=5 => Some("near_poor_household"),
                _ => None,
            },
        };
        self.families += 1;
        let parent_age = 20 + chance.below(65);
        let children = if parent_age < 24 { 0 } else { chance.below(4) };
        let mut ages = vec![(parent_age, true)];
        let couple = chance.percent(80);
        if couple {
            ages.push(((parent_age + chance.below(9)).saturating_sub(4).max(18), false));
        }
        for _ in 0..children {
            ages.push(((parent_age - 20).saturating_sub(chance.below(18)), chance.percent(50)));
        }
        let mut members = Vec::with_capacity(ages.len());
        for (place_in_family, (age, female)) in ages.into_iter().enumerate() {
            let index = self.born;
            self.born += 1;
            members.push(family.member(&mut self.chance, index, age, female, place_in_family < 2));
        }
        self.relate(&mut members, if couple { 2 } else { 1 });
        self.waiting.extend(members);
    }

    /// Children know their parents, orphans and those without capacity have a guardian. Nothing here is drawn.
    fn relate(&mut self, members: &mut [Citizen], adults: usize) {
        let first = self.born - members.len() as u64;
        let (parents, children) = members.split_at_mut(adults.min(members.len()));
        let able = |citizen: &Citizen| citizen.status == "active" && citizen.capacity_lost_on.is_none();
        let numbers: Vec<String> = parents.iter().map(|parent| parent.number.clone()).collect();
        let outsider = self.neighbour.clone();
        for (place, citizen) in children.iter_mut().enumerate() {
            citizen.parents.clone_from(&numbers);
            let minor = citizen.birth_date.as_str() > "2008-06-30";
            if minor && !parents.iter().any(able) {
                citizen.guardians.extend(outsider.clone());
            }
            let index = first + (adults + place) as u64;
            if !minor && index % 90 == 17 && citizen.status == "active" {
                citizen.capacity_lost_on = Some(drawn_on().plus_days(-(100 + index.cast_signed() % 900)));
                let guardian = parents.iter().find(|parent| able(parent)).map(|parent| parent.number.clone());
                citizen.guardians.extend(guardian.or_else(|| outsider.clone()));
            }
        }
        if let Some(parent) = parents.iter().find(|parent| able(parent)) {
            self.neighbour = Some(parent.number.clone());
        }
    }
}

impl Iterator for Population {
    type Item = Citizen;

    fn next(&mut self) -> Option<Citizen> {
        while self.waiting.is_empty() {
            self.settle_family();
        }
        self.waiting.pop_front()
    }
}

/// Writes the header and the first `count` citizens of a seed; `written` hears the number of rows so far.
pub fn write_csv(
    out: &mut impl Write,
    count: u64,
    seed: u64,
    mut written: impl FnMut(u64),
) -> io::Result<()> {
    writeln!(out, "{COLUMNS}")?;
    for (row, citizen) in (1..=count).zip(Population::new(seed)) {
        citizen.write_csv(out)?;
        if row % 10_000 == 0 || row == count {
            written(row);
        }
    }
    out.flush()
}

struct Family {
    custom: Custom,
    inherited: &'static str,
    place: u16,
    lives_in: &'static str,
    phone: String,
    hardship: Option<&'static str>,
}

impl Family {
    fn member(&self, chance: &mut Chance, index: u64, age: u64, female: bool, parent: bool) -> Citizen {
        let birth = birth_day(chance, age);
        let year = birth.year().unsigned_abs();
        let (status, died_on) = fate(chance, index, birth);
        // A mother keeps her own surname.
        let (custom, inherited) = if parent && female && chance.percent(85) {
            names::family(chance, self.lives_in)
        } else {
            (self.custom, self.inherited)
        };
        let has_phone = parent || age < 16 || chance.percent(90);
        Citizen {
            number: number(chance, index, self.place, female, year),
            old_number: (year <= 2006 && chance.percent(85))
                .then(|| spread(index, 1_000_000_000, 618_033_989, 9)),
            name: names::person(chance, custom, inherited, female),
            birth_date: known_part(chance, birth),
            sex: if female { "female" } else { "male" },
            phone: has_phone.then(|| self.phone.clone()),
            province: self.lives_in,
            status,
            died_on,
            account_level: account_level(chance, age),
            standings: self.standings(chance, age),
            parents: Vec::new(),
            guardians: Vec::new(),
            capacity_lost_on: None,
        }
    }

    fn standings(&self, chance: &mut Chance, age: u64) -> Vec<&'static str> {
        let student = match age {
            6..=17 => chance.percent(96),
            18..=22 => chance.percent(40),
            _ => false,
        };
        let merit = age > 50 && chance.percent(3);
        let disabled = chance.percent(2);
        let own = [student.then_some("student"), merit.then_some("merit"), self.hardship];
        own.into_iter().chain([disabled.then_some("disabled")]).flatten().collect()
    }
}

fn drawn_on() -> Day {
    let (year, month, day) = DRAWN_ON;
    Day::new(year, month, day).unwrap_or(Day::from_date(time::Date::MIN))
}

fn birth_day(chance: &mut Chance, age: u64) -> Day {
    let days = age * 365 + age / 4 + chance.below(365);
    drawn_on().plus_days(-days.cast_signed())
}

/// Old people often know less than the day.
fn known_part(chance: &mut Chance, birth: Day) -> String {
    let day = birth.to_string();
    let unknown = if birth.year() < 1965 { 12 } else { 1 };
    match chance.below(100) {
        roll if roll < unknown => day[..4].to_owned(),
        roll if roll < unknown + unknown / 4 => day[..7].to_owned(),
        _ => day,
    }
}

/// Deaths and locks come at fixed places too, so that the smallest population has each kind.
fn fate(chance: &mut Chance, index: u64, birth: Day) -> (&'static str, Option<Day>) {
    let age = drawn_on().age_of(birth);
    let deadly = if age > 70 { 20 } else { 0 };
    if index % 50 == 23 || chance.percent(deadly) {
        let lived = drawn_on().date().to_julian_day() - birth.date().to_julian_day();
        let recent = u64::from(lived.unsigned_abs()).clamp(1, 7_000);
        return ("deceased", Some(drawn_on().plus_days(-chance.below(recent).cast_signed())));
    }
    if index % 100 == 61 || chance.below(500) == 0 { ("locked", None) } else { ("active", None) }
}

fn account_level(chance: &mut Chance, age: u64) -> Option<u8> {
    match (age, chance.below(100)) {
        (14.., 0..=64) => Some(2),
        (14.., 65..=84) => Some(1),
        (6..=13, 0..=19) => Some(2),
        (6..=13, 20..=39) | (0..=5, 0..=9) => Some(1),
        _ => None,
    }
}

/// Place, sex and century, year, and six digits that a row shares only with rows of other places.
fn number(chance: &mut Chance, index: u64, place: u16, female: bool, year: u32) -> String {
    let round = index / 1_000_000;
    let at = PLACES.iter().position(|(code, _)| *code == place).unwrap_or(0) as u64;
    let place = PLACES[usize::try_from((at + round) % PLACES.len() as u64).unwrap_or(0)].0;
    // One in two thousand changed sex and kept the number; that is a finding and no error.
    let digit_says_female = female != (chance.below(2_000) == 0);
    let century = (year / 100).saturating_sub(19) * 2 + u32::from(digit_says_female);
    let random = spread(index % 1_000_000, 1_000_000, 381_967, 6);
    format!("{place:03}{century}{:02}{random}", year % 100)
}

/// Another number below `of` for each `index` below `of`, without order: `by` shares no factor with ten.
fn spread(index: u64, of: u64, by: u64, digits: usize) -> String {
    let number = (index % of * by + 271_828) % of;
    format!("{number:0digits$}")
}

fn phone(family: u64) -> String {
    let at = usize::try_from(family % MOBILE_PREFIXES.len() as u64).unwrap_or(0);
    let rest = spread(family / MOBILE_PREFIXES.len() as u64, 10_000_000, 6_180_339, 7);
    format!("{}{rest}", MOBILE_PREFIXES[at])
}

const MOBILE_PREFIXES: [&str; 16] = [
    "090", "091", "093", "094", "096", "097", "098", "086", "088", "089", "032", "035", "038", "070", "077",
    "081",
];

/// The draws of one seed.
struct Chance(SeededEntropy);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        // The slight bias of a remainder does not matter to a made-up crowd.
        u64::from_le_bytes(bytes) % bound
    }

    fn percent(&mut self, of_hundred: u64) -> bool {
        self.below(100) < of_hundred
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }

    fn weighted(&mut self, from: &[(&'static str, u32)]) -> &'static str {
        let total: u32 = from.iter().map(|(_, weight)| weight).sum();
        let mut roll = self.below(u64::from(total));
        for (word, weight) in from {
            match roll.checked_sub(u64::from(*weight)) {
                Some(rest) => roll = rest,
                None => return word,
            }
        }
        from[0].0
    }
}

/// Birth-registration places and the provinces of today that they lie in.
const PLACES: [(u16, &str); 63] = [
    (1, "01"),
    (2, "08"),
    (4, "04"),
    (6, "19"),
    (8, "08"),
    (10, "15"),
    (11, "11"),
    (12, "12"),
    (14, "14"),
    (15, "15"),
    (17, "25"),
    (19, "19"),
    (20, "20"),
    (22, "22"),
    (24, "24"),
    (25, "25"),
    (26, "25"),
    (27, "24"),
    (30, "31"),
    (31, "31"),
    (33, "33"),
    (34, "33"),
    (35, "37"),
    (36, "37"),
    (37, "37"),
    (38, "38"),
    (40, "40"),
    (42, "42"),
    (44, "44"),
    (45, "44"),
    (46, "46"),
    (48, "48"),
    (49, "48"),
    (51, "51"),
    (52, "52"),
    (54, "66"),
    (56, "56"),
    (58, "56"),
    (60, "68"),
    (62, "51"),
    (64, "52"),
    (66, "66"),
    (67, "68"),
    (68, "68"),
    (70, "75"),
    (72, "80"),
    (74, "79"),
    (75, "75"),
    (77, "79"),
    (79, "79"),
    (80, "80"),
    (82, "82"),
    (83, "86"),
    (84, "86"),
    (86, "86"),
    (87, "82"),
    (89, "91"),
    (91, "91"),
    (92, "92"),
    (93, "92"),
    (94, "92"),
    (95, "96"),
    (96, "96"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn csv_of(count: u64, seed: u64) -> String {
        let mut out = Vec::new();
        write_csv(&mut out, count, seed, |_| ()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_seed_determines_the_file() {
        assert_eq!(csv_of(500, 7), csv_of(500, 7));
        assert_ne!(csv_of(500, 7), csv_of(500, 8));
        let text = csv_of(500, 7);
        assert_eq!((text.lines().count(), text.lines().next()), (501, Some(COLUMNS)));
        assert!(text.lines().all(|line| line.split(',').count() == 14));
    }

    #[test]
    fn numbers_never_repeat_and_fit_the_person() {
        let mut seen = BTreeSet::new();
        for citizen in Population::new(1).take(20_000) {
            assert!(citizen.number.len() == 12 && citizen.number.bytes().all(|b| b.is_ascii_digit()));
            assert_eq!(citizen.number[4..6], citizen.birth_date[2..4], "{citizen:?}");
            assert!(seen.insert(citizen.number.clone()), "{citizen:?}");
        }
        let mut chance = Chance(SeededEntropy::new(1));
        let twins = [5, 1_000_005, 62_000_005].map(|index| number(&mut chance, index, 79, true, 1985));
        assert!(twins[0] != twins[1] && twins[1] != twins[2] && twins[0] != twins[2], "{twins:?}");
    }

    #[test]
    fn every_kind_of_person_occurs() {
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        let mut phones: BTreeMap<String, u32> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for citizen in Population::new(42).take(2_000) {
            let mut count = |kind: String| *kinds.entry(kind).or_default() += 1;
            count(format!("status {}", citizen.status));
            count(format!("birth date of {}", citizen.birth_date.len()));
            count(format!("level {:?}", citizen.account_level));
            count(format!("old number {}", citizen.old_number.is_some()));
            citizen.standings.iter().for_each(|standing| count(format!("standing {standing}")));
            assert_eq!(citizen.died_on.is_some(), citizen.status == "deceased");
            if let Some(phone) = &citizen.phone {
                *phones.entry(phone.clone()).or_default() += 1;
            }
            for kin in citizen.parents.iter().chain(&citizen.guardians) {
                assert!(known.contains(kin) && *kin != citizen.number, "{citizen:?}");
            }
            known.insert(citizen.number.clone());
            count(format!("parents {}", citizen.parents.len()));
            count(format!("guarded {}", !citizen.guardians.is_empty()));
            count(format!("lost capacity {}", citizen.capacity_lost_on.is_some()));
            if citizen.name.contains('\'') {
                count("highland name".to_owned());
            }
        }
        for kind in [
            "status active",
            "status locked",
            "status deceased",
            "birth date of 4",
            "birth date of 7",
            "birth date of 10",
            "level None",
            "level Some(1)",
            "level Some(2)",
            "old number true",
            "old number false",
            "standing student",
            "standing merit",
            "standing poor_household",
            "standing near_poor_household",
            "standing disabled",
            "highland name",
            "parents 0",
            "parents 1",
            "parents 2",
            "guarded true",
            "lost capacity true",
        ] {
            assert!(kinds.get(kind).is_some_and(|count| *count > 0), "{kind}: {kinds:?}");
        }
        assert!(phones.values().any(|sharing| *sharing > 2));
    }
}
