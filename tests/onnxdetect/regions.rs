//! Parts of frames: `roi`, and regions that other elements have put on them.

use gst_video::VideoRegionOfInterestMeta;

use crate::{
    Object, best_person, buffer, clip, failure, frames, harness, model, moving, observed, says,
    still,
};

#[test]
fn a_part_of_the_frame_shows_its_people_where_they_are() {
    let [l, t, r, b] = best_person("").expect("people are there").corners;
    // Half the frame around them, so that they are seen twice as large.
    let around = |low: f64, high: f64| ((low + high) / 2.0 - 0.25).clamp(0.0, 0.5);
    let (x, y) = (around(l, r), around(t, b));
    let part = best_person(&format!("roi={x},{y},0.5,0.5")).expect("still there");
    assert!(part.corners[0] >= x && part.corners[3] <= y + 0.5 + 1e-9);
    let far =
        std::iter::zip(part.corners, [l, t, r, b]).any(|(one, other)| (one - other).abs() > 0.05);
    assert!(!far, "{:?} {:?}", part.corners, [l, t, r, b]);
    let line = format!("onnxdetect name=eye {} roi=1,1,1,1 ! fakesink", model());
    says(&failure(&line), &["eye", "roi is `1,1,1,1`"]);
}

#[test]
fn only_the_regions_on_a_frame_are_inferred_when_asked() {
    let mut harness = harness(&format!(
        "onnxdetect {} inference-region=roi-list object-class=motion",
        model()
    ));
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, 64, 48);
    let info = info.build().expect("a sound size");
    harness.set_src_caps(info.to_caps().expect("a sound format"));
    for kinds in [&[][..], &["motion", "motion", "other"]] {
        let mut buffer = gst::Buffer::with_size(info.size()).expect("memory");
        for kind in kinds {
            let fields = buffer.get_mut().expect("one owner");
            VideoRegionOfInterestMeta::add(fields, kind, (60, 40, 99, 99));
        }
        assert_eq!(harness.push(buffer), Ok(gst::FlowSuccess::Ok));
        let buffer = harness.pull().expect("a frame");
        let meta = gst::meta::CustomMeta::from_buffer(&buffer, "GstEvrObservationMeta");
        assert!(meta.is_ok(), "looked at, though nothing was there");
    }
}

/// What is found in frame 70 where only these regions of motion on it are inferred.
fn found_in(regions: &[(u32, u32, u32, u32)]) -> Vec<Object> {
    let mut harness = harness(&format!(
        "onnxdetect {} inference-region=roi-list object-class=motion",
        model()
    ));
    harness.set_src_caps(still().0);
    let pushed = harness.push(moving(gst::ClockTime::ZERO, regions));
    assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
    let buffer = harness.pull().expect("a frame");
    let still_there = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let still_there = still_there.filter(|region| region.roi_type() == "motion");
    assert_eq!(still_there.count(), regions.len());
    observed(&buffer).expect("inferred").1
}

#[test]
fn who_is_found_in_a_region_of_motion_stands_where_he_is_in_the_frame() {
    let [l, t, r, b] = best_person("").expect("people are there").corners;
    let near = |object: &&Object| {
        object.label == "person"
            && std::iter::zip(object.corners, [l, t, r, b])
                .all(|(one, other)| (one - other).abs() < 0.04)
    };
    // A region twice as wide and high as the person, as motion would draw it, within the frame.
    let pixels = |low: f64, high: f64, side: f64| {
        let (centre, length) = ((low + high) / 2.0 * side, (high - low) * side * 2.0);
        let first = (centre - length / 2.0).clamp(0.0, side - length);
        (first as u32, length as u32)
    };
    let ((x, w), (y, h)) = (pixels(l, r, 768.0), pixels(t, b, 576.0));
    let around = (x, y, w, h);
    let found = found_in(&[around]);
    assert_eq!(found.iter().filter(near).count(), 1);
    let inside = |object: &Object| {
        let [l, t, r, b] = object.corners;
        let (x, y) = (f64::from(x) / 768.0, f64::from(y) / 576.0);
        let (right, bottom) = (
            f64::from(around.0 + w) / 768.0,
            f64::from(around.1 + h) / 576.0,
        );
        l >= x - 1e-9 && t >= y - 1e-9 && r <= right + 1e-9 && b <= bottom + 1e-9
    };
    assert!(
        found.iter().all(inside),
        "nobody outside the region is found"
    );
    // Two regions that both show him tell of him once.
    let shifted = (x.saturating_sub(6), y.saturating_sub(6), w, h);
    assert_eq!(found_in(&[around, shifted]).iter().filter(near).count(), 1);
    assert!(found_in(&[]).is_empty());
}

#[test]
fn motion_leads_the_detector_to_people_and_spares_it_the_frames_without() {
    let samples = frames(&format!(
        "{} ! motiondetect ! onnxdetect {} inference-region=roi-list object-class=motion \
         confidence-threshold=0.4 ! appsink name=out",
        clip(),
        model()
    ));
    let present = |n: usize| (60..120).contains(&n) || (200..240).contains(&n);
    let (mut empty, mut seen) = (0, 0);
    for (n, sample) in samples.iter().enumerate() {
        let regions = || buffer(sample).iter_meta::<VideoRegionOfInterestMeta>();
        let moves = regions().any(|region| region.roi_type() == "motion");
        let person = regions().any(|region| region.roi_type() == "person");
        assert!(!person || present(n), "frame {n} shows nobody");
        empty += usize::from(!moves);
        seen += usize::from(person);
    }
    // A hundred frames show people. What stands still is background again after a while.
    assert!(empty >= 150, "{empty} of 300 frames need no inference");
    assert!(seen >= 70, "people are found in {seen} of 100 frames");
}
