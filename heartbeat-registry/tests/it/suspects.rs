//! Members are probed when they become suspect, to say why they are silent.

use std::sync::Arc;
use std::time::Duration;

use heartbeat_registry::contract::{Cause, Event, EventBody, HealthState, HoldReason, Policy};
use heartbeat_registry::verify::{Verifier, VerifyConfig};
use tokio::task::JoinHandle;

use crate::endpoint::{Endpoint, OK, refusing, status};
use crate::world::{World, beat, id, millis, plain, secs, with};

/// A world whose suspects are probed.
struct Probed {
    world: World,
    probing: JoinHandle<()>,
}

impl Probed {
    fn new() -> Self {
        let world = World::new();
        let verifier = Arc::new(Verifier::new(&world.fleet, VerifyConfig::default()).unwrap());
        let probing = tokio::spawn(async move { verifier.probe_suspects().await });
        Self { world, probing }
    }

    /// A member that answers somewhere falls silent, up to its suspect edge.
    async fn fall_silent(&self, endpoint: &str) {
        // Suspects are kept from when someone takes them on.
        tokio::task::yield_now().await;
        self.world.accept(with(beat("a", 1, 0), |info| info.endpoint = Some(endpoint.to_owned())));
        self.world.pass(millis(2_250));
        assert_eq!(self.world.state("a"), HealthState::Critical);
    }

    /// Waits for what a probe found, and lets the member fail.
    async fn fail(&mut self) -> (Option<Cause>, String) {
        self.probed(1).await;
        self.world.pass(secs(1) + millis(1));
        cause_of_failure(&self.world.events())
    }

    async fn probed(&self, how_many: u64) {
        let done = async {
            while self.world.fleet.stats().probes.done < how_many {
                tokio::time::sleep(millis(2)).await;
            }
        };
        tokio::time::timeout(secs(30), done).await.expect("suspects are probed");
    }
}

impl Drop for Probed {
    fn drop(&mut self) {
        self.probing.abort();
    }
}

#[track_caller]
fn cause_of_failure(events: &[Event]) -> (Option<Cause>, String) {
    let failed = events.iter().find_map(|event| match &event.body {
        EventBody::Transition { to: HealthState::Failed, cause, evidence, .. } => Some((*cause, evidence.join("; "))),
        _ => None,
    });
    failed.expect("someone failed")
}

#[tokio::test]
async fn where_nobody_listens_any_more_the_process_is_dead() {
    let mut probed = Probed::new();
    let (_port, url) = refusing();
    probed.fall_silent(&url).await;
    let (cause, evidence) = probed.fail().await;
    assert_eq!(cause, Some(Cause::ProcessDead));
    let words = probed.world.workers.explain(&id("a")).unwrap().words;
    assert!(words[0].contains(": its process is gone; no beat for"), "{}", words[0]);
    assert!(evidence.contains(&format!("probe of {url}")) && evidence.contains("refused"), "{evidence}");
}

#[tokio::test]
async fn what_takes_connections_and_does_not_answer_hangs() {
    let mut probed = Probed::new();
    let endpoint = Endpoint::waiting(OK).await;
    probed.fall_silent(&endpoint.url()).await;
    assert_eq!(probed.fail().await.0, Some(Cause::Hung));
}

#[tokio::test]
async fn what_answers_has_network_trouble_and_is_held_once_for_one_interval() {
    let mut probed = Probed::new();
    let endpoint = Endpoint::answering(OK).await;
    probed.fall_silent(&endpoint.url()).await;
    probed.probed(1).await;
    let view = probed.world.workers.view(&id("a")).unwrap();
    assert_eq!((view.state, view.cause), (HealthState::Critical, Some(Cause::Network)));
    assert_eq!(view.holds[0].reason, HoldReason::Network);
    probed.world.pass(secs(1) + millis(999));
    assert_eq!(probed.world.state("a"), HealthState::Critical);
    probed.world.pass(millis(2));
    let (cause, _) = cause_of_failure(&probed.world.events());
    assert_eq!((probed.world.state("a"), cause), (HealthState::Failed, Some(Cause::Network)));
    let failed_at = probed.world.workers.view(&id("a")).unwrap().age_ms;
    assert!((4_250..=4_251).contains(&failed_at), "{failed_at}");
}

