//! What was measured, and how it is told.

use std::time::Duration;

use crate::figures::Spread;
use crate::subject::Subject;
use crate::table::{self, figure};

/// One round of one subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) beats_per_second: f64,
    /// Processor time per beat, in microseconds.
    pub(crate) cpu_per_beat: f64,
}

impl Sample {
    pub(crate) fn new(beats: u64, took: Duration, cpu: Duration) -> Self {
        let beats = beats as f64;
        Self { beats_per_second: beats / took.as_secs_f64(), cpu_per_beat: cpu.as_secs_f64() * 1e6 / beats }
    }
}

/// One way of taking beats: the rounds of each subject, in the order in which they were run.
#[derive(Debug)]
pub(crate) struct Measured {
    what: String,
    rounds: Vec<(Subject, Sample)>,
}

impl Measured {
    pub(crate) fn new(what: &str) -> Self {
        Self { what: what.to_owned(), rounds: Vec::new() }
    }

    pub(crate) fn add(&mut self, subject: Subject, sample: Sample) {
        self.rounds.push((subject, sample));
    }

    fn of(&self, subject: Subject, what: fn(&Sample) -> f64) -> impl Iterator<Item = f64> {
        self.rounds.iter().filter(move |(of, _)| *of == subject).map(move |(_, sample)| what(sample))
    }

    fn row(&self, what: fn(&Sample) -> f64) -> Vec<String> {
        let spread = |subject| cell(Spread::of(self.of(subject, what)));
        let ratio = |to| cell(Spread::of_ratios(self.of(Subject::Registry, what), self.of(to, what)));
        let ratios = [Subject::Floor, Subject::Obvious].map(ratio);
        [self.what.clone()].into_iter().chain(Subject::ALL.map(spread)).chain(ratios).collect()
    }
}

/// All that was measured: how many beats there were, and what each took.
pub(crate) fn tables(measured: &[Measured]) -> String {
    let beats = table("beats per second", measured, |sample| sample.beats_per_second);
    let cpu = table("processor time per beat, in us", measured, |sample| sample.cpu_per_beat);
    format!(
        "{beats}\n\n{cpu}\n\n\
         Each figure is the median of all rounds, with the quartiles in brackets; ratios are of turns in the same\n\
         round. Over HTTP, client and server share the processor, and the processor time is the server's alone,\n\
         user space and kernel; in process, it is that of the recording threads."
    )
}

fn table(title: &str, measured: &[Measured], what: fn(&Sample) -> f64) -> String {
    let header = [title, "floor", "obvious", "registry", "registry : floor", "registry : obvious"];
    let rows = measured.iter().map(|measured| measured.row(what));
    table::lay_out(&[header.map(str::to_owned).to_vec()].into_iter().chain(rows).collect::<Vec<_>>())
}

fn cell(spread: Option<Spread>) -> String {
    let told = |Spread { median, quartiles: (lower, upper) }| {
        let [median, lower, upper] = [median, lower, upper].map(figure);
        format!("{median} ({lower}..{upper})")
    };
    spread.map_or("-".to_owned(), told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_tell_each_subject_and_its_ratios_and_what_was_not_measured() {
        let sample = |beats_per_second, cpu_per_beat| Sample { beats_per_second, cpu_per_beat };
        let mut record = Measured::new("record");
        for (obvious, registry) in [(1000.0, 500.0), (2000.0, 1500.0), (3000.0, 1800.0)] {
            record.add(Subject::Obvious, sample(obvious, 1.0));
            record.add(Subject::Registry, sample(registry, 1.5));
        }
        let row = record.row(|sample| sample.beats_per_second);
        let told = ["record", "-", "2,000 (1,500..2,500)", "1,500 (1,000..1,650)", "-", "0.60 (0.55..0.68)"];
        assert_eq!(row, told);
        assert_eq!(record.row(|sample| sample.cpu_per_beat)[5], "1.50 (1.50..1.50)");
    }
}
