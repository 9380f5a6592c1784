//! What a page shows of programs: commands, and under each what it prints.

use std::fmt;

/// Any text within a line.
const ANY_TEXT: &str = "[..]";
/// Any lines, or none.
const ANY_LINES: &str = "...";

/// One block of a page: commands that are given one after the other.
pub(crate) type Transcript = Vec<Step>;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) command: Command,
    /// Runs on while the steps that follow are taken.
    pub(crate) stays: bool,
    /// All that it prints.
    pub(crate) output: Output,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
}

/// Lines, with wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output(Vec<String>);

/// The transcripts of a page: its blocks of type `console`.
pub(crate) fn transcripts(page: &str) -> Vec<Transcript> {
    let mut transcripts: Vec<Transcript> = Vec::new();
    let mut within = false;
    for line in page.lines() {
        match line {
            "```console" => {
                within = true;
                transcripts.push(Vec::new());
            }
            "```" => within = false,
            _ if !within => {}
            _ => {
                let transcript = transcripts.last_mut().expect("a block has begun");
                match line.strip_prefix("$ ") {
                    Some(command) => transcript.push(Step::of(command)),
                    None => transcript.last_mut().expect("output follows a command").output.0.push(line.to_owned()),
                }
            }
        }
    }
    transcripts
}

impl Step {
    fn of(line: &str) -> Self {
        let (command, stays) = line.strip_suffix(" &").map_or((line, false), |command| (command, true));
        Self { command: Command::of(command), stays, output: Output::default() }
    }
}

impl Command {
    /// Reads `cargo run -p examples --bin PROGRAM -- ARGS`.
    pub(crate) fn of(line: &str) -> Self {
        let run = line.strip_prefix("cargo run -p examples --bin ").unwrap_or_else(|| panic!("{line} runs no example"));
        let (program, args) = run.split_once(" -- ").unwrap_or((run, ""));
        Self { program: program.to_owned(), args: args.split_whitespace().map(str::to_owned).collect() }
    }

    pub(crate) fn replace(&self, from: &str, to: &str) -> Self {
        let args = self.args.iter().map(|arg| arg.replace(from, to)).collect();
        Self { program: self.program.clone(), args }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.args.join(" "))
    }
}

impl Output {
    pub(crate) fn replace(&self, from: &str, to: &str) -> Self {
        Self(self.0.iter().map(|line| line.replace(from, to)).collect())
    }

    /// The first line that stands for one line.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|line| *line != ANY_LINES)
    }

    pub(crate) fn matches(&self, lines: &[String]) -> bool {
        all_match(&self.0, lines)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

fn all_match(expected: &[String], lines: &[String]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any == ANY_LINES => (0..=lines.len()).any(|skipped| all_match(rest, &lines[skipped..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| line_matches(first, line) && all_match(rest, lines))
        }
    }
}

pub(crate) fn line_matches(expected: &str, line: &str) -> bool {
    let Some((start, rest)) = expected.split_once(ANY_TEXT) else { return expected == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    let starts = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    starts.into_iter().any(|at| line_matches(rest, &line[at..]))
}

#[test]
fn a_line_matches_word_for_word_but_for_its_wildcards() {
    for (expected, line) in [("a", "a"), ("[..]", ""), ("a[..]c", "abc"), ("[..]b[..]", "abc"), ("a[..]bb", "abbb")] {
        assert!(line_matches(expected, line), "{expected} {line}");
    }
    for (expected, line) in [("a", "ab"), ("a[..]c", "abcd"), ("[..]x[..]", "abc"), ("a[..]bb[..]b", "abb")] {
        assert!(!line_matches(expected, line), "{expected} {line}");
    }
}

#[test]
fn lines_match_one_by_one_but_for_any_lines() {
    let matches = |expected: &[&str], lines: &[&str]| {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        Output(owned(expected)).matches(&owned(lines))
    };
    assert!(matches(&["a", "b"], &["a", "b"]));
    assert!(matches(&["a", "...", "c"], &["a", "b", "b", "c"]));
    assert!(matches(&["...", "a"], &["a", "b", "a"]));
    assert!(!matches(&["a"], &["a", "b"]));
    assert!(!matches(&["a", "b"], &["a"]));
    assert!(!matches(&["a", "...", "c"], &["a", "b"]));
}

#[test]
fn a_page_has_a_transcript_per_block() {
    let page = "x\n```sh\nls\n```\n```console\n$ cargo run -p examples --bin a -- --b c &\nd\n$ cargo run -p examples --bin e\n```\n";
    let transcripts = transcripts(page);
    assert_eq!(transcripts.len(), 1);
    let [a, e] = &transcripts[0][..] else { panic!("{transcripts:?}") };
    assert_eq!((a.command.to_string().as_str(), a.stays, a.output.first()), ("a --b c", true, Some("d")));
    assert_eq!((e.command.to_string().trim(), e.stays, e.output.first()), ("e", false, None));
}
