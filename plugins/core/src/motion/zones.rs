//! Where motion counts: polygons in fractions of the frame, as JSON.

use serde_json::Value;

use super::reduce::Grid;
use crate::counter::{Point, Polygon, ShapeError};

/// A block's zones are bits of one number.
const MAX_ZONES: usize = 32;

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
    /// Nothing lies in the polygon.
    #[error("{0} encloses nothing: give corners that do not lie on one line")]
    Empty(String),
    /// It crosses itself.
    #[error("{0}: {1}")]
    Shape(String, ShapeError),
    /// More than can be told apart.
    #[error("holds {0} polygons: give at most {MAX_ZONES}")]
    TooMany(usize),
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
        let value: Value = serde_json::from_str(text).map_err(|_| form())?;
        let named: Vec<(String, &Value)> = match &value {
            Value::Object(zones) => zones.iter().map(|(name, it)| (name.clone(), it)).collect(),
            Value::Array(list) if is_polygon(list) => vec![(String::new(), &value)],
            Value::Array(list) => list.iter().map(|it| (String::new(), it)).collect(),
            _ => return Err(form()),
        };
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

    /// Which zones a point lies in, a bit each.
    fn at(&self, (x, y): (f64, f64)) -> u32 {
        let point = Point::new(x, y);
        let zones = self.zones.iter().enumerate();
        zones.fold(0, |bits, (n, zone)| {
            bits | u32::from(zone.polygon.contains(point)) << n
        })
    }
}

/// Block by block, in which of `zones` it lies, by its middle; where there are none, in the first.
/// A block in one of `masks` lies in none.
pub(super) fn bits(grid: &Grid, zones: &Zones, masks: &Zones) -> Vec<u32> {
    let mut bits = Vec::with_capacity(grid.blocks());
    for row in 0..grid.rows {
        bits.extend((0..grid.cols).map(|col| {
            let middle = grid.centre(col, row);
            match (masks.at(middle), zones.is_empty()) {
                (0, true) => 1,
                (0, false) => zones.at(middle),
                _ => 0,
            }
        }));
    }
    bits
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
    let next = corners.iter().cycle().skip(1);
    let twice: f64 = corners
        .iter()
        .zip(next)
        .map(|(a, b)| a.0 * b.1 - b.0 * a.1)
        .sum();
    if twice.abs() < 1e-9 {
        return Err(ZonesError::Empty(path.to_owned()));
    }
    let polygon =
        Polygon::new(&corners).map_err(|error| ZonesError::Shape(path.to_owned(), error))?;
    Ok((corners, polygon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_polygon_a_list_and_named_ones_are_read() {
        let triangle = "[[0,0],[1,0],[0,1]]";
        for text in [
            triangle.into(),
            format!("[{triangle}]"),
            format!("{{\"a\":{triangle}}}"),
        ] {
            let zones = Zones::parse(&text).expect("right zones");
            assert_eq!(zones.at((0.25, 0.25)), 1, "{text}");
            assert_eq!(zones.at((0.75, 0.75)), 0, "{text}");
        }
        let two = format!("{{\"left\":{triangle},\"right\":[[1,1],[1,0],[0,1]]}}");
        let zones = Zones::parse(&two).expect("right zones");
        assert_eq!(zones.at((0.75, 0.75)), 2);
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
            ("[[0,0],[0.5,0.5],[1,1]]", "polygon 1 encloses nothing"),
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
