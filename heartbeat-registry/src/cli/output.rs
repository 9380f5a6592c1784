//! Answers on standard output: tables for people, JSON for programs.

use std::time::Duration;

use comfy_table::{Table, presets};
use daemon_lifecycle::program::{Output, harmless, put, say};
use heartbeat_contract::{
    AskedDirective, BlindStats, CanaryState, Event, HealthState, HistoryPage, HoldView, MemberId, MemberStats,
    MemberView, ProtectionView, SinkStats, Stats, Verification,
};
use serde::Serialize;

use super::figures;
use super::token::ShownToken;
use super::told::told;
use super::{Failed, UNHEALTHY};
use crate::readable::{humane, seconds};

/// Prints one thing.
pub(super) fn one<T: Serialize>(output: Output, item: &T, table: impl FnOnce() -> String) -> Result<(), Failed> {
    write(match output {
        Output::Table => Ok(table()),
        Output::Json => serde_json::to_string_pretty(item),
        Output::Jsonl => serde_json::to_string(item),
    })
}

/// Prints several things: as JSON a list, as JSON lines one a line.
pub(super) fn many<T: Serialize>(output: Output, items: &[T], table: impl FnOnce() -> String) -> Result<(), Failed> {
    let lines = || items.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
    write(match output {
        Output::Table => Ok(table()),
        Output::Json => serde_json::to_string_pretty(items),
        Output::Jsonl => lines().map(|lines| lines.join("\n")),
    })
}

/// Says on standard error what there is to say beside an answer.
pub(super) fn tell(message: &str) {
    say(format_args!("{}", harmless(message)));
}

fn write(text: Result<String, serde_json::Error>) -> Result<(), Failed> {
    let text = text.map_err(|error| Failed::new(&error, UNHEALTHY))?;
    if text.is_empty() {
        return Ok(());
    }
    let text: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    put(text)
}

pub(super) fn members(members: &[MemberView]) -> String {
    let mut table = table(["ID", "STATE", "AGE", "CAUSE", "STATUS", "HOST", "ZONE", "BEATS EVERY", "FAILS IN"]);
    for member in members {
        let fails_in = member.deadlines.map_or_else(dash, |deadlines| ahead(deadlines.failed_in_ms));
        table.add_row(cells([
            member.id.to_string(),
            member.state.to_string(),
            seconds(member.age_ms),
            cause(member),
            member.status.clone().unwrap_or_else(dash),
            member.host.clone(),
            member.zone.to_string(),
            humane(member.policy.interval),
            fails_in,
        ]));
    }
    table.to_string()
}

/// Why it is in its state, and whether anything keeps it from failed.
fn cause(member: &MemberView) -> String {
    let cause = member.cause.map_or_else(dash, |cause| cause.to_string());
    if member.holds.is_empty() { cause } else { format!("{cause}, held") }
}

fn holds(member: &MemberView) -> String {
    let one = |hold: &HoldView| format!("{} until {:.3}", hold.reason, hold.until);
    if member.holds.is_empty() { dash() } else { member.holds.iter().map(one).collect::<Vec<_>>().join("; ") }
}

