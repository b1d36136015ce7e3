//! The `/v1` endpoints for agencies and administrators.
