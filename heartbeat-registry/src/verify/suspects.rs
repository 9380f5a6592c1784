//! One probe of each member that becomes suspect, while there is still time before it fails.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use heartbeat_contract::{ProbeOutcome, Verification};

use super::Verifier;
use super::error::VerifyError;
use crate::core::{Finding, Found, Noticed, Source};
use crate::engine::Engine;

/// The longest that such a probe may take.
const PATIENCE: Duration = Duration::from_secs(2);

impl Verifier {
    /// Probes each member once when it becomes suspect: at the edge to critical, or to degraded where its threshold is 2. To
    /// be spawned; goes on until it is dropped, and keeps the fleet alive.
    ///
    /// What a probe finds says why the member is silent: nothing listens any more, `process_dead`; it takes connections but
    /// does not answer, `hung`; it answers, `network`, and then it is held before failed, once, for one interval. No verdict
    /// waits for a probe: it takes 2 s at most, and at most four fifths of the time until the member fails. Members that
    /// tell no endpoint are not probed, nor those whose endpoint may not be probed. At most
    /// [`VerifyConfig::at_once`](super::VerifyConfig::at_once) such probes are under way; of those that wait, the newest
    /// 1,024 are kept.
    ///
    /// # Panics
    /// If it is not polled within a tokio runtime with I/O and time.
    ///
    /// # Cancel safety
    /// Dropped, nobody is probed any more; another call goes on with those who become suspect from then on.
    pub async fn probe_suspects(&self) {
        let engine = Arc::clone(&self.fleet.engine);
        let _wanted = Wanted::of(&engine);
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                suspect = engine.suspects.next(), if under_way.len() < self.config.at_once => {
                    under_way.push(self.look_into(suspect));
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    async fn look_into(&self, suspect: Noticed) {
        let engine = &self.fleet.engine;
        let left = Duration::from_micros(suspect.fails.saturating_sub(engine.now().at));
        let timeout = PATIENCE.min(left * 4 / 5);
        let (kind, id) = &suspect.member;
        if timeout.is_zero() {
            engine.suspects.probed();
            return;
        }
        let found = match self.ask_now(&engine.kind_name(*kind), id, timeout).await {
            Ok(verification) => Some((found(verification.outcome), said(&verification))),
            Err(error) => refused(&error).map(|words| (Found::Unclear, words)),
        };
        engine.suspects.probed();
        if let Some((found, words)) = found {
            let finding = Finding { found, at: engine.now().at, words };
            engine.found(*kind, id, Source::Probe { heard: suspect.heard }, finding);
        }
    }
}

fn found(outcome: ProbeOutcome) -> Found {
    match outcome {
        ProbeOutcome::Refused => Found::Gone,
        ProbeOutcome::Hung => Found::Hangs,
        ProbeOutcome::Healthy => Found::Answers,
        _ => Found::Unclear,
    }
}

fn said(found: &Verification) -> String {
    format!("probe of {}: {}", found.url, found.detail)
}

/// Why nothing was asked, where that is worth telling.
fn refused(error: &VerifyError) -> Option<String> {
    let is_usual =
        matches!(error, VerifyError::Unknown { .. } | VerifyError::Left { .. } | VerifyError::NoEndpoint { .. });
    let causes = std::iter::successors(Some(error as &dyn Error), |&error| error.source());
    (!is_usual).then(|| format!("not probed: {}", causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")))
}

/// Has the engine keep suspects, for as long as this lives.
struct Wanted<'a>(&'a Engine);

impl<'a> Wanted<'a> {
    fn of(engine: &'a Engine) -> Self {
        engine.suspects.want(true);
        Self(engine)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.suspects.want(false);
    }
}
