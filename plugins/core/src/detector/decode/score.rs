//! From what a model puts out to probabilities, and what it has to put out to reach a threshold,
//! so that the dear part is done for the few that count.

/// The probability of a logit.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logit of a probability; infinite at 0 and 1. A hair less, so that rounding loses none: the
/// probability itself is compared again.
pub(super) fn logit(probability: f32) -> f32 {
    let exact = (probability / (1.0 - probability)).ln();
    exact - exact.abs().min(1e6) * 1e-5 - 1e-5
}

/// Whether any of the scores reaches a threshold. Without a branch a score, which the compiler
/// turns into vector compares; NaN never does.
pub(super) fn any_reaches(scores: &[f32], threshold: f32) -> bool {
    scores
        .iter()
        .fold(false, |any, &score| any | (score >= threshold))
}

/// The greatest score and its place, the first of equals; `None` where all are NaN.
pub(super) fn best(scores: &[f32]) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (class, &score) in scores.iter().enumerate() {
        if !score.is_nan() && best.is_none_or(|(_, least)| score > least) {
            best = Some((class, score));
        }
    }
    best
}

/// The expected value of a distribution over 0, 1, 2 …, given as logits; NaN where they are no
/// numbers.
pub(super) fn expectation(logits: &[f32]) -> f32 {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (value, logit) in logits.iter().enumerate() {
        let weight = (logit - greatest).exp();
        sum += weight;
        weighted += weight * value as f32;
    }
    weighted / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_probability_at_a_threshold_is_lost_to_rounding() {
        for step in 0..=1000_u16 {
            let threshold = f32::from(step) / 1000.0;
            let mut raw = -20.0;
            while raw < 20.0 {
                if sigmoid(raw) >= threshold && threshold < 1.0 {
                    assert!(raw >= logit(threshold), "{raw} {threshold}");
                }
                raw += 0.37;
            }
        }
    }

    #[test]
    fn an_expectation_is_the_mean_of_its_distribution() {
        assert_eq!(expectation(&[0.0; 5]), 2.0);
        assert_eq!(expectation(&[-200.0, 0.0, -200.0]), 1.0);
        assert!(expectation(&[f32::NAN, 0.0]).is_nan());
    }

    #[test]
    fn the_best_of_equals_is_the_first_and_nan_is_never_best() {
        assert_eq!(best(&[0.1, 0.5, 0.5]), Some((1, 0.5)));
        assert_eq!(best(&[f32::NAN, 0.2]), Some((1, 0.2)));
        assert_eq!(best(&[f32::NAN]), None);
    }
}
