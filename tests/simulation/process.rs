//! A process of the service that lives for one act, and may die in the middle of it; and two of them on one database.
//!
//! What the seed decides is counted in statements that the database has answered: how the answers are cut on their way, and
//! how fast they come, changes nothing. A process dies the moment that the last of its statements is answered, and what one of two
//! sends waits at the gate of its node while it is the other's turn.

use crate::nodes::Gate;
use crate::world::{Chance, World};
use chung::app::{self, App};
use chung::work::run_queues;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata};

thread_local! {
    /// How many statements were answered on this thread while somebody counted.
    static ANSWERED: Cell<u32> = const { Cell::new(0) };
    /// At which of them the process dies that is polled just now.
    static KILLS_AT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Hears of every statement that is over: the driver tells of each as a trace.
struct Listening;

/// Whether a statement is the service's: what the driver asks about types it asks once on each connection, whenever a
/// process comes to get a new one.
struct OwnQuestion(bool);

impl Visit for OwnQuestion {
    fn record_str(&mut self, _: &Field, text: &str) {
        self.0 &= !text.contains("pg_catalog");
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl tracing::Subscriber for Listening {
    fn register_callsite(&self, of: &'static Metadata<'static>) -> Interest {
        if self.enabled(of) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut asks = OwnQuestion(true);
        event.record(&mut asks);
        if asks.0 {
            let answered = ANSWERED.get() + 1;
            ANSWERED.set(answered);
            if KILLS_AT.get().is_some_and(|at| answered >= at) && !std::thread::panicking() {
                resume_unwind(Box::new(Killed));
            }
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Two: the only one that there is would be asked what it wants to hear only where it listens already.
static LISTENING: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [Dispatch::new(Listening), Dispatch::new(Listening)]);

/// Polls an act; how many statements were answered over it.
fn poll_counting<F: Future + ?Sized>(act: Pin<&mut F>, context: &mut Context<'_>) -> (Poll<F::Output>, u32) {
    let before = ANSWERED.get();
    let polled = tracing::dispatcher::with_default(&LISTENING[0], || act.poll(context));
    (polled, ANSWERED.get() - before)
}

/// What a process dies of.
struct Killed;

/// An act that is dropped the moment that so many of its statements are answered, as if the process had been killed there: the
/// database has carried the last one out, be it a commit, and nobody has heard of it.
struct Mortal<F> {
    act: Pin<Box<F>>,
    statements: Option<u32>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(left) = self.statements else {
            return self.act.as_mut().poll(context).map(Some);
        };
        if left == 0 {
            return Poll::Ready(None);
        }
        KILLS_AT.set(Some(ANSWERED.get() + left));
        let polled = catch_unwind(AssertUnwindSafe(|| poll_counting(self.act.as_mut(), context)));
        KILLS_AT.set(None);
        match polled {
            Ok((polled, answered)) => {
                self.statements = Some(left - answered);
                polled.map(Some)
            }
            Err(cause) if cause.is::<Killed>() => Poll::Ready(None),
            Err(cause) => resume_unwind(cause),
        }
    }
}

/// Runs an act in a process of its own, with its own queues; `None` when the process died after so many statements. What the
/// dead had begun is undone by then.
pub async fn live<T, F>(app: &App, dies_after: Option<u32>, act: impl FnOnce(App) -> F) -> Option<T>
where
    F: Future<Output = T>,
{
    let (batches, queues) = app::queues(&app.limits);
    let process = app.with(|parts| parts.batches = batches);
    // Polled only when something was put into a queue, and not at every answer of the database.
    let mut serving = FuturesUnordered::from_iter([run_queues(process.clone(), queues)]);
    let act = act(process);
    let whole = async {
        tokio::select! {
            biased;
            done = act => done,
            _ = serving.next() => unreachable!("the queues are served as long as the process lives"),
        }
    };
    let done = Mortal { act: Box::pin(whole), statements: dies_after }.await;
    drop(serving);
    if done.is_none() {
        while app.store.connections().0 > app.store.connections().1 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    done
}

/// The most statements of one turn.
const TURN: usize = 4;
/// How long somebody whose turn it is waits for an answer until it is asked whether they wait for the other: nothing else depends
/// on it.
const PATIENCE: Duration = Duration::from_millis(2);

/// One of two at once.
struct Player<'a> {
    act: Pin<Box<dyn Future<Output = ()> + 'a>>,
    gate: &'a Gate,
    /// Whether its statement waits for what the other has locked.
    blocked: bool,
}

impl Player<'_> {
    /// Whether its statement waits for a lock.
    async fn waits(&self, world: &World) -> bool {
        world.waits_for_a_lock(&self.gate.backends()).await
    }

    /// Until its statement waits for a lock again, if it did, or is done.
    async fn settle(&mut self, world: &World) {
        while self.blocked && !self.waits(world).await {
            self.blocked = !self.gate.is_quiet();
            tokio::task::yield_now().await;
        }
    }
}

/// Two acts at once on one database, each at a node of its own: by turns of some statements each, as chance decides. Who waits
/// for a lock lets the other go on. `one` acts at the first of the world's nodes, `other` at the second.
pub async fn together<A: Future, B: Future>(
    world: &World,
    mut turns: Chance,
    one: A,
    other: B,
) -> (A::Output, B::Output) {
    let (mut first, mut second) = (None, None);
    {
        let [at, beside] = &world.nodes;
        let one = Box::pin(async { first = Some(one.await) });
        let other = Box::pin(async { second = Some(other.await) });
        let mut mover = Player { act: one, gate: &at.gate, blocked: false };
        let mut waits = Player { act: other, gate: &beside.gate, blocked: false };
        mover.gate.shut();
        waits.gate.shut();
        let mut drawn = None;
        loop {
            let statements = drawn.take().unwrap_or_else(|| u32::try_from(1 + turns.below(TURN)).unwrap());
            match take_turn(world, &mut mover, &mut waits, statements).await {
                Turn::Over => break,
                // Each for the other, until the database refuses one of them.
                Turn::Waits if waits.blocked => {
                    drawn = Some(statements);
                    while mover.waits(world).await && waits.waits(world).await {
                        tokio::time::sleep(PATIENCE).await;
                    }
                    mover.settle(world).await;
                    waits.settle(world).await;
                }
                Turn::Waits | Turn::Taken => {}
            }
            std::mem::swap(&mut mover, &mut waits);
        }
        mover.gate.open();
        waits.gate.open();
        waits.act.await;
    }
    (first.unwrap(), second.unwrap())
}

/// How a turn ends.
#[derive(PartialEq, Eq)]
enum Turn {
    Over,
    Taken,
    Waits,
}

async fn take_turn(world: &World, mover: &mut Player<'_>, waits: &mut Player<'_>, statements: u32) -> Turn {
    let mut left = statements;
    while left > 0 {
        mover.gate.open();
        match take_step(world, mover).await {
            Some(Step::Over) => return Turn::Over,
            Some(Step::Answered(many)) => left = left.saturating_sub(many),
            None => {
                mover.gate.shut();
                mover.blocked = true;
                return Turn::Waits;
            }
        }
        mover.blocked = false;
        // What the other waited for may be its own by now.
        waits.settle(world).await;
    }
    Turn::Taken
}

/// Polls until a statement is answered, and no further; nothing if it waits for a lock.
async fn take_step(world: &World, mover: &mut Player<'_>) -> Option<Step> {
    loop {
        let step = Stepping { act: mover.act.as_mut(), gate: mover.gate };
        match tokio::time::timeout(PATIENCE, step).await {
            Ok(step) => return Some(step),
            Err(_) if mover.waits(world).await => return None,
            Err(_) => {}
        }
    }
}

enum Step {
    Over,
    Answered(u32),
}

struct Stepping<'a, 'b> {
    act: Pin<&'a mut (dyn Future<Output = ()> + 'b)>,
    gate: &'a Gate,
}

impl Future for Stepping<'_, '_> {
    type Output = Step;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Step> {
        match poll_counting(self.act.as_mut(), context) {
            (Poll::Ready(()), _) => Poll::Ready(Step::Over),
            (Poll::Pending, 0) => Poll::Pending,
            (Poll::Pending, answered) => {
                // What it has sent since stays here.
                self.gate.shut();
                Poll::Ready(Step::Answered(answered))
            }
        }
    }
}
