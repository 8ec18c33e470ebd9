//! Depth on frames: one custom meta a frame, `GstEvrDepthMeta`, with a reference to the map, and
//! what of it is written onto the frame's regions.
//!
//! Its structure has `width` and `height` (pixels of the map), `depth` (a buffer of 16 bits a pixel
//! by rows, little-endian millimetres along the camera's axis, 0 where nothing is known) and, in
//! fractions of the frame, `focal-x`, `focal-y`, `centre-x`, `centre-y`. It has no tags, so
//! conversion and scaling keep it; so does what moves the picture within its frame, and makes it
//! wrong: cropping, borders (those of a letterboxing `videoscale` too), flips and rotations.

use evr_core::space::{DepthMap, Lens, Place, SpaceError};
use glib::value::FromValue;
use gst_video::VideoRegionOfInterestMeta;

use super::{
    detection, meta,
    region::{self, Kind},
};

const META: &str = "GstEvrDepthMeta";

/// Makes the meta known; harmless to repeat.
pub(crate) fn register_meta() {
    meta::make_known(META);
}

/// Why what stands on a frame is no map of depth.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DepthError {
    #[error("it has no {0} of the right type")]
    Missing(&'static str),
    #[error("its map cannot be read: {0}")]
    Unreadable(#[from] glib::BoolError),
    #[error(transparent)]
    Wrong(#[from] SpaceError),
}

/// The map of a frame's depth, by reference.
#[derive(Debug)]
pub(crate) struct Depth {
    pub(crate) map: gst::Buffer,
    /// Pixels of the map.
    pub(crate) size: (u32, u32),
    pub(crate) lens: Lens,
}

impl Depth {
    /// Puts the map onto a frame, which takes no copy of it.
    pub(crate) fn attach(&self, buffer: &mut gst::BufferRef) -> Result<(), glib::BoolError> {
        let mut meta = gst::meta::CustomMeta::add(buffer, META)?;
        let fields = meta.mut_structure();
        fields.set("width", self.size.0);
        fields.set("height", self.size.1);
        fields.set("depth", &self.map);
        let (focal, centre) = (self.lens.focal(), self.lens.centre());
        fields.set("focal-x", focal.0);
        fields.set("focal-y", focal.1);
        fields.set("centre-x", centre.0);
        fields.set("centre-y", centre.1);
        Ok(())
    }

    /// The map of a frame, if it has one.
    pub(crate) fn read(buffer: &gst::BufferRef) -> Result<Option<Self>, DepthError> {
        let Ok(meta) = gst::meta::CustomMeta::from_buffer(buffer, META) else {
            return Ok(None);
        };
        let fields = meta.structure();
        Ok(Some(Self {
            map: field(fields, "depth")?,
            size: (field(fields, "width")?, field(fields, "height")?),
            lens: Lens::new(
                (field(fields, "focal-x")?, field(fields, "focal-y")?),
                (field(fields, "centre-x")?, field(fields, "centre-y")?),
            )?,
        }))
    }
}

fn field<'a, T: FromValue<'a>>(
    fields: &'a gst::StructureRef,
    name: &'static str,
) -> Result<T, DepthError> {
    fields.get(name).map_err(|_| DepthError::Missing(name))
}

/// Takes the map off a frame.
pub(crate) fn remove(buffer: &mut gst::BufferRef) {
    if let Ok(meta) = gst::meta::CustomMeta::from_mut_buffer(buffer, META) {
        // Metas that are locked cannot go; ours are not.
        let _ = meta.remove();
    }
}

/// Whether a frame carries a map.
pub(crate) fn is_on(buffer: &gst::BufferRef) -> bool {
    // Few encoded frames carry anything, and looking a meta up by its letters costs as much as
    // holding a buffer does.
    let bare = buffer.iter_meta::<gst::Meta>().next().is_none();
    !bare && gst::meta::CustomMeta::from_buffer(buffer, META).is_ok()
}

/// What became of a frame's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Annotated {
    /// How many have got their place.
    pub(crate) located: u64,
    /// Of how many the map does not say it.
    pub(crate) unknown: u64,
}

/// Writes onto the regions of a frame of `width` by `height` pixels where in space they are, seen or
/// predicted; those keep it of which somebody has said it before. Of what was seen in an earlier
/// frame, or came as GStreamer's analytics metas alone, the map says nothing.
pub(crate) fn annotate(
    buffer: &mut gst::BufferRef,
    depth: &Depth,
    size: (u32, u32),
) -> Result<Annotated, DepthError> {
    let bytes = depth.map.map_readable()?;
    let (width, height) = depth.size;
    let map = DepthMap::new((width as usize, height as usize), &bytes, depth.lens)?;
    let is_seen_here = detection::age(buffer) == 0;
    let mut annotated = Annotated::default();
    let mut has_objects = false;
    for mut region in buffer.iter_meta_mut::<VideoRegionOfInterestMeta>() {
        let (kind, detection) = region::read(&region, size);
        has_objects |= kind != Kind::Motion;
        if kind == Kind::Motion || detection.distance.is_some() {
            continue;
        }
        let is_here = is_seen_here || kind == Kind::Predicted;
        match is_here.then(|| map.place(&detection.bbox)).flatten() {
            Some(Place { distance, position }) => {
                region.add_param(region::space(distance, Some(position)));
                annotated.located += 1;
            }
            None => annotated.unknown += 1,
        }
    }
    if !has_objects {
        annotated.unknown = detection::shown(buffer, size).len() as u64;
    }
    Ok(annotated)
}

/// Whether a frame has a detection of which nobody has said where it is.
pub(crate) fn is_wanted(buffer: &gst::BufferRef, size: (u32, u32)) -> bool {
    let shown = detection::shown(buffer, size);
    shown.iter().any(|detection| detection.distance.is_none())
}
