//! Quantiles, and how they are printed.

/// Measured values, sorted.
#[derive(Debug)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Takes the values in any order, without those that are `NaN`: nothing was measured there.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        Sample(values)
    }

    /// The ratios of values that were measured next to each other: neighbours in time have met the same machine.
    pub fn paired(ours: &[f64], theirs: &[f64]) -> Self {
        Sample::new(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value below which `thousandths` of 1,000 values lie: 0 is the least, 500 the median, 1000 the largest.
    pub fn quantile(&self, thousandths: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (last * thousandths.min(1000) + 500) / 1000;
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.quantile(500)
    }

    /// Median and quartiles: `12.3 (11.8 to 13.0)`.
    pub fn spread(&self, decimals: usize) -> String {
        format!(
            "{:.decimals$} ({:.decimals$} to {:.decimals$})",
            self.median(),
            self.quantile(250),
            self.quantile(750)
        )
    }

    /// Whether both quartiles lie within `share` of the median: 0.03 is ± 3 %.
    pub fn is_steady(&self, share: f64) -> bool {
        let (median, room) = (self.median(), self.median() * share);
        self.quantile(250) >= median - room && self.quantile(750) <= median + room
    }
}

/// A count as a number to divide by or to print.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests, calls and bytes are far below 2^52"
)]
pub fn count(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_known_sample() {
        let sample = Sample::new((0..=100_u32).rev().map(f64::from).collect());
        let at = |thousandths| sample.quantile(thousandths).to_string();
        assert_eq!(
            [at(0), at(500), at(990), at(1000)],
            ["0", "50", "99", "100"]
        );
        assert_eq!(sample.spread(1), "50.0 (25.0 to 75.0)");
    }

    #[test]
    fn what_was_not_measured_counts_for_nothing() {
        let sample = Sample::paired(&[2.0, f64::NAN, 4.0], &[1.0, 1.0, 2.0]);
        assert_eq!((sample.len(), sample.spread(0)), (2, "2 (2 to 2)".into()));
        assert!(Sample::new(vec![f64::NAN]).median().is_nan());
    }

    #[test]
    fn steady_is_by_the_quartiles() {
        let steady = |values: [f64; 5]| Sample::new(values.into()).is_steady(0.03);
        assert!(steady([1.0, 97.1, 100.0, 102.9, 500.0]));
        assert!(!steady([90.0, 96.9, 100.0, 101.0, 102.0]));
        assert!(!steady([90.0, 99.0, 100.0, 103.1, 104.0]));
    }

    #[test]
    fn ratios_are_of_neighbours() {
        let sample = Sample::paired(&[2.0, 30.0, 9.0], &[1.0, 10.0, 3.0]);
        assert_eq!(sample.spread(0), "3 (3 to 3)");
    }
}
