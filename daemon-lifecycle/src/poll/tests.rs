//! Waits in simulated time, against probes that follow a script.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    ConfigError, FailedAttempt, GaveUp, HealthPoll, HealthPollConfig, Healthy, PollError, Wait, poll_until_healthy,
};
use crate::probe::{Answer, ProbeError, ProbeFailure};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config(max_attempts: u32, initial_delay_ms: u64, backoff_multiplier: f64) -> HealthPollConfig {
    HealthPollConfig { url: "http://127.0.0.1:9".to_owned(), max_attempts, initial_delay_ms, backoff_multiplier }
}

fn steady(max_attempts: u32, initial_delay_ms: u64, backoff_multiplier: f64) -> HealthPoll {
    HealthPoll::from(config(max_attempts, initial_delay_ms, backoff_multiplier)).jitter(0.0)
}

fn failure(kind: ProbeFailure) -> ProbeError {
    ProbeError::new(&"http://127.0.0.1:9/health", kind)
}

/// A daemon that refuses at once until `ready_at`, as seen by the wait; `None` = for ever.
async fn wait_for_daemon_ready(poll: HealthPoll, ready_at: Option<Duration>) -> Result<Healthy, PollError> {
    wait_out(poll, ProbeFailure::Refused, ready_at).await
}

