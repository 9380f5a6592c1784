//! The beats that are sent.

use std::io::Write;

use heartbeat_contract::{Kind, MemberId, WorkerHeartbeat, decode, routes};

use crate::outcome::Outcome;

/// A worker that tells all it can.
const EXAMPLE: &[u8] = include_bytes!("../../../heartbeat-contract/tests/golden/worker_full.json");
/// Seqs have as many digits throughout, so that a beat can be numbered in place.
const FIRST_SEQ: u64 = 1_000_000;
/// Long enough that nobody is late while it is the others' turn.
const INTERVAL_MS: u64 = 60_000;

/// Some members, who beat one after the other, each with the next number of its run.
pub(crate) struct Beats {
    members: Vec<Member>,
    next: usize,
    request: Vec<u8>,
}

/// How many beats go into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    Batch(usize),
}

struct Member {
    json: Vec<u8>,
    seq: u64,
    seq_at: usize,
}

impl Beats {
    /// Shares some members out.
    pub(crate) fn of(members: usize, shares: usize) -> Outcome<Vec<Self>> {
        let share = |first: usize| {
            let members = (first..members).step_by(shares).map(Member::new).collect::<Outcome<_>>()?;
            Ok(Self { members, next: 0, request: Vec::new() })
        };
        (0..shares).map(share).collect()
    }

    pub(crate) fn members(&self) -> usize {
        self.members.len()
    }

    /// The JSON of the next beat.
    pub(crate) fn next(&mut self) -> &[u8] {
        let turn = self.next;
        self.next = (turn + 1) % self.members.len();
        self.members[turn].beat()
    }

    /// The next request, head and all.
    pub(crate) fn next_request(&mut self, shape: Shape) -> &[u8] {
        let mut request = std::mem::take(&mut self.request);
        request.clear();
        match shape {
            Shape::Single => {
                let json = self.next();
                head(&mut request, &routes::beat(&Kind::WORKER), json.len());
                request.extend_from_slice(json);
            }
            Shape::Batch(size) => {
                const OPEN: &[u8] = br#"{"workers":["#;
                const CLOSE: &[u8] = b"]}";
                // All beats have the same length.
                let each = self.members[0].json.len();
                head(&mut request, routes::BATCH, OPEN.len() + size * (each + 1) - 1 + CLOSE.len());
                request.extend_from_slice(OPEN);
                for n in 0..size {
                    if n > 0 {
                        request.push(b',');
                    }
                    request.extend_from_slice(self.next());
                }
                request.extend_from_slice(CLOSE);
            }
        }
        self.request = request;
        &self.request
    }
}

impl Shape {
    pub(crate) fn beats(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Batch(size) => size,
        }
    }
}

impl Member {
    fn new(number: usize) -> Outcome<Self> {
        let mut beat: WorkerHeartbeat = decode(EXAMPLE)?;
        beat.worker_id = MemberId::new(format!("worker-{number:06}"))?;
        let info = beat.beat.get_or_insert_default();
        info.seq = Some(FIRST_SEQ);
        info.interval_ms = Some(INTERVAL_MS);
        let json = serde_json::to_string(&beat)?;
        let numbered = format!(r#""seq":{FIRST_SEQ},"#);
        let seq_at = json.find(&numbered).ok_or("the example has no seq")? + numbered.find(':').map_or(0, |at| at + 1);
        Ok(Self { json: json.into_bytes(), seq: FIRST_SEQ, seq_at })
    }

    fn beat(&mut self) -> &[u8] {
        let mut digits = self.seq;
        let end = self.seq_at + FIRST_SEQ.ilog10() as usize;
        for place in (self.seq_at..=end).rev() {
            self.json[place] = b'0' + (digits % 10) as u8;
            digits /= 10;
        }
        assert_eq!(digits, 0, "no bench lasts for nine million beats of one member");
        self.seq += 1;
        &self.json
    }
}

fn head(request: &mut Vec<u8>, path: &str, length: usize) {
    write!(
        request,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .expect("a vector takes all that is written");
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::Batch;

    use super::*;

    fn order(json: &[u8]) -> (String, u64) {
        let beat: WorkerHeartbeat = decode(json).unwrap();
        (beat.worker_id.to_string(), beat.beat.unwrap().seq.unwrap())
    }

    fn parts(request: &[u8]) -> (usize, &[u8]) {
        let text = std::str::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = head.split_once("Content-Length: ").unwrap().1;
        (length.parse().unwrap(), body.as_bytes())
    }

    #[test]
    fn each_member_numbers_its_own_beats_and_no_two_shares_have_one_in_common() {
        let mut shares = Beats::of(3, 2).unwrap();
        let told: Vec<_> = (0..3).map(|_| order(shares[0].next())).collect();
        let numbered = |id: &str, seq| (id.to_owned(), FIRST_SEQ + seq);
        assert_eq!(told, [numbered("worker-000000", 0), numbered("worker-000002", 0), numbered("worker-000000", 1)]);
        assert_eq!(order(shares[1].next()), numbered("worker-000001", 0));
    }

    #[test]
    fn a_request_says_its_length_and_the_contract_understands_its_body() {
        let mut beats = Beats::of(2, 1).unwrap().remove(0);
        let (length, body) = parts(beats.next_request(Shape::Single));
        assert_eq!((length, order(body).1), (body.len(), FIRST_SEQ));
        let (length, body) = parts(beats.next_request(Shape::Batch(5)));
        assert_eq!(length, body.len());
        let batch = Batch::parse(body).unwrap();
        let (plural, items) = batch.arrays().next().unwrap();
        assert_eq!((plural, items.unwrap().len()), ("workers", 5));
        assert_eq!(order(items.unwrap()[4].get().as_bytes()), ("worker-000001".to_owned(), FIRST_SEQ + 2));
    }
}
