//! What is measured, and what with.

use std::fmt;

use crate::beats::Shape;
use crate::connection::Answer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Floor,
    Obvious,
    Registry,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Floor, Self::Obvious, Self::Registry];

    /// Whether an answer says that every beat of a request was taken.
    pub(crate) fn accepts(self, shape: Shape, answer: &Answer<'_>) -> bool {
        let begin = match (self, shape) {
            (Self::Floor, _) => return answer.status == 204,
            (_, Shape::Single) => r#"{"acknowledged":true"#.to_owned(),
            (Self::Obvious, Shape::Batch(size)) => format!(r#"{{"accepted":{size}}}"#),
            (Self::Registry, Shape::Batch(size)) => format!(r#"{{"accepted":{size},"rejected":[],"#),
        };
        answer.status == 200 && answer.body.starts_with(begin.as_bytes())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floor => "floor",
            Self::Obvious => "obvious",
            Self::Registry => "registry",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_if_every_beat_was_taken() {
        let answer = |status, body: &'static str| Answer { status, body: body.as_bytes() };
        let ack = answer(200, r#"{"acknowledged":true,"next_in_ms":1}"#);
        assert!(Subject::Registry.accepts(Shape::Single, &ack));
        assert!(!Subject::Registry.accepts(Shape::Single, &answer(429, r#"{"acknowledged":true}"#)));
        assert!(!Subject::Floor.accepts(Shape::Single, &ack));
        assert!(Subject::Floor.accepts(Shape::Batch(9), &answer(204, "")));
        for (taken, body) in
            [(true, r#"{"accepted":10,"rejected":[],"acks":[]}"#), (false, r#"{"accepted":9,"rejected":[{}]}"#)]
        {
            assert_eq!(Subject::Registry.accepts(Shape::Batch(10), &answer(200, body)), taken);
        }
        assert!(!Subject::Obvious.accepts(Shape::Batch(1), &answer(200, r#"{"accepted":10}"#)));
    }
}
