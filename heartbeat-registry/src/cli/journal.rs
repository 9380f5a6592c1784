//! What the log of a registry tells of its fleet.

use heartbeat_contract::{EventBody, HealthState};

use super::told::told;
use crate::alert::Alert;
use crate::readable::seconds;
use crate::subscription::{Events, SubscriptionError};

/// A line for each transition.
#[expect(clippy::needless_pass_by_value, reason = "a callback is given what it is told")]
pub(super) fn transition(alert: Alert) {
    let Alert { kind, member, from, to, age, .. } = &alert;
    let (age, why) = (seconds(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)), alert.evidence.join("; "));
    let cause = alert.cause.map(tracing::field::display);
    match to {
        HealthState::Failed => tracing::warn!(%kind, %member, %from, %to, cause, age, why),
        _ => tracing::info!(%kind, %member, %from, %to, cause, age, why),
    }
}

/// A line for each host that is down, for each protection, and for members that flap or share an id.
pub(super) async fn follow(mut events: Events) {
    loop {
        let event = match events.next().await {
            Ok(event) => event,
            Err(SubscriptionError::Closed) => return,
            // What was missed can be read from the log of events, if it is kept.
            Err(_) => continue,
        };
        let is_notable = matches!(
            event.body,
            EventBody::HostDown { .. }
                | EventBody::Protection { .. }
                | EventBody::Flapping { .. }
                | EventBody::DuplicateIdentity { .. }
        );
        if is_notable {
            let (what, why) = told(&event.body);
            match &event.member {
                Some(member) => tracing::warn!(%member, what, why),
                None => tracing::warn!(what, why),
            }
        }
    }
}
