//! The crate from outside: real sockets, real processes, the real binary.

#[cfg(all(feature = "daemon", unix))]
mod child;
#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "daemon", unix))]
mod command;
#[cfg(all(feature = "daemon", unix))]
mod daemon;
#[cfg(all(feature = "endpoint", feature = "probe"))]
mod endpoint;
#[cfg(feature = "probe")]
mod folder;
#[cfg(feature = "probe")]
mod probe;
#[cfg(feature = "probe")]
mod server;
#[cfg(all(feature = "probe", unix))]
mod sockets;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "probe")]
mod waiting;
