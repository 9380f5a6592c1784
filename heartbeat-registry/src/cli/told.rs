//! Events in a few words: what happened, and why.

use std::time::Duration;

use heartbeat_contract::{EventBody, ProtectionEnd};

use crate::readable::{humane, seconds};

pub(super) fn told(body: &EventBody) -> (String, String) {
    match body {
        EventBody::Registered {} => ("registered".to_owned(), String::new()),
        EventBody::Transition { from, to, cause, evidence, .. } => {
            let cause = cause.map(|cause| format!("{cause}: ")).unwrap_or_default();
            (format!("{from} -> {to}"), format!("{cause}{}", evidence.join("; ")))
        }
        EventBody::Restarted { previous_incarnation } => {
            let before = previous_incarnation.map(|run| format!("run before: {run}")).unwrap_or_default();
            ("restarted".to_owned(), before)
        }
        EventBody::Superseded { newest_incarnation } => {
            ("superseded".to_owned(), format!("a beat of it came after run {newest_incarnation}"))
        }
        EventBody::Forgotten { reason } => ("forgotten".to_owned(), reason.to_string()),
        EventBody::Policy { policy } => {
            let (every, stuck) = (humane(policy.interval), humane(policy.stuck_after));
            let detail =
                format!("every {every}, threshold {}, {}, stuck after {stuck}", policy.threshold, policy.detector);
            ("policy".to_owned(), detail)
        }
        EventBody::Directive { directive, outcome } => (format!("directive {directive}"), outcome.to_string()),
        EventBody::HostDown { host, members, failed_before, .. } => (format!("host {host} is down"), {
            let before = format!("; told of before: {}", failed_before.join(", "));
            format!("all {members} members are silent{}", if failed_before.is_empty() { "" } else { &before })
        }),
        EventBody::Protection { zone, active: true, silent_hosts, hosts, .. } => {
            let why =
                format!("{silent_hosts} of {hosts} hosts fell silent at once: their members are held before failed");
            (format!("protection of {zone} began"), why)
        }
        EventBody::Protection { zone, silent_hosts, ended, .. } => {
            let how = match ended {
                Some(ProtectionEnd::Confirmed) => "an operator confirmed the loss: ",
                Some(ProtectionEnd::Released) => "an operator released it: ",
                Some(ProtectionEnd::Widened) => "it is one of the whole fleet now: ",
                _ => "",
            };
            (format!("protection of {zone} ended"), format!("{how}{silent_hosts} of its hosts are still silent"))
        }
        EventBody::RegistryBlind { credited_ms, window_ms, active } => {
            let what = if *active { "the registry is blind" } else { "the registry sees again" };
            let window = humane(Duration::from_millis(*window_ms));
            (what.to_owned(), format!("it could not listen for {} of the last {window}", seconds(*credited_ms)))
        }
        EventBody::Flapping { active: true, .. } => {
            ("flapping".to_owned(), "it changes its state too often: its alerts are muted".to_owned())
        }
        EventBody::Flapping { .. } => ("settled".to_owned(), "its alerts are told again".to_owned()),
        EventBody::DuplicateIdentity { addresses } => {
            ("duplicate identity".to_owned(), format!("two live runs use this id: from {}", addresses.join(" and ")))
        }
        other => (other.type_word().to_owned(), String::new()),
    }
}
