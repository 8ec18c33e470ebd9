//! From single blocks to boxes: what hangs together is one thing that moves, what is too small is
//! none.

use super::reduce::Grid;
use super::zones::Least;
use crate::detection::BoundingBox;

/// A block without so many moving neighbours, of eight, is noise.
const NEIGHBOURS: u8 = 2;
/// Blocks this far apart hang together: a person's legs are not two persons.
const GAP: usize = 2;
/// More boxes than these tell nobody anything; the largest are kept.
const MAX_BOXES: usize = 32;

/// Something that moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Where.
    pub bbox: BoundingBox,
    /// Share of the frame that moves in it, 0..1.
    pub area: f64,
}

impl Region {
    /// Share of the box that moves, 0..1.
    pub fn fill(&self) -> f64 {
        let whole = self.bbox.area();
        if whole > 0.0 {
            (self.area / whole).min(1.0)
        } else {
            0.0
        }
    }
}

/// A region while it is put together, in blocks; both corners belong to it.
#[derive(Debug, Clone, Copy)]
struct Part {
    min: (usize, usize),
    max: (usize, usize),
    blocks: usize,
    zones: u32,
    /// It is enough of one of the zones, or anywhere.
    enough: bool,
}

/// Holds what is needed between frames, so that a frame allocates little.
#[derive(Debug, Default)]
pub(super) struct Finder {
    kept: Vec<u8>,
    stack: Vec<(usize, usize)>,
    /// Of the part that is put together, the blocks in each zone.
    within: Vec<usize>,
}

impl Finder {
    /// The regions of at least so many moving blocks, largest first, and in which zones (a bit
    /// each in `zones`, block by block) they lie. Blocks in no zone do not move.
    pub(super) fn find(
        &mut self,
        grid: &Grid,
        moving: &[u8],
        zones: &[u32],
        least: &Least,
    ) -> (Vec<Region>, u32) {
        let all: usize = moving.iter().map(|moves| usize::from(*moves)).sum();
        if all < least.least() {
            return (Vec::new(), 0);
        }
        self.clean(grid, moving, zones);
        let mut parts = Vec::new();
        for row in 0..grid.rows {
            for col in 0..grid.cols {
                if self.kept[row * grid.cols + col] != 0 {
                    parts.push(self.fill(grid, zones, (col, row), least));
                }
            }
        }
        parts.retain(|part| part.enough);
        parts.sort_by(|a, b| b.blocks.cmp(&a.blocks).then(a.min.cmp(&b.min)));
        parts.truncate(MAX_BOXES);
        merge(&mut parts);
        parts.sort_by(|a, b| b.blocks.cmp(&a.blocks).then(a.min.cmp(&b.min)));
        let seen = parts.iter().fold(0, |seen, part| seen | part.zones);
        let regions = parts.iter().map(|part| region(grid, part)).collect();
        (regions, seen)
    }

    /// Keeps the moving blocks that lie in a zone and have company.
    fn clean(&mut self, grid: &Grid, moving: &[u8], zones: &[u32]) {
        let (cols, rows) = (grid.cols, grid.rows);
        self.kept.clear();
        self.kept.resize(moving.len(), 0);
        for row in 0..rows {
            for col in 0..cols {
                let n = row * cols + col;
                if moving[n] == 0 || zones[n] == 0 {
                    continue;
                }
                let lines = row.saturating_sub(1)..=(row + 1).min(rows - 1);
                let columns = col.saturating_sub(1)..=(col + 1).min(cols - 1);
                let company: u8 = lines
                    .flat_map(|row| &moving[row * cols..][columns.clone()])
                    .sum();
                self.kept[n] = u8::from(company > NEIGHBOURS);
            }
        }
    }

    /// Takes everything that hangs together with a block out of `kept`.
    fn fill(&mut self, grid: &Grid, zones: &[u32], start: (usize, usize), least: &Least) -> Part {
        let mut part = Part {
            min: start,
            max: start,
            blocks: 0,
            zones: 0,
            enough: false,
        };
        self.within.clear();
        self.within.resize(least.within.len(), 0);
        self.kept[start.1 * grid.cols + start.0] = 0;
        self.stack.push(start);
        while let Some((col, row)) = self.stack.pop() {
            part.min = (part.min.0.min(col), part.min.1.min(row));
            part.max = (part.max.0.max(col), part.max.1.max(row));
            part.blocks += 1;
            let own = zones[row * grid.cols + col];
            part.zones |= own;
            for (n, within) in self.within.iter_mut().enumerate() {
                *within += (own >> n & 1) as usize;
            }
            for row in row.saturating_sub(GAP)..=(row + GAP).min(grid.rows - 1) {
                for col in col.saturating_sub(GAP)..=(col + GAP).min(grid.cols - 1) {
                    let kept = &mut self.kept[row * grid.cols + col];
                    if *kept != 0 {
                        *kept = 0;
                        self.stack.push((col, row));
                    }
                }
            }
        }
        let mut within = self.within.iter().zip(&least.within);
        part.enough =
            part.blocks >= least.anywhere || within.any(|(blocks, least)| blocks >= least);
        part
    }
}

