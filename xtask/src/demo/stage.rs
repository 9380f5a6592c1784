//! Where the script meets the registry: deeds go out, events come in.

use std::time::{Duration, Instant};

use heartbeat_contract::{Event, EventBody, EventId, Kind, MemberId, MemberView, Policy};
use heartbeat_registry::MembersQuery;
use heartbeat_registry::client::{Client, ClientError};

use super::INTERVAL;
use super::cast::{self, Cast, HIVE};
use super::figures::Figures;
use super::patience::Patience;
use super::record::{Deed, Record};
use super::sighting::{Fleet, Mark, Sightings};
use super::table::{self, Row};
use super::timeline::Timeline;
use super::verdict::{End, Expected, Verdict};
use crate::outcome::{Failure, Outcome};
use crate::{clock, program};

/// How often to ask the registry for new events.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A registry on a busy machine may owe some answers.
const PATIENCE: Patience = Patience { answers: 10, pause: LOOK_EVERY };
/// How long a hive may take to know its machine.
const FIGURES: Duration = Duration::from_secs(10);

/// A running fleet, with what was done to it and what the registry tells of it.
pub(super) struct Stage<'a> {
    cast: &'a mut Cast,
    url: String,
    client: Client,
    timeline: Timeline,
    record: Record,
    fleet: Fleet,
    /// What was told of the whole host, though only single workers are treated here.
    false_alarms: Vec<String>,
    since: Option<EventId>,
}

impl<'a> Stage<'a> {
    /// Starts everyone.
    pub(super) async fn set(cast: &'a mut Cast) -> Outcome<Self> {
        let timeline = Timeline::new(clock::timestamp());
        let say = |who: &str, what: &str| timeline.say(clock::timestamp(), who, what);
        say("demo", "starting the registry, a hive and eight workers ...");
        let url = cast.start_registry().await?;
        say("registry", &format!("ready at {url}"));
        cast.start_members(&url).await?;
        let client = Client::new(&url)?;
        let (record, fleet, false_alarms) = (Record::default(), Fleet::new(), Vec::new());
        Ok(Self { cast, url, client, timeline, record, fleet, false_alarms, since: None })
    }

    /// Has a worker judged by a policy of its own.
    pub(super) async fn judge_by(&mut self, id: &str, policy: &Policy) -> Outcome {
        let member = MemberId::new(id)?;
        self.ask(async |client| client.set_policy(&Kind::WORKER, &member, policy).await).await?;
        self.look().await
    }

    /// Does something to a worker, and puts it on record with the moment before: nothing that follows from it is earlier.
    pub(super) async fn treat(&mut self, id: &str, deed: Deed) -> Outcome {
        let at = clock::timestamp();
        self.cast.treat(id, deed, &self.url).await?;
        self.record.add(id, deed, at);
        self.timeline.deed(at, id, deed);
        Ok(())
    }

