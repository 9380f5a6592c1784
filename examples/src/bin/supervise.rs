//! A worker that is kept running, from its own process and from a registry's events: one that ends is started again, and
//! so is one that its registry gives up, though its process lives on, frozen or hung.

use std::env::consts::EXE_SUFFIX;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use daemon_lifecycle::{Daemon, Supervision, Supervisor};
use examples::{asked_to_stop, exit_code, parse_duration};
use heartbeat_contract::{Event, EventBody, HealthState, Kind, MemberId};
use heartbeat_registry::client::{Client, Follow, Followed};

/// How long a worker that is to be replaced may take to end.
const TO_STOP: Duration = Duration::from_secs(5);

/// Keeps a worker running.
#[derive(Parser)]
struct Args {
    /// Where the registry is.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// Who the worker is to be.
    #[arg(long)]
    id: MemberId,
    /// How often it beats.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    interval: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut events = Client::new(&args.registry)?.follow(None);
    // Before the worker is started, so that nothing is missed.
    while !matches!(events.next().await?, Followed::Connected) {}
    let supervision = supervisor(args)?.on_event(|event| println!("{event}")).spawn();
    let end = tokio::select! {
        end = supervision.over() => Err(end.to_string().into()),
        asked = asked_to_stop() => asked.map_err(Into::into),
        error = listen(&mut events, &args.id, &supervision) => Err(error),
    };
    supervision.stop().await;
    end
}

fn supervisor(args: &Args) -> Result<Supervisor, Box<dyn Error>> {
    let program = std::env::current_exe()?.with_file_name(format!("worker{EXE_SUFFIX}"));
    let interval = format!("{}ms", args.interval.as_millis());
    let args = ["--registry", &args.registry, "--id", args.id.as_str(), "--interval", &interval].map(str::to_owned);
    let worker = Supervisor::new(move || Daemon::command(&program).args(&args));
    Ok(worker.ready_on_line(|line| line.text.starts_with("health on ")).stop_grace(TO_STOP))
}

/// Has a worker started again when its registry says that it has failed.
async fn listen(events: &mut Follow, id: &MemberId, supervision: &Supervision) -> Box<dyn Error> {
    let mut heard = None;
    loop {
        let event = match events.next().await {
            Ok(Followed::Event(event)) if is_about(&event, id) => event,
            Ok(_) => continue,
            Err(error) => return error.into(),
        };
        match &event.body {
            // From here on this incarnation is that run: what is said of an earlier one must not end a later.
            EventBody::Registered {} | EventBody::Restarted { .. } => {
                heard = Some((event.incarnation, supervision.state().run));
            }
            EventBody::Transition { from, to, .. } => {
                println!("{id}: {from} -> {to}");
                if let Some((incarnation, run)) = heard
                    && *to == HealthState::Failed
                    && incarnation == event.incarnation
                {
                    supervision.restart(run, format!("the registry calls {id} failed")).await;
                }
            }
            _ => {}
        }
    }
}

fn is_about(event: &Event, id: &MemberId) -> bool {
    event.kind.as_ref() == Some(&Kind::WORKER) && event.member.as_ref() == Some(id)
}