pub(super) fn member(member: &MemberView) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        ("id", member.id.to_string()),
        ("kind", member.kind.to_string()),
        ("state", member.state.to_string()),
        ("cause", member.cause.map_or_else(dash, |cause| cause.to_string())),
        ("evidence", evidence(member)),
        ("held", holds(member)),
        ("age", seconds(member.age_ms)),
        ("credited", seconds(member.credited_ms)),
        ("last seen", member.last_seen.map_or_else(|| "never".to_owned(), |at| format!("{at:.3}"))),
        ("first seen", format!("{:.3}", member.first_seen)),
        ("status", member.status.clone().unwrap_or_else(dash)),
        ("self-report", member.self_report.map_or_else(dash, |report| report.to_string())),
        ("host", format!("{} (by {})", member.host, member.host_from)),
        ("zone", member.zone.to_string()),
        ("beats from", beats_from(member)),
        ("endpoint", member.endpoint.clone().unwrap_or_else(dash)),
        ("judged by", judged_by(member)),
        ("run", member.incarnation.map_or_else(|| "unordered".to_owned(), |run| run.to_string())),
        ("seq", member.seq.map_or_else(dash, |seq| seq.to_string())),
        ("restarts", member.restarts.to_string()),
        ("beats lost", beats_lost(member)),
        ("availability", member.availability.map_or_else(dash, percent)),
        ("flap score", format!("{:.1}", member.flap_score)),
        ("flags", words_or_dash(member.flags.iter().map(|flag| flag.as_str()))),
        ("runtime lag", member.runtime_lag_ms.map_or_else(dash, seconds)),
        ("clock ahead by", member.skew_ms.map_or_else(dash, signed)),
        ("slept", member.slept_ms.map_or_else(dash, seconds)),
    ];
    if let Some(deadlines) = member.deadlines {
        rows.push(("degraded in", ahead(deadlines.degraded_in_ms)));
        rows.push(("critical in", ahead(deadlines.critical_in_ms)));
        rows.push(("failed in", ahead(deadlines.failed_in_ms)));
    }
    rows.extend(member.holds.iter().map(|hold| ("held", format!("{} until {:.3}", hold.reason, hold.until))));
    if let Some(suspicion) = member.suspicion {
        rows.push(("suspicion", format!("{suspicion:.2}, which decides nothing")));
    }
    rows.push(("asked for", words_or_dash(member.directives.iter().map(|directive| directive.as_str()))));
    rows.extend(figures::rows(member));
    let payload = member.payload.as_ref().and_then(|payload| serde_json::to_string_pretty(payload).ok());
    rows.push(("payload", payload.unwrap_or_else(dash)));
    pairs(rows)
}

pub(super) fn history(page: &HistoryPage) -> String {
    let mut table = table(["AT", "SEQ", "STATUS", "METADATA"]);
    for beat in &page.beats {
        table.add_row(cells([
            format!("{:.3}", beat.at),
            beat.seq.map_or_else(dash, |seq| seq.to_string()),
            beat.status.clone().unwrap_or_else(dash),
            beat.metadata.as_ref().map_or_else(dash, |metadata| metadata.as_json().to_owned()),
        ]));
    }
    let spread = match (page.mean_interval_ms, page.jitter_ms) {
        (Some(mean), Some(jitter)) => format!("\n\na beat every {mean:.0} ms, give or take {jitter:.0} ms"),
        _ => String::new(),
    };
    format!("{table}{spread}")
}

/// Sentences, each on a line of its own.
pub(super) fn sentences(words: &[String]) -> String {
    harmless(&words.join("\n"))
}

pub(super) fn asked(id: &MemberId, asked: &AskedDirective) -> String {
    let AskedDirective { directive, incarnation, until } = asked;
    let run = incarnation.map(|run| format!(" (run {run})")).unwrap_or_default();
    format!("{id}{run} is asked for {directive} with each ack, until it obeys or {until:.3}")
}

pub(super) fn verification(found: &Verification) -> String {
    let when = if found.cached { "a moment ago, told again" } else { "just now" };
    pairs([
        ("id", found.id.to_string()),
        ("kind", found.kind.to_string()),
        ("outcome", found.outcome.to_string()),
        ("detail", found.detail.clone()),
        ("asked", found.url.clone()),
        ("at", format!("{:.3}, {when}", found.at)),
        ("took", format!("{} ms", found.took_ms)),
        ("state then", found.state.to_string()),
    ])
}

