//! How the programs end.

use std::error::Error;
use std::iter::successors;
use std::process::ExitCode;

/// What to exit with: 0, or 1 for an error, which is told on standard error together with what caused it.
pub fn exit_code(end: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = end else { return ExitCode::SUCCESS };
    let causes: Vec<String> = successors(Some(&*error), |&error| error.source()).map(ToString::to_string).collect();
    eprintln!("error: {}", causes.join(": "));
    ExitCode::FAILURE
}
