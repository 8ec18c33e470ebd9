//! Zones and lines in the frame, exactly: coordinates are whole steps of 2⁻³⁰ of the frame, so which
//! side of a line a point lies on is never a matter of rounding.

use std::cmp::Ordering;

use crate::detection::BoundingBox;

const STEPS: f64 = (1_u32 << 30) as f64;

/// The most corners of a polygon, as each pair of its edges is asked whether it meets.
const MAX_CORNERS: usize = 1000;

/// How far a share may be off: a box of a few pixels is a million steps wide.
const MILLIONTH: f64 = 1e-6;

/// A point of the frame, origin top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    x: i64,
    y: i64,
}

impl Point {
    /// From fractions of the frame. What no fraction can be becomes the nearest border.
    #[inline]
    pub fn new(x: f64, y: f64) -> Self {
        // `as` takes NaN to 0; what lies outside stays outside, within reason. Rounding by hand
        // spares a call, of which each object makes several.
        let steps = |v: f64| {
            let exact = v.clamp(-8.0, 8.0) * STEPS;
            (exact + 0.5_f64.copysign(exact)) as i64
        };
        Self {
            x: steps(x),
            y: steps(y),
        }
    }

    /// Whether it lies in the frame or not far to the right of or below it.
    fn is_near(self) -> bool {
        (0..1 << 31).contains(&self.x) && (0..1 << 31).contains(&self.y)
    }
}

/// Where `p` lies for who looks from `a` to `b`: left is `Less`, right `Greater`, on the line
/// `Equal`.
#[inline]
pub(super) fn side(a: Point, b: Point, p: Point) -> Ordering {
    if p.is_near() && a.is_near() && b.is_near() {
        // Differences fit 31 bits and a sign, so both products fit 62.
        let (ab, ap) = ((b.x - a.x, b.y - a.y), (p.x - a.x, p.y - a.y));
        return (ab.0 * ap.1).cmp(&(ab.1 * ap.0));
    }
    // Differences fit 35 bits, their products an i128 by far.
    let (abx, aby) = (i128::from(b.x - a.x), i128::from(b.y - a.y));
    let (apx, apy) = (i128::from(p.x - a.x), i128::from(p.y - a.y));
    (abx * apy - aby * apx).cmp(&0)
}

/// Whether `p`, which lies on the line through both, lies between `a` and `b` or is one of them.
fn between(a: Point, b: Point, p: Point) -> bool {
    (a.x.min(b.x)..=a.x.max(b.x)).contains(&p.x) && (a.y.min(b.y)..=a.y.max(b.y)).contains(&p.y)
}

/// Whether the segments `a b` and `c d` share a point.
pub(super) fn touch(a: Point, b: Point, c: Point, d: Point) -> bool {
    let (ac, ad) = (side(a, b, c), side(a, b, d));
    let (ca, cb) = (side(c, d, a), side(c, d, b));
    let apart = |one: Ordering, other: Ordering| one as i8 * other as i8 == -1;
    (apart(ac, ad) && apart(ca, cb))
        || (ac.is_eq() && between(a, b, c))
        || (ad.is_eq() && between(a, b, d))
        || (ca.is_eq() && between(c, d, a))
        || (cb.is_eq() && between(c, d, b))
}

/// Why points make no zone or line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// Not enough corners.
    #[error("a polygon of {0} corners has no inside: give at least 3")]
    Corners(usize),
    /// Too many.
    #[error("a polygon of {0} corners takes too long to check: give at most {MAX_CORNERS}")]
    Many(usize),
    /// Not within the frame.
    #[error("the point ({x}, {y}) lies outside the frame: give fractions from 0 to 1")]
    Outside {
        /// From the left.
        x: f64,
        /// From the top.
        y: f64,
    },
    /// Two edges meet where they must not.
    #[error(
        "the polygon crosses itself: its edges {first} and {second} meet (edge 0 leads from corner 0 \
         to corner 1); list the corners in the order of the outline, not all on one line"
    )]
    Crossing {
        /// The one edge.
        first: usize,
        /// The other edge.
        second: usize,
    },
    /// A line that is a point.
    #[error("the line has no length: give two different points")]
    NoLength,
}

/// Refuses what no fraction of the frame is.
pub(super) fn point((x, y): (f64, f64)) -> Result<Point, ShapeError> {
    if (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y) {
        Ok(Point::new(x, y))
    } else {
        Err(ShapeError::Outside { x, y })
    }
}

/// The area within a closed outline that does not touch itself; the outline belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polygon {
    corners: Vec<Point>,
    /// The smallest and the greatest of all coordinates.
    bounds: (Point, Point),
}

impl Polygon {
    /// From its corners, in the order of the outline, either way round.
    ///
    /// # Errors
    /// A [`ShapeError`] that names the corner or the edges.
    pub fn new(corners: &[(f64, f64)]) -> Result<Self, ShapeError> {
        if corners.len() > MAX_CORNERS {
            return Err(ShapeError::Many(corners.len()));
        }
        let mut corners: Vec<Point> = corners
            .iter()
            .map(|&corner| point(corner))
            .collect::<Result<_, _>>()?;
        // Closed in writing: the first corner said again.
        if corners.len() > 3 && corners.first() == corners.last() {
            corners.pop();
        }
        if corners.len() < 3 {
            return Err(ShapeError::Corners(corners.len()));
        }
        let polygon = Self {
            bounds: bounds(&corners),
            corners,
        };
        match polygon.meeting_edges() {
            Some((first, second)) => Err(ShapeError::Crossing { first, second }),
            None => Ok(polygon),
        }
    }

