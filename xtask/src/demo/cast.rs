//! The processes that take part.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use daemon_lifecycle::{Daemon, HealthPoll, Signal};
use heartbeat_contract::{Kind, MemberId};
use tokio::task::JoinSet;

use super::INTERVAL;
use super::programs::Programs;
use super::proxy::Proxy;
use super::record::Deed;
use crate::outcome::Outcome;
use crate::program;

pub(super) const HIVE: &str = "hive-1";
const WORKERS: u32 = 8;
/// The worker whose beats pass through a line that can be cut.
const BEHIND_PROXY: u32 = 3;

/// How long the registry may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long a killed process may take to go.
const GONE: Duration = Duration::from_secs(10);
/// How long a process may take to end when asked to: a goodbye takes 2 s at most.
const GRACE: Duration = Duration::from_secs(10);

/// Every process the demo starts, to be stopped in the end whatever happens. Dropped, it kills them.
pub(super) struct Cast {
    programs: Programs,
    registry: Option<Daemon>,
    members: BTreeMap<String, Daemon>,
    proxy: Option<Proxy>,
}

/// The ids of all members.
pub(super) fn ids() -> Vec<String> {
    std::iter::once(HIVE.to_owned()).chain((1..=WORKERS).map(worker)).collect()
}

/// The id of a worker, from 1.
pub(super) fn worker(number: u32) -> String {
    format!("worker-{number}")
}

/// The id of the worker that can be cut off.
pub(super) fn behind_proxy() -> String {
    worker(BEHIND_PROXY)
}

/// Whether a member is one of the cast.
pub(super) fn includes(kind: &Kind, id: &MemberId) -> bool {
    match id.as_str() {
        HIVE => *kind == Kind::HIVE,
        other => *kind == Kind::WORKER && (1..=WORKERS).any(|number| worker(number) == other),
    }
}

impl Cast {
    pub(super) fn new(programs: Programs) -> Self {
        Self { programs, registry: None, members: BTreeMap::new(), proxy: None }
    }

    /// Where the registry's program is.
    pub(super) fn registry_program(&self) -> &std::path::Path {
        &self.programs.registry
    }

    /// Starts the registry on a free port, and returns its URL once it is ready.
    pub(super) async fn start_registry(&mut self) -> Outcome<String> {
        let command = Daemon::command(&self.programs.registry).args(["serve", "--listen", "127.0.0.1:0"]);
        let registry = self.registry.insert(command.spawn()?);
        let url =
            registry.wait_for_line(|line| line.text.strip_prefix("listening on ").map(str::to_owned), READY).await?;
        registry.wait_until_healthy(HealthPoll::new(format!("{url}/readyz")).deadline(READY)).await?;
        Ok(url)
    }

    /// Starts the hive and all workers, one of them behind a proxy.
    pub(super) async fn start_members(&mut self, registry: &str) -> Outcome {
        let hive = Daemon::command(&self.programs.hive).args(["--registry", registry, "--id", HIVE]);
        self.members.insert(HIVE.to_owned(), hive.args(["--interval", &interval()]).spawn()?);
        self.proxy = Some(Proxy::to(address_in(registry)?).await?);
        (1..=WORKERS).try_for_each(|number| self.start_worker(registry, &worker(number)))
    }

    fn start_worker(&mut self, registry: &str, id: &str) -> Outcome {
        let proxied = self.proxy.as_ref().filter(|_| id == behind_proxy());
        let proxied = proxied.map(|proxy| format!("http://{}", proxy.address()));
        let registry = proxied.as_deref().unwrap_or(registry);
        let command = Daemon::command(&self.programs.worker)
            .args(["--registry", registry, "--id", id, "--hive-id", HIVE, "--interval", &interval()])
            .arg("--work")
            .arg(program::workspace_root());
        self.members.insert(id.to_owned(), command.spawn()?);
        Ok(())
    }

    /// Does something to a worker. One that is started again must have been killed before, and one whose work is to go on have
    /// been made to hang: the same signal does both.
    pub(super) async fn treat(&mut self, id: &str, deed: Deed, registry: &str) -> Outcome {
        let signal = match deed {
            Deed::Killed => Signal::Kill,
            Deed::Stopped => Signal::Stop,
            Deed::Continued => Signal::Continue,
            Deed::AskedToLeave => Signal::Terminate,
            Deed::WorkHangs | Deed::WorkGoesOn => Signal::User1,
            Deed::StartedAgain => return self.start_again(id, registry).await,
            Deed::CutOff => return self.line_of(id).map(Proxy::cut),
            Deed::Mended => return self.line_of(id).map(Proxy::mend),
        };
        Ok(self.member(id)?.signal(signal)?)
    }

