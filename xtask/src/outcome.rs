//! How tasks end.

use std::error::Error;

/// What a person should read to go on.
pub(crate) type Failure = Box<dyn Error>;

/// Success, or a failure.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// An error with all its causes, one per line.
pub(crate) fn report(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let causes = causes.map(|cause| format!("\n  caused by: {cause}"));
    format!("error: {error}{}", causes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn a_report_tells_every_cause() {
        let error = Link("cannot start", Some(Box::new(Link("no such file", Some(Box::new(Link("typo", None)))))));
        assert_eq!(report(&error), "error: cannot start\n  caused by: no such file\n  caused by: typo");
    }
}
