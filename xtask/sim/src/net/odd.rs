//! Beats that no proper sender sends.

use bytes::Bytes;
use heartbeat_contract::{BeatInfo, HiveHeartbeat, MAX_SAFE_INTEGER, MemberId, MemberView, Payload, WorkerHeartbeat};
use jiff::{SignedDuration, Timestamp};

use super::machine::Member;
use super::plan::Oddity;

/// The beats of a stranger: in the name of a member, of which this is known.
pub(super) fn beats(oddity: Oddity, member: &Member, known: Option<&MemberView>, wall: Timestamp) -> Vec<Bytes> {
    let run = known.and_then(|view| view.incarnation).unwrap_or(0);
    let seq = known.and_then(|view| view.seq).unwrap_or(0);
    let ordered = |incarnation: u64, seq: u64| BeatInfo {
        incarnation: Some(incarnation),
        seq: Some(seq),
        interval_ms: Some(1_000),
        ..BeatInfo::default()
    };
    let in_its_name = |info: BeatInfo| beat_of(member, member.id.clone(), Some(info));
    match oddity {
        Oddity::FromTheFuture => {
            let future = wall + SignedDuration::from_hours(25);
            let future = u64::try_from(future.as_microsecond()).unwrap_or(MAX_SAFE_INTEGER);
            vec![in_its_name(ordered(future.max(run.saturating_add(2)), 0)), in_its_name(ordered(MAX_SAFE_INTEGER, 0))]
        }
        Oddity::OfAnOlderRun => vec![in_its_name(ordered(run.saturating_sub(1), 1_000))],
        Oddity::GoodbyeOfAnOlderRun => {
            let goodbye = BeatInfo { leaving: Some("odd".to_owned()), ..ordered(run.saturating_sub(1), 1_000) };
            if run == 0 { Vec::new() } else { vec![in_its_name(goodbye)] }
        }
        Oddity::SeqTooFar if known.is_some() => vec![in_its_name(ordered(run, seq.saturating_add(2_000_000)))],
        Oddity::SeqTooFar => Vec::new(),
        Oddity::WithoutOrder => vec![beat_of(member, member.id.clone(), None)],
        Oddity::SeqAtItsMaximum => {
            let id = MemberId::new(format!("odd-{}", member.id)).expect("an id with more letters is one");
            let info = || Some(ordered(1, MAX_SAFE_INTEGER));
            vec![beat_of(member, id.clone(), info()), beat_of(member, id, info())]
        }
        Oddity::Garbage => vec![Bytes::from_static(b"{\"worker_id\": "), Bytes::from_static(b"[]"), Bytes::new()],
    }
}

fn beat_of(member: &Member, id: MemberId, info: Option<BeatInfo>) -> Bytes {
    if member.is_hive { json(HiveHeartbeat::new(id), info) } else { json(WorkerHeartbeat::new(id), info) }
}

fn json<P: Payload>(mut payload: P, info: Option<BeatInfo>) -> Bytes {
    if let Some(info) = info {
        payload.set_beat(info);
    }
    Bytes::from(serde_json::to_vec(&payload).expect("a beat can be written"))
}
