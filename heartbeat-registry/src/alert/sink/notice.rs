//! What sinks are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use heartbeat_contract::{Event, EventBody, EventId, HealthState, Kind, MemberId, Zone};
use jiff::Timestamp;

use crate::alert::sighting::Sighting;
use crate::readable::seconds;

/// What an alert is known by, and what is said of it.
pub(super) type Words = BTreeMap<&'static str, String>;

/// Something that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lasting {
    /// The event it began with.
    pub(super) event: EventId,
    pub(super) since: Timestamp,
    pub(super) labels: Words,
    pub(super) annotations: Words,
}

/// The beginning or the end of something that lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// The same each time that it is sent, and for no other.
    pub(super) key: String,
    pub(super) alert: Arc<Lasting>,
    /// When it ended, if it has.
    pub(super) ended: Option<Timestamp>,
    /// What this tells the end of, too, since it stands for the same member.
    pub(super) replaces: Option<Arc<Lasting>>,
}

impl Lasting {
    fn new(event: &Event, name: &str, is_grave: bool, summary: String) -> Self {
        let severity = if is_grave { "critical" } else { "warning" };
        let mut labels = Words::from([("alertname", name.to_owned()), ("severity", severity.to_owned())]);
        if let (Some(kind), Some(member)) = (&event.kind, &event.member) {
            labels.insert("kind", kind.to_string());
            labels.insert("member", member.to_string());
        }
        let annotations = Words::from([("summary", summary), ("event", event.id.to_string())]);
        Self { event: event.id.clone(), since: event.at, labels, annotations }
    }

    fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.insert(label, value.into());
        self
    }

    fn seen(mut self, sighting: Option<&Sighting>) -> Self {
        if let Some(Sighting { zone, host, .. }) = sighting {
            self.labels.insert("zone", zone.to_string());
            self.labels.insert("host", host.clone());
        }
        self
    }

    fn saying(mut self, annotation: &'static str, text: String) -> Self {
        if !text.is_empty() {
            self.annotations.insert(annotation, text);
        }
        self
    }

    /// A member that is worse than healthy.
    pub(super) fn member(event: &Event, who: &(Kind, MemberId), to: HealthState, sighting: Option<&Sighting>) -> Self {
        let EventBody::Transition { age_ms, cause, evidence, last_seen, .. } = &event.body else {
            unreachable!("a member gets worse by a transition");
        };
        let name = match to {
            HealthState::Degraded => "MemberDegraded",
            HealthState::Critical => "MemberCritical",
            _ => "MemberFailed",
        };
        let why = if evidence.is_empty() { format!("silent for {}", seconds(*age_ms)) } else { evidence.join("; ") };
        let alert = Self::new(event, name, to == HealthState::Failed, format!("{} {} is {to}: {why}", who.0, who.1))
            .with("state", to.as_str())
            .seen(sighting)
            .saying("description", evidence.join("\n"))
            .saying("last_seen", last_seen.map(|at| format!("{at:.3}")).unwrap_or_default());
        match cause {
            Some(cause) => alert.with("cause", cause.as_str()),
            None => alert,
        }
    }

    /// A host all of whose members are silent.
    pub(super) fn host(event: &Event, host: &str, zone: &Zone, members: u64, failed_before: &[String]) -> Self {
        let before = failed_before.join(", ");
        Self::new(event, "HostDown", true, format!("host {host} is down with all its {members} members"))
            .with("host", host)
            .with("zone", zone.as_str())
            .saying("failed_before", before)
    }

    /// A host that is down, as one of its members tells.
    pub(super) fn host_of(event: &Event, host: EventId, sighting: Option<&Sighting>) -> Self {
        let name = sighting.map_or("unknown", |sighting| &sighting.host);
        let mut alert =
            Self::new(event, "HostDown", true, format!("host {name} is down")).with("host", name).seen(sighting);
        alert.labels.remove("kind");
        alert.labels.remove("member");
        alert.annotations.insert("event", host.to_string());
        Self { event: host, ..alert }
    }

    pub(super) fn silence(event: &Event, zone: &str, silent: u64, hosts: u64) -> Self {
        let of = if zone == "_all" { "the fleet".to_owned() } else { format!("zone {zone}") };
        let summary = format!("{silent} of {hosts} hosts of {of} fell silent at once: their members are held");
        Self::new(event, "MassSilence", true, summary).with("zone", zone)
    }

    pub(super) fn blind(event: &Event, credited_ms: u64, window_ms: u64) -> Self {
        let (credited, window) = (seconds(credited_ms), seconds(window_ms));
        let summary = format!("the registry could not listen for {credited} of {window}: verdicts come later");
        Self::new(event, "RegistryBlind", true, summary)
    }

    pub(super) fn flapping(event: &Event, who: &(Kind, MemberId), zone: &Zone, sighting: Option<&Sighting>) -> Self {
        let summary = format!("{} {} changes its state too often: its other alerts are muted", who.0, who.1);
        Self::new(event, "MemberFlapping", false, summary).seen(sighting).with("zone", zone.as_str())
    }

    pub(super) fn duplicate(event: &Event, who: &(Kind, MemberId), from: &[String], seen: Option<&Sighting>) -> Self {
        let summary = format!("two live runs call themselves {} {}: {}", who.0, who.1, from.join(", "));
        Self::new(event, "DuplicateIdentity", false, summary).seen(seen)
    }
}

#[cfg(test)]
impl Notice {
    /// That a member has failed, or that this is over.
    pub(super) fn for_test(n: u64, member: &str, ended: Option<Timestamp>) -> Self {
        let since = "2026-01-02T03:00:00Z".parse().unwrap();
        let event = EventId { log: Some(heartbeat_contract::LogId::new("log").unwrap()), n };
        let labels = Words::from([("alertname", "MemberFailed".to_owned()), ("member", member.to_owned())]);
        let annotations = Words::from([("summary", format!("worker {member} is failed"))]);
        let key = if ended.is_some() { format!("{event}.end") } else { event.to_string() };
        Self { key, alert: Arc::new(Lasting { event, since, labels, annotations }), ended, replaces: None }
    }
}
