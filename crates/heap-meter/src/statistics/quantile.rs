//! The values at given shares of a sample.

/// The middle value, or the mean of the two middle ones.
///
/// `None` for no values, or when one of them is not a finite number.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which the share `share` (0 to 1) of the values lies, interpolated linearly
/// between neighbours (Hyndman and Fan's type 7, the default of R and NumPy).
///
/// `None` for no values, or when one of them or the share is not a finite number in its range.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values)?;
    (!sorted.is_empty() && (0.0..=1.0).contains(&share)).then(|| quantile_of_sorted(&sorted, share))
}

/// The values in rising order; `None` when one is not a finite number.
pub(super) fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.iter().all(|value| value.is_finite()).then_some(sorted)
}

/// As [`quantile`], for values that are sorted and not empty and a share from 0 to 1.
pub(super) fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = position.ceil() as usize;
    // Equal neighbours are taken as they are: infinite ones have no difference to scale.
    if sorted[below] == sorted[above] {
        return sorted[below];
    }
    let weight = position - position.floor();
    sorted[below] * (1.0 - weight) + sorted[above] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_by_hand() {
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[7.0; 6]), Some(7.0));
        assert_eq!(median(&[-1.0, 0.0, -3.0]), Some(-1.0));
        assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX));
    }

    #[test]
    fn quantiles_by_hand() {
        let values = [50.0, 10.0, 40.0, 20.0, 30.0];
        for (share, value) in [(0.0, 10.0), (0.25, 20.0), (0.9, 46.0), (1.0, 50.0)] {
            assert_eq!(quantile(&values, share), Some(value), "{share}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(median(&[1.0, f64::INFINITY]), None);
        for share in [-0.1, 1.1, f64::NAN] {
            assert_eq!(quantile(&[1.0], share), None);
        }
    }
}
