//! `zedsrc` with SVO2 files: written here as the documented layout has them, since no file of a
//! real camera is at hand, with pictures whose number can be read off both eyes.

use std::sync::LazyLock;
use std::time::Instant;

use gst::prelude::*;
use mcap::{Compression, WriteOptions};

use crate::common::{PATIENCE, first_error, launch, play};
use crate::depth::assert_wall;
use crate::film::{self, Film, SERIAL, START, time};
use crate::rig::{self, HEIGHT, WIDTH};
use crate::run::{EYES, Folder, MIDDLE, all, appsink, bytes, line, luma, pts, refusal, rest, yuyv};

/// Of the files here.
pub const FRAMES: usize = 40;
/// Of one eye.
const EYE: (usize, usize) = (128, 64);
/// Each bit of a picture's number is a stripe.
const BITS: usize = 8;
/// By so much the right eye's number is greater.
const RIGHT: usize = 100;

/// The picture with both eyes, grey.
fn picture(number: usize) -> Vec<u8> {
    let stripe = EYE.0 / BITS;
    let row: Vec<u8> = [number, number + RIGHT]
        .into_iter()
        .flat_map(|shown| {
            (0..EYE.0).map(move |x| match shown >> (x / stripe) & 1 {
                0 => 40,
                _ => 210,
            })
        })
        .collect();
    row.repeat(EYE.1)
}

/// The number that an eye shows.
fn number(sample: &gst::Sample) -> usize {
    let luma = luma(sample);
    assert_eq!(luma.len(), EYE.0 * EYE.1);
    let middle = &luma[EYE.1 / 2 * EYE.0..];
    let stripe = EYE.0 / BITS;
    (0..BITS)
        .filter(|bit| middle[bit * stripe + stripe / 2] > 128)
        .map(|bit| 1 << bit)
        .sum()
}

/// Runs grey pictures through an encoder; one buffer a picture.
fn encode(pictures: &[Vec<u8>], (width, height): (usize, usize), encoder: &str) -> Vec<Vec<u8>> {
    let line = format!(
        "appsrc name=in format=time caps=video/x-raw,format=GRAY8,width={width},height={height},framerate=60/1 ! {encoder} ! appsink name=out sync=false"
    );
    let pipeline = launch(&line);
    let source = pipeline.by_name("in").expect("the line names it");
    let source: gst_app::AppSrc = source.downcast().expect("an appsrc");
    let sink = appsink(&pipeline, "out");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for (n, picture) in pictures.iter().enumerate() {
        let mut buffer = gst::Buffer::from_mut_slice(picture.clone());
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        fields.set_pts(gst::ClockTime::from_mseconds(20) * n as u64);
        source.push_buffer(buffer).expect("it takes buffers");
    }
    source.end_of_stream().expect("it takes the end");
    let units: Vec<_> = rest(&pipeline, &sink).iter().map(bytes).collect();
    assert_eq!(units.len(), pictures.len());
    pipeline.set_state(gst::State::Null).expect("it stops");
    units
}

fn stream(encoder: &str) -> Vec<Vec<u8>> {
    let pictures: Vec<_> = (0..FRAMES).map(picture).collect();
    encode(&pictures, (2 * EYE.0, EYE.1), encoder)
}

pub static H264: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    stream(
        "videoconvert ! video/x-raw,format=I420 ! x264enc bframes=0 key-int-max=12 tune=zerolatency quantizer=18 pass=quant ! video/x-h264,stream-format=byte-stream,alignment=au",
    )
});
pub static H265: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    stream(
        "videoconvert ! video/x-raw,format=I420 ! x265enc key-int-max=12 speed-preset=ultrafast tune=zerolatency option-string=bframes=0:repeat-headers=1:qp=18 ! h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
    )
});
static STRIPS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| strips(&(0..FRAMES).map(picture).collect::<Vec<_>>(), 2 * EYE.0));

