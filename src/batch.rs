//! A bounded queue in front of a set-wise flow: many callers, one transaction, an answer for each.
//!
//! The batch grows with the queue: while one transaction commits, the next commands gather. A caller that gives up
//! does not take its command back; the command is decided all the same, and a retry finds the outcome by its id.
//!
//! After a batch its callers come again, one by one: a queue with [`Patience`] does not run off with the first of them, and
//! so spares most of the transactions. Where nothing much is asked, nobody waits. A queue whose callers have somebody waiting
//! has [lanes](Queue::lanes) instead: the next batch is read and signed while the one before is flushed.

use futures_util::{StreamExt, stream::FuturesUnordered};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Why a command has no outcome of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// The queue is full, or the service is stopping: the command was not taken.
    #[error("too busy to take another command")]
    Busy,
    /// The store failed the whole batch: whether it was written is found out by the command's id.
    #[error("the store is not reachable")]
    Unavailable,
    /// A mistake of ours, already logged.
    #[error("the batch failed")]
    Failed,
}

struct Waiting<C, O> {
    command: C,
    answer: oneshot::Sender<Result<O, Undone>>,
}

/// The sending end, held by `app`.
pub struct Batch<C, O> {
    queue: mpsc::Sender<Waiting<C, O>>,
}

impl<C, O> Clone for Batch<C, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

/// The receiving end, run by `work`.
pub struct Queue<C, O> {
    waiting: mpsc::Receiver<Waiting<C, O>>,
    lanes: usize,
}

/// A queue that holds at most `capacity` commands.
pub fn channel<C, O>(capacity: usize) -> (Batch<C, O>, Queue<C, O>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Batch { queue: sender }, Queue { waiting: receiver, lanes: 1 })
}

impl<C, O> Batch<C, O> {
    /// Hands a command over and waits for its own answer; a full queue refuses at once.
    pub async fn submit(&self, command: C) -> Result<O, Undone> {
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { command, answer }).map_err(|_| Undone::Busy)?;
        outcome.await.unwrap_or(Err(Undone::Unavailable))
    }
}

/// How long a batch waits for the rest of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: callers wait for one of many steps.
    None,
    /// While it is smaller than three quarters of the batch before and still grows, at most three ticks of a millisecond.
    /// Of callers who come again nearly all are waited for; where others come at a steady rate, as many wait already as
    /// came during the batch before, and nobody is kept.
    Patient,
    /// While it is smaller than the batch before and still grows, at most eight ticks: for machines that tell one thing and wait
    /// until it is kept. What a batch costs is then shared by nearly all of them.
    Whole,
    /// While it grows, at most three ticks, unless the batch before was one caller's: of bursts that follow each other, each
    /// while the other is decided, one burst is made.
    Merging,
}

/// One look at the queue.
const TICK: Duration = Duration::from_millis(1);
const TICKS: usize = 3;
/// How many of them machines wait.
const TICKS_OF_MACHINES: usize = 8;

impl<C, O> Queue<C, O> {
    /// Decides up to so many batches side by side, as several nodes would; else one after the other. A batch begins beside
    /// another once it is as large: the first callers that come again make no small one. For callers who are not kept
    /// waiting: while a queue is patient, no lane goes on.
    pub const fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// Decides batches of at most `most` commands until every sender is gone. `decide` answers each command, in order,
    /// or fails them all.
    pub async fn run<F>(mut self, most: usize, patience: Patience, mut decide: impl FnMut(Vec<C>) -> F)
    where
        F: Future<Output = Result<Vec<O>, Undone>>,
    {
        let mut under_way = FuturesUnordered::new();
        let mut gathered = Vec::with_capacity(most);
        let (mut last, mut open) = (0, true);
        while open {
            while under_way.len() == self.lanes || (!under_way.is_empty() && gathered.len() < last && open) {
                let room = most - gathered.len();
                tokio::select! {
                    Some(()) = under_way.next() => {}
                    came = self.waiting.recv_many(&mut gathered, room), if under_way.len() < self.lanes => {
                        open = came != 0;
                    }
                }
            }
            if gathered.is_empty() {
                open = open && self.waiting.recv_many(&mut gathered, most).await != 0;
            }
            if gathered.is_empty() {
                continue;
            }
            self.gather(&mut gathered, patience, (last, most)).await;
            last = gathered.len();
            let (commands, callers): (Vec<C>, Vec<_>) =
                gathered.drain(..).map(|w| (w.command, w.answer)).unzip();
            under_way.push(answer(decide(commands), callers));
        }
        while under_way.next().await.is_some() {}
    }

    /// Takes what comes in the next moments, as long as `patience` lasts.
    async fn gather(
        &mut self,
        gathered: &mut Vec<Waiting<C, O>>,
        patience: Patience,
        (last, most): (usize, usize),
    ) {
        let (enough, ticks) = match patience {
            Patience::None => return,
            Patience::Patient => ((3 * last).div_ceil(4), TICKS),
            Patience::Whole => (last, TICKS_OF_MACHINES),
            Patience::Merging if last < 2 => return,
            Patience::Merging => (most, TICKS),
        };
        for _ in 0..ticks {
            let before = gathered.len();
            if before >= enough {
                return;
            }
            tokio::time::sleep(TICK).await;
            while gathered.len() < most
                && let Ok(waiting) = self.waiting.try_recv()
            {
                gathered.push(waiting);
            }
            if gathered.len() == before {
                return;
            }
        }
    }
}

