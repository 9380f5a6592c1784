//! What happens to whom, and in which order.

use std::time::Duration;

use heartbeat_contract::{HealthState, Policy};

use super::cast::{behind_proxy, ids, worker};
use super::record::Deed;
use super::sighting::Mark;
use super::stage::Stage;
use crate::outcome::Outcome;

/// What the waits for verdicts take together on a machine with nothing else to do, and a little more.
const WAITS: Duration = Duration::from_secs(19);
/// How long a verdict may take. When it does not come, the table says so.
const VERDICT: Duration = Duration::from_secs(20);
/// How long everyone may take to join.
const JOIN: Duration = Duration::from_secs(30);
/// For how long the work of a worker may stand still. By default that is a minute, which nobody wants to watch.
const STUCK_AFTER: Duration = Duration::from_secs(3);
/// Pauses in the script: one before each of its six acts, and a longer one after the last.
const PAUSES: u32 = 8;

/// Plays within about the time given, from the moment that everyone has joined.
pub(super) async fn play(stage: &mut Stage<'_>, time: Duration) -> Outcome {
    let pause = time.saturating_sub(WAITS) / PAUSES;
    everyone_joins(stage).await?;
    let ends = stage.in_time(time);
    stage.tell_figures_of_hive().await?;

    stage.pass(pause).await?;
    dies(stage, &worker(1)).await?;
    stage.pass(pause).await?;
    freezes(stage, &worker(2)).await?;
    stage.pass(pause).await?;
    is_cut_off(stage, &behind_proxy()).await?;
    stage.pass(pause).await?;
    gets_stuck(stage, &worker(4)).await?;
    stage.pass(pause).await?;
    leaves(stage, &worker(5)).await?;
    stage.pass(pause).await?;
    returns(stage, &worker(6)).await?;

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

async fn dies(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.treat(id, Deed::Killed).await?;
    stage.wait_for(id, Mark::Entered(HealthState::Failed), VERDICT).await
}

async fn freezes(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.treat(id, Deed::Stopped).await?;
    stage.wait_for(id, Mark::Entered(HealthState::Failed), VERDICT).await?;
    stage.treat(id, Deed::Continued).await?;
    is_back(stage, id).await
}

async fn is_cut_off(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.treat(id, Deed::CutOff).await?;
    stage.wait_for(id, Mark::Entered(HealthState::Failed), VERDICT).await?;
    stage.treat(id, Deed::Mended).await?;
    is_back(stage, id).await
}

async fn gets_stuck(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.judge_by(id, &Policy { stuck_after: Some(STUCK_AFTER), ..Policy::default() }).await?;
    stage.treat(id, Deed::WorkHangs).await?;
    stage.wait_for(id, Mark::Entered(HealthState::Critical), VERDICT).await?;
    stage.treat(id, Deed::WorkGoesOn).await?;
    is_back(stage, id).await
}

async fn leaves(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.treat(id, Deed::AskedToLeave).await?;
    stage.wait_for(id, Mark::Entered(HealthState::Left), VERDICT).await
}

async fn returns(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.treat(id, Deed::Killed).await?;
    stage.treat(id, Deed::StartedAgain).await?;
    stage.wait_for(id, Mark::Restarted, VERDICT).await
}

async fn is_back(stage: &mut Stage<'_>, id: &str) -> Outcome {
    stage.wait_until(VERDICT, |fleet| fleet[id].state() == HealthState::Healthy).await.map(|_| ())
}
