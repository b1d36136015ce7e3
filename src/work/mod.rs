//! Bounded loops; each tick is one flow call.
