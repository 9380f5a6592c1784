//! What is told to whoever started this process, as systemd does, and when.

use std::{convert::Infallible, io, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::event::{SupervisionEnd, SupervisorEvent};
use crate::{clock, notify::Notifier};

/// How much more time a start is granted at a time; it is asked for again when half of it is over.
const EXTENSION: Duration = Duration::from_secs(30);
/// When what found no room is told again.
const RETRY: Duration = Duration::from_millis(200);
/// When nobody listened, who may not come back.
const RETRY_NOBODY: Duration = Duration::from_secs(5);

/// What is to be known outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Whether the first run is on its way up. A later one has what time is left: who fails again and again shall not be
    /// waited for without end.
    starting: bool,
    /// Whether any run was ready.
    ready: bool,
    stopping: bool,
    status: String,
}

impl News {
    pub(super) fn hear(&mut self, event: &SupervisorEvent) {
        match event {
            SupervisorEvent::Started { run, .. } => self.starting = *run == 1,
            SupervisorEvent::Ready { .. } => (self.starting, self.ready) = (false, true),
            SupervisorEvent::Ended(_) => self.starting = false,
            SupervisorEvent::Stopping { .. } | SupervisorEvent::Restarting { .. } => {}
        }
        self.status = first_line(&event.to_string());
    }

    /// Nothing follows.
    pub(super) fn stop(&mut self) {
        (self.starting, self.stopping) = (false, true);
    }

