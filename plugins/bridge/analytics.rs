//! Detections as GStreamer's own analytics metas, which came with 1.24: written beside the regions
//! of interest, so that upstream's overlay and trackers see them, and read where there are no
//! regions, so that upstream's detectors count. What belongs here: that translation. What a region
//! says stands in `detection`.

use evr_core::detection::{BoundingBox, Detection, confidence};
use gst_analytics::{
    AnalyticsMetaRefExt, AnalyticsMtdRef, AnalyticsODMtd, AnalyticsRelationMeta,
    AnalyticsRelationMetaODExt, AnalyticsRelationMetaTrackingExt, AnalyticsTrackingMtd, RelTypes,
};

use super::region;

/// What a detector without names found.
const NAMELESS: &str = "object";

#[cfg_attr(
    not(feature = "onnx"),
    allow(dead_code, reason = "only detectors write")
)]
/// Puts detections onto their frame of this width and height.
pub(super) fn attach(
    buffer: &mut gst::BufferRef,
    detections: &[Detection],
    size: (u32, u32),
) -> Result<(), glib::BoolError> {
    // Also where nothing was found: whoever reads these then knows that somebody looked.
    let mut meta = AnalyticsRelationMeta::add(buffer);
    for detection in detections {
        let (x, y, w, h) = region::rect(&detection.bbox, size);
        let [x, y, w, h] = [x, y, w, h].map(|pixels| i32::try_from(pixels).unwrap_or(i32::MAX));
        let label = glib::Quark::from_str(&*detection.label);
        meta.add_od_mtd(label, x, y, w, h, detection.confidence as f32)?;
    }
    Ok(())
}

/// Reads the detections off a frame of `width` by `height` pixels.
pub(super) fn read(buffer: &gst::BufferRef, (width, height): (u32, u32)) -> Vec<Detection> {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else {
        return Vec::new();
    };
    let fraction = |value: i32, size: u32| f64::from(value) / f64::from(size.max(1));
    let detection = |object: AnalyticsMtdRef<'_, AnalyticsODMtd>| {
        let at = object.location().ok()?;
        let label = object.obj_type();
        Some(Detection {
            label: label.map_or(NAMELESS, |label| label.as_str()).into(),
            label_id: -1,
            confidence: confidence(at.loc_conf_lvl.into()),
            bbox: BoundingBox::from_corners(
                fraction(at.x, width),
                fraction(at.y, height),
                fraction(at.x.saturating_add(at.w), width),
                fraction(at.y.saturating_add(at.h), height),
            ),
            track_id: track(&meta, object.id()),
            distance: None,
            position: None,
        })
    };
    meta.iter::<AnalyticsODMtd>()
        .filter_map(detection)
        .collect()
}

/// Whether somebody looked at a frame for whatever there may be, and found nothing to tell.
pub(super) fn is_empty(buffer: &gst::BufferRef) -> bool {
    let meta = buffer.meta::<AnalyticsRelationMeta>();
    meta.is_some_and(|meta| meta.is_empty())
}

/// Gives detections that came as regions the tracks that upstream's tracker knows them by. It goes
/// by the metas, which stand in the regions' order.
pub(super) fn apply_tracks(buffer: &gst::BufferRef, detections: &mut [Detection]) {
    let Some(meta) = buffer.meta::<AnalyticsRelationMeta>() else {
        return;
    };
    let objects = objects(&meta);
    if objects.len() != detections.len() {
        return;
    }
    for (detection, object) in detections.iter_mut().zip(objects) {
        detection.track_id = detection.track_id.or_else(|| track(&meta, object));
    }
}

/// Tells who detections are that were read off the metas, in their order: the number of each track
/// and when it was seen first.
pub(super) fn identify(buffer: &mut gst::BufferRef, tracks: &[Option<(u64, gst::ClockTime)>]) {
    let objects = buffer.meta().map(|meta| objects(&meta));
    let (Some(objects), Some(mut meta)) = (objects, buffer.meta_mut::<AnalyticsRelationMeta>())
    else {
        return;
    };
    let tracked = objects.into_iter().zip(tracks);
    for (object, (id, first)) in tracked.filter_map(|(object, track)| Some((object, (*track)?))) {
        // Where there is no more room, GStreamer says so, and the others would find none either.
        let Ok(track) = meta.add_tracking_mtd(id, first).map(|track| track.id()) else {
            return;
        };
        for (from, to) in [(object, track), (track, object)] {
            // Both are there, so it cannot fail.
            let _ = meta.set_relation(RelTypes::RELATE_TO, from, to);
        }
    }
}

/// The metas' own numbers of the objects that are read.
fn objects(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>) -> Vec<u32> {
    let objects = meta.iter::<AnalyticsODMtd>();
    let placed = objects.filter(|object| object.location().is_ok());
    placed.map(|object| object.id()).collect()
}

