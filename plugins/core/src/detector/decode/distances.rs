//! NanoDet: a point a cell, and from it the distances to the four sides, each a distribution over
//! whole cells. Source: RangiLyu NanoDet, `nanodet/model/head/gfl_head.py` and
//! `nanodet_plus_head.py`.

use super::super::layout::Layout;
use super::readers::{Cell, activate, agree, chunks, grid};
use super::score::{any_reaches, expectation};
use super::{DecodeError, Sink};

impl Sink<'_> {
    pub(super) fn distances<'a>(
        &mut self,
        layout: &Layout,
        levels: &[(usize, usize)],
        (bins, classes): (usize, usize),
        size: (usize, usize),
        output: impl Fn(usize) -> Result<&'a [f32], DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut place = 0;
        for (level, &(scores, sides)) in levels.iter().enumerate() {
            let strides = match levels.len() {
                1 => &layout.strides[..],
                _ => layout.strides.get(level..=level).unwrap_or_default(),
            };
            let cells = grid(strides, size);
            if scores == sides {
                let rows = chunks(scores, output(scores)?, classes + 4 * bins)?;
                agree(rows.len(), super::super::recognise::cells(strides, size))?;
                for (row, cell) in rows.zip(cells) {
                    let (scores, sides) = row.split_at(classes);
                    self.cell(layout, place, cell, scores, sides);
                    place += 1;
                }
            } else {
                let rows = chunks(scores, output(scores)?, classes)?;
                let sides = chunks(sides, output(sides)?, 4 * bins)?;
                agree(rows.len(), super::super::recognise::cells(strides, size))?;
                agree(sides.len(), rows.len())?;
                for ((scores, sides), cell) in rows.zip(sides).zip(cells) {
                    self.cell(layout, place, cell, scores, sides);
                    place += 1;
                }
            }
        }
        Ok(())
    }

    fn cell(&mut self, layout: &Layout, place: usize, cell: Cell, scores: &[f32], sides: &[f32]) {
        let least = self.least(layout.activation);
        if !any_reaches(scores, least) {
            return;
        }
        let mut distance = sides
            .chunks_exact(sides.len() / 4)
            .map(|side| f64::from(expectation(side) * cell.stride));
        let mut next = || distance.next().unwrap_or(f64::NAN);
        let [l, t, r, b] = [next(), next(), next(), next()];
        // NanoDet-Plus, which has a fourth level, counts from the cell's corner.
        let offset = if layout.strides.len() > 3 { 0.0 } else { 0.5 };
        let at = |cells: f32| f64::from((cells + offset) * cell.stride);
        let (x, y) = (at(cell.x), at(cell.y));
        for (class, &raw) in scores.iter().enumerate() {
            if raw >= least {
                let score = activate(layout.activation, raw);
                self.add_corners(place, class, score, [x - l, y - t, x + r, y + b]);
            }
        }
    }
}
