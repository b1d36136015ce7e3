//! How long to wait before something is tried again: longer each time, and not at the same moment as everybody else.

use crate::base::entropy::{Entropy, random};
use time::Duration;

/// The wait after the first failure; it triples with each further one.
const FIRST: Duration = Duration::seconds(5);

/// The wait after that many failures in a row: at most `longest`, shortened by up to a third by chance.
pub fn backoff(failures: i32, longest: Duration, entropy: &dyn Entropy) -> Duration {
    let mut wait = FIRST;
    for _ in 1..failures.max(1) {
        if wait >= longest {
            break;
        }
        wait *= 3;
    }
    let [chance]: [u8; 1] = random(entropy);
    let wait = wait.min(longest);
    wait - wait * i32::from(chance) / (3 * 256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_bounded_and_grows(failures in i32::MIN..i32::MAX, longest in 5i64..100_000, seed: u64) {
            let (entropy, longest) = (SeededEntropy::new(seed), Duration::seconds(longest));
            let wait = backoff(failures, longest, &entropy);
            prop_assert!(wait > FIRST / 2 && wait <= longest);
            // Two thirds of three times as long is more than the longest wait before.
            let next = backoff(failures.saturating_add(1), longest, &entropy);
            prop_assert!(next >= wait * 2 / 3);
        }
    }

    #[test]
    fn waits_spread_and_reach_hours() {
        let entropy = SeededEntropy::new(5);
        let waits: std::collections::BTreeSet<Duration> =
            (0..50).map(|_| backoff(9, Duration::hours(6), &entropy)).collect();
        assert!(waits.len() > 20, "everybody would come back at once");
        assert!(waits.iter().all(|wait| *wait >= Duration::hours(4) && *wait <= Duration::hours(6)));
    }
}
