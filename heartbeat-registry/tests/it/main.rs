//! What the registry promises.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adaptive;
mod alerts;
mod allocations;
mod availability;
mod bad_input;
mod blindness;
#[cfg(feature = "http")]
mod canary;
#[cfg(all(feature = "client", feature = "http"))]
mod client;
#[cfg(feature = "server")]
mod commands;
#[cfg(feature = "server")]
mod config;
mod directives;
mod driver;
#[cfg(feature = "verify")]
mod endpoint;
mod exits;
mod explain;
mod flapping;
mod fleet;
#[cfg(all(feature = "client", feature = "http"))]
mod follow;
mod guard;
mod host_down;
#[cfg(feature = "http")]
mod http;
mod identity;
mod model;
mod monitor;
#[cfg(all(feature = "client", feature = "http"))]
mod operate;
#[cfg(feature = "http")]
mod own_kind;
#[cfg(feature = "server")]
mod restart;
mod resume;
#[cfg(all(feature = "http", feature = "verify"))]
mod rights;
mod scale;
#[cfg(all(feature = "server", unix))]
mod serve;
#[cfg(all(feature = "alerts", feature = "http"))]
mod sinks;
#[cfg(feature = "http")]
mod slow_readers;
#[cfg(feature = "http")]
mod sse;
#[cfg(all(feature = "client", feature = "http"))]
mod sse_cuts;
mod stats;
#[cfg(feature = "verify")]
mod suspects;
#[cfg(feature = "http")]
mod tail;
mod threads;
#[cfg(feature = "server")]
mod token_commands;
#[cfg(feature = "http")]
mod token_files;
#[cfg(feature = "http")]
mod tokens;
mod town;
#[cfg(feature = "verify")]
mod verify;
#[cfg(all(feature = "client", feature = "http", feature = "verify"))]
mod verify_http;
#[cfg(feature = "http")]
mod wire;
mod work;
mod world;
