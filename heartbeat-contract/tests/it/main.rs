//! What the crate promises of the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod defaults;
mod golden;
mod limits;
mod payloads;
mod refusals;
