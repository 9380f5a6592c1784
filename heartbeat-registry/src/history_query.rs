//! Which part of a member's recent past is asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

#[cfg(feature = "http")]
use crate::query::InvalidQuery;

/// Which part of a member's recent past is asked for. The default is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The first moment that is asked for.
    pub from: Option<Moment>,
    /// The first moment after it that is not.
    pub to: Option<Moment>,
}

/// A moment of the registry's wall clock: `2026-01-02T03:04:05Z`, or `-1h` for an hour ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// By the clock.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

/// A text that names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no moment: expected one as in 2026-01-02T03:04:05Z, or as in -1h30m for so long ago")]
pub struct InvalidMoment(String);

impl Moment {
    #[cfg(feature = "http")]
    fn by(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                now.saturating_sub(ago).expect("a signed duration has no calendar units")
            }
        }
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let refused = || InvalidMoment(text.to_owned());
        match text.strip_prefix('-') {
            Some(ago) => {
                let ago: SignedDuration = ago.parse().map_err(|_| refused())?;
                ago.try_into().map(Self::Ago).map_err(|_| refused())
            }
            None => text.parse().map(Self::At).map_err(|_| refused()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "{at}"),
            Self::Ago(ago) => match SignedDuration::try_from(*ago) {
                Ok(ago) => write!(f, "-{ago}"),
                Err(_) => write!(f, "-{}s", ago.as_secs()),
            },
        }
    }
}

impl HistoryQuery {
    /// How the query is written in a URL.
    #[cfg(feature = "client")]
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let ends = [("from", self.from), ("to", self.to)];
        ends.into_iter().filter_map(|(name, end)| Some((name, end?.to_string()))).collect()
    }

    /// Reads a query as it is written in a URL.
    #[cfg(feature = "http")]
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidQuery> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let moment = || value.parse().map_err(|error| InvalidQuery::new(&name, error));
            match &*name {
                "from" => query.from = Some(moment()?),
                "to" => query.to = Some(moment()?),
                _ => return Err(InvalidQuery::new(&name, "unknown; known are from, to")),
            }
        }
        Ok(query)
    }

    /// The range that is meant at a moment.
    #[cfg(feature = "http")]
    pub(crate) fn range(&self, now: Timestamp) -> (std::ops::Bound<Timestamp>, std::ops::Bound<Timestamp>) {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let (from, to) = (self.from.map(|from| from.by(now)), self.to.map(|to| to.by(now)));
        (from.map_or(Unbounded, Included), to.map_or(Unbounded, Excluded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_by_the_clock_or_by_how_long_ago() {
        assert_eq!("-1h".parse(), Ok(Moment::Ago(Duration::from_hours(1))));
        assert_eq!("-1h30m".parse(), Ok(Moment::Ago(Duration::from_mins(90))));
        assert_eq!("1970-01-01T00:00:07Z".parse(), Ok(Moment::At(Timestamp::from_second(7).unwrap())));
        for refused in ["", "-", "yesterday", "1h", "--1h", "2026-01-02", "-1 month"] {
            assert!(refused.parse::<Moment>().is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        for text in ["-1h", "-1h30m", "-250ms", "1970-01-01T00:00:07Z"] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.to_string().parse(), Ok(moment), "{text}: {moment}");
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn the_start_of_a_range_is_in_it_and_its_end_is_not() {
        let query = HistoryQuery::parse("from=-10s&to=1970-01-01T00:01:00Z").unwrap();
        let (from, to) = query.range(Timestamp::from_second(40).unwrap());
        let second = |second| Timestamp::from_second(second).unwrap();
        assert_eq!((from, to), (std::ops::Bound::Included(second(30)), std::ops::Bound::Excluded(second(60))));
        assert!(HistoryQuery::parse("since=-1h").is_err());
    }
}
