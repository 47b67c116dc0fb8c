//! Latencies in buckets of constant relative width, so that a run of any length takes the same memory.

use std::time::Duration;

/// Buckets per power of two: a percentile is at most 1/128 (0.8 %) above the true value.
const STEPS: u64 = 128;
/// 2^40 µs is 12 days: longer than any request is waited for.
const POWERS: u64 = 34;

/// Counts of latencies, microsecond resolution.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; (STEPS * POWERS) as usize], total: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        self.counts[bucket(micros).min(last)] += 1;
        self.total += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The smallest bucket bound below which `per_mille` thousandths of the latencies lie (nearest rank), in
    /// microseconds; `None` when nothing was recorded.
    pub(crate) fn percentile(&self, per_mille: u64) -> Option<u64> {
        let rank = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(upper_bound(index as u64));
            }
        }
        None
    }
}

/// Values below `STEPS` have a bucket each; above, the seven bits after the leading one choose the bucket.
fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let shift = u64::from(micros.ilog2() - STEPS.ilog2());
    (shift * STEPS + (micros >> shift)) as usize
}

/// The largest value that `bucket` sends to `index`.
fn upper_bound(index: u64) -> u64 {
    if index < 2 * STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    let leading = index - shift * STEPS;
    ((leading + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        for micros in values {
            histogram.record(Duration::from_micros(micros));
        }
        histogram
    }

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(Histogram::new().percentile(500), None);
    }

    #[test]
    fn small_values_are_exact_and_ranks_are_nearest() {
        let histogram = of(1..=100);
        assert_eq!(histogram.percentile(500), Some(50));
        assert_eq!(histogram.percentile(990), Some(99));
        assert_eq!(histogram.percentile(1000), Some(100));
        assert_eq!(of([7]).percentile(10), Some(7));
    }

    #[test]
    fn large_values_are_within_one_step_above() {
        for exact in [128, 255, 256, 1_000, 65_000, 138_000, 29_999_999, 7_200_000_000] {
            let found = of([exact]).percentile(500).unwrap();
            assert!(found >= exact && found - exact <= exact / STEPS, "{exact} became {found}");
        }
    }

    #[test]
    fn bounds_and_buckets_agree_over_every_bucket() {
        for index in 0..STEPS * POWERS {
            assert_eq!(bucket(upper_bound(index)), index as usize);
            assert_eq!(bucket(upper_bound(index) + 1), index as usize + 1);
        }
    }

    #[test]
    fn absurd_values_land_in_the_last_bucket() {
        let histogram = of([u64::MAX]);
        assert_eq!(histogram.percentile(500), Some(upper_bound(STEPS * POWERS - 1)));
    }

    #[test]
    fn merged_rounds_count_as_one() {
        let mut all = of(1..=50);
        all.merge(&of(51..=100));
        assert_eq!(all.percentile(500), Some(50));
        assert_eq!(all.percentile(990), Some(99));
    }
}
