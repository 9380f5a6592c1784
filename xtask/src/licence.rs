//! Licence expressions, as packages declare them.

/// Whether an expression such as `(MIT OR Apache-2.0) AND ISC` can be met with the allowed licences alone. The old
/// form `MIT/Apache-2.0` means `OR`.
pub(crate) fn is_met(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut met = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let met = either(words, allowed);
        return words.next() == Some(")") && met;
    }
    if words.next_if_eq(&"WITH").is_none() {
        return allowed.contains(&word);
    }
    let exception = words.next().unwrap_or_default();
    allowed.contains(&format!("{word} WITH {exception}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_alternatives_is_enough_and_every_part_is_needed() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
        for met in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
            "ISC AND (GPL-3.0 OR ISC) AND MIT",
        ] {
            assert!(is_met(met, &allowed), "{met}");
        }
        for unmet in ["GPL-3.0", "", "MIT AND GPL-3.0", "Apache-2.0", "(MIT", "MIT MIT", "GPL-3.0 OR GPL-2.0 AND MIT"] {
            assert!(!is_met(unmet, &allowed), "{unmet}");
        }
    }
}
