//! Why members are in their states, in words and fields.

use std::sync::PoisonError;
use std::time::Duration;

use heartbeat_contract::{
    Cause, Detector, Directive, Explanation, FailingSource, HealthState, HoldReason, Kind, MemberId, NextChange, Rule,
};

use crate::core::{Cold, Hot, KindIndex, Now, Outlook, explain};
use crate::engine::Engine;
use crate::notable::{flags, notable};
use crate::readable::{failing, humane, seconds};
use crate::view::{deadlines, holds};

impl Engine {
    /// Explains a member, if it is known.
    pub(crate) fn explain(&self, kind: KindIndex, id: &MemberId) -> Option<Explanation> {
        let now = self.now();
        let key = self.key(kind, id);
        let table = self.table(key);
        let slot = table.find(key)?;
        let (hot, cold) = table.get(slot)?;
        let outlook = table.outlook(slot, &now)?;
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let mut explanation = explanation(kinds.name(kind), hot, cold, outlook, &now);
        if let Some(attachment) = cold.attachment.as_deref() {
            let is_unwell = !matches!(explanation.state, HealthState::Healthy | HealthState::Left);
            let error = kinds.last_error(kind, attachment).filter(|_| is_unwell);
            explanation.words.extend(error.map(last_error));
            explanation.words.extend(kinds.failing_sources(kind, attachment).iter().map(out_of_date));
        }
        Some(explanation)
    }
}

fn explanation(kind: Kind, hot: &Hot, cold: &Cold, outlook: Outlook, now: &Now) -> Explanation {
    let (cause, evidence) = explain(hot.state(), hot, cold, now);
    let next = outlook.next.map(|(to, at)| NextChange {
        to,
        in_ms: at.saturating_sub(now.at).div_ceil(1000),
        at: now.wall_at(at.max(now.at)),
    });
    let mut explanation = Explanation {
        kind,
        id: cold.id.clone(),
        state: hot.state(),
        since: cold.state_since_wall,
        rule: outlook.rule,
        cause,
        evidence,
        age_ms: hot.silence(now) / 1000,
        credited_ms: hot.credited_ms(now),
        deadlines: deadlines(hot, now),
        flags: flags(hot, cold, now),
        holds: holds(hot, cold, now),
        policy: cold.resolved(hot),
        next,
        words: Vec::new(),
    };
    explanation.words = words(&explanation, hot, cold);
    explanation.words.extend(notable(hot, cold, now));
    explanation.words.extend(asked(cold, now));
    explanation
}

/// Why, by which rule, what happens next, and what would bring it back.
fn words(told: &Explanation, hot: &Hot, cold: &Cold) -> Vec<String> {
    let why = why(told, hot.has_beaten());
    let sentences = [Some(why), Some(rule(told, hot)), credit(told), next(told), Some(way_back(told, hot, cold))];
    sentences.into_iter().flatten().collect()
}

fn why(told: &Explanation, has_beaten: bool) -> String {
    let (id, state, since) = (&told.id, told.state, told.since);
    match state {
        HealthState::Left => format!("{id} left at {since:.3}: it said goodbye."),
        HealthState::Healthy if has_beaten => {
            format!("{id} is healthy: its last beat came {} ago.", seconds(told.age_ms))
        }
        HealthState::Healthy => {
            format!("{id} is taken to be healthy: it was announced {} ago, and no beat came yet.", seconds(told.age_ms))
        }
        _ => {
            let cause = told.cause.and_then(said).into_iter().map(str::to_owned);
            let why: Vec<String> = cause.chain(told.evidence.iter().cloned()).collect();
            format!("{id} is {state} since {since:.3}: {}.", why.join("; "))
        }
    }
}

/// A cause in words, where the evidence alone would leave it to the reader.
fn said(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::ProcessDead => Some("its process is gone"),
        Cause::Hung => Some("its process is there, but does not answer"),
        Cause::Network => Some("it answers, but its beats do not get through"),
        Cause::HostDown => Some("it is not alone: its whole host fell silent"),
        Cause::Stuck => Some("it beats, but its work does not get on"),
        _ => None,
    }
}

