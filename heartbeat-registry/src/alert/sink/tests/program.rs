//! An Alertmanager as distributions ship it, started for a test. The integration tests use it, too.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = "prometheus-alertmanager";
/// Far longer than anything takes here.
const BOUND: Duration = Duration::from_secs(60);

/// Routes nothing to anyone: what it knows is asked for.
const CONFIG: &str = "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n";

pub(crate) struct Program {
    pub(crate) url: String,
    address: String,
    folder: PathBuf,
    process: Child,
}

impl Program {
    /// Starts one and waits until it is ready; without the program, says so.
    pub(crate) async fn start() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("alertmanager-{}-{count}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("config.yml"), CONFIG).unwrap();
        // It cannot say which port it took: one that was free just now is left to it.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let started = Command::new(PROGRAM)
            .arg(format!("--config.file={}", folder.join("config.yml").display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::remove_dir_all(&folder).unwrap();
                // Not println, which the test harness would swallow.
                let mut stdout = io::stdout();
                writeln!(stdout, "skipped: {PROGRAM} not found (cargo xtask setup)").unwrap();
                return None;
            }
            Err(error) => panic!("{PROGRAM} cannot be run: {error}"),
        };
        let program = Self { url: format!("http://{address}"), address, folder, process };
        program.until("it is ready", async || program.get("/-/ready").await.map(drop)).await;
        Some(program)
    }

    /// Waits until the alerts that it holds for active are as they should be, by `alertname member`.
    pub(crate) async fn until_active(&self, expected: &[&str]) -> Vec<Value> {
        self.until(&format!("{expected:?} are active"), async || {
            let alerts: Vec<Value> = serde_json::from_slice(&self.get("/api/v2/alerts").await?).ok()?;
            let mut names: Vec<String> = alerts.iter().map(name).collect();
            names.sort();
            (names == expected).then_some(alerts)
        })
        .await
    }

    async fn until<T>(&self, what: &str, so: impl AsyncFn() -> Option<T>) -> T {
        let waited = async {
            loop {
                if let Some(found) = so().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(BOUND, waited).await.unwrap_or_else(|_| panic!("not within {BOUND:?}: {what}"))
    }

    /// By HTTP/1.0, whose answers end with their connection.
    async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let body = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        answer.starts_with(b"HTTP/1.0 200").then(|| answer.split_off(body))
    }
}

/// `MemberFailed a`.
fn name(alert: &Value) -> String {
    let label = |name: &str| alert["labels"][name].as_str();
    let about = label("member").or(label("host")).or(label("zone")).unwrap_or_default();
    format!("{} {about}", label("alertname").unwrap_or_default())
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
