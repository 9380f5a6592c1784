use std::error::Error;

use daemon_lifecycle::{Probe, ProbeError, ProbeFailure};
use heartbeat_contract::{HealthState, Kind, MemberId, ProbeOutcome, Verification};

use super::error::VerifyError;
use super::flights::Found;
use super::reach::Reach;
use crate::fleet::Fleet;

/// One probe of one member, not yet sent.
#[derive(Debug)]
pub(super) struct Question {
    kind: Kind,
    id: MemberId,
    state: HealthState,
    reach: Reach,
    probe: Probe,
}

impl Question {
    pub(super) fn new(kind: Kind, id: MemberId, state: HealthState, reach: Reach, probe: Probe) -> Self {
        let admitted = reach.clone();
        Self { kind, id, state, reach, probe: probe.only_to(move |address| admitted.admits(address)) }
    }

    pub(super) async fn ask(self, fleet: &Fleet) -> Found {
        let began = fleet.engine.now();
        let answer = self.probe.ask().await;
        let took_ms = (fleet.engine.now().mono - began.mono) / 1000;
        let url = self.probe.url();
        let (outcome, http_status, detail) = match answer {
            Ok(answer) => (ProbeOutcome::Healthy, answer.status, healthy_in_words(answer.status)),
            Err(error) if error.kind() == ProbeFailure::NotAdmitted => return Err(self.not_allowed(url, &error)),
            Err(error) => (outcome(error.kind()), status(error.kind()), in_words(&error)),
        };
        let Self { kind, id, state, .. } = self;
        Ok(Verification { kind, id, outcome, detail, http_status, url, at: began.wall, took_ms, cached: false, state })
    }

    fn not_allowed(self, url: String, error: &ProbeError) -> VerifyError {
        let Self { kind, id, reach, .. } = self;
        let addresses = error.detail().unwrap_or("no address").to_owned();
        VerifyError::NotAllowed { kind, id, url, addresses, rule: reach.to_string() }
    }
}

fn outcome(failure: ProbeFailure) -> ProbeOutcome {
    match failure {
        ProbeFailure::Status(_) | ProbeFailure::NotReady => ProbeOutcome::Unhealthy,
        ProbeFailure::Redirect(_) => ProbeOutcome::Redirect,
        ProbeFailure::Timeout => ProbeOutcome::Hung,
        ProbeFailure::Refused => ProbeOutcome::Refused,
        ProbeFailure::ConnectTimeout => ProbeOutcome::ConnectTimeout,
        ProbeFailure::Unreachable => ProbeOutcome::Unreachable,
        ProbeFailure::Dns => ProbeOutcome::Unresolved,
        ProbeFailure::Reset => ProbeOutcome::Closed,
        ProbeFailure::Protocol => ProbeOutcome::NotHttp,
        ProbeFailure::Tls | ProbeFailure::TlsName => ProbeOutcome::TlsFailed,
        // URLs and addresses were checked before.
        _ => ProbeOutcome::Unknown,
    }
}

fn status(failure: ProbeFailure) -> Option<u16> {
    match failure {
        ProbeFailure::Status(status) | ProbeFailure::Redirect(status) => Some(status),
        _ => None,
    }
}

fn healthy_in_words(status: Option<u16>) -> String {
    status.map_or_else(|| "connection taken".to_owned(), |status| format!("status {status}"))
}

/// What failed, and what the answer said or else the root of the failure, where that is more than the same in other words.
fn in_words(error: &ProbeError) -> String {
    if matches!(error.kind(), ProbeFailure::Refused | ProbeFailure::Timeout | ProbeFailure::ConnectTimeout) {
        return error.kind().to_string();
    }
    let root = std::iter::successors(error.source(), |&cause| cause.source()).last().map(ToString::to_string);
    match error.detail().map(str::to_owned).or(root) {
        Some(more) => format!("{} ({more})", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn failures_are_told_apart_and_none_is_a_sign_of_health() {
        let failures = [
            ProbeFailure::Dns,
            ProbeFailure::Refused,
            ProbeFailure::Unreachable,
            ProbeFailure::ConnectTimeout,
            ProbeFailure::Tls,
            ProbeFailure::Reset,
            ProbeFailure::Timeout,
            ProbeFailure::Protocol,
            ProbeFailure::Redirect(302),
            ProbeFailure::Status(503),
            ProbeFailure::Other,
        ];
        let outcomes: HashSet<_> = failures.into_iter().map(outcome).collect();
        assert_eq!(outcomes.len(), failures.len());
        assert!(!outcomes.contains(&ProbeOutcome::Healthy));
    }
}