    async fn start_again(&mut self, id: &str, registry: &str) -> Outcome {
        let killed = self.member(id)?.wait();
        tokio::time::timeout(GONE, killed)
            .await
            .map_err(|_| format!("{id} is still there {GONE:?} after SIGKILL"))??;
        self.start_worker(registry, id)
    }

    fn line_of(&self, id: &str) -> Outcome<&Proxy> {
        let proxy = self.proxy.as_ref().filter(|_| id == behind_proxy());
        proxy.ok_or_else(|| format!("nothing stands between {id} and the registry").into())
    }

    fn member(&mut self, id: &str) -> Outcome<&mut Daemon> {
        self.members.get_mut(id).ok_or_else(|| format!("{id} takes no part").into())
    }

    /// Why nothing more will come from the registry, if so.
    pub(super) fn registry_is_gone(&mut self) -> Option<String> {
        let registry = self.registry.as_mut()?;
        let status = registry.try_exit_status().ok()??;
        Some(format!("the registry has ended ({status}){}", last_lines(registry)))
    }

    /// Whether a member's process has ended, and what it wrote last: each on an indented line of its own.
    pub(super) fn last_words_of(&mut self, id: &str) -> String {
        let Some(member) = self.members.get_mut(id) else { return String::new() };
        let ended = member.try_exit_status().ok().flatten();
        let ended = ended.map(|status| format!("\n    its process has ended ({status})")).unwrap_or_default();
        ended + &last_lines(member)
    }

    /// Stops all members at once, and then the registry.
    pub(super) async fn stop(self) -> Outcome {
        let mut stopping = JoinSet::new();
        for (id, member) in self.members {
            stopping.spawn(async move { (id, member.stop(GRACE).await) });
        }
        let mut failed = Vec::new();
        while let Some(joined) = stopping.join_next().await {
            let (id, stopped) = joined?;
            failed.extend(stopped.err().map(|error| format!("{id}: {error}")));
        }
        if let Some(registry) = self.registry {
            failed.extend(registry.stop(GRACE).await.err().map(|error| format!("registry: {error}")));
        }
        if failed.is_empty() { Ok(()) } else { Err(format!("not stopped: {}", failed.join("; ")).into()) }
    }
}

/// The address that a registry's URL names.
fn address_in(url: &str) -> Outcome<SocketAddr> {
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
    address.ok_or_else(|| format!("{url} names no address").into())
}

fn interval() -> String {
    format!("{}ms", INTERVAL.as_millis())
}

fn last_lines(daemon: &Daemon) -> String {
    daemon.last_lines().iter().rev().take(10).rev().map(|line| format!("\n    {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_s_url_names_an_address() {
        assert_eq!(address_in("http://127.0.0.1:8500").unwrap(), "127.0.0.1:8500".parse().unwrap());
        assert!(address_in("http://localhost").is_err());
    }

    #[test]
    fn one_worker_can_be_cut_off() {
        assert!(ids().contains(&behind_proxy()));
        let cast = Cast::new(Programs { registry: "a".into(), hive: "b".into(), worker: "c".into() });
        assert!(cast.line_of(&behind_proxy()).is_err(), "not before it is started");
    }

    #[test]
    fn the_cast_is_known_by_kind_and_id() {
        let includes = |kind: &Kind, id: &str| includes(kind, &MemberId::new(id).unwrap());
        assert!(includes(&Kind::HIVE, HIVE));
        assert!(ids().iter().filter(|id| *id != HIVE).all(|id| includes(&Kind::WORKER, id)));
        for (kind, id) in [
            (Kind::WORKER, "worker-123"),
            (Kind::WORKER, "worker-0"),
            (Kind::WORKER, "worker-01"),
            (Kind::WORKER, HIVE),
            (Kind::HIVE, "worker-1"),
            (Kind::HIVE, "hive-2"),
        ] {
            assert!(!includes(&kind, id), "{kind} {id}");
        }
    }
}
