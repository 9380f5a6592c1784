//! What the acks ask of the member.

use heartbeat_contract::Directive;

/// The requests that the latest ack made, each with a number of its own. Numbers only grow: a request keeps its number
/// while each ack repeats it, and gets a new one when it comes again after an ack without it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    requests: Vec<Request>,
    last_number: u64,
}

/// A directive, and which request of all it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) directive: Directive,
    pub(crate) number: u64,
}

impl Asked {
    /// Takes in what an ack asks, and returns whether that is something else than before. Words this version does not know
    /// are left out.
    pub(crate) fn hear(&mut self, directives: &[Directive]) -> bool {
        let known = |directive: &Directive| *directive != Directive::Unknown;
        let before = std::mem::take(&mut self.requests);
        for directive in directives.iter().copied().filter(known) {
            if find(&self.requests, directive).is_none() {
                let request = find(&before, directive).unwrap_or_else(|| self.number(directive));
                self.requests.push(request);
            }
        }
        self.requests != before
    }

    /// The first request after the one with this number that still stands.
    pub(crate) fn next_after(&self, number: u64) -> Option<Request> {
        let later = self.requests.iter().filter(|request| request.number > number);
        later.min_by_key(|request| request.number).copied()
    }

    /// What is asked at present.
    pub(crate) fn directives(&self) -> impl Iterator<Item = Directive> {
        self.requests.iter().map(|request| request.directive)
    }

    fn number(&mut self, directive: Directive) -> Request {
        self.last_number += 1;
        Request { directive, number: self.last_number }
    }
}

fn find(requests: &[Request], directive: Directive) -> Option<Request> {
    requests.iter().find(|request| request.directive == directive).copied()
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::Directive::{Drain, Shutdown, Unknown};

    use super::*;

    /// What one who has been told everything up to a number is told by each of these acks.
    fn told_by(acks: &[&[Directive]]) -> Vec<Vec<Directive>> {
        let (mut asked, mut told) = (Asked::default(), 0);
        let mut tell = |ack: &&[Directive]| {
            asked.hear(ack);
            std::iter::from_fn(|| {
                let request = asked.next_after(told)?;
                told = request.number;
                Some(request.directive)
            })
            .collect()
        };
        acks.iter().map(&mut tell).collect()
    }

    #[test]
    fn a_request_is_new_once_however_often_it_is_repeated() {
        assert_eq!(told_by(&[&[], &[Drain], &[Drain], &[Drain]]), [vec![], vec![Drain], vec![], vec![]]);
    }

    #[test]
    fn a_request_that_was_withdrawn_is_new_again() {
        assert_eq!(told_by(&[&[Drain], &[], &[Drain], &[Drain]]), [vec![Drain], vec![], vec![Drain], vec![]]);
    }

    #[test]
    fn each_request_stands_and_falls_by_itself() {
        let acks: [&[Directive]; 4] = [&[Drain], &[Shutdown, Drain], &[Shutdown], &[Drain, Shutdown]];
        assert_eq!(told_by(&acks), [vec![Drain], vec![Shutdown], vec![], vec![Drain]]);
    }

    #[test]
    fn requests_of_one_ack_are_told_in_its_order_and_twice_is_once() {
        assert_eq!(told_by(&[&[Shutdown, Drain, Shutdown]]), [vec![Shutdown, Drain]]);
    }

    #[test]
    fn an_unknown_word_asks_nothing() {
        assert_eq!(told_by(&[&[Unknown], &[Unknown, Drain]]), [vec![], vec![Drain]]);
    }

    #[test]
    fn a_request_withdrawn_before_it_was_told_is_not_told() {
        let mut asked = Asked::default();
        asked.hear(&[Drain]);
        asked.hear(&[Shutdown]);
        assert_eq!(asked.next_after(0).map(|request| request.directive), Some(Shutdown));
        assert_eq!(asked.directives().collect::<Vec<_>>(), [Shutdown]);
    }

    #[test]
    fn only_an_ack_that_asks_something_else_changes_anything() {
        let mut asked = Asked::default();
        let changes = [&[][..], &[Drain], &[Drain], &[Unknown, Drain], &[]].map(|ack| asked.hear(ack));
        assert_eq!(changes, [false, true, false, false, true]);
    }
}
