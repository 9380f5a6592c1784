use clap::{Arg, ArgAction, Command};

use super::{Setting, Wrong, parse, place};

/// `run` and `token create`, of a program that has its namesakes.
fn program() -> Command {
    let value = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Set);
    let run = Command::new("run")
        .arg(value("interval"))
        .arg(value("stop-grace"))
        .arg(Arg::new("registry").long("registry").action(ArgAction::Append).value_delimiter(','))
        .arg(Arg::new("verbose").long("verbose").action(ArgAction::SetTrue))
        .arg(Arg::new("what").last(true));
    let create = Command::new("create").arg(value("name")).arg(value("interval"));
    let token = Command::new("token").subcommand(create).subcommand(Command::new("list").arg(value("tokens")));
    Command::new("heartbeat-sender").subcommand(run).subcommand(token)
}

fn words(text: &str, path: &[&str]) -> Vec<String> {
    let found = parse(text, &program(), path).map_err(|Wrong { what, .. }| what).expect(text);
    found.into_values().flat_map(|found| found.words).collect()
}

fn refusal(text: &str) -> String {
    let Wrong { at, what } = parse(text, &program(), &["run"]).expect_err(text);
    format!("{}: {what}", place("F".as_ref(), text, at))
}

#[test]
fn keys_are_the_names_of_flags_and_values_are_of_their_types() {
    let text = "[run]\ninterval = \"5s\"\nstop_grace = 7\nregistry = [\"http://a\", \"http://b\"]\nverbose = true\n";
    let expected = ["--interval=5s", "--registry=http://a", "--registry=http://b", "--stop-grace=7", "--verbose"];
    assert_eq!(words(text, &["run"]), expected);
    assert_eq!(words("[run]\nregistry = \"http://a\"\nverbose = false", &["run"]), ["--registry=http://a"]);
    assert_eq!(
        words("[run]\ninterval = 1.5\nstop-grace = 2026-01-02", &["run"]),
        ["--interval=1.5", "--stop-grace=2026-01-02"]
    );
}

#[test]
fn the_nearer_a_table_is_to_the_command_the_more_it_counts() {
    let text = "interval = 1\n[run]\ninterval = 2\n[token]\ninterval = 3\n[token.create]\nname = \"n\"\n";
    assert_eq!(words(text, &["run"]), ["--interval=2"]);
    assert_eq!(words(text, &["token", "create"]), ["--interval=3", "--name=n"]);
    assert!(words(text, &["token", "list"]).is_empty());
    let text = "[heartbeat-sender]\ninterval = 4\n[heartbeat-sender.run]\nverbose = true\n[run]\ninterval = 2\n";
    assert_eq!(words(text, &["run"]), ["--interval=4", "--verbose"]);
}

#[test]
fn tables_of_other_programs_are_theirs() {
    assert_eq!(words("[daemon-lifecycle.run]\nready-url = 1\n[run]\ninterval = 2", &["run"]), ["--interval=2"]);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_is_known_there() {
    for (text, expected) in [
        ("[run]\ninterval = 1\nintervall = 2", "F:3:1: run.intervall: unknown; did you mean interval?"),
        ("[run]\nzzz = 2", "F:2:1: run.zzz: unknown, expected one of interval, registry, stop-grace, verbose"),
        ("[run]\nwhat = 2", "F:2:1: run.what: unknown, expected one of"),
        ("zzz = 2", "F:1:1: zzz: unknown, expected one of interval, name, registry, stop-grace, tokens, verbose"),
        ("[rum]\n", "F:1:2: [rum]: unknown; did you mean run?"),
        ("[token.zzz]\n", "F:1:8: [token.zzz]: unknown, expected one of create, list"),
        ("[run.zzz]\n", "F:1:6: [run.zzz]: unknown, as is any key here"),
        ("[run]\ninterval = { s = 5 }", "F:2:1: [run.interval]: a value is expected, not a table"),
        ("[interval]\n", "F:1:2: [interval]: a value is expected, not a table"),
        ("[run]\n  verbose = \"yes\"", "F:2:13: run.verbose: expected true or false, not string"),
        ("[run]\ninterval = true", "F:2:12: run.interval: expected a string or a number, not boolean"),
        ("[run]\ninterval = [\"5s\"]", "F:2:12: run.interval: expected a string or a number, not array"),
        ("[run]\nregistry = [1, [2]]", "F:2:16: run.registry: expected a string or a number, not array"),
        ("[run]\nregistry = [\"a\", \"b,c\"]", "F:2:18: run.registry: a ',' would divide this item"),
        ("[run]\ninterval = 0o660", "F:2:12: run.interval: write \"660\", as a string"),
        ("[run]\nstop-grace = 1\nstop_grace = 1", "F:3:1: run.stop_grace: is there twice, with - and with _"),
        ("[token.create]\nverbose = true", "F:2:1: token.create.verbose: unknown"),
        ("[run]\n# ä\ninterval = ", "F:3:12: "),
        ("[run]\nregistry = [\"ä\", true]", "F:2:18: run.registry: expected"),
    ] {
        let told = refusal(text);
        assert!(told.starts_with(expected), "{text:?}: {told}");
    }
}

#[test]
fn a_flag_is_known_by_its_whole_name() {
    let setting = Setting {
        file: "F".into(),
        place: String::new(),
        key: String::new(),
        words: Vec::new(),
        flag: "restart".to_owned(),
    };
    assert!(["--restart", "--restart <WHEN>", "--restart=<WHEN>"].iter().all(|shown| setting.is_named(shown)));
    assert!(!["--restart-delay <DURATION>", "--restarts", "--start"].iter().any(|shown| setting.is_named(shown)));
}