fn rule(told: &Explanation, hot: &Hot) -> String {
    let policy = &told.policy;
    let (interval, edges) = (humane(policy.interval), hot.edges());
    let [allowance, degraded, critical, failed] = [hot.allowance(), edges.degraded, edges.critical, edges.failed]
        .map(|micros| humane(Duration::from_micros(micros)));
    let threshold = policy.threshold;
    let learnt = if policy.detector == Detector::Adaptive { ", learnt from its arrivals" } else { "" };
    let edges = format!("failed beyond {failed} ({threshold} x {interval} + {allowance}{learnt})");
    let edges = match threshold {
        2 => format!("degraded from {degraded} of silence, {edges}"),
        _ => format!("degraded from {degraded} of silence, critical from {critical}, {edges}"),
    };
    match told.rule {
        Rule::Goodbye => "A goodbye is no failure, and raises no alert.".to_owned(),
        Rule::SelfReport => {
            format!("A member is at least as bad as it says of itself, however punctual its beats. By age: {edges}.")
        }
        Rule::Stuck => {
            let stuck_after = humane(policy.stuck_after);
            format!(
                "A member that is busy for {stuck_after} without progress is critical, however punctual its beats. By age: \
                 {edges}."
            )
        }
        Rule::Exit => {
            format!(
                "A member whose process ended unasked is critical at once, however recent its last beat. By age: {edges}."
            )
        }
        Rule::Recovery => {
            let beats = policy.recover_after;
            format!("Once late, it has to beat {beats} times in a row in time. By age: {edges}.")
        }
        Rule::Hold => {
            let reasons: Vec<&str> = told.holds.iter().map(|hold| in_words(hold.reason)).collect();
            format!("By age it is failed, but held: {}. By age: {edges}.", reasons.join(", and "))
        }
        _ => format!("By the age of its last beat: {edges}, plus any hold, plus 1 ms of processing."),
    }
}

fn in_words(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::StartupGrace => "it never beat, and is given time to start",
        HoldReason::MassSilence => "too many hosts fell silent at once to believe that all of them died",
        HoldReason::Network => "it answers a probe, so that its beats are lost on their way",
        _ => "for a reason that has no words",
    }
}

fn asked(cold: &Cold, now: &Now) -> Option<String> {
    let asked: Vec<&str> = cold.asked.at(now.at).map(Directive::as_str).collect();
    let sentence = format!("It is asked for {} with each ack, and has not obeyed yet.", asked.join(" and "));
    (!asked.is_empty()).then_some(sentence)
}

/// In one line, which a traceback is not.
fn last_error(told: &str) -> String {
    let lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
    format!("The last error that it told of: {}.", lines.collect::<Vec<_>>().join("; "))
}

fn out_of_date(source: &FailingSource) -> String {
    format!("Not all of its figures were up to date when it beat last: {}.", failing(source))
}

/// Less credit than this is the coarseness of timers, and nothing to worry people with.
const NOTABLE_MS: u64 = 100;

fn credit(told: &Explanation) -> Option<String> {
    let credited = seconds(told.credited_ms);
    let sentence = format!("{credited} of its silence are not held against it: the registry itself could not listen.");
    (told.credited_ms >= NOTABLE_MS).then_some(sentence)
}

fn next(told: &Explanation) -> Option<String> {
    let NextChange { to, in_ms, at } = told.next?;
    let to = to.as_str();
    let within = match in_ms {
        ..60_000 => seconds(in_ms),
        _ => humane(Duration::from_secs(in_ms / 1000)),
    };
    let is_silent = told.deadlines.is_some_and(|deadlines| deadlines.degraded_in_ms <= 0) || !told.state.is_online();
    let if_silent = if is_silent { "If it stays silent" } else { "If no beat comes" };
    Some(format!("{if_silent}, it is {to} in {within}, at {at:.3}."))
}

fn way_back(told: &Explanation, hot: &Hot, cold: &Cold) -> String {
    let is_unwell = hot.report().is_some_and(|report| HealthState::from(report) > HealthState::Healthy);
    match told.state {
        HealthState::Left if hot.order().is_some() => "It comes back with the first beat of a newer run.".to_owned(),
        HealthState::Healthy => "It stays healthy for as long as it beats in time.".to_owned(),
        HealthState::Left => "It comes back with its next beat.".to_owned(),
        _ if cold.end().is_some() => "It comes back with the first beat of a newer run.".to_owned(),
        _ if cold.is_stuck() => "It comes back with the first beat that shows progress, or no work.".to_owned(),
        _ if is_unwell => "It comes back once it beats in time and calls itself healthy.".to_owned(),
        _ => match told.policy.recover_after.saturating_sub(hot.recovered().into()) {
            0 | 1 if !hot.has_beaten() => "Its first beat makes it healthy.".to_owned(),
            0 | 1 => "It comes back with its next beat.".to_owned(),
            beats => format!("It comes back with {beats} beats in a row in time."),
        },
    }
}
