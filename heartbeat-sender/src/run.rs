//! The loop: wait until a beat is due, stamp the newest state, send it, obey the answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Ack, MemberId, Payload};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::agenda::{Agenda, Due};
use crate::asked::Asked;
use crate::clock::monotonic;
use crate::config::{Fill, timeout_at};
use crate::handle::HeartbeatTask;
use crate::journal::{Causes, Journal, Line};
use crate::schedule::phase;
use crate::shared::{Ending, Shared, Words};
use crate::sleep::Sleep;
use crate::stamp::{Mark, Stale, Stamp};
use crate::{Outcome, SendError, Transport};

const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_REASON: &str = "shutdown";

/// Beats until `shutdown` completes or the [handle](crate::HeartbeatHandle) asks to leave, then says goodbye within 2 s; or
/// until a newer run of the same id takes this one's place. Returns the final outcome.
///
/// `clock` is the wall clock that stamps beats and numbers the run: [`system_clock`](crate::system_clock) outside
/// simulations. All waiting is by tokio's clock, so that `tokio::time::pause` governs it, and nothing is random: the same
/// clock and answers give the same beats. The future needs a tokio runtime with time enabled.
///
/// # Cancel safety
/// Dropping the future ends the loop without a goodbye. Do not poll it as a branch of a `select!` in a loop, but spawn it
/// and use `shutdown`.
pub async fn run<P, T, C, S>(task: HeartbeatTask<P>, transport: T, clock: C, shutdown: S) -> Outcome
where
    P: Payload,
    T: Transport<P>,
    C: Fn() -> Timestamp + Send,
    S: Future<Output = ()>,
{
    let shared = Arc::clone(&task.shared);
    let mut run = Run::begin(task, &transport, clock);
    let shutdown = pin!(shutdown);
    let end = tokio::select! {
        biased;
        ending = shared.asked_to_end() => End::Asked(ending),
        () = shutdown => End::Asked(Ending::Goodbye(DEFAULT_REASON.to_owned())),
        newest = run.beat_on() => End::Superseded(newest),
    };
    let outcome = match end {
        End::Asked(ending) => run.end(ending).await,
        End::Superseded(newest) => Outcome::Superseded { newest },
    };
    run.tell(outcome.clone());
    outcome
}

enum End {
    Asked(Ending),
    Superseded(u64),
}

/// One run of a member: since when it beats, and how that has gone so far.
struct Run<'a, P, T, C> {
    id: MemberId,
    shared: Arc<Shared<P>>,
    outcomes: watch::Sender<Outcome>,
    asked: watch::Sender<Asked>,
    transport: &'a T,
    clock: C,
    fill: Option<Fill<P>>,
    request_timeout: Option<Duration>,
    started: Instant,
    agenda: Agenda,
    stamp: Stamp,
    sleep: Sleep,
    told: Option<Words>,
    failed: u64,
    /// Whether the run took a newer number for its latest slot; it does so once per slot.
    raised: bool,
    journal: Journal,
}

impl<'a, P: Payload, T: Transport<P>, C: Fn() -> Timestamp> Run<'a, P, T, C> {
    fn begin(task: HeartbeatTask<P>, transport: &'a T, clock: C) -> Self {
        let HeartbeatTask {
            shared,
            outcomes,
            asked,
            id,
            interval,
            request_timeout,
            whereabouts,
            collector,
            sleep_clock,
        } = task;
        Self {
            shared,
            outcomes,
            asked,
            transport,
            fill: collector.map(|start| start()),
            request_timeout,
            started: monotonic(),
            agenda: Agenda::new(phase(id.as_str(), interval), interval),
            stamp: Stamp::new(clock(), whereabouts),
            sleep: Sleep::new(sleep_clock),
            id,
            clock,
            told: None,
            failed: 0,
            raised: false,
            journal: Journal::default(),
        }
    }

    /// Beats until another run has taken this one's place, and returns that run.
    async fn beat_on(&mut self) -> u64 {
        loop {
            let due = self.due().await;
            let (seq, beat) = self.next_beat(due, None);
            let limit = timeout_at(self.agenda.interval(), self.request_timeout);
            let sent_at = monotonic();
            let answer = send_within(limit, self.transport, beat).await;
            let answered_at = monotonic();
            let settled = match answer {
                Ok(ack) => {
                    self.acknowledged(seq, ack, sent_at, answered_at);
                    continue;
                }
                Err(error) => self.failed(seq, error, sent_at, answered_at),
            };
            if let Some(newest) = settled {
                return newest;
            }
        }
    }

