//! Arguments. What a flag sets, an environment variable sets, too.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand};
use daemon_lifecycle::program::{Output, Shell};
use heartbeat_contract::{HealthStatus, Kind, MemberId, WorkerStatus, Zone};

use super::hive::Watched;
use super::run::{Ready, Restart};
use super::settings::{duration, interval, pair, some_time};
use super::signal::Signal;

/// Sends heartbeats for any program, for a host, or one at a time.
#[derive(Debug, Parser)]
#[command(name = "heartbeat-sender", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Run(RunArgs),
    Hive(HiveArgs),
    Beat(BeatArgs),
    Notify(NotifyArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Which registry to tell.
#[derive(Debug, ClapArgs)]
pub(super) struct To {
    /// The registry's URL; of several, the next is tried when one fails.
    #[arg(
        long,
        env = "HEARTBEAT_REGISTRY",
        value_name = "URL",
        default_value = "http://127.0.0.1:8500",
        value_delimiter = ','
    )]
    pub(super) registry: Vec<String>,
    /// A file that holds the token to send along, and nothing else; it is read again when the registry refuses it.
    #[arg(long, env = "HEARTBEAT_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
}

/// Where the member is.
#[derive(Debug, ClapArgs)]
pub(super) struct Place {
    /// The failure domain it lives in, such as a rack.
    #[arg(long, env = "HEARTBEAT_ZONE")]
    pub(super) zone: Option<Zone>,
    /// Where it answers health probes, as an absolute URL.
    #[arg(long, env = "HEARTBEAT_ENDPOINT", value_name = "URL")]
    pub(super) endpoint: Option<String>,
}

