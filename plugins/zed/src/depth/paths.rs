//! Semi-global matching along five paths that end in each pixel, row by row.
//!
//! The cost of a disparity at a pixel is how much the census patterns differ. A path adds to it
//! what the cheapest way along the path to the neighbour costs, where a change of disparity by one
//! costs `SMALL_CHANGE` and any other change up to `LARGE_CHANGE`, less where the picture has an
//! edge (H. Hirschmüller, "Stereo processing by semiglobal matching and mutual information", IEEE
//! PAMI 30(2), 2008, equations 12 to 14). Paths come from the left, the right and, at three
//! angles, from above, so a row needs to remember the one above it only: memory stays in the
//! cache whatever the picture's height.

use super::census::BITS;

/// What a change of disparity by one costs along a path, in bits of pattern.
const SMALL_CHANGE: u8 = 8;
/// What a larger change costs at most. A path's cost stays below `BITS` + this.
const LARGE_CHANGE: u8 = 100;
/// The difference of brightness that halves it.
const EDGE: u8 = 8;
/// What disparities cost whose counterpart would lie outside the right picture.
const OUTSIDE: u8 = BITS / 2;
/// Bytes around a pixel's path costs, so that both neighbours of each disparity can be asked.
const MARGIN: usize = 1;

/// One direction from above: path costs and their least, of the row above and of this one.
#[derive(Default)]
struct Direction {
    above: Vec<u8>,
    here: Vec<u8>,
    least_above: Vec<u8>,
    least_here: Vec<u8>,
}

impl Direction {
    fn clear(&mut self, width: usize, stride: usize) {
        for costs in [&mut self.above, &mut self.here] {
            costs.clear();
            costs.resize(width * stride, 0);
            for pixel in costs.chunks_exact_mut(stride) {
                pixel[0] = u8::MAX;
                pixel[stride - 1] = u8::MAX;
            }
        }
        for least in [&mut self.least_above, &mut self.least_here] {
            least.clear();
            least.resize(width, 0);
        }
    }
}

/// What rows remember of each other, and the sums of this row.
#[derive(Default)]
pub(super) struct Paths {
    width: usize,
    disparities: usize,
    directions: [Direction; 3],
    /// Of the right picture's row, the last pixel first, so that patterns of growing disparity
    /// follow each other.
    mirrored: Vec<u32>,
    costs: Vec<u8>,
    /// Per pixel and disparity the sum over all paths, at most 5·(`BITS` + `LARGE_CHANGE`).
    pub sums: Vec<u16>,
}

impl Paths {
    pub(super) fn clear(&mut self, width: usize, disparities: usize) {
        let stride = disparities + 2 * MARGIN;
        for direction in &mut self.directions {
            direction.clear(width, stride);
        }
        (self.width, self.disparities) = (width, disparities);
        self.costs.resize(width * disparities, 0);
        self.sums.resize(width * disparities, 0);
    }

    /// Sums up the next row: patterns of both pictures, and the left picture's brightness in it
    /// and in the one above (its own for the first).
    #[inline(always)]
    pub(super) fn row(&mut self, left: &[u32], right: &[u32], light: &[u8], above: &[u8]) {
        self.compare(left, right);
        self.sums.fill(0);
        self.walk_from_left_and_above(light, above);
        self.walk_from_right(light);
        for direction in &mut self.directions {
            std::mem::swap(&mut direction.above, &mut direction.here);
            std::mem::swap(&mut direction.least_above, &mut direction.least_here);
        }
    }

    #[inline(always)]
    fn compare(&mut self, left: &[u32], right: &[u32]) {
        self.mirrored.clear();
        self.mirrored.extend(right.iter().rev());
        for (x, costs) in self.costs.chunks_exact_mut(self.disparities).enumerate() {
            let nearest = self.width - 1 - x;
            let inside = self.width.saturating_sub(nearest).min(self.disparities);
            let (known, unknown) = costs.split_at_mut(inside);
            if inside > 0 {
                let patterns = &self.mirrored[nearest..][..inside];
                for (cost, pattern) in known.iter_mut().zip(patterns) {
                    *cost = (pattern ^ left[x]).count_ones() as u8;
                }
            }
            unknown.fill(OUTSIDE);
        }
    }

    #[inline(always)]
    fn walk_from_left_and_above(&mut self, light: &[u8], above: &[u8]) {
        let n = self.disparities;
        let stride = n + 2 * MARGIN;
        let begin = begin(n);
        let mut beside = [begin.clone(), begin.clone()];
        let mut least = 0;
        for x in 0..self.width {
            let costs = &self.costs[x * n..][..n];
            let sums = &mut self.sums[x * n..][..n];
            let [before, after] = &mut beside;
            let jump = change(light[x], light[x.saturating_sub(1)]);
            least = step(costs, before, least, jump, after, sums);
            beside.swap(0, 1);
            for (direction, from) in self
                .directions
                .iter_mut()
                .zip([x.wrapping_sub(1), x, x + 1])
            {
                let (before, least) = if from < self.width {
                    (
                        &direction.above[from * stride..][..stride],
                        direction.least_above[from],
                    )
                } else {
                    (&begin[..], 0)
                };
                let jump = change(light[x], above[from.min(self.width - 1)]);
                let after = &mut direction.here[x * stride..][..stride];
                direction.least_here[x] = step(costs, before, least, jump, after, sums);
            }
        }
    }

    #[inline(always)]
    fn walk_from_right(&mut self, light: &[u8]) {
        let n = self.disparities;
        let begin = begin(n);
        let mut beside = [begin.clone(), begin];
        let mut least = 0;
        for x in (0..self.width).rev() {
            let costs = &self.costs[x * n..][..n];
            let sums = &mut self.sums[x * n..][..n];
            let [before, after] = &mut beside;
            let jump = change(light[x], light[(x + 1).min(self.width - 1)]);
            least = step(costs, before, least, jump, after, sums);
            beside.swap(0, 1);
        }
    }
}

/// The costs with which a path begins.
fn begin(disparities: usize) -> Vec<u8> {
    let mut costs = vec![0; disparities + 2 * MARGIN];
    costs[0] = u8::MAX;
    costs[disparities + 1] = u8::MAX;
    costs
}

/// What a large change of disparity costs between two neighbours of these brightnesses: less
/// across an edge of the picture, where depth changes too.
#[inline(always)]
fn change(one: u8, other: u8) -> u8 {
    let (most, edge) = (u16::from(LARGE_CHANGE), u16::from(EDGE));
    let cost = most * edge / (edge + u16::from(one.abs_diff(other)));
    (cost as u8).max(SMALL_CHANGE + 4)
}

/// One pixel of one path: from the neighbour's path costs and their least to this pixel's. Adds
/// them to the sums and gives their least.
#[inline(always)]
fn step(
    costs: &[u8],
    before: &[u8],
    least: u8,
    jump: u8,
    after: &mut [u8],
    sums: &mut [u16],
) -> u8 {
    let n = costs.len();
    let (nearer, same, farther) = (&before[..n], &before[1..][..n], &before[2..][..n]);
    let (after, sums) = (&mut after[1..][..n], &mut sums[..n]);
    let jump = least + jump;
    let mut lowest = u8::MAX;
    for d in 0..n {
        let next = nearer[d].min(farther[d]).saturating_add(SMALL_CHANGE);
        let way = same[d].min(next).min(jump) - least;
        let cost = costs[d] + way;
        after[d] = cost;
        sums[d] += u16::from(cost);
        lowest = lowest.min(cost);
    }
    lowest
}
