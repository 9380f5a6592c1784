//! What becomes of several measurements of one thing.

/// The middle of some figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// None of no figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let median =
            if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) };
        Some(Self { median, least, most })
    }

    /// Of the ratios of what was measured in the same round, so that what slows down a whole round does not count.
    pub(crate) fn of_ratios(
        figures: impl IntoIterator<Item = f64>,
        references: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        Self::of(figures.into_iter().zip(references).map(|(figure, reference)| figure / reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64, least: f64, most: f64) -> Option<Spread> {
        Some(Spread { median, least, most })
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([5.0, 1.0, 100.0]), spread(5.0, 1.0, 100.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 100.0]), spread(3.0, 1.0, 100.0));
        assert_eq!(Spread::of([7.0]), spread(7.0, 7.0, 7.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_of_pairs_and_not_of_medians() {
        assert_eq!(Spread::of_ratios([10.0, 100.0, 9.0], [20.0, 200.0, 10.0]), spread(0.5, 0.5, 0.9));
    }
}
