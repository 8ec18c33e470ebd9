//! What one region of interest says, read in one walk over its parameters: fifty of them ride on a
//! frame, so fields are told apart by number, as looking each up by its letters costs more than all
//! that is decided with them.
//!
//! Here: the words of a region that says where an object is. Which regions are observations, and what
//! of a frame is asked for, stands in `detection`.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use evr_core::{
    detection::{BoundingBox, Detection, confidence},
    motion::LABEL as MOTION,
};
use glib::{Quark, value::FromValue};
use gst_video::VideoRegionOfInterestMeta;

/// What a detector says of an object.
const DETECTION: &str = "detection";
/// What a tracker says of it, as Intel DL Streamer's does.
pub(super) const OBJECT_ID: &str = "object_id";

/// Where it is in space, whoever measured that.
const SPACE: &str = "space";

/// What a region is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that somebody saw there.
    Seen,
    /// Something that a tracker expects there, in a frame that nobody looked at.
    Predicted,
    /// A place where something moves, whatever it is.
    Motion,
}

/// The fields' names as GLib numbers them.
struct Names {
    confidence: Quark,
    label_id: Quark,
    corners: [Quark; 4],
    track_id: Quark,
    distance: Quark,
    position: Quark,
    predicted: Quark,
    id: Quark,
    label: Quark,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    confidence: Quark::from_str("confidence"),
    label_id: Quark::from_str("label_id"),
    corners: ["x_min", "y_min", "x_max", "y_max"].map(Quark::from_str),
    track_id: Quark::from_str("track_id"),
    distance: Quark::from_str("distance"),
    position: Quark::from_str("position"),
    predicted: Quark::from_str("predicted"),
    id: Quark::from_str("id"),
    label: Quark::from_str("label"),
});

pub(super) fn kind(region: &VideoRegionOfInterestMeta) -> Kind {
    let predicted = |param: &gst::StructureRef| {
        let mut predicted = false;
        each(param, |name, value| {
            if name == NAMES.predicted {
                take(&mut predicted, value);
            }
        });
        predicted
    };
    for param in region.params() {
        match param.name().as_str() {
            MOTION if region.roi_type() == MOTION => return Kind::Motion,
            DETECTION if predicted(param) => return Kind::Predicted,
            _ => {}
        }
    }
    Kind::Seen
}

/// What a region of a frame of `width` by `height` pixels says, and what it is about.
pub(super) fn read(
    region: &VideoRegionOfInterestMeta,
    (width, height): (u32, u32),
) -> (Kind, Detection) {
    let mut said = Said::default();
    for param in region.params() {
        match param.name().as_str() {
            DETECTION => said.detection(param),
            OBJECT_ID => said.object_id(param),
            SPACE => said.space(param),
            MOTION => said.motion = region.roi_type() == MOTION,
            _ => {}
        }
    }
    let kind = match () {
        () if said.motion => Kind::Motion,
        () if said.predicted => Kind::Predicted,
        () => Kind::Seen,
    };
    let (x, y, w, h) = region.rect();
    let fraction = |value: u32, size: u32| f64::from(value) / f64::from(size.max(1));
    let known = |corner: Option<f64>| corner.filter(|at| at.is_finite());
    let [l, t, r, b] = match said.corners.map(known) {
        [Some(l), Some(t), Some(r), Some(b)] => [l, t, r, b],
        _ => [
            fraction(x, width),
            fraction(y, height),
            fraction(x.saturating_add(w), width),
            fraction(y.saturating_add(h), height),
        ],
    };
    // A tracker that votes says both.
    let voted = said.voted.zip(said.voted_id);
    let (label, label_id) = match voted {
        Some((label, id)) => (label.into(), id),
        // Numbered by GLib, and so there for good.
        None => (region.roi_type().into(), said.label_id.unwrap_or(-1)),
    };
    let detection = Detection {
        label,
        label_id,
        // A region without a score was put there on purpose.
        confidence: said.confidence.map_or(1.0, confidence),
        bbox: BoundingBox::from_corners(l, t, r, b),
        track_id: said.tracker_id.or(said.foreign_id).or(said.track_id),
        distance: said.distance.filter(|it| it.is_finite() && *it >= 0.0),
        position: said.position,
    };
    (kind, detection)
}

