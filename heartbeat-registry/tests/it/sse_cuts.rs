//! The proof that a stream may be cut anywhere: each event is told once and in order, or a reset says where it goes on.

use std::hash::BuildHasher;
use std::time::Duration;

use heartbeat_registry::client::{Client, Followed};
use heartbeat_registry::contract::{Event, EventId, EventsLagged, EventsReset, HealthStatus};
use heartbeat_registry::http::{ServeConfig, router};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock, WorkerRegistry};
use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::tail::{Tail, Told};
use crate::wire::Server;
use crate::world::{dawn, feeling, plain};

/// How many events the fleets of the rounds keep.
const KEPT: [u64; 5] = [4, 10, 30, 100, 10_000];

/// Numbers that are the same again with the same seed, which is printed when the test fails.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = match std::env::var("SSE_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => std::hash::RandomState::new().hash_one(0) | 1,
        };
        println!("SSE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// After how many bytes to cut: now and then within the head already.
    fn cut(&mut self) -> u64 {
        let within = if self.below(5) == 0 { 400 } else { 4_000 };
        1 + self.below(within)
    }
}

/// A fleet that hears beats, and all it ever logged.
struct Beaten {
    workers: WorkerRegistry,
    logged: Vec<Event>,
}

impl Beaten {
    fn new(kept: u64) -> (Fleet, Self) {
        let config = FleetConfig { events_kept: kept.try_into().unwrap(), ..FleetConfig::default() };
        let fleet = Fleet::new(config, ManualClock::new(dawn())).unwrap();
        let workers = WorkerRegistry::new(&fleet);
        (fleet, Self { workers, logged: Vec::new() })
    }

    /// Each beat brings no, one or two events.
    fn beats(&mut self, count: u64, random: &mut Random) {
        for _ in 0..count {
            let health = [HealthStatus::Healthy, HealthStatus::Degraded, HealthStatus::Unhealthy];
            let name = format!("worker-{}", random.below(20));
            self.workers.record(feeling(plain(&name), health[random.below(3) as usize])).unwrap();
            let known = EventId { log: None, n: self.last() };
            self.logged.extend(self.workers.fleet().events(Some(&known), 10).events);
        }
    }

    fn last(&self) -> u64 {
        self.logged.len() as u64
    }
}

/// What a reader has been told, each piece checked as it comes.
struct Witness {
    kept: u64,
    last: EventId,
    told: u64,
    skipped: u64,
    resets: u64,
    lags: u64,
}

impl Witness {
    fn new(kept: u64, last: EventId) -> Self {
        Self { kept, last, told: 0, skipped: 0, resets: 0, lags: 0 }
    }

    fn event(&mut self, event: &Event, beaten: &Beaten) {
        assert_eq!(event.id.log, self.last.log, "no event of another log without a reset");
        assert_eq!(event.n, self.last.n + 1, "once and in order");
        assert_eq!(event, &beaten.logged[event.n as usize - 1]);
        self.last = event.id.clone();
        self.told += 1;
    }

    fn reset(&mut self, reset: &EventsReset, beaten: &Beaten) {
        let EventsReset { log, oldest, next } = reset.clone();
        assert_eq!(Some(&log), beaten.logged[0].id.log.as_ref());
        assert!(next <= beaten.last() + 1);
        assert_eq!(oldest, next.saturating_sub(self.kept).max(1), "the oldest that was kept");
        let same = self.last.log.as_ref() == Some(&log);
        let from = if same { self.last.n } else { 0 };
        assert!(!same || oldest > from + 1, "no reset without need");
        self.skipped += oldest - 1 - from;
        self.last = EventId { log: Some(log), n: oldest - 1 };
        self.resets += 1;
    }

    fn frames(&mut self, frames: &[Told], beaten: &Beaten) {
        for (place, told) in frames.iter().enumerate() {
            match told.event.as_deref() {
                Some("reset") => {
                    self.reset(&told.json(), beaten);
                    assert_eq!(told.id, Some(self.last.to_string()));
                }
                Some("lagged") => {
                    let lagged: EventsLagged = told.json();
                    assert_eq!(lagged.oldest, self.last.n + 1 + lagged.missed);
                    assert_eq!((told.id.as_ref(), place), (None, frames.len() - 1), "the last to be told");
                    self.lags += 1;
                }
                Some(word) => {
                    let event: Event = told.json();
                    assert_eq!((told.id.as_deref(), word), (Some(&*event.id.to_string()), event.body.type_word()));
                    self.event(&event, beaten);
                }
                None => assert_eq!(told.id, Some(self.last.to_string()), "where the stream begins"),
            }
        }
    }

