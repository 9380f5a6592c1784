//! Arguments. What a flag sets, an environment variable sets, too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, Parser, Subcommand};
use daemon_lifecycle::program::duration::parse as duration;
use daemon_lifecycle::program::{Output, Shell};
use heartbeat_contract::{EventId, HealthState, Kind, MemberId, Zone};

use super::alerts::AlertArgs;
use crate::history_query::Moment;
use crate::http::{Host, Scope};
use crate::verify::Network;

/// Tracks heartbeats and says within a bounded time who is not alive and why.
#[derive(Debug, Parser)]
#[command(name = "heartbeat-registry", version, max_term_width = 100)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a registry.
    Serve(ServeArgs),
    /// Make, list and revoke the tokens that a registry asks for.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    #[command(flatten)]
    Read(ReadCommand),
}

#[derive(Debug, ClapArgs)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, env = "HEARTBEAT_LISTEN", default_value = "127.0.0.1:8500")]
    pub(super) listen: SocketAddr,
    /// Ask for bearer tokens: those of this file, which `heartbeat-registry token create` writes. It is read again when
    /// it changes.
    #[arg(long, env = "HEARTBEAT_TOKENS", value_name = "FILE")]
    pub(super) tokens: Option<PathBuf>,
    /// Listen beyond this machine without tokens, although anyone there could then beat, read and change.
    #[arg(long, env = "HEARTBEAT_INSECURE", value_parser = BoolishValueParser::new())]
    pub(super) insecure: bool,
    /// On a loopback address without tokens, also answer requests that are addressed to this host; may be given more than
    /// once. Others than localhost and loopback addresses are refused, since web pages could send them.
    #[arg(long, env = "HEARTBEAT_ALLOW_HOST", value_name = "HOST", value_delimiter = ',')]
    pub(super) allow_host: Vec<Host>,
    /// At INT or TERM, go on serving for so long with /readyz at 503, such as 10s, so that a load balancer looks elsewhere
    /// before the listener closes. A second signal cuts it short.
    #[arg(long, env = "HEARTBEAT_DRAIN", value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(super) drain: Duration,
    /// How many members are known at most.
    #[arg(long, env = "HEARTBEAT_MAX_MEMBERS", default_value_t = 100_000)]
    pub(super) max_members: usize,
    /// Let `verify` probe endpoints in this network, such as 10.0.0.0/8, and not only those at the address that the
    /// beats of their member come from; may be given more than once.
    #[arg(long = "verify-network", value_name = "CIDR", env = "HEARTBEAT_VERIFY_NETWORKS", value_delimiter = ',')]
    pub(super) verify_networks: Vec<Network>,
    /// Let `verify` probe endpoints in those networks alone, and not at the address that the beats of their member come
    /// from: behind a proxy, that is the proxy's.
    #[arg(long, env = "HEARTBEAT_VERIFY_ONLY_NETWORKS", value_parser = BoolishValueParser::new())]
    pub(super) verify_only_networks: bool,
    /// Do not probe members when they become suspect, to say why they are silent.
    #[arg(long, env = "HEARTBEAT_NO_PROBES", value_parser = BoolishValueParser::new())]
    pub(super) no_probes: bool,
    #[command(flatten)]
    pub(super) alerts: AlertArgs,
    /// What to log, in the syntax of tracing-subscriber's EnvFilter.
    #[arg(long, env = "HEARTBEAT_LOG", default_value = "info")]
    pub(super) log: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, and print it: the file keeps only its hash.
    Create(CreateTokenArgs),
    /// List the tokens of a file.
    List(ListTokensArgs),
    /// Revoke a token: registries that use the file refuse it within a second.
    Revoke(RevokeTokenArgs),
}

