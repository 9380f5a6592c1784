//! The client that follows events, and the command that prints them.

use std::time::Duration;

use heartbeat_registry::client::{Client, ClientError, Follow, Followed};
use heartbeat_registry::contract::EventId;
use heartbeat_registry::http::{Api, ServeConfig, not_found, router};
use heartbeat_registry::{Fleet, FleetConfig, WorkerRegistry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::wire::Server;
use crate::world::plain;

fn fleet(events: u64) -> Fleet {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    for n in 0..events {
        WorkerRegistry::new(&fleet).record(plain(&format!("worker-{n}"))).unwrap();
    }
    fleet
}

async fn next(follow: &mut Follow) -> Result<Followed, ClientError> {
    tokio::time::timeout(Duration::from_secs(30), follow.next()).await.expect("something within half a minute")
}

/// The numbers of the next events.
async fn numbers(follow: &mut Follow, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        if let Followed::Event(event) = next(follow).await.unwrap() {
            numbers.push(event.n);
        }
    }
    numbers
}

fn since(n: u64) -> Option<EventId> {
    Some(EventId { log: None, n })
}

#[tokio::test]
async fn events_are_followed_from_now_on_or_from_the_one_that_is_named() {
    let fleet = fleet(3);
    let app = router(&fleet);
    let server = Server::of(ServeConfig::default(), fleet, app).await;
    let client = Client::new(&format!("http://{}", server.address)).unwrap();
    assert_eq!(numbers(&mut client.follow(since(0)), 3).await, [1, 2, 3]);
    assert_eq!(numbers(&mut client.follow(since(2)), 1).await, [3]);
    let mut live = client.follow(None);
    assert!(matches!(next(&mut live).await, Ok(Followed::Connected)));
    assert_eq!(live.position(), None);
    WorkerRegistry::new(&server.fleet).record(plain("later")).unwrap();
    assert_eq!(numbers(&mut live, 1).await, [4]);
}

#[tokio::test]
async fn a_registry_that_comes_back_is_followed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut follow =
        Client::new(&url).unwrap().follow(None).with_delays(Duration::from_millis(1), Duration::from_millis(1));
    let refusing = async { drop(listener.accept().await.unwrap()) };
    let (told, ()) = tokio::join!(next(&mut follow), refusing);
    let Ok(Followed::Lost { error, again_in }) = told else { panic!("{told:?}") };
    assert!(error.is_unreachable() && again_in <= Duration::from_millis(1), "{error}");
    let app: axum::Router = router(&fleet(0));
    tokio::spawn(heartbeat_registry::http::serve(listener, app, ServeConfig::default(), std::future::pending()));
    assert!(matches!(next(&mut follow).await, Ok(Followed::Connected)));
}

#[tokio::test]
async fn a_registry_that_asks_to_come_back_later_is_obeyed() {
    let fleet = fleet(0);
    let app = Api::new(&fleet).max_streams(0).router();
    let server = Server::of(ServeConfig::default(), fleet, app).await;
    let mut follow = Client::new(&format!("http://{}", server.address)).unwrap().follow(None);
    let told = next(&mut follow).await;
    let Ok(Followed::Lost { error, again_in }) = told else { panic!("{told:?}") };
    assert_eq!((error.status(), again_in), (Some(429), Duration::from_secs(10)));
}

#[tokio::test]
async fn what_trying_again_does_not_mend_is_an_error() {
    let fleet = fleet(0);
    let app = router(&fleet).route("/page/v1/events", axum::routing::get(async || "welcome"));
    let server = Server::of(ServeConfig::default(), fleet, app.fallback(not_found)).await;
    for (path, message) in [("/nowhere", "there is nothing at /nowhere/v1/events"), ("/page", "is that a registry?")] {
        let mut follow = Client::new(&format!("http://{}{path}", server.address)).unwrap().follow(None);
        for _ in 0..2 {
            let error = next(&mut follow).await.unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}

#[tokio::test]
async fn a_link_that_is_silent_for_too_long_is_taken_for_dead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut follow = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap().follow(None);
    let answering = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: a-1\n\n").await.unwrap();
        stream
    };
    let (told, _held) = tokio::join!(next(&mut follow), answering);
    assert!(matches!(told, Ok(Followed::Connected)));
    tokio::time::pause();
    tokio::time::timeout(Duration::from_secs(39), follow.next()).await.expect_err("a registry may be silent for long");
    let told = follow.next().await;
    let Ok(Followed::Lost { error, .. }) = told else { panic!("{told:?}") };
    assert!(error.is_timeout() && error.is_unreachable(), "{error}");
}

