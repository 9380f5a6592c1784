//! The crate from outside: real sockets, real processes, the real binary.

#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "daemon", unix))]
mod daemon;
#[cfg(all(feature = "endpoint", feature = "probe"))]
mod endpoint;
#[cfg(all(feature = "notify", unix))]
mod notify;
#[cfg(feature = "probe")]
mod probe;
#[cfg(feature = "probe")]
mod server;
