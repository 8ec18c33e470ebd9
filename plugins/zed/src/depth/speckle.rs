//! Takes out small islands: a few pixels that agree with each other and with nothing around them
//! are matched by chance.

/// Neighbours whose disparities differ by no more belong together, in pixels.
const STEP: f32 = 1.0;

/// Finds and takes out islands; keeps its memory between pictures.
#[derive(Default)]
pub(super) struct Speckle {
    seen: Vec<bool>,
    island: Vec<usize>,
}

impl Speckle {
    /// Makes disparities 0 that hang together in groups of fewer than `least` pixels.
    pub(super) fn remove(&mut self, values: &mut [f32], width: usize, least: usize) {
        self.seen.clear();
        self.seen.resize(values.len(), false);
        for begin in 0..values.len() {
            if values[begin] <= 0.0 || self.seen[begin] {
                continue;
            }
            self.gather(begin, values, width);
            if self.island.len() < least {
                for at in &self.island {
                    values[*at] = 0.0;
                }
            }
        }
    }

    /// All pixels that hang together with the one at `begin`.
    fn gather(&mut self, begin: usize, values: &[f32], width: usize) {
        self.island.clear();
        self.island.push(begin);
        self.seen[begin] = true;
        let mut next = 0;
        while let Some(&at) = self.island.get(next) {
            next += 1;
            let column = at % width;
            let neighbours = [
                (column > 0).then(|| at - 1),
                (column + 1 < width).then_some(at + 1),
                at.checked_sub(width),
                Some(at + width).filter(|below| *below < values.len()),
            ];
            for to in neighbours.into_iter().flatten() {
                let near = values[to] > 0.0 && (values[to] - values[at]).abs() <= STEP;
                if near && !self.seen[to] {
                    self.seen[to] = true;
                    self.island.push(to);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_islands_go_and_large_ones_stay() {
        let mut values = [
            [5.0, 5.4, 0.0, 9.0],
            [5.9, 6.2, 0.0, 9.0],
            [0.0, 0.0, 0.0, 0.0],
            [3.0, 8.0, 7.5, 7.0],
        ]
        .concat();
        Speckle::default().remove(&mut values, 4, 3);
        let expected = [
            [5.0, 5.4, 0.0, 0.0],
            [5.9, 6.2, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0],
            [0.0, 8.0, 7.5, 7.0],
        ];
        assert_eq!(values, expected.concat());
    }
}
