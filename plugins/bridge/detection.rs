//! Detections on frames: what a detector found rides on the buffer as one region of interest an
//! object, in the form Intel DL Streamer's elements read and write, and one observation meta a
//! frame that tells "found nothing" from "not inferred".

use evr_core::detection::{Detection, Observation};
use gst_video::VideoRegionOfInterestMeta;

pub(crate) use super::region::space;
use super::{
    meta,
    region::{self, DETECTION, Kind},
};

const OBSERVATION_META: &str = "GstEvrObservationMeta";

/// Makes the observation meta known; harmless to repeat.
pub(crate) fn register_meta() {
    meta::make_known(OBSERVATION_META);
}

#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors write")
)]
/// Puts an observation onto its frame of `width` by `height` pixels.
pub(crate) fn attach(
    buffer: &mut gst::BufferRef,
    observation: &Observation,
    (width, height): (u32, u32),
) -> Result<(), glib::BoolError> {
    let mut meta = gst::meta::CustomMeta::add(buffer, OBSERVATION_META)?;
    let fields = meta.mut_structure();
    fields.set("seq", observation.seq);
    fields.set("model", &observation.model);
    fields.set("count", observation.detections.len() as u32);

    for detection in &observation.detections {
        let bbox = detection.bbox;
        let pixels = |fraction: f64, size: u32| (fraction * f64::from(size)).round() as u32;
        let mut region = VideoRegionOfInterestMeta::add(
            buffer,
            &detection.label,
            (
                pixels(bbox.l, width),
                pixels(bbox.t, height),
                pixels(bbox.w, width),
                pixels(bbox.h, height),
            ),
        );
        let mut param = gst::Structure::builder(DETECTION)
            .field("confidence", detection.confidence)
            .field("label_id", detection.label_id)
            .field("x_min", bbox.l)
            .field("y_min", bbox.t)
            .field("x_max", bbox.l + bbox.w)
            .field("y_max", bbox.t + bbox.h)
            .build();
        if let Some(track_id) = detection.track_id {
            param.set("track_id", track_id);
        }
        region.add_param(param);
        if let Some(distance) = detection.distance {
            region.add_param(region::space(distance, detection.position));
        }
    }
    #[cfg(feature = "v1_24")]
    super::analytics::attach(buffer, &observation.detections, (width, height))?;
    Ok(())
}

#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors write")
)]
/// Says that the observation on this frame speaks of one that is `age` ns older.
pub(crate) fn set_age(buffer: &mut gst::BufferRef, age: u64) {
    if let Ok(mut meta) = gst::meta::CustomMeta::from_mut_buffer(buffer, OBSERVATION_META) {
        meta.mut_structure().set("age", age);
    }
}

/// By how many nanoseconds the frame that was looked at is older than the one that says so: 0 but
/// behind a detector that lets no frame wait.
pub(crate) fn age(buffer: &gst::BufferRef) -> u64 {
    let own = gst::meta::CustomMeta::from_buffer(buffer, OBSERVATION_META).ok();
    own.and_then(|meta| meta.structure().get("age").ok())
        .unwrap_or(0)
}

/// Reads the observation off a frame of `width` by `height` pixels.
///
/// `None` for a frame that no detector of ours has inferred and that carries no regions either;
/// regions of motion and predicted ones are no detections.
/// Regions of a foreign detector count as observed; their frame's `seq` is then 0.
pub(crate) fn read(buffer: &gst::BufferRef, size: (u32, u32)) -> Option<Observation> {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let seen = regions.map(|region| region::read(&region, size));
    let seen = seen.filter(|(kind, _)| *kind == Kind::Seen);
    let detections: Vec<_> = seen.map(|(_, detection)| detection).collect();
    #[cfg(feature = "v1_24")]
    let detections = with_analytics(buffer, detections, size);
    let own = gst::meta::CustomMeta::from_buffer(buffer, OBSERVATION_META).ok();
    match own {
        Some(meta) => {
            let fields = meta.structure();
            Some(Observation {
                seq: fields.get("seq").unwrap_or_default(),
                model: fields.get("model").unwrap_or_default(),
                detections,
            })
        }
        None if detections.is_empty() => None,
        None => Some(Observation {
            detections,
            ..Observation::default()
        }),
    }
}

