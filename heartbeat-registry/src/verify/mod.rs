//! One probe of a member's endpoint, on demand: before work is routed to it, or when its beats are missing.
//!
//! ```no_run
//! use heartbeat_registry::contract::{Kind, MemberId};
//! use heartbeat_registry::verify::{Verifier, VerifyConfig};
//! use heartbeat_registry::{FleetConfig, WorkerRegistry};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let workers = WorkerRegistry::start(FleetConfig::default())?;
//! let verifier = Verifier::new(workers.fleet(), VerifyConfig::default())?;
//! let found = verifier.verify(&Kind::WORKER, &MemberId::new("worker-123")?).await?;
//! if !found.is_healthy() {
//!     println!("{} is not fit for work: {}", found.id, found.detail);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it finds changes no state: members are judged by their beats. It happens by itself only where
//! [`Verifier::probe_suspects`] runs: then each member is probed once when it becomes suspect, to say why it is silent.

mod config;
mod error;
mod finding;
mod flights;
mod network;
mod reach;
mod suspects;
mod whereabouts;

use std::sync::Arc;
use std::time::Duration;

use daemon_lifecycle::Probe;
use heartbeat_contract::{HealthState, Kind, MemberId, Verification};

pub use config::VerifyConfig;
pub use error::VerifyError;
pub use network::{InvalidNetwork, Network};

use crate::config::ConfigError;
use crate::core::micros;
use crate::fleet::Fleet;
use finding::Question;
use flights::{Answer, Asked, Flights};
use reach::Reach;
use whereabouts::Whereabouts;

/// Probes members of one fleet when asked to. Cheap to clone; clones share their probes and findings.
///
/// A member is asked where its newest beat says it answers (`beat.endpoint`; at `/health` if that has no path), but only
/// if that leads to the address its beats come from, or into one of [`VerifyConfig::allowed_networks`]. A name is resolved
/// once, and the very address that was checked is connected to. Members recorded in process, and those that beat over
/// loopback, may be at any loopback address; those that come from nobody knows where, only in those networks. Redirects are
/// not followed, and no user name or password is sent.
///
/// Where beats come through a proxy, all members seem to be at the proxy: turn [`VerifyConfig::allow_own_address`] off, and
/// allow their networks instead.
#[derive(Clone)]
pub struct Verifier {
    fleet: Fleet,
    config: Arc<VerifyConfig>,
    networks: Arc<[Network]>,
    flights: Flights,
}

impl Verifier {
    /// A verifier of the members of a fleet.
    ///
    /// # Errors
    /// If a setting is outside its limits.
    pub fn new(fleet: &Fleet, config: VerifyConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let networks = config.allowed_networks.clone().into();
        Ok(Self { fleet: fleet.clone(), config: Arc::new(config), networks, flights: Flights::default() })
    }

    /// Asks a member once whether it is healthy, within [`VerifyConfig::timeout`]. Calls for the same member share one
    /// probe, and those that come within [`VerifyConfig::cool_down`] of its end are told the same again, marked
    /// [`cached`](Verification::cached).
    ///
    /// Whatever a probe finds is a [`Verification`], also that nobody answers.
    ///
    /// # Errors
    /// If nothing was asked: the member is not known, said goodbye, tells no endpoint or one that may not or cannot be
    /// probed, or too many probes are under way.
    ///
    /// # Panics
    /// If it is not polled within a tokio runtime with I/O and time.
    ///
    /// # Cancel safety
    /// Dropped, the others who wait for the same probe still get what it finds; it ends when nobody waits any more. It is
    /// driven by those who wait, on the runtime of the one who began it, which must go on meanwhile.
    #[doc(alias = "verify_worker_health")]
    #[doc(alias = "get_worker_endpoint")]
    pub async fn verify(&self, kind: &Kind, id: &MemberId) -> Result<Verification, VerifyError> {
        let (asked, state) = self.whereabouts(kind, id)?;
        let question = self.question(&asked, state, self.config.timeout)?;
        let now = self.fleet.engine.now().mono;
        let (config, fleet) = (Arc::clone(&self.config), self.fleet.clone());
        let probe = || async move {
            let found = question.ask(&fleet).await;
            (found, fleet.engine.now().mono + micros(config.cool_down))
        };
        match self.flights.answer(asked, now, self.config.at_once, probe) {
            Some(Answer::Landed(found)) => Ok(Verification { cached: true, ..found }),
            Some(Answer::UnderWay(flight)) => flight.await,
            None => Err(VerifyError::Overloaded { at_once: self.config.at_once }),
        }
    }

    /// Asks a member once, sharing no probe: what was found before it fell silent says nothing.
    async fn ask_now(&self, kind: &Kind, id: &MemberId, timeout: Duration) -> Result<Verification, VerifyError> {
        let (asked, state) = self.whereabouts(kind, id)?;
        self.question(&asked, state, timeout)?.ask(&self.fleet).await
    }

    fn whereabouts(&self, kind: &Kind, id: &MemberId) -> Result<(Asked, HealthState), VerifyError> {
        let (kind, id) = (kind.clone(), id.clone());
        let Some(known) = Whereabouts::of(&self.fleet.engine, &kind, &id) else {
            return Err(VerifyError::Unknown { kind, id });
        };
        if known.state == HealthState::Left {
            return Err(VerifyError::Left { kind, id });
        }
        let Some(endpoint) = known.endpoint else { return Err(VerifyError::NoEndpoint { kind, id }) };
        Ok((Asked { kind, id, incarnation: known.incarnation, origin: known.origin, endpoint }, known.state))
    }

    fn question(&self, asked: &Asked, state: HealthState, timeout: Duration) -> Result<Question, VerifyError> {
        let (kind, id) = (asked.kind.clone(), asked.id.clone());
        let reach = Reach {
            from: asked.origin,
            own_address: self.config.allow_own_address,
            networks: Arc::clone(&self.networks),
        };
        match Probe::new(&asked.endpoint) {
            Ok(probe) if probe.has_credentials() => Err(VerifyError::Credentials { kind, id }),
            Ok(probe) => Ok(Question::new(kind, id, state, reach, probe.timeout(timeout))),
            Err(error) => Err(VerifyError::UnusableEndpoint { kind, id, source: Arc::new(error) }),
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("config", &self.config).finish_non_exhaustive()
    }
}
