//! One model in several elements, in turn and at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use gst::prelude::*;

use crate::common::{self, Random};
use crate::{Object, buffer, clip, harness, init, model, moving, observed, pipeline, still};

#[test]
fn two_elements_share_a_model_and_find_the_same() {
    let line = format!(
        "{} ! tee name=t t. ! queue ! onnxdetect {model} inference-interval=70 ! appsink name=out \
         sync=false t. ! queue ! onnxdetect {model} inference-interval=70 ! appsink name=other \
         sync=false",
        clip(),
        model = model()
    );
    init();
    let pipeline = pipeline(&line);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let [out, other] = ["out", "other"]
        .map(|name| {
            let sink = pipeline.by_name(name).expect("it has that name");
            let sink = sink.downcast::<gst_app::AppSink>().expect("an appsink");
            std::thread::spawn(move || {
                let samples = std::iter::from_fn(|| sink.pull_sample().ok());
                samples
                    .filter_map(|sample| observed(buffer(&sample)))
                    .collect::<Vec<_>>()
            })
        })
        .map(|thread| thread.join().expect("it counts"));
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(out.len() == 5 && out.iter().any(|(_, objects)| !objects.is_empty()));
    assert_eq!(out.len(), other.len());
    for (one, other) in out.iter().zip(&other) {
        let corners = |objects: &[Object]| objects.iter().map(|o| o.corners).collect::<Vec<_>>();
        assert_eq!(corners(&one.1), corners(&other.1));
    }
}

/// The boxes of frame 70 that a harness with this element finds.
fn boxes(harness: &mut gst_check::Harness) -> Option<Vec<[f64; 4]>> {
    let pushed = harness.push(moving(gst::ClockTime::ZERO, &[]));
    assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
    let (_, objects) = observed(&harness.pull().expect("a frame"))?;
    Some(objects.iter().map(|object| object.corners).collect())
}

/// A harness with an element that infers frames like frame 70.
fn watching(settings: &str) -> gst_check::Harness {
    let mut harness = harness(&format!("onnxdetect {} {settings}", model()));
    harness.set_src_caps(still().0);
    harness
}

#[test]
fn an_element_that_is_stopped_and_started_again_begins_anew() {
    init();
    let pipeline = pipeline(&format!(
        "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=64,height=48 ! onnxdetect name=eye \
         {} ! fakesink",
        model()
    ));
    let eye = pipeline.by_name("eye").expect("named");
    let (tell, told) = mpsc::channel();
    let src = eye.static_pad("src").expect("always there");
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let seq = info.buffer().and_then(|buffer| observed(buffer));
        let _ = tell.send(seq.map(|(seq, _)| seq));
        gst::PadProbeReturn::Ok
    });
    for round in 0..50 {
        pipeline.set_state(gst::State::Playing).expect("it starts");
        common::wait_for_eos(&pipeline).expect("nothing fails");
        let seqs: Vec<_> = told.try_iter().collect();
        assert_eq!(seqs, [Some(0), Some(1)], "round {round}");
        assert_eq!(eye.property::<u64>("inferences"), 2);
        // Every second time only as far as what it has opened is released.
        let down = [gst::State::Null, gst::State::Ready][round % 2];
        pipeline.set_state(down).expect("it stops");
        assert_eq!(eye.property::<Option<String>>("provider-in-use"), None);
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// Says so when it is dropped, also by a panic: others run until then.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One element infers all the time while another of the same model comes and goes `rounds` times.
fn one_stays_while_another_comes_and_goes(rounds: usize) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let steady = scope.spawn(|| {
            let mut harness = watching("");
            let first = boxes(&mut harness).expect("inferred");
            assert!(!first.is_empty());
            let mut frames = 1_u64;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(boxes(&mut harness).as_ref(), Some(&first), "frame {frames}");
                frames += 1;
            }
            (first, frames)
        });
        let ends = Over(&over);
        let mut random = Random(5);
        let mut seen = Vec::new();
        for _ in 0..rounds {
            // Of the same sessions or, with two threads, of others.
            let settings = format!(
                "mode={} threads={}",
                ["sync", "latest"][random.below(2) as usize],
                1 + random.below(2)
            );
            let mut harness = watching(&settings);
            for _ in 0..random.below(4) {
                seen.extend(boxes(&mut harness));
            }
        }
        drop(ends);
        let (first, frames) = steady.join().expect("every frame shows the same");
        assert!(frames > rounds as u64 / 4, "{frames} frames");
        assert!(seen.iter().all(|boxes| boxes.len() == first.len()));
        println!(
            "measured: sessions shared while {rounds} elements come and go, frames of another element \
             that differ: 0 of {frames}"
        );
    });
}

#[test]
fn an_element_finds_the_same_while_others_of_its_model_come_and_go() {
    one_stays_while_another_comes_and_goes(12);
}

#[test]
#[ignore = "a thousand starts"]
fn soak_sessions_are_shared_by_a_thousand_elements() {
    one_stays_while_another_comes_and_goes(1000);
}
