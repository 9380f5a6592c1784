//! Agents with real threads and endpoints, and their monitor.

use std::sync::mpsc;
use std::time::Duration;

use daemon_lifecycle::{ProbeFailure, is_daemon_healthy};
use examples::agents::{Agent, AgentMessage, Monitor};
use examples::transport_to;
use heartbeat_contract::{HealthState, MemberId, WorkerHeartbeat};
use heartbeat_registry::{FleetConfig, WorkerRegistry};
use heartbeat_sender::{ChannelTransport, Outcome};
use tokio::task::JoinHandle;

use crate::waiting::until;

const SHORT: Duration = Duration::from_millis(100);
/// So long that no beat of the schedule but the first is sent within a test.
const LONG: Duration = Duration::from_hours(1);

struct World {
    registry: WorkerRegistry,
    transport: ChannelTransport<WorkerHeartbeat>,
    recording: JoinHandle<()>,
}

impl World {
    fn new() -> Self {
        let registry = WorkerRegistry::start(FleetConfig::default()).unwrap();
        let (transport, recording) = transport_to(registry.clone());
        Self { registry, transport, recording: tokio::spawn(recording) }
    }

    fn start(
        &self,
        id: &str,
        interval: Duration,
        perform: impl FnMut(&str) -> Result<(), String> + Send + 'static,
    ) -> Agent {
        Agent::start(MemberId::new(id).unwrap(), interval, self.transport.clone(), perform).unwrap()
    }

    async fn until_healthy(&self, agent: &Agent) {
        let is_healthy = async || self.registry.health(agent.id()).ok().filter(|state| *state == HealthState::Healthy);
        until("a healthy agent", is_healthy).await;
    }

    /// Ends the registry once all agents have ended.
    async fn end(self) {
        drop(self.transport);
        self.recording.await.unwrap();
        self.registry.shutdown().await;
    }
}

async fn tell(agent: &Agent, message: AgentMessage) {
    agent.messages().send(message).await.unwrap();
}

fn task(name: &str) -> AgentMessage {
    AgentMessage::PerformTask(name.to_owned())
}

/// The statuses of `/livez`, `/readyz` and `/healthz`; 200 stands for any success.
async fn statuses(agent: &Agent) -> [u16; 3] {
    let status = async |path| match is_daemon_healthy(agent.url(), Some(path), None).await {
        Ok(()) => 200,
        Err(error) => match error.kind() {
            ProbeFailure::Status(status) => status,
            other => panic!("{path}: {other}"),
        },
    };
    [status("/livez").await, status("/readyz").await, status("/healthz").await]
}

async fn expect_goodbye(agent: Agent) {
    let end = agent.ended().await.unwrap();
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
}

#[tokio::test]
async fn an_agent_is_ready_once_its_first_task_is_done() {
    let world = World::new();
    let (finish, finished) = mpsc::channel::<Result<(), String>>();
    let agent = world.start("agent-1", SHORT, move |_| finished.recv().unwrap());
    assert_eq!(statuses(&agent).await, [200, 503, 503]);

    tell(&agent, task("fails")).await;
    finish.send(Err("no such thing".to_owned())).unwrap();
    let last_error = async || world.registry.latest(agent.id())?.last_error;
    assert_eq!(until("the error", last_error).await, "no such thing");
    assert_eq!(statuses(&agent).await, [200, 503, 503], "a task that failed is not done");

    tell(&agent, task("succeeds")).await;
    finish.send(Ok(())).unwrap();
    until("readiness", async || (statuses(&agent).await == [200, 200, 200]).then_some(())).await;

    tell(&agent, AgentMessage::Shutdown).await;
    expect_goodbye(agent).await;
    world.end().await;
}

#[tokio::test]
async fn an_agent_beats_when_asked_to() {
    let world = World::new();
    let agent = world.start("agent-1", LONG, |_| Ok(()));
    world.until_healthy(&agent).await;
    tell(&agent, AgentMessage::Heartbeat).await;
    until("a second beat", async || world.registry.view(agent.id()).ok()?.seq.filter(|seq| *seq == 1)).await;
    tell(&agent, AgentMessage::Shutdown).await;
    expect_goodbye(agent).await;
    world.end().await;
}

#[tokio::test]
async fn the_monitor_shuts_down_the_hung_agent_and_no_other() {
    let world = World::new();
    let threshold = 20 * SHORT;
    let mut monitor = Monitor::new(world.registry.clone(), threshold);
    let (release, released) = mpsc::channel::<()>();
    // Blocks until the other half goes.
    let hung = world.start("agent-1", SHORT, move |_| released.recv().map_err(|error| error.to_string()));
    let other = world.start("agent-2", SHORT, |_| Ok(()));
    for agent in [&hung, &other] {
        monitor.watch_over(agent).unwrap();
        tell(agent, task("dig")).await;
        world.until_healthy(agent).await;
    }
    assert_eq!(monitor.check(), []);

    until("silence", async || world.registry.stale(threshold).contains(hung.id()).then_some(())).await;
    assert_eq!(monitor.check(), [hung.id().clone()]);
    assert_eq!(monitor.check(), [], "an agent is told once");

    drop(release);
    let id = hung.id().clone();
    expect_goodbye(hung).await;
    assert_eq!(world.registry.health(&id), Ok(HealthState::Left));
    assert_eq!(statuses(&other).await, [200, 200, 200]);
    tell(&other, AgentMessage::Shutdown).await;
    expect_goodbye(other).await;
    world.end().await;
}

#[tokio::test]
async fn an_agent_that_never_beats_is_shut_down_too() {
    let world = World::new();
    let mut monitor = Monitor::new(world.registry.clone(), SHORT);
    let (to_nobody, _) = ChannelTransport::new(1);
    let agent = Agent::start(MemberId::new("agent-1").unwrap(), LONG, to_nobody, |_| Ok(())).unwrap();
    monitor.watch_over(&agent).unwrap();
    until("a verdict", async || (monitor.check() == [agent.id().clone()]).then_some(())).await;
    let end = agent.ended().await.unwrap();
    assert!(matches!(end, Outcome::Left { acknowledged: false, .. }), "{end:?}");
    world.end().await;
}

#[tokio::test]
async fn an_agent_with_no_room_for_the_message_is_told_by_a_later_check() {
    let world = World::new();
    let mut monitor = Monitor::new(world.registry.clone(), SHORT);
    let (release, released) = mpsc::channel::<()>();
    let agent = world.start("agent-1", LONG, move |_| released.recv().map_err(|error| error.to_string()));
    monitor.watch_over(&agent).unwrap();
    while agent.messages().try_send(task("dig")).is_ok() {}
    until("silence", async || world.registry.stale(SHORT).contains(agent.id()).then_some(())).await;
    while agent.messages().try_send(task("dig")).is_ok() {}
    assert_eq!(monitor.check(), []);
    drop(release);
    until("room", async || (monitor.check() == [agent.id().clone()]).then_some(())).await;
    expect_goodbye(agent).await;
    world.end().await;
}
