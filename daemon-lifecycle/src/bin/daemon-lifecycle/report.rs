use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use serde_json::json;

use crate::{args::Output, wait::Outcome};

/// A message for a person. A reader that has gone away is none of our business: the exit code says it all.
pub(crate) fn say(message: fmt::Arguments<'_>) {
    writeln!(io::stderr(), "{message}").ok();
}

/// Data, for a program or a person.
pub(crate) fn put(data: &str) {
    let mut stdout = io::stdout();
    writeln!(stdout, "{data}").and_then(|()| stdout.flush()).ok();
}

/// What went wrong.
pub(crate) fn failures(outcomes: &[Outcome]) {
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        say(format_args!("error: {error}"));
    }
}

/// What came out.
pub(crate) fn print(output: Output, outcomes: &[Outcome]) {
    let rows: Vec<Row> = outcomes.iter().map(Row::from).collect();
    put(&match output {
        Output::Table => table(&rows),
        Output::Json => json(&rows),
    });
}

struct Row {
    url: String,
    healthy: bool,
    attempts: u32,
    elapsed: Duration,
    error: Option<String>,
}

impl From<&Outcome> for Row {
    fn from(outcome: &Outcome) -> Self {
        let (url, attempts, elapsed) = match outcome {
            Ok(healthy) => (healthy.url.clone(), healthy.attempts, healthy.elapsed),
            Err(error) => error
                .report()
                .map_or_else(Default::default, |report| (report.url().to_owned(), report.attempts(), report.elapsed())),
        };
        let error = outcome.as_ref().err().map(ToString::to_string);
        Self { url, healthy: error.is_none(), attempts, elapsed, error }
    }
}

fn json(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        json!({
            "url": row.url,
            "healthy": row.healthy,
            "attempts": row.attempts,
            "elapsed_ms": u64::try_from(row.elapsed.as_millis()).unwrap_or(u64::MAX),
            "error": row.error,
        })
    });
    serde_json::Value::from_iter(rows).to_string()
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.url.len()).max().unwrap_or(0).max("URL".len());
    let header = format!("{:width$}  {:9}  {:>8}  {:>9}", "URL", "STATE", "ATTEMPTS", "ELAPSED");
    let lines = rows.iter().map(|row| {
        let state = if row.healthy { "healthy" } else { "unhealthy" };
        let seconds = format!("{:.2} s", row.elapsed.as_secs_f64());
        format!("{:width$}  {state:9}  {:>8}  {seconds:>9}", row.url, row.attempts)
    });
    std::iter::once(header).chain(lines).collect::<Vec<_>>().join("\n")
}
