//! A server that receives alerts, and answers as it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Status(u16),
    /// 429, with `Retry-After`.
    ComeBackInASecond,
    /// Closes the connection instead.
    HangUp,
    Never,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) key: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) json: Value,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    asked: Mutex<mpsc::Receiver<Received>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: mpsc::Sender<Received>,
}

impl Receiver {
    /// Answers like this, and then with 200.
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let (sender, asked) = mpsc::channel(10_000);
        let script = Script { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: sender };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(script);
        let serving = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url, asked: Mutex::new(asked), serving }
    }

    /// The next request that comes.
    pub(crate) async fn next(&mut self) -> Received {
        let next = self.asked.get_mut().unwrap().recv();
        tokio::time::timeout(Duration::from_secs(30), next).await.expect("it comes within half a minute").unwrap()
    }

    /// How many requests came and were not taken.
    pub(crate) fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Waits until somebody has asked.
    pub(crate) async fn until_asked(&self) {
        while self.requests() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(script): State<Script>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(text("content-type").as_deref(), Some("application/json"));
    let received = Received {
        key: text("idempotency-key"),
        authorization: text("authorization"),
        team: text("x-team"),
        json: serde_json::from_slice(&body).unwrap(),
    };
    let answer = script.answers.lock().unwrap().pop_front();
    script.asked.send(received).await.ok();
    match answer {
        None => StatusCode::OK.into_response(),
        Some(Answer::Status(status)) => (StatusCode::from_u16(status).unwrap(), "as it was told").into_response(),
        Some(Answer::ComeBackInASecond) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        // axum closes the connection of a handler that panics.
        Some(Answer::HangUp) => std::panic::resume_unwind(Box::new(())),
        Some(Answer::Never) => std::future::pending().await,
    }
}
