//! From a luma plane to a grid of block means: small enough to look at every frame, and noise
//! averaged away on the way.

use crate::detection::BoundingBox;

/// The most pixels along a side of a frame.
const MAX_FRAME: usize = 8192;
/// Side of the grid, in blocks, that a frame is brought below, if it is not too narrow for that.
const MAX_SIDE: usize = 256;
/// How many pixels the side of a block may have.
const BLOCKS: [usize; 5] = [2, 4, 8, 16, 32];
/// How many rows of a block are read, at most: more cost memory bandwidth and show nothing new.
const ROWS: usize = 4;

/// The luma of a frame: one byte a pixel, whatever stands between them.
#[derive(Debug, Clone, Copy)]
pub struct Luma<'a> {
    /// From the first pixel's luma on.
    pub data: &'a [u8],
    /// Bytes from a row to the next.
    pub stride: usize,
    /// Bytes from a pixel's luma to the next one's: 1 in planar formats, 2 in YUY2.
    pub step: usize,
}

/// How frames of one size are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    width: usize,
    height: usize,
    /// Side of a block in pixels, one of [`BLOCKS`]. Pixels right of and below the last whole block
    /// are not looked at.
    block: usize,
    pub(super) cols: usize,
    pub(super) rows: usize,
}

impl Grid {
    /// `None` where either side is shorter than a block or longer than `MAX_FRAME`.
    pub(super) fn new(width: usize, height: usize) -> Option<Self> {
        let (shorter, longer) = (width.min(height), width.max(height));
        if longer > MAX_FRAME {
            return None;
        }
        let mut fits = BLOCKS.into_iter().filter(|block| *block <= shorter);
        // A frame too narrow for such blocks has few, however small they are.
        let block = fits
            .clone()
            .find(|block| longer / block <= MAX_SIDE)
            .or_else(|| fits.next_back())?;
        Some(Self {
            width,
            height,
            block,
            cols: width / block,
            rows: height / block,
        })
    }

    pub(super) fn blocks(&self) -> usize {
        self.cols * self.rows
    }

    /// The point in the middle of a block, in fractions of the frame.
    pub(super) fn centre(&self, col: usize, row: usize) -> (f64, f64) {
        let middle = |n: usize, side: usize| ((n as f64 + 0.5) * self.block as f64) / side as f64;
        (middle(col, self.width), middle(row, self.height))
    }

    /// Where a block begins, in fractions of the frame; one past the last gives the frame's end.
    pub(super) fn edge(&self, col: usize, row: usize) -> (f64, f64) {
        let edge = |n: usize, count: usize, side: usize| {
            if n >= count {
                1.0
            } else {
                (n * self.block) as f64 / side as f64
            }
        };
        (
            edge(col, self.cols, self.width),
            edge(row, self.rows, self.height),
        )
    }

    /// The n-th block, row by row; the last ones reach to the frame's end.
    pub(super) fn block_box(&self, n: usize) -> BoundingBox {
        let (col, row) = (n % self.cols, n / self.cols);
        let ((l, t), (r, b)) = (self.edge(col, row), self.edge(col + 1, row + 1));
        BoundingBox::from_corners(l, t, r, b)
    }

    /// Puts the mean of each block into `means`, row by row; `false` where the plane is too short.
    pub(super) fn reduce(&self, luma: &Luma<'_>, means: &mut Vec<f32>) -> bool {
        let reach = (self.width - 1)
            .checked_mul(luma.step)
            .filter(|reach| luma.step > 0 && *reach < luma.stride)
            .and_then(|reach| reach.checked_add((self.height - 1).checked_mul(luma.stride)?));
        if reach.is_none_or(|reach| reach >= luma.data.len()) {
            return false;
        }
        means.clear();
        match self.block {
            2 => self.sum::<2>(luma, means),
            4 => self.sum::<4>(luma, means),
            8 => self.sum::<8>(luma, means),
            16 => self.sum::<16>(luma, means),
            _ => self.sum::<32>(luma, means),
        }
        true
    }