/// What the parameters of a region say.
#[derive(Default)]
struct Said {
    motion: bool,
    predicted: bool,
    confidence: Option<f64>,
    label_id: Option<i32>,
    /// Left, top, right, bottom.
    corners: [Option<f64>; 4],
    /// Of the detector itself, where it tracks.
    track_id: Option<i64>,
    /// Of a tracker behind it: ours, or DL Streamer's.
    tracker_id: Option<i64>,
    foreign_id: Option<i64>,
    /// In metres.
    distance: Option<f64>,
    position: Option<[f64; 3]>,
    voted: Option<String>,
    voted_id: Option<i32>,
}

impl Said {
    fn detection(&mut self, param: &gst::StructureRef) {
        let names = &*NAMES;
        each(param, |name, value| {
            if let Some(corner) = names.corners.iter().position(|corner| *corner == name) {
                take_some(&mut self.corners[corner], value);
            } else if name == names.confidence {
                take_some(&mut self.confidence, value);
            } else if name == names.label_id {
                take_some(&mut self.label_id, value);
            } else if name == names.track_id {
                take_some(&mut self.track_id, value);
            } else if name == names.predicted {
                take(&mut self.predicted, value);
            }
        });
    }

    fn space(&mut self, param: &gst::StructureRef) {
        each(param, |name, value| {
            if name == NAMES.distance {
                take_some(&mut self.distance, value);
            } else if name == NAMES.position {
                self.position = position(value);
            }
        });
    }

    fn object_id(&mut self, param: &gst::StructureRef) {
        let names = &*NAMES;
        each(param, |name, value| {
            if name == names.track_id {
                take_some(&mut self.tracker_id, value);
            } else if name == names.id {
                let mut id: Option<i32> = None;
                take_some(&mut id, value);
                self.foreign_id = id.map(i64::from);
            } else if name == names.label {
                take_some(&mut self.voted, value);
            } else if name == names.label_id {
                take_some(&mut self.voted_id, value);
            }
        });
    }
}

/// Three numbers of which none is missing.
fn position(value: &glib::Value) -> Option<[f64; 3]> {
    let numbers: gst::ArrayRef<'_> = value.get().ok()?;
    let numbers: Vec<f64> = numbers.iter().filter_map(|it| it.get().ok()).collect();
    let numbers: [f64; 3] = numbers.try_into().ok()?;
    numbers.iter().all(|it| it.is_finite()).then_some(numbers)
}

/// A box in the pixels of a frame of `width` by `height`: left, top, width, height.
pub(super) fn rect(bbox: &BoundingBox, (width, height): (u32, u32)) -> (u32, u32, u32, u32) {
    let pixels = |fraction: f64, size: u32| (fraction * f64::from(size)).round() as u32;
    (
        pixels(bbox.l, width),
        pixels(bbox.t, height),
        pixels(bbox.w, width),
        pixels(bbox.h, height),
    )
}

/// What a detector says of an object, for a parameter of its region.
pub(super) fn detection(detection: &Detection) -> gst::Structure {
    let BoundingBox { l, t, w, h } = detection.bbox;
    gst::Structure::builder(DETECTION)
        .field("confidence", detection.confidence)
        .field("label_id", detection.label_id)
        .field("x_min", l)
        .field("y_min", t)
        .field("x_max", l + w)
        .field("y_max", t + h)
        .field_if_some("track_id", detection.track_id)
        .build()
}

/// Says where an object is, in metres, for a parameter of its region.
pub(crate) fn space(distance: f64, position: Option<[f64; 3]>) -> gst::Structure {
    gst::Structure::builder(SPACE)
        .field("distance", distance)
        .field_if_some("position", position.map(gst::Array::new))
        .build()
}

/// Hands over every field with its name's number.
#[expect(
    deprecated,
    reason = "the others look names up by their letters, before GStreamer 1.26"
)]
fn each(param: &gst::StructureRef, mut field: impl FnMut(Quark, &glib::Value)) {
    param.foreach(|name, value| {
        field(name, value);
        ControlFlow::Continue(())
    });
}

/// Takes a value over where it is of the right type; another one says nothing.
fn take<'a, T: FromValue<'a>>(target: &mut T, value: &'a glib::Value) {
    if let Ok(value) = value.get() {
        *target = value;
    }
}

fn take_some<'a, T: FromValue<'a>>(target: &mut Option<T>, value: &'a glib::Value) {
    *target = value.get().ok();
}
