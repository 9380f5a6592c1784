//! What the registry promises.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alerts;
mod allocations;
mod bad_input;
#[cfg(all(feature = "client", feature = "http"))]
mod client;
#[cfg(feature = "server")]
mod commands;
mod directives;
mod driver;
#[cfg(feature = "verify")]
mod endpoint;
mod explain;
mod fleet;
#[cfg(all(feature = "client", feature = "http"))]
mod follow;
#[cfg(feature = "http")]
mod http;
mod model;
mod monitor;
#[cfg(all(feature = "client", feature = "http"))]
mod operate;
#[cfg(feature = "http")]
mod own_kind;
mod resume;
#[cfg(all(feature = "http", feature = "verify"))]
mod rights;
mod scale;
#[cfg(feature = "http")]
mod slow_readers;
#[cfg(feature = "http")]
mod sse;
#[cfg(all(feature = "client", feature = "http"))]
mod sse_cuts;
mod stats;
#[cfg(feature = "http")]
mod tail;
mod threads;
#[cfg(feature = "server")]
mod token_commands;
#[cfg(feature = "http")]
mod token_files;
#[cfg(feature = "http")]
mod tokens;
#[cfg(feature = "verify")]
mod verify;
#[cfg(all(feature = "client", feature = "http", feature = "verify"))]
mod verify_http;
#[cfg(feature = "http")]
mod wire;
mod world;
