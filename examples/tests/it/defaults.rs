//! The intervals that programs begin with when nothing else is said.

use std::process::Command;

use crate::programs::path;

/// What a program's help says of a flag's default.
fn default_of(program: &str, flag: &str) -> Option<String> {
    let help = Command::new(path(program)).arg("--help").output().unwrap();
    let help: Vec<String> = String::from_utf8(help.stdout).unwrap().split_whitespace().map(ToOwned::to_owned).collect();
    let about_it = help.iter().skip_while(|word| *word != flag).skip(1).take_while(|word| !word.starts_with("--"));
    let default = about_it.skip_while(|word| *word != "[default:").nth(1)?;
    default.strip_suffix(']').map(str::to_owned)
}

#[test]
fn agents_beat_every_second_and_are_unhealthy_after_2_s_by_a_check_every_3_s() {
    let defaults = ["--interval", "--threshold", "--check"].map(|flag| default_of("agents", flag));
    assert_eq!(defaults, ["1s", "2s", "3s"].map(|default| Some(default.to_owned())));
}

#[test]
fn a_pipeline_beats_every_second_has_results_every_500_ms_a_timeout_of_3_s_and_ends_after_10_s() {
    let defaults = ["--heartbeat", "--work", "--timeout", "--for"].map(|flag| default_of("pipeline", flag));
    assert_eq!(defaults, ["1s", "500ms", "3s", "10s"].map(|default| Some(default.to_owned())));
}

#[test]
fn a_dashboard_looks_every_5_s() {
    assert_eq!(default_of("dashboard", "--every").as_deref(), Some("5s"));
}
