//! Zones in space: a part of what lies around the camera, bounded along its axes.

/// Why bounds make no zone in space.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VolumeError {
    /// Everything would lie in it.
    #[error(
        "space without a bound holds everything: give one or more of min-x, max-x, min-y, max-y, min-z, max-z"
    )]
    Unbounded,
    /// No distance.
    #[error("{side}-{axis} is {value}: give metres")]
    Number {
        /// `min` or `max`.
        side: &'static str,
        /// Which.
        axis: char,
        /// What it is.
        value: f64,
    },
    /// Nothing lies between.
    #[error("min-{0} is greater than max-{0}, so nothing lies between: swap them")]
    Bounds(char),
}

/// From and to where along one axis, in metres; either may be missing.
pub type Bounds = (Option<f64>, Option<f64>);

/// A box in the camera's space, whose faces belong to it: x to the right, y down, z away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Volume {
    bounds: [Bounds; 3],
}

impl Volume {
    /// From bounds along x, y and z.
    ///
    /// # Errors
    /// A [`VolumeError`] that names the bound.
    pub fn new(bounds: [Bounds; 3]) -> Result<Self, VolumeError> {
        if bounds == [(None, None); 3] {
            return Err(VolumeError::Unbounded);
        }
        for (axis, (min, max)) in ['x', 'y', 'z'].into_iter().zip(bounds) {
            for (side, value) in [("min", min), ("max", max)] {
                if let Some(value) = value.filter(|value| !value.is_finite()) {
                    return Err(VolumeError::Number { side, axis, value });
                }
            }
            if min.zip(max).is_some_and(|(min, max)| min > max) {
                return Err(VolumeError::Bounds(axis));
            }
        }
        Ok(Self { bounds })
    }

    /// Whether a position lies in it.
    pub fn contains(&self, position: [f64; 3]) -> bool {
        let along = position.into_iter().zip(self.bounds);
        along.into_iter().all(|(at, (min, max))| {
            min.is_none_or(|min| at >= min) && max.is_none_or(|max| at <= max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_holds_what_lies_between_its_faces_and_on_them() {
        let dock = Volume::new([
            (Some(-1.0), Some(1.0)),
            (None, Some(0.5)),
            (Some(2.0), None),
        ]);
        let dock = dock.expect("bounds in order");
        for inside in [[0.0, 0.0, 3.0], [1.0, 0.5, 2.0], [-1.0, -90.0, 90.0]] {
            assert!(dock.contains(inside), "{inside:?}");
        }
        for outside in [[1.01, 0.0, 3.0], [0.0, 0.51, 3.0], [0.0, 0.0, 1.99]] {
            assert!(!dock.contains(outside), "{outside:?}");
        }
        assert!(!dock.contains([f64::NAN, 0.0, 3.0]));
    }

    #[test]
    fn bounds_that_make_no_volume_are_refused_by_name() {
        let none = (None, None);
        for (bounds, says) in [
            ([none; 3], "space without a bound"),
            ([none, (Some(2.0), Some(1.0)), none], "min-y is greater"),
            ([none, none, (None, Some(f64::INFINITY))], "max-z is inf"),
            ([(Some(f64::NAN), None), none, none], "min-x is NaN"),
        ] {
            let said = Volume::new(bounds).expect_err(says).to_string();
            assert!(said.starts_with(says), "{said}");
        }
    }
}
