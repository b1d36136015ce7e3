//! A process of the service that lives for one act, and may die in the middle of it; and two of them on one database.
//!
//! What the seed decides is counted in statements that the database has answered: how the answers are cut on their way, and
//! how fast they come, changes nothing.

use crate::world::{Chance, World};
use chung::app::{self, App};
use chung::work::run_queues;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
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
            ANSWERED.with(|answered| answered.set(answered.get() + 1));
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

/// An act that is dropped once so many of its statements were answered and it waits again, as if the process had been killed
/// there: before, between or after its transactions, and while the next statement, or a commit, is on its way.
struct Mortal<F> {
    act: Pin<Box<F>>,
    statements: Option<u32>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.statements {
            Some(0) => Poll::Ready(None),
            Some(left) => {
                let (polled, answered) = poll_counting(self.act.as_mut(), context);
                self.statements = Some(left.saturating_sub(answered));
                polled.map(Some)
            }
            None => self.act.as_mut().poll(context).map(Some),
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
/// How long somebody whose turn it is may wait until it is asked whether they wait for the other.
const PATIENCE: Duration = Duration::from_millis(2);
/// How often it is asked before it is the other's turn whatever they wait for.
const ASKED: usize = 25;

/// Two acts at once on one database: by turns of some statements each, as chance decides. Who waits for a lock lets the other
/// go on.
pub async fn together<A: Future, B: Future>(
    world: &World,
    mut turns: Chance,
    one: A,
    other: B,
) -> (A::Output, B::Output) {
    let (mut first, mut second) = (None, None);
    {
        let mut one = pin!(async { first = Some(one.await) });
        let mut other = pin!(async { second = Some(other.await) });
        let mut of_one = true;
        loop {
            let statements = u32::try_from(1 + turns.below(TURN)).unwrap();
            let act: Pin<&mut dyn Future<Output = ()>> = if of_one { one.as_mut() } else { other.as_mut() };
            if take_turn(world, act, statements).await {
                break;
            }
            of_one = !of_one;
        }
        if of_one { other.await } else { one.await }
    }
    (first.unwrap(), second.unwrap())
}

/// One turn; whether the act is over.
async fn take_turn(world: &World, act: Pin<&mut dyn Future<Output = ()>>, statements: u32) -> bool {
    let mut turn = Turn { act, statements };
    for _ in 0..ASKED {
        match tokio::time::timeout(PATIENCE, &mut turn).await {
            Ok(over) => return over,
            Err(_) if world.somebody_waits_for_a_lock().await => return false,
            Err(_) => {}
        }
    }
    false
}

struct Turn<'a> {
    act: Pin<&'a mut (dyn Future<Output = ()> + 'a)>,
    statements: u32,
}

impl Future for Turn<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let (polled, answered) = poll_counting(self.act.as_mut(), context);
        self.statements = self.statements.saturating_sub(answered);
        match polled {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending if self.statements == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }
}