/// Messages of four grey JPEG pictures, whose pixels are the bytes of YUYV.
fn strips(pictures: &[Vec<u8>], width: usize) -> Vec<Vec<u8>> {
    let quarters: Vec<Vec<u8>> = pictures
        .iter()
        .flat_map(|grey| {
            let bytes = yuyv(grey);
            let quarter = bytes.len() / 4;
            bytes
                .chunks(quarter)
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect();
    let height = pictures[0].len() / width / 4;
    let jpegs = encode(&quarters, (2 * width, height), "jpegenc quality=100");
    let messages = jpegs.chunks(4).map(|four| {
        let mut message = vec![0; 8];
        for jpeg in four {
            message.extend((jpeg.len() as u64).to_le_bytes());
        }
        message.extend(four.concat());
        message
    });
    messages.collect()
}

pub fn film(units: &[Vec<u8>]) -> Film {
    Film {
        units: units.to_vec(),
        ..Film::default()
    }
}

/// The time at which a picture was taken, and the first value of acceleration.
pub fn taken(sample: &gst::Sample) -> (u64, f64) {
    let buffer = sample.buffer().expect("a sample has a buffer");
    let reference = buffer.meta::<gst::ReferenceTimestampMeta>();
    let reference = reference.expect("each picture has its capture time");
    assert_eq!(reference.reference().to_string(), "timestamp/x-unix");
    let felt = gst::meta::CustomMeta::from_buffer(buffer, "GstEvrZedMeta");
    let felt = felt.expect("each picture has what was felt");
    let acceleration = felt.structure().get::<gst::Array>("acceleration");
    let x = acceleration.expect("it was felt")[0]
        .get()
        .expect("a number");
    assert_eq!(felt.structure().get::<bool>("calibrated"), Ok(false));
    (reference.timestamp().nseconds(), x)
}

#[track_caller]
fn complete(samples: &[gst::Sample], right: bool, what: &str) {
    assert_eq!(samples.len(), FRAMES, "{what}");
    for (n, sample) in samples.iter().enumerate() {
        let shown = if right { n + RIGHT } else { n };
        assert_eq!(number(sample), shown, "{what}");
        assert_eq!(pts(sample), time(n) - START, "{what}");
        let (captured, felt) = taken(sample);
        assert_eq!(captured, time(n), "{what}");
        // The newest sample by then; the first is 1 µs older than the first picture.
        assert_eq!(
            felt as u64,
            (time(n) - START + 1000) / film::SENSED,
            "{what}"
        );
    }
}

#[test]
fn every_picture_of_every_encoding_is_shown_in_order_at_its_time() {
    let folder = Folder::new();
    for (name, units) in [("h264", &H264), ("h265", &H265), ("strips", &STRIPS)] {
        for compression in [None, Some(Compression::Lz4), Some(Compression::Zstd)] {
            let options = WriteOptions::new()
                .compression(compression)
                .chunk_size(Some(4000));
            let location = folder.location("a.svo2", &film(units).write(options));
            complete(&all(&location).0, false, name);
            let right = format!("{location} stream-type=right");
            complete(&all(&right).0, true, name);
        }
    }
}

#[test]
fn a_seek_shows_exactly_the_picture_of_that_time() {
    let folder = Folder::new();
    for (name, units) in [("h264", &H264), ("h265", &H265), ("strips", &STRIPS)] {
        let location = folder.location("a.svo2", &film(units).write(WriteOptions::new()));
        let (pipeline, sink) = line(&location);
        pipeline.set_state(gst::State::Paused).expect("it starts");
        let (state, ..) = pipeline.state(PATIENCE);
        state.expect("it prerolls");
        let length = pipeline.query_duration::<gst::ClockTime>();
        let length = length.expect("a file has a length").nseconds();
        assert!(length.abs_diff(time(FRAMES - 1) - START + film::GAP) < 1000);
        // Between keys, on one, back, and the first and last.
        for target in [17, 24, 5, 0, FRAMES - 1] {
            let to = gst::ClockTime::from_nseconds(time(target) - START);
            let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
            pipeline
                .seek_simple(flags, to)
                .expect("a file can be sought");
            let sample = sink.try_pull_preroll(PATIENCE);
            let sample = sample.unwrap_or_else(|| panic!("{name}: {:?}", first_error(&pipeline)));
            assert_eq!(number(&sample), target, "{name}");
            assert_eq!(pts(&sample), to.nseconds(), "{name}");
            assert_eq!(taken(&sample).0, time(target), "{name}");
        }
        let to = gst::ClockTime::from_nseconds(time(29) - START);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        pipeline
            .seek_simple(flags, to)
            .expect("a file can be sought");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let shown: Vec<_> = rest(&pipeline, &sink).iter().map(number).collect();
        assert_eq!(shown, (29..FRAMES).collect::<Vec<_>>(), "{name}");
        pipeline.set_state(gst::State::Null).expect("it stops");
    }
}

#[test]
fn a_file_that_was_cut_off_is_shown_as_far_as_it_goes_and_a_warning_says_so() {
    let folder = Folder::new();
    let whole = film(&H265).write(WriteOptions::new().use_chunks(false));
    for kept in [3, 20, FRAMES - 1] {
        // In the middle of the picture behind them.
        let next = &H265[kept];
        let at = whole.windows(next.len()).position(|bytes| bytes == next);
        let cut = at.expect("the file holds it") + next.len() / 2;
        let location = folder.location("cut.svo2", &whole[..cut]);
        let (samples, warnings) = all(&location);
        let shown: Vec<_> = samples.iter().map(number).collect();
        assert_eq!(shown, (0..kept).collect::<Vec<_>>());
        let told = format!("cut.svo2 was never finished: the {kept} pictures");
        assert!(
            warnings.iter().any(|text| text.contains(&told)),
            "{warnings:?}"
        );
    }
}

#[test]
fn in_real_time_it_is_a_live_source_that_keeps_the_pace() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H264).write(WriteOptions::new()));
    let (pipeline, sink) = line(&format!("{location} svo-real-time-mode=true"));
    let paused = pipeline.set_state(gst::State::Paused);
    assert_eq!(paused, Ok(gst::StateChangeSuccess::NoPreroll));
    let begun = Instant::now();
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let samples = rest(&pipeline, &sink);
    let took = begun.elapsed();
    assert!(
        took.as_nanos() >= u128::from(time(FRAMES - 1) - START),
        "{took:?}"
    );
    let zed = pipeline.by_name("zed").expect("the line names it");
    let dropped: u64 = zed.property("dropped");
    assert_eq!(samples.len() as u64 + dropped, FRAMES as u64);
    assert!(!samples.is_empty(), "every picture came too late");
    for sample in &samples {
        assert_eq!(taken(sample).0, time(number(sample)));
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn svo_file_path_is_played_without_the_sdk_where_that_is_not_installed() {
    let folder = Folder::new();
    let path = folder.put("a.svo2", &film(&H265).write(WriteOptions::new()));
    let path = format!(
        "svo-file-path={} sdk-library=/nowhere/sdk.so",
        path.display()
    );
    let (samples, warnings) = all(&path);
    complete(&samples, false, "svo-file-path");
    let told = warnings
        .iter()
        .find(|text| text.contains("read without the SDK"));
    assert!(
        told.is_some_and(|text| text.contains("/nowhere/sdk.so")),
        "{warnings:?}"
    );
}

/// A recording of the wall that the rig sees.
fn wall() -> Vec<u8> {
    film(&strips(&[rig::beside(&EYES)], 2 * WIDTH)).write(WriteOptions::new())
}

#[test]
fn the_factory_calibration_is_taken_by_the_number_in_the_file_and_missed_with_a_warning() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &wall());
    let location = format!(
        "{location} optional-settings-path={}",
        folder.path().display()
    );
    let (plain, warnings) = all(&location);
    let missing = format!("SN{SERIAL}.conf");
    assert!(
        warnings.iter().any(|text| text.contains(&missing)),
        "{warnings:?}"
    );
    let conf = folder.put(&missing, rig::CALIBRATION.as_bytes());
    let (found, warnings) = all(&location);
    assert_eq!(warnings, [""; 0]);
    let (named, _) = all(&format!("{location} calibration-file={}", conf.display()));
    assert!(bytes(&found[0]) == bytes(&named[0]));
    assert!(bytes(&found[0]) != bytes(&plain[0]), "nothing was bent");
}

