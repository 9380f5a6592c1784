//! The index of the programs shows what they are and what they print.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::task::JoinSet;

use crate::programs::{End, Program};
use crate::transcript::{Output, Transcript, line_matches, transcripts};

const PAGE: &str = include_str!("../../README.md");
/// The address that the page gives a server, where here any free port is taken.
const ADDRESS: &str = "127.0.0.1:8500";

#[test]
fn the_index_names_every_program_and_no_other() {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin")).unwrap();
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let programs: BTreeSet<String> = names.collect();
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let described: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(described, programs);
    let shown: BTreeSet<String> = transcripts(PAGE).into_iter().flatten().map(|step| step.command.program).collect();
    assert_eq!(shown, programs);
}

#[tokio::test]
async fn every_program_prints_what_the_index_shows() {
    let mut running = JoinSet::new();
    for transcript in transcripts(PAGE) {
        running.spawn(follow(transcript));
    }
    while let Some(followed) = running.join_next().await {
        followed.unwrap();
    }
}

/// Gives the commands of a block one after the other. Those that stay are stopped at the end, the last one first.
async fn follow(transcript: Transcript) {
    let mut address = ADDRESS.to_owned();
    let mut staying: Vec<(Program, Output)> = Vec::new();
    for step in transcript {
        let serves = step.command.args.iter().any(|arg| arg == "--listen");
        let mut program = Program::start(&step.command.replace(ADDRESS, if serves { "127.0.0.1:0" } else { &address }));
        if serves {
            address = program.line(|line| line.strip_prefix("listening on http://").map(str::to_owned)).await;
        }
        let output = step.output.replace(ADDRESS, &address);
        if step.stays {
            if let Some(first) = output.first().map(str::to_owned) {
                program.line(move |line| line_matches(&first, line).then_some(())).await;
            }
            staying.push((program, output));
        } else {
            let name = step.command.to_string();
            expect(&name, &output, program.end().await);
        }
    }
    while let Some((program, output)) = staying.pop() {
        expect("a program that stayed", &output, program.stop().await);
    }
}

fn expect(name: &str, output: &Output, end: End) {
    let End { success, lines } = end;
    let shown = lines.join("\n");
    assert!(output.matches(&lines), "{name}\n--- the index shows\n{output}\n--- it printed\n{shown}");
    let fails = lines.last().is_some_and(|line| line.starts_with("error: "));
    assert_eq!(success, !fails, "{name}: an error is the last line, and nothing else ends with a failure");
}
