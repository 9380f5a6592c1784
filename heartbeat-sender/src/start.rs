//! Starting a loop: on a thread of its own, or in a runtime of the application.

use std::thread;

use heartbeat_contract::Payload;
#[cfg(feature = "http")]
use heartbeat_contract::{HiveHeartbeat, WorkerHeartbeat};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::clock::{system_clock, system_sleep};
use crate::config::MAX_FURTHER_REGISTRIES;
use crate::handle::Driver;
use crate::{ConfigError, HeartbeatConfig, HeartbeatHandle, Transport, heartbeat_task, run};
#[cfg(feature = "http")]
use crate::{HiveHeartbeatConfig, HttpTransport, WorkerHeartbeatConfig};

/// Starts to beat for a worker, over HTTP, on a thread of its own.
///
/// ```no_run
/// use heartbeat_contract::WorkerStatus;
/// use heartbeat_sender::{WorkerHeartbeatConfig, start_worker_heartbeat_task};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = WorkerHeartbeatConfig::new("worker-123", "http://localhost:8500");
/// let heartbeat = start_worker_heartbeat_task(config)?;
/// heartbeat.update(|worker| worker.status = Some(WorkerStatus::Busy));
/// heartbeat.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the config is invalid, the file with the token cannot be read, or the system refuses a thread or an HTTP client.
#[cfg(feature = "http")]
#[doc(alias = "start_worker_task")]
pub fn start_worker_heartbeat_task(
    config: WorkerHeartbeatConfig,
) -> Result<HeartbeatHandle<WorkerHeartbeat>, ConfigError> {
    start_heartbeat_task(config)
}

/// Starts to beat for a hive, over HTTP, on a thread of its own.
///
/// # Errors
/// If the config is invalid, the file with the token cannot be read, or the system refuses a thread or an HTTP client.
#[cfg(feature = "http")]
#[doc(alias = "start_hive_task")]
pub fn start_hive_heartbeat_task(config: HiveHeartbeatConfig) -> Result<HeartbeatHandle<HiveHeartbeat>, ConfigError> {
    start_heartbeat_task(config)
}

/// Starts to beat for a member of any kind, over HTTP, on a thread of its own.
///
/// # Errors
/// If the config is invalid, the file with the token cannot be read, or the system refuses a thread or an HTTP client.
#[cfg(feature = "http")]
pub fn start_heartbeat_task<P: Payload>(config: HeartbeatConfig<P>) -> Result<HeartbeatHandle<P>, ConfigError> {
    let transport = HttpTransport::for_config(&config)?;
    start_over(config, transport)
}

/// Starts to beat over any transport, on a thread of its own: it beats on however busy the application's runtime is, and
/// needs none.
///
/// # Errors
/// If the config is invalid, or the system refuses a thread.
pub fn start_over<P: Payload, T: Transport<P>>(
    config: HeartbeatConfig<P>,
    transport: T,
) -> Result<HeartbeatHandle<P>, ConfigError> {
    let (handle, task) = heartbeat_task(config)?;
    let task = task.with_sleep_clock(system_sleep);
    let runtime = OwnRuntime::new()?;
    let beat = move || {
        runtime.block_on(run(task, transport, system_clock, std::future::pending()));
    };
    let thread = thread::Builder::new()
        .name("heartbeat".to_owned())
        .spawn(beat)
        .map_err(|error| ConfigError::System(error.into()))?;
    Ok(handle.driven_by(Driver::Thread(thread)))
}

/// Starts to beat over any transport, as a task in a runtime of the application: beats then also tell that this runtime
/// gets round to its tasks, and stop when it does not. It must have time enabled, and I/O for HTTP.
///
/// # Errors
/// If the config is invalid.
pub fn spawn_on<P: Payload, T: Transport<P>>(
    runtime: &Handle,
    config: HeartbeatConfig<P>,
    transport: T,
) -> Result<HeartbeatHandle<P>, ConfigError> {
    let (handle, task) = heartbeat_task(config)?;
    let task = task.with_sleep_clock(system_sleep);
    let task = runtime.spawn(async move {
        run(task, transport, system_clock, std::future::pending()).await;
    });
    Ok(handle.driven_by(Driver::Task(task)))
}

/// A runtime for one loop. Never waits for its blocking tasks when dropped: a name lookup may hang for long, and a wait
/// inside the application's runtime would panic.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> Result<Self, ConfigError> {
        // For each registry one lookup, one more in case the first hangs, and one for the file with the token.
        let threads = 3 * (1 + MAX_FURTHER_REGISTRIES);
        let runtime = Builder::new_current_thread().max_blocking_threads(threads).enable_all().build();
        Ok(Self(Some(runtime.map_err(|error| ConfigError::System(error.into()))?)))
    }

    fn block_on(&self, beats: impl Future) {
        let runtime = self.0.as_ref().expect("taken only when dropped");
        runtime.block_on(beats);
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
