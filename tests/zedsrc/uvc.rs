//! USB cameras without the SDK, for which the kernel has a stand-in. It has to be there from the
//! start, so each test runs again in a process of its own.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use gst::prelude::*;

use crate::common::warnings;
use crate::depth::assert_wall;
use crate::rig::{self, HEIGHT, WIDTH};
use crate::run::{
    EYES, Folder, MIDDLE, assert_shown, bent, bytes, caps, is_broken, refusal, sample, start, yuyv,
};
use crate::stubs::built;

const CAMERA: &str = "backend=uvc camera-resolution=vga camera-fps=100";

/// Runs the test again with the kernel's stand-in; true in the process that has it.
fn with_uvc_camera(name: &str) -> bool {
    with_uvc_camera_that_sees(name, None)
}

/// The same of a camera whose pictures are all this one, in YUYV.
fn with_uvc_camera_that_sees(name: &str, picture: Option<fn() -> Vec<u8>>) -> bool {
    if env::var_os("ZED_SHIM").is_some() {
        return true;
    }
    let folder = Folder::new();
    let shim = built("uvc/shim.c", &[], folder.path(), "shim.so");
    if let Some(picture) = picture {
        folder.put("picture", &picture());
    }
    let video = folder.path().join("sys/class/video4linux/video0/device");
    fs::create_dir_all(&video).expect("a folder is made");
    fs::write(video.join("modalias"), "usb:v2B03pF880d0102\n").expect("a file is written");
    let hid = folder.path().join("sys/devices/1-2/interface/hid");
    fs::create_dir_all(&hid).expect("a folder is made");
    let uevent = "HID_ID=0003:00002B03:0000F881\nHID_UNIQ=38486288\n";
    fs::write(hid.join("uevent"), uevent).expect("a file is written");
    let class = folder.path().join("sys/class/hidraw/hidraw0");
    fs::create_dir_all(&class).expect("a folder is made");
    symlink(hid, class.join("device")).expect("a link is made");
    let mut child = Command::new(env::current_exe().expect("a test knows its own program"));
    child.args([&format!("uvc::{name}"), "--exact", "--nocapture"]);
    child
        .env("LD_PRELOAD", &shim)
        .env("ZED_SHIM", folder.path())
        .env("ZED_SHIM_SYSTEM", "1");
    let output = child.output().expect("the test runs again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("1 passed"),
        "{name} is no test's name\n{text}"
    );
    false
}

