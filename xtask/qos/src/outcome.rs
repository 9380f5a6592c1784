//! How runs end.

use std::error::Error;

/// Success, or what a person should read to go on.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;