pub(super) fn stats(stats: &Stats) -> String {
    let mut table = table(["KIND", "TOTAL", "HEALTHY", "DEGRADED", "CRITICAL", "FAILED", "LEFT"]);
    let mut row = |name: &str, of: &MemberStats| {
        let counts = [of.total, of.healthy, of.degraded, of.critical, of.failed, of.left];
        table.add_row(std::iter::once(name.to_owned()).chain(counts.map(|count| count.to_string())));
    };
    for (kind, of) in &stats.kinds {
        row(kind.as_str(), of);
    }
    row("all", &stats.members);
    let (beats, driver, detection) = (&stats.beats, &stats.driver, &stats.detection);
    let percentile = |age: Option<u64>| age.map_or_else(dash, seconds);
    let rest = pairs([
        ("uptime", humane(Duration::from_millis(stats.uptime_ms / 1000 * 1000))),
        ("beats", format!("{} fresh, {} duplicate, {} refused", beats.fresh, beats.duplicate, beats.refused)),
        ("beats per second", format!("{:.1} over the last minute", beats.per_second)),
        (
            "events",
            format!("{} to {} in log {}", stats.events.oldest, stats.events.next.saturating_sub(1), stats.events.log),
        ),
        (
            "failures",
            format!(
                "{}, told after {} (median), {} (99th percentile)",
                detection.failures,
                percentile(detection.p50_ms),
                percentile(detection.p99_ms)
            ),
        ),
        ("availability", stats.availability.map_or_else(dash, percent)),
        ("driver", if driver.alive { "alive".to_owned() } else { "DEAD: nobody is judged".to_owned() }),
        ("credited", credited(stats)),
        ("ingest lag", ingest_lag(&stats.blind)),
        ("suspects probed", format!("{}, {} dropped", stats.probes.done, stats.probes.dropped)),
    ]);
    let alerts = if stats.alerts.is_empty() { String::new() } else { format!("\n\n{}", sinks(&stats.alerts)) };
    format!("{table}\n\n{rest}{alerts}")
}

fn sinks(sinks: &[SinkStats]) -> String {
    let mut table = table([
        "ALERTS TO",
        "FIRING",
        "SENT",
        "FAILED",
        "RETRIED",
        "DROPPED",
        "MUTED",
        "SUPPRESSED",
        "LAST OK",
        "LAST ERROR",
    ]);
    for sink in sinks {
        let counts = [sink.firing, sink.sent, sink.failed, sink.retried, sink.dropped, sink.muted, sink.suppressed];
        let mut row = vec![harmless(&sink.name)];
        row.extend(counts.map(|count| count.to_string()));
        row.push(sink.last_ok.map_or_else(|| "never".to_owned(), |at| format!("{at:.3}")));
        row.push(sink.last_error.as_deref().map_or_else(dash, harmless));
        table.add_row(row);
    }
    table.to_string()
}

/// How much time was held against nobody.
fn credited(stats: &Stats) -> String {
    let blind = &stats.blind;
    let window = humane(Duration::from_millis(blind.window_ms));
    let lately = format!("{} of the last {window} ({:.1} %)", seconds(blind.credited_ms), blind.share * 100.0);
    let alarm = if blind.active { "BLIND: " } else { "" };
    format!("{alarm}{}, {lately}", seconds(stats.driver.credited_ms))
}

/// How far behind the listener is with reading beats.
fn ingest_lag(blind: &BlindStats) -> String {
    let lag = |ms: Option<u64>| ms.map_or_else(dash, |ms| format!("{ms} ms"));
    let figures = format!("{}, at most {} lately", lag(blind.ingest_lag_ms), lag(blind.ingest_lag_max_ms));
    match (blind.canary, &blind.canary_error) {
        (CanaryState::Off, _) => "not measured".to_owned(),
        (CanaryState::Ok, _) => figures,
        (state, None) => format!("{state}: {figures}"),
        (state, Some(error)) => format!("{state}: {error}"),
    }
}

pub(super) fn events(events: &[Event]) -> String {
    let mut table = table(["N", "AT", "KIND", "MEMBER", "WHAT", "WHY"]);
    for event in events {
        table.add_row(event_cells(event));
    }
    table.to_string()
}

/// One line of a table whose other lines are not known yet.
pub(super) fn event_row(event: &Event) -> String {
    let [n, at, kind, member, what, why] = event_cells(event).map(|text| text.replace('\n', " "));
    format!("{n:>6}  {at}  {kind:<6}  {member:<20}  {what:<20}  {why}").trim_end().to_owned()
}

