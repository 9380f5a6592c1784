//! Has a registry probe a member.

use heartbeat_contract::Verification;

use super::args::MemberArgs;
use super::read::{client, failed};
use super::{Failed, UNHEALTHY, output};

/// Ends with 0 only if the member was found healthy, so that scripts can ask before they send work.
pub(super) async fn verify(MemberArgs { id, kind, from }: MemberArgs) -> Result<(), Failed> {
    let found = client(&from)?.verify(&kind, &id).await.map_err(failed)?;
    output::one(from.output, &found, || output::verification(&found))?;
    unfit(&found)
}

fn unfit(found: &Verification) -> Result<(), Failed> {
    if found.is_healthy() {
        return Ok(());
    }
    let message = format!("{} is not healthy: {}, {}", found.id, found.outcome, found.detail);
    Err(Failed { message, code: UNHEALTHY })
}
