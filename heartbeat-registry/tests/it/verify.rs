//! One probe of a member, on demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use heartbeat_registry::Registry;
use heartbeat_registry::contract::{
    BeatInfo, HealthState, Kind, MemberId, Payload, ProbeOutcome, Verification, WorkerHeartbeat,
};
use heartbeat_registry::verify::{Verifier, VerifyConfig, VerifyError};

use crate::endpoint::{Endpoint, OK, refusing, status};
use crate::world::{World, beat, dawn, goodbye, id, plain, secs, with};

/// Probes that should never run out of time get a time that never runs out.
fn patient() -> VerifyConfig {
    VerifyConfig { timeout: secs(30), ..VerifyConfig::default() }
}

/// Every call probes, unless a probe is under way.
fn uncached() -> VerifyConfig {
    VerifyConfig { cool_down: Duration::ZERO, ..patient() }
}

fn at(beat: WorkerHeartbeat, endpoint: &str) -> WorkerHeartbeat {
    with(beat, |info| info.endpoint = Some(endpoint.to_owned()))
}

/// A world with the worker `a` at an endpoint.
fn worker_at(endpoint: &str, config: VerifyConfig) -> (World, Verifier) {
    let world = World::new();
    world.accept(at(plain("a"), endpoint));
    let verifier = Verifier::new(&world.fleet, config).unwrap();
    (world, verifier)
}

async fn verify(verifier: &Verifier, name: &str) -> Result<Verification, VerifyError> {
    verifier.verify(&Kind::WORKER, &id(name)).await
}

async fn found_at(endpoint: &str) -> Verification {
    let (_world, verifier) = worker_at(endpoint, patient());
    verify(&verifier, "a").await.unwrap()
}

#[tokio::test]
async fn healthy_unhealthy_elsewhere_garbage_hung_up_and_refused_are_told_apart() {
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    for (answer, outcome, http_status, detail) in [
        (status("204 No Content", ""), ProbeOutcome::Healthy, Some(204), "status 204"),
        (status("503 Service Unavailable", "loading"), ProbeOutcome::Unhealthy, Some(503), "status 503 (loading)"),
        (elsewhere.to_owned(), ProbeOutcome::Redirect, Some(302), "redirect 302 (to http://127.0.0.1:1/)"),
        ("220 mail.example ESMTP\r\n\r\n".to_owned(), ProbeOutcome::NotHttp, None, "answer is not http"),
        (String::new(), ProbeOutcome::Closed, None, "connection closed early"),
    ] {
        let endpoint = Endpoint::answering(answer).await;
        let found = found_at(&endpoint.url()).await;
        assert_eq!((found.outcome, found.http_status), (outcome, http_status), "{found:?}");
        assert!(found.detail.starts_with(detail), "{found:?}");
        assert_eq!(found.url, format!("{}/health", endpoint.url()));
    }
    let (_taken, nobody) = refusing();
    let found = found_at(&nobody).await;
    assert_eq!((found.outcome, found.http_status), (ProbeOutcome::Refused, None), "{found:?}");
    assert_eq!(found.detail, "connection refused");
}

#[tokio::test]
async fn a_member_that_takes_the_connection_and_says_nothing_hangs() {
    let endpoint = Endpoint::waiting(OK).await;
    let (_world, verifier) = worker_at(&endpoint.url(), VerifyConfig { timeout: secs(2), ..patient() });
    let found = verify(&verifier, "a").await.unwrap();
    assert_eq!((found.outcome, found.detail.as_str()), (ProbeOutcome::Hung, "no answer in time"));
}

#[tokio::test]
async fn a_name_is_resolved_and_one_that_leads_nowhere_is_told_apart() {
    let endpoint = Endpoint::answering(OK).await;
    let found = found_at(&format!("http://localhost:{}/readyz?deep", endpoint.port())).await;
    assert_eq!(found.outcome, ProbeOutcome::Healthy, "{found:?}");
    let found = found_at("http://nowhere.invalid").await;
    assert_eq!(found.outcome, ProbeOutcome::Unresolved, "{found:?}");
}

