//! The payment's life under a seed: citizens, two agencies that collect in one account or each in its own, cashiers at two tills, three banks,
//! accountants and an approver act in random order; messages are lost, late, doubled, reordered and corrupted, money
//! settles in parts, goes back and goes on, is asked back, days are told wrongly and told again, in several messages or
//! beside whoever asked, receipts are written on paper or come from elsewhere, heads are stamped, two nodes act at once, and
//! the process dies after any statement; bills are paid late, with the interest of the day, money in suspense is let go by two,
//! banks deny late what they took. A small model of what truly happened must agree with the books of every agency in the end,
//! whatever the order.
//!
//! Every act is a process of its own with queues of its own: two at once are two nodes on one database.
//!
//! `CHUNG_SIM_SEEDS` says how many seeds run (2,000 in CI, 300 elsewhere), `CHUNG_SIM_SEED` runs one and tells its
//! steps, `CHUNG_SIM_TWICE` says how many are lived twice. A seed that fails says so with its number. The seed alone decides what
//! happens, after which statement a process dies and who of two at once acts when included: what was lived before, how fast the
//! database answers and by which plans changes nothing.
//!
//! `tests/simulation/run 100000` runs that many seeds; `tests/simulation/mutants/run` breaks the code under test on purpose
//! and demands that a seed fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod accountants;
mod agencies;
mod assessed;
mod banks;
mod books;
mod cashiers;
mod changes;
mod citizens;
mod clearing;
mod closings;
mod collected;
#[path = "../support/database.rs"]
#[expect(dead_code, reason = "stores are connected with settings here, and through gates")]
mod database;
mod denials;
mod door;
mod fees;
mod issuers;
mod late;
mod laws;
mod leaving;
mod life;
mod listeners;
mod long_days;
mod matching;
mod never;
mod nodes;
mod paper;
mod platform;
mod process;
mod rails;
mod recalls;
mod receipts;
mod releases;
mod remitted;
mod seen;
#[path = "../support/stamping.rs"]
mod stamping;
mod stamps;
mod sweeper;
mod systems;
mod tellings;
mod tolerances;
mod work;
mod world;

use life::Told;
use seen::Seen;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use world::World;

/// Each has a database of its own, which it empties between seeds. Twice as many as two cores can bear: while one waits for
/// its database the other goes on.
const WORKERS: usize = 4;

/// Answers are many small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// So many lives have seen everything that is not rare.
const ENOUGH: u64 = 300;
/// So many run where changes are judged: they have seen what is rare as well.
const MANY: u64 = 2_000;

#[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

#[test]
fn whatever_happens_in_whatever_order_the_books_tell_the_truth() {
    let one = number("CHUNG_SIM_SEED");
    let seeds = number("CHUNG_SIM_SEEDS").unwrap_or(if variable("CI").is_some() { MANY } else { ENOUGH });
    let next = Arc::new(AtomicU64::new(1));
    let seen = Arc::new(Seen::default());
    let failed = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (next, seen, failed) = (Arc::clone(&next), Arc::clone(&seen), Arc::clone(&failed));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let world = World::found().await;
                    if let Some(seed) = one {
                        return run(&world, seed, (&seen, &failed), true).await;
                    }
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed > seeds || failed.load(Ordering::Relaxed) {
                            return;
                        }
                        run(&world, seed, (&seen, &failed), false).await;
                    }
                });
            })
        })
        .take(if one.is_some() { 1 } else { WORKERS })
        .collect();
    let fell = workers.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    seen.print();
    assert_eq!(fell, 0, "a seed failed: see above");
    if one.is_none() && seeds >= ENOUGH {
        seen.demand_everything(seeds >= MANY);
    }
}

/// So many lives are lived twice.
const TWICE: u64 = 12;
/// The second time the database finds its rows by other ways, and so in another order wherever none is asked for.
const OTHERWISE: &str =
    "&options=-c%20enable_nestloop%3Doff%20-c%20enable_hashagg%3Doff%20-c%20enable_indexonlyscan%3Doff";

/// What is told of each of these lives, one after the other in one world.
fn lived(
    seeds: impl Iterator<Item = u64> + Send + 'static,
    settings: &'static str,
) -> JoinHandle<Vec<(u64, Told)>> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (world, seen, mut lives) = (World::found_with(settings).await, Seen::default(), Vec::new());
            for seed in seeds {
                let mut life = world.begin(seed, false).await;
                life.live(&seen).await;
                life.settle_down(&seen).await;
                lives.push((seed, life.told.take()));
            }
            lives
        })
    })
}

#[test]
fn a_seed_is_one_life_whatever_was_lived_before_and_however_the_database_answers() {
    let seeds = 1..=number("CHUNG_SIM_TWICE").unwrap_or(TWICE);
    let (there, back) = (lived(seeds.clone(), ""), lived(seeds.rev(), OTHERWISE));
    let (there, back) = (there.join().unwrap(), back.join().unwrap());
    for ((seed, told), (_, again)) in there.iter().zip(back.iter().rev()) {
        assert!(told.len() > 100, "seed {seed} tells nothing");
        if let Some(at) = told.iter().zip(again).position(|(one, other)| one != other) {
            panic!("seed {seed}, after {:?}: {:?}, or {:?}", &told[at.max(3) - 3..at], told[at], again[at]);
        }
        assert_eq!(told.len(), again.len(), "seed {seed}");
    }
}

/// One seed; a failure names it, and ends the run.
async fn run(world: &World, seed: u64, (seen, failed): (&Seen, &AtomicBool), tell: bool) {
    struct Named<'a>(u64, &'a AtomicBool);
    impl Drop for Named<'_> {
        #[expect(clippy::print_stderr, reason = "whoever runs it must know the seed")]
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.1.store(true, Ordering::Relaxed);
                eprintln!("seed {} failed; CHUNG_SIM_SEED={} cargo test --test simulation", self.0, self.0);
            }
        }
    }
    let named = Named(seed, failed);
    let mut life = seen.timed("beginning", world.begin(seed, tell)).await;
    seen.timed("living", life.live(seen)).await;
    seen.timed("settling down", life.settle_down(seen)).await;
    seen.timed("judging", laws::check(&mut life, seen)).await;
    drop(named);
}
