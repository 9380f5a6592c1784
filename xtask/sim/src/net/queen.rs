//! The host of the registry: its router, its accept loop and its driver, and a witness in front of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use heartbeat_contract::{
    BeatInfo, EventId, HealthState, HiveHeartbeat, Kind, MAX_BEAT_BYTES, MemberId, MemberView, Payload,
    WorkerHeartbeat, routes,
};
use heartbeat_registry::{Fleet, FleetConfig, HiveRegistry, MembersQuery, WorkerRegistry, http};
use turmoil::net::TcpListener;

use super::gate::{Gate, Gated};
use super::time::{RegistryClock, Time, Wall};
use super::wire::PORT;
use crate::check::{Checker, Fact, Known, Name, Receipt};

/// How long the registry takes to start.
const BOOT: Duration = Duration::from_millis(1);

/// How each life of the registry is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) config: FleetConfig,
    /// Monitored from the start.
    pub(crate) announced: Vec<(MemberId, heartbeat_contract::Policy)>,
}

/// What outlives the registry: its setup, its clocks, and who watches it.
#[derive(Clone)]
pub(crate) struct Queen {
    pub(crate) setup: Arc<Setup>,
    pub(crate) time: Time,
    pub(crate) wall: Wall,
    pub(crate) gate: Gate,
    /// Whether what happens is told as it happens.
    tells: bool,
    watch: Arc<Mutex<Watch>>,
}

/// The registry as it lives now, and all that was seen of it and the lives before.
struct Watch {
    life: Option<Life>,
    checker: Checker,
    log: String,
    /// Those whose newest beat was refused as one that no proper member sends.
    refused: BTreeSet<Name>,
}

#[derive(Clone)]
struct Life {
    fleet: Fleet,
    workers: WorkerRegistry,
    hives: HiveRegistry,
    read: u64,
}

impl Queen {
    pub(crate) fn new(setup: Setup, checker: Checker, time: &Time, tells: bool) -> Self {
        let watch = Watch { life: None, checker, log: String::new(), refused: BTreeSet::new() };
        Self {
            setup: Arc::new(setup),
            time: time.clone(),
            wall: Wall::new(time),
            gate: Gate::default(),
            tells,
            watch: Arc::new(Mutex::new(watch)),
        }
    }

    /// One life, until the host is crashed.
    pub(crate) async fn live(self) -> turmoil::Result {
        // A host that is booted is polled once before its clocks are set.
        tokio::time::sleep(BOOT).await;
        let clock = RegistryClock::start(&self.time, &self.wall);
        let fleet = Fleet::new(self.setup.config.clone(), clock)?;
        let app = http::router(&fleet).layer(middleware::from_fn_with_state(self.clone(), witness));
        self.begin(&fleet)?;
        let listener = Gated::new(TcpListener::bind(("0.0.0.0", PORT)).await?, &self.gate);
        let drive = Gated::new(Box::pin(fleet.drive(std::future::pending())), &self.gate);
        let serve = http::serve(listener, app, http::ServeConfig::default(), std::future::pending());
        tokio::join!(serve, drive);
        Ok(())
    }

    fn begin(&self, fleet: &Fleet) -> turmoil::Result {
        let mut watch = self.watch();
        let (workers, hives) = (WorkerRegistry::new(fleet), HiveRegistry::new(fleet));
        watch.checker.observe(self.time.now(), Fact::Started);
        for (id, policy) in &self.setup.announced {
            workers.start_monitoring(id, policy.clone())?;
        }
        watch.life = Some(Life { fleet: fleet.clone(), workers, hives, read: 0 });
        Ok(())
    }

    /// The registry is gone, with all it knew.
    pub(crate) fn has_died(&self) {
        self.read_log();
        self.watch().life = None;
    }

    pub(crate) fn tell(&self, fact: Fact) {
        let now = self.time.now();
        if self.tells {
            println!("{:>9.3} s  {fact:?}", now.as_secs_f64());
        }
        self.watch().checker.observe(now, fact);
    }

