//! What is told of which events.

mod alertmanager;
mod program;

use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody, EventId, ForgetReason, HealthState, Kind, LogId, MemberId, Zone};
use jiff::Timestamp;

use super::book::Book;
use super::notice::Notice;
use super::rule::Rule;
use crate::alert::sighting::Sighting;

use HealthState::{Critical, Failed, Healthy, Left};

/// A log whose events the book of a sink hears of.
struct Log {
    book: Book,
    n: u64,
    at: Timestamp,
}

fn id(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

fn transition(to: HealthState) -> EventBody {
    EventBody::Transition {
        from: Healthy,
        to,
        age_ms: 95_000,
        credited_ms: 0,
        last_seen: None,
        cause: (to != Healthy).then_some(Cause::Silent),
        evidence: vec!["silent for 95.0 s".to_owned()],
        group: None,
    }
}

fn with_host(n: u64) -> EventBody {
    match transition(Failed) {
        EventBody::Transition { from, to, age_ms, credited_ms, last_seen, evidence, .. } => EventBody::Transition {
            from,
            to,
            age_ms,
            credited_ms,
            last_seen,
            evidence,
            cause: Some(Cause::HostDown),
            group: Some(n),
        },
        _ => unreachable!(),
    }
}

fn host_down(failed_before: &[&str]) -> EventBody {
    let failed_before = failed_before.iter().map(|name| (*name).to_owned()).collect();
    EventBody::HostDown { host: "h1".to_owned(), zone: Zone::default(), members: 3, failed_before }
}

fn forgotten() -> EventBody {
    EventBody::Forgotten { reason: ForgetReason::Asked }
}

fn flapping(active: bool) -> EventBody {
    EventBody::Flapping { zone: Zone::new("z1").unwrap(), active }
}

/// `1 MemberFailed a`, `2 -MemberFailed a` for its end.
fn shown(notice: &Notice) -> String {
    let labels = &notice.alert.labels;
    let end = if notice.ended.is_some() { "-" } else { "" };
    let about = ["member", "host", "zone"].into_iter().find_map(|label| labels.get(label));
    let key = notice.key.strip_prefix("log-").unwrap();
    format!("{key} {end}{} {}", labels["alertname"], about.map_or("", String::as_str)).trim_end().to_owned()
}

fn all(notices: &[Notice]) -> Vec<String> {
    notices.iter().map(shown).collect()
}

const NOTHING: [&str; 0] = [];

impl Log {
    fn with(rule: Rule) -> Self {
        let book = Book::new(rule, Duration::from_mins(1));
        Self { book, n: 0, at: "2026-01-02T03:00:00Z".parse().unwrap() }
    }

    fn new() -> Self {
        Self::with(Rule::default())
    }

    /// An event of a worker in zone z1 on host h1, a second after the one before.
    fn hear(&mut self, name: &str, body: EventBody) -> Vec<Notice> {
        self.hear_of(Some((Kind::WORKER, id(name))), body)
    }

    fn hear_of(&mut self, who: Option<(Kind, MemberId)>, body: EventBody) -> Vec<Notice> {
        self.n += 1;
        self.at += Duration::from_secs(1);
        let log = Some(LogId::new("log").unwrap());
        let state = match &body {
            EventBody::Transition { to, .. } => *to,
            _ => Healthy,
        };
        let (kind, member) = who.unzip();
        let seen = member.is_some().then(|| Sighting { state, zone: Zone::new("z1").unwrap(), host: "h1".to_owned() });
        let id = EventId { log, n: self.n };
        let event = Event { id, n: self.n, at: self.at, kind, member, incarnation: None, body };
        self.book.hear(&event, seen.as_ref())
    }

    fn fleet(&mut self, body: EventBody) -> Vec<String> {
        all(&self.hear_of(None, body))
    }

    fn said(&mut self, name: &str, body: EventBody) -> Vec<String> {
        all(&self.hear(name, body))
    }

    fn goes(&mut self, name: &str, to: HealthState) -> Vec<String> {
        self.said(name, transition(to))
    }

    fn pass(&mut self, time: Duration) -> Vec<String> {
        self.at += time;
        all(&self.book.tick(self.at))
    }
}

#[test]
fn a_failure_is_told_once_and_so_is_its_end() {
    let mut log = Log::new();
    assert_eq!(log.goes("a", Critical), NOTHING);
    let told = log.hear("a", transition(Failed));
    assert_eq!(all(&told), ["2 MemberFailed a"]);
    let labels: Vec<(&str, &str)> = told[0].alert.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let expected = [
        ("alertname", "MemberFailed"),
        ("cause", "silent"),
        ("host", "h1"),
        ("kind", "worker"),
        ("member", "a"),
        ("severity", "critical"),
        ("state", "failed"),
        ("zone", "z1"),
    ];
    assert_eq!(labels, expected);
    assert_eq!(told[0].alert.annotations["summary"], "worker a is failed: silent for 95.0 s");
    assert_eq!((told[0].alert.since, log.book.firing()), (log.at, 1));
    assert_eq!(log.goes("a", Healthy), ["3 -MemberFailed a"]);
    assert_eq!((log.goes("a", Critical), log.book.firing()), (vec![], 0));
}

#[test]
fn a_goodbye_and_forgetting_are_ends_and_no_alerts() {
    let mut log = Log::new();
    assert_eq!(log.goes("a", Left), NOTHING);
    log.goes("a", Failed);
    assert_eq!(log.goes("a", Left), ["3 -MemberFailed a"]);
    log.goes("b", Failed);
    assert_eq!(log.said("b", forgotten()), ["5 -MemberFailed b"]);
    assert_eq!(log.book.firing(), 0);
}

#[test]
fn who_gets_worse_is_told_of_once_in_each_state_that_is_asked_for() {
    let mut log = Log::with(Rule { states: vec![Critical, Failed], ..Rule::default() });
    assert_eq!(log.goes("a", Critical), ["1 MemberCritical a"]);
    let worse = log.hear("a", transition(Failed));
    assert_eq!(all(&worse), ["2 MemberFailed a"]);
    assert_eq!(worse[0].replaces.as_ref().unwrap().event.n, 1);
    assert_eq!(log.goes("a", Healthy), ["3 -MemberFailed a"]);
}

#[test]
fn only_what_the_rule_asks_for_is_told() {
    let mut log = Log::with(Rule { kinds: vec![Kind::WORKER], ids: vec!["gpu-*".parse().unwrap()], ..Rule::default() });
    assert_eq!(log.goes("cpu-1", Failed), NOTHING);
    assert_eq!(all(&log.hear_of(Some((Kind::HIVE, id("gpu-1"))), transition(Failed))), NOTHING);
    assert_eq!(log.goes("gpu-1", Failed), ["3 MemberFailed gpu-1"]);
    assert_eq!(log.said("cpu-1", flapping(true)), NOTHING);
    let mut elsewhere = Log::with(Rule { zones: vec![Zone::new("z2").unwrap()], ..Rule::default() });
    assert_eq!(elsewhere.goes("gpu-1", Failed), NOTHING);
}

#[test]
fn what_the_cooldown_holds_back_is_told_when_it_is_over_if_it_still_holds() {
    let mut log = Log::new();
    log.goes("a", Failed);
    log.goes("a", Healthy);
    assert_eq!(log.goes("a", Failed), NOTHING);
    assert_eq!((log.book.suppressed, log.book.firing()), (1, 0));
    assert_eq!(log.pass(Duration::from_secs(57)), NOTHING);
    let told = log.pass(Duration::from_secs(1));
    assert_eq!(told, ["3 MemberFailed a"], "as of when it happened");
    assert_eq!(log.goes("a", Healthy), ["4 -MemberFailed a"]);
    log.goes("a", Failed);
    assert_eq!(log.goes("a", Healthy), NOTHING);
    assert_eq!(log.pass(Duration::from_hours(1)), NOTHING);
}

#[test]
fn a_host_that_is_down_is_one_alert_until_all_that_failed_with_it_are_back() {
    let mut log = Log::new();
    assert_eq!(log.goes("early", Failed), ["1 MemberFailed early"]);
    assert_eq!(log.fleet(host_down(&["worker/early"])), ["2 HostDown h1"]);
    for name in ["a", "b"] {
        assert_eq!(log.said(name, with_host(2)), NOTHING);
    }
    assert_eq!((log.book.muted, log.book.firing()), (2, 2));
    assert_eq!(log.goes("early", Healthy), ["5 -MemberFailed early"], "it was told on its own");
    assert_eq!(log.goes("a", Healthy), NOTHING);
    assert_eq!(log.goes("a", Failed), ["7 MemberFailed a"], "and this is another failure");
    assert_eq!(log.said("b", forgotten()), ["8 -HostDown h1"]);
    assert_eq!(log.book.firing(), 1);
}

#[test]
fn a_host_is_up_again_with_its_hive_and_who_stays_down_is_told_of_alone_after_a_while() {
    let hive = |log: &mut Log, body| all(&log.hear_of(Some((Kind::HIVE, id("h1"))), body));
    let mut log = Log::new();
    log.fleet(host_down(&[]));
    for name in ["a", "b"] {
        assert_eq!(log.said(name, with_host(1)), NOTHING);
    }
    assert_eq!(hive(&mut log, with_host(1)), NOTHING);
    assert_eq!(hive(&mut log, transition(Healthy)), ["5 -HostDown h1"]);
    assert_eq!(log.goes("a", Healthy), NOTHING, "it took a second longer than its hive");
    assert_eq!(log.pass(Duration::from_secs(58)), NOTHING);
    assert_eq!(log.pass(Duration::from_secs(1)), ["3 MemberFailed b"]);
}

#[test]
fn a_host_that_is_heard_of_before_any_of_its_members_failed_is_back() {
    let mut log = Log::new();
    log.fleet(host_down(&[]));
    assert_eq!(log.goes("a", Healthy), ["2 -HostDown h1"]);
}

#[test]
fn what_was_told_of_a_member_alone_is_over_when_it_fails_with_its_host() {
    let mut log = Log::with(Rule { states: vec![Critical, Failed], ..Rule::default() });
    log.goes("a", Critical);
    log.fleet(host_down(&[]));
    assert_eq!(log.said("a", with_host(2)), ["3 -MemberCritical a"]);
    assert_eq!(log.goes("a", Healthy), ["4 -HostDown h1"]);
}

#[test]
fn a_host_is_told_of_to_those_who_ask_for_one_of_its_members() {
    let rule = |ids: &str| Rule { ids: vec![ids.parse().unwrap()], ..Rule::default() };
    let (mut asks, mut asks_not) = (Log::with(rule("b*")), Log::with(rule("c*")));
    for (log, told) in [(&mut asks, vec!["1 HostDown h1"]), (&mut asks_not, vec![])] {
        assert_eq!(log.fleet(host_down(&[])), NOTHING);
        assert_eq!(log.said("a", with_host(1)), NOTHING);
        assert_eq!(log.said("b", with_host(1)), told);
        assert_eq!(log.goes("b", Healthy), NOTHING);
    }
    assert_eq!(asks.goes("a", Healthy), ["5 -HostDown h1"]);
    assert_eq!(asks_not.goes("a", Healthy), NOTHING);
}

#[test]
fn who_fails_with_a_host_that_seemed_to_be_back_is_told_of_by_the_host() {
    let mut log = Log::new();
    log.fleet(host_down(&[]));
    log.said("a", with_host(1));
    assert_eq!(log.goes("a", Healthy), ["3 -HostDown h1"]);
    assert_eq!(log.said("b", with_host(1)), ["1 HostDown h1"]);
}

#[test]
fn who_flaps_is_one_alert_and_is_told_of_when_it_settles_if_it_is_down() {
    let mut log = Log::new();
    assert_eq!(log.said("a", flapping(true)), ["1 MemberFlapping a"]);
    for _ in 0..3 {
        assert_eq!(log.goes("a", Failed), NOTHING);
        assert_eq!(log.goes("a", Healthy), NOTHING);
    }
    assert_eq!(log.goes("b", Failed), ["8 MemberFailed b"], "others are not muted");
    assert_eq!(log.goes("a", Failed), NOTHING);
    assert_eq!((log.book.muted, log.book.firing()), (4, 2));
    assert_eq!(log.said("a", flapping(false)), ["10 -MemberFlapping a", "9 MemberFailed a"]);
    assert_eq!(log.goes("a", Healthy), ["11 -MemberFailed a"]);
    log.said("a", flapping(true));
    log.goes("a", Failed);
    log.goes("a", Healthy);
    assert_eq!(log.said("a", flapping(false)), ["15 -MemberFlapping a"], "it is up");
}

#[test]
fn the_end_of_what_was_told_before_it_flapped_is_told() {
    let mut log = Log::new();
    log.goes("a", Failed);
    log.said("a", flapping(true));
    assert_eq!(log.goes("a", Healthy), ["3 -MemberFailed a"]);
    assert_eq!(log.goes("a", Failed), NOTHING);
}

#[test]
fn what_is_held_back_when_a_member_begins_to_flap_is_told_only_when_it_settles() {
    let mut log = Log::new();
    log.goes("a", Failed);
    log.goes("a", Healthy);
    assert_eq!(log.goes("a", Failed), NOTHING);
    assert_eq!(log.said("a", flapping(true)), ["4 MemberFlapping a"]);
    assert_eq!(log.pass(Duration::from_mins(5)), NOTHING);
    assert_eq!(log.said("a", flapping(false)), ["5 -MemberFlapping a", "3 MemberFailed a"]);
}

#[test]
fn a_mass_silence_is_one_alert_for_each_zone_and_one_for_all() {
    let silence = |zone: &str, active| EventBody::Protection {
        zone: zone.to_owned(),
        active,
        silent_hosts: 3,
        hosts: 4,
        ended: None,
    };
    let mut log = Log::with(Rule { zones: vec![Zone::new("z1").unwrap()], ..Rule::default() });
    assert_eq!(log.fleet(silence("z1", true)), ["1 MassSilence z1"]);
    assert_eq!(log.fleet(silence("z2", true)), NOTHING);
    assert_eq!(log.fleet(silence("_all", true)), ["3 MassSilence _all"]);
    assert_eq!(log.fleet(silence("z1", true)), NOTHING, "it lasts already");
    assert_eq!(log.fleet(silence("z1", false)), ["5 -MassSilence z1"]);
    assert_eq!(log.fleet(silence("z2", false)), NOTHING);
    assert_eq!(log.fleet(silence("_all", false)), ["7 -MassSilence _all"]);
}

#[test]
fn a_registry_that_cannot_listen_is_an_alert_until_it_can() {
    let blind = |active| EventBody::RegistryBlind { credited_ms: 61_000, window_ms: 300_000, active };
    let mut log = Log::new();
    assert_eq!(log.fleet(blind(true)), ["1 RegistryBlind"]);
    assert_eq!(log.fleet(blind(false)), ["2 -RegistryBlind"]);
}

#[test]
fn two_runs_of_one_id_are_an_alert_for_ten_minutes_after_the_last_event_that_says_so() {
    let duplicate = || EventBody::DuplicateIdentity { addresses: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()] };
    let mut log = Log::new();
    assert_eq!(log.said("a", duplicate()), ["1 DuplicateIdentity a"]);
    log.pass(Duration::from_mins(9));
    assert_eq!(log.said("a", duplicate()), NOTHING);
    assert_eq!(log.pass(Duration::from_mins(9)), NOTHING);
    assert_eq!(log.book.due(), Some(log.at + Duration::from_mins(1)));
    assert_eq!(log.pass(Duration::from_mins(1)), ["1.end -DuplicateIdentity a"]);
    assert_eq!(log.book.due(), None);
}

#[test]
fn after_missed_events_what_lasts_is_compared_with_how_members_are() {
    let mut log = Log::new();
    for name in ["stays", "back", "gone"] {
        log.goes(name, Failed);
    }
    log.said("flaps", flapping(true));
    log.goes("flaps", Failed);
    log.fleet(host_down(&[]));
    log.said("with-host", with_host(6));
    let state = |who: &(Kind, MemberId)| match who.1.as_str() {
        "stays" | "flaps" => Some(Failed),
        "back" | "with-host" => Some(Healthy),
        _ => None,
    };
    let told = all(&log.book.miss(log.at, state));
    let expected = [
        "5 MemberFailed flaps",
        "2.end -MemberFailed back",
        "3.end -MemberFailed gone",
        "4.end -MemberFlapping flaps",
        "6.end -HostDown h1",
    ];
    assert_eq!(told, expected);
    assert_eq!(log.book.firing(), 2);
}