#[test]
fn a_usb_camera_shows_either_eye_without_the_sdk() {
    if !with_uvc_camera("a_usb_camera_shows_either_eye_without_the_sdk") {
        return;
    }
    for (stream_type, expected, luma) in [
        ("left", "I420 672x376 100", 50),
        ("right", "I420 672x376 100", 200),
        ("top-bottom", "I420 672x752 100", 50),
        ("side-by-side", "I420 1344x376 100", 50),
    ] {
        let (pipeline, sink) = start(&format!("{CAMERA} stream-type={stream_type}"));
        let sample = sample(&pipeline, &sink);
        assert_eq!(caps(&sample), expected);
        let buffer = sample.buffer().expect("a buffer");
        assert_eq!(bytes(&sample)[1], luma);
        assert!(gst::meta::CustomMeta::from_buffer(buffer, "GstEvrZedMeta").is_ok());
        // Without its calibration the camera is shown as it is, and that is said.
        let told = warnings(&pipeline);
        let address = "https://calib.stereolabs.com/?SN=38486288";
        assert!(told.len() == 1 && told[0].contains(address), "{told:?}");
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

#[test]
fn a_usb_camera_is_rectified_by_its_calibration_where_that_is_found_by_number() {
    let name = "a_usb_camera_is_rectified_by_its_calibration_where_that_is_found_by_number";
    if !with_uvc_camera_that_sees(name, Some(wall)) {
        return;
    }
    let folder = Folder::new();
    let camera = format!(
        "{CAMERA} optional-settings-path={}",
        folder.path().display()
    );
    let shown = || {
        let (pipeline, sink) = start(&camera);
        let sample = sample(&pipeline, &sink);
        assert_eq!(caps(&sample), "I420 672x376 100");
        let told = warnings(&pipeline);
        pipeline.set_state(gst::State::Null).expect("it stops");
        (bytes(&sample), told)
    };
    let (plain, told) = shown();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_shown(&plain[..WIDTH * HEIGHT], &EYES[0]);
    folder.put("SN38486288.conf", rig::CALIBRATION.as_bytes());
    let (rectified, told) = shown();
    assert_eq!(told, [""; 0]);
    assert_shown(&rectified[..WIDTH * HEIGHT], &bent()[0]);
    assert!(rectified[..] != plain[..], "nothing was bent");
}

#[test]
fn what_is_told_of_an_opening_comes_in_order() {
    if !with_uvc_camera("what_is_told_of_an_opening_comes_in_order") {
        return;
    }
    let camera = CAMERA.replace("backend=uvc", "sdk-library=/nowhere/sdk.so");
    let (pipeline, sink) = start(&camera);
    sample(&pipeline, &sink);
    let told = warnings(&pipeline);
    let words = ["read without the SDK", "pictures stay unrectified"];
    assert_eq!(told.len(), words.len(), "{told:?}");
    for (text, word) in told.iter().zip(words) {
        assert!(text.contains(word), "{told:?}");
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

/// When a picture was taken, in nanoseconds.
fn taken(sample: &gst::Sample) -> u64 {
    let buffer = sample.buffer().expect("a sample has a buffer");
    let reference = buffer.meta::<gst::ReferenceTimestampMeta>();
    reference.expect("a camera tells").timestamp().nseconds()
}

/// What the rig sees, as the camera sends it.
fn wall() -> Vec<u8> {
    yuyv(&rig::beside(&EYES))
}

#[test]
fn depth_of_a_usb_camera_is_matched_from_the_newest_pictures_and_the_others_are_told_of() {
    let name =
        "depth_of_a_usb_camera_is_matched_from_the_newest_pictures_and_the_others_are_told_of";
    if !with_uvc_camera_that_sees(name, Some(wall)) {
        return;
    }
    let camera = format!("{CAMERA} depth-mode=quality depth-minimum-distance=700");
    let missing = refusal(&format!("{camera} stream-type=depth"));
    for word in ["depth is asked for", "SN38486288.conf"] {
        assert!(missing.contains(word), "{missing} lacks {word}");
    }
    let folder = Folder::new();
    folder.put("SN38486288.conf", rig::CALIBRATION.as_bytes());
    let camera = format!(
        "{camera} optional-settings-path={}",
        folder.path().display()
    );
    for (stream_type, expected, wide, at) in [
        ("depth", "GRAY16_LE 672x376 100", 2, MIDDLE),
        ("left-depth", "BGRA 672x752 100", 4, WIDTH * HEIGHT + MIDDLE),
    ] {
        let (pipeline, sink) = start(&format!("{camera} stream-type={stream_type}"));
        let source = pipeline.by_name("zed").expect("the line names it");
        // The first was taken at the opening, and what came until the second nobody asked for.
        sample(&pipeline, &sink);
        let mut last = taken(&sample(&pipeline, &sink));
        let mut breaks = 0;
        for _ in 0..3 {
            let next = sample(&pipeline, &sink);
            assert_eq!(caps(&next), expected);
            let mut depth = [0; 4];
            depth[..wide].copy_from_slice(&bytes(&next)[at * wide..][..wide]);
            let depth = u32::from_le_bytes(depth);
            assert_wall(depth);
            if is_broken(&next) {
                breaks += 1;
                let gap = taken(&next).saturating_sub(last);
                assert!(gap > 15_000_000, "{gap}");
            }
            last = taken(&next);
        }
        // At the whole size it takes longer than a hundredth of a second on any machine.
        let dropped: u64 = source.property("dropped");
        assert!(breaks > 0 && dropped >= breaks, "{dropped} in {breaks}");
        let mut latency = gst::query::Latency::new();
        assert!(source.query(&mut latency));
        let frame = gst::ClockTime::from_mseconds(10);
        assert!(latency.result().1 > frame, "{latency:?}");
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}
