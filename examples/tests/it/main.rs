//! The whole path: real senders, a real registry, and between them a socket or a channel. And the programs: what they
//! print, and what they are made of.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agents;
mod curl;
mod dashboard;
mod defaults;
mod directives;
mod hang;
mod in_process;
mod index;
mod over_http;
mod pipeline;
mod programs;
mod queen;
#[cfg(feature = "daemon")]
mod readme;
mod real_registry;
#[cfg(feature = "daemon")]
mod relayed;
mod starved;
#[cfg(feature = "daemon")]
mod supervise;
mod transcript;
mod waiting;
#[cfg(feature = "daemon")]
mod wrapped;
#[cfg(feature = "daemon")]
mod wrapper;
