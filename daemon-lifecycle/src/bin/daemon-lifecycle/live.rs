//! What is seen of a wait while it goes on.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use daemon_lifecycle::{FailedAttempt, HealthPoll, Healthy, ProbeFailure, program::say};
use terminal_size::{Width, terminal_size_of};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

const REDRAWN_EVERY: Duration = Duration::from_millis(100);
const BAR: usize = 20;
const SPINNER: [char; 4] = ['|', '/', '-', '\\'];
/// To the beginning of the line, and away with what stands there.
const ERASE: &str = "\r\x1b[K";

/// Tells of changes line by line; on a terminal, also keeps one line up to date below them.
#[derive(Clone)]
pub(crate) struct Live {
    rows: Arc<Mutex<Vec<Row>>>,
    timeout: Duration,
    on_terminal: bool,
}

/// What is known of one that is waited for.
#[derive(Debug, Default)]
struct Row {
    healthy: bool,
    /// How it failed last, and in words.
    failed: Option<(ProbeFailure, String)>,
    progress: Option<f64>,
    hinted: bool,
}

impl Live {
    pub(crate) fn new(targets: usize, timeout: Duration) -> Self {
        let rows = std::iter::repeat_with(Row::default).take(targets).collect();
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { rows: Arc::new(Mutex::new(rows)), timeout, on_terminal: io::stderr().is_terminal() && !dumb }
    }

    /// Has one of the polls tell of itself here.
    pub(crate) fn watch(&self, index: usize, poll: HealthPoll) -> HealthPoll {
        let (failing, healthy) = (self.clone(), self.clone());
        poll.on_failed_attempt(move |attempt| failing.failed(index, attempt))
            .on_healthy(move |found| healthy.healthy(index, found))
    }

    /// Keeps the line up to date until dropped.
    pub(crate) async fn redraw(&self) {
        if !self.on_terminal {
            return std::future::pending().await;
        }
        let mut ticks: Interval = interval(REDRAWN_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let began: Instant = ticks.tick().await;
        loop {
            let elapsed = ticks.tick().await - began;
            let line = line(&self.rows(), elapsed, self.timeout);
            put(&format!("{ERASE}{}", fitted(&line, columns())));
        }
    }

    /// Leaves nothing behind of the line that was kept up to date.
    pub(crate) fn clear(&self) {
        if self.on_terminal {
            put(ERASE);
        }
    }

    /// A line whenever a daemon fails in a way it did not fail the time before.
    fn failed(&self, index: usize, attempt: &FailedAttempt<'_>) {
        let mut rows = self.rows();
        let row = &mut rows[index];
        let kind = attempt.error.kind();
        let before = row.failed.replace((kind, attempt.error.to_string()));
        row.progress = attempt.error.progress();
        if before.is_none_or(|(before, _)| before != kind) {
            row.hinted = false;
            self.say(format_args!("waiting: {}", attempt.error));
        }
        if let Some(hint) = attempt.hint.filter(|_| !row.hinted) {
            row.hinted = true;
            self.say(format_args!("hint: {hint}"));
        }
    }

    fn healthy(&self, index: usize, healthy: &Healthy) {
        let mut rows = self.rows();
        rows[index].healthy = true;
        if let Some(warning) = &healthy.answer.warning {
            self.say(format_args!("warning: {}: {warning}", healthy.url));
        } else if rows.len() > 1 {
            self.say(format_args!("healthy: {}", healthy.url));
        }
    }

    fn say(&self, message: fmt::Arguments<'_>) {
        self.clear();
        say(message);
    }

    fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Such as `[########------------]  40 %  12 s of 60 s  1 of 2 healthy  http://...: status 503`.
fn line(rows: &[Row], elapsed: Duration, timeout: Duration) -> String {
    let awaited = rows.iter().find(|row| !row.healthy);
    let mut line = match awaited.and_then(|row| row.progress) {
        Some(progress) => bar(progress),
        None => SPINNER[(elapsed.as_millis() / REDRAWN_EVERY.as_millis()) as usize % SPINNER.len()].to_string(),
    };
    line += &format!("  {} s", elapsed.as_secs());
    // Growing progress may have bought more.
    if elapsed <= timeout {
        line += &format!(" of {} s", timeout.as_secs_f64());
    }
    if rows.len() > 1 {
        let healthy = rows.iter().filter(|row| row.healthy).count();
        line += &format!("  {healthy} of {} healthy", rows.len());
    }
    if let Some((_, failed)) = awaited.and_then(|row| row.failed.as_ref()) {
        line += &format!("  {failed}");
    }
    line
}

fn bar(progress: f64) -> String {
    let done = ((progress * BAR as f64) as usize).min(BAR);
    format!("[{}{}] {:>3.0} %", "#".repeat(done), "-".repeat(BAR - done), progress * 100.0)
}

/// One that is wrapped could not be erased.
fn fitted(line: &str, columns: usize) -> String {
    line.chars().take(columns.saturating_sub(1)).collect()
}

fn columns() -> usize {
    terminal_size_of(io::stderr()).map_or(80, |(Width(columns), _)| usize::from(columns))
}

fn put(text: &str) {
    let mut stderr = io::stderr();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).ok();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use daemon_lifecycle::ProbeFailure;

    use super::{Row, bar, fitted, line};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failing(words: &str, progress: Option<f64>) -> Row {
        Row { failed: Some((ProbeFailure::Other, words.to_owned())), progress, ..Row::default() }
    }

    #[test]
    fn the_line_tells_of_the_first_that_is_still_waited_for() {
        let healthy = Row { healthy: true, ..Row::default() };
        let rows = [healthy, failing("http://h: status 503", Some(0.4))];
        assert_eq!(
            line(&rows, seconds(12), seconds(60)),
            "[########------------]  40 %  12 s of 60 s  1 of 2 healthy  http://h: status 503"
        );
        assert_eq!(line(&[failing("x", None)], seconds(0), Duration::from_millis(1_500)), "|  0 s of 1.5 s  x");
    }

    #[test]
    fn a_bar_is_always_as_long() {
        for (progress, shown) in [(0.0, "[--------------------]   0 %"), (1.0, "[####################] 100 %")] {
            assert_eq!(bar(progress), shown);
        }
    }

    #[test]
    fn a_line_never_reaches_the_edge_of_the_terminal() {
        assert_eq!(fitted("äbcdef", 4), "äbc");
        assert_eq!(fitted("abc", 80), "abc");
    }
}