/// Answers each connection with these bytes as a stream, and hangs up.
async fn hanging_up(stream: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            assert_ne!(socket.read(&mut [0; 4096]).await.unwrap(), 0);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            socket.write_all(format!("{head}{stream}").as_bytes()).await.unwrap();
        }
    });
    (url, answering)
}

async fn lost(follow: &mut Follow) -> Duration {
    loop {
        if let Followed::Lost { again_in, .. } = next(follow).await.unwrap() {
            return again_in;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_hangs_up_at_once_is_asked_less_and_less_often_whatever_it_asks_for() {
    let (url, answering) = hanging_up("retry: 0\nid: x-1\n\n").await;
    let mut follow = Client::new(&url).unwrap().follow(None);
    for at_least in [250, 500, 1_000, 2_000, 4_000] {
        let again_in = lost(&mut follow).await;
        assert!(again_in >= Duration::from_millis(at_least), "{again_in:?} is not {at_least} ms");
    }
    answering.abort();
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_told_something_is_asked_again_soon() {
    let lagged = "id: x-1\n\nevent: lagged\ndata: {\"log\": \"x\", \"missed\": 1, \"oldest\": 2}\n\n";
    let (url, answering) = hanging_up(lagged).await;
    let mut follow = Client::new(&url).unwrap().follow(None);
    for _ in 0..5 {
        let again_in = lost(&mut follow).await;
        assert!(again_in <= Duration::from_secs(1), "{again_in:?}");
    }
    answering.abort();
}

#[cfg(all(unix, feature = "server"))]
mod command {
    use std::process::Stdio;

    use heartbeat_registry::contract::Event;
    use tokio::io::{AsyncBufReadExt, BufReader, Lines};
    use tokio::process::{Child, ChildStdout, Command};

    use super::*;

    fn command(url: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heartbeat-registry"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HEARTBEAT_")) {
            command.env_remove(name);
        }
        command.args(["events", "--follow", "--registry", url]).args(args).kill_on_drop(true);
        command
    }

    async fn serving(events: u64) -> (Server, String) {
        let fleet = fleet(events);
        let app = router(&fleet);
        let server = Server::of(ServeConfig::default(), fleet, app).await;
        let url = format!("http://{}", server.address);
        (server, url)
    }

    fn printing(url: &str, args: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
        let mut child = command(url, args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    }

    async fn ends(mut child: Child) -> Option<i32> {
        tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("it ends").unwrap().code()
    }

    #[tokio::test]
    async fn events_are_printed_as_they_come_until_a_signal() {
        let (server, url) = serving(1).await;
        for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
            let (child, mut lines) = printing(&url, &["--since", "0", "--output", "jsonl"]);
            let first: Event = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
            assert_eq!(first.n, 1);
            WorkerRegistry::new(&server.fleet).record(plain(&format!("worker{signal}"))).unwrap();
            let second: Event = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
            assert_eq!(second.n, 2);
            let pid = child.id().unwrap().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
            assert_eq!(ends(child).await, Some(code));
        }
    }

    #[tokio::test]
    async fn it_ends_when_nobody_reads_any_more_also_while_nothing_happens() {
        let (_server, url) = serving(1).await;
        let (child, mut lines) = printing(&url, &["--since", "0"]);
        let row = lines.next_line().await.unwrap().unwrap();
        assert!(row.contains("worker-0") && row.contains("registered"), "{row}");
        drop(lines);
        assert_eq!(ends(child).await, Some(0));
    }

    #[tokio::test]
    async fn what_cannot_work_ends_at_once() {
        let (_server, url) = serving(0).await;
        let json = command(&url, &["--output", "json"]).output().await.unwrap();
        assert_eq!(json.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&json.stderr).contains("jsonl"));
        let limit = command(&url, &["--limit", "5"]).output().await.unwrap();
        assert_eq!(limit.status.code(), Some(2));
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let unreachable = command(&format!("http://{nobody}"), &[]).output().await.unwrap();
        assert_eq!(unreachable.status.code(), Some(5));
    }
}
