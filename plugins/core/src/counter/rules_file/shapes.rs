//! The zones and lines of a rules file, which its rules name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::RulesError;
use crate::counter::geometry::Polygon;
use crate::counter::shape::{Extent, Line, Zone};
use crate::counter::volume::{Bounds, Volume};
use crate::named::{Named, repeated};

/// From where to where.
pub(super) type LineForm = [(f64, f64); 2];

/// Corners in the frame, or bounds in space. Read by its own hands, as serde's untagged forms do not
/// say which member is wrong.
pub(super) enum ZoneForm {
    Corners(Vec<(f64, f64)>),
    Space(VolumeForm),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpaceForm {
    space: VolumeForm,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct VolumeForm {
    min_x: Option<f64>,
    max_x: Option<f64>,
    min_y: Option<f64>,
    max_y: Option<f64>,
    min_z: Option<f64>,
    max_z: Option<f64>,
}

impl<'de> Deserialize<'de> for ZoneForm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ZoneVisitor)
    }
}

struct ZoneVisitor;

impl<'de> Visitor<'de> for ZoneVisitor {
    type Value = ZoneForm;

    fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text.write_str("corners such as [[0,0],[1,0],[1,1]], or {\"space\": {\"max-z\": 3}}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, corners: A) -> Result<ZoneForm, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(corners)).map(ZoneForm::Corners)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<ZoneForm, A::Error> {
        let form = SpaceForm::deserialize(MapAccessDeserializer::new(members))?;
        Ok(ZoneForm::Space(form.space))
    }
}

impl ZoneForm {
    fn read(&self, path: String) -> Result<Extent, RulesError> {
        let bounds = |min, max| Bounds { min, max };
        match self {
            Self::Corners(corners) => Polygon::new(corners)
                .map(Extent::Frame)
                .map_err(|error| RulesError::Shape { path, error }),
            Self::Space(form) => Volume::new([
                bounds(form.min_x, form.max_x),
                bounds(form.min_y, form.max_y),
                bounds(form.min_z, form.max_z),
            ])
            .map(Extent::Space)
            .map_err(|error| RulesError::Volume {
                path: format!("{path}.space"),
                error,
            }),
        }
    }
}

/// The document's zones and lines by name.
pub(super) struct Shapes {
    zones: BTreeMap<String, Zone>,
    lines: BTreeMap<String, Line>,
}

impl Shapes {
    pub(super) fn read(
        zones: &Named<ZoneForm>,
        lines: &Named<LineForm>,
    ) -> Result<Self, RulesError> {
        once(zones, "$.zones")?;
        once(lines, "$.lines")?;
        let mut shapes = Self {
            zones: BTreeMap::new(),
            lines: BTreeMap::new(),
        };
        for (name, form) in &zones.0 {
            let extent = form.read(format!("$.zones.{name}"))?;
            let name = name.clone();
            shapes.zones.insert(name.clone(), Zone { name, extent });
        }
        for (name, [from, to]) in &lines.0 {
            let line = Line::new(name, *from, *to).map_err(|error| RulesError::Shape {
                path: format!("$.lines.{name}"),
                error,
            })?;
            shapes.lines.insert(name.clone(), line);
        }
        Ok(shapes)
    }

    /// The zones that a rule names in its member at `path`.
    pub(super) fn zones(&self, names: &[String], path: &str) -> Result<Vec<Zone>, RulesError> {
        named(&self.zones, names, path)
    }

    /// The lines that a rule names in its member at `path`.
    pub(super) fn lines(&self, names: &[String], path: &str) -> Result<Vec<Line>, RulesError> {
        named(&self.lines, names, path)
    }
}

/// Refuses a name that stands twice among the members of the object at `path`.
fn once<T>(all: &Named<T>, path: &str) -> Result<(), RulesError> {
    match repeated(all.0.iter().map(|(name, _)| name.as_str())) {
        Some((_, name)) => Err(RulesError::Twice {
            path: format!("{path}.{name}"),
            name: name.to_owned(),
        }),
        None => Ok(()),
    }
}

/// What a rule names of `all`.
fn named<T: Clone>(
    all: &BTreeMap<String, T>,
    names: &[String],
    path: &str,
) -> Result<Vec<T>, RulesError> {
    if let Some((n, name)) = repeated(names.iter().map(String::as_str)) {
        return Err(RulesError::Twice {
            path: format!("{path}[{n}]"),
            name: name.to_owned(),
        });
    }
    let find = |(n, name): (usize, &String)| {
        all.get(name).cloned().ok_or_else(|| RulesError::Unknown {
            path: format!("{path}[{n}]"),
            name: name.clone(),
            offered: all.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    };
    names.iter().enumerate().map(find).collect()
}