    async fn due(&mut self) -> Due {
        loop {
            let has_news = self.shared.has_news(self.told.as_ref(), self.agenda.interval());
            if let Some(due) = self.agenda.take(self.since_start(monotonic()), has_news) {
                return due;
            }
            let at = self.started + self.agenda.next(has_news);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(at) => {}
                () = self.shared.news() => {}
            }
        }
    }

    /// Stamps the newest state.
    fn next_beat(&mut self, due: Due, ending: Option<Ending>) -> (u64, P) {
        let now = monotonic();
        let snapshot = self.shared.snapshot(now);
        let mut payload = snapshot.payload;
        self.told = Some(Words::of(&payload));
        let mut due = due;
        if snapshot.interval != self.agenda.interval() {
            self.agenda.change_interval(self.since_start(now), snapshot.interval);
            due = Due::OffSchedule;
        }
        if matches!(due, Due::Slot(_)) {
            self.raised = false;
        }
        if let Some(fill) = &mut self.fill {
            fill(&mut payload);
        }
        let at = (self.clock)();
        let slept = self.sleep.for_beat();
        let mark = Mark { due, at, interval: snapshot.interval, progress: snapshot.progress, slept, ending };
        let seq = self.stamp.apply(&mut payload, mark);
        (seq, payload)
    }

    fn acknowledged(&mut self, seq: u64, ack: Ack, sent_at: Instant, now: Instant) {
        let rtt = now - sent_at;
        self.stamp.acknowledged(rtt);
        self.sleep.acknowledged();
        self.agenda.acknowledged(self.since_start(now), &ack);
        self.asked.send_if_modified(|asked| asked.hear(&ack.directives));
        self.failed = 0;
        self.tell(Outcome::Acknowledged { seq, ack, rtt });
    }

    /// Returns the run that has taken this one's place, if one has.
    fn failed(&mut self, seq: u64, error: SendError, sent_at: Instant, now: Instant) -> Option<u64> {
        let now = self.since_start(now);
        self.stamp.failed();
        self.agenda.failed(self.since_start(sent_at));
        if let Some(newest) = error.stale_incarnation() {
            match self.stamp.stale(newest) {
                Stale::Superseded => return Some(newest),
                Stale::Raised if !self.raised => {
                    self.raised = true;
                    self.agenda.again(now);
                }
                Stale::Raised | Stale::Contradiction => {}
            }
        }
        if let Some(retry_after) = error.retry_after() {
            self.agenda.asked_to_wait(now, retry_after);
        }
        self.failed += 1;
        self.tell(Outcome::Failed { seq, error, consecutive: self.failed });
        None
    }

    /// Sends the last beat, a goodbye or not.
    async fn end(&mut self, ending: Ending) -> Outcome {
        let (_, last) = self.next_beat(Due::OffSchedule, Some(ending.clone()));
        let answer = send_within(GOODBYE_TIMEOUT, self.transport, last).await;
        if let Err(error) = &answer
            && let Some(newest) = error.stale_incarnation()
            && self.stamp.stale(newest) == Stale::Superseded
        {
            return Outcome::Superseded { newest };
        }
        let acknowledged = answer.is_ok();
        match ending {
            Ending::Goodbye(reason) => Outcome::Left { reason, acknowledged },
            Ending::Exit(exit) => Outcome::Exited { exit, acknowledged },
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(line) = self.journal.note(&outcome) {
            self.log(line, &outcome);
        }
        self.outcomes.send_replace(outcome);
    }

    fn log(&self, line: Line, outcome: &Outcome) {
        let (kind, id) = (P::KIND, &self.id);
        match (line, outcome) {
            (Line::Recovered(failed), _) => tracing::info!(%kind, %id, failed, "heartbeats are acknowledged again"),
            (_, Outcome::Acknowledged { .. }) => tracing::info!(%kind, %id, "heartbeats are acknowledged"),
            (_, Outcome::Failed { error, .. }) => tracing::warn!(%kind, %id, error = %Causes(error), "heartbeats fail"),
            (_, Outcome::Superseded { newest }) => {
                tracing::error!(%kind, %id, newest, "superseded by a newer run of the same id; beating no more");
            }
            (_, Outcome::Left { reason, acknowledged }) => tracing::info!(%kind, %id, reason, acknowledged, "left"),
            (_, Outcome::Exited { exit, acknowledged }) => {
                tracing::warn!(%kind, %id, %exit, acknowledged, "told its end");
            }
            (_, Outcome::Pending) => {}
        }
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }
}

/// Sends a beat, over whatever transport, and waits no longer than this for its answer.
pub(crate) async fn send_within<P, T>(limit: Duration, transport: &T, beat: P) -> Result<Ack, SendError>
where
    P: Payload,
    T: Transport<P>,
{
    match tokio::time::timeout(limit, transport.send(beat)).await {
        Ok(answer) => answer,
        Err(_) => Err(SendError::timeout(limit)),
    }
}