/// What whoever looked at a frame has seen, `None` where nobody did. With a detector of ours
/// upstream (`is_marked`), frames that were looked at are marked; others mark only what they found.
pub(crate) fn looked_at(
    buffer: &gst::BufferRef,
    size: (u32, u32),
    is_marked: bool,
) -> Option<Observation> {
    read(buffer, size).or_else(|| (!is_marked).then(Observation::default))
}

/// What GStreamer's own metas add: tracks, and where there are no regions, detections.
#[cfg(feature = "v1_24")]
fn with_analytics(
    buffer: &gst::BufferRef,
    mut detections: Vec<Detection>,
    size: (u32, u32),
) -> Vec<Detection> {
    if detections.is_empty() {
        return super::analytics::read(buffer, size);
    }
    super::analytics::apply_tracks(buffer, &mut detections);
    detections
}

/// What is to be shown on a frame of `width` by `height` pixels: its detections, and where a tracker
/// predicts objects that nobody looked for in it.
pub(crate) fn shown(buffer: &gst::BufferRef, size: (u32, u32)) -> Vec<Detection> {
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let shown = regions.map(|region| region::read(&region, size));
    let shown = shown.filter(|(kind, _)| *kind != Kind::Motion);
    let shown = shown.map(|(_, detection)| detection).collect();
    #[cfg(feature = "v1_24")]
    let shown = with_analytics(buffer, shown, size);
    shown
}

#[cfg(test)]
mod tests {
    use evr_core::detection::BoundingBox;

    use super::*;

    fn person(l: f64) -> Detection {
        Detection {
            label: "person".into(),
            label_id: 1,
            confidence: 0.75,
            bbox: BoundingBox {
                l,
                t: 0.25,
                w: 0.125,
                h: 0.5,
            },
            track_id: None,
            distance: None,
            position: None,
        }
    }

    #[test]
    fn what_is_attached_is_read_back() {
        gst::init().expect("GStreamer is installed");
        register_meta();
        let tracked = Detection {
            track_id: Some(7),
            distance: Some(2.5),
            position: Some([-1.5, 0.0, 2.0]),
            ..person(0.5)
        };
        for detections in [vec![], vec![person(0.25)], vec![person(0.25), tracked]] {
            let observation = Observation {
                seq: 3,
                model: "test".into(),
                detections,
            };
            let mut buffer = gst::Buffer::new();
            let buffer = buffer.get_mut().expect("a new buffer has one owner");
            attach(buffer, &observation, (768, 576)).expect("the meta is registered");
            assert_eq!(read(buffer, (768, 576)), Some(observation));
        }
    }

    #[test]
    fn a_frame_that_nobody_inferred_has_no_observation() {
        gst::init().expect("GStreamer is installed");
        register_meta();
        assert_eq!(read(&gst::Buffer::new(), (768, 576)), None);
    }

    #[test]
    fn dl_streamers_track_is_read() {
        gst::init().expect("GStreamer is installed");
        register_meta();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().expect("a new buffer has one owner");
        let mut region = VideoRegionOfInterestMeta::add(buffer, "car", (320, 0, 320, 240));
        let track = gst::Structure::builder("object_id").field("id", 7i32);
        region.add_param(track.build());
        let observation = read(buffer, (640, 480)).expect("a region is an observation");
        assert_eq!(observation.detections[0].track_id, Some(7));
    }

    #[test]
    fn a_foreign_region_is_read_from_its_pixels() {
        gst::init().expect("GStreamer is installed");
        register_meta();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().expect("a new buffer has one owner");
        VideoRegionOfInterestMeta::add(buffer, "car", (320, 0, 320, 240));
        let observation = read(buffer, (640, 480)).expect("a region is an observation");
        assert_eq!(observation.detections[0].label, "car");
        assert_eq!(
            observation.detections[0].bbox,
            BoundingBox {
                l: 0.5,
                t: 0.0,
                w: 0.5,
                h: 0.5
            }
        );
        assert_eq!(observation.detections[0].confidence, 1.0);
    }
}
