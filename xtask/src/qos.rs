//! How often failure detectors are wrong. What is measured, and how, is said in `xtask/qos`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::outcome::Outcome;
use crate::program;

/// What `xtask/qos` takes, which checks it.
#[derive(Args, Default)]
pub(crate) struct What {
    /// Take a minute, write nothing, and fail if a number to reach is missed.
    #[arg(long, conflicts_with = "trace")]
    quick: bool,
    /// Score one detector on this trace instead: lines of `tick,arrival`, in intervals, of beats sent at their tick. The
    /// detector is tuned on the first half and scored on the rest.
    #[arg(long, value_name = "FILE", requires_all = ["detector", "target_td"])]
    trace: Option<PathBuf>,
    /// The registry's detector to score.
    #[arg(long, requires = "trace", value_parser = ["adaptive", "fixed"])]
    detector: Option<String>,
    /// The mean detection time to tune for, in intervals.
    #[arg(long, value_name = "INTERVALS", requires = "trace")]
    target_td: Option<f64>,
}

impl What {
    pub(crate) fn quick() -> Self {
        Self { quick: true, ..Self::default() }
    }

    /// `from` is where the user stood when naming the file.
    fn args(&self, from: &Path) -> Vec<String> {
        let trace = self.trace.as_ref().map(|file| ["--trace".to_owned(), from.join(file).display().to_string()]);
        let detector = self.detector.as_ref().map(|detector| ["--detector".to_owned(), detector.clone()]);
        let target = self.target_td.map(|target| ["--target-td".to_owned(), target.to_string()]);
        let quick = self.quick.then(|| "--quick".to_owned());
        quick.into_iter().chain([trace, detector, target].into_iter().flatten().flatten()).collect()
    }
}

pub(crate) fn run(what: &What, from: &Path) -> Outcome {
    let mut qos = program::cargo();
    qos.args(["run", "--release", "--quiet", "--package", "qos", "--"]).args(what.args(from));
    program::run(&mut qos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_looked_for_where_the_user_stands() {
        let what = What {
            trace: Some("a.csv".into()),
            detector: Some("fixed".to_owned()),
            target_td: Some(3.0),
            ..What::default()
        };
        let expected = ["--trace", "/home/a.csv", "--detector", "fixed", "--target-td", "3"];
        assert_eq!(what.args(Path::new("/home")), expected);
        assert_eq!(What::quick().args(Path::new("/home")), ["--quick"]);
    }
}