    /// Hands what was logged since the last time to the checker.
    pub(crate) fn read_log(&self) {
        let now = self.time.now();
        let watch = &mut *self.watch();
        let Some(life) = &mut watch.life else { return };
        let page = life.fleet.events(Some(&EventId { log: None, n: life.read }), usize::MAX);
        life.read = page.next - 1;
        for event in page.events {
            let line = serde_json::to_string(&event).expect("an event can be written");
            if self.tells {
                println!("{:>9.3} s  {line}", now.as_secs_f64());
            }
            watch.log.push_str(&line);
            watch.log.push('\n');
            watch.checker.observe(now, Fact::Logged(event));
        }
    }

    /// Counts the members, and looks at those that are overdue.
    pub(crate) fn inspect(&self) {
        let now = self.time.now();
        let watch = &mut *self.watch();
        let Some(life) = watch.life.clone().filter(|_| !self.gate.is_closed()) else { return };
        let stats = life.fleet.stats().members;
        watch.checker.observe(now, Fact::Counted { stats, listed: life.listed() });
        for name in watch.checker.overdue(now) {
            let is_held = life.view(&name).is_some_and(|view| !view.holds.is_empty());
            watch.checker.observe(now, Fact::Looked { name, is_held });
        }
    }

    pub(crate) fn view(&self, name: &Name) -> Option<MemberView> {
        self.watch().life.as_ref()?.view(name)
    }

    /// Whether the newest beat of a member was refused as one that no proper member sends.
    pub(crate) fn has_refused(&self, name: &Name) -> bool {
        self.watch().refused.contains(name)
    }

    fn note(&self, receipt: Receipt) {
        let mut watch = self.watch();
        let refused = &mut watch.refused;
        if receipt.status == 422 {
            refused.insert(receipt.name.clone())
        } else {
            refused.remove(&receipt.name)
        };
        drop(watch);
        self.tell(Fact::Beat(receipt));
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.watch().checker.is_settled()
    }

    /// The log of all lives, and what was violated.
    pub(crate) fn end(&self) -> (String, Vec<crate::check::Violation>) {
        let watch = &mut *self.watch();
        watch.life = None;
        (std::mem::take(&mut watch.log), watch.checker.violations().to_vec())
    }

    pub(crate) fn has_violations(&self) -> bool {
        !self.watch().checker.violations().is_empty()
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    fn view(&self, name: &Name) -> Option<MemberView> {
        let (kind, id) = name.split_once('/')?;
        let id = MemberId::new(id).ok()?;
        if kind == Kind::HIVE.as_str() { self.hives.view(&id).ok() } else { self.workers.view(&id).ok() }
    }

    /// How many there are, one by one.
    fn listed(&self) -> u64 {
        let left = MembersQuery { states: vec![HealthState::Left], limit: Some(1000), ..MembersQuery::default() };
        let pages = [self.workers.page(&left), self.hives.page(&left)];
        let left: usize = pages.into_iter().flatten().map(|page| page.members.len()).sum();
        let others =
            self.workers.unhealthy(HealthState::Healthy).len() + self.hives.unhealthy(HealthState::Healthy).len();
        (left + others) as u64
    }
}

/// Notes each beat, what became of it, and what was known of its member before and after.
async fn witness(State(queen): State<Queen>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BEAT_BYTES).await else { return Response::default() };
    let beat =
        if path == routes::beat(&Kind::WORKER) { read::<WorkerHeartbeat>(&body) } else { read::<HiveHeartbeat>(&body) };
    queen.read_log();
    let before = beat.as_ref().and_then(|(name, _)| queen.view(name)).map(|view| Known::of(&view));
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    if let Some((name, info)) = beat {
        let after = queen.view(&name).map(|view| Known::of(&view));
        queen.note(Receipt {
            name,
            order: info.order(),
            declared: info.interval(),
            is_goodbye: info.leaving.is_some(),
            status: response.status().as_u16(),
            wall: queen.wall.read(),
            before,
            after,
        });
        queen.read_log();
    }
    response
}

fn read<P: Payload>(json: &[u8]) -> Option<(Name, BeatInfo)> {
    let beat: P = serde_json::from_slice(json).ok()?;
    Some((format!("{}/{}", P::KIND, beat.id()), beat.beat().cloned().unwrap_or_default()))
}
