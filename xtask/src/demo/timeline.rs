//! The timeline, a line for everything that happens.

use std::time::Duration;

use heartbeat_contract::{Event, EventBody};
use jiff::Timestamp;

use super::paint::{Colour, Paint};
use super::record::{Deed, Entry};
use super::sighting::Lateness;
use super::verdict::seconds;

/// Prints lines, each with the seconds since the beginning.
pub(super) struct Timeline {
    began: Timestamp,
    paint: Paint,
}

impl Timeline {
    pub(super) fn new(began: Timestamp) -> Self {
        Self { began, paint: Paint::for_stdout() }
    }

    pub(super) fn paint(&self) -> Paint {
        self.paint
    }

    /// Anything at all.
    pub(super) fn say(&self, at: Timestamp, who: &str, what: &str) {
        println!("{:>7.2} s  {who:<8}  {}", since(self.began, at), what.trim_end());
    }

    /// Something this process did to a member.
    pub(super) fn deed(&self, at: Timestamp, who: &str, deed: Deed) {
        let what = match deed {
            Deed::StartedAgain => "started again by this demo, under the same id".to_owned(),
            signal => format!("{signal} sent by this demo"),
        };
        self.say(at, who, &self.paint.paint(Colour::Bold, &what));
    }

    /// Something the registry told.
    pub(super) fn event(&self, event: &Event, late: Option<Lateness>, deed: Option<&Entry>) {
        let who = event.member.as_ref().map_or("registry", |member| member.as_str());
        let told = told(event, self.paint);
        let why = match late {
            Some(late) => Some(format!("silent for {}, bound {}", seconds(late.age), seconds(late.bound))),
            None => evidence(event),
        };
        let since = deed.map(|entry| {
            let since = since(entry.at, event.at);
            format!("{since:.2} s after {}", entry.deed)
        });
        let details: Vec<String> = why.into_iter().chain(since).collect();
        self.say(event.at, who, &format!("{told}{}", self.paint.paint(Colour::Dim, &details.join(", "))));
    }
}

/// What an event tells, padded so that what follows lines up.
fn told(event: &Event, paint: Paint) -> String {
    const WIDTH: usize = 30;
    let (colour, text) = match &event.body {
        EventBody::Registered {} => (Colour::Plain, "joined".to_owned()),
        EventBody::Transition { from, to, cause, .. } => {
            let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            (Colour::from(*to), format!("{from} -> {to}{cause}"))
        }
        EventBody::Restarted { .. } => (Colour::Cyan, "restarted: a new incarnation".to_owned()),
        EventBody::Policy { policy } => (Colour::Plain, format!("judged anew: every {:?}", policy.interval)),
        EventBody::Directive { directive, outcome } => (Colour::Plain, format!("{directive}: {outcome}")),
        EventBody::HostDown { host, members, .. } => (Colour::Red, format!("host {host} is down: {members} members")),
        EventBody::Protection { zone, active, .. } => {
            (Colour::Yellow, format!("protection of {zone} {}", if *active { "begins" } else { "ends" }))
        }
        EventBody::Flapping { .. } => (Colour::Yellow, "changes its state too often".to_owned()),
        EventBody::DuplicateIdentity { .. } => (Colour::Yellow, "two live runs use this id".to_owned()),
        EventBody::Superseded { .. } => (Colour::Yellow, "an older run was refused".to_owned()),
        EventBody::Forgotten { reason } => (Colour::Yellow, format!("forgotten ({reason})")),
        EventBody::RegistryBlind { active: false, .. } => (Colour::Green, "the registry sees again".to_owned()),
        EventBody::RegistryBlind { credited_ms, .. } => {
            (Colour::Yellow, format!("blind for {}", seconds(Duration::from_millis(*credited_ms))))
        }
        _ => (Colour::Plain, "something this demo has no words for".to_owned()),
    };
    paint.paint(colour, &format!("{text:<WIDTH$}  "))
}

/// What speaks for the cause of a transition.
fn evidence(event: &Event) -> Option<String> {
    match &event.body {
        EventBody::Transition { cause: Some(_), evidence, .. } if !evidence.is_empty() => Some(evidence.join("; ")),
        _ => None,
    }
}

/// Seconds from one moment to another.
fn since(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(body: &serde_json::Value) -> Event {
        let mut json = serde_json::json!({
            "id": "a-1", "n": 1, "at": "2026-01-02T03:05:40Z", "kind": "worker", "member": "a",
        });
        json.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    fn transition(cause: Option<&str>, evidence: &[&str]) -> Event {
        event(&serde_json::json!({
            "type": "transition", "from": "critical", "to": "failed", "age_ms": 1, "credited_ms": 0,
            "cause": cause, "evidence": evidence, "group": null,
        }))
    }

    #[test]
    fn a_transition_is_told_with_its_cause_and_padded() {
        let event = transition(Some("silent"), &[]);
        assert_eq!(told(&event, Paint::Off), format!("{:<32}", "critical -> failed (silent)"));
    }

    #[test]
    fn what_speaks_for_a_cause_is_told() {
        assert_eq!(evidence(&transition(Some("hung"), &["a", "b"])).unwrap(), "a; b");
        assert_eq!(evidence(&transition(Some("hung"), &[])), None);
        assert_eq!(evidence(&transition(None, &["said goodbye"])), None);
    }

    #[test]
    fn every_event_is_told_in_words() {
        for (body, words) in [
            (serde_json::json!({"type": "flapping", "zone": "a"}), "changes its state too often"),
            (serde_json::json!({"type": "directive", "directive": "drain", "outcome": "asked"}), "drain: asked"),
            (serde_json::json!({"type": "eclipse"}), "something this demo has no words for"),
        ] {
            assert_eq!(told(&event(&body), Paint::Off).trim_end(), words);
        }
    }
}
