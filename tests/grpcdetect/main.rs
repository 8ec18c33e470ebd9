//! grpcdetect against a server in Python that behaves as each test asks, well and badly.

#![cfg(feature = "grpc")]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod server;
mod session;

use std::time::{Duration, Instant};

use common::{PATIENCE, failed_and_left_it_alone, launch, warnings};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

/// What the element said of a frame; `None` where it was not inferred.
fn observed(buffer: &gst::BufferRef) -> Option<Vec<String>> {
    gst::meta::CustomMeta::from_buffer(buffer, "GstEvrObservationMeta").ok()?;
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    Some(regions.map(|region| region.roi_type().to_owned()).collect())
}

/// A run over red frames of 64x48, 10 a second.
struct Run {
    frames: Vec<gst::Buffer>,
    warnings: Vec<String>,
    element: gst::Element,
    model: String,
    took: Duration,
}

impl Run {
    /// `settings` are those of the element beside its location; `wish` is what the server is asked
    /// to do.
    fn new(location: &str, frames: u32, wish: &str, settings: &str) -> Self {
        let line = format!(
            "videotestsrc num-buffers={frames} pattern=red \
             ! video/x-raw,format=RGB,width=64,height=48,framerate=10/1 \
             ! grpcdetect name=grpc location={location} {settings} \
             ! appsink name=out sync=false"
        );
        let pipeline = launch(&line);
        let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
        let element = pipeline.by_name("grpc").expect("it is there");
        element.set_property("extension-configuration", wish);
        let begun = Instant::now();
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let pulled = std::iter::from_fn(|| out.try_pull_sample(PATIENCE));
        let frames = pulled.map(|sample| sample.buffer_owned().expect("a frame"));
        let frames = frames.collect();
        let model = element.property("model-name");
        let warnings = warnings(&pipeline);
        pipeline.set_state(gst::State::Null).expect("it stops");
        Self {
            frames,
            warnings,
            element,
            model,
            took: begun.elapsed(),
        }
    }

    /// Inferences, failures, skipped.
    fn counts(&self) -> [u64; 3] {
        counts(&self.element)
    }

    #[track_caller]
    fn failed_and_left_it_alone(&self) {
        assert_eq!(self.counts()[0], 0, "nothing is inferred");
        failed_and_left_it_alone(self.counts(), self.frames.len(), self.took);
    }

    fn observed(&self) -> Vec<Option<Vec<String>>> {
        self.frames.iter().map(|frame| observed(frame)).collect()
    }
}

fn counts(element: &gst::Element) -> [u64; 3] {
    ["inferences", "failures", "skipped"].map(|name| element.property(name))
}