    fn sum<const BLOCK: usize>(&self, luma: &Luma<'_>, means: &mut Vec<f32>) {
        let every = (BLOCK / ROWS).max(1);
        let scale = 1.0 / (BLOCK * BLOCK.div_ceil(every)) as f32;
        let pixels = self.cols * BLOCK;
        // Rows are added first, which the compiler does many columns at a time.
        let mut columns = vec![0_u16; pixels];
        for row in 0..self.rows {
            columns.fill(0);
            for y in (0..BLOCK).step_by(every) {
                let line = &luma.data[(row * BLOCK + y) * luma.stride..];
                match luma.step {
                    1 => add(&mut columns, line.iter()),
                    // The last pixel may be the plane's last byte.
                    2 => add(&mut columns, line.chunks(2).map(|pair| &pair[0])),
                    step => add(&mut columns, line.iter().step_by(step)),
                }
            }
            let (blocks, _) = columns.as_chunks::<BLOCK>();
            means.extend(blocks.iter().map(|block| {
                let sum: u16 = block.iter().sum();
                f32::from(sum) * scale
            }));
        }
    }
}

fn add<'a>(columns: &mut [u16], line: impl Iterator<Item = &'a u8>) {
    for (column, luma) in columns.iter_mut().zip(line) {
        *column += u16::from(*luma);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_grid_is_larger_than_it_need_be() {
        for (size, grid) in [
            ((1920, 1080), (240, 135)),
            ((768, 576), (192, 144)),
            ((1080, 1920), (135, 240)),
            ((17, 3), (8, 1)),
            ((600, 3), (300, 1)),
            ((5, 8192), (1, 2048)),
        ] {
            let made = Grid::new(size.0, size.1).expect("it has blocks");
            assert_eq!((made.cols, made.rows), grid, "{size:?}");
        }
        for size in [(1, 1080), (8193, 8), (8, 100_000)] {
            assert_eq!(Grid::new(size.0, size.1), None, "{size:?}");
        }
    }

    #[test]
    fn a_mean_is_that_of_its_block_whatever_stands_between_the_pixels() {
        let grid = Grid::new(1024, 16).expect("it has blocks");
        assert_eq!((grid.block, grid.cols, grid.rows), (4, 256, 4));
        for step in 1..=4 {
            let stride = 1024 * step + 5;
            let mut data = vec![99; stride * 15 + 1023 * step + 1];
            for y in 0..16 {
                for x in 0..1024 {
                    // The mean of a block's pixels is its column plus 1.5.
                    data[y * stride + x * step] = (x / 4 % 200 + x % 4) as u8;
                }
            }
            let luma = Luma {
                data: &data,
                stride,
                step,
            };
            let mut means = Vec::new();
            assert!(grid.reduce(&luma, &mut means));
            for (n, mean) in means.iter().enumerate() {
                assert_eq!(*mean, (n % 256 % 200) as f32 + 1.5, "step {step}");
            }
        }
    }

    #[test]
    fn the_brightest_frame_of_the_largest_block_does_not_overflow() {
        let (width, height) = (8192, 64);
        let grid = Grid::new(width, height).expect("it has blocks");
        let data = vec![255; width * height];
        let mut means = Vec::new();
        let luma = Luma {
            data: &data,
            stride: width,
            step: 1,
        };
        assert!(grid.reduce(&luma, &mut means));
        assert!(means.iter().all(|mean| *mean == 255.0));
    }

    #[test]
    fn a_plane_that_is_too_short_is_refused() {
        let grid = Grid::new(64, 48).expect("it has blocks");
        let data = vec![0; 64 * 48];
        let reduces = |len, stride, step| {
            let data = &data[..len];
            grid.reduce(&Luma { data, stride, step }, &mut Vec::new())
        };
        assert!(reduces(64 * 48, 64, 1));
        assert!(!reduces(64 * 48 - 1, 64, 1));
        assert!(!reduces(64 * 48, 63, 1));
        assert!(!reduces(64 * 48, 64, 2));
        assert!(!reduces(64 * 48, 64, 0));
        assert!(!reduces(64 * 48, usize::MAX, 1));
    }
}
