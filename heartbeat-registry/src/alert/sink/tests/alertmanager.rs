//! What a real Alertmanager makes of it: also of events that are written into the log here.

use std::time::Duration;

use heartbeat_contract::{EventBody, HealthState, Kind, MemberId, Policy, WorkerHeartbeat, Zone};
use jiff::Timestamp;

use super::program::Program;
use super::{flapping, host_down, transition, with_host};
use crate::alert::sink::{SinkConfig, SinkHandle};
use crate::clock::{Clock, SystemClock};
use crate::config::FleetConfig;
use crate::fleet::Fleet;
use crate::log::Entry;
use crate::registry::WorkerRegistry;

fn now() -> Timestamp {
    SystemClock::new().wall()
}

/// A fleet that sends alerts to an Alertmanager; without a driver, so that nothing happens but what is written.
fn fleet(program: &Program) -> (Fleet, SinkHandle) {
    let fleet = Fleet::new(FleetConfig::default(), SystemClock::new()).unwrap();
    let config = SinkConfig {
        registry_url: Some("http://queen.example:8500".to_owned()),
        first_pause: Duration::from_millis(10),
        ..SinkConfig::alertmanager(&program.url)
    };
    let sink = fleet.send_alerts(config).unwrap();
    (fleet, sink)
}

fn write(fleet: &Fleet, name: Option<&str>, body: EventBody) -> u64 {
    let member = name.map(|name| MemberId::new(name).unwrap());
    let entry = Entry { kind: member.as_ref().map(|_| Kind::WORKER), member, incarnation: None, body };
    fleet.engine.log.append(now(), [entry])
}

#[tokio::test]
async fn a_host_that_is_down_is_one_alert_that_is_resolved_when_its_members_are_back() {
    let Some(program) = Program::start().await else { return };
    let (fleet, _sink) = fleet(&program);
    let n = write(&fleet, None, host_down(&["worker/early"]));
    for name in ["a", "b"] {
        write(&fleet, Some(name), with_host(n));
    }
    let alerts = program.until_active(&["HostDown h1"]).await;
    assert_eq!(alerts[0]["annotations"]["failed_before"], "worker/early");
    assert_eq!(alerts[0]["generatorURL"], "http://queen.example:8500");
    for name in ["a", "b"] {
        write(&fleet, Some(name), transition(HealthState::Healthy));
    }
    program.until_active(&[]).await;
}

#[tokio::test]
async fn who_flaps_is_one_alert_until_it_settles() {
    let Some(program) = Program::start().await else { return };
    let (fleet, sink) = fleet(&program);
    write(&fleet, Some("a"), transition(HealthState::Failed));
    program.until_active(&["MemberFailed a"]).await;
    write(&fleet, Some("a"), transition(HealthState::Healthy));
    write(&fleet, Some("a"), flapping(true));
    program.until_active(&["MemberFlapping a"]).await;
    write(&fleet, Some("a"), transition(HealthState::Failed));
    write(&fleet, Some("b"), transition(HealthState::Failed));
    program.until_active(&["MemberFailed b", "MemberFlapping a"]).await;
    assert_eq!(sink.stats().muted, 1);
    write(&fleet, Some("a"), flapping(false));
    program.until_active(&["MemberFailed a", "MemberFailed b"]).await;
}

#[tokio::test]
async fn all_that_concerns_the_fleet_is_taken_as_it_is_written() {
    let Some(program) = Program::start().await else { return };
    let (fleet, sink) = fleet(&program);
    let zone = Zone::default().to_string();
    for active in [true, false] {
        write(
            &fleet,
            None,
            EventBody::Protection { zone: zone.clone(), active, silent_hosts: 3, hosts: 4, ended: None },
        );
        write(&fleet, None, EventBody::RegistryBlind { credited_ms: 61_000, window_ms: 300_000, active });
        let addresses = vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()];
        write(&fleet, Some("twin"), EventBody::DuplicateIdentity { addresses });
        let lasts: &[&str] = if active {
            &["DuplicateIdentity twin", "MassSilence default", "RegistryBlind "]
        } else {
            &["DuplicateIdentity twin"]
        };
        program.until_active(lasts).await;
    }
    assert_eq!((sink.stats().failed, sink.stats().last_error), (0, None));
}

#[tokio::test]
async fn a_member_that_fails_by_itself_is_told_and_resolved_when_it_beats_or_is_forgotten() {
    let Some(program) = Program::start().await else { return };
    let policy = Policy { allowance: Some(Duration::ZERO), threshold: 2, ..Policy::every(Duration::from_millis(100)) };
    let fleet = Fleet::start(FleetConfig { policy, ..FleetConfig::default() }).unwrap();
    let workers = WorkerRegistry::new(&fleet);
    fleet.send_alerts(SinkConfig { cooldown: Duration::ZERO, ..SinkConfig::alertmanager(&program.url) }).unwrap();
    let id = MemberId::new("a").unwrap();
    workers.record(WorkerHeartbeat::new(id.clone())).unwrap();
    let alerts = program.until_active(&["MemberFailed a"]).await;
    let labels = &alerts[0]["labels"];
    assert_eq!(
        (&labels["cause"], &labels["state"], &labels["host"]),
        (&"silent".into(), &"failed".into(), &"local".into())
    );
    // A minute is longer than it stays so without beats.
    workers.start_monitoring(&id, Policy::every(Duration::from_mins(1))).unwrap();
    workers.record(WorkerHeartbeat::new(id)).unwrap();
    program.until_active(&[]).await;
    let id = MemberId::new("b").unwrap();
    workers.record(WorkerHeartbeat::new(id.clone())).unwrap();
    program.until_active(&["MemberFailed b"]).await;
    workers.stop_monitoring(&id);
    program.until_active(&[]).await;
}
