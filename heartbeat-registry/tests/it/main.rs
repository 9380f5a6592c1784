//! What the registry promises.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod alerts;
mod allocations;
#[cfg(all(feature = "client", feature = "http"))]
mod client;
mod directives;
mod driver;
#[cfg(feature = "verify")]
mod endpoint;
mod explain;
mod fleet;
#[cfg(feature = "http")]
mod http;
mod model;
#[cfg(all(feature = "client", feature = "http"))]
mod operate;
#[cfg(feature = "http")]
mod own_kind;
mod scale;
mod stats;
mod threads;
#[cfg(feature = "verify")]
mod verify;
#[cfg(all(feature = "client", feature = "http", feature = "verify"))]
mod verify_http;
#[cfg(feature = "http")]
mod wire;
mod world;
