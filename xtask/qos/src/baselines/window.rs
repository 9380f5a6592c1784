//! The newest of many values, with their mean and deviation.

use std::collections::VecDeque;

pub(super) struct Window {
    values: VecDeque<f64>,
    capacity: usize,
    sum: f64,
    squares: f64,
    until_summed_anew: usize,
}

impl Window {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            values: VecDeque::with_capacity(capacity),
            capacity,
            sum: 0.0,
            squares: 0.0,
            until_summed_anew: capacity,
        }
    }

    pub(super) fn push(&mut self, value: f64) {
        if self.values.len() == self.capacity
            && let Some(oldest) = self.values.pop_front()
        {
            self.sum -= oldest;
            self.squares -= oldest * oldest;
        }
        self.values.push_back(value);
        self.sum += value;
        self.squares += value * value;
        self.until_summed_anew -= 1;
        if self.until_summed_anew == 0 {
            self.sum_anew();
        }
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.sum = 0.0;
        self.squares = 0.0;
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) const fn sum(&self) -> f64 {
        self.sum
    }

    /// Zero without values.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.values.len().max(1) as f64
    }

    pub(super) fn deviation(&self) -> f64 {
        let mean = self.mean();
        (self.squares / self.values.len().max(1) as f64 - mean * mean).max(0.0).sqrt()
    }

    /// Differences of floats drift.
    fn sum_anew(&mut self) {
        self.sum = self.values.iter().sum();
        self.squares = self.values.iter().map(|value| value * value).sum();
        self.until_summed_anew = self.capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_count() {
        let mut window = Window::new(4);
        for value in [100.0, 7.0, 2.0, 4.0, 4.0, 6.0] {
            window.push(value);
        }
        assert_eq!((window.len(), window.mean()), (4, 4.0));
        assert!((window.deviation() - 2.0_f64.sqrt()).abs() < 1e-9);
        window.clear();
        assert_eq!((window.len(), window.mean(), window.deviation()), (0, 0.0, 0.0));
    }
}
