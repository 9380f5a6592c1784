use std::{error::Error, ffi::OsString, time::Duration};

use clap::{Args as ArgsOf, Parser, Subcommand};
use daemon_lifecycle::{
    HealthPoll, Probe, ProbeFailure,
    program::{Output, Shell, duration},
};

/// Starts daemons, and waits until they really accept requests.
#[derive(Debug, Parser)]
#[command(name = "daemon-lifecycle", version, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Wait(Box<Wait>),
    #[cfg(all(feature = "daemon", unix))]
    Run(Box<crate::run::Run>),
    #[cfg(all(feature = "daemon", unix))]
    Prune(crate::prune::Prune),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Wait until everything named is healthy, then run a command if one is given.
///
/// What can be waited for:
#[cfg_attr(feature = "rustls", doc = "http://HOST/PATH and https://HOST/PATH,")]
#[cfg_attr(not(feature = "rustls"), doc = "http://HOST/PATH,")]
/// healthy with a 2xx that does not say `fail` as application/health+json;
#[cfg_attr(unix, doc = "http+unix://%2FSOCKET/PATH, which is HTTP over a Unix socket;")]
#[cfg_attr(unix, doc = "tcp://HOST:PORT and unix:///SOCKET,")]
#[cfg_attr(not(unix), doc = "tcp://HOST:PORT,")]
/// once somebody takes the connection;
#[cfg_attr(all(feature = "daemon", unix), doc = "and exec:COMMAND, which `sh` runs, once it ends with 0.")]
/// Redirects are not followed.
///
/// Exit codes: 0 all healthy; 124 not in time; where it ended before the time was up, 4 the daemon wants credentials, 5
/// it cannot be reached, 1 it is not healthy for another reason; 2 usage; 130 interrupted. With a command its own, or 126
/// if it cannot be run, or 127 if it is not found.
///
/// Durations are numbers with a unit: 500ms, 1.5s, 2m, 1h30m.
#[derive(Debug, ArgsOf)]
pub(crate) struct Wait {
    /// What to ask; http without a path means /health
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// The longest to wait for all of them
    #[arg(long, env = "HEARTBEAT_WAIT_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = duration::parse_some)]
    pub(crate) timeout: Duration,
    /// While a daemon tells of growing progress, wait on until it has stood still for so long
    #[arg(long, env = "HEARTBEAT_WAIT_STALL_TIMEOUT", value_name = "DURATION", value_parser = duration::parse_some)]
    stall_timeout: Option<Duration>,
    /// Failed attempts per URL before giving up [default: as many as fit in the timeout]
    #[arg(long, env = "HEARTBEAT_WAIT_MAX_ATTEMPTS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: Option<u32>,
    /// Delay between the first and the second attempt
    #[arg(long, env = "HEARTBEAT_WAIT_INITIAL_DELAY", value_name = "DURATION", default_value = "100ms", value_parser = duration::parse)]
    initial_delay: Duration,
    /// Factor from one delay to the next
    #[arg(long, env = "HEARTBEAT_WAIT_MULTIPLIER", value_name = "FACTOR", default_value_t = 1.5, value_parser = factor)]
    multiplier: f64,
    /// The longest delay
    #[arg(long, env = "HEARTBEAT_WAIT_MAX_DELAY", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    max_delay: Duration,
    /// By which fraction of itself chance may change a delay either way, so that many waiters do not ask in step; 0 = none
    #[arg(long, env = "HEARTBEAT_WAIT_JITTER", value_name = "FRACTION", default_value_t = 1.0, value_parser = fraction)]
    jitter: f64,
    /// The longest that one attempt may take
    #[arg(long, env = "HEARTBEAT_WAIT_ATTEMPT_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration::parse_some)]
    attempt_timeout: Duration,
    /// Healthy answers in a row that it takes
    #[arg(long, env = "HEARTBEAT_WAIT_SUCCESS_THRESHOLD", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    success_threshold: u32,
    /// How long a daemon has to be found healthy without interruption
    #[arg(long, env = "HEARTBEAT_WAIT_MIN_UPTIME", value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    min_uptime: Duration,
    /// Take no other answer than that of this instance_id
    #[arg(long, env = "HEARTBEAT_WAIT_EXPECT_INSTANCE", value_name = "ID")]
    expect_instance: Option<String>,
    /// Take no other answer than that of this pid
    #[arg(long, env = "HEARTBEAT_WAIT_EXPECT_PID", value_name = "PID")]
    expect_pid: Option<u32>,
    /// Give up at once at these failures, by the words of the JSON output or as a status: tls_name,404
    #[arg(long, env = "HEARTBEAT_WAIT_FATAL_ON", value_name = "FAILURE", value_delimiter = ',', value_parser = Fatal::parse)]
    fatal_on: Vec<Fatal>,
    /// Give up once nothing but a 404 or a certificate for another name has come for so long; 0s = wait until the timeout
    #[arg(long, env = "HEARTBEAT_WAIT_WRONG_ENDPOINT_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    wrong_endpoint_timeout: Duration,
    #[cfg(feature = "rustls")]
    #[command(flatten)]
    tls: TlsArgs,
    /// How to print the outcome, with jsonl a line for each URL; nothing is printed where a command takes over
    #[arg(long, env = "HEARTBEAT_WAIT_OUTPUT", value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// What to run in place of this program once all are healthy
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[cfg(feature = "rustls")]
#[derive(Debug, ArgsOf)]
struct TlsArgs {
    /// Trust the authorities in this PEM file over https, and nobody else
    #[arg(long, env = "HEARTBEAT_WAIT_CA_FILE", value_name = "FILE")]
    ca_file: Option<std::path::PathBuf>,
    /// Trust anybody over https
    #[arg(long, env = "HEARTBEAT_WAIT_INSECURE", conflicts_with = "ca_file", value_parser = clap::builder::BoolishValueParser::new())]
    insecure: bool,
    /// Expect a certificate for this name instead of the host in the URL
    #[arg(long, env = "HEARTBEAT_WAIT_SERVER_NAME", value_name = "NAME")]
    server_name: Option<String>,
}

/// A failure after which no further attempt is made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fatal {
    Status(u16),
    Kind(String),
}

