//! Where commands speak: results to standard output, everything else to standard error.

use std::io::{self, Write};

/// One line of a result.
#[expect(clippy::expect_used, reason = "a result that nobody can read is a failed command")]
pub fn line(text: &str) {
    match writeln!(io::stdout(), "{text}") {
        // Whoever reads us (`| head`) has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written.expect("standard output takes the result"),
    }
}

/// A remark beside the result; losing it is no failure.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