#[tokio::test]
async fn an_endpoint_with_a_user_name_or_a_password_is_not_asked() {
    let endpoint = Endpoint::answering(OK).await;
    let address = endpoint.url().replace("http://", "");
    for told in ["http://me:secret@", "http://me@", "http://:secret@", "http:\\\\me:secret@", " http:me:secret@"] {
        let (_world, verifier) = worker_at(&format!("{told}{address}"), patient());
        let refused = verify(&verifier, "a").await.unwrap_err();
        assert!(matches!(refused, VerifyError::Credentials { .. }), "{told}: {refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("secret"), "{refused:?}");
    }
    assert_eq!(endpoint.asked(), 0);
}

#[tokio::test]
async fn a_finding_tells_when_and_how_the_member_fared() {
    let endpoint = Endpoint::answering(OK).await;
    let (world, verifier) = worker_at(&endpoint.url(), patient());
    world.pass(secs(3));
    let found = verify(&verifier, "a").await.unwrap();
    assert_eq!((found.kind.clone(), found.id.clone(), found.state), (Kind::WORKER, id("a"), HealthState::Critical));
    assert_eq!((found.at, found.cached), (dawn() + secs(3), false));
    assert_eq!(world.state("a"), HealthState::Critical, "members are judged by their beats");
}

/// A payload that tells when it is written as JSON.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct NoteHeartbeat {
    note_id: MemberId,
    beat: Option<BeatInfo>,
    #[serde(serialize_with = "written")]
    text: String,
}

static WRITTEN: AtomicUsize = AtomicUsize::new(0);

fn written<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    WRITTEN.fetch_add(1, Ordering::SeqCst);
    serializer.serialize_str(text)
}

impl Payload for NoteHeartbeat {
    const KIND: Kind = Kind::from_static("note");
    const ID_FIELD: &'static str = "note_id";

    fn id(&self) -> &MemberId {
        &self.note_id
    }

    fn beat(&self) -> Option<&BeatInfo> {
        self.beat.as_ref()
    }

    fn set_beat(&mut self, beat: BeatInfo) {
        self.beat = Some(beat);
    }
}