/// Which tokens.
#[derive(Debug, ClapArgs)]
pub(super) struct TokensArg {
    /// The file of the tokens, as given to `serve`.
    #[arg(long, env = "HEARTBEAT_TOKENS", value_name = "FILE")]
    pub(super) tokens: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CreateTokenArgs {
    #[command(flatten)]
    pub(super) of: TokensArg,
    /// What to call it, by the rules for ids.
    #[arg(long, env = "HEARTBEAT_TOKEN_CREATE_NAME")]
    pub(super) name: String,
    /// What it is for: beat:KIND:PREFIX, read, or operate, which includes read; may be given more than once.
    ///
    /// PREFIX is how the ids of the members begin that it may beat for: end it with a separator, since worker-1 is also how
    /// worker-10 begins. No PREFIX is every id, and * as KIND every kind.
    #[arg(long, env = "HEARTBEAT_TOKEN_CREATE_SCOPE", required = true, num_args = 1.., value_delimiter = ',')]
    pub(super) scope: Vec<Scope>,
    /// A note for people.
    #[arg(long, env = "HEARTBEAT_TOKEN_CREATE_NOTE")]
    pub(super) note: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListTokensArgs {
    #[command(flatten)]
    pub(super) of: TokensArg,
    /// How to print the answer.
    #[arg(long, short, env = "HEARTBEAT_OUTPUT", default_value = "table")]
    pub(super) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RevokeTokenArgs {
    #[command(flatten)]
    pub(super) of: TokensArg,
    /// The name of the token.
    pub(super) name: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReadCommand {
    /// List members.
    List(ListArgs),
    /// Show all that is known of one member.
    Show(MemberArgs),
    /// Show totals, rates, and how the registry itself fares.
    Stats(From),
    /// Show the recent beats of one member.
    History(HistoryArgs),
    /// Say why a member is in its state, by which rule, and what happens next.
    Explain(MemberArgs),
    /// Ask a member to take no new work, or to end.
    Drain(DrainArgs),
    /// Forget a member; if it beats again, it is a new one.
    Forget(MemberArgs),
    /// Show what happened, oldest first.
    Events(EventsArgs),
    /// Show where the guard against mass silence holds members, or end that.
    Protection(ProtectionArgs),
    /// Have the registry probe one member's endpoint now; ends with 0 only if it is healthy.
    Verify(MemberArgs),
}

/// Which registry to ask, and how to print its answer.
#[derive(Debug, ClapArgs)]
pub(super) struct From {
    /// The registry's URL.
    #[arg(long, env = "HEARTBEAT_REGISTRY", default_value = "http://127.0.0.1:8500")]
    pub(super) registry: String,
    /// A file that holds the token to send along, and nothing else.
    #[arg(long, env = "HEARTBEAT_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// How to print the answer.
    #[arg(long, short, env = "HEARTBEAT_OUTPUT", default_value = "table")]
    pub(super) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    /// Which kind of members: worker, hive, or one of your own.
    #[arg(default_value = "worker", value_parser = kind)]
    pub(super) kind: Kind,
    /// Only those in this state; may be given more than once.
    #[arg(long, env = "HEARTBEAT_LIST_STATE", value_parser = state, value_delimiter = ',')]
    pub(super) state: Vec<HealthState>,
    /// Only those on the host of this hive.
    #[arg(long, env = "HEARTBEAT_LIST_HIVE", value_name = "ID")]
    pub(super) hive: Option<MemberId>,
    /// Only those in this zone.
    #[arg(long, env = "HEARTBEAT_LIST_ZONE")]
    pub(super) zone: Option<Zone>,
    #[command(flatten)]
    pub(super) from: From,
}

/// Which member.
#[derive(Debug, ClapArgs)]
pub(super) struct MemberArgs {
    /// The member's id.
    pub(super) id: MemberId,
    /// Its kind: worker, hive, or one of your own.
    #[arg(long, env = "HEARTBEAT_KIND", default_value = "worker", value_parser = kind)]
    pub(super) kind: Kind,
    #[command(flatten)]
    pub(super) from: From,
}

#[derive(Debug, ClapArgs)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    pub(super) member: MemberArgs,
    /// Only beats from this moment on: 2026-01-02T03:04:05Z, or -1h for an hour ago.
    #[arg(long = "from", env = "HEARTBEAT_HISTORY_FROM", value_name = "MOMENT", allow_hyphen_values = true)]
    pub(super) after: Option<Moment>,
    /// Only beats before this moment.
    #[arg(long = "to", env = "HEARTBEAT_HISTORY_TO", value_name = "MOMENT", allow_hyphen_values = true)]
    pub(super) before: Option<Moment>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    pub(super) member: MemberArgs,
    /// Ask it to say goodbye and end.
    #[arg(long, env = "HEARTBEAT_DRAIN_SHUTDOWN", value_parser = BoolishValueParser::new())]
    pub(super) shutdown: bool,
    /// Take back what was asked: everything, or with --shutdown that alone.
    #[arg(long, env = "HEARTBEAT_DRAIN_WITHDRAW", value_parser = BoolishValueParser::new())]
    pub(super) withdraw: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ProtectionArgs {
    /// These hosts are really lost: members of those still silent fail at once. A zone, or _all for the whole fleet.
    #[arg(long, env = "HEARTBEAT_PROTECTION_CONFIRM", value_name = "ZONE", conflicts_with = "release")]
    pub(super) confirm: Option<String>,
    /// End the protection of a zone, or of _all, as if its time were over: a tenth of the hosts is let go every 6 s.
    #[arg(long, env = "HEARTBEAT_PROTECTION_RELEASE", value_name = "ZONE")]
    pub(super) release: Option<String>,
    #[command(flatten)]
    pub(super) from: From,
}

#[derive(Debug, ClapArgs)]
pub(super) struct EventsArgs {
    /// Only events after this one: a number, or log-number. Without it, the newest.
    #[arg(long, env = "HEARTBEAT_EVENTS_SINCE")]
    pub(super) since: Option<EventId>,
    /// At most this many.
    #[arg(long, env = "HEARTBEAT_EVENTS_LIMIT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000), conflicts_with = "follow")]
    pub(super) limit: u16,
    /// Go on with events as they happen, and reconnect by itself; without --since from now on, with --since 0 from the
    /// oldest kept.
    #[arg(long, short, env = "HEARTBEAT_EVENTS_FOLLOW", value_parser = BoolishValueParser::new())]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) from: From,
}

/// A kind; workers and hives also in the plural.
pub(super) fn kind(word: &str) -> Result<Kind, heartbeat_contract::InvalidKind> {
    match word {
        "workers" => Ok(Kind::WORKER),
        "hives" => Ok(Kind::HIVE),
        word => Kind::new(word),
    }
}

fn state(word: &str) -> Result<HealthState, String> {
    let known = || HealthState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
    HealthState::from_word(word).ok_or_else(|| format!("expected one of {}", known()))
}
