//! The outside world: traits and their real adapters.