/// Hands each caller its own outcome.
async fn answer<O>(
    decided: impl Future<Output = Result<Vec<O>, Undone>>,
    callers: Vec<oneshot::Sender<Result<O, Undone>>>,
) {
    match decided.await {
        Ok(outcomes) => {
            for (caller, outcome) in callers.into_iter().zip(outcomes) {
                let _gave_up = caller.send(Ok(outcome));
            }
        }
        Err(undone) => {
            for caller in callers {
                let _gave_up = caller.send(Err(undone));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_caller_hears_its_own_answer_and_a_full_queue_says_so() {
        let (batch, queue) = channel::<u32, u32>(2);
        let ask = |n| {
            let batch = batch.clone();
            async move { batch.submit(n).await }
        };
        let full = async {
            // The first two wait in the queue; nobody decides yet.
            let (a, b, c) = tokio::join!(ask(1), ask(2), ask(3));
            (a, b, c)
        };
        let run = queue.run(10, Patience::None, async |commands: Vec<u32>| {
            Ok(commands.iter().map(|n| n * 10).collect())
        });
        let answers = tokio::select! { answers = full => answers, () = run => unreachable!() };
        assert_eq!(answers, (Ok(10), Ok(20), Err(Undone::Busy)));
    }

    #[tokio::test]
    async fn after_a_burst_a_batch_waits_for_the_rest_of_the_next() {
        let sizes = async |patience| {
            let (batch, queue) = channel::<u32, usize>(8);
            // Two come at once, and come again: the second a few steps later than the first.
            let ask = async |steps: usize| {
                let first = batch.submit(0).await;
                for _ in 0..steps {
                    tokio::task::yield_now().await;
                }
                (first, batch.submit(0).await)
            };
            let asked = async { tokio::join!(ask(0), ask(3)) };
            let run =
                queue.run(8, patience, async |commands: Vec<u32>| Ok(vec![commands.len(); commands.len()]));
            tokio::select! { sizes = asked => sizes, () = run => unreachable!() }
        };
        assert_eq!(sizes(Patience::Patient).await, ((Ok(2), Ok(2)), (Ok(2), Ok(2))));
        assert_eq!(sizes(Patience::Whole).await, ((Ok(2), Ok(2)), (Ok(2), Ok(2))));
        assert_eq!(sizes(Patience::Merging).await, ((Ok(2), Ok(2)), (Ok(2), Ok(2))));
        assert_eq!(sizes(Patience::None).await, ((Ok(2), Ok(1)), (Ok(2), Ok(1))));
    }

    #[tokio::test]
    async fn beside_a_batch_none_begins_that_is_smaller() {
        let (batch, queue) = channel::<usize, usize>(8);
        let free = tokio::sync::Notify::new();
        let begun = std::cell::RefCell::new(Vec::new());
        let asked = async {
            let ask = |n| batch.submit(n);
            let told = async {
                while begun.borrow().is_empty() {
                    tokio::task::yield_now().await;
                }
                let late = async {
                    for _ in 0..16 {
                        tokio::task::yield_now().await;
                    }
                    let alone = begun.borrow().clone();
                    free.notify_one();
                    alone
                };
                tokio::join!(ask(2), late)
            };
            tokio::join!(ask(0), ask(1), told)
        };
        let run = queue.lanes(2).run(8, Patience::None, |commands: Vec<usize>| {
            begun.borrow_mut().push(commands.len());
            let free = &free;
            async move {
                if commands.len() == 2 {
                    free.notified().await;
                }
                Ok(commands)
            }
        });
        let (.., (third, alone)) = tokio::select! { told = asked => told, () = run => unreachable!() };
        assert_eq!((third, alone), (Ok(2), vec![2]));
        assert_eq!(begun.into_inner(), vec![2, 1]);
    }

    #[tokio::test]
    async fn a_second_lane_decides_while_the_first_waits_and_a_third_batch_does_not_begin() {
        let (batch, queue) = channel::<usize, usize>(8);
        let (free, _) = tokio::sync::broadcast::channel::<usize>(8);
        let begun = std::cell::RefCell::new(Vec::new());
        let asked = async {
            let ask = |n| batch.submit(n);
            let told = async {
                while begun.borrow().len() < 2 {
                    tokio::task::yield_now().await;
                }
                // The third waits for a lane, however long the two take.
                for _ in 0..16 {
                    tokio::task::yield_now().await;
                }
                let early = begun.borrow().clone();
                for n in [1, 0, 2] {
                    while !begun.borrow().contains(&n) {
                        tokio::task::yield_now().await;
                    }
                    free.send(n).unwrap();
                }
                early
            };
            tokio::join!(ask(0), ask(1), ask(2), told)
        };
        let run = queue.lanes(2).run(1, Patience::None, |commands: Vec<usize>| {
            begun.borrow_mut().push(commands[0]);
            let mut freed = free.subscribe();
            async move {
                while freed.recv().await != Ok(commands[0]) {}
                Ok(commands)
            }
        });
        let told = tokio::select! { told = asked => told, () = run => unreachable!() };
        assert_eq!(told, (Ok(0), Ok(1), Ok(2), vec![0, 1]));
    }
}
