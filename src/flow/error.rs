//! How a flow says no: kinds by what the caller can do, codes that never change, and a private cause that never shows.

use crate::batch::Undone;
use crate::store::StoreError;
use std::fmt;

/// A flow that did not happen: nothing was written.
#[derive(Debug)]
pub enum Error {
    /// The request cannot be granted as it is; change it.
    Refused(Refusal),
    /// There is no such thing, or none that this caller may see.
    NotFound(Refusal),
    /// The thing has moved on; look at it again.
    Conflict(Refusal),
    /// The caller may not do this.
    Forbidden(Refusal),
    /// Not now; the same request may be granted later.
    Unavailable(Refusal),
    /// A mistake of ours.
    Internal(Cause),
}

/// What a flow gives.
pub type Result<T> = std::result::Result<T, Error>;

/// A reason with a stable code; the wire adds status, title and advice in both languages by that code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, snake_case, listed in `openapi.yaml`.
    pub code: &'static str,
    /// Which fields are wrong, and how.
    pub violations: Vec<Violation>,
    /// The object that the refusal points at, as its printed identifier.
    pub about: Option<String>,
}

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A JSON pointer (RFC 6901) or the parameter's name.
    pub field: String,
    /// Stable, snake_case.
    pub rule: &'static str,
    /// What was sent, where that is no personal value.
    pub sent: Option<String>,
}

impl Refusal {
    /// A reason without fields.
    pub const fn new(code: &'static str) -> Self {
        Self { code, violations: Vec::new(), about: None }
    }

    /// The same reason, pointing at an object.
    #[must_use]
    pub fn about(self, object: impl fmt::Display) -> Self {
        Self { about: Some(object.to_string()), ..self }
    }

    /// The same reason, with one more field.
    #[must_use]
    pub fn violation(mut self, field: impl Into<String>, rule: &'static str, sent: Option<String>) -> Self {
        self.violations.push(Violation { field: field.into(), rule, sent });
        self
    }
}

impl Error {
    /// A request to be changed.
    pub const fn refused(code: &'static str) -> Self {
        Self::Refused(Refusal::new(code))
    }

    /// Nothing of that name for this caller.
    pub const fn not_found() -> Self {
        Self::NotFound(Refusal::new("not_found"))
    }

    /// Somebody else moved it first.
    pub const fn conflict(code: &'static str) -> Self {
        Self::Conflict(Refusal::new(code))
    }

    /// Not for this caller.
    pub const fn forbidden(code: &'static str) -> Self {
        Self::Forbidden(Refusal::new(code))
    }

    /// A mistake of ours, with its cause for the log.
    pub fn internal(cause: impl fmt::Debug) -> Self {
        Self::Internal(Cause(format!("{cause:?}")))
    }

    /// The code that goes on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(r)
            | Self::NotFound(r)
            | Self::Conflict(r)
            | Self::Forbidden(r)
            | Self::Unavailable(r) => r.code,
            Self::Internal(_) => "internal",
        }
    }
}

/// Why it is our mistake: for the log only, so it has no `Display`.
pub struct Cause(String);

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Again(_) => Self::Unavailable(Refusal::new("try_again")),
            other @ (StoreError::Violated(_) | StoreError::Corrupt { .. } | StoreError::Unexpected(_)) => {
                Self::internal(other)
            }
        }
    }
}

impl From<Undone> for Error {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Busy => Self::Unavailable(Refusal::new("too_busy")),
            Undone::Unavailable => Self::Unavailable(Refusal::new("try_again")),
            Undone::Failed => Self::internal(undone),
        }
    }
}

/// What a failed flow means for every caller of its batch; the cause is logged here, once.
pub fn undone(error: &Error) -> Undone {
    match error {
        Error::Unavailable(_) => Undone::Unavailable,
        other => {
            tracing::error!(cause = ?other, "a batch failed");
            Undone::Failed
        }
    }
}

impl From<crate::crypto::seal::Broken> for Error {
    fn from(broken: crate::crypto::seal::Broken) -> Self {
        Self::internal(broken)
    }
}
