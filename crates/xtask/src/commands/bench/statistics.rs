//! Medians and quantiles of a handful of samples.

/// The middle one; the mean of both where there are two. `None` of nothing.
pub(super) fn median(samples: &[f64]) -> Option<f64> {
    let sorted = sorted(samples);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(*upper);
    }
    Some(f64::midpoint(sorted[middle - 1], *upper))
}

/// The smallest sample that a share of `percent` does not exceed (nearest rank).
pub(super) fn percentile(samples: &[f64], percent: usize) -> Option<f64> {
    let sorted = sorted(samples);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The least and the most.
pub(super) fn range(samples: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(samples);
    Some((*sorted.first()?, *sorted.last()?))
}

/// `over[i] / under[i]`: a ratio holds within one run only, where both met the same machine.
pub(super) fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter()
        .zip(under)
        .filter(|(_, under)| **under > 0.0)
        .map(|(over, under)| over / under)
        .collect()
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        let samples: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        assert_eq!(percentile(&samples, 90), Some(9.0));
        assert_eq!(percentile(&samples, 100), Some(10.0));
        assert_eq!(percentile(&[5.0], 50), Some(5.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn ratios_are_of_the_same_run_each() {
        assert_eq!(ratios(&[6.0, 9.0], &[3.0, 10.0]), [2.0, 0.9]);
        assert_eq!(ratios(&[6.0], &[0.0]), [0.0; 0]);
    }
}
