//! The application's end of a heartbeat loop.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use heartbeat_contract::{Exit, Kind, MemberId, Payload};
use tokio::sync::watch;

use crate::asked::Asked;
use crate::clock::monotonic;
use crate::config::{Collector, check_pace};
use crate::journal::Causes;
#[cfg(all(feature = "cli", unix))]
use crate::shared::Wish;
use crate::shared::{Ending, Shared};
use crate::sleep::SleepClock;
use crate::stamp::Whereabouts;
use crate::{ConfigError, Counters, Directives, HeartbeatConfig, Outcome, Outcomes, Progress};

const DEFAULT_REASON: &str = "shutdown";
/// The contract's limit for the reason of a goodbye.
pub(crate) const MAX_REASON_BYTES: usize = 256;

/// Tells a running heartbeat loop what its beats should say; cheap to clone.
///
/// None of its methods waits for the network, except those that say goodbye. Dropping all handles lets the loop run on, as
/// dropping tokio's `JoinHandle` does; if the process then ends without a goodbye, a registry takes the member for failed
/// after a while. Once the loop has ended, all methods are without effect.
pub struct HeartbeatHandle<P: Payload> {
    kind: Kind,
    id: MemberId,
    request_timeout: Option<Duration>,
    pub(crate) shared: Arc<Shared<P>>,
    outcomes: Outcomes,
    directives: Directives,
    driver: Arc<Mutex<Option<Driver>>>,
}

/// What drives a loop, to be waited for at its end.
#[derive(Debug)]
pub(crate) enum Driver {
    /// A thread of its own.
    Thread(thread::JoinHandle<()>),
    /// A task in a runtime of the application.
    Task(tokio::task::JoinHandle<()>),
}

/// A heartbeat loop that is ready to [`run`](crate::run).
#[must_use = "nothing beats before it is run"]
pub struct HeartbeatTask<P: Payload> {
    pub(crate) shared: Arc<Shared<P>>,
    pub(crate) outcomes: watch::Sender<Outcome>,
    pub(crate) asked: watch::Sender<Asked>,
    pub(crate) kind: Kind,
    pub(crate) id: MemberId,
    pub(crate) interval: Duration,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) whereabouts: Whereabouts,
    pub(crate) collector: Option<Collector<P>>,
    pub(crate) sleep_clock: SleepClock,
}

/// Checks a config and returns a loop that is ready to [`run`](crate::run) and the handle to it; for those who drive the
/// loop themselves, such as simulations. Others start it with one call.
///
/// # Errors
/// If the config is invalid.
pub fn heartbeat_task<P: Payload>(
    config: HeartbeatConfig<P>,
) -> Result<(HeartbeatHandle<P>, HeartbeatTask<P>), ConfigError> {
    config.validate()?;
    let payload = config.payload()?;
    let id = payload.id().clone();
    let shared = Arc::new(Shared::new(payload, config.interval));
    let (outcomes, latest) = watch::channel(Outcome::Pending);
    let (asked, asked_at_present) = watch::channel(Asked::default());
    let handle = HeartbeatHandle {
        kind: config.kind.clone(),
        id: id.clone(),
        request_timeout: config.request_timeout,
        shared: Arc::clone(&shared),
        outcomes: Outcomes::new(latest),
        directives: Directives::new(asked_at_present),
        driver: Arc::default(),
    };
    let task = HeartbeatTask {
        shared,
        outcomes,
        asked,
        kind: config.kind.clone(),
        id,
        interval: config.interval,
        request_timeout: config.request_timeout,
        collector: config.collector(),
        sleep_clock: Box::new(|| Duration::ZERO),
        whereabouts: Whereabouts { endpoint: config.endpoint, hive_id: config.hive_id, zone: config.zone },
    };
    Ok((handle, task))
}

impl<P: Payload> HeartbeatTask<P> {
    /// Lets beats tell how long the machine slept, so that a registry takes its sleep for no delay of the network: `clock`
    /// says for how long it has slept so far, as [`system_sleep`](crate::system_sleep) does. Loops that are started with
    /// one call have that; others tell nothing without.
    pub fn with_sleep_clock(self, clock: impl Fn() -> Duration + Send + 'static) -> Self {
        Self { sleep_clock: Box::new(clock), ..self }
    }
}

impl<P: Payload> HeartbeatHandle<P> {
    /// Who beats.
    #[must_use]
    pub fn id(&self) -> &MemberId {
        &self.id
    }

