//! What becomes of several measurements of one thing.

/// The middle of some figures, and between which two lies the half of them that is nearest to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// The lower and the upper quartile.
    pub(crate) quartiles: (f64, f64),
}

impl Spread {
    /// None of no figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let [lower, median, upper] = [1, 2, 3].map(|quarters| quantile(&figures, quarters));
        Some(Self { median: median?, quartiles: (lower?, upper?) })
    }

    /// Of the ratios of what was measured in the same round, so that what slows down a whole round does not count.
    pub(crate) fn of_ratios(
        figures: impl IntoIterator<Item = f64>,
        references: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        Self::of(figures.into_iter().zip(references).map(|(figure, reference)| figure / reference))
    }
}

/// What so many quarters of the figures lie below, between two of them if need be.
fn quantile(sorted: &[f64], quarters: usize) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? * quarters;
    let (below, above) = (sorted[place / 4], sorted[place.div_ceil(4)]);
    Some(below + (above - below) * (place % 4) as f64 / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64, lower: f64, upper: f64) -> Option<Spread> {
        Some(Spread { median, quartiles: (lower, upper) })
    }

    #[test]
    fn half_of_the_figures_lie_between_the_quartiles_whatever_the_outliers() {
        assert_eq!(Spread::of([5.0, 1.0, 4.0, 100.0, 2.0]), spread(4.0, 2.0, 5.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 100.0]), spread(3.0, 1.75, 28.0));
        assert_eq!(Spread::of([7.0]), spread(7.0, 7.0, 7.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_medians() {
        assert_eq!(Spread::of_ratios([10.0, 100.0, 9.0], [20.0, 200.0, 10.0]), spread(0.5, 0.5, 0.7));
    }
}
