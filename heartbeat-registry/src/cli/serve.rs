//! The registry as a process.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use daemon_lifecycle::{Health, Phase};
use heartbeat_contract::{HiveHeartbeat, WorkerHeartbeat};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

use super::alerts::sinks;
use super::args::ServeArgs;
use super::journal;
use super::output::tell;
use super::{Failed, UNHEALTHY, USAGE};
use crate::alert::Alerts;
use crate::config::FleetConfig;
use crate::fleet::Fleet;
use crate::http::{self, Api, Canary, Hosts, ServeConfig, Tokens};
use crate::verify::{Verifier, VerifyConfig};

pub(super) async fn serve(args: ServeArgs) -> Result<(), Failed> {
    let filter = EnvFilter::try_new(&args.log).map_err(|error| Failed::new(&error, USAGE))?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
    allow_as_many_files_as_may_be();
    let tokens = args.tokens.as_deref().map(tokens).transpose()?;
    refuse_to_be_open(&args)?;
    let sinks = sinks(args.alerts)?;
    let mut signals = Signals::new().map_err(|error| Failed::new(&error, UNHEALTHY))?;
    let config = FleetConfig { max_members: args.max_members, ..FleetConfig::default() };
    let fleet = Fleet::start(config).map_err(|error| Failed::new(&error, USAGE))?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| cannot_listen(args.listen, &error))?;
    let address = listener.local_addr().map_err(|error| cannot_listen(args.listen, &error))?;
    tell(&format!("listening on http://{address}"));
    fleet
        .configure_alerts(Alerts::new().on_transition(journal::transition))
        .map_err(|error| Failed::new(&error, UNHEALTHY))?;
    for sink in sinks {
        fleet.send_alerts(sink).map_err(|error| Failed::new(&error, UNHEALTHY))?;
    }

    let mut beside = JoinSet::new();
    beside.spawn(journal::follow(fleet.subscribe()));
    let health = health(&fleet);
    let verify = VerifyConfig {
        allow_own_address: !args.verify_only_networks,
        allowed_networks: args.verify_networks,
        ..VerifyConfig::default()
    };
    let verifier = Verifier::new(&fleet, verify).map_err(|error| Failed::new(&error, USAGE))?;
    let is_guarded = tokens.is_none() && is_local(address);
    let app = Router::new().merge(api(&fleet, &verifier, tokens)).merge(health.router()).fallback(http::not_found);
    let app =
        if is_guarded { args.allow_host.into_iter().fold(Hosts::loopback(), Hosts::allow).guard(app) } else { app };
    if !args.no_probes {
        let verifier = verifier.clone();
        beside.spawn(async move { verifier.probe_suspects().await });
    }
    let canary = Canary::through(address).start(&fleet).map_err(|error| Failed::new(&error, UNHEALTHY))?;
    health.set_phase(Phase::Serving);
    http::serve(listener, app, ServeConfig::default(), async move {
        let signal = signals.next().await;
        health.shutting_down();
        tracing::info!(signal, drain = ?args.drain, "shutting down");
        tokio::select! {
            () = tokio::time::sleep(args.drain) => {}
            signal = signals.next() => tracing::info!(signal, "the drain is cut short"),
        }
        // Before the listener ends, which it would miss.
        canary.shutdown().await;
    })
    .await;
    fleet.shutdown().await;
    beside.shutdown().await;
    Ok(())
}

/// Each connection takes a file. The usual limit of 1,024 is made for programs that `select`.
#[cfg(unix)]
fn allow_as_many_files_as_may_be() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files, and so of connections, could not be raised");
    }
}

#[cfg(not(unix))]
fn allow_as_many_files_as_may_be() {}

/// `/livez` fails if nobody is judged any more; `/readyz` also while starting and draining.
fn health(fleet: &Fleet) -> Health {
    let health = Health::new();
    let judged = fleet.clone();
    health.liveness_check("driver", move || {
        if judged.is_driven() { Ok(()) } else { Err("the driver has ended: nobody is judged".to_owned()) }
    });
    health
}

fn api(fleet: &Fleet, verifier: &Verifier, tokens: Option<Tokens>) -> Router {
    let api = Api::new(fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().verify(verifier);
    match tokens {
        Some(tokens) => api.tokens(tokens).router(),
        None => api.router(),
    }
}

/// The tokens to ask for. Where there are none yet, everything would be refused.
fn tokens(path: &Path) -> Result<Tokens, Failed> {
    let to_create = || {
        let path = path.display();
        format!("to create one: heartbeat-registry token create --tokens {path} --name NAME --scope SCOPE")
    };
    match Tokens::open(path) {
        Ok(tokens) if tokens.is_empty() => {
            let message = format!("the token file {} has no token; {}", path.display(), to_create());
            Err(Failed { message, code: USAGE })
        }
        Ok(tokens) => Ok(tokens),
        Err(error) => {
            let mut failed = Failed::new(&error, USAGE);
            if error.is_not_found() {
                failed.message = format!("{}; {}", failed.message, to_create());
            }
            Err(failed)
        }
    }
}

fn refuse_to_be_open(args: &ServeArgs) -> Result<(), Failed> {
    if args.tokens.is_some() || args.insecure || is_local(args.listen) {
        return Ok(());
    }
    let message = format!(
        "refusing to listen on {}, where anyone could beat, read and change: give --tokens FILE to ask for tokens, \
         --insecure to allow that, or listen on 127.0.0.1",
        args.listen
    );
    Err(Failed { message, code: USAGE })
}

fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failed {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => "; is a registry there already? --listen 127.0.0.1:0 takes any free port",
        _ => "",
    };
    Failed { message: format!("cannot listen on {address}: {error}{hint}"), code: UNHEALTHY }
}

/// What tells this process to end.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one, and names it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// What tells this process to end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one, and names it.
    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "ctrl-c",
            Err(_) => std::future::pending().await,
        }
    }
}
