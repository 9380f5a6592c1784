//! What the example programs share, and the insides of those that are worth a test of their own: [`agents`], [`pipeline`]
//! and [`dashboard`]. The programs themselves are in `src/bin`, one per use of the heartbeat crates; `README.md` here shows
//! what each of them prints.

pub mod agents;
pub mod dashboard;
mod duration;
mod end;
mod files;
mod hang;
mod hashing;
mod in_process;
pub mod pipeline;
mod share;
mod stop;
mod stopwatch;

pub use duration::{parse_duration, parse_interval};
pub use end::exit_code;
pub use files::{NoFiles, files_of};
pub use hang::{Hang, hang_by_signal};
pub use hashing::{Job, Round, hash_over_and_over};
pub use in_process::transport_to;
pub use share::ProcessorShare;
pub use stop::{Stop, Stopped, asked_to_stop, stop_pair};
pub use stopwatch::Stopwatch;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

// So that the table can name what is in this crate.
#[cfg(origins)]
extern crate self as examples;

/// All that the table of origins in ARCHITECTURE names, as links: `cargo xtask tidy` writes them.
#[cfg(origins)]
#[doc = include_str!(env!("ORIGINS"))]
pub mod origins {}
