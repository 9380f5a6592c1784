//! The loop: wait until a beat is due, stamp the newest state, send it, obey the answer.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Ack, Kind, MemberId, Payload};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::agenda::{Agenda, Due};
use crate::asked::Asked;
use crate::clock::monotonic;
use crate::config::Fill;
use crate::handle::HeartbeatTask;
use crate::journal::{Causes, Journal, Line};
use crate::route::Route;
use crate::shared::{Edition, Ending, Shared, Wish, Words};
use crate::sleep::Sleep;
use crate::spread::Spread;
use crate::stamp::{Mark, Stale, Stamp};
use crate::verdict::is_for_a_person;
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
        wish = shared.asked_to_end() => End::Asked(wish),
        () = shutdown => End::Asked(Wish::End(Ending::Goodbye(DEFAULT_REASON.to_owned()))),
        newest = run.beat_on() => End::Superseded(newest),
        () = shared.watch_runtime() => unreachable!("it is watched for ever"),
    };
    match end {
        End::Asked(wish) => run.end(wish).await,
        End::Superseded(newest) => run.tell(Outcome::Superseded { newest }),
    }
    run.latest()
}

enum End {
    Asked(Wish),
    Superseded(u64),
}

/// One run of a member: since when it beats, and how that has gone so far.
pub(crate) struct Run<'a, P, T, C> {
    pub(crate) kind: Kind,
    pub(crate) id: MemberId,
    pub(crate) shared: Arc<Shared<P>>,
    outcomes: watch::Sender<Outcome>,
    pub(crate) asked: watch::Sender<Asked>,
    pub(crate) transport: &'a T,
    clock: C,
    fill: Option<Fill<P>>,
    pub(crate) request_timeout: Option<Duration>,
    started: Instant,
    pub(crate) agenda: Agenda,
    pub(crate) route: Route,
    pub(crate) stamp: Stamp,
    pub(crate) sleep: Sleep,
    told: Option<Words>,
    pub(crate) failed: u64,
    /// Whether the run took a newer number for its latest slot; it does so once per slot.
    pub(crate) raised: bool,
    journal: Journal,
}

/// A beat on its way, which may be sent more than once.
pub(crate) struct Stamped<P> {
    pub(crate) seq: u64,
    pub(crate) beat: P,
    pub(crate) edition: Edition,
    /// Whether it was sent before, and no registry took it.
    pub(crate) is_repeated: bool,
}

