//! A worker and its monitor, in paused time.

use std::time::Duration;

use examples::Stopwatch;
use examples::pipeline::{Fault, Monitor, Worker, coordinate};
use heartbeat_contract::{MemberId, WorkerHeartbeat};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const S: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

/// What one pipeline consists of.
struct Pipeline {
    cancel: CancellationToken,
    tasks: TaskTracker,
    worker: Worker,
    monitor: Monitor,
}

impl Pipeline {
    fn beating_every(heartbeat: Duration) -> Self {
        let tasks = TaskTracker::new();
        let worker = Worker::new(heartbeat, HALF, &tasks);
        let monitor = Monitor::new(3 * S, &tasks).unwrap();
        Self { cancel: CancellationToken::new(), tasks, worker, monitor }
    }

    fn watch(&self, heartbeats: Receiver<WorkerHeartbeat>) -> Receiver<Fault> {
        self.monitor.watch(self.cancel.clone(), heartbeats)
    }

    /// Waits until no task is left, of those tracked and of all.
    async fn expect_nothing_left(&self) {
        self.tasks.close();
        timeout(S, self.tasks.wait()).await.expect("the tracked tasks end");
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
}

fn beat() -> WorkerHeartbeat {
    WorkerHeartbeat::new(MemberId::new("worker").unwrap())
}

#[tokio::test(start_paused = true)]
async fn results_and_heartbeats_come_at_their_intervals() {
    let pipeline = Pipeline::beating_every(S);
    let (mut results, mut heartbeats) = pipeline.worker.do_work(pipeline.cancel.clone());
    let (mut done, mut beats) = (0, 0);
    let read = async {
        loop {
            tokio::select! {
                Some(result) = results.recv() => {
                    done += 1;
                    assert_eq!(result.number, done);
                }
                Some(_) = heartbeats.recv() => beats += 1,
            }
        }
    };
    let end: Result<(), _> = timeout(10 * S + HALF / 2, read).await;
    assert!(end.is_err(), "it goes on until it is cancelled");
    assert_eq!((done, beats), (20, 11), "the first heartbeat comes at once");
}

#[tokio::test(start_paused = true)]
async fn a_worker_waits_for_no_reader() {
    let pipeline = Pipeline::beating_every(S);
    let (mut results, mut heartbeats) = pipeline.worker.do_work(pipeline.cancel.clone());
    sleep(60 * S + HALF / 2).await;
    let mut waiting = Vec::new();
    while let Ok(result) = results.try_recv() {
        waiting.push(result.number);
    }
    assert_eq!(waiting, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(heartbeats.try_recv().is_ok() && heartbeats.try_recv().is_err());
    assert_eq!(results.recv().await.unwrap().number, 121, "it worked on meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_results_nobody_wants_ends() {
    let pipeline = Pipeline::beating_every(S);
    drop(pipeline.worker.do_work(pipeline.cancel.clone()));
    sleep(S).await;
    pipeline.expect_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_in_time_are_no_fault() {
    let pipeline = Pipeline::beating_every(S);
    let (_results, heartbeats) = pipeline.worker.do_work(pipeline.cancel.clone());
    let mut errors = pipeline.watch(heartbeats);
    assert!(timeout(600 * S, errors.recv()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_fault_once_it_exceeds_the_timeout() {
    let pipeline = Pipeline::beating_every(S);
    let (heart, heartbeats) = mpsc::channel(1);
    let time = Stopwatch::start();
    let mut errors = pipeline.watch(heartbeats);
    for _ in 0..3 {
        heart.send(beat()).await.unwrap();
        sleep(S).await;
    }
    assert!(matches!(errors.recv().await, Some(Fault::Silent(_))));
    let late = time.elapsed().checked_sub(5 * S).expect("not before 3 s after the last heartbeat, at 2 s");
    assert!(late < Duration::from_millis(10), "{late:?}");
    assert_eq!(errors.recv().await, None, "one fault is all there is to tell");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_never_beats_is_a_fault_too() {
    let pipeline = Pipeline::beating_every(S);
    let (_heart, heartbeats) = mpsc::channel(1);
    let mut errors = pipeline.watch(heartbeats);
    assert!(matches!(timeout(4 * S, errors.recv()).await, Ok(Some(Fault::Silent(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ends_uncalled_for_is_a_fault() {
    let pipeline = Pipeline::beating_every(S);
    let (heart, heartbeats) = mpsc::channel(1);
    let mut errors = pipeline.watch(heartbeats);
    heart.send(beat()).await.unwrap();
    drop(heart);
    assert_eq!(timeout(S, errors.recv()).await, Ok(Some(Fault::Ended)));
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_every_task_also_with_full_channels() {
    let pipeline = Pipeline::beating_every(S);
    let (results, heartbeats) = pipeline.worker.do_work(pipeline.cancel.clone());
    let mut errors = pipeline.watch(heartbeats);
    sleep(60 * S).await;
    assert_eq!(pipeline.tasks.len(), 2, "the worker and its monitor");
    pipeline.cancel.cancel();
    pipeline.expect_nothing_left().await;
    assert_eq!(errors.recv().await, None, "to be cancelled is no fault");
    let end = timeout(S, coordinate(&pipeline.cancel, results, errors, drop)).await;
    assert_eq!(end, Ok(Ok(())), "the loop ends as well");
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_the_loop_and_cancels_everything() {
    let pipeline = Pipeline::beating_every(5 * S);
    let (results, heartbeats) = pipeline.worker.do_work(pipeline.cancel.clone());
    let errors = pipeline.watch(heartbeats);
    let mut done = 0;
    let end = coordinate(&pipeline.cancel, results, errors, |_| done += 1).await;
    assert!(matches!(end, Err(Fault::Silent(_))), "{end:?}");
    assert!((5..=6).contains(&done), "{done} results in 3 s");
    assert!(pipeline.cancel.is_cancelled());
    pipeline.expect_nothing_left().await;
}

#[test]
fn a_timeout_that_cannot_be_kept_is_refused() {
    let tasks = TaskTracker::new();
    for refused in [Duration::ZERO, Duration::from_millis(199), Duration::from_micros(1_000_500)] {
        assert!(Monitor::new(refused, &tasks).is_err(), "{refused:?}");
    }
    assert!(Monitor::new(Duration::from_millis(1_001), &tasks).is_ok());
}
