//! Which beat is news: order by incarnation, then by seq.

use std::cmp::Ordering;

use heartbeat_contract::{HealthState, Order};

use super::member::Hot;

/// A seq may be this far ahead of the last one, plus one per [`SEQ_PACE`] since.
const SEQ_LEAD: u64 = 1_000_000;
/// A tenth of a second: no member beats faster for long.
const SEQ_PACE: u64 = 100_000;

/// What a beat is to the member it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The next beat of the run that is known.
    Fresh,
    /// The first beat of a newer run, or of a new life of a member whose beats carry no order.
    NewRun,
    /// It came before, or a later one came before it.
    Duplicate,
}

/// Why a beat is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// A newer run has been heard, or this run said goodbye.
    Incarnation {
        /// The newest run.
        newest: u64,
    },
    /// Its seq is farther ahead than any sender could have got.
    SeqTooFar {
        /// The largest seq that would be taken.
        largest: u64,
    },
}

/// Judges a beat against what is known of its member. `elapsed` is the time since the last beat, in microseconds.
pub(super) fn judge(member: &Hot, order: Option<Order>, leaving: bool, elapsed: u64) -> Result<News, Stale> {
    if !member.has_beaten() {
        return Ok(News::Fresh);
    }
    match (member.order(), order) {
        (None, Some(order)) if let Some(refused) = judge_by_mark(member, order, leaving) => refused,
        (None, _) | (Some(_), None) if member.state == HealthState::Left && leaving => Ok(News::Duplicate),
        (None, _) if member.state == HealthState::Left => Ok(News::NewRun),
        (None, _) => Ok(News::Fresh),
        (Some(_), None) if !member.state.is_online() => Ok(News::NewRun),
        (Some(known), None) => Err(Stale::Incarnation { newest: known.incarnation }),
        (Some(known), Some(order)) => judge_ordered(known, order, member.state, leaving, elapsed),
    }
}

/// An ordered beat after a life without order: no run comes back that an earlier life has seen replaced, or leave.
fn judge_by_mark(member: &Hot, order: Order, leaving: bool) -> Option<Result<News, Stale>> {
    let (mark, left) = member.mark()?;
    match order.incarnation.cmp(&mark.incarnation) {
        Ordering::Greater => None,
        Ordering::Equal if order.seq <= mark.seq || (left && leaving) => Some(Ok(News::Duplicate)),
        Ordering::Equal if !left => None,
        _ => Some(Err(Stale::Incarnation { newest: mark.incarnation })),
    }
}

