//! The crate from outside: real sockets, real processes, the real binary.

#[cfg(all(feature = "daemon", unix))]
mod child;
#[cfg(feature = "cli")]
mod cli;
#[cfg(all(feature = "daemon", unix))]
mod command;
#[cfg(all(feature = "cli", feature = "daemon", unix))]
mod config;
#[cfg(all(feature = "daemon", unix))]
mod daemon;
#[cfg(all(feature = "endpoint", feature = "probe"))]
mod endpoint;
#[cfg(feature = "probe")]
mod folder;
#[cfg(all(feature = "cli", feature = "daemon", target_os = "linux"))]
mod killed;
#[cfg(all(feature = "daemon", unix))]
mod liveness;
#[cfg(all(feature = "notify", unix))]
mod notify;
#[cfg(all(feature = "daemon", unix))]
mod outward;
#[cfg(all(feature = "daemon", unix))]
mod pid_file;
#[cfg(feature = "probe")]
mod probe;
#[cfg(all(feature = "daemon", unix))]
mod process;
#[cfg(all(feature = "cli", feature = "daemon", unix))]
mod prune;
#[cfg(all(feature = "daemon", unix))]
mod readiness;
#[cfg(all(feature = "cli", feature = "daemon", unix))]
mod run;
#[cfg(feature = "probe")]
mod server;
#[cfg(all(feature = "probe", unix))]
mod sockets;
#[cfg(all(feature = "daemon", unix))]
mod supervise;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(all(feature = "cli", feature = "daemon", unix))]
mod unread;
#[cfg(feature = "probe")]
mod waiting;
#[cfg(all(feature = "daemon", unix))]
mod watchdog;
