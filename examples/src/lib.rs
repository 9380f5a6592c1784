//! What the example programs share. The programs themselves are in `src/bin`, one per use of the heartbeat crates:
//! `worker` does real work and reports it, `hive` reports the figures of its machine.

mod duration;
mod files;
mod hashing;
mod share;
mod stop;

pub use duration::parse_duration;
pub use files::{NoFiles, files_of};
pub use hashing::{Job, Round, hash_over_and_over};
pub use share::ProcessorShare;
pub use stop::{Stop, Stopped, asked_to_stop, stop_pair};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
