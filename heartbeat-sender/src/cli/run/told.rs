//! What the command tells of itself, and what its beats say for it.

use std::collections::BTreeMap;
use std::io;

use daemon_lifecycle::Notification;
use heartbeat_contract::{HealthStatus, Metadata, WorkerHeartbeat, WorkerStatus};

const FIGURE: &str = "X_HEARTBEAT_";
const METRIC: &str = "METRIC_";
const MAX_METRICS: usize = 64;
const MAX_TEXT_BYTES: usize = 256;
/// What the words of `STATUS=` are called in the metadata.
const STATUS_TEXT: &str = "status_text";

/// The newest of all that was told, so that a beat can say it at any time.
#[derive(Debug, Default)]
pub(super) struct Told {
    metadata: BTreeMap<String, String>,
    is_ready: bool,
    is_stopping: bool,
    busy: Option<bool>,
    done: Option<u64>,
    ticks: u64,
    health: Option<HealthStatus>,
    queue_depth: Option<u32>,
    model: Option<String>,
    gpu_utilization: Option<f64>,
    last_inference_ms: Option<u64>,
    metrics: BTreeMap<String, f64>,
    missed_watchdog: bool,
    last_error: Option<String>,
}

impl Told {
    pub(super) fn new(metadata: &[(String, String)]) -> Self {
        Self { metadata: metadata.iter().cloned().collect(), ..Self::default() }
    }

    /// Whether what was given on the command line is too long for a beat.
    pub(super) fn is_too_long(&self) -> bool {
        !self.metadata.is_empty() && self.metadata().is_none()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(super) fn ready(&mut self) {
        self.is_ready = true;
    }

    /// It did not tell in time that it is alive.
    pub(super) fn missed_watchdog(&mut self, words: String) {
        self.missed_watchdog = true;
        self.last_error = Some(words);
    }

    pub(super) fn failed(&mut self, words: String) {
        self.last_error = Some(words);
    }

    /// Takes over what a message says; what of it makes no sense is left out, and named.
    pub(super) fn hear(&mut self, message: &Notification) -> Vec<String> {
        self.is_ready |= message.ready();
        self.is_stopping |= message.stopping();
        if message.watchdog() {
            self.ticks += 1;
            self.missed_watchdog = false;
        }
        if let Some(text) = message.status() {
            self.metadata.insert(STATUS_TEXT.to_owned(), cut(text));
        }
        if let Some(errno) = message.errno() {
            self.last_error = Some(io::Error::from_raw_os_error(errno).to_string());
        }
        let figures = message.fields().filter_map(|(key, value)| Some((key.strip_prefix(FIGURE)?, value)));
        let senseless = figures.filter(|(name, value)| self.hear_figure(name, value).is_none());
        senseless.map(|(name, value)| format!("{FIGURE}{name}={value}")).collect()
    }

    fn hear_figure(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "QUEUE_DEPTH" => self.queue_depth = Some(value.parse().ok()?),
            "MODEL" => self.model = (!value.is_empty()).then(|| cut(value)),
            "DONE" => self.done = Some(value.parse().ok()?),
            "BUSY" => self.busy = Some(yes_or_no(value)?),
            "HEALTH" => self.health = Some(HealthStatus::from_word(value)?),
            "GPU_UTILIZATION" => {
                self.gpu_utilization = Some(value.parse().ok().filter(|share| (0.0..=1.0).contains(share))?);
            }
            "LAST_INFERENCE_MS" => self.last_inference_ms = Some(value.parse().ok()?),
            _ => self.hear_metric(name.strip_prefix(METRIC)?, value)?,
        }
        Some(())
    }

    fn hear_metric(&mut self, name: &str, value: &str) -> Option<()> {
        let value = value.parse().ok().filter(|number: &f64| number.is_finite())?;
        if self.metrics.len() == MAX_METRICS && !self.metrics.contains_key(name) {
            return None;
        }
        self.metrics.insert(name.to_owned(), value);
        Some(())
    }

    /// Whether it has work in hand, and how much is done: by its own count, else by how often it told that it is alive.
    /// `None` if it never told either.
    pub(super) fn progress(&self) -> Option<(bool, u64)> {
        let has_told = self.busy.is_some() || self.done.is_some() || self.ticks > 0;
        has_told.then(|| (self.busy.unwrap_or(false), self.done.unwrap_or(self.ticks)))
    }

    /// Has a beat say all of it.
    pub(super) fn fill(&self, worker: &mut WorkerHeartbeat) {
        worker.status = Some(self.status());
        worker.health_status = if self.missed_watchdog { Some(HealthStatus::Unhealthy) } else { self.health };
        worker.queue_depth = self.queue_depth;
        worker.model_loaded.clone_from(&self.model);
        worker.gpu_utilization = self.gpu_utilization;
        worker.last_inference_ms = self.last_inference_ms;
        worker.metrics = (!self.metrics.is_empty()).then(|| self.metrics.clone());
        worker.last_error.clone_from(&self.last_error);
        worker.metadata = self.metadata();
    }

    fn status(&self) -> WorkerStatus {
        match (self.is_stopping, self.is_ready, self.busy) {
            (true, ..) => WorkerStatus::Draining,
            (false, false, _) => WorkerStatus::Starting,
            (false, true, Some(true)) => WorkerStatus::Busy,
            (false, true, _) => WorkerStatus::Idle,
        }
    }

