use super::*;

const S: u64 = 1_000_000;
const WORKERS: KindIndex = KindIndex(0);
const HIVES: KindIndex = KindIndex(1);

fn id(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

fn key(hive: &str) -> HostKey {
    HostKey::Hive(id(hive))
}

fn worker(name: &str) -> Member {
    (WORKERS, id(name))
}

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

fn scope(zone: &str) -> Scope {
    Scope::parse(zone).unwrap()
}

/// A book of hosts, each with a hive and one worker, that beat each second and were first heard at zero.
#[derive(Default)]
struct Book {
    hosts: Hosts,
    changes: Changes,
}

impl Book {
    fn of(places: &[(&str, &str)]) -> Self {
        let mut book = Self::default();
        for (host, zone) in places {
            book.joins(host, zone, Some(&format!("{host}-worker")));
            book.joins(host, zone, None);
        }
        book
    }

    /// A worker, or the hive, beats from a host for the first time.
    fn joins(&mut self, host: &str, in_zone: &str, name: Option<&str>) {
        let (kind, member) = match name {
            Some(name) => (Kind::WORKER, worker(name)),
            None => (Kind::HIVE, (HIVES, id(host))),
        };
        self.hosts.join(&key(host), &zone(in_zone), &kind, member, 0);
    }

    /// Hosts fall silent, as members show that beat each second.
    fn fall_silent(&mut self, hosts: &[&str], at: u64) {
        hosts.iter().for_each(|host| self.hosts.suspect(&key(host), S, at));
    }

    /// Until when the worker of a host that is due to fail is held; `None` if it is not.
    fn held(&mut self, host: &str, at: u64) -> Option<u64> {
        let member = worker(&format!("{host}-worker"));
        self.hosts.hold(&key(host), &member, S, at, &mut self.changes).map(|hold| hold.until)
    }

    fn heard(&mut self, host: &str, at: u64) -> Vec<Rehold> {
        self.hosts.find(&key(host)).unwrap().hear(at);
        self.hosts.heard(&key(host), at)
    }

    fn protected(&self) -> Vec<String> {
        self.hosts.protections().map(|(scope, ..)| scope.to_string()).collect()
    }

    /// Who has to be silent for a host to be down.
    fn whole(&self, host: &str) -> Vec<String> {
        match self.hosts.whole(&key(host)) {
            Whole::Perhaps(members, ..) => members.into_iter().map(|(_, id)| id.to_string()).collect(),
            _ => Vec::new(),
        }
    }
}

#[test]
fn a_host_is_silent_from_one_interval_of_a_suspect_member_on_in_which_none_of_it_beat() {
    let mut book = Book::of(&[("h", "z")]);
    let host = book.hosts.find(&key("h")).unwrap();
    host.hear(5 * S);
    book.fall_silent(&["h"], 6 * S - 1);
    assert!(!host.is_silent());
    book.fall_silent(&["h"], 6 * S);
    assert!(host.is_silent());
    book.heard("h", 7 * S);
    assert!(!host.is_silent());
}

#[test]
fn only_a_host_with_its_hive_and_others_can_be_down() {
    let mut book = Book::of(&[("h", "z")]);
    assert!(book.whole("h").is_empty(), "it is not silent");
    book.fall_silent(&["h"], S);
    assert_eq!(book.whole("h"), ["h-worker", "h"]);
    book.joins("h", "z", Some("other"));
    book.hosts.leave(&key("h"), &worker("other"), S);
    assert_eq!(book.whole("h"), ["h-worker", "h"], "its hive has not left");
    book.joins("h", "z", Some("other"));
    book.hosts.leave(&key("h"), &(HIVES, id("h")), S);
    assert!(book.whole("h").is_empty(), "its hive has left");
    book.joins("h", "z", None);
    book.hosts.leave(&key("h"), &worker("h-worker"), S);
    book.hosts.leave(&key("h"), &worker("other"), S);
    assert!(book.whole("h").is_empty(), "a hive alone is a member like any other");
    book.joins("h", "z", Some("other"));
    assert_eq!(book.whole("h"), ["other", "h"]);
    book.hosts.leave(&key("h"), &(HIVES, id("h")), S);
    // A worker may be called like the hive of its host.
    book.joins("h", "z", Some("h"));
    assert!(book.whole("h").is_empty(), "a worker is no hive");
}

#[test]
fn a_host_is_in_the_zone_that_its_hive_tells() {
    let mut book = Book::of(&[("far-1", "far"), ("far-2", "far"), ("far-3", "far"), ("far-4", "far")]);
    for host in ["a", "b", "c"] {
        book.joins(host, "told-by-a-worker", Some(&format!("{host}-worker")));
        book.joins(host, "near", None);
    }
    book.fall_silent(&["a", "b", "c"], S);
    assert_eq!(book.held("a", 4 * S), Some(64 * S));
    assert_eq!(book.protected(), ["near"]);
}

#[test]
fn members_of_a_host_that_comes_back_from_a_mass_get_the_time_of_one_more_beat() {
    let mut book = Book::of(&[("a", "z"), ("b", "z"), ("c", "z")]);
    book.fall_silent(&["a", "b", "c"], S);
    assert_eq!(book.held("a", 4 * S), Some(64 * S));
    let changed = book.heard("a", 10 * S);
    let until: Vec<u64> = changed.iter().map(|Rehold { hold, .. }| hold.until).collect();
    assert_eq!(until, [11 * S + S / 4]);
    // Also those who are due only now; of all hosts of the mass, though those that are still silent are too few for one.
    assert_eq!(book.held("a", 11 * S - 1), Some(11 * S + S / 4));
    book.heard("b", 20 * S);
    assert_eq!(book.held("b", 21 * S - 1), Some(21 * S + S / 4));
}

#[test]
fn a_hold_that_ends_sooner_than_one_more_beat_takes_is_not_made_longer() {
    let mut book = Book::of(&[("a", "z"), ("b", "z"), ("c", "z")]);
    book.fall_silent(&["a", "b", "c"], S);
    assert_eq!(book.held("a", 4 * S), Some(64 * S));
    let changed = book.heard("a", 64 * S - 1);
    assert_eq!(changed[0].hold.until, 64 * S);
}

#[test]
fn a_host_that_was_silent_alone_gets_no_more_time() {
    let mut book = Book::of(&[("a", "z"), ("b", "z"), ("c", "z")]);
    book.fall_silent(&["a"], S);
    book.heard("a", 2 * S);
    assert_eq!(book.held("a", 2 * S + S / 2), None);
}

#[test]
fn a_host_that_was_let_go_gets_the_time_of_one_more_beat_when_it_is_heard() {
    let mut book = Book::of(&[("a", "z"), ("b", "z"), ("c", "z")]);
    book.fall_silent(&["a", "b", "c"], S);
    book.held("a", 4 * S);
    book.hosts.end(&Scope::All, ProtectionEnd::Confirmed, 5 * S, &mut book.changes);
    assert_eq!(book.held("b", 5 * S), None);
    book.heard("b", 6 * S);
    assert_eq!(book.held("b", 6 * S + 1), Some(7 * S + S / 4));
}

#[test]
fn a_host_that_was_held_was_one_of_too_many_though_the_others_are_forgotten() {
    let mut book = Book::of(&[("a", "z"), ("b", "z"), ("c", "z")]);
    book.fall_silent(&["a", "b", "c"], S);
    assert_eq!(book.held("a", 4 * S), Some(64 * S));
    for member in [worker("b-worker"), (HIVES, id("b"))] {
        book.hosts.leave(&key("b"), &member, 5 * S);
    }
    book.heard("a", 6 * S);
    assert_eq!(book.held("a", 6 * S + S / 2), Some(7 * S + S / 4));
}

#[test]
fn a_host_that_joins_a_running_protection_is_one_of_too_many_however_few_are_left() {
    let mut book = Book::of(&[("a", "z"), ("b", "z"), ("c", "z"), ("d", "z")]);
    book.hosts.find(&key("d")).unwrap().hear(2 * S);
    book.fall_silent(&["a", "b", "c"], S);
    assert_eq!(book.held("a", 4 * S), Some(64 * S));
    assert_eq!(book.held("d", 6 * S), Some(64 * S), "it fell silent within two intervals of the first");
    ["a", "b", "c"].iter().for_each(|host| drop(book.heard(host, 7 * S)));
    book.heard("d", 8 * S);
    assert_eq!(book.held("d", 8 * S + S / 2), Some(9 * S + S / 4));
}

#[test]
fn an_operator_s_word_for_one_zone_leaves_the_hosts_of_others_held() {
    let places = ["a1", "a2", "a3", "b1", "b2", "b3", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    let of_zone = |host: &str| host[..1].to_owned();
    let zones: Vec<String> = places.iter().map(|host| of_zone(host)).collect();
    let mut book = Book::of(&places.iter().copied().zip(zones.iter().map(String::as_str)).collect::<Vec<_>>());
    book.fall_silent(&places[..6], S);
    let held: Vec<_> = places[..6].iter().map(|host| book.held(host, 4 * S)).collect();
    assert_eq!((held, book.protected()), (vec![Some(64 * S); 6], vec!["a".to_owned(), "b".to_owned()]));
    for zone in ["a", "b"] {
        book.hosts.end(&scope(zone), ProtectionEnd::Released, 5 * S, &mut book.changes);
    }
    book.hosts.let_go_at_once(&scope("a"), 5 * S, &mut book.changes);
    let letting_go = book.hosts.letting_go(5 * S);
    let shown: Vec<_> = letting_go.iter().map(|(zone, hosts)| (zone.as_str(), hosts.hosts, hosts.members)).collect();
    assert_eq!(shown, [("b", 2, 2)], "the first of three is let go at once");
}
