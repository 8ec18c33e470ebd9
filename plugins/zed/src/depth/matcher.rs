//! From a rectified pair to the disparity of each pixel.

use super::{
    DepthError, census::census, paths::Paths, refine::refine, speckle::Speckle, winner::Winner,
};

/// Disparities are looked at in groups of so many: what a processor adds at once.
const GROUP: usize = 32;
/// One island in so many pixels of picture is the smallest that is believed.
const ISLAND: usize = 3600;

/// How far each pixel of the left picture is to be moved to the left to lie on its counterpart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disparities {
    /// By rows, in pixels; 0 where none is known.
    pub values: Vec<f32>,
    /// From 0 to 100, by rows: five for each hundredth by which the next best disparity fits less
    /// well; 0 where none is known.
    pub confidence: Vec<u8>,
}

/// Matches pairs of one size. It keeps its memory from pair to pair, and nothing else.
pub struct Matcher {
    size: (usize, usize),
    disparities: usize,
    least_confidence: u8,
    patterns: [Vec<u32>; 2],
    paths: Paths,
    winner: Winner,
    speckle: Speckle,
    found: Disparities,
}

impl Matcher {
    /// Looks for disparities from 0, which is infinitely far, to at least `last` pixels in pictures
    /// of `width` by `height`, and calls unknown what it is less sure of than `least_confidence`
    /// (0 to 100).
    ///
    /// # Errors
    /// Where there is nothing to be looked at.
    pub fn new(
        (width, height): (usize, usize),
        last: usize,
        least_confidence: u8,
    ) -> Result<Self, DepthError> {
        if width < 2 || height < 2 {
            return Err(DepthError::Size(width, height));
        }
        Ok(Self {
            size: (width, height),
            // No disparity is as large as the picture.
            disparities: (last.min(width - 1) + 1).next_multiple_of(GROUP),
            least_confidence,
            patterns: Default::default(),
            paths: Paths::default(),
            winner: Winner::default(),
            speckle: Speckle::default(),
            found: Disparities::default(),
        })
    }

    /// The disparities of a rectified pair, brightness by rows.
    ///
    /// # Errors
    /// Where a picture is of another size.
    pub fn disparities(&mut self, left: &[u8], right: &[u8]) -> Result<&Disparities, DepthError> {
        let (width, height) = self.size;
        for picture in [left, right] {
            if picture.len() != width * height {
                return Err(DepthError::Picture(picture.len(), width, height));
            }
        }
        self.work(left, right);
        Ok(&self.found)
    }

    /// Matches with what the processor has: the loops are the same, and the compiler makes of
    /// them twice as wide instructions where AVX2 is there.
    fn work(&mut self, left: &[u8], right: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("popcnt") {
            // SAFETY: the processor has just said that it has both.
            return unsafe { self.wide_work(left, right) };
        }
        self.any_work(left, right);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,popcnt")]
    fn wide_work(&mut self, left: &[u8], right: &[u8]) {
        self.any_work(left, right);
    }

    #[inline(always)]
    fn any_work(&mut self, left: &[u8], right: &[u8]) {
        self.rows(left, right);
        let (width, height) = self.size;
        let Disparities { values, confidence } = &mut self.found;
        for (value, sure) in values.iter_mut().zip(&*confidence) {
            if *sure < self.least_confidence {
                *value = 0.0;
            }
        }
        self.speckle.remove(values, width, width * height / ISLAND);
        refine(left, right, self.size, values);
        for (value, sure) in values.iter().zip(confidence) {
            if *value <= 0.0 {
                *sure = 0;
            }
        }
    }

    #[inline(always)]
    fn rows(&mut self, left: &[u8], right: &[u8]) {
        let (width, height) = self.size;
        census(left, self.size, &mut self.patterns[0]);
        census(right, self.size, &mut self.patterns[1]);
        self.paths.clear(width, self.disparities);
        self.found.values.resize(width * height, 0.0);
        self.found.confidence.resize(width * height, 0);
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let above = &left[y.saturating_sub(1) * width..][..width];
            let [ours, theirs] = &self.patterns;
            self.paths.row(
                &ours[row.clone()],
                &theirs[row.clone()],
                &left[row.clone()],
                above,
            );
            self.winner.row(
                &self.paths.sums,
                self.disparities,
                &mut self.found.values[row.clone()],
                &mut self.found.confidence[row],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wide_instructions_and_the_plain_ones_find_the_same() {
        let size = (70, 24);
        let picture = |shift: usize| -> Vec<u8> {
            let pixels = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x + shift, y)));
            pixels
                .map(|(x, y)| (x * x * 7 + y * y * 13 + x * y * 5) as u8)
                .collect()
        };
        let (left, right) = (picture(0), picture(6));
        let mut plain = Matcher::new(size, 20, 0).unwrap();
        plain.any_work(&left, &right);
        let mut any = Matcher::new(size, 20, 0).unwrap();
        any.work(&left, &right);
        assert_eq!(plain.found, any.found);
        assert!(
            any.found
                .values
                .iter()
                .any(|value| (value - 6.0).abs() < 0.5)
        );
    }
}
