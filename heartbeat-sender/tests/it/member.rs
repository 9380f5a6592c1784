//! A worker that beats over the channel transport by a paused clock, and the consumer that hears it.

use std::time::Duration;

use heartbeat_contract::{Ack, BeatInfo, Problem, ProblemType, WorkerHeartbeat};
use heartbeat_sender::{
    Answer, ChannelTransport, Delivery, HeartbeatHandle, HeartbeatTask, Outcome, Outcomes, WorkerHeartbeatConfig,
    heartbeat_task, run,
};
use jiff::Timestamp;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub(crate) const S: Duration = Duration::from_secs(1);
/// When the member starts, in microseconds since the epoch.
pub(crate) const STARTED: u64 = 1_767_322_800_123_456;
/// Timers fire up to this much late, even by a paused clock.
const TIMER: Duration = Duration::from_millis(2);
/// In virtual time, longer than anything that is waited for.
const BOUND: Duration = Duration::from_hours(48);

pub(crate) struct Member {
    pub(crate) handle: HeartbeatHandle<WorkerHeartbeat>,
    pub(crate) run: JoinHandle<Outcome>,
    outcomes: Outcomes,
    deliveries: Receiver<Delivery<WorkerHeartbeat>>,
}

/// One beat as it arrived, not answered yet.
pub(crate) struct Heard {
    pub(crate) worker: WorkerHeartbeat,
    pub(crate) at: Instant,
    answer: Answer,
}

pub(crate) fn worker() -> WorkerHeartbeatConfig {
    WorkerHeartbeatConfig::in_process("worker-123")
}

pub(crate) fn every(interval: Duration) -> WorkerHeartbeatConfig {
    let mut config = worker();
    config.interval = interval;
    config
}

pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::from_microsecond(i64::try_from(STARTED).unwrap()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the paused clock is read to compare times of arrival")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn granting(next_in: Duration) -> Ack {
    Ack {
        acknowledged: true,
        server_time: wall_clock(),
        next_in_ms: u64::try_from(next_in.as_millis()).unwrap(),
        directives: Vec::new(),
    }
}

pub(crate) fn stale(newest: u64) -> Problem {
    let mut problem = Problem::new(ProblemType::StaleIncarnation, "an older run");
    problem.newest_incarnation = Some(newest);
    problem
}

/// Asserts that something happened when it was due.
#[track_caller]
pub(crate) fn expect_at(at: Instant, due: Instant) {
    let late = at.saturating_duration_since(due);
    assert!(at >= due && late <= TIMER, "{late:?} late, {:?} early", due.saturating_duration_since(at));
}

/// Waits for something that must happen.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    timeout(BOUND, what).await.expect("it did not happen within two days")
}

impl Member {
    pub(crate) fn start(config: WorkerHeartbeatConfig) -> Self {
        Self::start_task(heartbeat_task(config).unwrap())
    }

    /// A member on a machine whose sleep is told by a clock.
    pub(crate) fn start_asleep(config: WorkerHeartbeatConfig, clock: impl Fn() -> Duration + Send + 'static) -> Self {
        let (handle, task) = heartbeat_task(config).unwrap();
        Self::start_task((handle, task.with_sleep_clock(clock)))
    }

    fn start_task((handle, task): (HeartbeatHandle<WorkerHeartbeat>, HeartbeatTask<WorkerHeartbeat>)) -> Self {
        let (transport, deliveries) = ChannelTransport::new(1);
        let run = tokio::spawn(run(task, transport, wall_clock, std::future::pending()));
        Self { outcomes: handle.outcomes(), handle, run, deliveries }
    }

    /// Starts a member whose first two beats have been acknowledged, and returns when the second one came, for slot 0.
    pub(crate) async fn accepted(config: WorkerHeartbeatConfig) -> (Self, Instant) {
        let mut member = Self::start(config);
        for slot in [None, Some(0)] {
            let heard = member.hear().await;
            assert_eq!(heard.beat().tick, slot);
            let at = heard.acknowledge();
            member.outcome().await;
            if slot.is_some() {
                return (member, at);
            }
        }
        unreachable!("the second beat is for a slot")
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        let Delivery { beat, answer } = soon(self.deliveries.recv()).await.expect("the loop has ended");
        Heard { worker: beat, at: now(), answer }
    }

    /// Waits for the outcome of the beat that was answered or given up.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        soon(self.outcomes.next()).await.expect("the loop has ended")
    }

    /// Whether nothing beats until a time.
    pub(crate) async fn is_silent_for(&mut self, duration: Duration) -> bool {
        timeout(duration, self.deliveries.recv()).await.is_err()
    }

    /// Whether the loop ends, if it has not yet, without another beat.
    pub(crate) async fn has_ended_silently(&mut self) -> bool {
        soon(self.deliveries.recv()).await.is_none()
    }

    pub(crate) fn stop_hearing(&mut self) {
        self.deliveries.close();
    }

    pub(crate) async fn ended(self) -> Outcome {
        soon(self.run).await.unwrap()
    }
}

impl Heard {
    pub(crate) fn beat(&self) -> &BeatInfo {
        self.worker.beat.as_ref().expect("every beat is stamped")
    }

    pub(crate) fn seq(&self) -> u64 {
        self.beat().seq.unwrap()
    }

    pub(crate) fn acknowledge(self) -> Instant {
        let interval = self.beat().interval().unwrap();
        self.answer(Ok(granting(interval)))
    }

    pub(crate) fn answer(self, answer: Result<Ack, Problem>) -> Instant {
        self.answer.send(answer);
        self.at
    }
}
