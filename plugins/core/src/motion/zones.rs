//! Where motion counts: polygons in fractions of the frame, as JSON.

use serde::Deserialize;
use serde_json::Value;

use super::reduce::Grid;
use crate::counter::{Point, Polygon, ShapeError};
use crate::named::{Named, repeated};

/// A block's zones are bits of one number.
const MAX_ZONES: usize = 32;
/// Fewer blocks than these are noise in any frame.
pub(super) const MIN_BLOCKS: usize = 4;

/// Named polygons.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Zones {
    zones: Vec<Zone>,
}

#[derive(Debug, Clone, PartialEq)]
struct Zone {
    /// Empty where it has none.
    name: String,
    corners: Vec<(f64, f64)>,
    polygon: Polygon,
}

/// Why a text names no zones. Each sentence is preceded by the name of the property.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ZonesError {
    /// Not JSON, or of no form that is known.
    #[error(
        "is {0}: give a polygon such as [[0,0],[1,0],[1,0.5]], a list of them, or an object that \
         names them, as JSON"
    )]
    Form(String),
    /// A polygon of one or two corners.
    #[error("{0} has {1} corners: give at least three")]
    Corners(String, usize),
    /// A corner that is none.
    #[error("{0} has the corner {1}: give [x, y] in fractions of the frame, from 0 to 1")]
    Corner(String, String),
    /// Two of one name.
    #[error("names the polygon \"{0}\" twice: give each a name of its own")]
    Twice(String),
    /// It has too many corners, or crosses itself.
    #[error("{0}: {1}")]
    Shape(String, ShapeError),
    /// More than can be told apart.
    #[error("holds {0} polygons: give at most {MAX_ZONES}")]
    TooMany(usize),
}

/// What a text holds. Of members that bear one name, a map of values keeps only the last.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    List(Vec<Value>),
    Named(Named<Value>),
}

impl Zones {
    /// Reads one polygon, a list of polygons or an object of named ones; of an empty text, none.
    ///
    /// # Errors
    /// A [`ZonesError`] that says which value, and where, is wrong.
    pub fn parse(text: &str) -> Result<Self, ZonesError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let form = || ZonesError::Form(text.to_owned());
        let named = match serde_json::from_str(text).map_err(|_| form())? {
            Form::Named(Named(zones)) => zones,
            Form::List(list) if is_polygon(&list) => vec![(String::new(), list.into())],
            Form::List(list) => list.into_iter().map(|it| (String::new(), it)).collect(),
        };
        let names = named.iter().map(|(name, _)| name.as_str());
        if let Some((_, name)) = repeated(names.filter(|name| !name.is_empty())) {
            return Err(ZonesError::Twice(name.to_owned()));
        }
        if named.len() > MAX_ZONES {
            return Err(ZonesError::TooMany(named.len()));
        }
        let mut zones = Vec::new();
        for (n, (name, value)) in named.into_iter().enumerate() {
            let path = if name.is_empty() {
                format!("polygon {}", n + 1)
            } else {
                format!("polygon {name}")
            };
            let corners = value.as_array().ok_or_else(form)?;
            let (corners, polygon) = polygon(&path, corners)?;
            zones.push(Zone {
                name,
                corners,
                polygon,
            });
        }
        Ok(Self { zones })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// Each polygon's name, empty where it has none, and its corners.
    pub fn polygons(&self) -> impl Iterator<Item = (&str, &[(f64, f64)])> {
        self.zones.iter().map(|zone| (&*zone.name, &*zone.corners))
    }

    /// The names of those whose bits are set in `seen`; polygons without a name have none.
    pub(super) fn names(&self, seen: u32) -> impl Iterator<Item = &str> {
        self.zones
            .iter()
            .enumerate()
            .filter(move |(n, zone)| seen & (1 << n) != 0 && !zone.name.is_empty())
            .map(|(_, zone)| zone.name.as_str())
    }

    /// Block by block, the zones that it lies in by its middle, a bit each. A zone in which no
    /// middle lies has the blocks that it touches.
    fn blocks(&self, grid: &Grid) -> Vec<u32> {
        let mut blocks = vec![0; grid.blocks()];
        for (n, zone) in self.zones.iter().enumerate() {
            let middles = (0..grid.blocks()).filter(|block| {
                let (x, y) = grid.centre(block % grid.cols, block / grid.cols);
                zone.polygon.contains(Point::new(x, y))
            });
            let touched = (0..grid.blocks())
                .filter(|block| zone.polygon.overlaps(&grid.block_box(*block), 0.0));
            let mut own = middles.peekable();
            if own.peek().is_some() {
                own.for_each(|block| blocks[block] |= 1 << n);
            } else {
                touched.for_each(|block| blocks[block] |= 1 << n);
            }
        }
        blocks
    }
}

/// Block by block, in which of `zones` it lies; where there are none, in the first. A block in one
/// of `masks` lies in none.
pub(super) fn bits(grid: &Grid, zones: &Zones, masks: &Zones) -> Vec<u32> {
    let mut bits = match zones.is_empty() {
        true => vec![1; grid.blocks()],
        false => zones.blocks(grid),
    };
    for (bits, masks) in bits.iter_mut().zip(masks.blocks(grid)) {
        if masks != 0 {
            *bits = 0;
        }
    }
    bits
}

/// From how many moving blocks on, in one place, something moves.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Least {
    /// Anywhere.
    pub(super) anywhere: usize,
    /// Of each zone, in it; no more than `anywhere`.
    pub(super) within: Vec<usize>,
}

