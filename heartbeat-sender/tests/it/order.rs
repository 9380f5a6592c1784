//! How runs and beats are numbered, and what becomes of a run when the registry knows a newer one.

use heartbeat_contract::{BeatInfo, ProblemType};
use heartbeat_sender::Outcome;

use crate::member::{Member, S, STARTED, expect_at, now, soon, stale, worker};

#[tokio::test(start_paused = true)]
async fn a_run_never_accepted_takes_the_newest_number_and_one_and_beats_at_once() {
    let mut member = Member::start(worker());
    let refused = member.hear().await.answer(Err(stale(STARTED + 5_000_000)));
    let heard = member.hear().await;
    assert_eq!((heard.beat().incarnation, heard.seq()), (Some(STARTED + 5_000_001), 0));
    assert_eq!(heard.acknowledge(), refused);
    assert_eq!(member.hear().await.beat().incarnation, Some(STARTED + 5_000_001));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_refuses_every_run_is_asked_twice_per_slot_and_no_more() {
    let mut member = Member::start(worker());
    let first = member.hear().await.answer(Err(stale(STARTED + 10)));
    assert_eq!(member.hear().await.answer(Err(stale(STARTED + 20))), first);
    let slot = member.hear().await;
    assert_eq!((slot.beat().incarnation, slot.beat().tick), (Some(STARTED + 21), Some(0)));
    let slot = slot.answer(Err(stale(STARTED + 30)));
    assert_eq!(member.hear().await.answer(Err(stale(STARTED + 40))), slot);
    let next = member.hear().await;
    assert_eq!(next.beat().incarnation, Some(STARTED + 41));
    expect_at(next.at, slot + 30 * S);
}

#[tokio::test(start_paused = true)]
async fn a_run_once_accepted_never_raises_its_incarnation() {
    let (mut member, _) = Member::accepted(worker()).await;
    let heard = member.hear().await;
    assert_eq!(heard.beat().incarnation, Some(STARTED));
    heard.answer(Err(stale(STARTED + 7)));
    let outcomes = member.handle.outcomes();
    assert!(matches!(member.ended().await, Outcome::Superseded { newest } if newest == STARTED + 7));
    assert!(matches!(outcomes.latest(), Outcome::Superseded { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_superseded_run_says_no_goodbye() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.hear().await.answer(Err(stale(STARTED + 7)));
    assert!(matches!(member.outcome().await, Outcome::Superseded { .. }));
    let end = soon(member.handle.clone().shutdown()).await;
    assert!(matches!(end, Outcome::Superseded { .. }), "{end:?}");
    assert!(member.has_ended_silently().await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_contradicts_itself_ends_nothing() {
    let (mut member, _) = Member::accepted(worker()).await;
    member.hear().await.answer(Err(stale(STARTED - 1)));
    assert!(matches!(member.outcome().await, Outcome::Failed { .. }));
    assert_eq!(member.hear().await.beat().incarnation, Some(STARTED));
}

#[tokio::test(start_paused = true)]
async fn other_refusals_are_tried_again_for_ever() {
    let mut member = Member::start(worker());
    for seq in 0..20_u64 {
        let heard = member.hear().await;
        assert_eq!((heard.seq(), heard.beat().tick), (seq, seq.checked_sub(1)));
        heard.answer(Err(heartbeat_contract::Problem::new(ProblemType::InvalidPayload, "queue_depth: -1 is below 0")));
        let Outcome::Failed { error, consecutive, .. } = member.outcome().await else { panic!("it succeeded") };
        assert_eq!((error.status(), consecutive), (Some(422), seq + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn each_beat_tells_how_long_the_previous_one_took() {
    let mut member = Member::start(worker());
    let slow = member.hear().await;
    assert_eq!(slow.beat().rtt_ms, None);
    tokio::time::sleep(2 * S).await;
    slow.acknowledge();
    let heard = member.hear().await;
    let rtt = heard.beat().rtt_ms.unwrap();
    assert!((2000..=2002).contains(&rtt), "{rtt} ms");
}

#[tokio::test(start_paused = true)]
async fn the_same_clock_and_answers_give_the_same_beats() {
    let (first, second) = (story().await, story().await);
    assert_eq!(first, second);
}

/// What a member tells in a life with some events, and when.
async fn story() -> Vec<(std::time::Duration, BeatInfo)> {
    let start = now();
    let mut member = Member::start(worker());
    let mut told = Vec::new();
    for turn in 0..30 {
        let heard = member.hear().await;
        told.push((heard.at - start, heard.beat().clone()));
        match turn {
            3 => drop(heard),
            5 => drop(heard.answer(Err(stale(STARTED - 1)))),
            _ => drop(heard.acknowledge()),
        }
        match turn {
            7 => member.handle.beat_now(),
            12 => member.handle.set_interval(S).unwrap(),
            _ => {}
        }
    }
    told
}