    /// What was given on the command line fits; where words of the command's own do not fit beside it, they are left out.
    fn metadata(&self) -> Option<Metadata> {
        if self.metadata.is_empty() {
            return None;
        }
        Metadata::new(&self.metadata).ok().or_else(|| {
            let given: BTreeMap<_, _> = self.metadata.iter().filter(|(key, _)| *key != STATUS_TEXT).collect();
            Metadata::new(&given).ok()
        })
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::MemberId;

    use super::*;

    fn after(messages: &[&str]) -> (Told, WorkerHeartbeat) {
        let mut told = Told::new(&[("job".to_owned(), "nightly".to_owned())]);
        for message in messages {
            assert_eq!(told.hear(&Notification::parse(message.as_bytes())), [""; 0], "{message}");
        }
        let mut worker = WorkerHeartbeat::new(MemberId::new("w").unwrap());
        told.fill(&mut worker);
        heartbeat_contract::validate(&worker).unwrap();
        (told, worker)
    }

    #[test]
    fn a_command_is_starting_until_it_is_ready_then_busy_or_idle_and_draining_once_it_stops() {
        let status = |messages: &[&str]| after(messages).1.status.unwrap();
        assert_eq!(status(&[]), WorkerStatus::Starting);
        assert_eq!(status(&["X_HEARTBEAT_BUSY=1"]), WorkerStatus::Starting);
        assert_eq!(status(&["READY=1"]), WorkerStatus::Idle);
        assert_eq!(status(&["READY=1\nX_HEARTBEAT_BUSY=1"]), WorkerStatus::Busy);
        assert_eq!(status(&["READY=1\nX_HEARTBEAT_BUSY=1", "X_HEARTBEAT_BUSY=0"]), WorkerStatus::Idle);
        assert_eq!(status(&["READY=1", "STOPPING=1"]), WorkerStatus::Draining);
    }

    #[test]
    fn figures_are_told_as_what_they_are() {
        let (_, worker) = after(&[
            "X_HEARTBEAT_QUEUE_DEPTH=7\nX_HEARTBEAT_MODEL=llama\nX_HEARTBEAT_GPU_UTILIZATION=0.5",
            "X_HEARTBEAT_LAST_INFERENCE_MS=120\nX_HEARTBEAT_METRIC_tokens=1.5\nX_HEARTBEAT_HEALTH=degraded",
            "STATUS=63 % loaded\nERRNO=2",
        ]);
        assert_eq!((worker.queue_depth, worker.model_loaded.as_deref()), (Some(7), Some("llama")));
        assert_eq!((worker.gpu_utilization, worker.last_inference_ms), (Some(0.5), Some(120)));
        assert_eq!(worker.metrics.unwrap()["tokens"], 1.5);
        assert_eq!(worker.health_status, Some(HealthStatus::Degraded));
        assert!(worker.last_error.unwrap().contains("No such file"));
        assert_eq!(worker.metadata.unwrap().as_json(), r#"{"job":"nightly","status_text":"63 % loaded"}"#);
    }

    #[test]
    fn progress_is_the_commands_own_count_or_else_how_often_it_told_that_it_is_alive() {
        assert_eq!(after(&["READY=1"]).0.progress(), None);
        assert_eq!(after(&["WATCHDOG=1", "WATCHDOG=1"]).0.progress(), Some((false, 2)));
        assert_eq!(after(&["X_HEARTBEAT_BUSY=1\nX_HEARTBEAT_DONE=9", "WATCHDOG=1"]).0.progress(), Some((true, 9)));
    }

    #[test]
    fn what_makes_no_sense_is_named_and_changes_nothing() {
        let mut told = Told::default();
        let message = "X_HEARTBEAT_QUEUE_DEPTH=-1\nX_HEARTBEAT_BUSY=yes\nX_HEARTBEAT_MOON=1\nX_HEARTBEAT_DONE=3";
        let senseless = told.hear(&Notification::parse(message.as_bytes()));
        assert_eq!(senseless, ["X_HEARTBEAT_QUEUE_DEPTH=-1", "X_HEARTBEAT_BUSY=yes", "X_HEARTBEAT_MOON=1"]);
        assert_eq!(told.progress(), Some((false, 3)));
    }

    #[test]
    fn a_missed_watchdog_is_unhealthy_until_the_next_sign_of_life() {
        let (mut told, mut worker) = after(&["READY=1\nWATCHDOG=1"]);
        told.missed_watchdog("no WATCHDOG=1 for 1s".to_owned());
        told.fill(&mut worker);
        assert_eq!(worker.health_status, Some(HealthStatus::Unhealthy));
        told.hear(&Notification::parse(b"WATCHDOG=1"));
        told.fill(&mut worker);
        assert_eq!(worker.health_status, None);
        assert_eq!(worker.last_error.as_deref(), Some("no WATCHDOG=1 for 1s"));
    }

    #[test]
    fn words_that_do_not_fit_are_left_out_and_what_was_given_stays() {
        let mut told = Told::new(&[("a".to_owned(), "x".repeat(900))]);
        told.hear(&Notification::parse(format!("STATUS={}", "y".repeat(500)).as_bytes()));
        let json = told.metadata().unwrap().as_json().to_owned();
        assert!(json.contains("xxx") && !json.contains("yyy"), "{json}");
    }
}
