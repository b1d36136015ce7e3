//! The ISO 20022 messages that we speak, as small exact structs; amounts are decimal texts, never floats.