#[test]
fn depth_is_matched_by_the_factory_calibration_and_refused_without_one() {
    let folder = Folder::new();
    let path = folder.put("a.svo2", &wall());
    let more = format!(
        "optional-settings-path={} depth-minimum-distance=700",
        folder.path().display()
    );
    let sources = [
        format!("location={} {more}", path.display()),
        format!(
            "svo-file-path={} sdk-library=/nowhere/sdk.so {more}",
            path.display()
        ),
    ];
    let missing = format!("SN{SERIAL}.conf");
    for source in &sources {
        let said = refusal(&format!("{source} stream-type=depth"));
        for word in ["depth is asked for", &missing, "calibration-file"] {
            assert!(said.contains(word), "{said} lacks {word}");
        }
    }
    folder.put(&missing, rig::CALIBRATION.as_bytes());
    for source in &sources {
        let (shown, _) = all(&format!("{source} stream-type=depth"));
        let depth = &bytes(&shown[0])[2 * MIDDLE..][..2];
        let depth = u16::from_le_bytes([depth[0], depth[1]]);
        assert_wall(depth.into());
        let (shown, _) = all(&format!("{source} stream-type=left-depth"));
        let depth = &bytes(&shown[0])[4 * (WIDTH * HEIGHT + MIDDLE)..][..4];
        let depth = u32::from_le_bytes([depth[0], depth[1], depth[2], depth[3]]);
        assert_wall(depth);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_a_sentence_that_names_it() {
    let folder = Folder::new();
    let says = |name: &str, bytes: &[u8], more: &str, words: &[&str]| {
        let said = refusal(&format!("{} {more}", folder.location(name, bytes)));
        for word in words {
            assert!(said.contains(word), "{name}: {said} lacks {word}");
        }
    };
    let old = b"\x00\x01SVO of an old SDK";
    says(
        "old.svo",
        old,
        "",
        &[
            "zed: location=",
            "old.svo: it is no SVO2 file",
            "\\x00\\x01SVO o",
            "backend=sdk",
        ],
    );
    says("empty.svo2", b"", "", &["begins with nothing"]);
    let unknown = film(&[b"\x28\xb5\x2f\xfdzstd".to_vec()]).write(WriteOptions::new());
    says(
        "zstd.svo2",
        &unknown,
        "",
        &["zstd.svo2: its pictures are encoded", "28 b5 2f fd"],
    );
    let whole = film(&H264).write(WriteOptions::new());
    says(
        "a.svo2",
        &whole,
        "camera-sn=77",
        &["camera 77", "12345678", "camera-sn"],
    );
    // One that is more than any serial number, and so of no camera either.
    says(
        "a.svo2",
        &whole,
        "camera-sn=12345678901",
        &["camera-sn=12345678901 is no serial number"],
    );
    let mut changed = film(&H264);
    changed.units[9] = b"\x89PNG of another kind".to_vec();
    // Found while it is played.
    let changed = changed.write(WriteOptions::new());
    let location = folder.location("changed.svo2", &changed);
    let said = play(&launch(&format!("zedsrc {location} ! fakesink")));
    let said = said.expect_err("it must not play to the end");
    for word in ["changed.svo2", "89 50 4e 47"] {
        assert!(said.contains(word), "{said} lacks {word}");
    }
    let path = folder.put("old.svo", old);
    let said = refusal(&format!(
        "svo-file-path={} sdk-library=/nowhere/sdk.so",
        path.display()
    ));
    for word in [
        "svo-file-path=",
        "no SVO2 file",
        "Nor does the SDK help",
        "/nowhere/sdk.so",
    ] {
        assert!(said.contains(word), "{said} lacks {word}");
    }
}