#[tokio::test]
async fn an_answer_that_says_neither_leaves_the_member_silent() {
    let mut probed = Probed::new();
    let endpoint = Endpoint::answering(status("503 Service Unavailable", "busy")).await;
    probed.fall_silent(&endpoint.url()).await;
    let (cause, evidence) = probed.fail().await;
    assert_eq!(cause, Some(Cause::Silent));
    assert!(evidence.contains("503"), "{evidence}");
}

#[tokio::test]
async fn no_verdict_waits_for_a_probe() {
    let mut probed = Probed::new();
    let endpoint = Endpoint::waiting(OK).await;
    probed.fall_silent(&endpoint.url()).await;
    endpoint.is_asked(1).await;
    probed.world.pass(secs(1) + millis(1));
    assert_eq!(cause_of_failure(&probed.world.events()).0, Some(Cause::Silent));
    // What it finds later is shown, and no event.
    probed.probed(1).await;
    assert_eq!(probed.world.workers.view(&id("a")).unwrap().cause, Some(Cause::Hung));
    assert!(probed.world.events().is_empty());
}

#[tokio::test]
async fn the_next_beat_makes_void_what_was_found() {
    let probed = Probed::new();
    let (_port, url) = refusing();
    probed.fall_silent(&url).await;
    probed.probed(1).await;
    probed.world.accept(beat("a", 1, 1));
    probed.world.pass(millis(3_251));
    let view = probed.world.workers.view(&id("a")).unwrap();
    assert_eq!((view.state, view.cause), (HealthState::Failed, Some(Cause::Silent)));
}

#[tokio::test]
async fn each_silence_is_probed_once_and_a_member_without_an_endpoint_not_at_all() {
    let probed = Probed::new();
    let (_port, url) = refusing();
    probed.fall_silent(&url).await;
    probed.world.accept(plain("no-endpoint"));
    probed.world.pass(secs(10));
    probed.probed(2).await;
    probed.world.pass(secs(10));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(probed.world.fleet.stats().probes.done, 2);
    let silent = probed.world.workers.view(&id("no-endpoint")).unwrap();
    assert_eq!((silent.cause, silent.evidence.len()), (Some(Cause::Silent), 1));
}

#[tokio::test]
async fn an_endpoint_that_may_not_be_probed_is_said_so() {
    let mut probed = Probed::new();
    probed.fall_silent("http://192.0.2.1:9").await;
    let (cause, evidence) = probed.fail().await;
    assert_eq!(cause, Some(Cause::Silent));
    assert!(evidence.contains("not probed:") && evidence.contains("may only be on this machine"), "{evidence}");
}

#[tokio::test]
async fn with_a_threshold_of_two_the_edge_to_degraded_is_the_suspect_one() {
    let probed = Probed::new();
    tokio::task::yield_now().await;
    let (_port, url) = refusing();
    probed.world.workers.start_monitoring(&id("a"), Policy::realtime()).unwrap();
    probed.world.accept(with(beat("a", 1, 0), |info| info.endpoint = Some(url)));
    probed.world.pass(millis(1_250));
    probed.probed(1).await;
    assert_eq!(probed.world.workers.view(&id("a")).unwrap().cause, Some(Cause::ProcessDead));
}

#[tokio::test]
async fn beyond_the_queue_suspects_are_dropped_and_counted() {
    let probed = Probed::new();
    tokio::task::yield_now().await;
    for n in 0..1_500 {
        probed.world.accept(plain(&format!("w{n}")));
    }
    probed.world.pass(millis(2_250));
    assert_eq!(probed.world.fleet.stats().probes.dropped, 1_500 - 1_024);
    probed.probed(1_024).await;
}

#[tokio::test]
async fn an_answer_that_comes_after_the_failure_explains_it_and_brings_nobody_back() {
    let mut probed = Probed::new();
    let endpoint = Endpoint::waiting(OK).await;
    probed.fall_silent(&endpoint.url()).await;
    endpoint.is_asked(1).await;
    probed.world.pass(secs(1) + millis(1));
    probed.world.events();
    endpoint.answer_one();
    probed.probed(1).await;
    let view = probed.world.workers.view(&id("a")).unwrap();
    assert_eq!((view.state, view.cause, view.holds.len()), (HealthState::Failed, Some(Cause::Network), 0));
    assert!(probed.world.events().is_empty());
}
