//! The loop over its two transports: by a paused clock in process, and over real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(all(feature = "cli", unix))]
mod cli;
mod directives;
mod failover;
mod goodbye;
#[cfg(feature = "http")]
mod http;
mod log;
mod member;
mod order;
mod outage;
mod pace;
#[cfg(feature = "http")]
mod panic;
#[cfg(feature = "http")]
mod registry;
#[cfg(all(feature = "relay", unix))]
mod relay;
#[cfg(feature = "http")]
mod several;
mod sleep;
mod start;
mod telling;
#[cfg(feature = "http")]
mod token_file;