impl Wait {
    /// One poll per URL.
    pub(crate) fn polls(&self) -> Result<Vec<HealthPoll>, Box<dyn Error>> {
        let polls = self.urls.iter().map(|url| {
            let poll = self.poll(self.probe(url)?);
            poll.validate()?;
            Ok(poll)
        });
        polls.collect()
    }

    fn poll(&self, probe: Probe) -> HealthPoll {
        let fatal = self.fatal_on.clone();
        let poll = HealthPoll::from(probe)
            .max_attempts(self.max_attempts.unwrap_or(u32::MAX))
            .backoff(self.initial_delay, self.multiplier)
            .max_delay(self.max_delay)
            .jitter(self.jitter)
            .attempt_timeout(self.attempt_timeout)
            .deadline(self.timeout)
            .success_threshold(self.success_threshold)
            .min_uptime(self.min_uptime)
            .wrong_endpoint_timeout(Some(self.wrong_endpoint_timeout).filter(|timeout| !timeout.is_zero()))
            .fatal_on(move |failure| failure == ProbeFailure::CannotRun || fatal.iter().any(|fatal| fatal.is(failure)));
        match self.stall_timeout {
            Some(stall_timeout) => poll.stall_timeout(stall_timeout),
            None => poll,
        }
    }

    fn probe(&self, url: &str) -> Result<Probe, Box<dyn Error>> {
        let mut probe = asked(url)?;
        if let Some(instance) = &self.expect_instance {
            probe = probe.expect_instance(instance);
        }
        if let Some(pid) = self.expect_pid {
            probe = probe.expect_pid(pid);
        }
        #[cfg(feature = "rustls")]
        if let Some(tls) = self.tls.settings()? {
            probe = probe.tls(tls);
        }
        Ok(probe)
    }
}

pub(crate) fn asked(text: &str) -> Result<Probe, Box<dyn Error>> {
    #[cfg(all(feature = "daemon", unix))]
    if let Some(line) = text.strip_prefix("exec:") {
        // The shell would take nothing for a success.
        return match line.trim() {
            "" => Err(format!("`{text}` has no command").into()),
            _ => Ok(Probe::shell(line)),
        };
    }
    match Probe::new(text) {
        #[cfg(all(feature = "daemon", unix))]
        Err(error @ daemon_lifecycle::UrlError::Scheme { .. }) => {
            Err(format!("{error}, and exec: before a command").into())
        }
        probe => Ok(probe?),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor >= 1.0);
    factor.ok_or_else(|| "a number from 1 on is expected".to_owned())
}

