//! A worker that tells results and heartbeats over two channels, a monitor of the heartbeats, and the loop that brings
//! them together. All of it ends with one token, and one tracker knows whether all of it has ended.
//!
//! ```
//! use std::time::Duration;
//! use examples::pipeline::{Monitor, Worker, coordinate};
//! use tokio_util::sync::CancellationToken;
//! use tokio_util::task::TaskTracker;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
//! let worker = Worker::new(Duration::from_secs(1), Duration::from_millis(500), &tasks);
//! let monitor = Monitor::new(Duration::from_secs(3), &tasks)?;
//!
//! let (results, heartbeats) = worker.do_work(cancel.clone());
//! let errors = monitor.watch(cancel.clone(), heartbeats);
//! let stop = cancel.clone();
//! coordinate(&cancel, results, errors, |result| {
//!     if result.number == 3 {
//!         stop.cancel();
//!     }
//! })
//! .await?;
//! tasks.close();
//! tasks.wait().await; // nothing is left behind
//! # Ok(())
//! # }
//! ```

mod clock;
mod coordinate;
mod monitor;
mod worker;

pub use coordinate::coordinate;
pub use monitor::{Fault, Monitor};
pub use worker::{WorkResult, Worker};
