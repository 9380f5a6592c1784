//! What is notable of members beside their states.

use heartbeat_contract::Flag;

use crate::core::{Cold, Hot, Now};
use crate::readable::seconds;

/// A wall clock that is off by less is nothing to worry people with.
const NOTABLE_SKEW_MS: u64 = 5_000;

pub(crate) fn flags(hot: &Hot, cold: &Cold, now: &Now) -> Vec<Flag> {
    let flags = [
        (Flag::Overloaded, cold.is_overloaded()),
        (Flag::Flapping, cold.is_flapping()),
        (Flag::DuplicateIdentity, cold.rivals(hot, now).is_some()),
    ];
    flags.into_iter().filter(|(_, holds)| *holds).map(|(flag, _)| flag).collect()
}

/// The same in sentences, and how far its clock is off.
pub(crate) fn notable(hot: &Hot, cold: &Cold, now: &Now) -> Vec<String> {
    let overloaded = cold.lag_ms().filter(|_| cold.is_overloaded()).map(|lag| {
        format!(
            "It is overloaded: its runtime lags by {}, and by more than half its interval for 3 beats.",
            seconds(lag)
        )
    });
    let flapping = cold.is_flapping().then(|| {
        let score = cold.flap_score(hot, now);
        format!("It is flapping, with a score of {score:.1}: its alerts are muted until that is below 1.")
    });
    let rivals = cold.rivals(hot, now).map(|[older, newer]| {
        format!("Two live runs use its id: the older beats from {older} and is refused, the newer beats from {newer}.")
    });
    let skew = cold.skew_ms.filter(|skew| skew.unsigned_abs() > NOTABLE_SKEW_MS).map(|skew| {
        let side = if skew < 0 { "behind" } else { "ahead of" };
        let skew = seconds(skew.unsigned_abs());
        format!("Its clock is {skew} {side} the registry's, which is not held against it.")
    });
    [overloaded, flapping, rivals, skew].into_iter().flatten().collect()
}
