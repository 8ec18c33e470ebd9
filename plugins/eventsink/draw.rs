//! Boxes onto a picture of packed RGB.

use evr_core::detection::BoundingBox;

/// Bytes a pixel.
const RGB: usize = 3;
const COLOR: [u8; RGB] = [255, 48, 48];

/// A picture whose rows lie `stride` bytes apart.
pub(super) struct Canvas<'a> {
    pub(super) pixels: &'a mut [u8],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) stride: usize,
}

impl Canvas<'_> {
    /// Draws the outline of a box, inside its edges; what lies outside the picture is left out.
    pub(super) fn outline(&mut self, bbox: BoundingBox) {
        let bbox = BoundingBox::from_corners(bbox.l, bbox.t, bbox.l + bbox.w, bbox.t + bbox.h);
        let at = |fraction: f64, size: usize| (fraction * size as f64).round() as usize;
        let (left, right) = (at(bbox.l, self.width), at(bbox.l + bbox.w, self.width));
        let (top, bottom) = (at(bbox.t, self.height), at(bbox.t + bbox.h, self.height));
        // Seen at any size, never thicker than the box.
        let thick = (self.height / 200).max(2);
        let (inner_left, inner_right) = ((left + thick).min(right), right.saturating_sub(thick));
        for y in top..bottom {
            if y < top + thick || y + thick >= bottom {
                self.row(y, left, right);
            } else {
                self.row(y, left, inner_left);
                self.row(y, inner_right.max(left), right);
            }
        }
    }

    fn row(&mut self, y: usize, from: usize, to: usize) {
        let start = y * self.stride;
        let Some(row) = self.pixels.get_mut(start + from * RGB..start + to * RGB) else {
            return;
        };
        for pixel in row.chunks_exact_mut(RGB) {
            pixel.copy_from_slice(&COLOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(bbox: BoundingBox) -> Vec<String> {
        let (width, height, stride) = (10, 8, 32);
        let mut pixels = vec![0; stride * height];
        Canvas {
            pixels: &mut pixels,
            width,
            height,
            stride,
        }
        .outline(bbox);
        pixels
            .chunks(stride)
            .map(|row| {
                let row = row[..width * RGB].chunks(RGB);
                row.map(|pixel| if pixel == COLOR { '#' } else { '.' })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_box_is_outlined_inside_its_edges() {
        let bbox = BoundingBox {
            l: 0.1,
            t: 0.125,
            w: 0.6,
            h: 0.75,
        };
        assert_eq!(
            drawn(bbox),
            [
                "..........",
                ".######...",
                ".######...",
                ".##..##...",
                ".##..##...",
                ".######...",
                ".######...",
                "..........",
            ]
        );
    }

    #[test]
    fn boxes_without_size_or_beyond_the_picture_do_no_harm() {
        let bbox = |l, w| BoundingBox { l, t: l, w, h: w };
        assert!(drawn(bbox(0.5, 0.0)).concat().bytes().all(|c| c == b'.'));
        assert!(drawn(bbox(-3.0, 9.0)).concat().contains('#'));
        drawn(bbox(f64::NAN, f64::INFINITY));
    }
}
