//! Alerts that are sent elsewhere, to real servers.

#[cfg(feature = "server")]
mod binary;
#[cfg(feature = "server")]
#[path = "../../../src/alert/sink/tests/program.rs"]
mod program;
mod receiver;

use std::time::Duration;

use heartbeat_registry::alerts::{Rule, SinkConfig, SinkHandle};
use heartbeat_registry::contract::{HealthState, SinkStats};
use heartbeat_registry::{Clock, SystemClock};

use crate::token_files::Folder;
use crate::world::{World, feeling, id, millis, plain, secs};
use receiver::{Answer, Received, Receiver};

/// Pauses as short as can be.
fn hasty(config: SinkConfig) -> SinkConfig {
    SinkConfig { first_pause: millis(1), cooldown: Duration::ZERO, ..config }
}

fn fail(world: &World, name: &str) {
    world.accept(plain(name));
    world.pass(secs(4));
}

/// Waits until the counts of a sink are as they should be.
async fn until(sink: &SinkHandle, is_so: impl Fn(&SinkStats) -> bool) -> SinkStats {
    let counted = async {
        while !is_so(&sink.stats()) {
            tokio::time::sleep(millis(5)).await;
        }
        sink.stats()
    };
    let counted = tokio::time::timeout(secs(30), counted).await;
    counted.unwrap_or_else(|_| panic!("after half a minute: {:?}", sink.stats()))
}

fn counts(stats: &SinkStats) -> (u64, u64, u64, u64) {
    (stats.sent, stats.failed, stats.retried, stats.dropped)
}

/// `a firing`.
fn about(received: &Received) -> String {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    format!("{} {}", text(&received.json["labels"]["member"]), text(&received.json["status"]))
}

#[tokio::test]
async fn a_webhook_is_told_of_a_failure_and_of_its_end_with_the_ids_of_the_events() {
    let (world, mut receiver) = (World::new(), Receiver::start([]).await);
    let sink = world.fleet.send_alerts(hasty(SinkConfig::webhook(&receiver.url))).unwrap();
    fail(&world, "a");
    let began = receiver.next().await;
    world.accept(plain("a"));
    let ended = receiver.next().await;
    assert_eq!([about(&began), about(&ended)], ["a firing", "a resolved"]);
    let events = world.fleet.events(None, usize::MAX).events;
    let ids: Vec<String> = events.iter().map(|event| event.id.to_string()).collect();
    // Registered, degraded, critical, failed, healthy.
    assert_eq!((began.key.as_deref(), ended.key.as_deref()), (Some(&*ids[3]), Some(&*ids[4])));
    assert_eq!((&began.json["event"], &ended.json["event"]), (&began.json["key"], &began.json["key"]));
    assert_eq!(began.json["labels"]["zone"], "default");
    assert_eq!(began.json["labels"]["host"], "local");
    let stats = until(&sink, |stats| stats.sent == 2).await;
    assert_eq!((stats.firing, stats.last_error), (0, None));
    assert!(stats.last_ok.is_some());
    assert_eq!(world.fleet.stats().alerts, [sink.stats()]);
}

#[tokio::test]
async fn what_fails_in_passing_is_sent_again_with_the_same_key() {
    let answers = [Answer::Status(500), Answer::Status(429), Answer::HangUp];
    let (world, mut receiver) = (World::new(), Receiver::start(answers).await);
    let sink = world.fleet.send_alerts(hasty(SinkConfig::webhook(&receiver.url))).unwrap();
    fail(&world, "a");
    let first = receiver.next().await;
    for _ in 0..3 {
        let again = receiver.next().await;
        assert_eq!((again.key, again.json), (first.key.clone(), first.json.clone()));
    }
    let stats = until(&sink, |stats| stats.sent == 1).await;
    assert_eq!(counts(&stats), (1, 3, 3, 0));
    assert!(stats.last_error.unwrap().starts_with("broke off"));
}