    /// Changes what the beats say. A change of the status or of the self-report and a new `last_error` go out at once, but
    /// at most one beat a second does so; everything else, also that an error is gone, goes out with the next beat. Beats
    /// tell the newest state, not each state.
    ///
    /// A change that alters the id, or after which the payload breaks a limit of the contract, such as a `last_error` of
    /// more than 1 KiB or a figure that is not a number, is dropped as a whole and logged: the beats go on with what was
    /// there before. So they do however long `change` takes. It must not call `update` itself, which would wait for its
    /// own end.
    pub fn update(&self, change: impl FnOnce(&mut P)) {
        if let Err(error) = self.shared.update(change) {
            tracing::error!(kind = %self.kind, id = %self.id, error = %Causes(&error), "dropped an update");
        }
    }

    /// Reports how the member's work gets on: whether there is work in hand, and how much is done. All that it returns
    /// report on the same work.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.progress.clone()
    }

    /// Lets the beats tell how late a runtime of the application gets round to its tasks, or, while it gets round to none,
    /// for how long already. It is given a tiny task four times an interval, at least every second, and no second one while
    /// one waits. So a runtime that is starved stops no beat of a loop on a thread of its own, and is seen all the same: a
    /// registry flags a member as overloaded whose runtime is late by more than half its interval three times in a row.
    ///
    /// One runtime is watched at a time, the last one given; one that is shut down is watched no more.
    ///
    /// ```
    /// # use heartbeat_contract::WorkerHeartbeat;
    /// # async fn serve(heartbeat: heartbeat_sender::HeartbeatHandle<WorkerHeartbeat>) {
    /// heartbeat.watch_runtime(&tokio::runtime::Handle::current());
    /// # }
    /// ```
    pub fn watch_runtime(&self, runtime: &tokio::runtime::Handle) {
        self.shared.runtime.watch(runtime.clone());
    }

    /// What the loop has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.tally().at(monotonic())
    }

    /// For how long the registry may not have heard of this member: since the newest beat that was acknowledged was sent,
    /// or else since the loop was made. Time that the machine slept does not count.
    ///
    /// A member that must not act once others may take it for dead asks this before it acts:
    ///
    /// ```
    /// # use heartbeat_contract::{Policy, WorkerHeartbeat};
    /// # use heartbeat_sender::HeartbeatHandle;
    /// /// Whether the registry, by its default policy, has surely not failed this member.
    /// fn may_act(heartbeat: &HeartbeatHandle<WorkerHeartbeat>) -> bool {
    ///     heartbeat.unheard_for() < Policy::DEFAULT_INTERVAL * 3
    /// }
    /// ```
    #[must_use]
    pub fn unheard_for(&self) -> Duration {
        self.shared.tally().unheard_for(monotonic())
    }

    /// Beats at once, but not more than once a second.
    pub fn beat_now(&self) {
        self.shared.ask();
    }

    /// Changes the interval, and beats at once to tell so; the slots are counted from that beat. If another beat went out
    /// at once within the last second, this one waits for the rest of it or for the next slot of the old interval,
    /// whichever is sooner. So a member may beat faster while it is busy and slower while it is idle; the registry judges
    /// it by what it declares.
    ///
    /// # Errors
    /// If the interval is outside 100 ms to 24 h, or shorter than the configured request timeout. The old one stays.
    pub fn set_interval(&self, interval: Duration) -> Result<(), ConfigError> {
        check_pace(interval, self.request_timeout)?;
        self.shared.set_interval(interval);
        Ok(())
    }

    /// How the beats fare: the latest outcome, and those to come.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        self.outcomes.clone()
    }

    /// What the registry asks of the member, each request once: to drain, to shut down. Obeying is up to the application;
    /// the registry repeats itself until it is obeyed, and takes these for it:
    ///
    /// | directive | what to do | obeyed once |
    /// |---|---|---|
    /// | [`Drain`](heartbeat_contract::Directive::Drain) | take no new work, finish what is in hand | the status is `draining`, which goes out at once |
    /// | [`Shutdown`](heartbeat_contract::Directive::Shutdown) | end | the goodbye has arrived |
    ///
    /// ```
    /// use heartbeat_contract::{Directive, WorkerHeartbeat, WorkerStatus};
    /// use heartbeat_sender::HeartbeatHandle;
    ///
    /// /// Returns when it is time to end.
    /// async fn obey(heartbeat: HeartbeatHandle<WorkerHeartbeat>) {
    ///     let mut directives = heartbeat.directives();
    ///     while let Some(directive) = directives.next().await {
    ///         match directive {
    ///             // Whoever hands out the work looks at this status first.
    ///             Directive::Drain => heartbeat.update(|worker| worker.status = Some(WorkerStatus::Draining)),
    ///             Directive::Shutdown => break,
    ///             _ => {}
    ///         }
    ///     }
    ///     heartbeat.shutdown().await;
    /// }
    /// ```
    #[must_use]
    pub fn directives(&self) -> Directives {
        self.directives.clone()
    }

    /// Says goodbye with the reason `shutdown`, so that no registry takes the end for a failure, and waits for the loop to
    /// end. Returns the final outcome.
    ///
    /// A beat in flight is given up; the goodbye is tried once, for at most 2 s. Works without a runtime of your own, but a
    /// loop that was spawned on a runtime is no more punctual than that runtime.
    ///
    /// # Cancel safety
    /// Dropping the future once polled stops the wait, not the goodbye.
    pub async fn shutdown(self) -> Outcome {
        self.shutdown_because(DEFAULT_REASON).await
    }

    /// Says goodbye like [`shutdown`](Self::shutdown), for a reason of your own. Of a reason longer than 256 bytes, the
    /// contract's limit, the beginning is told.
    ///
    /// # Cancel safety
    /// Dropping the future once polled stops the wait, not the goodbye.
    pub async fn shutdown_because(self, reason: impl Into<String>) -> Outcome {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        self.end(Ending::Goodbye(reason)).await
    }

    /// Tells that the process this member stands for ended unasked, and how, and waits for the loop to end: for whoever
    /// beats on behalf of another process and has waited for its end. A registry calls the member critical at once, with
    /// the cause `process_dead`, and failed once it stays silent; a [goodbye](Self::shutdown_because) would be no failure.
    /// A newer run of the same id makes it healthy again.
    ///
    /// A beat in flight is given up; the last one is tried once, for at most 2 s, with the newest state.
    ///
    /// # Cancel safety
    /// Dropping the future once polled stops the wait, not the last beat.
    pub async fn shutdown_as_exited(self, exit: Exit) -> Outcome {
        self.end(Ending::Exit(exit)).await
    }

    /// Lets the loop rest: it beats no more, after it has told how the process ended if that is given, until it is ended by
    /// a goodbye of this same run, or [stopped](Self::stop).
    #[cfg(all(feature = "cli", unix))]
    pub(crate) async fn rest(&self, exit: Option<Exit>) {
        let mut outcomes = self.outcomes.clone();
        self.shared.wish(Wish::Rest(exit));
        while exit.is_some() && !outcomes.latest().is_final() && outcomes.next().await.is_some() {}
    }

    /// Ends the loop without a word, and waits for that.
    #[cfg(all(feature = "cli", unix))]
    pub(crate) async fn stop(self) {
        self.shared.wish(Wish::Stop);
        self.ended().await;
    }

    async fn end(self, ending: Ending) -> Outcome {
        self.shared.end(ending);
        self.ended().await
    }

    async fn ended(self) -> Outcome {
        let last = self.outcomes.clone().end().await;
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.join().await;
        }
        last
    }

    /// Whether the loop has a thread of its own, which is not this one.
    pub(crate) fn beats_on_another_thread(&self) -> bool {
        let driver = self.driver.try_lock();
        driver.is_ok_and(|driver| match &*driver {
            Some(Driver::Thread(thread)) => thread.thread().id() != thread::current().id(),
            Some(Driver::Task(_)) | None => false,
        })
    }

    pub(crate) fn driven_by(self, driver: Driver) -> Self {
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
        self
    }
}

impl Driver {
    /// Waits for the end of a driver whose loop has ended, which is a matter of microseconds.
    async fn join(self) {
        let panicked = match self {
            Self::Thread(thread) => thread.join().is_err(),
            Self::Task(task) => task.await.is_err_and(|error| error.is_panic()),
        };
        if panicked {
            tracing::error!("the heartbeat loop has panicked");
        }
    }
}

impl<P: Payload> Clone for HeartbeatHandle<P> {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind.clone(),
            id: self.id.clone(),
            request_timeout: self.request_timeout,
            shared: Arc::clone(&self.shared),
            outcomes: self.outcomes.clone(),
            directives: self.directives.clone(),
            driver: Arc::clone(&self.driver),
        }
    }
}

impl<P: Payload> fmt::Debug for HeartbeatHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatHandle")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("latest", &self.outcomes.latest())
            .finish_non_exhaustive()
    }
}

impl<P: Payload> fmt::Debug for HeartbeatTask<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatTask").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}
