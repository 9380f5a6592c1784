use std::ffi::OsString;

use clap::{Parser, Subcommand, builder::BoolishValueParser};

use super::{Refused, command, command_of, flags_without_variable, read};
use crate::program::{Output, duration};

#[derive(Debug, Parser)]
#[command(name = "heartbeat-sender")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Run {
        #[arg(long, value_parser = duration::parse, default_value = "30s")]
        interval: std::time::Duration,
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
        #[arg(long, value_delimiter = ',')]
        registry: Vec<String>,
        #[arg(long, required = true)]
        id: String,
        #[arg(long, group = "ready")]
        ready_url: Option<String>,
        #[arg(long, group = "ready")]
        ready_line: Option<String>,
        #[arg(long, conflicts_with = "replace")]
        keep: bool,
        #[arg(long, requires = "pid_file", value_parser = BoolishValueParser::new())]
        replace: bool,
        #[arg(long, allow_hyphen_values = true)]
        pid_file: Option<String>,
        #[arg(last = true)]
        command: Vec<String>,
    },
    Plain,
}

/// A file of one test, gone with it.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dl-arguments-{name}-{}.toml", std::process::id()));
        std::fs::write(&path, text).expect("a new file");
        Self(path)
    }

    /// What comes of these words with `--config`, before or after the command.
    fn run(&self, words: &[&str]) -> Result<What, String> {
        let file = self.0.to_str().expect("UTF-8");
        let given = |all: &[&str]| {
            let words = std::iter::once("heartbeat-sender").chain(all.iter().copied());
            read::<Args>(&words.map(OsString::from).collect::<Vec<_>>()).map(|args| args.what).map_err(|refused| {
                match refused {
                    Refused::File(what) => what.replace(file, "F"),
                    Refused::Arguments(error, beside) => {
                        format!("{error}{}", beside.unwrap_or_default()).replace(file, "F")
                    }
                }
            })
        };
        let after = given(&[&["run", "--config", file], words].concat());
        let before = given(&[&["--config", file, "run"], words].concat());
        assert_eq!(format!("{:?}", before.as_ref().ok()), format!("{:?}", after.as_ref().ok()));
        after
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn a_file_sets_what_nobody_else_does_required_flags_too() {
    let file = File::new(
        "sets",
        "[run]\nid = \"w\"\ninterval = \"5s\"\noutput = \"json\"\nregistry = [\"a\", \"b\"]\nreplace = true\npid-file = \"-p\"",
    );
    let What::Run { interval, output, registry, id, replace, pid_file, command, .. } =
        file.run(&["--output", "jsonl", "--", "run", "--id", "x"]).expect("arguments")
    else {
        panic!("another command")
    };
    assert_eq!((interval.as_secs(), output, id.as_str(), replace), (5, Output::Jsonl, "w", true));
    assert_eq!((registry, pid_file.as_deref()), (vec!["a".to_owned(), "b".to_owned()], Some("-p")));
    assert_eq!(command, ["run", "--id", "x"]);
}

#[test]
fn what_a_file_lacks_can_be_on_the_command_line_and_the_other_way_round() {
    let file = File::new("requires", "[run]\nid = \"w\"\npid-file = \"p\"");
    assert!(matches!(file.run(&["--replace"]), Ok(What::Run { replace: true, pid_file: Some(_), .. })));
    let file = File::new("required", "[run]\nid = \"w\"\nreplace = true");
    assert!(matches!(file.run(&["--pid-file", "p"]), Ok(What::Run { replace: true, .. })));
    let told = file.run(&[]).expect_err("no pid file");
    assert!(told.contains("--pid-file <PID_FILE>") && told.ends_with("The file F sets run.id, run.replace."), "{told}");
}

#[test]
fn a_file_gives_way_to_what_excludes_it_and_must_not_exclude_itself() {
    let file = File::new("gives-way", "[run]\nid = \"w\"\nready-line = \"up\"\nkeep = true\ninterval = \"5s\"");
    let given = file.run(&["--ready-url", "u", "--replace", "--pid-file", "p"]).expect("arguments");
    let What::Run { ready_url, ready_line, keep, interval, .. } = given else { panic!("another command") };
    assert_eq!((ready_url.as_deref(), ready_line, keep, interval.as_secs()), (Some("u"), None, false, 5));
    let file = File::new("excludes", "[run]\nid = \"w\"\nready-line = \"up\"\nready-url = \"u\"");
    let told = file.run(&[]).expect_err("only one can be");
    assert!(told.starts_with("F:3:14: run.ready-line: ") || told.starts_with("F:4:13: run.ready-url: "), "{told}");
}

#[test]
fn a_value_that_is_refused_is_told_with_its_place_and_key() {
    let file = File::new("refused", "[run]\nid = \"w\"\ninterval = \"soon\"");
    let expected = "F:3:12: run.interval: invalid value 'soon' for '--interval <INTERVAL>': a number and one of";
    let told = file.run(&[]).expect_err("no duration");
    assert!(told.starts_with(expected) && !told.contains('\n'), "{told}");
    assert!(file.run(&["--interval", "7s"]).is_ok());
    let file = File::new("no-word", "[run]\nid = \"w\"\noutput = \"xml\"");
    let told = file.run(&[]).expect_err("no output");
    assert!(told.starts_with("F:3:10: run.output: ") && told.contains("possible values: table, json, jsonl"), "{told}");
}

#[test]
fn what_is_wrong_on_the_command_line_is_told_as_without_a_file() {
    let file = File::new("command-line", "[run]\nid = \"w\"");
    for words in [&["--interval", "soon"][..], &["--no-such-flag"], &["surplus"], &["--config"]] {
        let told = file.run(words).expect_err("it is wrong");
        assert!(told.starts_with("error: ") && told.trim_end().ends_with("try '--help'."), "{told}");
    }
}

#[test]
fn a_command_without_flags_reads_no_file() {
    let words = ["heartbeat-sender", "--config", "/no/such/file", "plain"].map(OsString::from);
    assert!(matches!(read::<Args>(&words), Ok(Args { what: What::Plain })));
    assert!(matches!(read::<Args>(&words[..3]), Err(Refused::Arguments(..))), "a command is missing");
}

#[test]
fn the_command_is_found_among_the_words() {
    let command = command::<Args>();
    let found = |words: &[&str]| {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (path, at) = command_of(&command, &words);
        (path.join(" "), at)
    };
    assert_eq!(found(&["x", "--config", "run", "plain"]), ("plain".to_owned(), 4));
    assert_eq!(found(&["x", "--config=run", "run", "plain"]), ("run".to_owned(), 3));
    assert_eq!(found(&["x", "--", "run"]), (String::new(), 1));
    assert_eq!(found(&["x"]), (String::new(), 1));
}

#[test]
fn flags_without_a_variable_are_found() {
    let found = flags_without_variable::<Args>();
    assert!(found.contains(&"heartbeat-sender run --interval".to_owned()), "{found:?}");
    assert!(!found.iter().any(|flag| flag.ends_with("--config")), "{found:?}");
}
