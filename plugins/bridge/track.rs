//! Tracks on frames: a detection that is tracked bears a parameter `object_id` as Intel DL
//! Streamer's tracker writes it, with the track's number and, where they differ, the label that
//! most of its detections have. A box that is only predicted says `predicted` in its `detection`
//! and is no observation: nobody counts it. An ended track is told by a serialized event.

use std::collections::HashMap;

use evr_core::{
    detection::Detection,
    tracker::{Ended, Identity},
};
use gst_video::VideoRegionOfInterestMeta;

use super::region::{self, Kind, OBJECT_ID};

const PREDICTED: &str = "predicted";
/// Name of the event, and of the message that is its copy.
pub(crate) const ENDED: &str = "evr-track-ended";

/// What is told of each track that goes on.
#[derive(Default)]
pub(crate) struct Params {
    /// The parameter, to be copied: to make one costs more than reading all that stands on a region.
    known: HashMap<i64, gst::Structure>,
    /// When it was seen first.
    #[cfg(feature = "v1_24")]
    first: HashMap<i64, gst::ClockTime>,
}

impl Params {
    fn of(&mut self, Identity { id, label }: &Identity) -> gst::Structure {
        let known = self.known.entry(*id).or_insert_with(|| {
            gst::Structure::builder(OBJECT_ID)
                // DL Streamer's numbers are of 32 bits.
                .field("id", i32::try_from(*id).unwrap_or(i32::MAX))
                .field("track_id", *id)
                .build()
        });
        let mut param = known.clone();
        if let Some((label, label_id)) = label {
            param.set("label", &**label);
            param.set("label_id", *label_id);
        }
        param
    }

    pub(crate) fn forget(&mut self, ended: &[Ended]) {
        for track in ended {
            self.known.remove(&track.id);
            #[cfg(feature = "v1_24")]
            self.first.remove(&track.id);
        }
    }

    /// The track's number and when it was seen first, which is now where it is new.
    #[cfg(feature = "v1_24")]
    fn since(&mut self, id: i64, now: gst::ClockTime) -> Option<(u64, gst::ClockTime)> {
        let first = self.first.entry(id).or_insert(now);
        Some((u64::try_from(id).ok()?, *first))
    }
}

/// Writes onto the frame's detections, in the order in which they are read, who they are.
pub(crate) fn identify(
    buffer: &mut gst::BufferRef,
    identities: &[Option<Identity>],
    params: &mut Params,
) {
    // Most often there is nothing else, and the walk over all parameters is spared. Detections are
    // read off regions, or where none of these is one, off metas: the first region tells which.
    let mut all = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let from_regions = all
        .next()
        .is_some_and(|first| region::kind(&first) == Kind::Seen);
    #[cfg(feature = "v1_24")]
    if !from_regions && !all.any(|region| region::kind(&region) == Kind::Seen) {
        let now = buffer.pts().unwrap_or_default();
        let tracks = identities
            .iter()
            .map(|who| params.since(who.as_ref()?.id, now));
        super::analytics::identify(buffer, &tracks.collect::<Vec<_>>());
        return;
    }
    let only = from_regions && all.count() + 1 == identities.len();
    let regions = buffer.iter_meta_mut::<VideoRegionOfInterestMeta>();
    let detections = regions.filter(|region| only || region::kind(region) == Kind::Seen);
    for (mut region, identity) in detections.zip(identities) {
        if let Some(identity) = identity {
            region.add_param(params.of(identity));
        }
    }
}

/// Puts the predicted boxes onto a frame of this width and height that was not inferred.
pub(crate) fn attach_predicted(
    buffer: &mut gst::BufferRef,
    predicted: &[Detection],
    size: (u32, u32),
) {
    for detection in predicted {
        let rect = region::rect(&detection.bbox, size);
        let mut region = VideoRegionOfInterestMeta::add(buffer, &detection.label, rect);
        let mut param = region::detection(detection);
        param.set(PREDICTED, true);
        region.add_param(param);
    }
}

/// The track of which an event says that it is over; `None` for any other event.
pub(crate) fn from_event(event: &gst::EventRef) -> Option<Ended> {
    let fields = event.structure().filter(|fields| fields.name() == ENDED)?;
    Some(Ended {
        id: fields.get("track-id").ok()?,
        label: fields.get::<String>("label").ok()?.into(),
        first: fields.get("first").ok()?,
        last: fields.get("last").ok()?,
        hits: fields.get("observations").ok()?,
    })
}

/// What event and message say of a track that is over.
pub(crate) fn ended(ended: &Ended) -> gst::Structure {
    gst::Structure::builder(ENDED)
        .field("track-id", ended.id)
        .field("label", &*ended.label)
        .field("first", ended.first)
        .field("last", ended.last)
        .field("observations", ended.hits)
        .field(
            "json",
            serde_json::Value::Object(ended.to_json()).to_string(),
        )
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identified(regions: &[&str], identities: usize) -> Vec<bool> {
        gst::init().expect("GStreamer is installed");
        let mut buffer = gst::Buffer::new();
        let buffer = buffer.get_mut().expect("one owner");
        for what in regions {
            let mut region = VideoRegionOfInterestMeta::add(buffer, what, (0, 0, 8, 8));
            let name = if *what == "motion" { what } else { "detection" };
            region.add_param(gst::Structure::new_empty(name));
        }
        let who = Identity { id: 7, label: None };
        identify(buffer, &vec![Some(who); identities], &mut Params::default());
        buffer
            .iter_meta::<VideoRegionOfInterestMeta>()
            .map(|region| region.params().any(|param| param.name() == OBJECT_ID))
            .collect()
    }

    #[test]
    fn detections_are_told_who_they_are_and_motion_is_not() {
        assert_eq!(identified(&["person", "person"], 2), [true, true]);
        assert_eq!(identified(&["motion", "person"], 1), [false, true]);
        assert_eq!(identified(&["person", "motion"], 1), [true, false]);
        // Two that were found came as GStreamer's own metas, beside as many regions of motion.
        assert_eq!(identified(&["motion", "motion"], 2), [false, false]);
    }
}
