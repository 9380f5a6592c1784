//! What was measured, as text.

use std::fmt::Write as _;

use crate::detector::{Kind, POINTS};
use crate::goals::{better_between, better_ones, goals};
use crate::score::Score;
use crate::statistics::{estimate, mean};
use crate::study::{Measured, Plan, Result, TARGETS};
use crate::traffic::Traffic;

/// All but the figures of each single result.
pub(crate) fn summary(command: &str, plan: Plan, closed_form: &str, all: &[Measured]) -> String {
    let sections = [
        format!("Quality of failure detectors, by `{command}`\n{plan}\n{}", legend()),
        titled("The closed form of Chen's NFD-S on T1 (no jitter), reproduced within 3 sigmas", closed_form),
        titled("Numbers to reach", &lines(goals(all).iter().map(ToString::to_string))),
        titled("Where others make fewer mistakes than adaptive, per million intervals", &others(all)),
        titled("Mistakes per million intervals, and their 95 % interval", &overview(all)),
    ];
    sections.join("\n")
}

pub(crate) fn in_full(all: &[Measured]) -> String {
    let sections = [
        titled("At the settings they come with", &defaults(all)),
        titled("In full", &all.iter().map(each_result).collect::<Vec<_>>().join("\n")),
    ];
    sections.join("\n")
}

fn titled(title: &str, text: &str) -> String {
    format!("{title}\n{}\n{text}", "-".repeat(title.len()))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\n").collect()
}

fn legend() -> String {
    let traffic = lines(Traffic::ALL.iter().map(|traffic| format!("  {traffic}  {}", traffic.says())));
    let kinds = Kind::ALL.iter().map(|kind| format!("  {kind:<18}{:>5} B  {}", kind.state_bytes(), kind.says()));
    format!(
        "\nTime is counted in intervals. T_D is the time from sending the last beat before a death to the suspicion, on T3\n\
         less its delay of 1.35. Detectors are compared at the same mean T_D: each knob is swept at {POINTS} points or more,\n\
         tuned, and scored on other seeds; n/a: no knob of the sweep reaches that T_D. P_A is the probability that a query\n\
         at any time is answered right, T_M how long a mistake lasts. 95 % intervals are by bootstrap over seeds.\n\
         Blind time is credited as the registry does it at an interval of 1 s, with a driver that wakes every 250 ms.\n\n\
         {traffic}\nBytes of state of each member, and what each detector is:\n{}",
        lines(kinds)
    )
}

fn others(all: &[Measured]) -> String {
    let or_nowhere = |found: Vec<String>| {
        if found.is_empty() { "nowhere\n".to_owned() } else { lines(found.into_iter()) }
    };
    let between = or_nowhere(all.iter().flat_map(better_between).collect());
    let tuned = or_nowhere(all.iter().flat_map(better_ones).collect());
    format!(
        "{tuned}\nBetween these detection times, where fixed makes fewer by more than 15 %, read off the sweeps:\n{between}"
    )
}

fn overview(all: &[Measured]) -> String {
    let mut text = String::new();
    for measured in all {
        let head: String = TARGETS.iter().map(|target| format!("{:>28}", format!("T_D {target}"))).collect();
        text += &format!("{:<18}{head}\n", measured.case.short());
        for kind in Kind::ALL.into_iter().filter(|kind| measured.has(*kind)) {
            let cells = TARGETS.map(|target| measured.result(kind, target).map_or("n/a".to_owned(), cell));
            text += &format!("{kind:<18}{}\n", cells.map(|cell| format!("{cell:>28}")).concat());
        }
        text.push('\n');
    }
    text
}

fn cell(result: &Result) -> String {
    let rate = estimate(&result.rates());
    format!("{:.2} ({:.2}..{:.2})", rate.mean, rate.low, rate.high)
}

fn defaults(all: &[Measured]) -> String {
    let mut text = format!("{:<6}{}\n", "", Row::HEAD);
    for measured in all {
        for result in measured.defaults() {
            text += &format!("{:<6}{}\n", measured.case.short(), Row::of(measured, result));
        }
    }
    text
}

fn each_result(measured: &Measured) -> String {
    let mut text = format!("{}\n{:<6}{}\n", measured.case, "T_D", Row::HEAD);
    for target in TARGETS {
        for kind in Kind::ALL.into_iter().filter(|kind| measured.has(*kind)) {
            let row = match measured.result(kind, target) {
                Some(result) => Row::of(measured, result),
                None => format!("{kind:<18}{:>10}", "n/a"),
            };
            text += &format!("{target:<6}{row}\n");
        }
    }
    text
}

struct Row;

impl Row {
    const HEAD: &str = "detector                knob  mean T_D       p99       max  mistakes/1e6         95 % interval         T_M          P_A";

    fn of(measured: &Measured, result: &Result) -> String {
        let base = measured.case.traffic.base_delay();
        let mean_of = |figure: fn(&Score) -> f64| mean(&result.scores.iter().map(figure).collect::<Vec<_>>());
        let max = result.scores.iter().map(|score| score.max_td).fold(0.0, f64::max) - base;
        let (mean_td, p99) = (mean_of(|score| score.mean_td) - base, mean_of(|score| score.p99_td) - base);
        let rate = estimate(&result.rates());
        let interval = format!("{:.2}..{:.2}", rate.low, rate.high);
        let mistaken_for: f64 = result.scores.iter().map(|score| score.mistaken_for).sum();
        let duration = match result.mistakes() {
            0 => "-".to_owned(),
            mistakes => format!("{:.3}", mistaken_for / mistakes as f64),
        };
        let mut row = format!("{:<18}{:>10.4}{mean_td:>10.4}{p99:>10.3}{max:>10.3}", result.kind, result.knob);
        write!(row, "{:>14.2}{interval:>22}{duration:>12}{:>13.8}", rate.mean, mean_of(Score::p_a))
            .expect("a string takes all that is written");
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Case;

    #[test]
    fn rows_line_up_below_their_heads_and_what_is_not_reached_is_said() {
        let score = Score { mean_td: 2.0, p99_td: 2.2, max_td: 3.0, mistakes: 12, mistaken_for: 6.0, span: 1e6 };
        let result = Result { kind: Kind::Fixed, target: Some(2.0), knob: 1.98, scores: vec![score; 3] };
        let curves = vec![(Kind::Fixed, Vec::new())];
        let measured = Measured { case: Case::plain(Traffic::Textbook), curves, results: vec![result] };
        let text = each_result(&measured);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1].len(), lines[2].len(), "{text}");
        assert!(lines[2].contains("12.00..12.00       0.500   0.99999400"), "{text}");
        assert!(lines[3].ends_with("n/a"), "{text}");
    }
}
