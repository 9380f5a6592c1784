//! A trace in a file: lines of `tick,arrival`, counted in intervals, of beats that were sent at their tick.

use std::fs;
use std::path::Path;

use crate::outcome::Outcome;
use crate::trace::{Beat, Trace};

/// So that microseconds of a thousand seconds each fit in 64 bits.
const LONGEST: f64 = 9e9;

pub(crate) fn read(path: &Path) -> Outcome<Trace> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: not text", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn parse(text: &str) -> Result<Trace, String> {
    let mut beats = Vec::new();
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        match beat(line) {
            Some(beat) => beats.push(beat),
            None if index == 0 && is_header(line) => {}
            None => return Err(format!("line {}: `{}` is not `tick,arrival`", index + 1, excerpt(line))),
        }
    }
    let trace = Trace::of(beats);
    if let (Some(first), Some(last)) = (trace.beats.first(), trace.beats.last())
        && last.arrived - first.arrived > LONGEST
    {
        return Err(format!("arrivals span more than {LONGEST:e} intervals"));
    }
    Ok(trace)
}

fn beat(line: &str) -> Option<Beat> {
    let (tick, arrival) = line.split_once(',')?;
    let tick: u64 = tick.trim().parse().ok()?;
    let arrived: f64 = arrival.trim().parse().ok()?;
    arrived.is_finite().then(|| Beat::new(tick, tick as f64, arrived))
}

fn is_header(line: &str) -> bool {
    line.split(',').all(|field| field.trim().parse::<f64>().is_err())
}

fn excerpt(line: &str) -> String {
    line.trim().chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_optional_and_so_is_space() {
        let expected = vec![Beat::new(1, 1.0, 1.25), Beat::new(2, 2.0, 2.5)];
        for text in
            ["1,1.25\n2,2.5\n", "tick,arrival\n1,1.25\n2,2.5", "\u{feff}tick, arrival\r\n 1 , 1.25\r\n\r\n2,2.5\r\n"]
        {
            assert_eq!(parse(text).unwrap().beats, expected, "{text:?}");
        }
    }

    #[test]
    fn an_unreadable_line_is_named() {
        for line in ["3", "3,", "x,3.1", "-3,3.1", "3.5,3.1", "3,NaN", "3,inf", "3,3.1,4", "3;3.1"] {
            let error = parse(&format!("tick,arrival\n1,1.1\n{line}\n")).unwrap_err();
            assert!(error.starts_with(&format!("line 3: `{line}`")), "{error}");
        }
        assert!(parse("1,late\n").unwrap_err().starts_with("line 1"));
        assert!(parse("tick,arrival\ntick,arrival\n").unwrap_err().starts_with("line 2"));
    }

    #[test]
    fn arrivals_in_any_order_are_sorted_and_the_overtaken_dropped() {
        let ticks: Vec<u64> =
            parse("4,4.1\n2,3.5\n1,1.1\n3,3.2\n").unwrap().beats.iter().map(|beat| beat.tick).collect();
        assert_eq!(ticks, [1, 3, 4]);
    }

    #[test]
    fn what_no_clock_could_count_is_refused() {
        assert!(parse("1,1\n2,1e12\n").unwrap_err().contains("span"));
    }
}