fn event_cells(event: &Event) -> [String; 6] {
    let (what, why) = told(&event.body);
    cells([
        event.n.to_string(),
        format!("{:.3}", event.at),
        event.kind.as_ref().map_or_else(dash, ToString::to_string),
        event.member.as_ref().map_or_else(dash, ToString::to_string),
        what,
        why,
    ])
}

pub(super) fn protections(protections: &[ProtectionView]) -> String {
    let mut table = table(["ZONE", "", "SINCE", "UNTIL", "SILENT HOSTS", "OF", "MEMBERS HELD"]);
    for held in protections {
        table.add_row(cells([
            held.zone.clone(),
            if held.letting_go { "letting go" } else { "held" }.to_owned(),
            format!("{:.0}", held.since),
            format!("{:.0}", held.until),
            held.silent_hosts.to_string(),
            held.hosts.to_string(),
            held.members.to_string(),
        ]));
    }
    table.to_string()
}

pub(super) fn tokens(tokens: &[ShownToken]) -> String {
    let mut table = table(["NAME", "SCOPES", "CREATED", "NOTE"]);
    for token in tokens {
        let note = token.note.clone().unwrap_or_else(dash);
        table.add_row(cells([token.name.clone(), token.scopes.join(" "), token.created.to_string(), note]));
    }
    table.to_string()
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

fn cells<const N: usize>(texts: [String; N]) -> [String; N] {
    texts.map(|text| harmless(&text))
}

fn pairs<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).add_rows(rows.into_iter().map(|(name, value)| cells([name.to_owned(), value])));
    table.to_string()
}

fn judged_by(member: &MemberView) -> String {
    let mut policy = member.policy.clone();
    if let Some(allowance) = member.allowance_ms {
        policy.allowance = Duration::from_millis(allowance);
    }
    let [degraded, critical, failed] =
        [policy.degraded_after(), policy.critical_after(), policy.failed_after()].map(humane);
    format!(
        "a beat every {}: degraded after {degraded}, critical after {critical}, failed after {failed} ({})",
        humane(policy.interval),
        policy.detector
    )
}

fn beats_from(member: &MemberView) -> String {
    match &member.rivals[..] {
        [] => member.address.clone().unwrap_or_else(dash),
        rivals => format!("two live runs: {}", rivals.join(", ")),
    }
}

fn beats_lost(member: &MemberView) -> String {
    let recent = member.recent_loss_rate.map(|rate| format!(", {} of the newest 64", percent(rate)));
    member.loss_rate.map_or_else(dash, |rate| percent(rate) + &recent.unwrap_or_default())
}

/// `99.98 %`; only what is whole is told as 100.
fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent < 100.0 => format!("{:.2} %", percent.min(99.99)),
        _ => "100 %".to_owned(),
    }
}

fn signed(millis: i64) -> String {
    // What is shown as nothing has no sign.
    let sign = if millis <= -50 { "-" } else { "" };
    format!("{sign}{}", seconds(millis.unsigned_abs()))
}

fn evidence(member: &MemberView) -> String {
    let leaving = member.payload.as_ref().and_then(|payload| payload.pointer("/beat/leaving")?.as_str());
    match leaving.filter(|_| member.state == HealthState::Left) {
        Some(reason) => format!("said goodbye: {reason}"),
        None if member.evidence.is_empty() => dash(),
        None => member.evidence.join("; "),
    }
}

fn words_or_dash<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    if words.is_empty() { dash() } else { words.join(", ") }
}

fn dash() -> String {
    "-".to_owned()
}

/// How far ahead something is; a dash once it is past.
fn ahead(millis: i64) -> String {
    u64::try_from(millis).map_or_else(|_| dash(), seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_cannot_send_escapes_to_the_terminal() {
        assert_eq!(cells(["\u{1b}[2Jgone".to_owned()]), ["\\u{1b}[2Jgone"]);
    }

    #[test]
    fn what_is_shown_as_nothing_has_no_sign() {
        assert_eq!([-1_500, -50, -49, 0, 50].map(signed), ["-1.5 s", "-0.1 s", "0.0 s", "0.0 s", "0.1 s"]);
    }
}
