//! What a verification has established about a person, as far as a fee may depend on it.

use super::{Error, Result};
use crate::{
    app::App,
    base::id::{Agency, Id, Verification},
    payment::exemption::Facts,
};

/// The facts of a verification that this agency asked for.
#[expect(clippy::unused_async, reason = "the register is asked here once verifications are kept")]
pub async fn facts_of(_app: &App, _agency: Id<Agency>, _verification: Id<Verification>) -> Result<Facts> {
    Err(Error::refused("verification_unknown"))
}
