//! The file that `--config` names, read by the real binary.

use std::process::{Command, Output};

use crate::{
    cli::{command, stderr, stdout},
    folder::Folder,
    server::Refusing,
};

/// A configuration file, and the binary that is told of it.
struct Config(Folder);

impl Config {
    fn new(name: &str, text: &str) -> Self {
        let config = Self(Folder::new(name));
        std::fs::write(config.path(), text).expect("a new file");
        config
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("c.toml")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.env("HEARTBEAT_CONFIG", self.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    /// What it says where this file is refused, without the path.
    fn refusal(&self) -> String {
        let output = self.run(&["run", "--", "echo", "started"]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()), "{}", stderr(&output));
        stderr(&output).trim_end().replace(&self.path().display().to_string(), "F")
    }
}

fn refusing() -> Refusing {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { Refusing::new() })
}

#[test]
fn arguments_come_before_variables_and_those_before_the_file_and_that_before_defaults() {
    let refusing = refusing();
    let config = Config::new("precedence", "[wait]\nmax-attempts = 1\noutput = \"json\"\n");
    let url = refusing.url();
    let plain = command(&["wait", &url, "--max-attempts", "1"]).output().expect("the binary starts");
    let by_file = config.run(&["wait", &url]);
    let by_variable = config.command(&["wait", &url]).env("HEARTBEAT_WAIT_OUTPUT", "jsonl").output();
    let by_argument =
        config.command(&["wait", &url, "--output", "table"]).env("HEARTBEAT_WAIT_OUTPUT", "jsonl").output();
    let no_file = std::env::temp_dir().join("dl-no-such-file.toml");
    let by_other_file =
        command(&["wait", &url, "--config"]).arg(config.path()).env("HEARTBEAT_CONFIG", no_file).output();
    let first = |output: &Output| {
        assert_eq!(output.status.code(), Some(5), "{}", stderr(output));
        stdout(output).chars().next()
    };
    assert_eq!([first(&plain), first(&by_file)], [Some('U'), Some('[')]);
    assert_eq!(first(&by_other_file.expect("the binary starts")), Some('['));
    assert_eq!(first(&by_variable.expect("the binary starts")), Some('{'));
    assert_eq!(first(&by_argument.expect("the binary starts")), Some('U'));
}

#[test]
fn a_list_and_a_duration_are_taken_from_the_file() {
    let refusing = refusing();
    let config =
        Config::new("list", "timeout = \"2h\"\n[wait]\nfatal_on = [\"404\", \"refused\"]\ninitial_delay = \"1h\"\n");
    // It is over at once, although the next attempt would come in an hour.
    let output = config.run(&["wait", &refusing.url()]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("not healthy after 1 attempt in"), "{}", stderr(&output));
}

#[test]
fn a_truth_and_a_word_are_taken_from_the_file_and_give_way_to_what_excludes_them() {
    let config = Config::new("truth", "[run]\nready-notify = true\nrestart = \"never\"\ntimeout = \"50ms\"\n");
    let unready = config.run(&["run", "--", "sleep", "1000"]);
    assert_eq!(unready.status.code(), Some(124), "{}", stderr(&unready));
    let by_line = config.run(&["run", "--ready-line", "up", "--timeout", "60s", "--", "sh", "-c", "echo up; exit 7"]);
    assert_eq!(by_line.status.code(), Some(7), "{}", stderr(&by_line));
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place_before_anything_starts() {
    for (name, text, expected) in [
        ("unknown", "[run]\nreplase = true\n", "error: F:2:1: run.replase: unknown; did you mean replace?"),
        ("type", "[run]\nreplace = 1\n", "error: F:2:11: run.replace: expected true or false, not integer"),
        ("toml", "[run]\nreplace =\n", "error: F:2:"),
        ("value", "[run]\ntimeout = \"0s\"\n", "error: F:2:11: run.timeout: invalid value '0s' for '--timeout"),
        ("word", "[run]\nrestart = \"often\"\n", "error: F:2:11: run.restart: invalid value 'often' for '--restart"),
    ] {
        let told = Config::new(name, text).refusal();
        assert!(told.starts_with(expected), "{told}");
    }
    let missing = Config::new("missing", "");
    std::fs::remove_file(missing.path()).expect("it was there");
    let told = missing.refusal();
    assert!(told.starts_with("error: the configuration file F: No such file"), "{told}");
}

#[test]
fn no_file_is_read_that_is_not_named_and_none_changes_the_environment_of_a_command() {
    let config = Config::new("environment", "[run]\nrestart = \"never\"\nstop-grace = \"1s\"\n");
    let path = config.path();
    let named = command(&["run", "--config", path.to_str().expect("UTF-8"), "--", "env"]).output();
    let unnamed = command(&["run", "--restart", "never", "--", "env"]).current_dir(config.0.path()).output();
    let variables = |output: std::io::Result<Output>| {
        let output = output.expect("the binary starts");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let ours = |line: &&str| line.starts_with("HEARTBEAT_");
        stdout(&output).lines().filter(ours).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(variables(named), [""; 0]);
    assert_eq!(variables(unnamed), [""; 0]);
}

/// The block of the README.
fn shown() -> &'static str {
    let page = include_str!("../../../README.md");
    let (_, section) = page.split_once("### Flags, variables and a file").expect("the section");
    let (_, block) = section.split_once("```toml\n").expect("a block");
    block.split_once("```").expect("its end").0
}

#[test]
fn the_file_of_the_readme_is_taken() {
    let config = Config::new("readme", shown());
    // As the file says, it is ready once it says so, for which it has no time.
    let unready = config.run(&["run", "--restart", "never", "--timeout", "50ms", "--", "sleep", "1000"]);
    assert_eq!(unready.status.code(), Some(124), "{}", stderr(&unready));
}

#[test]
fn a_variable_that_makes_no_sense_is_named_unless_the_flag_is_written() {
    let told = |args: &[&str]| {
        let output = command(args).env("HEARTBEAT_WAIT_TIMEOUT", "5").output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let by_variable = told(&["wait", "http://127.0.0.1:9"]);
    assert!(by_variable.contains("It is the variable HEARTBEAT_WAIT_TIMEOUT that says so."), "{by_variable}");
    let by_flag = told(&["wait", "http://127.0.0.1:9", "--timeout=6"]);
    assert!(by_flag.contains("'6'") && !by_flag.contains("HEARTBEAT_WAIT_TIMEOUT"), "{by_flag}");
}
