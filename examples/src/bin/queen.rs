//! A queen: an axum app with routes of its own, and those of a registry of workers and hives mounted beside them. It prints
//! what becomes of its members as it happens.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use clap::Parser;
use daemon_lifecycle::{Health, Phase};
use examples::{asked_to_stop, exit_code};
use heartbeat_contract::{Event, EventBody};
use heartbeat_registry::http::{self, ServeConfig};
use heartbeat_registry::{Events, Fleet, FleetConfig, HiveRegistry, SubscriptionError, WorkerRegistry};
use tokio::net::TcpListener;

/// A queen that knows who is alive.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::start(FleetConfig::default())?;
    let health = Health::new();
    let listener = TcpListener::bind(args.listen).await.map_err(|error| format!("{}: {error}", args.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    health.set_phase(Phase::Serving);

    let app = own_routes(&fleet).merge(http::router(&fleet)).merge(health.router()).fallback(http::not_found);
    let events = fleet.subscribe();
    let mut asked = Ok(());
    let stop = async {
        asked = asked_to_stop().await;
        health.shutting_down();
    };
    let serve = async {
        http::serve(listener, app, ServeConfig::default(), stop).await;
        fleet.shutdown().await;
    };
    tokio::join!(serve, print_all(events));
    println!("stopped");
    asked.map_err(Into::into)
}

/// What this app has beside the registry: a page that says who is there.
fn own_routes(fleet: &Fleet) -> Router {
    let (workers, hives) = (WorkerRegistry::new(fleet), HiveRegistry::new(fleet));
    let page = async move || format!("{} workers and {} hives online\n", workers.online().len(), hives.online().len());
    Router::new().route("/", get(page))
}

/// Prints what happens until the fleet is shut down.
async fn print_all(mut events: Events) {
    loop {
        match events.next().await {
            Ok(event) => print(&event),
            Err(SubscriptionError::Missed(events)) => println!("... {events} more"),
            Err(_) => return,
        }
    }
}

fn print(event: &Event) {
    let (Some(kind), Some(member)) = (&event.kind, &event.member) else { return };
    match &event.body {
        EventBody::Registered {} => println!("{kind} {member}: registered"),
        EventBody::Transition { from, to, .. } => println!("{kind} {member}: {from} -> {to}"),
        EventBody::Restarted { .. } => println!("{kind} {member}: restarted"),
        _ => {}
    }
}
