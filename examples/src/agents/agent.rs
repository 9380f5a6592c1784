//! One agent.

use std::future::IntoFuture;
use std::net::TcpListener;
use std::time::Duration;
use std::{error, io, thread};

use daemon_lifecycle::{Health, Phase};
use heartbeat_contract::{MemberId, WorkerHeartbeat, WorkerStatus};
use heartbeat_sender::{ChannelTransport, HeartbeatHandle, Outcome, Progress, WorkerHeartbeatConfig, spawn_on};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// How many messages may wait for an agent.
const MESSAGES: usize = 16;

/// What an agent can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentMessage {
    /// Do this. Once the first task is done, the agent is ready.
    PerformTask(String),
    /// Beat at once, ahead of the schedule.
    Heartbeat,
    /// Say goodbye and end, once all that was told before is done.
    Shutdown,
}

/// A running agent. It lives as a process does: on a thread of its own, with one runtime for its messages, its beats and
/// its health endpoint. Tasks are performed right there. One that blocks keeps the agent from everything else: it neither
/// beats nor answers, and is seen as what it is, hung.
#[derive(Debug)]
pub struct Agent {
    id: MemberId,
    url: String,
    messages: mpsc::Sender<AgentMessage>,
    thread: thread::JoinHandle<io::Result<Outcome>>,
}

/// What lives on the agent's thread.
struct Insides<W> {
    heartbeat: HeartbeatHandle<WorkerHeartbeat>,
    progress: Progress,
    health: Health,
    perform: W,
}

impl Agent {
    /// Starts an agent that beats over a transport and does its tasks with `perform`. It ends when it is told to, or when
    /// nobody is left who could tell it anything.
    ///
    /// # Errors
    /// If the interval is out of range, or the system refuses a port or a thread.
    pub fn start<W>(
        id: MemberId,
        interval: Duration,
        transport: ChannelTransport<WorkerHeartbeat>,
        perform: W,
    ) -> Result<Self, Box<dyn error::Error>>
    where
        W: FnMut(&str) -> Result<(), String> + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);

        let mut config = WorkerHeartbeatConfig::in_process(id.as_str())
            .initially(|agent| agent.status = Some(WorkerStatus::Starting));
        config.interval = interval;
        config.endpoint = Some(url.clone());
        let heartbeat = spawn_on(runtime.handle(), config, transport)?;

        let (messages, inbox) = mpsc::channel(MESSAGES);
        let progress = heartbeat.progress();
        let insides = Insides { heartbeat, progress, health: Health::new(), perform };
        let live = move || runtime.block_on(insides.live(listener, inbox));
        let thread = thread::Builder::new().name(id.to_string()).spawn(live)?;
        Ok(Self { id, url, messages, thread })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> &MemberId {
        &self.id
    }

    /// Where it answers health probes: `/livez`, `/readyz` and `/healthz`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its messages go.
    #[must_use]
    pub fn messages(&self) -> mpsc::Sender<AgentMessage> {
        self.messages.clone()
    }

    /// Waits for its end, and tells how that went with the registry.
    ///
    /// # Errors
    /// If its health endpoint broke, or a task panicked.
    pub async fn ended(self) -> io::Result<Outcome> {
        let Self { messages, thread, .. } = self;
        drop(messages);
        match spawn_blocking(move || thread.join()).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) | Err(_) => Err(io::Error::other(format!("{} has panicked", self.id))),
        }
    }
}

impl<W: FnMut(&str) -> Result<(), String>> Insides<W> {
    async fn live(mut self, listener: TcpListener, mut inbox: mpsc::Receiver<AgentMessage>) -> io::Result<Outcome> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let endpoint = axum::serve(listener, self.health.router());
        let served = tokio::select! {
            () = self.take_messages(&mut inbox) => Ok(()),
            served = endpoint.into_future() => served,
        };
        let outcome = self.heartbeat.shutdown().await;
        served.map(|()| outcome)
    }

    async fn take_messages(&mut self, inbox: &mut mpsc::Receiver<AgentMessage>) {
        while let Some(message) = inbox.recv().await {
            match message {
                AgentMessage::PerformTask(task) => self.perform(&task),
                AgentMessage::Heartbeat => self.heartbeat.beat_now(),
                AgentMessage::Shutdown => return,
            }
        }
    }

    fn perform(&mut self, task: &str) {
        let error = match (self.perform)(task) {
            Ok(()) => {
                self.progress.tick();
                self.health.set_phase(Phase::Serving);
                None
            }
            Err(error) => Some(error),
        };
        self.heartbeat.update(|agent| {
            if error.is_none() {
                agent.status = Some(WorkerStatus::Idle);
            }
            agent.last_error = error;
        });
    }
}