#[tokio::test]
async fn where_a_member_answers_is_read_without_writing_its_payload() {
    let endpoint = Endpoint::answering(OK).await;
    let world = World::new();
    let notes = Registry::<NoteHeartbeat>::new(&world.fleet);
    let beat = BeatInfo { endpoint: Some(endpoint.url()), ..BeatInfo::default() };
    notes.record(NoteHeartbeat { note_id: id("n"), beat: Some(beat), text: "long".to_owned() }).unwrap();
    let verifier = Verifier::new(&world.fleet, patient()).unwrap();
    assert!(verifier.verify(&NoteHeartbeat::KIND, &id("n")).await.unwrap().is_healthy());
    assert_eq!(WRITTEN.load(Ordering::SeqCst), 0);
    assert!(notes.view(&id("n")).unwrap().payload.is_some());
    assert_eq!(WRITTEN.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn members_that_cannot_be_asked_are_told_apart() {
    let world = World::new();
    let verifier = Verifier::new(&world.fleet, patient()).unwrap();
    assert!(matches!(verify(&verifier, "ghost").await, Err(VerifyError::Unknown { .. })));
    assert!(matches!(verifier.verify(&Kind::HIVE, &id("ghost")).await, Err(VerifyError::Unknown { .. })));
    world.accept(plain("shy"));
    assert!(matches!(verify(&verifier, "shy").await, Err(VerifyError::NoEndpoint { .. })));
    world.accept(at(beat("gone", 1, 0), "http://127.0.0.1:1"));
    world.accept(goodbye(at(beat("gone", 1, 1), "http://127.0.0.1:1")));
    assert!(matches!(verify(&verifier, "gone").await, Err(VerifyError::Left { .. })));
    for unusable in ["", "nonsense", "127.0.0.1:1", "exec:true", "file:///etc/passwd"] {
        world.accept(at(plain("odd"), unusable));
        let refused = verify(&verifier, "odd").await;
        assert!(matches!(refused, Err(VerifyError::UnusableEndpoint { .. })), "{unusable}: {refused:?}");
    }
    for without_address in ["unix:///run/w.sock", "http+unix://%2Frun%2Fw.sock/health"] {
        world.accept(at(plain("odd"), without_address));
        let refused = verify(&verifier, "odd").await;
        assert!(matches!(refused, Err(VerifyError::NotAllowed { .. })), "{without_address}: {refused:?}");
    }
}

#[tokio::test]
async fn fifty_at_once_share_one_probe() {
    let endpoint = Endpoint::waiting(OK).await;
    let (_world, verifier) = worker_at(&endpoint.url(), uncached());
    let began = AtomicUsize::new(0);
    let calls = join_all((0..50).map(|_| async {
        began.fetch_add(1, Ordering::SeqCst);
        verify(&verifier, "a").await.unwrap()
    }));
    let answer = async {
        endpoint.is_asked(1).await;
        while began.load(Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
        endpoint.answer_one();
    };
    let (found, ()) = tokio::join!(calls, answer);
    assert!(found.iter().all(|found| found.is_healthy() && !found.cached));
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test]
async fn a_finding_is_told_again_until_the_cool_down_is_over() {
    let endpoint = Endpoint::answering(status("503 Service Unavailable", "loading")).await;
    let (world, verifier) = worker_at(&endpoint.url(), patient());
    let first = verify(&verifier, "a").await.unwrap();
    world.clock.advance(secs(5) - Duration::from_micros(1));
    let again = verify(&verifier, "a").await.unwrap();
    assert_eq!(again, Verification { cached: true, ..first });
    assert_eq!(endpoint.asked(), 1);
    world.clock.advance(Duration::from_micros(1));
    assert!(!verify(&verifier, "a").await.unwrap().cached);
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_finding_does_not_stand_for_another_run_or_another_endpoint() {
    let (before, after) = (Endpoint::answering(OK).await, Endpoint::answering(OK).await);
    let world = World::new();
    let verifier = Verifier::new(&world.fleet, patient()).unwrap();
    for (run, seq, endpoint) in [(1, 0, &before), (2, 0, &before), (2, 1, &after)] {
        world.accept(at(beat("a", run, seq), &endpoint.url()));
        assert!(!verify(&verifier, "a").await.unwrap().cached);
    }
    assert_eq!((before.asked(), after.asked()), (2, 1));
}

#[tokio::test]
async fn without_a_cool_down_every_call_probes() {
    let endpoint = Endpoint::answering(OK).await;
    let (_world, verifier) = worker_at(&endpoint.url(), uncached());
    for times in 1..=3 {
        assert!(!verify(&verifier, "a").await.unwrap().cached);
        assert_eq!(endpoint.asked(), times);
    }
}

#[tokio::test]
async fn beyond_the_bound_other_members_are_refused_and_the_same_are_not() {
    let (slow, quick) = (Endpoint::waiting(OK).await, Endpoint::answering(OK).await);
    let (world, verifier) = worker_at(&slow.url(), VerifyConfig { at_once: 1, ..uncached() });
    world.accept(at(plain("b"), &quick.url()));
    let meanwhile = async {
        slow.is_asked(1).await;
        let refused = verify(&verifier, "b").await;
        assert!(matches!(refused, Err(VerifyError::Overloaded { at_once: 1 })), "{refused:?}");
        slow.answer_one();
    };
    let (first, second, ()) = tokio::join!(verify(&verifier, "a"), verify(&verifier, "a"), meanwhile);
    assert!(first.unwrap().is_healthy() && second.unwrap().is_healthy());
    assert!(verify(&verifier, "b").await.unwrap().is_healthy(), "there is room again");
    assert_eq!((slow.asked(), quick.asked()), (1, 1));
}

#[tokio::test]
async fn whoever_began_a_probe_may_go_away_without_spoiling_it_for_others() {
    let endpoint = Endpoint::waiting(OK).await;
    let (_world, verifier) = worker_at(&endpoint.url(), uncached());
    let starter = tokio::spawn({
        let verifier = verifier.clone();
        async move { verify(&verifier, "a").await }
    });
    endpoint.is_asked(1).await;
    let leave = async {
        starter.abort();
        assert!(starter.await.unwrap_err().is_cancelled());
        endpoint.answer_one();
    };
    let (found, ()) = tokio::join!(verify(&verifier, "a"), leave);
    assert!(found.unwrap().is_healthy());
    assert_eq!(endpoint.asked(), 1);
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_ends_and_leaves_its_room() {
    let endpoint = Endpoint::waiting(OK).await;
    let (_world, verifier) = worker_at(&endpoint.url(), VerifyConfig { at_once: 1, ..patient() });
    for times in 1..=2 {
        let call = tokio::spawn({
            let verifier = verifier.clone();
            async move { verify(&verifier, "a").await }
        });
        endpoint.is_asked(times).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        endpoint.is_left(times).await;
    }
    endpoint.answer_one();
    let found = verify(&verifier, "a").await.unwrap();
    assert!(found.is_healthy() && !found.cached);
}

#[test]
fn settings_outside_their_limits_are_refused_by_name() {
    let world = World::new();
    for (config, says) in [
        (VerifyConfig { timeout: Duration::ZERO, ..patient() }, "timeout (ms): 0 is outside 1 to 30000"),
        (VerifyConfig { timeout: secs(31), ..patient() }, "timeout (ms): 31000 is outside 1 to 30000"),
        (VerifyConfig { cool_down: secs(3601), ..patient() }, "cool_down (ms): 3601000 is outside 0 to 3600000"),
        (VerifyConfig { at_once: 0, ..patient() }, "at_once: 0 is outside 1 to 10000"),
    ] {
        assert_eq!(Verifier::new(&world.fleet, config).unwrap_err().to_string(), says);
    }
}