#[tokio::test]
async fn what_is_asked_to_wait_waits() {
    let (world, mut receiver) = (World::new(), Receiver::start([Answer::ComeBackInASecond]).await);
    let _sink = world.fleet.send_alerts(hasty(SinkConfig::webhook(&receiver.url))).unwrap();
    fail(&world, "a");
    receiver.next().await;
    let clock = SystemClock::new();
    receiver.next().await;
    assert!(clock.monotonic() > millis(950), "{:?}", clock.monotonic());
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again_and_counted_and_the_next_alert_comes() {
    let (world, mut receiver) = (World::new(), Receiver::start([Answer::Status(400)]).await);
    let sink = world.fleet.send_alerts(hasty(SinkConfig::webhook(&receiver.url))).unwrap();
    fail(&world, "a");
    fail(&world, "b");
    assert_eq!([about(&receiver.next().await), about(&receiver.next().await)], ["a firing", "b firing"]);
    let stats = until(&sink, |stats| stats.sent == 1).await;
    assert_eq!((counts(&stats), stats.firing), ((1, 1, 0, 1), 2));
    assert_eq!(stats.last_error.as_deref(), Some("400 Bad Request: as it was told"));
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_and_counted() {
    let (world, mut receiver) = (World::new(), Receiver::start([Answer::Status(503); 3]).await);
    let config = SinkConfig { retries: 2, ..hasty(SinkConfig::webhook(&receiver.url)) };
    let sink = world.fleet.send_alerts(config).unwrap();
    fail(&world, "a");
    for _ in 0..3 {
        assert_eq!(about(&receiver.next().await), "a firing");
    }
    world.accept(plain("a"));
    assert_eq!(about(&receiver.next().await), "a resolved");
    assert_eq!(counts(&until(&sink, |stats| stats.sent == 1).await), (1, 3, 2, 1));
}

#[tokio::test]
async fn a_sink_that_nobody_answers_delays_nothing_and_drops_the_oldest_beyond_its_bound() {
    let (world, mut receiver) = (World::new(), Receiver::start([]).await);
    let hung = Receiver::start([Answer::Never; 10]).await;
    let patient = SinkConfig { timeout: Duration::from_mins(5), ..hasty(SinkConfig::webhook(&hung.url)) };
    let dead = world.fleet.send_alerts(patient).unwrap();
    let _alive = world.fleet.send_alerts(hasty(SinkConfig::webhook(&receiver.url))).unwrap();
    fail(&world, "first");
    assert_eq!(about(&receiver.next().await), "first firing");
    until(&dead, |stats| stats.firing == 1).await;
    hung.until_asked().await;
    for n in 0..1_100 {
        world.accept(plain(&format!("w{n}")));
    }
    world.pass(secs(4));
    assert_eq!(world.workers.stats().failed, 1_101, "the driver goes on");
    let stats = until(&dead, |stats| stats.firing == 1_101).await;
    assert_eq!(counts(&stats), (0, 0, 0, 100), "1 is under way and 1000 wait");
    assert_eq!(hung.requests(), 1);
    for _ in 0..100 {
        receiver.next().await;
    }
}

#[tokio::test]
async fn one_that_does_not_answer_in_time_is_asked_again() {
    let (world, mut receiver) = (World::new(), Receiver::start([Answer::Never]).await);
    let config = SinkConfig { timeout: millis(50), ..hasty(SinkConfig::webhook(&receiver.url)) };
    let sink = world.fleet.send_alerts(config).unwrap();
    fail(&world, "a");
    receiver.next().await;
    assert_eq!(about(&receiver.next().await), "a firing");
    let stats = until(&sink, |stats| stats.sent == 1).await;
    assert_eq!(stats.last_error.as_deref(), Some("no answer in time"));
}

#[tokio::test]
async fn only_what_the_rule_of_a_sink_asks_for_is_sent_to_it() {
    let (world, mut receiver) = (World::new(), Receiver::start([]).await);
    let rule = Rule { states: vec![HealthState::Degraded], ids: vec!["gpu-*".parse().unwrap()], ..Rule::default() };
    let config = SinkConfig { rule, ..hasty(SinkConfig::webhook(&receiver.url)) };
    world.fleet.send_alerts(config).unwrap();
    for name in ["cpu-1", "gpu-1"] {
        world.accept(feeling(plain(name), heartbeat_registry::contract::HealthStatus::Degraded));
    }
    fail(&world, "gpu-2");
    assert_eq!([about(&receiver.next().await), about(&receiver.next().await)], ["gpu-1 firing", "gpu-2 firing"]);
}

#[tokio::test]
async fn a_token_is_read_for_each_request_and_no_secret_is_shown() {
    let (world, mut receiver) = (World::new(), Receiver::start([]).await);
    let folder = Folder::new();
    let token = folder.path("token");
    std::fs::write(&token, "one\n").unwrap();
    let config = SinkConfig {
        bearer_token_file: Some(token.clone()),
        headers: vec![("X-Team".to_owned(), "ml".to_owned())],
        ..hasty(SinkConfig::webhook(format!("{}/secret", receiver.url)))
    };
    let sink = world.fleet.send_alerts(config.clone()).unwrap();
    fail(&world, "a");
    let first = receiver.next().await;
    assert_eq!((first.authorization.as_deref(), first.team.as_deref()), (Some("Bearer one"), Some("ml")));
    until(&sink, |stats| stats.sent == 1).await;
    std::fs::write(&token, "two").unwrap();
    world.accept(plain("a"));
    assert_eq!(receiver.next().await.authorization.as_deref(), Some("Bearer two"));
    let other = world.fleet.send_alerts(config).unwrap();
    let port = receiver.url.rsplit(':').next().unwrap();
    let names = [sink.stats().name, other.stats().name];
    assert_eq!(names, [format!("webhook 127.0.0.1:{port}"), format!("webhook 127.0.0.1:{port} 2")]);
}

#[tokio::test]
async fn nobody_there_is_counted_without_naming_the_path() {
    let world = World::new();
    let config = SinkConfig { retries: 1, ..hasty(SinkConfig::webhook("http://127.0.0.1:1/secret")) };
    let sink = world.fleet.send_alerts(config).unwrap();
    fail(&world, "a");
    let stats = until(&sink, |stats| stats.dropped == 1).await;
    let why = stats.last_error.unwrap();
    assert!(why.starts_with("cannot be reached: ") && !why.contains("secret"), "{why}");
}

#[tokio::test]
async fn a_shutdown_sends_what_is_to_be_told() {
    let (world, mut receiver) = (World::new(), Receiver::start([]).await);
    let sink = world.fleet.send_alerts(hasty(SinkConfig::webhook(&receiver.url))).unwrap();
    for name in ["a", "b", "c"] {
        world.accept(plain(name));
    }
    world.pass(secs(4));
    world.fleet.shutdown().await;
    assert!(!sink.is_running());
    assert_eq!(sink.stats().sent, 3);
    for _ in 0..3 {
        receiver.next().await;
    }
    assert_eq!(world.fleet.stats().alerts, [], "it has ended");
    assert_eq!(world.workers.health(&id("a")), Ok(HealthState::Failed));
}
