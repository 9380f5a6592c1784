use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{Router, http::HeaderMap, routing::get};

use super::{
    answer::answer,
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
/// said. Who asks for `application/health+json` or `application/json` gets `{"status":"pass","instance_id":"..",
/// "pid":123,"checks":{"store":{"status":"pass"}}}`; where the phase is the obstacle, it stands among the checks as
/// `phase`. Answers are never to be cached. There is no authentication, so checks should say nothing confidential.
///
/// Checks run on each request, on the task that serves it: they read a flag or an age, they do not go and ask.
///
/// # Examples
///
/// ```
/// use daemon_lifecycle::{Health, Phase};
///
/// let health = Health::new();
/// health.readiness_check("model", || Err("loading, 63 %".to_owned()));
/// let app: axum::Router = axum::Router::new().merge(health.router());
/// // bind, load, and then:
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

    /// Enters a phase; any may follow any.
    pub fn set_phase(&self, phase: Phase) {
        *self.state.phase.write().unwrap_or_else(PoisonError::into_inner) = phase;
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
            get(async move |asked: HeaderMap| answer(&asked, &find(&health)))
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
            findings.insert("phase".to_owned(), Err(phase.to_string()));
        }
        findings
    }

    fn startup(&self) -> Findings {
        let starting =
            (self.phase() == Phase::Starting).then(|| ("phase".to_owned(), Err(Phase::Starting.to_string())));
        starting.into_iter().collect()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("phase", &self.phase()).finish_non_exhaustive()
    }
}
