//! Asking a registry that may be too busy to answer at once.

use std::time::Duration;

use crate::outcome::{Failure, Outcome};

/// How long to go on asking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How many answers in a row may be owed.
    pub(super) answers: u32,
    /// How long to wait before asking again.
    pub(super) pause: Duration,
}

impl Patience {
    /// Asks until there is an answer, until too many are owed, or until nobody is there any more to give one.
    ///
    /// # Errors
    /// Why there will be no answer, if so, or else the failure of the last question.
    pub(super) async fn ask<T, E: Into<Failure>>(
        self,
        question: impl AsyncFn() -> Result<T, E>,
        mut is_gone: impl FnMut() -> Option<String>,
    ) -> Outcome<T> {
        let mut owed = 0;
        loop {
            let error = match question().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Some(gone) = is_gone() {
                return Err(gone.into());
            }
            owed += 1;
            if owed >= self.answers {
                return Err(error.into());
            }
            tokio::time::sleep(self.pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const THREE: Patience = Patience { answers: 3, pause: Duration::ZERO };

    /// Asks a registry that fails so many times before it answers: the outcome, and how often it was asked.
    fn ask(failures: u32, gone: Option<&str>) -> (Result<u32, String>, u32) {
        let asked = Cell::new(0);
        let question = async || {
            asked.set(asked.get() + 1);
            if asked.get() > failures { Ok(7) } else { Err(format!("failure {}", asked.get())) }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(THREE.ask(question, || gone.map(str::to_owned)));
        (answer.map_err(|error| error.to_string()), asked.get())
    }

    #[test]
    fn passing_failures_are_borne() {
        assert_eq!(ask(0, None), (Ok(7), 1));
        assert_eq!(ask(2, None), (Ok(7), 3));
    }

    #[test]
    fn patience_ends() {
        assert_eq!(ask(9, None), (Err("failure 3".to_owned()), 3));
    }

    #[test]
    fn nobody_is_asked_again_who_is_gone() {
        assert_eq!(ask(9, Some("gone")), (Err("gone".to_owned()), 1));
    }
}
