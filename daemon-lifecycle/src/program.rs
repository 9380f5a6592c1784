//! What the binaries of this workspace share, so that they read and speak alike. It is for them alone, and no part of
//! what this crate promises: it changes with them, in any release.
//!
//! Every flag of a binary is also an environment variable and a key in the file that `--config` names: [`parse`] sees to
//! the file, each flag names its own variable, and [`flags_without_variable`] lets a test find those that do not.

mod arguments;
mod config;
mod failed;
mod output;
mod place;
mod stream;

pub mod duration;
pub mod exit;

pub use arguments::{completions, flags_without_variable, parse};
pub use clap_complete::Shell;
pub use failed::{Failed, with_causes};
pub use output::Output;
pub use place::place;
pub use stream::{harmless, put, say};