/// A daemon that fails at once in this way until `ready_at`.
async fn wait_out(poll: HealthPoll, kind: ProbeFailure, ready_at: Option<Duration>) -> Result<Healthy, PollError> {
    let mut wait = Wait::begin(poll)?;
    let since = wait.since;
    let probe = move |_| async move {
        match ready_at {
            Some(ready_at) if since.elapsed() >= ready_at => Ok(Answer::default()),
            _ => Err(failure(kind)),
        }
    };
    match wait.run_with(probe).await {
        Ok(healthy) => Ok(healthy),
        Err(gave_up) => Err(wait.error(gave_up)),
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_is_made_at_once() {
    let healthy = wait_for_daemon_ready(steady(1, 1_000, 2.0), Some(Duration::ZERO)).await;
    let healthy = healthy.expect("ready from the start");
    assert_eq!((healthy.attempts, healthy.elapsed), (1, Duration::ZERO));
    assert_eq!(healthy.url, "http://127.0.0.1:9/health");
}

#[tokio::test(start_paused = true)]
async fn attempts_are_spaced_by_the_series() {
    // Attempts at 0, 100, 300, 700, 1500 ms.
    let healthy = wait_for_daemon_ready(steady(10, 100, 2.0), Some(millis(701))).await;
    let healthy = healthy.expect("ready at the fifth attempt");
    assert_eq!((healthy.attempts, healthy.elapsed), (5, millis(1_500)));
}

#[tokio::test(start_paused = true)]
async fn exhausted_attempts_end_the_wait_without_a_last_pause() {
    let error = wait_for_daemon_ready(steady(4, 100, 2.0), None).await.expect_err("never ready");
    let PollError::AttemptsExhausted(report) = &error else {
        panic!("{error}");
    };
    assert_eq!(report.attempts(), 4);
    assert_eq!(report.elapsed(), millis(700));
    assert_eq!(report.outcomes(), [(ProbeFailure::Refused, 4)]);
    assert_eq!(
        error.to_string(),
        "http://127.0.0.1:9/health not healthy after 4 attempts in 700 ms: \
         4 x connection refused"
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_pause_is_cut_so_that_a_late_daemon_is_still_found() {
    let poll = steady(100, 4_000, 1.0).deadline(millis(10_000));
    // Attempts at 0, 4 and 8 s; the next would be at 12 s, and is made at 9 s instead.
    let healthy = wait_for_daemon_ready(poll, Some(millis(8_500))).await;
    let healthy = healthy.expect("the last attempt before the deadline");
    assert_eq!((healthy.attempts, healthy.elapsed), (4, millis(9_000)));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_wait_however_many_attempts_are_left() {
    let poll = steady(u32::MAX, 100, 1.5).deadline(millis(60_000));
    let error = wait_for_daemon_ready(poll, None).await.expect_err("never ready");
    let PollError::DeadlineExceeded { deadline, report } = &error else {
        panic!("{error}");
    };
    assert_eq!(*deadline, millis(60_000));
    assert_eq!(report.elapsed(), millis(58_000));
    assert!(error.to_string().ends_with("(deadline 60 s)"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_attempt_is_cut_off_at_the_deadline() {
    let poll = steady(10, 100, 1.0).attempt_timeout(millis(700)).deadline(millis(1_000));
    let mut wait = Wait::begin(poll).expect("a valid poll");
    let probe = |timeout| async move {
        tokio::time::sleep(timeout).await;
        Err(failure(ProbeFailure::Timeout))
    };
    let gave_up = wait.run_with(probe).await.expect_err("never ready");
    let error = wait.error(gave_up);
    let report = error.report().expect("attempts were made");
    assert_eq!((report.attempts(), report.elapsed()), (2, millis(1_000)));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_overshoots_the_deadline_is_followed_by_no_attempt() {
    let mut wait = Wait::begin(steady(10, 100, 1.0).deadline(millis(1_000))).expect("a valid poll");
    let probe = |_| async { Err(failure(ProbeFailure::Refused)) };
    // As when the machine sleeps during the pause.
    let (ended, ()) = tokio::join!(wait.run_with(probe), tokio::time::advance(millis(5_000)));
    let error = wait.error(ended.expect_err("never ready"));
    let PollError::DeadlineExceeded { report, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(report.outcomes(), [(ProbeFailure::Refused, 1)]);
}

#[tokio::test(start_paused = true)]
async fn each_failed_attempt_is_told_with_the_pause_that_follows() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hook = {
        let told = Arc::clone(&told);
        move |attempt: &FailedAttempt<'_>| {
            let entry = (attempt.number, attempt.error.kind(), attempt.next_in);
            told.lock().expect("not poisoned").push(entry);
        }
    };
    let poll = steady(3, 100, 2.0).on_failed_attempt(hook);
    wait_for_daemon_ready(poll, None).await.expect_err("never ready");
    let refused = ProbeFailure::Refused;
    let expected = [(1, refused, Some(millis(100))), (2, refused, Some(millis(200))), (3, refused, None)];
    assert_eq!(*told.lock().expect("not poisoned"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_endpoint_that_lasts_ends_the_wait() {
    for kind in [ProbeFailure::Status(404), ProbeFailure::TlsName] {
        let poll = || steady(u32::MAX, 1_000, 1.0).deadline(millis(600_000));
        let error = wait_out(poll(), kind, None).await.expect_err("it is not there");
        let PollError::Fatal(report) = &error else { panic!("{error}") };
        assert_eq!((report.attempts(), report.elapsed()), (31, millis(30_000)), "{kind}");
        assert_eq!(report.wrong_endpoint_for(), Some(millis(30_000)));
        let told = format!(
            "http://127.0.0.1:9/health not healthy after 31 attempts in 30 s: 31 x {kind}; \
             nothing else for 30 s; {} (given up, waiting on would not mend it)",
            kind.hint().expect("a hint"),
        );
        assert_eq!(error.to_string(), told);

        let sooner = wait_out(poll().wrong_endpoint_timeout(millis(5_000)), kind, None).await;
        assert_eq!(sooner.expect_err("it is not there").report().expect("attempts").elapsed(), millis(5_000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_404_that_goes_away_in_time_is_waited_out() {
    let not_found = ProbeFailure::Status(404);
    let healthy = wait_out(steady(u32::MAX, 1_000, 1.0), not_found, Some(millis(29_500))).await;
    assert_eq!(healthy.expect("it gets its routes").elapsed, millis(30_000));

    let patient = steady(u32::MAX, 1_000, 1.0).wrong_endpoint_timeout(None).deadline(millis(600_000));
    let error = wait_out(patient, not_found, None).await.expect_err("never ready");
    assert!(matches!(error, PollError::DeadlineExceeded { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_endpoint_that_was_healthy_in_between_is_wrong_from_then_on() {
    let mut wait = Wait::begin(steady(u32::MAX, 1_000, 1.0).success_threshold(2)).expect("a valid poll");
    let since = wait.since;
    let probe = move |_| async move {
        match since.elapsed().as_secs() {
            20 => Ok(Answer::default()),
            _ => Err(failure(ProbeFailure::Status(404))),
        }
    };
    let gave_up = wait.run_with(probe).await.expect_err("never twice in a row");
    assert_eq!((gave_up, since.elapsed()), (GaveUp::WrongEndpoint(millis(30_000)), millis(51_000)));
}

#[tokio::test(start_paused = true)]
async fn other_failures_than_those_of_a_wrong_endpoint_are_waited_out() {
    for kind in [ProbeFailure::Refused, ProbeFailure::Dns, ProbeFailure::Redirect(302), ProbeFailure::Status(401)] {
        let healthy = wait_out(steady(u32::MAX, 1_000, 1.0), kind, Some(millis(300_000))).await;
        assert_eq!(healthy.expect("it comes up").attempts, 301, "{kind}");
    }
}

#[tokio::test]
async fn an_invalid_poll_is_refused_before_any_request() {
    let refused = async |poll: HealthPoll| match poll_until_healthy(poll).await {
        Err(PollError::InvalidConfig(error)) => error,
        other => panic!("{other:?}"),
    };
    let error = refused(steady(0, 100, 1.5)).await;
    assert!(matches!(error, ConfigError::NoAttempts), "{error}");
    for multiplier in [0.99, -1.0, f64::NAN, f64::INFINITY] {
        let error = refused(steady(1, 100, multiplier)).await;
        assert!(matches!(error, ConfigError::Multiplier(_)), "{error}");
    }
    for jitter in [-0.1, 1.1, f64::NAN] {
        let error = refused(steady(1, 100, 1.5).jitter(jitter)).await;
        assert!(matches!(error, ConfigError::Jitter(_)), "{error}");
    }
    let error = refused(steady(1, 100, 1.5).attempt_timeout(Duration::ZERO)).await;
    assert!(matches!(error, ConfigError::ZeroAttemptTimeout), "{error}");
    let error = refused(steady(1, 100, 1.5).deadline(Duration::ZERO)).await;
    assert!(matches!(error, ConfigError::ZeroDeadline), "{error}");
    let error = refused(HealthPoll::from(HealthPollConfig::default())).await;
    assert!(matches!(error, ConfigError::Url(_)), "the default URL is empty: {error}");
}

#[test]
fn the_delays_of_a_poll_number_one_less_than_its_attempts() {
    assert_eq!(steady(4, 100, 2.0).delays().collect::<Vec<_>>(), [100, 200, 400].map(millis));
    assert_eq!(steady(1, 100, 2.0).delays().count(), 0);
    assert_eq!(steady(0, 100, 2.0).delays().count(), 0);
}

#[test]
fn delays_have_full_jitter_unless_told_otherwise_and_are_the_same_for_the_same_seed() {
    let delays = |poll: HealthPoll| poll.delays().collect::<Vec<_>>();
    let untold = || HealthPoll::from(config(1_000, 100, 1.0));
    assert_eq!(delays(untold().seed(7)), delays(untold().seed(7)));
    assert_eq!(delays(untold().seed(7)), delays(untold().jitter(1.0).seed(7)));
    assert_ne!(delays(untold().seed(7)), delays(untold().seed(8)));
    assert_ne!(delays(untold()), delays(untold()));
    let drawn = delays(untold().seed(7));
    assert!(drawn.iter().all(|delay| *delay <= millis(200)), "{drawn:?}");
    assert!(
        drawn.iter().any(|delay| *delay < millis(2)) && drawn.iter().any(|delay| *delay > millis(198)),
        "{drawn:?}"
    );
    assert_eq!(delays(untold().jitter(0.0)), [millis(100); 999]);
}

#[test]
fn a_thousand_waiters_that_began_together_do_not_ask_in_step() {
    let crowded = |jitter: f64| {
        let patient = |seed| HealthPoll::new("http://127.0.0.1:9").max_attempts(u32::MAX).jitter(jitter).seed(seed);
        let steady = millis(60_000)..millis(160_000);
        let mut asked: Vec<Duration> = (0..1_000)
            .flat_map(|seed| {
                let asked = patient(seed).delays().scan(Duration::ZERO, |at, delay| {
                    *at += delay;
                    Some(*at)
                });
                asked.skip_while(|at| *at < steady.start).take_while(|at| *at < steady.end)
            })
            .collect();
        asked.sort();
        let within =
            |(first, at): (usize, &Duration)| asked.partition_point(|later| *later < *at + millis(100)) - first;
        let most = asked.iter().enumerate().map(within).max().expect("they go on");
        most as f64 / (asked.len() as f64 / 1_000.0)
    };
    // Of 20 in each 100 ms: how many times as many there are where there are most.
    assert!(crowded(1.0) < 2.5, "{}", crowded(1.0));
    assert!(crowded(0.1) > 4.0, "{}", crowded(0.1));
    assert!(crowded(0.0) > 90.0, "{}", crowded(0.0));
}

#[test]
fn the_default_poll_lasts_three_minutes_without_jitter_and_from_one_to_two_and_a_half_with() {
    let lasts = |poll: HealthPoll| poll.delays().sum::<Duration>().as_secs_f64();
    let poll = || HealthPoll::new("http://127.0.0.1:9");
    assert_eq!(lasts(poll().jitter(0.0)).round(), 196.0);
    let mut lengths: Vec<f64> = (0..10_000).map(|seed| lasts(poll().seed(seed))).collect();
    lengths.sort_by(f64::total_cmp);
    assert_eq!((lengths.iter().sum::<f64>() / 10_000.0).round(), 106.0);
    // All but one in a hundred.
    assert!((72.0..75.0).contains(&lengths[50]) && (138.0..141.0).contains(&lengths[9_950]), "{lengths:?}");
}

#[test]
fn credentials_in_the_url_of_a_poll_are_not_shown() {
    let poll = HealthPoll::new("http://user:secret@127.0.0.1:9/x");
    let debug = format!("{poll:?}");
    assert!(debug.contains("url: \"http://127.0.0.1:9/x\"") && !debug.contains("secret"), "{debug}");
}

#[test]
fn a_wait_can_be_spawned() {
    fn assert_send(_: impl Send) {}
    assert_send(poll_until_healthy(config(1, 1, 1.0)));
}
