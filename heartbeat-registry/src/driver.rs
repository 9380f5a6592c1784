//! The one place that sleeps: until the next deadline, a nudge, or a quarter of a second.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::lock::lock;

/// How often in a row the driver may panic before it gives up.
const PANICS_IN_A_ROW: u32 = 10;
/// How long it rests after a panic.
const REST: Duration = Duration::from_millis(250);

/// Judges until it is stopped. A panic is caught and counted, and the driver goes on from the tables.
pub(crate) async fn drive(engine: &Engine, stop: CancellationToken) {
    let _alive = Alive::set(engine);
    let mut panics = 0;
    while panics < PANICS_IN_A_ROW && !stop.is_cancelled() {
        let wake = match catch_unwind(AssertUnwindSafe(|| engine.sweep())) {
            Ok(wake) => {
                panics = 0;
                wake
            }
            Err(_) => {
                panics += 1;
                engine.gauges.panicked();
                tracing::error!(panics, "the registry's driver panicked and goes on");
                engine.judge_everyone_anew();
                Some(engine.monotonic() + REST)
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = engine.nudge.notified() => {}
            () = sleep_until(engine, wake) => {}
        }
    }
}

/// Says that a driver runs, for as long as it is kept.
struct Alive<'a>(&'a Engine);

impl<'a> Alive<'a> {
    fn set(engine: &'a Engine) -> Self {
        engine.gauges.set_alive(true);
        Self(engine)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.gauges.set_alive(false);
    }
}

async fn sleep_until(engine: &Engine, wake: Option<Duration>) {
    match wake {
        // A sleep of no time takes up to the timer's tick.
        Some(wake) if wake <= engine.monotonic() => tokio::task::yield_now().await,
        Some(wake) => tokio::time::sleep(wake.saturating_sub(engine.monotonic())).await,
        None => std::future::pending().await,
    }
}

/// A driver on a thread of its own, so that a starved runtime of the application delays no verdict. It ends with the
/// last handle of its fleet.
#[derive(Debug)]
pub(crate) struct DriverThread {
    stop: CancellationToken,
    ended: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl DriverThread {
    pub(crate) fn start(engine: Arc<Engine>) -> std::io::Result<Self> {
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (stopped, done) = (stop.clone(), ended.clone());
        engine.gauges.set_alive(true);
        let thread = std::thread::Builder::new().name("heartbeat-driver".to_owned()).spawn(move || {
            let _ended = done.drop_guard();
            runtime.block_on(drive(&engine, stopped));
        })?;
        Ok(Self { stop, ended, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the driver and waits until it has ended.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the registry's driver had panicked");
        }
    }
}

impl Drop for DriverThread {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
