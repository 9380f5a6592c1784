//! A small fleet of real processes, some of which die, freeze, hang or are cut off: who notices, when, does it know why, and
//! was it right?

mod cast;
mod figures;
mod interrupt;
mod paint;
mod patience;
mod programs;
mod proxy;
mod record;
mod script;
mod sighting;
mod stage;
mod table;
mod timeline;
mod verdict;

use std::time::Duration;

use jiff::SignedDuration;

use self::cast::Cast;
use self::interrupt::Interrupts;
use self::programs::Programs;
use self::stage::Stage;
use self::verdict::Verdict;
use crate::outcome::Outcome;

/// How often every member beats. The other figures of the policy derive from it: failed after 3.25 s.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a demo lasts from the moment that everyone has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShowFor {
    /// As long as the script takes, and then on until Ctrl-C.
    UntilCtrlC,
    /// Until the closing table.
    Fixed(Duration),
}

impl ShowFor {
    /// What the script takes on a machine that has other things to do, too.
    const SCRIPT: Duration = Duration::from_secs(26);

    pub(crate) fn at_least_the_script(duration: Duration) -> Outcome<Self> {
        if duration < Self::SCRIPT {
            return Err(format!("{duration:?} are too short to see members fail and come back: at least 26s").into());
        }
        Ok(Self::Fixed(duration))
    }

    fn script_time(self) -> Duration {
        match self {
            Self::UntilCtrlC => Self::SCRIPT + Duration::from_secs(10),
            Self::Fixed(duration) => duration,
        }
    }
}

/// Reads `40s` or `1m 30s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text.parse().map_err(|error| format!("{error} (expected something like 40s)"))?;
    Duration::try_from(signed).map_err(|_| "a duration must not be negative".to_owned())
}

pub(crate) fn run(show_for: ShowFor) -> Outcome {
    let programs = Programs::build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(show(programs, show_for))
}

async fn show(programs: Programs, show_for: ShowFor) -> Outcome {
    let mut interrupts = Interrupts::listen()?;
    let mut cast = Cast::new(programs);
    let ended = tokio::select! {
        biased;
        () = interrupts.next() => Err("interrupted before the end".into()),
        ended = perform(&mut cast, show_for) => ended,
    };
    let ended = match (ended, show_for) {
        (Ok((mut stage, verdict)), ShowFor::UntilCtrlC) => {
            stage.tell_how_to_look_around();
            tokio::select! {
                biased;
                () = interrupts.next() => verdict.into_outcome(),
                failed = stage.follow_forever() => Err(failed),
            }
        }
        (Ok((_, verdict)), ShowFor::Fixed(_)) => verdict.into_outcome(),
        (Err(failed), _) => Err(failed),
    };
    // Once more interrupted, it kills whoever is left: a dropped cast does.
    let stopped = tokio::select! {
        biased;
        () = interrupts.next() => Err("interrupted while stopping: whoever was left is killed".into()),
        stopped = cast.stop() => stopped,
    };
    ended.and(stopped)
}

/// Starts everyone, plays the script and closes with the table.
async fn perform(cast: &mut Cast, show_for: ShowFor) -> Outcome<(Stage<'_>, Verdict)> {
    let mut stage = Stage::set(cast).await?;
    script::play(&mut stage, show_for.script_time()).await?;
    let verdict = stage.judge().await?;
    Ok((stage, verdict))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_too_short_for_its_script_is_refused() {
        assert!(ShowFor::at_least_the_script(Duration::from_secs(25)).is_err());
        let fixed = ShowFor::at_least_the_script(Duration::from_secs(40)).unwrap();
        assert_eq!(fixed, ShowFor::Fixed(Duration::from_secs(40)));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("40s"), Ok(Duration::from_secs(40)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("40").is_err());
        assert!(parse_duration("-40s").is_err());
    }
}
