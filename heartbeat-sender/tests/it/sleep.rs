//! What beats tell of the machine's sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heartbeat_sender::system_sleep;

use crate::member::{Member, S, every, stale};

/// A machine that has slept before, and the milliseconds that it has slept so far.
fn machine() -> (Arc<AtomicU64>, impl Fn() -> Duration + Send + 'static) {
    let slept = Arc::new(AtomicU64::new(1_000_000));
    let clock = Arc::clone(&slept);
    (slept, move || Duration::from_millis(clock.load(Ordering::Relaxed)))
}

#[tokio::test(start_paused = true)]
async fn a_beat_tells_how_long_the_machine_slept_since_the_one_before() {
    let (slept, clock) = machine();
    let mut member = Member::start_asleep(every(S), clock);
    let mut told = Vec::new();
    for sleeps in [0, 40_000, 0, 7, 0] {
        let heard = member.hear().await;
        told.push(heard.beat().slept_ms);
        heard.acknowledge();
        member.outcome().await;
        slept.fetch_add(sleeps, Ordering::Relaxed);
    }
    assert_eq!(told, [None, None, Some(40_000), None, Some(7)]);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_is_told_until_a_beat_that_tells_it_is_acknowledged() {
    let (slept, clock) = machine();
    let mut member = Member::start_asleep(every(S), clock);
    member.hear().await.acknowledge();
    member.outcome().await;
    slept.fetch_add(5_000, Ordering::Relaxed);
    let failed = member.hear().await;
    assert_eq!(failed.beat().slept_ms, Some(5_000));
    failed.answer(Err(stale(1)));
    member.outcome().await;
    let heard = member.hear().await;
    assert_eq!(heard.beat().slept_ms, Some(5_000));
    heard.acknowledge();
    member.outcome().await;
    assert_eq!(member.hear().await.beat().slept_ms, None);
}

#[tokio::test(start_paused = true)]
async fn a_loop_without_a_sleep_clock_tells_nothing() {
    let (mut member, _) = Member::accepted(every(S)).await;
    assert_eq!(member.hear().await.beat().slept_ms, None);
}

#[test]
fn a_machine_that_is_awake_does_not_sleep() {
    let [before, after] = [(); 2].map(|()| system_sleep());
    assert!(before.abs_diff(after) < Duration::from_millis(1), "{before:?} {after:?}");
}
