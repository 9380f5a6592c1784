//! The closing table.

use heartbeat_contract::HealthState;

use super::paint::{Colour, Paint};
use super::record::Deed;
use super::sighting::{Mark, Sightings, Told};
use super::verdict::{End, Expected, seconds};

const HEADER: [&str; 6] =
    ["member", "done to it", "told by the registry", "failed at (bound)", "late beats", "verdict"];
const GAP: &str = "  ";

/// What the columns mean.
pub(super) const LEGEND: &str = "\
told by the registry: what became of it and why; before it failed it was degraded and critical.
failed at: how long it had been silent by the registry's clock, and the published bound, which
processing may exceed by 1 ms: an interval more for a member that answers when it is asked, since
the network has lost its beats. late beats: how often one was late without anything having been
done.";

/// What the table says of one member.
pub(super) struct Row([String; HEADER.len()]);

impl Row {
    pub(super) fn new(id: &str, deeds: &[Deed], seen: &Sightings, end: End, is_fine: bool) -> Self {
        let expected = Expected::after(deeds);
        let deeds: Vec<String> = deeds.iter().map(Deed::to_string).collect();
        let sorted = expected.sort(&seen.told);
        let told: Vec<Told> = sorted
            .told
            .iter()
            .filter(|(told, expected)| expected.is_some() || !is_late_beat(*told))
            .map(|(told, _)| *told)
            .collect();
        let blips = sorted.told.iter().filter(|(told, expected)| expected.is_none() && told.mark == DEGRADED).count();
        let end = Told::entered(end.state, end.cause.filter(|_| end.state != HealthState::Degraded));
        Self([
            id.to_owned(),
            if deeds.is_empty() { "nothing".to_owned() } else { deeds.join(", ") },
            story(&told, end),
            failed_at(seen),
            if blips == 0 { "-".to_owned() } else { format!("{blips} x") },
            if is_fine { FINE.to_owned() } else { format!("DIFFERS from {}", story(&expected.order, expected.end())) },
        ])
    }
}

const FINE: &str = "as expected";
const DEGRADED: Mark = Mark::Entered(HealthState::Degraded);

fn is_late_beat(told: Told) -> bool {
    matches!(told.mark, Mark::Entered(HealthState::Degraded | HealthState::Healthy))
}

/// What was told, in its order, and how it ended: `failed (hung), healthy`. The steps to failed go without saying.
fn story(told: &[Told], end: Told) -> String {
    let next = told.iter().skip(1).map(Some).chain([None]);
    let is_step = |told: &Told, next: Option<&Told>| {
        let worse = |mark| match mark {
            Mark::Entered(state) => Some(state),
            Mark::Restarted | Mark::Unforeseen => None,
        };
        let steps = [(HealthState::Degraded, HealthState::Critical), (HealthState::Critical, HealthState::Failed)];
        worse(told.mark).zip(next.and_then(|next| worse(next.mark))).is_some_and(|step| steps.contains(&step))
    };
    let told = told.iter().zip(next).filter(|(told, next)| !is_step(told, *next)).map(|(told, _)| *told);
    let mut words: Vec<Told> = told.collect();
    if words.last().is_none_or(|last| *last != end) {
        words.push(end);
    }
    words.iter().map(Told::to_string).collect::<Vec<_>>().join(", ")
}

fn failed_at(seen: &Sightings) -> String {
    let failed = seen.late.iter().rev().find(|late| late.state == HealthState::Failed);
    failed.map_or("-".to_owned(), |late| format!("{} ({})", seconds(late.age), seconds(late.bound)))
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
        let colour = if row.0[HEADER.len() - 1] == FINE { Colour::Plain } else { Colour::Red };
        paint.paint(colour, &line(&row.0))
    });
    std::iter::once(header).chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use HealthState::{Critical, Degraded, Failed, Healthy};
    use heartbeat_contract::Cause;

    use super::super::sighting::Lateness;
    use super::super::sighting::tests::sightings;
    use super::super::verdict::tests::{entered, failing};
    use super::*;

    fn row(deeds: &[Deed], told: &[Told], state: HealthState, cause: Option<Cause>) -> Row {
        Row::new("worker-1", deeds, &sightings(told), End { state, cause, incarnation: Some(1) }, true)
    }

    #[test]
    fn late_beats_are_counted_and_not_part_of_the_story() {
        let told = [entered(&[Degraded, Healthy]), failing(Cause::ProcessDead, &[])].concat();
        let Row(cells) = row(&[Deed::Killed], &told, Failed, Some(Cause::ProcessDead));
        assert_eq!((cells[2].as_str(), cells[4].as_str()), ("failed (process_dead)", "1 x"));
    }

    #[test]
    fn the_story_of_a_member_that_is_back_keeps_the_cause() {
        let cells = |deeds: &[Deed], told: &[Told]| row(deeds, told, Healthy, None).0;
        let network = cells(&[Deed::CutOff, Deed::Mended], &failing(Cause::Network, &[Healthy]));
        assert_eq!((network[1].as_str(), network[2].as_str()), ("cut off, mended", "failed (network), healthy"));
        let stuck = [vec![Told::entered(Critical, Cause::Stuck)], entered(&[Healthy])].concat();
        let stuck = cells(&[Deed::WorkHangs, Deed::WorkGoesOn], &stuck);
        assert_eq!((stuck[1].as_str(), stuck[2].as_str()), ("work hangs, goes on", "critical (stuck), healthy"));
    }

    #[test]
    fn a_state_that_nothing_explains_is_part_of_the_story() {
        let Row(cells) = row(&[], &entered(&[Degraded, Critical, Healthy]), Healthy, None);
        assert_eq!(cells[2], "critical (silent), healthy");
    }

    #[test]
    fn a_row_that_differs_says_from_what() {
        let end = End { state: Healthy, cause: None, incarnation: Some(1) };
        let Row(cells) = Row::new("worker-1", &[Deed::Stopped], &sightings(&[]), end, false);
        assert_eq!((cells[2].as_str(), cells[5].as_str()), ("healthy", "DIFFERS from failed (hung)"));
    }

    #[test]
    fn a_failure_is_shown_beside_its_bound() {
        let milliseconds = std::time::Duration::from_millis;
        let late = vec![Lateness { state: Failed, age: milliseconds(4_251), bound: milliseconds(4_250) }];
        assert_eq!(failed_at(&Sightings { late, ..sightings(&[]) }), "4.251 s (4.250 s)");
    }

    #[test]
    fn columns_line_up_within_100_characters() {
        let (cut, hung) = ([Deed::CutOff, Deed::Mended], [Deed::WorkHangs, Deed::WorkGoesOn]);
        let stuck = [vec![Told::entered(Critical, Cause::Stuck)], entered(&[Healthy])].concat();
        let rows = [
            row(&[], &[], Healthy, None),
            row(&cut, &failing(Cause::Network, &[Healthy]), Healthy, None),
            row(&hung, &stuck, Healthy, None),
        ];
        let table = lay_out(&rows, Paint::Off);
        let places: Vec<usize> = table.lines().map(|line| line.rfind("  ").unwrap()).collect();
        assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
        assert!(table.lines().all(|line| line.len() <= 100), "{table}");
    }
}