    /// Everything was told, or a reset said that it was not.
    fn expect_all(&self, beaten: &Beaten) {
        assert_eq!(self.told + self.skipped, beaten.last());
    }
}

async fn serving(kept: u64) -> (Server, Beaten) {
    let (fleet, beaten) = Beaten::new(kept);
    let app = router(&fleet);
    (Server::of(ServeConfig::default(), fleet, app).await, beaten)
}

async fn resume(server: &Server, witness: &Witness) -> Tail {
    let stream = TcpStream::connect(server.address).await.unwrap();
    Tail::open(stream, "", Some(&witness.last.to_string())).await
}

/// Reads until so many bytes have come or the stream has ended, while beats go on.
async fn read_amid_beats(tail: &mut Tail, bytes: u64, beaten: &mut Beaten, random: &mut Random, kept: u64) {
    while (tail.raw_len() as u64) < bytes {
        let most = bytes as usize - tail.raw_len();
        match tokio::time::timeout(Duration::from_millis(1), tail.read(most)).await {
            Ok(false) => return,
            Ok(true) => {}
            Err(_) if kept < 1_000 && random.below(20) == 0 => beaten.beats(2 * kept, random),
            Err(_) => beaten.beats(random.below(30), random),
        }
    }
}

#[tokio::test]
async fn a_stream_cut_and_resumed_a_thousand_times_shows_each_event_once_in_order_or_an_honest_reset() {
    let mut random = Random::new();
    let mut last: EventId = "another-7".parse().unwrap();
    let (mut told, mut resets, mut lags) = (0, 0, 0);
    for kept in KEPT {
        let (server, mut beaten) = serving(kept).await;
        beaten.beats(1, &mut random);
        let mut witness = Witness::new(kept, last);
        for _ in 0..1_000 / KEPT.len() {
            beaten.beats(random.below(12), &mut random);
            let mut tail = resume(&server, &witness).await;
            read_amid_beats(&mut tail, random.cut(), &mut beaten, &mut random, kept).await;
            witness.frames(&tail.told(), &beaten);
        }
        let mut tail = resume(&server, &witness).await;
        tail.frames_until(beaten.last()).await;
        witness.frames(&tail.told(), &beaten);
        witness.expect_all(&beaten);
        (told, resets, lags) = (told + witness.told, resets + witness.resets, lags + witness.lags);
        last = witness.last;
    }
    println!("{told} events, {resets} resets, {lags} times lagged");
    assert!(told > 1_000 && resets > KEPT.len() as u64 && lags > 0, "the cuts found something to cut");
}

/// Hands connections on to a server, and cuts each after some bytes of its answer.
async fn cutter(server: &Server, mut random: Random) -> (String, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = server.address;
    let cutting = tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(server).await.unwrap();
            let ((mut asked, mut told), (answered, mut passed_on)) = (near.split(), far.split());
            let mut answered = answered.take(random.cut());
            // Either side may end first, however it likes.
            tokio::select! {
                _ = copy(&mut asked, &mut passed_on) => {}
                _ = copy(&mut answered, &mut told) => {}
            }
        }
    });
    (url, cutting.abort_handle())
}

#[tokio::test]
async fn a_client_that_is_cut_off_again_and_again_tells_each_event_once_in_order_or_an_honest_reset() {
    let mut random = Random::new();
    let mut last: EventId = "another-7".parse().unwrap();
    let mut resets = 0;
    for kept in KEPT {
        let (server, mut beaten) = serving(kept).await;
        beaten.beats(1, &mut random);
        let (url, cutting) = cutter(&server, Random(random.below(u64::MAX) | 1)).await;
        let delay = Duration::from_micros(100);
        let mut follow = Client::new(&url).unwrap().follow(Some(last.clone())).with_delays(delay, delay);
        let mut witness = Witness::new(kept, last);
        let mut cuts = 0;
        while cuts < 60 || witness.last.n < beaten.last() {
            // The future is dropped and made anew all the time.
            match tokio::time::timeout(Duration::from_millis(1), follow.next()).await {
                Ok(Ok(Followed::Event(event))) => witness.event(&event, &beaten),
                Ok(Ok(Followed::Reset(reset))) => witness.reset(&reset, &beaten),
                Ok(Ok(Followed::Lost { .. })) => cuts += 1,
                Ok(told) => drop(told.unwrap()),
                Err(_) if cuts < 60 => beaten.beats(random.below(30), &mut random),
                Err(_) => {}
            }
        }
        witness.expect_all(&beaten);
        assert_eq!(follow.position(), Some(&witness.last));
        cutting.abort();
        (last, resets) = (witness.last, resets + witness.resets);
    }
    assert!(resets > KEPT.len() as u64, "{resets} resets");
}
