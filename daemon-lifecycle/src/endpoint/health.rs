use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::RawQuery, http::HeaderMap, routing::get};

use super::{
    answer::{Form, answer},
    checks::{Checks, Findings},
    identity::instance_id,
};

/// What this process says of its own health; clones share one state.
///
/// | path | 200 when |
/// |---|---|
/// | `/livez` | every liveness check passes: else a restart is in order, so never check what others are to blame for |
/// | `/readyz`, `/health`, `/healthz` | the phase is [`Phase::Serving`] and every readiness check passes |
/// | `/startupz` | the phase is no longer [`Phase::Starting`] |
///
/// and 503 otherwise, for GET and HEAD. The body is `ok`, or `failed: ` and the names of the checks with what they
/// said. With `?verbose` it has a line for each check, `[+]store ok` or `[-]store failed: disk full`.
///
/// Who asks for `application/health+json` or `application/json` gets `{"status":"pass","instance_id":"..",
/// "pid":123,"checks":{"store":{"status":"pass"}}}`; where the phase is the obstacle, it stands among the checks as
/// `phase`, and with it the [progress](Self::set_progress) as `"progress":0.63`. Answers are never to be cached. There
/// is no authentication, so checks should say nothing confidential.
///
/// Whoever routes requests here goes on doing so until it has asked again. So a process that is told to end (`SIGTERM`)
/// does first what makes it not ready, and last what makes it refuse:
///
/// 1. [`shutting_down`](Self::shutting_down): `/readyz` is 503 from now on, `/livez` stays 200.
/// 2. Serve on for as long as the others take to notice: the period of their probe times the failures they wait for.
/// 3. Stop listening, finish what is under way, and end.
///
/// Checks run on each request, on the task that serves it: they read a flag or an age, they do not go and ask.
///
/// # Examples
///
/// ```
/// use daemon_lifecycle::{Health, Phase};
///
/// let health = Health::new();
/// health.readiness_check("store", || Ok(()));
/// let app: axum::Router = axum::Router::new().merge(health.router());
/// // bind, and load:
/// health.set_progress(3, 48);
/// // and then:
/// health.set_phase(Phase::Serving);
/// # drop(app);
/// ```
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    phase: RwLock<Phase>,
    /// Set with the phase locked, so that no other phase follows.
    shutting_down: AtomicBool,
    progress: RwLock<Option<f64>>,
    liveness: Checks,
    readiness: Checks,
}

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Phase {
    /// Not yet ready for the first time.
    #[default]
    Starting,
    /// Open for requests.
    Serving,
    /// Alive, but wants no more requests: shutting down, or paused.
    Draining,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        })
    }
}

impl Health {
    /// In [`Phase::Starting`], without checks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The phase last set.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.state.phase.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a phase; any may follow any, but none is entered once this process is
    /// [shutting down](Self::shutting_down).
    pub fn set_phase(&self, phase: Phase) {
        let mut current = self.state.phase.write().unwrap_or_else(PoisonError::into_inner);
        if !self.state.shutting_down.load(Ordering::Relaxed) {
            *current = phase;
        }
    }

    /// Enters [`Phase::Draining`] for good: a start-up that is still under way, or a pause that ends, makes nothing ready
    /// again.
    pub fn shutting_down(&self) {
        let mut current = self.state.phase.write().unwrap_or_else(PoisonError::into_inner);
        self.state.shutting_down.store(true, Ordering::Relaxed);
        *current = Phase::Draining;
    }

    /// Says how much of the start-up is done, for those who wait: `daemon-lifecycle wait` shows it as a bar, and a
    /// [`HealthPoll`](crate::HealthPoll) may take growth for a reason to wait longer. Told in [`Phase::Starting`] alone;
    /// of 0 in all, nothing is told.
    pub fn set_progress(&self, done: u64, of: u64) {
        let share = (of > 0).then(|| done.min(of) as f64 / of as f64);
        *self.state.progress.write().unwrap_or_else(PoisonError::into_inner) = share;
    }

    /// Makes `/readyz` depend on `check`, in place of an earlier one of that name. A check that panics has failed.
    pub fn readiness_check(
        &self,
        name: impl Into<String>,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.state.readiness.insert(name.into(), Arc::new(check));
    }

    /// Makes `/livez` depend on `check`, in place of an earlier one of that name. A check that panics has failed.
    pub fn liveness_check(
        &self,
        name: impl Into<String>,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.state.liveness.insert(name.into(), Arc::new(check));
    }

    /// Names this run of this process, as the answers do: another id means that the process was restarted.
    #[must_use]
    pub fn instance_id(&self) -> &'static str {
        instance_id()
    }

    /// The routes, to be merged into a router with any state.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let route = |find: fn(&Self) -> Findings| {
            let health = self.clone();
            get(async move |RawQuery(query): RawQuery, asked: HeaderMap| {
                answer(Form::asked_for(query.as_deref(), &asked), &find(&health), health.progress())
            })
        };
        Router::new()
            .route("/livez", route(Self::liveness))
            .route("/readyz", route(Self::readiness))
            .route("/health", route(Self::readiness))
            .route("/healthz", route(Self::readiness))
            .route("/startupz", route(Self::startup))
    }

    fn liveness(&self) -> Findings {
        self.state.liveness.run()
    }

    fn readiness(&self) -> Findings {
        let mut findings = self.state.readiness.run();
        let phase = self.phase();
        if phase != Phase::Serving {
            findings.insert("phase".to_owned(), Err(self.phase_in_words()));
        }
        findings
    }

    fn startup(&self) -> Findings {
        let starting = (self.phase() == Phase::Starting).then(|| ("phase".to_owned(), Err(self.phase_in_words())));
        starting.into_iter().collect()
    }

    fn progress(&self) -> Option<f64> {
        let progress = *self.state.progress.read().unwrap_or_else(PoisonError::into_inner);
        progress.filter(|_| self.phase() == Phase::Starting)
    }

    fn phase_in_words(&self) -> String {
        match self.progress() {
            Some(progress) => format!("{}, {:.0} %", self.phase(), progress * 100.0),
            None => self.phase().to_string(),
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("phase", &self.phase()).finish_non_exhaustive()
    }
}
