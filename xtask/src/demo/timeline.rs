//! The timeline, a line for everything that happens.

use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody};
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
            Deed::Killed | Deed::Stopped | Deed::Continued | Deed::AskedToLeave => format!("{deed} sent by this demo"),
            Deed::StartedAgain => "started again by this demo, under the same id".to_owned(),
            Deed::CutOff => "cut off by this demo: its beats no longer reach the registry".to_owned(),
            Deed::Mended => "its line to the registry is mended".to_owned(),
            Deed::WorkHangs => "SIGUSR1 sent by this demo: its work hangs, its beats go on".to_owned(),
            Deed::WorkGoesOn => "SIGUSR1 sent by this demo: its work goes on".to_owned(),
        };
        self.say(at, who, &self.paint.paint(Colour::Bold, &what));
    }

    /// Something the registry told.
    pub(super) fn event(&self, event: &Event, late: Option<Lateness>, deed: Option<&Entry>) {
        let who = event.member.as_ref().map_or("registry", |member| member.as_str());
        let (colour, told) = told(event);
        let mut details = Vec::new();
        details.extend(late.map(|late| format!("silent for {}, bound {}", seconds(late.age), seconds(late.bound))));
        let since = deed.filter(|_| !is_only_late(event)).map(|entry| {
            let since = since(entry.at, event.at);
            format!("{since:.2} s after {}", entry.deed.moment())
        });
        let both = [since, meaning(event).map(str::to_owned)];
        details.extend(both.into_iter().flatten().reduce(|since, meaning| format!("{since}: {meaning}")));
        details.extend(evidence(event).iter().skip(usize::from(late.is_some())).cloned());
        let lines = wrap(&details, ROOM.saturating_sub(told.len()), ROOM - INDENT.len());
        let mut lines = lines.iter().map(|line| self.paint.paint(Colour::Dim, line));
        self.say(event.at, who, &format!("{}{}", self.paint.paint(colour, &told), lines.next().unwrap_or_default()));
        lines.for_each(|line| println!("{:MARGIN$}{INDENT}{line}", ""));
    }
}

/// How wide what comes before the text is, and how much text a line takes on a terminal of 100 columns.
const MARGIN: usize = 21;
const ROOM: usize = 100 - MARGIN;
const INDENT: &str = "  ";

/// Puts details on as many lines as they need; one too long for a line begins a new one and is broken between words.
fn wrap(details: &[String], first: usize, others: usize) -> Vec<String> {
    let (mut lines, mut room) = (vec![String::new()], first);
    for detail in details {
        let pieces = if detail.len() > others { detail.split(' ').collect() } else { vec![detail.as_str()] };
        for (nth, piece) in pieces.into_iter().enumerate() {
            let line = lines.last_mut().expect("there is always one");
            let gap = match (line.is_empty(), nth) {
                (true, _) => "",
                (false, 0) => ", ",
                (false, _) => " ",
            };
            let starts_broken = nth == 0 && detail.len() > others && !line.is_empty();
            if !starts_broken && line.len() + gap.len() + piece.len() <= room {
                line.push_str(gap);
                line.push_str(piece);
            } else {
                lines.push(piece.to_owned());
                room = others;
            }
        }
    }
    lines
}

/// What an event tells, padded so that what follows lines up.
fn told(event: &Event) -> (Colour, String) {
    const WIDTH: usize = 33;
    let (colour, text) = match &event.body {
        EventBody::Registered {} => (Colour::Plain, "joined".to_owned()),
        EventBody::Transition { from, to, cause, .. } => {
            let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            (Colour::from(*to), format!("{from} -> {to}{cause}"))
        }
        EventBody::Restarted { .. } => (Colour::Cyan, "restarted: a new incarnation".to_owned()),
        EventBody::Policy { policy } => (
            Colour::Plain,
            format!("judged anew: by beats every {:?}, stuck after {:?}", policy.interval, policy.stuck_after),
        ),
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
    (colour, format!("{text:<WIDTH$}  "))
}

/// Whether a member is told as late and nothing more is known yet.
fn is_only_late(event: &Event) -> bool {
    matches!(event.body, EventBody::Transition { cause: Some(Cause::Silent), .. })
}

/// What the cause of a transition means.
fn meaning(event: &Event) -> Option<&'static str> {
    let EventBody::Transition { cause: Some(cause), .. } = &event.body else { return None };
    match cause {
        Cause::ProcessDead => Some("its process is gone"),
        Cause::Hung => Some("its process is there, but does nothing"),
        Cause::Network => Some("it answers, so its beats get lost: held for an interval"),
        Cause::Stuck => Some("it beats, but its work does not get on"),
        _ => None,
    }
}

/// What speaks for the cause of a transition. If that is its silence, how long it is comes first.
fn evidence(event: &Event) -> &[String] {
    match &event.body {
        EventBody::Transition { cause: Some(_), evidence, .. } => evidence,
        _ => &[],
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
        let (_, words) = told(&transition(Some("silent"), &[]));
        assert_eq!(words, format!("{:<35}", "critical -> failed (silent)"));
    }

    #[test]
    fn what_a_cause_means_and_what_speaks_for_it_are_told() {
        let hung = transition(Some("hung"), &["no beat for 3.3 s", "probe: no answer"]);
        assert_eq!(meaning(&hung), Some("its process is there, but does nothing"));
        assert_eq!(evidence(&hung), ["no beat for 3.3 s", "probe: no answer"]);
        assert_eq!(meaning(&transition(Some("silent"), &[])), None);
        assert_eq!(evidence(&transition(None, &["said goodbye"])), [""; 0]);
    }

    #[test]
    fn details_that_do_not_fit_go_on_below() {
        let details = ["silent for 3 s", "its process is gone", "refused", "more"].map(str::to_owned);
        assert_eq!(wrap(&details, 40, 40), ["silent for 3 s, its process is gone", "refused, more"]);
        assert_eq!(wrap(&details[..2], 5, 20), ["", "silent for 3 s", "its process is gone"]);
        assert_eq!(wrap(&details[1..3], 20, 15), ["its process is gone", "refused"].map(str::to_owned));
        assert_eq!(wrap(&details[..2], 20, 15), ["silent for 3 s", "its process is", "gone"]);
        assert_eq!(wrap(&[], 5, 5), [""]);
    }

    #[test]
    fn every_event_is_told_in_words() {
        for (body, words) in [
            (serde_json::json!({"type": "flapping", "zone": "a"}), "changes its state too often"),
            (serde_json::json!({"type": "directive", "directive": "drain", "outcome": "asked"}), "drain: asked"),
            (serde_json::json!({"type": "eclipse"}), "something this demo has no words for"),
        ] {
            assert_eq!(told(&event(&body)).1.trim_end(), words);
        }
    }
}
