//! The commands that ask and operate a registry, by the binary.

use std::process::Output;

use heartbeat_registry::contract::Directive;
use heartbeat_registry::{FleetConfig, WorkerRegistry};

use crate::token_commands::command;
use crate::wire::Server;
use crate::world::{id, plain, with};

/// Runs a command against a registry, beside the runtime that serves it.
async fn run(server: &Server, args: &[&str]) -> Output {
    let mut command = command(args);
    command.args(["--registry", &format!("http://{}", server.address)]);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn told(output: &Output) -> (Vec<&str>, &str) {
    let stdout = std::str::from_utf8(&output.stdout).unwrap();
    (stdout.lines().collect(), std::str::from_utf8(&output.stderr).unwrap().trim_end())
}

#[tokio::test]
async fn events_shows_the_newest_and_says_what_else_there_is() {
    let server = Server::with(Default::default(), FleetConfig { events_kept: 150, ..FleetConfig::default() }).await;
    let none = run(&server, &["events", "--output", "jsonl"]).await;
    assert_eq!(told(&none), (vec![], ""));
    let workers = WorkerRegistry::new(&server.fleet);
    for n in 0..200 {
        workers.record(plain(&format!("w{n}"))).unwrap();
    }
    let newest = run(&server, &["events", "--output", "jsonl"]).await;
    let (lines, beside) = told(&newest);
    assert_eq!((lines.len(), beside), (100, "50 older ones: --since 50"));
    assert!(lines[0].contains("\"n\":101") && lines[99].contains("\"n\":200"), "{}", lines[0]);
    let older = run(&server, &["events", "--output", "jsonl", "--since", "50"]).await;
    let (lines, beside) = told(&older);
    assert_eq!((lines.len(), beside), (100, "50 more: --since 150"));
    let gone = run(&server, &["events", "--output", "jsonl", "--since", "0", "--limit", "1000"]).await;
    let (lines, beside) = told(&gone);
    assert_eq!(lines.len(), 150);
    assert!(beside.contains("showing from 51"), "{beside}");
}

#[tokio::test]
async fn show_says_why_a_member_left() {
    let server = Server::start().await;
    let workers = WorkerRegistry::new(&server.fleet);
    for (leaving, evidence) in [(None, "-"), (Some("exit 0"), "said goodbye: exit 0")] {
        workers.record(with(plain("w"), |info| info.leaving = leaving.map(str::to_owned))).unwrap();
        let shown = run(&server, &["show", "w"]).await;
        let line = told(&shown).0.into_iter().find_map(|line| line.trim().strip_prefix("evidence")).unwrap().trim();
        assert_eq!(line, evidence);
    }
}

#[tokio::test]
async fn what_is_taken_back_is_everything_or_what_is_named() {
    let server = Server::start().await;
    let workers = WorkerRegistry::new(&server.fleet);
    workers.record(plain("w")).unwrap();
    for args in [["drain", "w"].as_slice(), &["drain", "w", "--shutdown"]] {
        assert!(run(&server, args).await.status.success());
    }
    let shown = run(&server, &["show", "w"]).await;
    assert!(told(&shown).0.iter().any(|line| line.ends_with("drain, shutdown")), "{shown:?}");
    assert!(run(&server, &["drain", "w", "--withdraw", "--shutdown"]).await.status.success());
    assert_eq!(workers.view(&id("w")).unwrap().directives, [Directive::Drain]);
    workers.ask(&id("w"), Directive::Shutdown).unwrap();
    assert!(run(&server, &["drain", "w", "--withdraw"]).await.status.success());
    assert_eq!(workers.view(&id("w")).unwrap().directives, []);
    let nothing = run(&server, &["drain", "w", "--withdraw"]).await;
    assert_eq!((nothing.status.code(), told(&nothing).1), (Some(3), "heartbeat-registry: w is not asked for anything"));
}