/// Makes one of those whose boxes overlap, until none do.
fn merge(parts: &mut Vec<Part>) {
    let mut n = 0;
    while n < parts.len() {
        let one = parts[n];
        let other = (n + 1..parts.len()).find(|&other| {
            let other = &parts[other];
            let (x, y) = ((one.min.0, one.max.0), (one.min.1, one.max.1));
            x.0 <= other.max.0 && other.min.0 <= x.1 && y.0 <= other.max.1 && other.min.1 <= y.1
        });
        let Some(other) = other else {
            n += 1;
            continue;
        };
        let other = parts.swap_remove(other);
        parts[n] = Part {
            min: (one.min.0.min(other.min.0), one.min.1.min(other.min.1)),
            max: (one.max.0.max(other.max.0), one.max.1.max(other.max.1)),
            blocks: one.blocks + other.blocks,
            zones: one.zones | other.zones,
            enough: true,
        };
        // It may reach one that was passed already.
        n = 0;
    }
}

fn region(grid: &Grid, part: &Part) -> Region {
    let (l, t) = grid.edge(part.min.0, part.min.1);
    let (r, b) = grid.edge(part.max.0 + 1, part.max.1 + 1);
    Region {
        bbox: BoundingBox::from_corners(l, t, r, b),
        area: part.blocks as f64 / grid.blocks() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many blocks, in whatever zone.
    fn least(anywhere: usize) -> Least {
        Least {
            anywhere,
            ..Least::default()
        }
    }

    /// A picture of `#` that moves, in a grid of 10 columns and its lines.
    fn find(picture: &[&str], min_blocks: usize) -> Vec<(f64, f64, f64, f64)> {
        let grid = Grid::new(20, 2 * picture.len()).expect("it has blocks");
        let moving: Vec<u8> = picture
            .iter()
            .flat_map(|line| line.bytes().map(|b| u8::from(b == b'#')))
            .collect();
        let zones = vec![1; moving.len()];
        let (found, _) = Finder::default().find(&grid, &moving, &zones, &least(min_blocks));
        let lines = picture.len() as f64;
        let blocks = |b: BoundingBox| {
            let round = |v: f64| v.round();
            (
                round(b.l * 10.0),
                round(b.t * lines),
                round(b.w * 10.0),
                round(b.h * lines),
            )
        };
        found.iter().map(|region| blocks(region.bbox)).collect()
    }

    #[test]
    fn what_hangs_together_is_one_box_and_single_blocks_are_none() {
        let picture = [
            "##........",
            "##.......#",
            "..........",
            "..........",
            "......##..",
            "......##..",
            "......##..",
            "#.........",
        ];
        assert_eq!(
            find(&picture, 4),
            [(6.0, 4.0, 2.0, 3.0), (0.0, 0.0, 2.0, 2.0)]
        );
        assert_eq!(find(&picture, 5), [(6.0, 4.0, 2.0, 3.0)]);
        assert_eq!(find(&picture, 7), []);
    }

    #[test]
    fn a_gap_of_one_block_does_not_part_and_overlapping_boxes_are_one() {
        let legs = [
            "###.......",
            "###.......",
            "..........",
            "###.......",
            "###.......",
        ];
        assert_eq!(find(&legs, 4), [(0.0, 0.0, 3.0, 5.0)]);
        let ring = [
            "##########",
            "##########",
            "##......##",
            "##......##",
            "##......##",
            "##..##..##",
            "##..##..##",
            "##......##",
        ];
        assert_eq!(find(&ring, 4), [(0.0, 0.0, 10.0, 8.0)]);
    }

    #[test]
    fn blocks_outside_every_zone_do_not_move() {
        let grid = Grid::new(20, 8).expect("it has blocks");
        let zones: Vec<u32> = (0..40).map(|n| if n % 10 < 5 { 0 } else { 2 }).collect();
        let (found, seen) = Finder::default().find(&grid, &[1; 40], &zones, &least(4));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].bbox.l, found[0].area, seen), (0.5, 0.5, 2));
    }
}
