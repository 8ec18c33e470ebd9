//! Motion on frames: each place where something moves rides on the buffer as a region of interest
//! of type `motion`, with a parameter `motion` that says how much of it moves. A detector may look
//! there alone; nobody counts it as an object.

use evr_core::{
    detection::BoundingBox,
    motion::{LABEL, Region},
};
use gst_video::VideoRegionOfInterestMeta;

use super::region;

/// Puts regions onto their frame of this width and height.
pub(crate) fn attach(buffer: &mut gst::BufferRef, regions: &[Region], size: (u32, u32)) {
    for region in regions {
        let BoundingBox { l, t, w, h } = region.bbox;
        let rect = region::rect(&region.bbox, size);
        VideoRegionOfInterestMeta::add(buffer, LABEL, rect).add_param(
            gst::Structure::builder(LABEL)
                .field("area", region.area)
                .field("x_min", l)
                .field("y_min", t)
                .field("x_max", l + w)
                .field("y_max", t + h)
                .build(),
        );
    }
}

/// Where something moves in a frame of `width` by `height` pixels.
#[cfg(feature = "grpc")]
pub(crate) fn read(buffer: &gst::BufferRef, size: (u32, u32)) -> Vec<BoundingBox> {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let read = regions.map(|region| region::read(&region, size));
    let moving = read.filter(|(kind, _)| *kind == region::Kind::Motion);
    moving.map(|(_, place)| place.bbox).collect()
}
