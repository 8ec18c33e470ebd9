//! One reader a way in which boxes and scores stand in tensors.

use super::super::layout::{Activation, Layout, Reader};
use super::super::recognise::cells;
use super::score::{any_reaches, best, logit, sigmoid};
use super::{DecodeError, Sink};

/// The number of an object's class beyond which no model has any.
const MOST_CLASSES: f32 = 1e6;

/// Where the boxes of a single output with classes stand.
#[derive(Debug, Clone, Copy)]
struct Shape {
    output: usize,
    width: usize,
    classes: usize,
}

impl Sink<'_> {
    pub(super) fn read<'a>(
        &mut self,
        layout: &Layout,
        size: (usize, usize),
        output: impl Fn(usize) -> Result<&'a [f32], DecodeError>,
    ) -> Result<(), DecodeError> {
        let classes = layout.classes.unwrap_or(0);
        match layout.reader {
            Reader::Split {
                boxes,
                scores,
                columns,
                first,
            } => {
                let four = rows::<4>(boxes, output(boxes)?)?;
                let rows = chunks(scores, output(scores)?, columns)?;
                agree(four.len(), rows.len())?;
                let used = first..(first + classes).min(columns);
                for (place, (four, row)) in four.iter().zip(rows).enumerate() {
                    self.split(
                        layout.activation,
                        place,
                        *four,
                        &row[first.min(used.end)..],
                        used.len(),
                    );
                }
                Ok(())
            }
            Reader::Labelled {
                boxes,
                scores,
                labels,
                count,
                first,
            } => {
                let four = rows::<4>(boxes, output(boxes)?)?;
                let (scores, labels) = (output(scores)?, output(labels)?);
                agree(scores.len(), four.len())?;
                agree(labels.len(), four.len())?;
                let count = match count {
                    Some(count) => output(count)?.first().map_or(0.0, |count| count.max(0.0)),
                    None => f32::INFINITY,
                };
                let each = four.iter().zip(scores).zip(labels).enumerate();
                // A float beyond any number of boxes becomes the greatest integer.
                for (place, ((four, &score), &label)) in each.take(count as usize) {
                    self.labelled(layout.activation, place, *four, score, label - first as f32);
                }
                Ok(())
            }
            Reader::Rows {
                output: of,
                width,
                objectness,
                grid,
            } => {
                let shape = Shape {
                    output: of,
                    width,
                    classes,
                };
                let elements = output(of)?;
                match (grid, objectness) {
                    (true, _) => self.grid(layout, shape, elements, size),
                    (false, _) => self.rows(layout, shape, elements, objectness),
                }
            }
            Reader::Columns { output: of, width } => {
                let shape = Shape {
                    output: of,
                    width,
                    classes,
                };
                self.columns(layout.activation, shape, output(of)?)
            }
            Reader::EndToEnd { output: of } => {
                let each = rows::<6>(of, output(of)?)?.iter().enumerate();
                for (place, &[a, b, c, d, score, label]) in each {
                    self.labelled(layout.activation, place, [a, b, c, d], score, label);
                }
                Ok(())
            }
            Reader::Distances { ref levels, bins } => {
                self.distances(layout, levels, (bins, classes), size, output)
            }
        }
    }

    /// A box with scores of its own; the first `classes` of `scores` count.
    fn split(
        &mut self,
        activation: Activation,
        place: usize,
        four: [f32; 4],
        scores: &[f32],
        classes: usize,
    ) {
        if activation == Activation::Softmax {
            return self.softmax(place, four, scores, classes);
        }
        let scores = &scores[..classes];
        let least = self.least(activation);
        if !any_reaches(scores, least) {
            return;
        }
        for (class, &raw) in scores.iter().enumerate() {
            if raw >= least {
                self.add(place, class, activate(activation, raw), four);
            }
        }
    }

    /// A box whose scores are logits of one choice, those behind the classes included.
    fn softmax(&mut self, place: usize, four: [f32; 4], scores: &[f32], classes: usize) {
        let Some((class, score)) = best(&scores[..classes]) else {
            return;
        };
        let greatest = scores.iter().copied().fold(score, f32::max);
        // No probability is more than this, which spares the sum for nearly all boxes.
        let at_most = (score - greatest).exp();
        if at_most >= self.confidence {
            let sum: f32 = scores.iter().map(|score| (score - greatest).exp()).sum();
            self.add(place, class, at_most / sum, four);
        }
    }

    /// A box of one class that is told by its number.
    fn labelled(
        &mut self,
        activation: Activation,
        place: usize,
        four: [f32; 4],
        raw: f32,
        label: f32,
    ) {
        let known = (0.0..MOST_CLASSES).contains(&label);
        if raw >= self.least(activation) && known {
            self.add(place, label as usize, activate(activation, raw), four);
        }
    }

    fn rows(
        &mut self,
        layout: &Layout,
        shape: Shape,
        elements: &[f32],
        objectness: bool,
    ) -> Result<(), DecodeError> {
        let rows = chunks(shape.output, elements, shape.width)?;
        for (place, row) in rows.enumerate() {
            if let Some((class, score)) = self.row(layout, row, objectness, shape.classes) {
                self.add(place, class, score, [row[0], row[1], row[2], row[3]]);
            }
        }
        Ok(())
    }

    /// YOLOX: centres are offsets in cells, sizes logarithms of cells. Source: Megvii YOLOX,
    /// `yolox/utils/demo_utils.py`.
    fn grid(
        &mut self,
        layout: &Layout,
        shape: Shape,
        elements: &[f32],
        size: (usize, usize),
    ) -> Result<(), DecodeError> {
        let rows = chunks(shape.output, elements, shape.width)?;
        agree(rows.len(), cells(&layout.strides, size))?;
        for (place, (row, cell)) in rows.zip(grid(&layout.strides, size)).enumerate() {
            if let Some((class, score)) = self.row(layout, row, true, shape.classes) {
                let stride = cell.stride;
                let four = [
                    (row[0] + cell.x) * stride,
                    (row[1] + cell.y) * stride,
                    row[2].exp() * stride,
                    row[3].exp() * stride,
                ];
                self.add(place, class, score, four);
            }
        }
        Ok(())
    }

    /// The best class of a row and its score, if that may count.
    fn row(
        &self,
        layout: &Layout,
        row: &[f32],
        objectness: bool,
        classes: usize,
    ) -> Option<(usize, f32)> {
        let (object, scores) = match objectness {
            true => (row[4], &row[5..]),
            false => (f32::INFINITY, &row[4..]),
        };
        let least = self.least(layout.activation);
        // An object's score is the product, so no more than its factors. NaN compares false.
        let sound = object >= least;
        if !sound {
            return None;
        }
        let (class, raw) = best(&scores[..classes.min(scores.len())])?;
        let object = if objectness {
            activate(layout.activation, object)
        } else {
            1.0
        };
        let score = object * activate(layout.activation, raw);
        (score >= self.confidence).then_some((class, score))
    }

    /// Each class's scores are one row over all boxes, and so read in one go.
    fn columns(
        &mut self,
        activation: Activation,
        shape: Shape,
        elements: &[f32],
    ) -> Result<(), DecodeError> {
        const BLOCK: usize = 64;
        let width = shape.width;
        if !elements.len().is_multiple_of(width) {
            return Err(DecodeError::Ragged {
                output: shape.output,
                elements: elements.len(),
                width,
            });
        }
        let boxes = elements.len() / width;
        let least = self.least(activation);
        let of_classes = elements
            .chunks_exact(boxes.max(1))
            .skip(4)
            .take(shape.classes);
        for (class, scores) in of_classes.enumerate() {
            for (block, scores) in scores.chunks(BLOCK).enumerate() {
                if !any_reaches(scores, least) {
                    continue;
                }
                for (i, &raw) in scores.iter().enumerate() {
                    if raw >= least {
                        let place = block * BLOCK + i;
                        let four = [0, 1, 2, 3].map(|row| elements[row * boxes + place]);
                        self.add(place, class, activate(activation, raw), four);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a model has to put out for a score to count.
    pub(super) fn least(&self, activation: Activation) -> f32 {
        match activation {
            Activation::Sigmoid => logit(self.confidence),
            Activation::None | Activation::Softmax => self.confidence,
        }
    }
}

pub(super) fn activate(activation: Activation, raw: f32) -> f32 {
    match activation {
        Activation::Sigmoid => sigmoid(raw),
        Activation::None | Activation::Softmax => raw,
    }
}

/// A cell of a grid, its place counted in cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) stride: f32,
}

/// The cells of every level, row by row.
pub(super) fn grid(strides: &[u32], (width, height): (usize, usize)) -> impl Iterator<Item = Cell> {
    strides.iter().flat_map(move |&stride| {
        let along = |size: usize| size.div_ceil(stride.max(1) as usize);
        let (columns, rows) = (along(width), along(height));
        (0..rows).flat_map(move |y| {
            (0..columns).map(move |x| Cell {
                x: x as f32,
                y: y as f32,
                stride: stride as f32,
            })
        })
    })
}

fn rows<const W: usize>(output: usize, elements: &[f32]) -> Result<&[[f32; W]], DecodeError> {
    match elements.as_chunks::<W>() {
        (rows, []) => Ok(rows),
        _ => Err(DecodeError::Ragged {
            output,
            elements: elements.len(),
            width: W,
        }),
    }
}

pub(super) fn chunks(
    output: usize,
    elements: &[f32],
    width: usize,
) -> Result<std::slice::ChunksExact<'_, f32>, DecodeError> {
    if width == 0 || !elements.len().is_multiple_of(width) {
        return Err(DecodeError::Ragged {
            output,
            elements: elements.len(),
            width,
        });
    }
    Ok(elements.chunks_exact(width))
}

pub(super) fn agree(boxes: usize, expected: usize) -> Result<(), DecodeError> {
    match boxes == expected {
        true => Ok(()),
        false => Err(DecodeError::Boxes { boxes, expected }),
    }
}
