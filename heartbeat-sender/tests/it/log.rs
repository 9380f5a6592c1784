//! What a loop logs and counts.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Once;

use heartbeat_contract::{Problem, ProblemType, WorkerStatus};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::member::{Member, S, every, now};

thread_local! {
    /// The log of a test that keeps one; its loop runs on the same thread.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// One subscriber for the whole process: that of one thread is not told what another thread, without one, met first.
static SUBSCRIBER: Once = Once::new();

/// The log of this thread, from now on.
struct Log;

impl Log {
    fn begin() -> Self {
        SUBSCRIBER.call_once(|| {
            let lines = layer().with_writer(|| Log).with_ansi(false).with_target(false).without_time();
            let lines = lines.with_span_events(FmtSpan::NEW);
            let is_kept = dynamic_filter_fn(|_, _| LOG.with_borrow(Option::is_some));
            tracing_subscriber::registry().with(lines.with_filter(is_kept)).init();
        });
        LOG.set(Some(Vec::new()));
        Self
    }

    /// The lines since the last look.
    fn all(&self) -> Vec<String> {
        let written = LOG.replace(Some(Vec::new())).unwrap();
        String::from_utf8(written).unwrap().lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Those that an operator sees.
    fn news(&self) -> Vec<String> {
        let is_shown = |line: &String| ["ERROR ", "WARN ", "INFO "].iter().any(|level| line.starts_with(level));
        self.all().into_iter().filter(is_shown).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unavailable() -> Problem {
    Problem::new(ProblemType::Unavailable, "not yet")
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_a_line_when_it_begins_when_it_changes_and_when_it_is_over() {
    let log = Log::begin();
    let (mut member, _) = Member::accepted(every(10 * S)).await;
    assert_eq!(log.news(), ["INFO heartbeats are acknowledged kind=worker id=worker-123"]);

    // One beat that is repeated twice, and two more.
    for beat in 0..5 {
        member.hear().await.answer(Err(unavailable()));
        member.outcome().await;
        let news = log.news();
        match beat {
            0 => assert!(
                news[0].starts_with("WARN heartbeats fail kind=worker id=worker-123 error=refused with 503"),
                "{news:?}"
            ),
            _ => assert_eq!(news, [""; 0], "beat {beat}"),
        }
        assert!(news.len() <= 1, "{news:?}");
    }
    for beat in 0..3 {
        drop(member.hear().await);
        member.outcome().await;
        let news = log.news();
        assert_eq!(news.len(), usize::from(beat == 0), "{news:?}");
        assert!(news.iter().all(|line| line.starts_with("WARN heartbeats fail")), "{news:?}");
    }
    member.hear().await.acknowledge();
    member.outcome().await;
    assert_eq!(log.news(), ["INFO heartbeats are acknowledged again kind=worker id=worker-123 failed=6"]);

    let leaving = tokio::spawn(member.handle.clone().shutdown_because("maintenance"));
    member.hear().await.acknowledge();
    leaving.await.unwrap();
    assert_eq!(log.news(), [r#"INFO left kind=worker id=worker-123 reason="maintenance" acknowledged=true"#]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_only_a_person_can_mend_is_an_error() {
    let log = Log::begin();
    let (mut member, _) = Member::accepted(every(10 * S)).await;
    log.all();
    for (refusal, level) in [
        (ProblemType::Unauthorized, "ERROR"),
        (ProblemType::Overloaded, "WARN"),
        (ProblemType::NotFound, "ERROR"),
        (ProblemType::Unavailable, "WARN"),
        (ProblemType::InvalidPayload, "ERROR"),
    ] {
        member.hear().await.answer(Err(Problem::new(refusal, "so it is")));
        member.outcome().await;
        let news = log.news();
        assert!(news[0].starts_with(&format!("{level} heartbeats fail kind=worker ")), "{news:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_beat_sent_is_a_span_that_says_whose_which_and_where() {
    let log = Log::begin();
    let (_member, _) = Member::accepted(every(10 * S)).await;
    let spans: Vec<String> = log.all().into_iter().filter(|line| line.contains("heartbeat{")).collect();
    let registry = r#"registry="the registry""#;
    let expected = [0, 1].map(|seq| format!("DEBUG heartbeat{{kind=worker id=worker-123 seq={seq} {registry}}}: new"));
    assert_eq!(spans, expected);
}

#[tokio::test(start_paused = true)]
async fn counters_tell_what_a_loop_has_done() {
    let (mut member, accepted) = Member::accepted(every(10 * S)).await;
    let counters = member.handle.counters();
    assert_eq!((counters.sent, counters.acknowledged, counters.failed.total()), (2, 2, 0));
    assert_eq!(counters.last_acknowledged, Some(now() - accepted));

    // The first beat of the outage and what repeats it, and the beat of the next slot.
    for _ in 0..3 {
        member.hear().await.answer(Err(unavailable()));
        member.outcome().await;
    }
    drop(member.hear().await);
    member.outcome().await;
    let counters = member.handle.counters();
    assert_eq!((counters.sent, counters.acknowledged, counters.retries), (6, 2, 2));
    assert_eq!((counters.failed.refused, counters.failed.lost, counters.failed.total()), (3, 1, 4));
    assert_eq!((counters.consecutive_failures, counters.failovers), (2, 0));
    assert_eq!(counters.last_acknowledged, Some(now() - accepted));

    member.handle.update(|worker| worker.status = Some(WorkerStatus::Busy));
    member.handle.update(|worker| worker.status = Some(WorkerStatus::Idle));
    let at = member.hear().await.acknowledge();
    member.outcome().await;
    let counters = member.handle.counters();
    assert_eq!((counters.sent, counters.acknowledged, counters.coalesced), (7, 3, 1));
    assert_eq!((counters.consecutive_failures, counters.failed.total()), (0, 4));
    assert_eq!(counters.last_acknowledged, Some(now() - at));
}
