//! Agents that beat every second to a registry of the same process, and a monitor that checks every 3 s and shuts down
//! whoever has not beaten for 2 s.
//!
//! Each agent is ready, as `/readyz` and `/healthz` tell, once its first task is done. A task is an address to read from, in
//! a blocking call without a timeout: one of them falls for a server that accepts and never answers. What an agent and the
//! monitor do is in `examples/src/agents`.

use std::error::Error;
use std::io::{self, Read};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use daemon_lifecycle::{HealthPoll, is_daemon_healthy, poll_until_healthy};
use examples::agents::{Agent, AgentMessage, Monitor};
use examples::{Stopwatch, exit_code, parse_interval, transport_to};
use heartbeat_contract::MemberId;
use heartbeat_registry::{FleetConfig, WorkerRegistry};
use heartbeat_sender::Outcome;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const AGENTS: [&str; 3] = ["agent-1", "agent-2", "agent-3"];
/// The one that will hang.
const UNLUCKY: usize = 1;

/// Agents, and a monitor that shuts down those that fall silent.
#[derive(Parser)]
struct Args {
    /// How often each agent beats.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_interval)]
    interval: Duration,
    /// How often the monitor checks.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_interval)]
    check: Duration,
    /// After how long without a beat an agent is unhealthy.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_interval)]
    threshold: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(&Args::parse()).await)
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let registry = WorkerRegistry::start(FleetConfig::default())?;
    let (transport, recording) = transport_to(registry.clone());
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let good_task = server.local_addr()?.to_string();

    let time = Stopwatch::start();
    let mut monitor = Monitor::new(registry.clone(), args.threshold);
    let mut agents = Vec::new();
    for id in AGENTS {
        let agent = Agent::start(MemberId::new(id)?, args.interval, transport.clone(), worker(id, time))?;
        monitor.watch_over(&agent)?;
        agents.push(agent);
    }
    drop(transport); // the agents have theirs, and recording ends with the last

    let (unhealthy, found) = mpsc::channel(AGENTS.len());
    let lives =
        async { tokio::join!(lives(time, agents, &good_task, found), monitor.run(args.check, unhealthy), recording) };
    let end = tokio::select! {
        (end, (), ()) = lives => end,
        error = answer_all(server) => Err(error.into()),
    };
    registry.shutdown().await;
    end
}

/// Brings the agents through the story: ready, one of them hung, all of them ended.
async fn lives(
    time: Stopwatch,
    mut agents: Vec<Agent>,
    good_task: &str,
    mut found: mpsc::Receiver<MemberId>,
) -> Result<(), Box<dyn Error>> {
    for agent in &agents {
        println!("{time}  {}  {}", agent.id(), readiness(agent).await);
    }
    for agent in &agents {
        agent.messages().send(AgentMessage::PerformTask(good_task.to_owned())).await?;
        agent.messages().send(AgentMessage::Heartbeat).await?;
        poll_until_healthy(HealthPoll::new(format!("{}/readyz", agent.url()))).await?;
        println!("{time}  {}  {}", agent.id(), readiness(agent).await);
    }

    let nobody_answers = std::net::TcpListener::bind("127.0.0.1:0")?;
    let unlucky = agents.remove(UNLUCKY);
    unlucky.messages().send(AgentMessage::PerformTask(nobody_answers.local_addr()?.to_string())).await?;
    println!("{time}  {}  is given a task that never ends", unlucky.id());
    let id = found.recv().await.ok_or("the monitor has ended")?;
    println!("{time}  monitor  {id} is unhealthy and told to shut down");
    drop(nobody_answers); // breaks the connection, and so the task: the agent gets round to its messages

    print_end(time, unlucky).await?;
    for agent in agents {
        println!("{time}  {}  {}", agent.id(), readiness(&agent).await);
        agent.messages().send(AgentMessage::Shutdown).await?;
        print_end(time, agent).await?;
    }
    Ok(())
}

/// What an agent does with a task.
fn worker(id: &'static str, time: Stopwatch) -> impl FnMut(&str) -> Result<(), String> {
    move |address| {
        let answer = ask(address).map_err(|error| error.to_string());
        match &answer {
            Ok(answer) => println!("{time}  {id}  its task is done: {answer}"),
            Err(error) => println!("{time}  {id}  its task failed: {error}"),
        }
        answer.map(drop)
    }
}

/// Reads all that a server says, for as long as that takes.
fn ask(address: &str) -> io::Result<String> {
    let mut answer = String::new();
    TcpStream::connect(address)?.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Says something to whoever connects.
async fn answer_all(server: TcpListener) -> io::Error {
    loop {
        let said = match server.accept().await {
            Ok((mut stream, _)) => stream.write_all(b"42").await,
            Err(error) => Err(error),
        };
        if let Err(error) = said {
            return error;
        }
    }
}

async fn readiness(agent: &Agent) -> String {
    match is_daemon_healthy(agent.url(), Some("/healthz"), None).await {
        Ok(()) => "ready".to_owned(),
        Err(error) => format!("not ready: {}", error.detail().unwrap_or("no answer")),
    }
}

async fn print_end(time: Stopwatch, agent: Agent) -> Result<(), Box<dyn Error>> {
    let id = agent.id().clone();
    match agent.ended().await? {
        Outcome::Left { acknowledged: true, .. } => println!("{time}  {id}  said goodbye"),
        other => println!("{time}  {id}  ended without goodbye: {other:?}"),
    }
    Ok(())
}
