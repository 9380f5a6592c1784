//! What is done, and what the registry tells of it.

use std::time::{Duration, Instant};

use heartbeat_contract::{EventId, HealthState, Stats};
use heartbeat_registry::client::Client;

use crate::cast::Cast;
use crate::clock;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::sightings::Sightings;
use crate::verdict::Verdict;

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long everyone may take to join, and to be healthy again.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) async fn play(plan: &Plan, cast: &mut Cast) -> Outcome<Verdict> {
    let client = Client::new(&cast.url)?;
    say(&format!("{} members beat every {:?}", plan.members(), plan.interval));
    let all = plan.members() as u64;
    let mut since = until(cast, false, "not everyone is healthy", async || {
        let stats = stats(&client).await;
        Ok(stats.filter(|stats| stats.members.healthy == all).map(|stats| stats.events.next - 1))
    })
    .await?;
    // Everyone beats in its own time by then.
    tokio::time::sleep(plan.interval * 2).await;

    say(&format!("all are healthy; the registry is stopped for {:?}", plan.stop_for));
    let stopped = clock::instant();
    cast.stop_registry()?;
    tokio::time::sleep(plan.stop_for / 3).await;
    cast.kill_the_dying()?;
    say(&format!("{} members are killed", plan.dying));
    tokio::time::sleep(plan.stop_for.saturating_sub(stopped.elapsed())).await;
    cast.continue_registry()?;
    let continued = clock::instant();
    say("the registry goes on");

    let mut sightings = Sightings::default();
    let stats = until(cast, true, "those who died are not all failed, or those who live not all healthy", async || {
        while let Some(newest) = read_on(&client, &mut sightings, since).await {
            since = newest;
        }
        let failed = sightings.of("dies").filter(|(_, seen)| seen.ends == Some(HealthState::Failed)).count();
        let stats =
            stats(&client).await.filter(|stats| failed == plan.dying && stats.members.healthy >= plan.living as u64);
        Ok(stats)
    })
    .await;
    let took = continued.elapsed();
    Ok(Verdict { plan: *plan, sightings, stats: stats?, took })
}

/// Takes in a page of events after a number; returns the number of the last, if there was any.
async fn read_on(client: &Client, sightings: &mut Sightings, since: u64) -> Option<u64> {
    // One that cannot be had just now is asked for again.
    let page = client.events(Some(&EventId { log: None, n: since }), 1_000).await.ok()?;
    page.events.iter().for_each(|event| sightings.add(event));
    page.events.last().map(|event| event.n)
}

async fn stats(client: &Client) -> Option<Stats> {
    client.stats().await.ok()
}

/// Asks again and again until there is something, or patience ends.
async fn until<T>(
    cast: &mut Cast,
    dying_are_dead: bool,
    otherwise: &str,
    mut look: impl AsyncFnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let ends: Instant = clock::instant() + PATIENCE;
    loop {
        cast.check(dying_are_dead)?;
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if clock::instant() >= ends {
            return Err(format!("{otherwise} after {PATIENCE:?}").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn say(what: &str) {
    println!("stop: {what}");
}