impl<'a, P: Payload, T: Transport<P>, C: Fn() -> Timestamp> Run<'a, P, T, C> {
    fn begin(task: HeartbeatTask<P>, transport: &'a T, clock: C) -> Self {
        let HeartbeatTask {
            shared,
            outcomes,
            asked,
            kind,
            id,
            interval,
            request_timeout,
            whereabouts,
            collector,
            sleep_clock,
        } = task;
        let spread = Spread::of(id.as_str());
        Self {
            shared,
            outcomes,
            asked,
            transport,
            fill: collector.map(|start| start()),
            request_timeout,
            started: monotonic(),
            agenda: Agenda::new(spread.clone(), interval),
            route: Route::new(1 + transport.fallbacks().len(), spread),
            stamp: Stamp::new(clock(), whereabouts),
            sleep: Sleep::new(sleep_clock),
            kind,
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
        // Not a queue: the newest beat, for as long as it may have to be repeated.
        let mut unanswered = None;
        loop {
            let due = self.due().await;
            let beat = match unanswered.take() {
                Some(beat) if due == Due::Retry => {
                    self.shared.tally().counted.retries += 1;
                    Stamped { is_repeated: true, ..beat }
                }
                _ => self.next_beat(due, None),
            };
            if let Some(newest) = self.deliver(&beat).await {
                return newest;
            }
            unanswered = self.agenda.repeats().then_some(beat);
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
    fn next_beat(&mut self, due: Due, ending: Option<Ending>) -> Stamped<P> {
        let now = monotonic();
        let snapshot = self.shared.snapshot();
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
        let mark = Mark {
            due,
            at: (self.clock)(),
            interval: snapshot.interval,
            progress: self.shared.progress.at(now),
            lag: self.shared.runtime.take(now),
            slept: self.sleep.for_beat(),
            ending,
        };
        let seq = self.stamp.apply(&mut payload, mark);
        Stamped { seq, beat: payload, edition: snapshot.edition, is_repeated: false }
    }

    /// Ends as it is asked to, after a rest if it is asked for that.
    async fn end(&mut self, mut wish: Wish) {
        while let Wish::Rest(exit) = wish {
            if let Some(exit) = exit {
                let outcome = self.tell_last(Ending::Exit(exit)).await;
                self.tell(outcome);
            }
            if matches!(self.latest(), Outcome::Superseded { .. }) {
                return;
            }
            wish = self.shared.asked_to_end().await;
        }
        if let Wish::End(ending) = wish {
            let outcome = self.tell_last(ending).await;
            self.tell(outcome);
        }
    }

    /// Sends the last beat, a goodbye or not.
    async fn tell_last(&mut self, ending: Ending) -> Outcome {
        let last = self.next_beat(Due::OffSchedule, Some(ending.clone()));
        let deadline = monotonic() + GOODBYE_TIMEOUT;
        let mut acknowledged = false;
        for tried in 0.. {
            let Some(registry) = self.route.choice(tried) else { break };
            let left = deadline.saturating_duration_since(monotonic());
            let Err(error) = self.send(registry, &last, left).await else {
                acknowledged = true;
                break;
            };
            if let Some(newest) = error.stale_incarnation()
                && self.stamp.stale(newest) == Stale::Superseded
            {
                return Outcome::Superseded { newest };
            }
        }
        match ending {
            Ending::Goodbye(reason) => Outcome::Left { reason, acknowledged },
            Ending::Exit(exit) => Outcome::Exited { exit, acknowledged },
        }
    }

    fn latest(&self) -> Outcome {
        self.outcomes.borrow().clone()
    }

    pub(crate) fn tell(&mut self, outcome: Outcome) {
        if let Some(line) = self.journal.note(&outcome) {
            self.log(line, &outcome);
        }
        self.outcomes.send_replace(outcome);
    }

    fn log(&self, line: Line, outcome: &Outcome) {
        let (kind, id) = (&self.kind, &self.id);
        match (line, outcome) {
            (Line::Recovered(failed), _) => tracing::info!(%kind, %id, failed, "heartbeats are acknowledged again"),
            (_, Outcome::Acknowledged { .. }) => tracing::info!(%kind, %id, "heartbeats are acknowledged"),
            (_, Outcome::Failed { error, .. }) if is_for_a_person(error) => {
                tracing::error!(%kind, %id, error = %Causes(error), "heartbeats fail");
            }
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

    pub(crate) fn since_start(&self, now: Instant) -> Duration {
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

#[cfg(test)]
#[cfg(all(feature = "cli", unix))]
mod tests {
    use heartbeat_contract::{Exit, WorkerHeartbeat};
    use tokio::sync::mpsc::Receiver;

    use super::*;
    use crate::channel::Delivery;
    use crate::{ChannelTransport, HeartbeatHandle, WorkerHeartbeatConfig, spawn_on, system_clock};

    const EXIT: Exit = Exit { pid: Some(7), exit_code: Some(3), signal: None };

    /// A loop whose first beat was acknowledged, and that rests.
    async fn resting(exit: Option<Exit>) -> (HeartbeatHandle<WorkerHeartbeat>, Receiver<Delivery<WorkerHeartbeat>>) {
        let (transport, mut deliveries) = ChannelTransport::new(1);
        let config = WorkerHeartbeatConfig::in_process("worker-1");
        let handle = spawn_on(&tokio::runtime::Handle::current(), config, transport).unwrap();
        acknowledge(deliveries.recv().await.unwrap());
        let told = tokio::spawn({
            let handle = handle.clone();
            async move { handle.rest(exit).await }
        });
        if exit.is_some() {
            let last = acknowledge(deliveries.recv().await.unwrap());
            assert_eq!(last.beat.unwrap().exit, exit);
        }
        told.await.unwrap();
        (handle, deliveries)
    }

    fn acknowledge(delivery: Delivery<WorkerHeartbeat>) -> WorkerHeartbeat {
        let (server_time, directives) = (system_clock(), Vec::new());
        delivery.answer.send(Ok(Ack { acknowledged: true, server_time, next_in_ms: 30_000, directives }));
        delivery.beat
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_rests_beats_no_more_and_its_goodbye_is_of_the_same_run() {
        for (exit, seq) in [(Some(EXIT), 2), (None, 1)] {
            let (handle, mut deliveries) = resting(exit).await;
            handle.beat_now();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            assert!(deliveries.try_recv().is_err());
            let leaving = tokio::spawn(handle.shutdown_because("SIGTERM"));
            let goodbye = acknowledge(deliveries.recv().await.unwrap()).beat.unwrap();
            assert_eq!((goodbye.seq, goodbye.exit, goodbye.leaving.as_deref()), (Some(seq), None, Some("SIGTERM")));
            assert!(matches!(leaving.await.unwrap(), Outcome::Left { acknowledged: true, .. }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_stopped_says_nothing_more() {
        for exit in [Some(EXIT), None] {
            let (handle, mut deliveries) = resting(exit).await;
            handle.stop().await;
            assert!(deliveries.recv().await.is_none());
        }
    }
}