/// Of several trackers, the last has the word.
fn track(meta: &gst::MetaRef<'_, AnalyticsRelationMeta>, object: u32) -> Option<i64> {
    let related = meta.iter_direct_related::<AnalyticsTrackingMtd>(object, RelTypes::RELATE_TO);
    let ids = related.map(|track| track.info().0);
    ids.filter_map(|id| i64::try_from(id).ok()).last()
}

#[cfg(test)]
mod tests {
    use evr_core::{detection::Observation, tracker::Identity};

    use super::super::{detection, track as tracks};
    use super::*;

    const SIZE: (u32, u32) = (640, 480);

    fn car(l: f64) -> Detection {
        Detection {
            label: "car".into(),
            label_id: -1,
            confidence: 0.5,
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
    fn what_upstream_found_is_an_observation() {
        gst::init().expect("GStreamer is installed");
        detection::register_meta();
        for cars in [vec![], vec![car(0.25)], vec![car(0.5), car(0.0)]] {
            let mut buffer = gst::Buffer::new();
            let buffer = buffer.get_mut().expect("one owner");
            attach(buffer, &cars, SIZE).expect("there is room");
            let observed = detection::read(buffer, SIZE).map(|it| it.detections);
            assert_eq!(observed, Some(cars));
        }
        assert_eq!(detection::read(&gst::Buffer::new(), SIZE), None);
    }

    #[test]
    fn a_score_that_is_no_number_is_no_confidence() {
        gst::init().expect("GStreamer is installed");
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().expect("one owner");
        let broken = Detection {
            confidence: f64::NAN,
            ..car(0.25)
        };
        attach(buffer, &[broken], SIZE).expect("there is room");
        assert_eq!(read(buffer, SIZE)[0].confidence, 0.0);
    }

    #[test]
    fn ours_are_written_both_ways_and_read_once() {
        gst::init().expect("GStreamer is installed");
        detection::register_meta();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().expect("one owner");
        let observation = Observation {
            seq: 3,
            model: "test".into(),
            detections: vec![car(0.25), car(0.5)],
        };
        detection::attach(buffer, &observation, SIZE).expect("there is room");
        assert_eq!(read(buffer, SIZE), observation.detections);
        assert_eq!(detection::read(buffer, SIZE), Some(observation));
    }

    #[test]
    fn who_came_as_metas_alone_is_told_there_and_our_tracker_has_the_last_word() {
        gst::init().expect("GStreamer is installed");
        detection::register_meta();
        let mut params = tracks::Params::default();
        for (n, at) in [3, 5]
            .map(gst::ClockTime::from_seconds)
            .into_iter()
            .enumerate()
        {
            let mut buffer = gst::Buffer::new();
            let buffer = buffer.get_mut().expect("one owner");
            buffer.set_pts(at);
            attach(buffer, &[car(0.25), car(0.5)], SIZE).expect("there is room");
            // Another tracker's number of the second.
            identify(buffer, &[None, Some((90, gst::ClockTime::ZERO))]);
            let who = Identity { id: 7, label: None };
            tracks::identify(buffer, &[None, Some(who)], &mut params);
            let read = detection::read(buffer, SIZE).expect("observed");
            let ids: Vec<_> = read.detections.iter().map(|it| it.track_id).collect();
            assert_eq!(ids, [None, Some(7)], "frame {n}");
            let meta = buffer.meta::<AnalyticsRelationMeta>().expect("attached");
            let tracks = meta.iter::<AnalyticsTrackingMtd>();
            let firsts: Vec<_> = tracks.map(|track| track.info().1).collect();
            assert_eq!(firsts, [0, 3].map(gst::ClockTime::from_seconds));
        }
    }

    #[test]
    fn upstreams_tracks_are_taken_over() {
        gst::init().expect("GStreamer is installed");
        detection::register_meta();
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().expect("one owner");
        let observation = Observation {
            detections: vec![car(0.25), car(0.5)],
            ..Observation::default()
        };
        detection::attach(buffer, &observation, SIZE).expect("there is room");
        // As upstream's ioutracker does: the same meta, a relation either way.
        let mut meta = buffer
            .meta_mut::<AnalyticsRelationMeta>()
            .expect("attached");
        let track = meta
            .add_tracking_mtd(7, gst::ClockTime::ZERO)
            .expect("room")
            .id();
        meta.set_relation(RelTypes::RELATE_TO, 1, track)
            .expect("both are there");
        let read = detection::read(buffer, SIZE).expect("observed");
        let tracks: Vec<_> = read.detections.iter().map(|it| it.track_id).collect();
        assert_eq!(tracks, [None, Some(7)]);
    }
}