impl Least {
    /// Of blocks that lie in zones as `bits` says, at least `anywhere`, and in a zone so small that
    /// this is more than half of it, half of it. Noise stays noise: what is too little anywhere
    /// is enough only of a zone that has no more.
    pub(super) fn new(anywhere: usize, zones: &Zones, bits: &[u32]) -> Self {
        let within = (0..zones.zones.len()).map(|n| {
            let all = bits.iter().filter(|bits| **bits & (1 << n) != 0).count();
            match all {
                0 => anywhere,
                _ => all.div_ceil(2).max(all.min(MIN_BLOCKS)).min(anywhere),
            }
        });
        Self {
            anywhere,
            within: within.collect(),
        }
    }

    /// The least of all.
    pub(super) fn least(&self) -> usize {
        self.within.iter().copied().fold(self.anywhere, usize::min)
    }
}

/// Whether a list is one polygon: its corners hold numbers, where polygons hold corners.
fn is_polygon(list: &[Value]) -> bool {
    let corner = list.first().and_then(Value::as_array);
    corner.is_some_and(|corner| corner.first().is_some_and(Value::is_number))
}

fn polygon(path: &str, corners: &[Value]) -> Result<(Vec<(f64, f64)>, Polygon), ZonesError> {
    if corners.len() < 3 {
        return Err(ZonesError::Corners(path.to_owned(), corners.len()));
    }
    let corner = |value: &Value| {
        let fraction = |n: usize| value.get(n)?.as_f64().filter(|v| (0.0..=1.0).contains(v));
        match (fraction(0), fraction(1), value.get(2)) {
            (Some(x), Some(y), None) => Ok((x, y)),
            _ => Err(ZonesError::Corner(path.to_owned(), value.to_string())),
        }
    };
    let corners = corners.iter().map(corner).collect::<Result<Vec<_>, _>>()?;
    let polygon =
        Polygon::new(&corners).map_err(|error| ZonesError::Shape(path.to_owned(), error))?;
    Ok((corners, polygon))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The zones of the block in which a point lies, of 10 x 10.
    fn at(zones: &Zones, (x, y): (f64, f64)) -> u32 {
        let grid = Grid::new(20, 20).expect("it has blocks");
        let block = |v: f64| (v * 10.0) as usize;
        zones.blocks(&grid)[block(y) * 10 + block(x)]
    }

    #[test]
    fn one_polygon_a_list_and_named_ones_are_read() {
        let triangle = "[[0,0],[1,0],[0,1]]";
        for text in [
            triangle.into(),
            format!("[{triangle}]"),
            format!("{{\"a\":{triangle}}}"),
        ] {
            let zones = Zones::parse(&text).expect("right zones");
            assert_eq!(at(&zones, (0.25, 0.25)), 1, "{text}");
            assert_eq!(at(&zones, (0.75, 0.75)), 0, "{text}");
        }
        let two = format!("{{\"left\":{triangle},\"right\":[[1,1],[1,0],[0,1]]}}");
        let zones = Zones::parse(&two).expect("right zones");
        assert_eq!(at(&zones, (0.75, 0.75)), 2);
        assert_eq!(zones.names(2).collect::<Vec<_>>(), ["right"]);
        assert_eq!(zones.names(3).count(), 2);
        assert!(Zones::parse(" ").expect("none").is_empty());
    }

    #[test]
    fn wrong_zones_are_refused_with_the_value_and_the_reason() {
        for (text, says) in [
            ("[[0,0]", "is [[0,0]: give a polygon"),
            ("7", "is 7: give a polygon"),
            ("[7]", "is [7]: give a polygon"),
            ("[[0,0],[1,1]]", "polygon 1 has 2 corners"),
            (
                "{\"door\":[[0,0],[1,0],[1,2]]}",
                "polygon door has the corner [1,2]",
            ),
            ("[[0,0],[1,0],[1,\"a\"]]", "has the corner [1,\"a\"]"),
            ("[[0,0],[1,0],[1,0,0]]", "has the corner [1,0,0]"),
            (
                "[[0,0],[0.5,0.5],[1,1]]",
                "polygon 1: the polygon crosses itself: its edges 0 and 2 meet",
            ),
            // The two halves of this one have the same area, once each way round.
            (
                "[[0,0],[1,1],[1,0],[0,1]]",
                "polygon 1: the polygon crosses itself: its edges 0 and 2 meet",
            ),
            (
                "{\"a\":[[0,0],[1,0],[0,1]],\"a\":[[1,1],[1,0],[0,1]]}",
                "names the polygon \"a\" twice",
            ),
            (
                "{\"bow\":[[0,0],[1,1],[1,0],[0,0.5]]}",
                "polygon bow: the polygon crosses itself",
            ),
        ] {
            let said = Zones::parse(text).expect_err(text).to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
        let many = vec!["[[0,0],[1,0],[0,1]]"; 33].join(",");
        let said = Zones::parse(&format!("[{many}]")).expect_err("too many");
        assert_eq!(said, ZonesError::TooMany(33));
    }

    #[test]
    fn a_mask_takes_from_every_zone() {
        let grid = Grid::new(20, 20).expect("it has blocks");
        let left = Zones::parse("[[0,0],[0.5,0],[0.5,1],[0,1]]").expect("right zones");
        let top = Zones::parse("[[0,0],[1,0],[1,0.5],[0,0.5]]").expect("right zones");
        let count = |zones: &Zones, masks: &Zones| {
            bits(&grid, zones, masks)
                .iter()
                .filter(|&&it| it != 0)
                .count()
        };
        let none = Zones::default();
        assert_eq!(count(&none, &none), 100);
        assert_eq!(count(&left, &none), 50);
        assert_eq!(count(&none, &top), 50);
        assert_eq!(count(&left, &top), 25);
    }
}
