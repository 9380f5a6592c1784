//! The whole path: real senders, a real registry, and between them a socket or a channel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod curl;
mod directives;
mod in_process;
mod over_http;
mod real_registry;
mod recover;
mod waiting;