/// Run a command, and beat for it as a worker, or as a kind of your own, while it runs.
///
/// The command keeps its standard input, its terminal and its exit code, and gets every signal that is sent here; no
/// registry ever changes what becomes of it. By the protocol of sd_notify(3), on the socket in NOTIFY_SOCKET, it may tell
/// READY=1, STATUS=.., WATCHDOG=1, STOPPING=1, ERRNO=.., and figures: X_HEARTBEAT_QUEUE_DEPTH, X_HEARTBEAT_MODEL,
/// X_HEARTBEAT_DONE, X_HEARTBEAT_BUSY, X_HEARTBEAT_HEALTH, X_HEARTBEAT_GPU_UTILIZATION, X_HEARTBEAT_LAST_INFERENCE_MS,
/// X_HEARTBEAT_METRIC_name.
///
/// Exit 0, or an end that was asked for by a signal, is told as a goodbye; any other end with its status and the last lines
/// of output. What goes to a terminal is not read, so that colours and job control work; other output is copied through byte
/// for byte. Exit codes: the command's own, 128+n if signal n ended it, 2 usage, 125 if this program fails, 126 if the command
/// cannot be run, 127 if it is not found.
#[derive(Debug, ClapArgs)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) to: To,
    /// Who beats [default: host name and program, as in gpu7-python3; two of the same need ids of their own].
    #[arg(long, env = "HEARTBEAT_ID")]
    pub(super) id: Option<MemberId>,
    /// As which kind of member: a worker, or a kind of your own, with the fields of a worker and the id in KIND_id; the registry
    /// must know that kind, as an app does that mounts its routes: `heartbeat-registry serve` knows workers and hives.
    #[arg(long, env = "HEARTBEAT_KIND", default_value = "worker", value_parser = kind)]
    pub(super) kind: Kind,
    /// How often to beat, 100ms to 24h.
    #[arg(long, env = "HEARTBEAT_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = interval)]
    pub(super) interval: Duration,
    /// The hive on whose host the command runs.
    #[arg(long, env = "HEARTBEAT_HIVE", value_name = "ID")]
    pub(super) hive: Option<MemberId>,
    #[command(flatten)]
    pub(super) place: Place,
    /// When the command is ready: at its start, by READY=1 (notify), or by a line of output that holds a text (line=TEXT).
    /// Until then it is `starting`.
    #[arg(long, env = "HEARTBEAT_RUN_READY", value_name = "start|notify|line=TEXT", default_value = "start")]
    pub(super) ready: Ready,
    /// How long the command may take between two WATCHDOG=1, from when it is ready; beyond, it is unhealthy until the next.
    #[arg(long, env = "HEARTBEAT_RUN_WATCHDOG", value_name = "DURATION", value_parser = some_time)]
    pub(super) watchdog: Option<Duration>,
    /// End a command that misses its watchdog, by SIGABRT and in the end SIGKILL; --restart says what comes then.
    #[arg(long, env = "HEARTBEAT_RUN_WATCHDOG_KILL", requires = "watchdog", value_parser = BoolishValueParser::new())]
    pub(super) watchdog_kill: bool,
    /// Free-form data to send along; may be given more than once, or several with commas between.
    #[arg(long, env = "HEARTBEAT_RUN_METADATA", value_name = "KEY=VALUE", value_parser = pair, value_delimiter = ',')]
    pub(super) metadata: Vec<(String, String)>,
    /// Do not read the output, nor send lines of it: the command writes to where this program would.
    #[arg(long, env = "HEARTBEAT_RUN_NO_OUTPUT", value_parser = BoolishValueParser::new())]
    pub(super) no_output: bool,
    /// How many of the last lines of output to tell when the command fails, as far as they fit in 1 KiB.
    #[arg(long, env = "HEARTBEAT_RUN_TAIL", value_name = "N", default_value_t = 20)]
    pub(super) tail: u16,
    /// Run the command again when it ends: each run is a new incarnation. An end that was asked for is never followed by
    /// another run.
    #[arg(long, env = "HEARTBEAT_RUN_RESTART", value_enum, default_value_t = Restart::Never)]
    pub(super) restart: Restart,
    /// The pause before the first restart; it doubles up to 60s, and begins anew after a run of a minute.
    #[arg(long, env = "HEARTBEAT_RUN_RESTART_DELAY", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(super) restart_delay: Duration,
    /// Give up after so many restarts in a row without a run of a minute.
    #[arg(long, env = "HEARTBEAT_RUN_RESTART_LIMIT", value_name = "N", default_value_t = 10)]
    pub(super) restart_limit: u32,
    /// With --restart, say nothing of so many failed runs in a row that another run follows: that run's beats show a restart,
    /// and no death is told; the pause between them is silence like any other. A run of a minute, or success, ends the row.
    #[arg(long, env = "HEARTBEAT_RUN_TOLERATE", value_name = "N", default_value_t = 0)]
    pub(super) tolerate: u32,
    /// A run that ends with success sooner than this has failed, unless its end was asked for: for commands that are to stay.
    #[arg(long, env = "HEARTBEAT_RUN_MIN_RUNTIME", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(super) min_runtime: Duration,
    /// How long the command may take to end where this program asks it to, before SIGKILL; signals that are only passed on
    /// have no such bound. An end within this time of INT, QUIT or HUP was asked for.
    #[arg(long, env = "HEARTBEAT_RUN_STOP_GRACE", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) stop_grace: Duration,
    /// The signal for the command when the registry asks it to drain.
    #[arg(long, env = "HEARTBEAT_RUN_ON_DRAIN", value_name = "SIGNAL")]
    pub(super) on_drain: Option<Signal>,
    /// The signal for the command when the registry asks it to shut down, such as TERM.
    #[arg(long, env = "HEARTBEAT_RUN_ON_SHUTDOWN", value_name = "SIGNAL")]
    pub(super) on_shutdown: Option<Signal>,
    /// Say on standard error how the heartbeats fare; without, only what an operator has to see to, among it that no
    /// registry has heard of the command after three intervals, at most 10 s.
    #[arg(long, short, env = "HEARTBEAT_VERBOSE", value_parser = BoolishValueParser::new())]
    pub(super) verbose: bool,
    /// What to run.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// Beat for this host, with its figures; watch the processes of its workers, and relay their beats.
///
/// Ends with a goodbye at INT or TERM. Exit codes: 0 then, 1 if the relay cannot be opened, 2 usage.
#[derive(Debug, ClapArgs)]
pub(super) struct HiveArgs {
    #[command(flatten)]
    pub(super) to: To,
    /// Who beats [default: the host name].
    #[arg(long, env = "HEARTBEAT_HIVE", value_name = "ID")]
    pub(super) id: Option<MemberId>,
    /// How often to beat, 100ms to 24h.
    #[arg(long, env = "HEARTBEAT_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = interval)]
    pub(super) interval: Duration,
    #[command(flatten)]
    pub(super) place: Place,
    /// Watch a worker's process, by its pid or a file that holds it, and tell the registry when it is gone; may be given more
    /// than once. Processes whose beats come over the relay are watched anyway.
    #[arg(long, env = "HEARTBEAT_HIVE_WATCH", value_name = "ID=PID|FILE", value_delimiter = ',')]
    pub(super) watch: Vec<Watched>,
    /// Take beats of workers at a Unix socket, and pass them on in batches: `unix:///run/heartbeat/relay.sock` as the
    /// registry of a worker on this host. A beat waits for others for a twentieth of its interval, at most half a second.
    #[arg(long, env = "HEARTBEAT_HIVE_RELAY", value_name = "PATH")]
    pub(super) relay: Option<PathBuf>,
    /// The permissions of that socket, in octal: who may write to it may beat.
    #[arg(long, env = "HEARTBEAT_HIVE_RELAY_MODE", value_name = "MODE", default_value = "660", value_parser = mode)]
    pub(super) relay_mode: u32,
    /// Say on standard error how the heartbeats fare.
    #[arg(long, short, env = "HEARTBEAT_VERBOSE", value_parser = BoolishValueParser::new())]
    pub(super) verbose: bool,
}

