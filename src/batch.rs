//! A bounded queue in front of a set-wise flow: many callers, one transaction, an answer for each.
//!
//! The batch grows with the queue: while one transaction commits, the next commands gather. A caller that gives up
//! does not take its command back; the command is decided all the same, and a retry finds the outcome by its id.
//!
//! After a batch its callers come again, one by one: a queue that is [`Patience::Patient`] does not run off with the first of
//! them, and so spares most of the transactions. Where nothing much is asked, nobody waits.

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
}

/// A queue that holds at most `capacity` commands.
pub fn channel<C, O>(capacity: usize) -> (Batch<C, O>, Queue<C, O>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Batch { queue: sender }, Queue { waiting: receiver })
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
}

/// One look at the queue.
const TICK: Duration = Duration::from_millis(1);
const TICKS: usize = 3;

impl<C, O> Queue<C, O> {
    /// Decides batches of at most `most` commands until every sender is gone. `decide` answers each command, in order,
    /// or fails them all.
    pub async fn run<F>(mut self, most: usize, patience: Patience, mut decide: impl FnMut(Vec<C>) -> F)
    where
        F: Future<Output = Result<Vec<O>, Undone>>,
    {
        let mut gathered = Vec::with_capacity(most);
        let mut last = 0;
        while self.waiting.recv_many(&mut gathered, most).await > 0 {
            if patience == Patience::Patient {
                self.gather(&mut gathered, (last, most)).await;
            }
            last = gathered.len();
            let (commands, callers): (Vec<C>, Vec<_>) =
                gathered.drain(..).map(|w| (w.command, w.answer)).unzip();
            match decide(commands).await {
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
    }

    /// Takes what comes in the next moments, until it is about as much as the batch before.
    async fn gather(&mut self, gathered: &mut Vec<Waiting<C, O>>, (last, most): (usize, usize)) {
        let enough = (3 * last).div_ceil(4);
        for _ in 0..TICKS {
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
        assert_eq!(sizes(Patience::None).await, ((Ok(2), Ok(1)), (Ok(2), Ok(1))));
    }
}
