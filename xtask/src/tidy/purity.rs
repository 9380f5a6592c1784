//! Rooms that some words must not enter.

use super::Finding;

/// A part of the workspace and what it must not name, as words or as `path::item`.
struct Room {
    folder: &'static str,
    promise: &'static str,
    banned: &'static [&'static str],
}

const ROOMS: [Room; 2] = [
    Room {
        folder: "heartbeat-registry/src/core/",
        promise: "the core reads no clock, waits for nothing, locks nothing and logs nothing",
        banned: &[
            "tokio",
            "axum",
            "hyper",
            "reqwest",
            "async",
            "await",
            "Future",
            "spawn",
            "Mutex",
            "RwLock",
            "lock()",
            "Instant",
            "SystemTime",
            "Timestamp::now",
            "Zoned::now",
            "Clock",
            "tracing",
            "log::",
            "println",
            "eprintln",
        ],
    },
    Room {
        folder: "heartbeat-contract/src/",
        promise: "the contract knows no task, no socket and no clock",
        banned: &[
            "tokio",
            "axum",
            "hyper",
            "reqwest",
            "async",
            "await",
            "Future",
            "std::net",
            "Instant",
            "SystemTime",
            "Timestamp::now",
            "Zoned::now",
        ],
    },
];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in ROOMS.iter().filter(|room| path.starts_with(room.folder)) {
        for (line, code) in code_lines(text) {
            let intruders = room.banned.iter().filter(|word| names(code, word));
            findings.extend(intruders.map(|word| Finding::at(path, line, format!("`{word}`: {}", room.promise))));
        }
    }
    findings
}

/// The lines with their numbers, without comments. What follows `//` in a string is lost, too.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = |line| str::split_once(line, "//").map_or(line, |(code, _)| code);
    text.lines().enumerate().map(move |(index, line)| (index + 1, code(line)))
}

/// Whether `word` stands in `code`, not as a part of a longer name.
fn names(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let begins_here = !before.is_some_and(is_part);
        let ends_here = !word.ends_with(is_part) || !after.is_some_and(is_part);
        begins_here && ends_here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in_core(code: &str) -> usize {
        check("heartbeat-registry/src/core/wheel.rs", code).len()
    }

    #[test]
    fn a_clock_a_lock_a_task_or_a_log_line_in_the_core_is_found() {
        for code in [
            "use std::time::Instant;",
            "let now = Timestamp::now();",
            "let guard = self.table.lock();",
            "use std::sync::{Arc, Mutex};",
            "async fn sweep() {}",
            "tokio::spawn(sweep());",
            "tracing::info!(\"swept\");",
            "log::info!(\"swept\");",
        ] {
            assert!(found_in_core(code) > 0, "{code}");
        }
    }

    #[test]
    fn comments_other_names_and_other_folders_are_left_alone() {
        assert_eq!(found_in_core("/// Reads no Instant.\nlet instants = 3; let block = 1; let log = 2;"), 0);
        assert_eq!(found_in_core("let VirtualClock { at } = clock;"), 0);
        assert!(check("heartbeat-registry/src/driver.rs", "use std::time::Instant;").is_empty());
    }

    #[test]
    fn async_code_in_the_contract_is_found() {
        assert_eq!(check("heartbeat-contract/src/beat.rs", "\npub async fn send() {}")[0].line, Some(2));
    }
}
