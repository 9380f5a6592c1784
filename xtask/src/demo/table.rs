//! The closing table.

use std::time::Duration;

use heartbeat_contract::{Cause, HealthState};

use super::paint::{Colour, Paint};
use super::record::Deed;
use super::sighting::{Mark, Sightings};
use super::verdict::{End, Expected};

const HEADER: [&str; 7] = ["member", "done to it", "expected", "observed", "failed at (bound)", "degraded", "verdict"];
const GAP: &str = "  ";

/// What the table says of one member.
pub(super) struct Row([String; HEADER.len()]);

impl Row {
    pub(super) fn new(id: &str, deeds: &[Deed], seen: &Sightings, end: End, is_fine: bool) -> Self {
        let expected = Expected::after(deeds);
        let deeds: Vec<String> = deeds.iter().map(Deed::to_string).collect();
        let is_late_beat = |mark: &Mark| matches!(mark, Mark::Entered(HealthState::Degraded | HealthState::Healthy));
        let sorted = expected.sort(&seen.marks);
        let told = sorted.marks.iter().filter(|(mark, is_expected)| *is_expected || !is_late_beat(mark));
        let told: Vec<Mark> = told.map(|(mark, _)| *mark).collect();
        let degraded = Mark::Entered(HealthState::Degraded);
        let blips = sorted.marks.iter().filter(|marked| **marked == (degraded, false)).count();
        Self([
            id.to_owned(),
            if deeds.is_empty() { "nothing".to_owned() } else { deeds.join(" ") },
            story(&expected.order, expected.state, expected.cause),
            story(&told, end.state, end.cause.filter(|_| end.state != HealthState::Degraded)),
            failed_at(seen),
            if blips == 0 { "-".to_owned() } else { format!("{blips} x") },
            if is_fine { "ok".to_owned() } else { "DIFFERS".to_owned() },
        ])
    }
}

/// The marks in their order and the final state, with its cause: `degraded critical failed (silent)`.
fn story(marks: &[Mark], state: HealthState, cause: Option<Cause>) -> String {
    let last = Mark::Entered(state);
    let ends_so = marks.last() == Some(&last);
    let words = marks.iter().chain((!ends_so).then_some(&last)).map(Mark::to_string);
    let cause = cause.map(|cause| format!("({cause})"));
    words.chain(cause).collect::<Vec<_>>().join(" ")
}

fn failed_at(seen: &Sightings) -> String {
    let failed = seen.late.iter().rev().find(|late| late.state == HealthState::Failed);
    let seconds = |duration: Duration| duration.as_secs_f64();
    failed.map_or("-".to_owned(), |late| format!("{:.3} s ({:.3} s)", seconds(late.age), seconds(late.bound)))
}

/// Lines the columns up.
pub(super) fn lay_out(rows: &[Row], paint: Paint) -> String {
    let width = |column: usize| rows.iter().map(|row| row.0[column].len()).chain([HEADER[column].len()]).max();
    let widths: Vec<usize> = (0..HEADER.len()).filter_map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    };
    let header = paint.paint(Colour::Bold, &line(&HEADER.map(str::to_owned)));
    let rows = rows.iter().map(|row| {
        let colour = if row.0[HEADER.len() - 1] == "ok" { Colour::Plain } else { Colour::Red };
        paint.paint(colour, &line(&row.0))
    });
    std::iter::once(header).chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use HealthState::{Critical, Degraded, Failed, Healthy};

    use super::super::sighting::tests::sightings;
    use super::*;

    fn row(deeds: &[Deed], states: &[HealthState], state: HealthState) -> Row {
        let marks: Vec<Mark> = states.iter().copied().map(Mark::Entered).collect();
        let end = End { state, cause: (state == Failed).then_some(Cause::Silent), incarnation: Some(1) };
        Row::new("worker-1", deeds, &sightings(&marks), end, true)
    }

    #[test]
    fn late_beats_are_counted_and_not_part_of_the_story() {
        let Row(cells) = row(&[Deed::Killed], &[Degraded, Healthy, Degraded, Critical, Failed], Failed);
        assert_eq!(cells[2], "degraded critical failed (silent)");
        assert_eq!(cells[3], cells[2]);
        assert_eq!(cells[5], "1 x");
    }

    #[test]
    fn a_state_that_nothing_explains_is_part_of_the_story() {
        let Row(cells) = row(&[], &[Degraded, Critical, Healthy], Healthy);
        assert_eq!((cells[2].as_str(), cells[3].as_str()), ("healthy", "critical healthy"));
    }

    #[test]
    fn columns_line_up() {
        let rows = [row(&[], &[], Healthy), row(&[Deed::Stopped, Deed::Continued], &[], Healthy)];
        let table = lay_out(&rows, Paint::Off);
        let places: Vec<usize> = table.lines().map(|line| line.rfind("  ").unwrap()).collect();
        assert_eq!(places[0], places[1]);
        assert_eq!(places[1], places[2]);
    }
}
