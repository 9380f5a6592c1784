//! Start a daemon, wait until it really accepts requests, and stop all of it.
//!
//! ```
//! # #[cfg(all(feature = "daemon", unix))]
//! # {
//! use std::time::Duration;
//! use daemon_lifecycle::{Daemon, HealthPoll, PollError};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let mut daemon = Daemon::command("sh").args(["-c", "echo no config >&2; exit 3"]).spawn()?;
//! let poll = HealthPoll::new("http://127.0.0.1:9").deadline(Duration::from_secs(60));
//!
//! // Does not sit out the minute: a child that is dead will never answer.
//! let error = daemon.wait_until_healthy(poll).await.expect_err("it has no configuration");
//! assert!(matches!(error, PollError::ChildExited { .. }));
//! assert!(error.to_string().contains("stderr: no config"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # }
//! ```
//!
//! What this crate does not do: watch a fleet (its members send heartbeats instead, and polling them would tell less and
//! cost more), or turn the calling process into a daemon.
//!
//! | feature | offers | default |
//! |---|---|---|
//! | `probe` | [`poll_until_healthy`] for a start, [`is_daemon_healthy`] for a doubt: over HTTP, TCP and Unix sockets | yes |
//! | `daemon` | [`Daemon`]: a child process in a group of its own, watched while it starts, stopped as a whole; [`Supervisor`], which starts it again; [`PidFile`]; Unix only | yes |
//! | `restarts` | [`Restarts`]: whether and when what has ended runs again, as plain arithmetic | with `daemon` |
//! | `endpoint` | [`Health`]: the axum routes `/livez`, `/readyz` and `/startupz`; needs no HTTP client | |
//! | `notify` | [`NotifySocket`]: hears children that speak systemd's `sd_notify` protocol; [`Notifier`] speaks it; Unix only | |
//! | `rustls` | `https://` for probes, with `Tls` for authorities of one's own | |
//! | `cli` | the binary: `daemon-lifecycle wait URL.. [-- CMD]`, and with `daemon` also `daemon-lifecycle run -- CMD` and `prune PIDFILE..` | |
//! | `program` | what the binaries of this workspace share: for them alone, and no part of what this crate promises | |
//!
//! All waiting goes by tokio's clock. The library installs no signal handler and writes no log; whoever wants to see
//! a wait go on sets [`HealthPoll::on_failed_attempt`] and [`HealthPoll::on_healthy`].
//!
//! The delays are computed by `backon`, because `backoff` and the `instant` under it are unmaintained
//! (RUSTSEC-2025-0012, RUSTSEC-2024-0384).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(feature = "daemon", feature = "endpoint", feature = "notify", feature = "restarts", unix)),
    allow(rustdoc::broken_intra_doc_links, reason = "the overview names what other features offer")
)]

#[cfg(feature = "probe")]
mod clock;
#[cfg(all(feature = "daemon", unix))]
mod daemon;
#[cfg(any(feature = "probe", feature = "restarts"))]
#[cfg_attr(not(any(feature = "probe", test)), expect(dead_code, reason = "only a wait is told when to ask again"))]
mod delays;
#[cfg(feature = "endpoint")]
mod endpoint;
#[cfg(all(feature = "notify", unix))]
mod notify;
#[cfg(all(feature = "daemon", unix))]
mod pid_file;
#[cfg(feature = "probe")]
mod poll;
#[cfg(feature = "probe")]
mod probe;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod program;
#[cfg(any(feature = "probe", feature = "restarts"))]
mod readable;
#[cfg(feature = "restarts")]
mod restarts;
#[cfg(all(feature = "daemon", unix))]
mod supervise;

#[cfg(all(feature = "daemon", not(unix)))]
compile_error!(
    "feature `daemon` of daemon-lifecycle needs process groups and signals, so it builds on Unix only; \
     set `default-features = false` and choose `probe` or `endpoint`"
);

#[cfg(all(feature = "notify", not(unix)))]
compile_error!("feature `notify` of daemon-lifecycle needs Unix sockets for datagrams");

#[cfg(all(feature = "daemon", unix))]
pub use daemon::{
    Daemon, DaemonCommand, DaemonError, LineError, MissedWatchdog, NotifyError, OutputLine, OutputStream, Signal,
    Stopped,
};
#[cfg(feature = "endpoint")]
pub use endpoint::{Health, Phase};
#[cfg(all(feature = "notify", unix))]
pub use notify::{Notification, Notifier, NotifySocket, Watchdog};
#[cfg(all(feature = "daemon", unix))]
pub use pid_file::{PidFile, PidFileError, Pruned, RunningProcess};
#[cfg(feature = "probe")]
pub use poll::{
    ConfigError, FailedAttempt, HealthPoll, HealthPollConfig, Healthy, PastAttempt, PollAllError, PollError,
    PollReport, poll_all_until_healthy, poll_until_healthy,
};
#[cfg(feature = "probe")]
pub use probe::{AddressFailure, Answer, Probe, ProbeError, ProbeFailure, UrlError, is_daemon_healthy};
#[cfg(feature = "rustls")]
pub use probe::{Tls, TlsError};
#[cfg(feature = "restarts")]
pub use restarts::{CrashLoop, Ending, NextRun, RestartPolicy, Restarts, StartLimit};
#[cfg(all(feature = "daemon", unix))]
pub use supervise::{
    EndCause, Liveness, NotReady, RunEnd, Supervision, SupervisionEnd, Supervisor, SupervisorEvent, SupervisorPhase,
    SupervisorState,
};
