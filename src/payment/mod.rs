//! What is owed, paid and returned. Pure: no I/O, no serde, no clock.
