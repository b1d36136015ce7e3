//! Many callers in one transaction, where a mistake of ours about one of them must not become everybody's.

use super::{Error, Result, undone};
use crate::batch::Undone;

/// Decides for all at once, in order. Where something of one of them fails the whole, each is decided by itself; where the
/// store is not there nobody knows what became of it, and nothing is tried again.
pub(super) async fn together_or_apart<'a, C, O: Clone, F>(
    asked: &'a [C],
    decide: impl Fn(&'a [C]) -> F,
) -> Vec<std::result::Result<O, Undone>>
where
    F: Future<Output = Result<Vec<O>>>,
{
    match decide(asked).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(Error::Internal(cause)) if asked.len() > 1 => {
            tracing::error!(?cause, "a batch is taken apart");
            let mut answers = Vec::with_capacity(asked.len());
            for one in asked.chunks(1) {
                let alone = decide(one).await.map_err(|error| undone(&error));
                answers.push(alone.and_then(|mut answers| answers.pop().ok_or(Undone::Failed)));
            }
            answers
        }
        Err(error) => vec![Err(undone(&error)); asked.len()],
    }
}
