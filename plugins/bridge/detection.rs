//! Detections on frames: what a detector found rides on the buffer as one region of interest an
//! object, in the form Intel DL Streamer's elements read and write, and one observation meta a
//! frame that tells "found nothing" from "not inferred".

use evr_core::detection::{Detection, Observation};
use gst_video::VideoRegionOfInterestMeta;

pub(crate) use super::region::space;
use super::{
    meta,
    region::{self, Kind},
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
/// Puts an observation onto its frame of this width and height.
pub(crate) fn attach(
    buffer: &mut gst::BufferRef,
    observation: &Observation,
    size: (u32, u32),
) -> Result<(), glib::BoolError> {
    let mut meta = gst::meta::CustomMeta::add(buffer, OBSERVATION_META)?;
    let fields = meta.mut_structure();
    fields.set("seq", observation.seq);
    fields.set("model", &observation.model);
    fields.set("count", observation.detections.len() as u32);

    for detection in &observation.detections {
        let rect = region::rect(&detection.bbox, size);
        let mut region = VideoRegionOfInterestMeta::add(buffer, &detection.label, rect);
        region.add_param(region::detection(detection));
        if let Some(distance) = detection.distance {
            region.add_param(region::space(distance, detection.position));
        }
    }
    #[cfg(feature = "v1_24")]
    super::analytics::attach(buffer, &observation.detections, size)?;
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
/// Regions of a foreign detector count as observed; their frame's `seq` is then 0. So does an empty
/// meta of GStreamer's own analytics: somebody looked, and had nothing to put into it.
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
        None if detections.is_empty() && !is_empty_analytics(buffer) => None,
        None => Some(Observation {
            detections,
            ..Observation::default()
        }),
    }
}

/// What whoever looked at a frame has seen, `None` where nobody did. A detector of ours marks the
/// frames that it looked at, others only what they found: whether every frame was looked at behind
/// them is for the user to say (`every_frame`).
pub(crate) fn looked_at(
    buffer: &gst::BufferRef,
    size: (u32, u32),
    every_frame: bool,
) -> Option<Observation> {
    read(buffer, size).or_else(|| every_frame.then(Observation::default))
}

#[cfg(feature = "v1_24")]
fn is_empty_analytics(buffer: &gst::BufferRef) -> bool {
    super::analytics::is_empty(buffer)
}

#[cfg(not(feature = "v1_24"))]
fn is_empty_analytics(_: &gst::BufferRef) -> bool {
    false
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

    #[test]
    fn what_is_no_number_in_a_foreign_region_goes_no_further() {
        gst::init().expect("GStreamer is installed");
        register_meta();
        let read_with = |name: &str, value: f64| {
            let mut buffer = gst::Buffer::new();
            let buffer = buffer.get_mut().expect("a new buffer has one owner");
            let mut region = VideoRegionOfInterestMeta::add(buffer, "car", (320, 0, 320, 240));
            let mut param = gst::Structure::builder("detection")
                .field("confidence", 0.5)
                .field("x_min", 0.25)
                .field("y_min", 0.0)
                .field("x_max", 1.0)
                .field("y_max", 0.5)
                .build();
            param.set(name, value);
            region.add_param(param);
            let mut observation = read(buffer, (640, 480)).expect("a region is an observation");
            observation.detections.remove(0)
        };
        for (score, confidence) in [(f64::NAN, 0.0), (f64::INFINITY, 1.0), (-0.5, 0.0)] {
            let detection = read_with("confidence", score);
            assert_eq!((detection.confidence, detection.bbox.l), (confidence, 0.25));
        }
        // The region's own pixels stand in.
        let broken = ["x_min", "y_min", "x_max", "y_max"];
        for (name, value) in broken
            .into_iter()
            .zip([f64::NAN, f64::INFINITY, f64::NAN, f64::NAN])
        {
            assert_eq!(read_with(name, value).bbox.l, 0.5, "{name}");
        }
    }
}