    pub(super) fn end(&mut self, end: &SupervisionEnd) {
        self.stop();
        match end {
            // The end of the run was told.
            SupervisionEnd::Over(_) | SupervisionEnd::Stopped(_) => {}
            SupervisionEnd::CrashLoop { what, last } => {
                self.status = first_line(&format!("given up after {what}: {last}"));
            }
            SupervisionEnd::Failed(_) => self.status = first_line(&end.to_string()),
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Tells the newest; what was news in between is not told.
pub(super) struct Outward {
    notifier: Notifier,
    news: watch::Receiver<News>,
    telling: Telling,
}

impl Outward {
    pub(super) fn new(notifier: Notifier, news: watch::Receiver<News>) -> Self {
        let telling = Telling::new(notifier.watchdog(), clock::now());
        Self { notifier, news, telling }
    }

    /// To be awaited by the task whose progress it tells.
    pub(super) async fn go_on(&mut self) -> Infallible {
        loop {
            self.tell(clock::now());
            let due = self.telling.due(&self.news.borrow());
            tokio::select! {
                Ok(()) = self.news.changed() => {}
                () = clock::at(due) => {}
            }
        }
    }

    /// Tells what there is to tell now. What does not get through is tried again.
    pub(super) fn tell(&mut self, now: Instant) {
        let news = self.news.borrow_and_update().clone();
        let mut after = self.telling.clone();
        let lines = after.lines(&news, now);
        let told = if lines.is_empty() { Ok(()) } else { self.notifier.send(&lines) };
        match told {
            Ok(()) => self.telling = after,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.telling.retry_at = Some(now + RETRY),
            Err(_) => self.telling.retry_at = Some(now + RETRY_NOBODY),
        }
    }
}

/// What was told, and what is due when. Plain arithmetic.
#[derive(Debug, Clone)]
struct Telling {
    told: News,
    ping_every: Option<Duration>,
    ping_at: Instant,
    extend_at: Instant,
    retry_at: Option<Instant>,
}

impl Telling {
    fn new(watchdog: Option<Duration>, now: Instant) -> Self {
        let ping_every = watchdog.map(|every| every / 2);
        Self { told: News::default(), ping_every, ping_at: now, extend_at: now, retry_at: None }
    }

    fn due(&self, news: &News) -> Option<Instant> {
        let ping = self.ping_every.map(|_| self.ping_at);
        let extend = news.starting.then_some(self.extend_at);
        self.retry_at.or_else(|| ping.into_iter().chain(extend).min())
    }

    /// What is to be told now, as if that succeeded.
    fn lines(&mut self, news: &News, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(every) = self.ping_every.filter(|_| now >= self.ping_at) {
            self.ping_at = now + every;
            lines.push("WATCHDOG=1".to_owned());
        }
        if news.starting && now >= self.extend_at {
            self.extend_at = now + EXTENSION / 2;
            lines.push(format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros()));
        }
        if news.ready && !self.told.ready {
            lines.push("READY=1".to_owned());
        }
        if news.stopping && !self.told.stopping {
            lines.push("STOPPING=1".to_owned());
        }
        if news.status != self.told.status {
            lines.push(format!("STATUS={}", news.status));
        }
        self.told.clone_from(news);
        self.retry_at = None;
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::{
        Duration, EXTENSION, Instant, News, Notifier, Outward, RETRY, RETRY_NOBODY, SupervisorEvent, Telling, clock,
        watch,
    };
    use crate::notify::NotifySocket;

    const SECOND: Duration = Duration::from_secs(1);

    fn starting() -> News {
        News { starting: true, status: "run 1: started".to_owned(), ..News::default() }
    }

    fn ready() -> News {
        News { ready: true, status: "run 1: ready".to_owned(), ..News::default() }
    }

    #[test]
    fn a_start_is_extended_no_more_often_than_it_takes_and_no_longer_than_it_lasts() {
        let now = clock::now();
        let mut telling = Telling::new(None, now);
        let news = starting();
        assert_eq!(telling.lines(&news, now), ["EXTEND_TIMEOUT_USEC=30000000", "STATUS=run 1: started"]);
        assert_eq!(telling.due(&news), Some(now + EXTENSION / 2));
        assert!(telling.lines(&news, now + 14 * SECOND).is_empty());
        assert_eq!(telling.lines(&news, now + 15 * SECOND), ["EXTEND_TIMEOUT_USEC=30000000"]);

        let news = ready();
        assert_eq!(telling.due(&news), None);
        assert_eq!(telling.lines(&news, now + 99 * SECOND), ["READY=1", "STATUS=run 1: ready"]);
    }

    #[test]
    fn only_the_first_run_is_granted_more_time() {
        let mut news = News::default();
        news.hear(&SupervisorEvent::Started { run: 1, pid: 7 });
        assert!(news.starting);
        news.hear(&SupervisorEvent::Started { run: 2, pid: 8 });
        assert_eq!((news.starting, news.status.as_str()), (false, "run 2: started, pid 8"));
    }

    #[test]
    fn ready_and_stopping_are_said_once_and_a_status_when_it_changes() {
        let now = clock::now();
        let mut telling = Telling::new(None, now);
        let mut news = ready();
        assert_eq!(telling.lines(&news, now), ["READY=1", "STATUS=run 1: ready"]);
        assert!(telling.lines(&news, now).is_empty());
        news.status = "run 2: ready".to_owned();
        assert_eq!(telling.lines(&news, now), ["STATUS=run 2: ready"]);
        news.stop();
        news.status = "run 2: ended".to_owned();
        assert_eq!(telling.lines(&news, now), ["STOPPING=1", "STATUS=run 2: ended"]);
        assert!(telling.lines(&news, now).is_empty());
    }

    /// Who is told, and by whom.
    fn outward(watchdog: Option<Duration>) -> (NotifySocket, watch::Sender<News>, Outward) {
        let socket = NotifySocket::bind().expect("a socket");
        let notifier = Notifier::new(socket.path()).expect("an address");
        let notifier = match watchdog {
            Some(every) => notifier.watchdog_every(every),
            None => notifier,
        };
        let (news, newest) = watch::channel(News::default());
        (socket, news, Outward::new(notifier, newest))
    }

    /// When pings came, in seconds from the beginning, and how many other datagrams.
    async fn pings(socket: &NotifySocket, count: usize, since: Instant) -> (Vec<f64>, usize) {
        let (mut pings, mut others) = (Vec::new(), 0);
        while pings.len() < count {
            match socket.recv().await.expect("a socket") {
                told if told.watchdog() => pings.push(since.elapsed().as_secs_f64()),
                _ => others += 1,
            }
        }
        (pings, others)
    }

    #[tokio::test(start_paused = true)]
    async fn pings_come_at_half_the_watchdog_interval_and_never_faster() {
        let (socket, news, mut outward) = outward(Some(20 * SECOND));
        let change = async {
            for n in 0..50 {
                tokio::time::sleep(SECOND).await;
                news.send_modify(|news| news.status = n.to_string());
            }
            std::future::pending::<()>().await;
        };
        let since = clock::now();
        let (pings, others) = tokio::select! {
            pings = pings(&socket, 5, since) => pings,
            _ = outward.go_on() => unreachable!("it goes on"),
            () = change => unreachable!("so does this"),
        };
        for (ping, expected) in pings.iter().zip([0.0, 10.0, 20.0, 30.0, 40.0]) {
            // Timers round up to whole milliseconds, each time.
            assert!((expected..expected + 0.01).contains(ping), "{pings:?}");
        }
        assert!((36..=40).contains(&others), "{others} changes of the status beside {pings:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_is_told_later_in_its_newest_form() {
        let (socket, news, mut outward) = outward(None);
        let flood = UnixDatagram::unbound().expect("a socket");
        flood.set_nonblocking(true).expect("a socket");
        let sent = (0..100_000).take_while(|_| flood.send_to(b"X=1", socket.path()).is_ok()).count();
        assert!(sent < 100_000, "it is full");
        news.send_replace(starting());
        outward.tell(clock::now());
        assert_eq!(outward.telling.due(&starting()), Some(clock::now() + RETRY));
        news.send_replace(ready());
        let told = async {
            loop {
                let told = socket.recv().await.expect("a socket");
                if told.get("X").is_none() {
                    return told;
                }
            }
        };
        let told = tokio::select! {
            told = told => told,
            _ = outward.go_on() => unreachable!("it goes on"),
        };
        assert!(told.ready());
        assert_eq!((told.status(), told.extend_timeout()), (Some("run 1: ready"), None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_is_not_looked_for_all_the_time() {
        let (socket, news, mut outward) = outward(None);
        drop(socket);
        news.send_replace(ready());
        outward.tell(clock::now());
        assert_eq!(outward.telling.due(&ready()), Some(clock::now() + RETRY_NOBODY));
    }
}
