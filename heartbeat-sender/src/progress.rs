//! How the member's work gets on, as it reports it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use heartbeat_contract::Progress as Report;
use tokio::time::Instant;

use crate::clock::monotonic;
use crate::stamp::millis;

/// Reports how the member's work gets on: whether there is work in hand, and how much is done. Cheap to clone, and cheap
/// enough to call per unit of work from any thread: no lock, no allocation.
///
/// A registry calls a member stuck that stays busy while nothing more gets done, however punctual its beats are; a member
/// that never reports is never called stuck. The beats tell how long ago something was last done, or work began if that
/// was later: work that begins after an idle hour has not been stuck for an hour.
///
/// ```
/// # use heartbeat_contract::WorkerHeartbeat;
/// # fn transcode(_: &str) {}
/// fn work(heartbeat: &heartbeat_sender::HeartbeatHandle<WorkerHeartbeat>, files: &[&str]) {
///     let progress = heartbeat.progress();
///     let _working = progress.working(); // busy until this goes
///     for file in files {
///         transcode(file);
///         progress.tick();
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Progress(Arc<Gauge>);

/// Makes the member busy for as long as it lives; see [`Progress::working`].
#[must_use = "the member is busy for as long as this lives"]
#[derive(Debug)]
pub struct Working(Progress);

struct Gauge {
    /// What times are counted from.
    start: Instant,
    is_reported: AtomicBool,
    is_busy: AtomicBool,
    working: AtomicUsize,
    done: AtomicU64,
    /// When something was last done or work began, in nanoseconds.
    advanced: AtomicU64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Gauge::new(monotonic())))
    }

    /// One more unit of work is done.
    pub fn tick(&self) {
        self.add(1);
    }

    /// So many more units of work are done; none is no progress.
    pub fn add(&self, units: u64) {
        self.0.add(units, monotonic());
    }

    /// So many units of work are done in all, for those who count them anyway. A total that is no larger than the one
    /// before is no progress and changes nothing.
    pub fn advance_to(&self, done: u64) {
        self.0.advance_to(done, monotonic());
    }

    /// Whether there is work in hand.
    pub fn busy(&self, is_busy: bool) {
        self.0.busy(is_busy, monotonic());
    }

    /// The member is busy until the returned guard goes, also where that happens by a panic; of several guards, until the
    /// last one goes.
    pub fn working(&self) -> Working {
        self.0.begin(monotonic());
        Working(self.clone())
    }

    /// What a beat tells: nothing before the first report.
    pub(crate) fn at(&self, now: Instant) -> Option<Report> {
        self.0.at(now)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gauge {
    fn new(start: Instant) -> Self {
        Self {
            start,
            is_reported: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
            working: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            advanced: AtomicU64::new(0),
        }
    }

    fn add(&self, units: u64, now: Instant) {
        if units > 0 {
            self.advance(now);
            self.done.fetch_add(units, Ordering::Release);
        }
        self.is_reported.store(true, Ordering::Release);
    }

    fn advance_to(&self, done: u64, now: Instant) {
        if done > self.done.load(Ordering::Relaxed) {
            self.advance(now);
            self.done.fetch_max(done, Ordering::Release);
        }
        self.is_reported.store(true, Ordering::Release);
    }

    fn busy(&self, is_busy: bool, now: Instant) {
        if is_busy && !self.is_busy() {
            self.advance(now);
        }
        self.is_busy.store(is_busy, Ordering::Release);
        self.is_reported.store(true, Ordering::Release);
    }

    fn begin(&self, now: Instant) {
        if !self.is_busy() {
            self.advance(now);
        }
        self.working.fetch_add(1, Ordering::Release);
        self.is_reported.store(true, Ordering::Release);
    }

    fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire) || self.working.load(Ordering::Acquire) > 0
    }

    /// Before what it is the time of, so that whoever sees that sees no earlier time.
    fn advance(&self, now: Instant) {
        let at = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        self.advanced.fetch_max(at, Ordering::Release);
    }

    fn at(&self, now: Instant) -> Option<Report> {
        if !self.is_reported.load(Ordering::Acquire) {
            return None;
        }
        let (busy, done) = (self.is_busy(), self.done.load(Ordering::Acquire));
        let advanced = Duration::from_nanos(self.advanced.load(Ordering::Acquire));
        let age = now.saturating_duration_since(self.start).saturating_sub(advanced);
        Some(Report { busy, done, age_ms: millis(age) })
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (busy, done) = (self.0.is_busy(), self.0.done.load(Ordering::Relaxed));
        f.debug_struct("Progress").field("busy", &busy).field("done", &done).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gauge, and its start plus so many seconds.
    fn gauge() -> (Gauge, impl Fn(u64) -> Instant) {
        let start = monotonic();
        (Gauge::new(start), move |seconds| start + Duration::from_secs(seconds))
    }

    fn told(gauge: &Gauge, now: Instant) -> (bool, u64, u64) {
        let Report { busy, done, age_ms } = gauge.at(now).unwrap();
        (busy, done, age_ms)
    }

    #[test]
    fn who_never_reports_tells_nothing() {
        let (gauge, at) = gauge();
        assert_eq!(gauge.at(at(9)), None);
        gauge.add(0, at(10));
        assert_eq!(told(&gauge, at(10)), (false, 0, 10_000));
    }

    #[test]
    fn progress_ages_until_more_is_done_or_work_begins() {
        let (gauge, at) = gauge();
        gauge.busy(true, at(0));
        gauge.add(5, at(0));
        gauge.busy(true, at(10));
        gauge.advance_to(5, at(11));
        gauge.advance_to(3, at(11));
        gauge.add(0, at(11));
        assert_eq!(told(&gauge, at(12)), (true, 5, 12_000));
        gauge.add(1, at(20));
        assert_eq!(told(&gauge, at(21)), (true, 6, 1000));
        gauge.advance_to(9, at(22));
        assert_eq!(told(&gauge, at(23)), (true, 9, 1000));
        gauge.busy(false, at(30));
        gauge.busy(true, at(3600));
        assert_eq!(told(&gauge, at(3601)), (true, 9, 1000));
    }

    #[test]
    fn a_member_is_busy_until_the_last_of_those_who_work_is_gone() {
        let progress = Progress::new();
        let (first, second) = (progress.working(), progress.clone().working());
        drop(first);
        assert!(progress.at(monotonic()).unwrap().busy);
        drop(second);
        assert!(!progress.at(monotonic()).unwrap().busy);
    }

    #[test]
    fn work_that_another_joins_has_not_begun_anew() {
        let (gauge, at) = gauge();
        gauge.begin(at(0));
        gauge.begin(at(50));
        gauge.busy(true, at(51));
        assert_eq!(told(&gauge, at(60)).2, 60_000);
    }
}
