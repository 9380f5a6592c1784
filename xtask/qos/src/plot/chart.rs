//! One chart: mistakes per million intervals, on a logarithmic axis, over the mean detection time.

use std::ops::RangeInclusive;

use super::canvas::{Anchor, Canvas, Pen};

pub(super) const BLACK: &str = "#000000";
const GRID: &str = "#dddddd";

const TIMES: RangeInclusive<f64> = 1.0..=7.0;
/// Powers of ten.
const LEAST: i32 = -1;
const MOST: i32 = 5;
/// Where there is no mistake, the logarithm ends, too.
const NAMES: [&str; 7] = ["none", "1", "10", "100", "1,000", "10,000", "100,000"];

const LEFT: f64 = 80.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 52.0;
const LINE_HEIGHT: f64 = 20.0;

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

pub(super) struct Chart {
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
}

/// Points of a mean detection time and mistakes per million intervals.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) is_bold: bool,
    pub(super) is_dashed: bool,
    pub(super) curve: Vec<(f64, f64)>,
    pub(super) dots: Vec<(f64, f64)>,
}

impl Chart {
    pub(super) fn draw(&self, place: Place, canvas: &mut dyn Canvas) {
        canvas.text((place.left + 16.0, place.top + 18.0), Anchor::Start, true, &self.title);
        place.draw_axes(canvas);
        for line in &self.lines {
            line.draw(place, canvas);
        }
        for (index, line) in self.lines.iter().rev().enumerate() {
            line.draw_key(place, index, canvas);
        }
    }
}

impl Place {
    fn x(self, time: f64) -> f64 {
        let share = (time - TIMES.start()) / (TIMES.end() - TIMES.start());
        self.left + LEFT + share * (self.width - LEFT - RIGHT)
    }

    fn y(self, mistakes: f64) -> f64 {
        let share = (mistakes.max(10_f64.powi(LEAST)).log10() - f64::from(LEAST)) / f64::from(MOST - LEAST);
        self.top + self.height - BOTTOM - share * (self.height - TOP - BOTTOM)
    }

    fn draw_axes(self, canvas: &mut dyn Canvas) {
        let grid = Pen { colour: GRID, width: 1.0, is_dashed: false };
        let (least, most) = (10_f64.powi(LEAST), 10_f64.powi(MOST));
        let unit = "mistakes per million intervals (lines: tuning, dots: scored)";
        canvas.text((self.left + 16.0, self.top + 40.0), Anchor::Start, false, unit);
        for (name, power) in NAMES.iter().zip(LEAST..=MOST) {
            let y = self.y(10_f64.powi(power));
            canvas.polyline(&[(self.x(*TIMES.start()), y), (self.x(*TIMES.end()), y)], grid);
            canvas.text((self.left + LEFT - 8.0, y), Anchor::End, false, name);
        }
        for time in 1..=7 {
            let x = self.x(f64::from(time));
            canvas.polyline(&[(x, self.y(least)), (x, self.y(most))], grid);
            canvas.text((x, self.y(least) + 14.0), Anchor::Middle, false, &time.to_string());
        }
        let below = (self.x(f64::midpoint(*TIMES.start(), *TIMES.end())), self.y(least) + 36.0);
        canvas.text(below, Anchor::Middle, false, "mean detection time in intervals");
    }
}

impl Line {
    fn draw(&self, place: Place, canvas: &mut dyn Canvas) {
        let is_inside = |(time, mistakes): &(f64, f64)| TIMES.contains(time) && *mistakes <= 10_f64.powi(MOST);
        let pixels = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points
                .iter()
                .filter(|point| is_inside(point))
                .map(|(time, rate)| (place.x(*time), place.y(*rate)))
                .collect()
        };
        let curve = pixels(&self.curve);
        if curve.len() > 1 {
            canvas.polyline(&curve, self.pen());
        }
        for dot in pixels(&self.dots) {
            canvas.dot(dot, if self.is_bold { 4.0 } else { 2.5 }, self.colour);
        }
    }

    fn draw_key(&self, place: Place, index: usize, canvas: &mut dyn Canvas) {
        let left = place.left + place.width - RIGHT + 14.0;
        let y = place.top + TOP + 8.0 + LINE_HEIGHT * index as f64;
        canvas.polyline(&[(left, y), (left + 24.0, y)], self.pen());
        canvas.text((left + 32.0, y), Anchor::Start, self.is_bold, &self.name);
    }

    fn pen(&self) -> Pen {
        Pen { colour: self.colour, width: if self.is_bold { 2.5 } else { 1.2 }, is_dashed: self.is_dashed }
    }
}