    fn edge(&self, n: usize) -> (Point, Point) {
        (self.corners[n], self.corners[(n + 1) % self.corners.len()])
    }

    /// Two edges that share more than the corner between them.
    fn meeting_edges(&self) -> Option<(usize, usize)> {
        let edges = self.corners.len();
        let pairs =
            (0..edges).flat_map(|first| (first + 1..edges).map(move |second| (first, second)));
        pairs.into_iter().find(|&(first, second)| {
            let ((a, b), (c, d)) = (self.edge(first), self.edge(second));
            if b == c {
                // The next edge: folded back, or of no length.
                a == b || c == d || side(a, b, d).is_eq() && !between(a, d, b)
            } else if d == a {
                side(c, d, b).is_eq() && !between(c, b, d)
            } else {
                touch(a, b, c, d)
            }
        })
    }

    /// Whether a point lies inside or on the outline.
    #[inline]
    pub fn contains(&self, p: Point) -> bool {
        let (least, most) = self.bounds;
        // Most objects are somewhere else, which takes no more than this to see.
        if p.x < least.x || p.x > most.x || p.y < least.y || p.y > most.y {
            return false;
        }
        let mut inside = false;
        let mut a = self.corners[self.corners.len() - 1];
        for &b in &self.corners {
            // An edge wholly above or below neither holds the point nor is met by a ray from it.
            if p.y >= a.y.min(b.y) && p.y <= a.y.max(b.y) {
                let at = side(a, b, p);
                if at.is_eq() && between(a, b, p) {
                    return true;
                }
                // A ray to the left; an edge counts from its upper end to just above its lower one.
                if (a.y > p.y) != (b.y > p.y) && (at.is_gt() == (a.y > b.y)) {
                    inside = !inside;
                }
            }
            a = b;
        }
        inside
    }

    /// Whether at least this share of a box lies inside, to a millionth: so much may be lost where
    /// coordinates become whole steps. However small the share, something of the box must.
    pub fn overlaps(&self, bbox: &BoundingBox, least: f64) -> bool {
        let share = self.share(bbox);
        share > 0.0 && share + MILLIONTH >= least
    }

    /// The share of a box that lies inside, 0..1; of an empty box whether its middle does. It is
    /// exactly 1 of a box that lies inside and exactly 0 of one that lies outside.
    pub fn share(&self, bbox: &BoundingBox) -> f64 {
        let from = Point::new(bbox.l, bbox.t);
        let to = Point::new(bbox.l + bbox.w, bbox.t + bbox.h);
        if from.x >= to.x || from.y >= to.y {
            let middle = Point::new(bbox.l + bbox.w / 2.0, bbox.t + bbox.h / 2.0);
            return f64::from(u8::from(self.contains(middle)));
        }
        let (least, most) = self.bounds;
        // What lies outside of the bounds lies outside; within them all products fit 62 bits.
        let upper = Point {
            x: from.x.max(least.x),
            y: from.y.max(least.y),
        };
        let lower = Point {
            x: to.x.min(most.x),
            y: to.y.min(most.y),
        };
        if upper.x >= lower.x || upper.y >= lower.y {
            return 0.0;
        }
        let (mut whole, mut parts) = (0, 0.0);
        for n in 0..self.corners.len() {
            match above(self.edge(n), upper, lower) {
                Above::Whole(width) => whole += width,
                Above::Part(width) => parts += width,
            }
        }
        let inside = (whole as f64 + parts).abs() * (lower.y - upper.y) as f64;
        (inside / ((to.x - from.x) as f64 * (to.y - from.y) as f64)).min(1.0)
    }
}

/// What of a box lies above an edge, as the width of a strip of the box's height; negative where
/// the edge leads to the left. Around an outline this adds up to what lies in it.
enum Above {
    /// The edge passes beside the box.
    Whole(i64),
    /// It passes through it.
    Part(f64),
}

fn bounds(corners: &[Point]) -> (Point, Point) {
    let first = corners[0];
    corners.iter().fold((first, first), |(least, most), p| {
        (
            Point {
                x: least.x.min(p.x),
                y: least.y.min(p.y),
            },
            Point {
                x: most.x.max(p.x),
                y: most.y.max(p.y),
            },
        )
    })
}

/// What of the box from `upper` to `lower`, its corners, lies above an edge.
fn above((a, b): (Point, Point), upper: Point, lower: Point) -> Above {
    let (sign, (a, b)) = if a.x <= b.x {
        (1, (a, b))
    } else {
        (-1, (b, a))
    };
    let (from, to) = (a.x.max(upper.x), b.x.min(lower.x));
    if from >= to {
        return Above::Whole(0);
    }
    // How far below the box's top the edge is where it enters and leaves the box's columns, and
    // how high the box is, all times the edge's width: exact, so an edge that only touches the
    // box is known to.
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let depth = |x: i64| (a.y - upper.y) * dx + (x - a.x) * dy;
    let (first, last, height) = (depth(from), depth(to), (lower.y - upper.y) * dx);
    let width = sign * (to - from);
    if first.max(last) <= 0 {
        return Above::Whole(0);
    }
    if first.min(last) >= height {
        return Above::Whole(width);
    }
    let share = |depth: i64| depth as f64 / height as f64;
    let (high, low) = (share(first.min(last)), share(first.max(last)));
    let (enters, leaves) = (high.max(0.0), low.min(1.0));
    // What lies above a slope: half of it within the box, all where it has left the box below.
    let mean = if low > high {
        ((leaves - enters) * (enters + leaves) / 2.0 + (low - leaves)) / (low - high)
    } else {
        enters
    };
    Above::Part(width as f64 * mean)
}

#[cfg(test)]
mod tests;