fn judge_ordered(known: Order, order: Order, state: HealthState, leaving: bool, elapsed: u64) -> Result<News, Stale> {
    if order.incarnation < known.incarnation {
        return Err(Stale::Incarnation { newest: known.incarnation });
    }
    if order.incarnation > known.incarnation {
        return Ok(News::NewRun);
    }
    if order.seq <= known.seq {
        return Ok(News::Duplicate);
    }
    if state == HealthState::Left {
        // A goodbye is final for its run; repeating it changes nothing.
        return if leaving { Ok(News::Duplicate) } else { Err(Stale::Incarnation { newest: known.incarnation }) };
    }
    let largest = known.seq + SEQ_LEAD + elapsed / SEQ_PACE;
    if order.seq > largest { Err(Stale::SeqTooFar { largest }) } else { Ok(News::Fresh) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(incarnation: u64, seq: u64, state: HealthState) -> Hot {
        let mut hot = Hot::for_test();
        hot.set_order(Some(Order { incarnation, seq }));
        hot.state = state;
        hot
    }

    fn unordered(state: HealthState) -> Hot {
        let mut hot = Hot::for_test();
        hot.set_order(None);
        hot.state = state;
        hot
    }

    fn at(incarnation: u64, seq: u64) -> Option<Order> {
        Some(Order { incarnation, seq })
    }

    const NEWEST_IS_5: Result<News, Stale> = Err(Stale::Incarnation { newest: 5 });

    #[test]
    fn beats_are_ordered_by_incarnation_then_by_seq() {
        let known = member(5, 10, HealthState::Healthy);
        assert_eq!(judge(&known, at(5, 11), false, 0), Ok(News::Fresh));
        assert_eq!(judge(&known, at(5, 10), false, 0), Ok(News::Duplicate));
        assert_eq!(judge(&known, at(5, 3), false, 0), Ok(News::Duplicate));
        assert_eq!(judge(&known, at(4, 99), false, 0), NEWEST_IS_5);
        assert_eq!(judge(&known, at(6, 0), false, 0), Ok(News::NewRun));
    }

    #[test]
    fn a_failed_member_comes_back_with_its_next_beat() {
        assert_eq!(judge(&member(5, 10, HealthState::Failed), at(5, 11), false, 0), Ok(News::Fresh));
        assert_eq!(judge(&member(5, 10, HealthState::Failed), at(5, 10), false, 0), Ok(News::Duplicate));
    }

    #[test]
    fn a_goodbye_is_final_for_its_run() {
        let left = member(5, 10, HealthState::Left);
        assert_eq!(judge(&left, at(5, 11), false, 0), NEWEST_IS_5);
        assert_eq!(judge(&left, at(5, 10), true, 0), Ok(News::Duplicate));
        assert_eq!(judge(&left, at(5, 11), true, 0), Ok(News::Duplicate));
        assert_eq!(judge(&left, at(6, 0), false, 0), Ok(News::NewRun));
    }

    #[test]
    fn beats_without_order_do_not_mix_with_a_live_ordered_run() {
        assert_eq!(judge(&member(5, 10, HealthState::Critical), None, false, 0), NEWEST_IS_5);
        assert_eq!(judge(&member(5, 10, HealthState::Failed), None, false, 0), Ok(News::NewRun));
        assert_eq!(judge(&member(5, 10, HealthState::Left), None, false, 0), Ok(News::NewRun));
        assert_eq!(judge(&unordered(HealthState::Healthy), None, false, 0), Ok(News::Fresh));
        assert_eq!(judge(&unordered(HealthState::Healthy), at(1, 0), false, 0), Ok(News::Fresh));
        assert_eq!(judge(&unordered(HealthState::Left), None, false, 0), Ok(News::NewRun));
        assert_eq!(judge(&unordered(HealthState::Left), at(1, 0), false, 0), Ok(News::NewRun));
        assert_eq!(judge(&unordered(HealthState::Left), None, true, 0), Ok(News::Duplicate));
        assert_eq!(judge(&member(5, 10, HealthState::Left), None, true, 0), Ok(News::Duplicate));
    }

    #[test]
    fn a_life_without_order_does_not_bring_back_runs_of_an_earlier_one() {
        let mut after_goodbye = member(5, 10, HealthState::Left);
        after_goodbye.set_order(None);
        after_goodbye.state = HealthState::Healthy;
        assert_eq!(judge(&after_goodbye, at(5, 11), false, 0), NEWEST_IS_5);
        assert_eq!(judge(&after_goodbye, at(5, 11), true, 0), Ok(News::Duplicate));
        assert_eq!(judge(&after_goodbye, at(4, 0), false, 0), NEWEST_IS_5);
        assert_eq!(judge(&after_goodbye, at(6, 0), false, 0), Ok(News::Fresh));
        let mut after_failure = member(5, 10, HealthState::Failed);
        after_failure.set_order(None);
        after_failure.state = HealthState::Healthy;
        assert_eq!(judge(&after_failure, at(5, 10), false, 0), Ok(News::Duplicate));
        assert_eq!(judge(&after_failure, at(5, 11), false, 0), Ok(News::Fresh));
    }

    #[test]
    fn the_goodbye_of_a_life_without_order_says_nothing_of_an_ordered_run_before_it() {
        let mut hot = member(5, 10, HealthState::Failed);
        hot.set_order(None);
        hot.state = HealthState::Left;
        hot.set_order(None);
        hot.state = HealthState::Healthy;
        assert_eq!(judge(&hot, at(5, 11), false, 0), Ok(News::Fresh), "it failed, and may come back");
    }

    #[test]
    fn seq_may_lead_by_a_million_and_ten_per_second() {
        let known = member(5, 10, HealthState::Healthy);
        assert_eq!(judge(&known, at(5, 1_000_010), false, 0), Ok(News::Fresh));
        assert_eq!(judge(&known, at(5, 1_000_011), false, 0), Err(Stale::SeqTooFar { largest: 1_000_010 }));
        assert_eq!(judge(&known, at(5, 1_000_020), false, 1_000_000), Ok(News::Fresh));
        let refused = Err(Stale::SeqTooFar { largest: 1_000_020 });
        assert_eq!(judge(&known, at(5, 1_000_021), false, 1_000_000), refused);
    }
}
