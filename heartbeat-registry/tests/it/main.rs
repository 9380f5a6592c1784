//! What the registry promises.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allocations;
#[cfg(all(feature = "client", feature = "http"))]
mod client;
mod driver;
mod fleet;
#[cfg(feature = "http")]
mod http;
mod model;
#[cfg(feature = "http")]
mod own_kind;
mod scale;
mod threads;
#[cfg(feature = "http")]
mod wire;
mod world;