fn fraction(text: &str) -> Result<f64, String> {
    let fraction = text.parse().ok().filter(|fraction| (0.0..=1.0).contains(fraction));
    fraction.ok_or_else(|| "a number from 0 to 1 is expected".to_owned())
}

#[cfg(feature = "rustls")]
impl TlsArgs {
    fn settings(&self) -> Result<Option<daemon_lifecycle::Tls>, daemon_lifecycle::TlsError> {
        use daemon_lifecycle::Tls;
        let tls = match &self.ca_file {
            Some(file) => Tls::trusting_file(file)?,
            None if self.insecure => Tls::insecure(),
            None if self.server_name.is_some() => Tls::system()?,
            None => return Ok(None),
        };
        match &self.server_name {
            Some(name) => tls.server_name(name).map(Some),
            None => Ok(Some(tls)),
        }
    }
}

impl Fatal {
    /// The words of [`ProbeFailure::name`] for what an attempt can end with.
    const KINDS: [&str; 14] = [
        "connect_timeout",
        "dns",
        "exit",
        "not_ready",
        "other",
        "protocol",
        "redirect",
        "refused",
        "reset",
        "status",
        "timeout",
        "tls",
        "tls_name",
        "wrong_identity",
    ];

    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(status @ 300..=599) = text.parse() {
            return Ok(Self::Status(status));
        }
        if Self::KINDS.contains(&text) {
            return Ok(Self::Kind(text.to_owned()));
        }
        Err(format!("`{text}` is no failure: a status such as 404 is expected, or one of {}", Self::KINDS.join(", ")))
    }

    fn is(&self, failure: ProbeFailure) -> bool {
        match self {
            Self::Status(status) => {
                failure == ProbeFailure::Status(*status) || failure == ProbeFailure::Redirect(*status)
            }
            Self::Kind(kind) => failure.name() == kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;
    use daemon_lifecycle::{HealthPoll, ProbeFailure};

    use super::{Args, Command, Fatal};

    /// The poll that these flags of `wait` make.
    fn poll(flags: &[&str]) -> HealthPoll {
        let args = Args::try_parse_from([&["daemon-lifecycle", "wait", "http://127.0.0.1:9"], flags].concat());
        let Command::Wait(wait) = args.expect("flags that make sense").command else { panic!("no wait") };
        wait.polls().expect("a poll").remove(0)
    }

    #[test]
    fn delays_are_left_to_chance_as_far_as_the_flag_says() {
        const SECOND: Duration = Duration::from_secs(1);
        let drawn = |flags: &[&str]| {
            let series = ["--initial-delay", "1s", "--multiplier", "1"];
            poll(&[&series, flags].concat()).delays().take(1_000).collect::<Vec<_>>()
        };
        assert!(drawn(&["--jitter", "0"]).iter().all(|delay| *delay == SECOND));
        let little = drawn(&["--jitter", "0.2"]);
        assert!(little.iter().all(|delay| (SECOND.mul_f64(0.8)..=SECOND.mul_f64(1.2)).contains(delay)), "{little:?}");
        let full = drawn(&[]);
        assert!(full.iter().any(|delay| *delay < SECOND.mul_f64(0.1)), "{full:?}");
        assert!(full.iter().any(|delay| *delay > SECOND.mul_f64(1.9)), "{full:?}");
    }

    #[test]
    fn fatal_failures_are_named_by_word_or_status() {
        let is = |text, failure| Fatal::parse(text).map(|fatal| fatal.is(failure));
        assert_eq!(is("404", ProbeFailure::Status(404)), Ok(true));
        assert_eq!(is("404", ProbeFailure::Status(503)), Ok(false));
        assert_eq!(is("301", ProbeFailure::Redirect(301)), Ok(true));
        assert_eq!(is("status", ProbeFailure::Status(503)), Ok(true));
        assert_eq!(is("tls_name", ProbeFailure::TlsName), Ok(true));
        for text in ["", "200", "tls-name", "healthy"] {
            assert!(Fatal::parse(text).is_err_and(|error| error.contains(&format!("`{text}`"))), "{text}");
        }
    }
}
