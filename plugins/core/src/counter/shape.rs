//! The shapes of rules: zones and lines by name, and what of an object lies in them.
//!
//! Not here: what lies where (`geometry`, `volume`) and who crosses (`crossing`).

use super::geometry::{Point, Polygon, ShapeError, point};
use super::volume::Volume;
use crate::detection::{BoundingBox, Detection};
use crate::named::repeated;

/// What a zone bounds.
#[derive(Debug, Clone, PartialEq)]
pub enum Extent {
    /// A part of the frame.
    Frame(Polygon),
    /// A part of space, which only objects whose position is known can lie in.
    Space(Volume),
}

/// A named part of the frame or of space.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// As signals name it.
    pub name: String,
    /// Where it is.
    pub extent: Extent,
}

/// A named line that tracked objects cross.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// As signals name it.
    pub name: String,
    /// Where who looks along it stands.
    pub from: Point,
    /// Where they look.
    pub to: Point,
    /// It goes on without end both ways.
    pub endless: bool,
}

impl Line {
    /// # Errors
    /// A [`ShapeError`] for a point outside the frame, and for two points that are one.
    pub fn new(name: &str, from: (f64, f64), to: (f64, f64)) -> Result<Self, ShapeError> {
        let (from, to) = (point(from)?, point(to)?);
        if from == to {
            return Err(ShapeError::NoLength);
        }
        Ok(Self {
            name: name.to_owned(),
            from,
            to,
            endless: false,
        })
    }
}

/// Which way a line is crossed, for who looks from its first point to its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Either.
    #[default]
    Both,
    /// From the left side to the right one.
    LeftToRight,
    /// From the right side to the left one.
    RightToLeft,
}

impl Direction {
    /// The word in rules and signals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::LeftToRight => "left-to-right",
            Self::RightToLeft => "right-to-left",
        }
    }
}

/// What of an object must lie in a zone, and goes over a line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Reference {
    /// The middle of the lower edge, where things stand on the ground.
    #[default]
    BottomCenter,
    /// The middle of the box.
    Center,
    /// At least this share of the box lies in the zone, and more than nothing; over a line goes the
    /// middle.
    Overlap(f64),
}

impl Reference {
    #[inline]
    pub(super) fn point(self, bbox: &BoundingBox) -> Point {
        let y = match self {
            Self::BottomCenter => bbox.t + bbox.h,
            Self::Center | Self::Overlap(_) => bbox.t + bbox.h / 2.0,
        };
        Point::new(bbox.l + bbox.w / 2.0, y)
    }

    /// In which of the zones an object lies, a bit each.
    pub(super) fn zones(self, zones: &[Zone], object: &Detection) -> u64 {
        let bbox = &object.bbox;
        let point = self.point(bbox);
        let within = |zone: &Zone| match (&zone.extent, self) {
            (Extent::Frame(polygon), Self::Overlap(share)) => polygon.overlaps(bbox, share),
            (Extent::Frame(polygon), _) => polygon.contains(point),
            (Extent::Space(volume), _) => object.position.is_some_and(|at| volume.contains(at)),
        };
        let bits = zones.iter().enumerate();
        bits.fold(0, |bits, (n, zone)| bits | u64::from(within(zone)) << n)
    }
}

/// Why a property's list of zones or lines is refused. Each sentence is preceded by the element's
/// name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ListError {
    /// A shape is none.
    #[error("{name}: {error}")]
    Shape {
        /// Which.
        name: String,
        /// Why.
        error: ShapeError,
    },
    /// It cannot be read.
    #[error(
        "{what} holds \"{item}\": give a name, a colon and x,y,x,y,… in fractions of the frame, \
         several separated by semicolons"
    )]
    Unreadable {
        /// Which property.
        what: &'static str,
        /// What stands there.
        item: String,
    },
    /// Two of one name.
    #[error("{what} names \"{name}\" twice: give each a name of its own")]
    Twice {
        /// Which property.
        what: &'static str,
        /// The name.
        name: String,
    },
}

/// Reads a property's zones: `door:0.1,0.2,0.4,0.2,0.4,0.9;yard:…`.
///
/// # Errors
/// A [`ListError`] that names the zone.
pub fn parse_zones(list: &str) -> Result<Vec<Zone>, ListError> {
    named_points("zones", list)?
        .into_iter()
        .map(|(name, points)| match Polygon::new(&points) {
            Ok(polygon) => Ok(Zone {
                name,
                extent: Extent::Frame(polygon),
            }),
            Err(error) => Err(ListError::Shape { name, error }),
        })
        .collect()
}

/// Reads a property's lines: `gate:0.5,0,0.5,1;…`, two points each.
///
/// # Errors
/// A [`ListError`] that names the line.
pub fn parse_lines(list: &str) -> Result<Vec<Line>, ListError> {
    named_points("lines", list)?
        .into_iter()
        .map(|(name, points)| match points[..] {
            [from, to] => {
                Line::new(&name, from, to).map_err(|error| ListError::Shape { name, error })
            }
            _ => Err(ListError::Unreadable {
                what: "lines",
                item: name,
            }),
        })
        .collect()
}

type Named = (String, Vec<(f64, f64)>);

fn named_points(what: &'static str, list: &str) -> Result<Vec<Named>, ListError> {
    let items = list.split(';').map(str::trim);
    let items = items.filter(|item| !item.is_empty()).map(|item| {
        read_points(item).ok_or_else(|| ListError::Unreadable {
            what,
            item: item.to_owned(),
        })
    });
    let read = items.collect::<Result<Vec<Named>, _>>()?;
    match repeated(read.iter().map(|(name, _)| name.as_str())) {
        Some((_, name)) => Err(ListError::Twice {
            what,
            name: name.to_owned(),
        }),
        None => Ok(read),
    }
}

fn read_points(item: &str) -> Option<Named> {
    let (name, numbers) = item.rsplit_once(':')?;
    let numbers: Vec<f64> = numbers
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    let name = name.trim();
    let whole = numbers.len().is_multiple_of(2) && !name.is_empty();
    whole.then(|| {
        let points = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        (name.to_owned(), points.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_propertys_zones_and_lines_are_read_or_refused_by_name() {
        let zones = parse_zones(" a:0,0,1,0,1,1 ; b:0,0,0.5,0,0.5,0.5;").expect("two triangles");
        assert_eq!(
            zones.iter().map(|z| z.name.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(parse_lines("").map(|lines| lines.len()), Ok(0));
        let why = |error: ListError| error.to_string();
        assert!(why(parse_zones("a:0,0,1").expect_err("odd")).contains("\"a:0,0,1\""));
        assert!(why(parse_zones("0,0,1,1,0,1").expect_err("no name")).contains("a name"));
        assert!(why(parse_zones("a:0,0,1,1,1,0,0,1").expect_err("a bow")).contains("crosses"));
        assert_eq!(
            why(parse_zones("a:0,0,1,0,1,1;b:0,0,1,0,1,1; a :0,0,1,0,1,1").expect_err("twice")),
            "zones names \"a\" twice: give each a name of its own"
        );
        assert_eq!(
            why(parse_lines("l:0,0,1,0;l:0,0,1,1").expect_err("twice")),
            "lines names \"l\" twice: give each a name of its own"
        );
        assert!(
            why(parse_lines("l:0.5,0.5,0.5,0.5").expect_err("a point")).starts_with("l: the line")
        );
    }
}
