//! Bending a picture: each pixel of the result is mixed from the four around a point of the
//! source. The points are laid down once, as whole pixels and 256ths, so that a frame costs four
//! loads and three mixes a sample.

/// One point of a source: a whole pixel and how far on the next ones are, in 256ths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    x: u16,
    y: u16,
    right: u16,
    down: u16,
}

/// Where each pixel of the result comes from, by rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    width: usize,
    points: Vec<Point>,
}

/// A plane of a picture: `width` by `height` pixels, of one or more bytes each, rows `stride`
/// bytes apart.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    pub bytes: &'a [u8],
    pub stride: usize,
    /// Bytes before the first pixel of this picture in each row, for one that stands in a larger.
    pub offset: usize,
}

impl Map {
    /// Asks `source` for the point of the source that each pixel shows. A point outside stands
    /// for the edge. Width and height are at least two.
    #[must_use]
    pub fn new((width, height): (u32, u32), source: impl Fn(f64, f64) -> (f64, f64)) -> Self {
        let fixed = |at: f64, size: u32| {
            // One less than the last, so that the one behind it is inside too; NaN becomes 0.
            let most = (size - 1) * 256 - 1;
            let at = (at * 256.0).round().clamp(0.0, f64::from(most)) as u32;
            ((at >> 8) as u16, (at & 255) as u16)
        };
        let mut points = Vec::with_capacity(width as usize * height as usize);
        for row in 0..height {
            for column in 0..width {
                let (x, y) = source(f64::from(column), f64::from(row));
                let ((x, right), (y, down)) = (fixed(x, width), fixed(y, height));
                points.push(Point { x, y, right, down });
            }
        }
        Self {
            width: width as usize,
            points,
        }
    }

    /// As [`Map::apply`], of 1, 2 or else 4 bytes a pixel. It is made here, where tests optimise, and
    /// not where it is called.
    pub fn bend(
        &self,
        bytes: usize,
        source: Plane<'_>,
        target: &mut [u8],
        stride: usize,
        offset: usize,
    ) {
        match bytes {
            1 => self.apply::<1>(source, target, stride, offset),
            2 => self.apply::<2>(source, target, stride, offset),
            _ => self.apply::<4>(source, target, stride, offset),
        }
    }

    /// Bends `source`, of the map's own size and `N` bytes a pixel, into `target`, whose rows are
    /// `stride` bytes apart and begin `offset` bytes in.
    pub fn apply<const N: usize>(
        &self,
        source: Plane<'_>,
        target: &mut [u8],
        stride: usize,
        offset: usize,
    ) {
        let rows = target[offset..].chunks_mut(stride);
        for (row, points) in rows.zip(self.points.chunks_exact(self.width)) {
            let pixels = row[..self.width * N].chunks_exact_mut(N);
            for (pixel, point) in pixels.zip(points) {
                let at = source.offset + usize::from(point.y) * source.stride;
                let at = at + usize::from(point.x) * N;
                let above = &source.bytes[at..at + 2 * N];
                let below = &source.bytes[at + source.stride..at + source.stride + 2 * N];
                let (right, down) = (u32::from(point.right), u32::from(point.down));
                for n in 0..N {
                    let mix = |row: &[u8]| {
                        u32::from(row[n]) * (256 - right) + u32::from(row[n + N]) * right
                    };
                    let sum = mix(above) * (256 - down) + mix(below) * down;
                    pixel[n] = ((sum + (1 << 15)) >> 16) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose brightness rises evenly, 4 a column and 2 a row.
    fn slope() -> Vec<u8> {
        (0..20u8)
            .flat_map(|y| (0..30u8).map(move |x| x * 4 + y * 2))
            .collect()
    }

    #[test]
    fn pixels_between_pixels_are_mixed_and_those_outside_are_the_edge() {
        let source = slope();
        let plane = Plane {
            bytes: &source,
            stride: 30,
            offset: 0,
        };
        let mut target = vec![0; 600];
        Map::new((30, 20), |x, y| (x + 0.5, y - 0.5)).apply::<1>(plane, &mut target, 30, 0);
        // Half a column on is 2 more, half a row up 1 less.
        assert_eq!(target[5 * 30 + 7], 7 * 4 + 5 * 2 + 2 - 1);
        assert_eq!(target[0], 2);
        assert_eq!(target[19 * 30 + 29], 29 * 4 + 19 * 2 - 1);
    }

    #[test]
    fn a_picture_within_a_larger_one_is_bent_into_its_place_in_another() {
        let source = slope();
        let map = Map::new((10, 20), |x, y| (x, y));
        let plane = Plane {
            bytes: &source,
            stride: 30,
            offset: 10,
        };
        let mut target = vec![0; 20 * 40];
        map.apply::<1>(plane, &mut target, 40, 20);
        assert_eq!(
            target[3 * 40 + 20..3 * 40 + 30],
            source[3 * 30 + 10..3 * 30 + 20]
        );
        assert_eq!(target[3 * 40 + 19], 0);
        assert_eq!(target[3 * 40 + 30], 0);
    }

    #[test]
    fn every_byte_of_a_pixel_is_mixed_with_its_like() {
        let source: Vec<u8> = slope().into_iter().flat_map(|n| [n, 255 - n]).collect();
        let plane = Plane {
            bytes: &source,
            stride: 60,
            offset: 0,
        };
        let mut target = vec![0; 1200];
        Map::new((30, 20), |x, y| (x + 0.25, y)).apply::<2>(plane, &mut target, 60, 0);
        let at = 5 * 60 + 7 * 2;
        assert_eq!(target[at..at + 2], [39, 255 - 39]);
    }
}
