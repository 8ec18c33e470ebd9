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

/// From and to where, in metres; either may be missing, and both belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// From where.
    pub min: Option<f64>,
    /// To where.
    pub max: Option<f64>,
}

impl Bounds {
    /// Whether `at` lies between; what is no number does not, where either is there.
    pub fn holds(self, at: f64) -> bool {
        self.min.is_none_or(|min| at >= min) && self.max.is_none_or(|max| at <= max)
    }

    /// Whether they are the wrong way round, so that nothing lies between.
    pub fn crossed(self) -> bool {
        self.min.zip(self.max).is_some_and(|(min, max)| min > max)
    }
}

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
        if bounds == [Bounds::default(); 3] {
            return Err(VolumeError::Unbounded);
        }
        for (axis, along) in ['x', 'y', 'z'].into_iter().zip(bounds) {
            for (side, value) in [("min", along.min), ("max", along.max)] {
                if let Some(value) = value.filter(|value| !value.is_finite()) {
                    return Err(VolumeError::Number { side, axis, value });
                }
            }
            if along.crossed() {
                return Err(VolumeError::Bounds(axis));
            }
        }
        Ok(Self { bounds })
    }

    /// Whether a position lies in it.
    pub fn contains(&self, position: [f64; 3]) -> bool {
        let mut along = position.into_iter().zip(self.bounds);
        along.all(|(at, bounds)| bounds.holds(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(min: Option<f64>, max: Option<f64>) -> Bounds {
        Bounds { min, max }
    }

    #[test]
    fn a_volume_holds_what_lies_between_its_faces_and_on_them() {
        let dock = Volume::new([
            bounds(Some(-1.0), Some(1.0)),
            bounds(None, Some(0.5)),
            bounds(Some(2.0), None),
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
        let none = Bounds::default();
        let endless = bounds(None, Some(f64::INFINITY));
        for (along, says) in [
            ([none; 3], "space without a bound"),
            (
                [none, bounds(Some(2.0), Some(1.0)), none],
                "min-y is greater",
            ),
            ([none, none, endless], "max-z is inf"),
            ([bounds(Some(f64::NAN), None), none, none], "min-x is NaN"),
        ] {
            let said = Volume::new(along).expect_err(says).to_string();
            assert!(said.starts_with(says), "{said}");
        }
    }
}
