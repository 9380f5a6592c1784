//! What a handle and its loop share: what the next beat should say.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use heartbeat_contract::{Exit, HealthStatus, Payload, Violations};
use tokio::sync::Notify;

use crate::Progress;
use crate::counters::Tally;
use crate::lag::RuntimeWatch;

/// Only ever the newest state, never a queue.
#[derive(Debug)]
pub(crate) struct Shared<P> {
    pub(crate) progress: Progress,
    pub(crate) runtime: RuntimeWatch,
    tally: Mutex<Tally>,
    /// Held while the application changes the payload, so that changes do not overwrite each other. The loop never waits
    /// for it.
    updating: Mutex<()>,
    desired: Mutex<Desired<P>>,
    news: Notify,
    leave: Notify,
}

#[derive(Debug)]
struct Desired<P> {
    payload: P,
    interval: Duration,
    asked: bool,
    /// Whether news waits to be told, so that more of it is told together with it.
    has_news: bool,
    edition: Edition,
    wish: Option<Wish>,
}

/// What a loop is asked to do instead of beating on.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// To tell a last time, and end.
    End(Ending),
    /// To tell how the process ended, if that is to be told, and wait in silence for the wish to end: whoever runs the
    /// process again does not know yet whether another run tells the rest, or this one's goodbye does.
    #[cfg_attr(not(all(feature = "cli", unix)), expect(dead_code, reason = "what rests is a wrapper"))]
    Rest(Option<Exit>),
    /// To end without a word.
    #[cfg_attr(not(all(feature = "cli", unix)), expect(dead_code, reason = "what rests is a wrapper"))]
    Stop,
}

/// How a run ends.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// With a goodbye, for a reason.
    Goodbye(String),
    /// With the process it told of, unasked.
    Exit(Exit),
}

/// Counts what has become news, so that a beat can be known to tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edition(u64);

/// What one beat says.
#[derive(Debug)]
pub(crate) struct Snapshot<P> {
    pub(crate) edition: Edition,
    pub(crate) payload: P,
    pub(crate) interval: Duration,
}

/// The words whose change is worth a beat of its own.
#[derive(Debug)]
pub(crate) struct Words {
    status: Option<&'static str>,
    self_report: Option<HealthStatus>,
    last_error: Option<String>,
}

impl Words {
    pub(crate) fn of(payload: &impl Payload) -> Self {
        Self {
            status: payload.status(),
            self_report: payload.self_report(),
            last_error: payload.last_error().map(str::to_owned),
        }
    }

    /// Whether the payload says something else. That an error is gone is no news: it is a new one that helps to know early.
    fn are_outdated_by(&self, payload: &impl Payload) -> bool {
        let is_new_error = payload.last_error().is_some_and(|error| self.last_error.as_deref() != Some(error));
        is_new_error || self.status != payload.status() || self.self_report != payload.self_report()
    }
}

impl<P: Payload> Shared<P> {
    pub(crate) fn new(payload: P, interval: Duration) -> Self {
        Self {
            progress: Progress::new(),
            runtime: RuntimeWatch::default(),
            tally: Mutex::new(Tally::new()),
            updating: Mutex::new(()),
            desired: Mutex::new(Desired {
                payload,
                interval,
                asked: false,
                has_news: false,
                edition: Edition::default(),
                wish: None,
            }),
            news: Notify::new(),
            leave: Notify::new(),
        }
    }

    /// Changes the payload; a change that is refused leaves it as it was.
    pub(crate) fn update(&self, change: impl FnOnce(&mut P)) -> Result<(), UpdateError> {
        let _updating = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let mut payload = self.lock().payload.clone();
        change(&mut payload);
        heartbeat_contract::validate(&payload).map_err(UpdateError::Invalid)?;
        let mut desired = self.lock();
        if payload.id() != desired.payload.id() {
            return Err(UpdateError::IdChanged);
        }
        let is_news = Words::of(&desired.payload).are_outdated_by(&payload);
        desired.payload = payload;
        if is_news {
            self.announce(desired);
        }
        Ok(())
    }

    /// Sets the last error, and returns the first edition that tells it. For use in the middle of a panic: `None` if what
    /// panics may be what keeps the state.
    pub(crate) fn set_last_error(&self, error: String) -> Option<Edition> {
        let mut desired = match self.desired.try_lock() {
            Ok(desired) => desired,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        desired.payload.set_last_error(error);
        let edition = Edition(desired.edition.0 + 1);
        self.announce(desired);
        Some(edition)
    }

    pub(crate) fn ask(&self) {
        let mut desired = self.lock();
        desired.asked = true;
        self.announce(desired);
    }

    pub(crate) fn set_interval(&self, interval: Duration) {
        let mut desired = self.lock();
        desired.interval = interval;
        self.announce(desired);
    }

    fn announce(&self, mut desired: MutexGuard<'_, Desired<P>>) {
        let joins_other_news = std::mem::replace(&mut desired.has_news, true);
        desired.edition.0 += 1;
        drop(desired);
        if joins_other_news {
            self.tally().counted.coalesced += 1;
        }
        self.news.notify_one();
    }

    /// Asks for the end; the first one stands.
    pub(crate) fn end(&self, ending: Ending) {
        self.wish(Wish::End(ending));
    }

    pub(crate) fn wish(&self, wish: Wish) {
        let mut desired = self.lock();
        if matches!(desired.wish, None | Some(Wish::Rest(_))) {
            desired.wish = Some(wish);
        }
        drop(desired);
        self.leave.notify_one();
    }

    /// Whether there is something that the last beat did not say and that should not wait for a slot.
    pub(crate) fn has_news(&self, told: Option<&Words>, interval: Duration) -> bool {
        let desired = self.lock();
        let is_outdated = told.is_some_and(|told| told.are_outdated_by(&desired.payload));
        desired.asked || desired.interval != interval || is_outdated
    }

    /// Takes what the next beat says.
    pub(crate) fn snapshot(&self) -> Snapshot<P> {
        let mut desired = self.lock();
        (desired.asked, desired.has_news) = (false, false);
        Snapshot { edition: desired.edition, payload: desired.payload.clone(), interval: desired.interval }
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the application's runtime, if it is to be watched, for ever.
    pub(crate) async fn watch_runtime(&self) {
        self.runtime.keep_watching(|| self.lock().interval).await;
    }

    /// Waits until [`has_news`](Self::has_news) is worth another look. Only one may wait at a time.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Waits for the wish to end, and takes it. Only one may wait at a time.
    pub(crate) async fn asked_to_end(&self) -> Wish {
        loop {
            if let Some(wish) = self.lock().wish.take() {
                return wish;
            }
            self.leave.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desired<P>> {
        // No change is left half done under this lock: those of the payload work on a copy.
        self.desired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a change of the payload is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpdateError {
    #[error("it changes the id")]
    IdChanged,
    /// A registry would refuse every beat with such a payload, and call the member failed in the end.
    #[error("it breaks the contract")]
    Invalid(#[source] Violations),
}