/// Send one beat, and print the answer.
///
/// What is not told by flags may come as a JSON object on standard input, with --stdin. Exit codes: 0 acknowledged, 1 refused,
/// 2 usage, 4 without the right token, 5 if the registry cannot be reached.
#[derive(Debug, ClapArgs)]
pub(super) struct BeatArgs {
    #[command(flatten)]
    pub(super) to: To,
    /// Who beats; may also come from standard input.
    #[arg(long, env = "HEARTBEAT_ID")]
    pub(super) id: Option<MemberId>,
    /// As which kind of member: worker, hive, or a kind of your own that the registry knows, with the id in KIND_id and fields
    /// of its own from standard input.
    #[arg(long, env = "HEARTBEAT_KIND", default_value = "worker", value_parser = kind)]
    pub(super) kind: Kind,
    /// Read a beat as JSON from standard input; flags overwrite its fields.
    #[arg(long, env = "HEARTBEAT_BEAT_STDIN", value_parser = BoolishValueParser::new())]
    pub(super) stdin: bool,
    /// What it is doing: starting, idle, busy or draining.
    #[arg(long, env = "HEARTBEAT_BEAT_STATUS", value_parser = status)]
    pub(super) status: Option<WorkerStatus>,
    /// How it feels: healthy, degraded or unhealthy.
    #[arg(long, env = "HEARTBEAT_BEAT_HEALTH", value_parser = health)]
    pub(super) health: Option<HealthStatus>,
    /// Requests that wait in it.
    #[arg(long, env = "HEARTBEAT_BEAT_QUEUE_DEPTH", value_name = "N")]
    pub(super) queue_depth: Option<u32>,
    /// The model it serves.
    #[arg(long, env = "HEARTBEAT_BEAT_MODEL")]
    pub(super) model: Option<String>,
    /// The last error it met.
    #[arg(long, env = "HEARTBEAT_BEAT_ERROR", value_name = "TEXT")]
    pub(super) error: Option<String>,
    /// A figure of its own; may be given more than once, or several with commas between.
    #[arg(long = "metric", env = "HEARTBEAT_BEAT_METRIC", value_name = "NAME=NUMBER", value_parser = metric, value_delimiter = ',')]
    pub(super) metrics: Vec<(String, f64)>,
    /// How often it means to beat, so that the registry knows when to expect the next.
    #[arg(long, env = "HEARTBEAT_BEAT_INTERVAL", value_name = "DURATION", value_parser = interval)]
    pub(super) interval: Option<Duration>,
    /// The hive on whose host it lives.
    #[arg(long, env = "HEARTBEAT_HIVE", value_name = "ID")]
    pub(super) hive: Option<MemberId>,
    #[command(flatten)]
    pub(super) place: Place,
    /// Make it a goodbye, for this reason.
    #[arg(long, env = "HEARTBEAT_BEAT_LEAVING", value_name = "REASON")]
    pub(super) leaving: Option<String>,
    /// How to print the answer.
    #[arg(long, short, env = "HEARTBEAT_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
}

/// Tell the wrapper about the program it runs: what a program in another language writes to NOTIFY_SOCKET itself.
///
/// As in `heartbeat-sender notify READY=1 X_HEARTBEAT_QUEUE_DEPTH=7`. Without a wrapper it does nothing. Exit codes: 0 told,
/// or nobody to tell; 1 not told; 2 usage.
#[derive(Debug, ClapArgs)]
pub(super) struct NotifyArgs {
    /// What to tell, as `heartbeat-sender run --help` lists it.
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = field)]
    pub(super) fields: Vec<String>,
}

fn field(text: &str) -> Result<String, String> {
    pair(text).map(|(key, value)| format!("{key}={value}"))
}

fn kind(text: &str) -> Result<Kind, heartbeat_contract::InvalidKind> {
    Kind::new(text)
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "three octal digits are expected, such as 660".to_owned())
}

fn status(text: &str) -> Result<WorkerStatus, String> {
    WorkerStatus::from_word(text).ok_or_else(|| "expected one of starting, idle, busy, draining".to_owned())
}

fn health(text: &str) -> Result<HealthStatus, String> {
    HealthStatus::from_word(text).ok_or_else(|| "expected one of healthy, degraded, unhealthy".to_owned())
}

fn metric(text: &str) -> Result<(String, f64), String> {
    let (name, number) = pair(text)?;
    let number = number.parse().ok().filter(|number: &f64| number.is_finite());
    number.map(|number| (name, number)).ok_or_else(|| "NAME=NUMBER is expected".to_owned())
}
