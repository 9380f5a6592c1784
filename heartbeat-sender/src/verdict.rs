//! Which beats that were not acknowledged are tried again before the next one is due.

use crate::SendError;

/// What is worth trying before the next beat is due, the most hopeful last. Whatever the verdict, the next beat goes out:
/// nothing ever stops a loop but a newer run of its id and a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// Nothing: no registry will take this beat.
    Next,
    /// Another registry: this one will not take the beat in a moment either, or asks for time.
    Elsewhere,
    /// Another registry, then this one: a moment may make the difference.
    Again,
}

/// The one table of what is tried again.
pub(crate) fn verdict(error: &SendError) -> Verdict {
    let Some(status) = error.status() else {
        return if error.is_config() { Verdict::Next } else { Verdict::Again };
    };
    match status {
        _ if error.is_unreadable() => Verdict::Elsewhere,
        _ if error.retry_after().is_some() => Verdict::Elsewhere,
        // About the beat or its run: true everywhere.
        400 | 409 | 413 | 415 | 422 => Verdict::Next,
        408 | 502..=504 => Verdict::Again,
        _ => Verdict::Elsewhere,
    }
}

/// Whether time alone mends nothing: somebody has to see to a token, a URL or what the beats say.
pub(crate) fn is_for_a_person(error: &SendError) -> bool {
    match error.status() {
        Some(408 | 409 | 425 | 429) => false,
        Some(status) => (400..500).contains(&status) && error.retry_after().is_none(),
        None => error.is_config(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heartbeat_contract::{Problem, ProblemType};

    use super::*;

    fn refused(status: u16) -> SendError {
        let mut problem = Problem::new(ProblemType::Unavailable, "");
        problem.status = status;
        SendError::refused(problem)
    }

    #[test]
    fn only_what_a_moment_may_change_is_retried_and_only_what_is_wrong_everywhere_goes_nowhere_else() {
        use Verdict::{Again, Elsewhere, Next};
        let wait = Duration::from_secs(7);
        let table = [
            (SendError::timeout(wait), Again),
            (SendError::connect("http://queen:8500", "refused"), Again),
            (SendError::lost("reset"), Again),
            (SendError::unwritable("no JSON"), Next),
            (SendError::unreadable(200, "HTML"), Elsewhere),
            (refused(502), Again),
            (refused(503), Again),
            (refused(504), Again),
            (refused(408), Again),
            (refused(503).with_retry_after(wait), Elsewhere),
            (refused(429).with_retry_after(wait), Elsewhere),
            (refused(429), Elsewhere),
            (refused(500), Elsewhere),
            (refused(501), Elsewhere),
            (refused(302), Elsewhere),
            (refused(401), Elsewhere),
            (refused(403), Elsewhere),
            (refused(404), Elsewhere),
            (refused(405), Elsewhere),
            (refused(400), Next),
            (refused(409), Next),
            (refused(413), Next),
            (refused(415), Next),
            (refused(422), Next),
        ];
        for (error, expected) in table {
            assert_eq!(verdict(&error), expected, "{error}, {:?}", error.retry_after());
        }
    }
}
