//! Pictures: mistakes over the mean detection time.

mod canvas;
mod chart;
mod png;
mod svg;

use self::canvas::Canvas;
use self::chart::{BLACK, Chart, Line, Place};
use self::png::Png;
use self::svg::Svg;
use crate::detector::Kind;
use crate::study::{Case, Measured, TARGETS};
use crate::traffic::Traffic;
use crate::tune::Point;

const COLOURS: [(Kind, &str); 10] = [
    (Kind::NfdE, "#1f77b4"),
    (Kind::TwoWindow, "#17becf"),
    (Kind::Bertier, "#8c564b"),
    (Kind::PhiNormal, "#9467bd"),
    (Kind::Akka, "#e377c2"),
    (Kind::AkkaPause, "#bcbd22"),
    (Kind::Cassandra, "#7f7f7f"),
    (Kind::Chitchat, "#2ca02c"),
    // Last, so that ours lie above the others.
    (Kind::Fixed, "#000000"),
    (Kind::Uncapped, "#d62728"),
];

pub(crate) struct Picture {
    /// Of its files, without the ending.
    pub(crate) name: &'static str,
    width: f64,
    height: f64,
    charts: Vec<(Place, Chart)>,
}

impl Picture {
    pub(crate) fn svg(&self) -> String {
        let mut svg = Svg::new(self.width, self.height);
        self.draw(&mut svg);
        svg.finish()
    }

    pub(crate) fn png(&self) -> Vec<u8> {
        let mut png = Png::new(self.width, self.height);
        self.draw(&mut png);
        png.finish()
    }

    fn draw(&self, canvas: &mut dyn Canvas) {
        for (place, chart) in &self.charts {
            chart.draw(*place, canvas);
        }
    }
}

/// One for the README, and one with all that was measured.
pub(crate) fn pictures(all: &[Measured]) -> Vec<Picture> {
    vec![overview(all), each_trace(all)]
}

fn overview(all: &[Measured]) -> Picture {
    let of = |case: Case| all.iter().find(|measured| measured.case == case);
    let mut charts = Vec::new();
    if let Some(swings) = of(Case::plain(Traffic::LoadSwings)) {
        let title = "Load that swings: the adaptive detector".to_owned();
        charts.push(Chart { title, lines: lines(swings) });
    }
    let stalls = (of(Case::plain(Traffic::RegistryStalls)), of(Case::CREDITED));
    if let (Some(plain), Some(credited)) = stalls {
        let mut lines = lines(plain);
        lines.retain(|line| line.is_bold);
        lines.iter_mut().for_each(|line| line.is_dashed = true);
        let credited = self::lines(credited).into_iter();
        lines.extend(credited.map(|line| Line { name: format!("{}, credited", line.name), ..line }));
        charts.push(Chart { title: "A registry that stalls: blind time credited".to_owned(), lines });
    }
    arranged("qos", charts, 2)
}

fn each_trace(all: &[Measured]) -> Picture {
    let plain = all.iter().filter(|measured| !measured.case.is_credited);
    let charts = plain.map(|measured| {
        let title = format!("{}: {}", measured.case, measured.case.traffic.says());
        Chart { title, lines: lines(measured) }
    });
    arranged("qos-traces", charts.collect(), 2)
}

fn arranged(name: &'static str, charts: Vec<Chart>, columns: usize) -> Picture {
    let (width, height) = (720.0, 480.0);
    let rows = charts.len().div_ceil(columns);
    let place = |index: usize| Place {
        left: (index % columns) as f64 * width,
        top: (index / columns) as f64 * height,
        width,
        height,
    };
    let charts = charts.into_iter().enumerate().map(|(index, chart)| (place(index), chart)).collect();
    Picture { name, width: width * columns as f64, height: height * rows as f64, charts }
}

/// Curves of the seeds that knobs were tuned on; dots of those that were scored. The adaptive curve is that without a cap,
/// its dots are those with it.
fn lines(measured: &Measured) -> Vec<Line> {
    let base = measured.case.traffic.base_delay();
    let mut lines = Vec::new();
    for (kind, colour) in COLOURS {
        let Some((_, curve)) = measured.curves.iter().find(|(swept, _)| *swept == kind) else { continue };
        let mut curve: Vec<Point> = curve.clone();
        curve.sort_by(|a, b| a.mean_td.total_cmp(&b.mean_td));
        let scored = if kind == Kind::Uncapped { Kind::Adaptive } else { kind };
        let dots = TARGETS.iter().filter_map(|target| measured.result(scored, *target));
        lines.push(Line {
            name: scored.name().to_owned(),
            colour: if kind == Kind::Fixed { BLACK } else { colour },
            is_bold: !kind.is_baseline(),
            is_dashed: false,
            curve: curve.iter().map(|point| (point.mean_td - base, point.per_million)).collect(),
            dots: dots.map(|result| (result.mean_td() - base, result.rate())).collect(),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::{self, Plan};

    #[test]
    fn pictures_have_all_detectors_and_render_in_both_formats() {
        let plan = Plan { tuning_seeds: 1, seeds: 2, intervals: 5_000 };
        let cases = [Case::plain(Traffic::LoadSwings), Case::plain(Traffic::RegistryStalls), Case::CREDITED];
        let all = cases.map(|case| study::measure(case, plan));
        let pictures = pictures(&all);
        let [overview, traces] = &pictures[..] else { panic!("two pictures") };
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Uncapped) {
            assert!(traces.svg().contains(&format!(">{}</text>", kind.name())), "{kind}");
        }
        assert!(overview.svg().contains("fixed, credited"));
        for picture in &pictures {
            assert!(picture.svg().starts_with("<svg ") && picture.svg().ends_with("</svg>\n"));
            assert!(picture.png().starts_with(b"\x89PNG"));
        }
    }
}
