//! Which members to list.

use heartbeat_contract::{HealthState, MemberId, Zone};

/// Which members to list, and which page of them. The default lists all, 100 on a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MembersQuery {
    /// Those in any of these states; in any at all if empty.
    pub states: Vec<HealthState>,
    /// Those that live on the host of this hive.
    pub hive: Option<MemberId>,
    /// Those in this zone.
    pub zone: Option<Zone>,
    /// How many on a page: 1 to 1,000, default 100.
    pub limit: Option<u16>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A query that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {detail}")]
pub struct InvalidQuery {
    pub(crate) parameter: String,
    pub(crate) detail: String,
}

impl InvalidQuery {
    pub(crate) fn new(parameter: &str, detail: impl std::fmt::Display) -> Self {
        Self { parameter: parameter.to_owned(), detail: detail.to_string() }
    }
}

impl MembersQuery {
    /// The most members on a page.
    pub const MAX_LIMIT: u16 = 1000;

    pub(crate) fn page_size(&self) -> Result<usize, InvalidQuery> {
        let limit = self.limit.unwrap_or(100);
        if (1..=Self::MAX_LIMIT).contains(&limit) {
            Ok(limit.into())
        } else {
            Err(InvalidQuery::new("limit", format_args!("{limit} is outside 1 to {}", Self::MAX_LIMIT)))
        }
    }

    /// How the query is written in a URL.
    #[cfg(feature = "client")]
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs: Vec<_> = self.states.iter().map(|state| ("state", state.to_string())).collect();
        pairs.extend(self.hive.as_ref().map(|hive| ("hive", hive.to_string())));
        pairs.extend(self.zone.as_ref().map(|zone| ("zone", zone.to_string())));
        pairs.extend(self.limit.map(|limit| ("limit", limit.to_string())));
        pairs.extend(self.cursor.as_ref().map(|cursor| ("cursor", cursor.clone())));
        pairs
    }

    /// Reads a query as it is written in a URL.
    #[cfg(feature = "http")]
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidQuery> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let refused = |detail: &dyn std::fmt::Display| InvalidQuery::new(&name, detail);
            match &*name {
                "state" => query.states.push(state(&value)?),
                "hive" => query.hive = Some(MemberId::new(&value).map_err(|error| refused(&error))?),
                "zone" => query.zone = Some(Zone::new(&value).map_err(|error| refused(&error))?),
                "limit" => query.limit = Some(value.parse().map_err(|_| limit(&value))?),
                "cursor" => query.cursor = Some(value.into_owned()),
                _ => return Err(refused(&"unknown; known are state, hive, zone, limit, cursor")),
            }
        }
        query.page_size()?;
        Ok(query)
    }
}

#[cfg(feature = "http")]
fn state(word: &str) -> Result<HealthState, InvalidQuery> {
    HealthState::from_word(word).ok_or_else(|| {
        let known: Vec<_> = HealthState::ALL.iter().map(|state| state.as_str()).collect();
        InvalidQuery::new("state", format_args!("{word:?} is none of {}", known.join(", ")))
    })
}

#[cfg(feature = "http")]
fn limit(text: &str) -> InvalidQuery {
    InvalidQuery::new("limit", format_args!("{text:?} is no number from 1 to {}", MembersQuery::MAX_LIMIT))
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn states_may_be_repeated() {
        let query = MembersQuery::parse("state=failed&state=critical&zone=rack-1&limit=7").unwrap();
        assert_eq!(query.states, [HealthState::Failed, HealthState::Critical]);
        assert_eq!((query.zone.unwrap().as_str(), query.limit), ("rack-1", Some(7)));
    }

    #[test]
    fn what_is_misspelt_is_refused_and_not_ignored() {
        for refused in ["sate=failed", "state=dead", "limit=0", "limit=1001", "limit=many", "hive=a%20b"] {
            assert!(MembersQuery::parse(refused).is_err(), "{refused}");
        }
    }
}
