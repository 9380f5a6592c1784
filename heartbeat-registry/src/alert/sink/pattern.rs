//! Ids by pattern.

use std::fmt;
use std::str::FromStr;

use heartbeat_contract::MAX_ID_BYTES;

/// Which ids: `*` stands for any number of characters, `?` for one. `rack-7-*` is every id that begins with `rack-7-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPattern(String);

/// A text that is no pattern of ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} matches no id: expected 1 to {MAX_ID_BYTES} of A-Z a-z 0-9 . _ : @ - and the wildcards * and ?")]
pub struct InvalidPattern(String);

impl IdPattern {
    /// Whether it stands for this id.
    #[must_use]
    pub fn matches(&self, id: &str) -> bool {
        let (pattern, id) = (self.0.as_bytes(), id.as_bytes());
        let (mut p, mut i) = (0, 0);
        // Where to go on if the rest does not match: behind the last star, with one more character given to it.
        let mut retry = None;
        while i < id.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, i));
                }
                Some(c) if *c == b'?' || *c == id[i] => (p, i) = (p + 1, i + 1),
                _ => match retry {
                    Some((behind, from)) => {
                        (p, i) = (behind, from + 1);
                        retry = Some((behind, i));
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|c| *c == b'*')
    }
}

impl FromStr for IdPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let is_ok = |c: u8| c.is_ascii_alphanumeric() || b"._:@-*?".contains(&c);
        if (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(is_ok) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPattern(text.to_owned()))
        }
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_number_of_characters_and_question_marks_for_one() {
        for (pattern, ids, others) in [
            ("rack-7-*", ["rack-7-", "rack-7-a"], ["rack-7", "rack-70-a"]),
            ("*-gpu", ["a-gpu", "-gpu-gpu"], ["a-gpu-1", "gpu"]),
            ("w?", ["w1", "wx"], ["w", "w12"]),
            ("a*b*c", ["abc", "axbxbxc"], ["acb", "abcd"]),
            ("*", ["x", "anything"], ["", ""]),
            ("a", ["a", "a"], ["b", "aa"]),
            ("*a?", ["aaa", "bab"], ["ba", "abb."]),
        ] {
            let parsed: IdPattern = pattern.parse().unwrap();
            assert!(ids.iter().all(|id| parsed.matches(id)), "{pattern}");
            assert!(others.iter().all(|id| id.is_empty() || !parsed.matches(id)), "{pattern}");
        }
    }

    #[test]
    fn what_can_match_no_id_is_refused() {
        for text in ["", "rack 7", "rack/7", "[a-z]*", &"a".repeat(MAX_ID_BYTES + 1)] {
            assert!(text.parse::<IdPattern>().is_err(), "{text:?}");
        }
    }
}