    /// Follows the registry's events until a condition holds; tells whether it did within the bound.
    pub(super) async fn wait_until(&mut self, bound: Duration, is_so: impl Fn(&Fleet) -> bool) -> Outcome<bool> {
        let ends = self.in_time(bound);
        loop {
            self.look().await?;
            if is_so(&self.fleet) {
                return Ok(true);
            }
            if clock::instant() >= ends {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Follows the events until one of a member is told. If it is not told within the bound, the timeline says so.
    pub(super) async fn wait_for(&mut self, id: &str, mark: Mark, bound: Duration) -> Outcome {
        let told = |fleet: &Fleet| fleet.get(id).is_some_and(|seen| seen.saw(mark));
        if !self.wait_until(bound, told).await? {
            self.timeline.say(clock::timestamp(), id, &format!("not told as {mark} within {bound:?}"));
        }
        Ok(())
    }

    /// The moment that is so far away.
    pub(super) fn in_time(&self, duration: Duration) -> Instant {
        clock::instant() + duration
    }

    /// Follows the events for a while.
    pub(super) async fn pass(&mut self, duration: Duration) -> Outcome {
        self.wait_until(duration, |_| false).await.map(|_| ())
    }

    pub(super) async fn pass_until(&mut self, moment: Instant) -> Outcome {
        self.pass(moment.saturating_duration_since(clock::instant())).await
    }

    /// Follows the events until everyone is where it should end up, but not for longer than the bound.
    pub(super) async fn settle(&mut self, bound: Duration) -> Outcome {
        let expected: Vec<(String, Expected)> =
            self.fleet.keys().map(|id| (id.clone(), Expected::after(&self.record.of(id)))).collect();
        let settled = |fleet: &Fleet| expected.iter().all(|(id, expected)| expected.is_met_by(fleet[id].state()));
        self.wait_until(bound, settled).await.map(|_| ())
    }

    /// Follows the events until the registry is gone, and returns why it is.
    pub(super) async fn follow_forever(&mut self) -> Failure {
        loop {
            if let Err(gone) = self.pass(Duration::from_hours(1)).await {
                return gone;
            }
        }
    }

    /// Tells what the hive reports of its machine.
    pub(super) async fn tell_figures_of_hive(&mut self) -> Outcome {
        let ends = self.in_time(FIGURES);
        let hive = MemberId::new(HIVE)?;
        loop {
            self.pass(LOOK_EVERY).await?;
            let view = self.ask(async |client| client.member(&Kind::HIVE, &hive).await).await?;
            let Figures { words, are_complete } = Figures::of(&view);
            if are_complete || clock::instant() >= ends {
                self.timeline.say(clock::timestamp(), HIVE, &format!("its machine: {words}"));
                return Ok(());
            }
        }
    }

    pub(super) fn who_is_missing(&mut self, ids: &[String]) -> String {
        let missing = ids.iter().filter(|id| !self.fleet.contains_key(*id));
        let lines = missing.map(|id| format!("{id} has not joined{}", self.cast.last_words_of(id)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Prints the closing table, and everything that differs below it.
    pub(super) async fn judge(&mut self) -> Outcome<Verdict> {
        let all = MembersQuery::default();
        let mut ends = self.ask(async |client| client.all_members(&Kind::WORKER, &all).await).await?;
        ends.extend(self.ask(async |client| client.all_members(&Kind::HIVE, &all).await).await?);
        ends.retain(|view| cast::includes(&view.kind, &view.id));
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for (id, seen) in &self.fleet {
            let deeds = self.record.of(id);
            let shown = ends.iter().find(|view| view.id.as_str() == id);
            let end = shown.map(End::of).ok_or_else(|| format!("the registry no longer shows {id}"))?;
            let complaints = Expected::after(&deeds).complaints(seen, end);
            rows.push(Row::new(id, &deeds, seen, end, complaints.is_empty()));
            if !complaints.is_empty() {
                notes.push(format!("{id}: {}{}", complaints.join("; "), self.cast.last_words_of(id)));
            }
        }
        println!("\n{}", table::lay_out(&rows, self.timeline.paint()));
        println!("\n{}", table::LEGEND);
        if notes.is_empty() && self.false_alarms.is_empty() {
            println!("\nAll {} members are as expected.", rows.len());
        }
        notes.iter().chain(&self.false_alarms).for_each(|note| println!("\n{note}"));
        Ok(Verdict { differing: notes.len(), false_alarms: self.false_alarms.len() })
    }

    pub(super) fn tell_how_to_look_around(&self) {
        let (url, program) = (&self.url, self.cast.registry_program());
        let program = program.strip_prefix(program::workspace_root()).unwrap_or(program).display();
        println!("\nThe fleet stays up until Ctrl-C. To look around:");
        for path in ["/v1/workers", "/v1/workers/worker-1", "/v1/hives", "/v1/stats", "/v1/events"] {
            println!("  curl {url}{path}");
        }
        for command in ["list", "list hives", "explain worker-1", "show worker-2", "stats", "events"] {
            println!("  {program} {command} --registry {url}");
        }
        println!();
    }

    /// Takes in what happened since the last look.
    async fn look(&mut self) -> Outcome {
        let since = self.since.clone();
        let page = self.ask(async |client| client.events(since.as_ref(), 1_000).await).await?;
        for event in page.events {
            self.hear(&event).await?;
            self.since = Some(event.id);
        }
        Ok(())
    }

    /// Asks the registry for something, with patience.
    async fn ask<T>(&mut self, question: impl AsyncFn(&Client) -> Result<T, ClientError>) -> Outcome<T> {
        let Self { cast, client, .. } = self;
        PATIENCE.ask(async || question(client).await, || cast.registry_is_gone()).await
    }

    /// Tells an event, and takes it into account if it is about one of the cast: anyone may beat here, and is not judged.
    async fn hear(&mut self, event: &Event) -> Outcome {
        self.false_alarms.extend(false_alarm(event));
        let member = event.kind.as_ref().zip(event.member.as_ref());
        let Some((kind, id)) = member.filter(|(kind, id)| cast::includes(kind, id)) else {
            self.timeline.event(event, None, None);
            return Ok(());
        };
        if event.body == (EventBody::Registered {}) && !self.fleet.contains_key(id.as_str()) {
            let view = self.ask(async |client| client.member(kind, id).await).await?;
            check_pace(&view)?;
            self.fleet.insert(id.to_string(), Sightings::begin(&view));
        }
        let seen = self.fleet.get_mut(id.as_str()).ok_or_else(|| format!("{id} was told of before it joined"))?;
        seen.add(event);
        let deed = self.record.last_before(id.as_str(), event.at);
        self.timeline.event(event, seen.lateness(event), deed);
        Ok(())
    }
}

impl End {
    fn of(view: &MemberView) -> Self {
        Self { state: view.state, cause: view.cause, incarnation: view.incarnation }
    }
}

/// A member that is judged by another interval than its own makes every expected time meaningless.
fn check_pace(view: &MemberView) -> Outcome {
    if view.policy.interval == INTERVAL {
        return Ok(());
    }
    Err(format!("{} is judged by an interval of {:?}, not {INTERVAL:?}", view.id, view.policy.interval).into())
}

/// What is told of the whole host of the cast. No deed brings that about: the hive lives.
fn false_alarm(event: &Event) -> Option<String> {
    match &event.body {
        EventBody::HostDown { host, .. } if host == HIVE => Some(format!("host {host} was called down, and is not")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &serde_json::Value) -> Option<String> {
        let mut json = serde_json::json!({ "id": "a-1", "n": 1, "at": "2026-01-02T03:05:40Z" });
        json.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        false_alarm(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn the_host_of_the_cast_is_never_down_and_others_may_be() {
        let host_down = |host| serde_json::json!({"type": "host_down", "host": host, "members": 9});
        assert_eq!(told(&host_down(HIVE)).unwrap(), "host hive-1 was called down, and is not");
        assert_eq!(told(&host_down("another")), None);
        assert_eq!(told(&serde_json::json!({"type": "registered", "kind": "worker", "member": "a"})), None);
    }
}
