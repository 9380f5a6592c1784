//! What happens to whom, and in which order.

use std::time::Duration;

use heartbeat_contract::HealthState;

use super::cast::{ids, worker};
use super::record::Deed;
use super::sighting::Mark;
use super::stage::Stage;
use crate::outcome::Outcome;

/// What the waits for verdicts take together on a machine with nothing else to do, and a little more.
const WAITS: Duration = Duration::from_secs(12);
/// How long a verdict may take. When it does not come, the table says so.
const VERDICT: Duration = Duration::from_secs(20);
/// How long everyone may take to join.
const JOIN: Duration = Duration::from_secs(30);
/// Pauses in the script: one before each of its four acts, and a longer one after the last.
const PAUSES: u32 = 6;

/// Plays within about the time given, from the moment that everyone has joined.
pub(super) async fn play(stage: &mut Stage<'_>, time: Duration) -> Outcome {
    let pause = time.saturating_sub(WAITS) / PAUSES;
    everyone_joins(stage).await?;
    let ends = stage.in_time(time);
    stage.tell_figures_of_hive().await?;

    stage.pass(pause).await?;
    let dies = worker(1);
    stage.treat(&dies, Deed::Killed).await?;
    stage.wait_for(&dies, Mark::Entered(HealthState::Failed), VERDICT).await?;

    stage.pass(pause).await?;
    let freezes = worker(2);
    stage.treat(&freezes, Deed::Stopped).await?;
    stage.wait_for(&freezes, Mark::Entered(HealthState::Failed), VERDICT).await?;
    stage.treat(&freezes, Deed::Continued).await?;
    stage.wait_until(VERDICT, |fleet| fleet[&freezes].state() == HealthState::Healthy).await?;

    stage.pass(pause).await?;
    let leaves = worker(3);
    stage.treat(&leaves, Deed::AskedToLeave).await?;
    stage.wait_for(&leaves, Mark::Entered(HealthState::Left), VERDICT).await?;

    stage.pass(pause).await?;
    let returns = worker(4);
    stage.treat(&returns, Deed::Killed).await?;
    stage.treat(&returns, Deed::StartedAgain).await?;
    stage.wait_for(&returns, Mark::Restarted, VERDICT).await?;

    stage.pass_until(ends).await?;
    stage.settle(VERDICT).await
}

async fn everyone_joins(stage: &mut Stage<'_>) -> Outcome {
    let ids = ids();
    if stage.wait_until(JOIN, |fleet| ids.iter().all(|id| fleet.contains_key(id))).await? {
        return Ok(());
    }
    Err(stage.who_is_missing(&ids).into())
}
