//! `zedsrc` with SVO2 files: written here as the documented layout has them, since no file of a
//! real camera is at hand, with pictures whose number can be read off both eyes.

mod common;
#[path = "../plugins/zed/tests/film/mod.rs"]
#[allow(dead_code, reason = "the reader's own tests use the rest")]
mod film;
#[path = "../plugins/zed/tests/rig/mod.rs"]
#[allow(dead_code, reason = "the rig's own tests use the rest")]
mod rig;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use common::{PATIENCE, first_error, init, launch, play};
use film::{Film, SERIAL, START, time};
use gst::prelude::*;
use mcap::{Compression, WriteOptions};

const FRAMES: usize = 40;
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
    let buffer = sample.buffer().expect("a sample has a buffer");
    let caps = sample.caps().expect("a sample has caps");
    let info = gst_video::VideoInfo::from_caps(caps).expect("raw video");
    assert_eq!((info.width(), info.height()), (EYE.0 as u32, EYE.1 as u32));
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info);
    let frame = frame.expect("a frame can be read");
    let luma = frame.plane_data(0).expect("a frame has luma");
    let stride = gst_video::VideoFrameExt::plane_stride(&frame)[0] as usize;
    let middle = &luma[EYE.1 / 2 * stride..];
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
    let sink = pipeline.by_name("out").expect("the line names it");
    let sink: gst_app::AppSink = sink.downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for (n, picture) in pictures.iter().enumerate() {
        let mut buffer = gst::Buffer::from_mut_slice(picture.clone());
        let fields = buffer.get_mut().expect("a new buffer has one owner");
        fields.set_pts(gst::ClockTime::from_mseconds(20) * n as u64);
        source.push_buffer(buffer).expect("it takes buffers");
    }
    source.end_of_stream().expect("it takes the end");
    let samples = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE));
    let units: Vec<_> = samples
        .map(|sample| {
            let buffer = sample.buffer().expect("a sample has a buffer");
            buffer.map_readable().expect("it can be read").to_vec()
        })
        .collect();
    assert_eq!(units.len(), pictures.len(), "{:?}", first_error(&pipeline));
    pipeline.set_state(gst::State::Null).expect("it stops");
    units
}

fn stream(encoder: &str) -> Vec<Vec<u8>> {
    let pictures: Vec<_> = (0..FRAMES).map(picture).collect();
    encode(&pictures, (2 * EYE.0, EYE.1), encoder)
}

static H264: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    stream(
        "videoconvert ! video/x-raw,format=I420 ! x264enc bframes=0 key-int-max=12 tune=zerolatency quantizer=18 pass=quant ! video/x-h264,stream-format=byte-stream,alignment=au",
    )
});
static H265: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
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
            let bytes: Vec<u8> = grey.iter().flat_map(|y| [*y, 128]).collect();
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

fn film(units: &[Vec<u8>]) -> Film {
    Film {
        units: units.to_vec(),
        ..Film::default()
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a test's files"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        path
    }

    /// A launch line's `location`, with a settings folder that has no calibration.
    fn location(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.put(name, bytes);
        format!("location={}", path.display())
    }
}

fn start(properties: &str) -> (gst::Pipeline, gst_app::AppSink) {
    let line = format!("zedsrc name=zed {properties} ! appsink name=out sync=false");
    let pipeline = launch(&line);
    let sink = pipeline.by_name("out").expect("the line names it");
    (pipeline, sink.downcast().expect("an appsink"))
}

/// All pictures to the end, and the texts of all warnings.
fn all(properties: &str) -> (Vec<gst::Sample>, Vec<String>) {
    let (pipeline, sink) = start(properties);
    let started = pipeline.set_state(gst::State::Playing);
    assert!(started.is_ok(), "{:?}", first_error(&pipeline));
    let samples: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
    assert!(sink.is_eos(), "{:?}", first_error(&pipeline));
    (samples, warnings(&pipeline))
}

/// The texts of the warnings that wait on the bus, on which there is no error.
fn warnings(pipeline: &gst::Pipeline) -> Vec<String> {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let mut texts = Vec::new();
    while let Some(message) = bus.pop() {
        match message.view() {
            gst::MessageView::Warning(warning) => texts.push(warning.error().to_string()),
            gst::MessageView::Error(error) => panic!("{}", error.error()),
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    texts
}

fn pts(sample: &gst::Sample) -> u64 {
    let pts = sample.buffer().and_then(gst::BufferRef::pts);
    pts.expect("each picture has a time").nseconds()
}

/// The time at which a picture was taken, and the first value of acceleration.
fn taken(sample: &gst::Sample) -> (u64, f64) {
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
        let (pipeline, sink) = start(&location);
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
        let rest: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
        let shown: Vec<_> = rest.iter().map(number).collect();
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
    let (pipeline, sink) = start(&format!("{location} svo-real-time-mode=true"));
    let paused = pipeline.set_state(gst::State::Paused);
    assert_eq!(paused, Ok(gst::StateChangeSuccess::NoPreroll));
    let begun = Instant::now();
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let samples: Vec<_> = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE)).collect();
    let took = begun.elapsed();
    assert!(
        took.as_nanos() >= u128::from(time(FRAMES - 1) - START),
        "{took:?}"
    );
    let zed = pipeline.by_name("zed").expect("the line names it");
    let dropped: u64 = zed.property("dropped");
    assert_eq!(samples.len() as u64 + dropped, FRAMES as u64);
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

/// A recording of the wall that stands 1.5 m before the rig.
fn wall() -> Vec<u8> {
    let [left, right] = rig::pictures(1500.0, 0.0);
    let rows = left.chunks(rig::WIDTH).zip(right.chunks(rig::WIDTH));
    let both: Vec<u8> = rows.flat_map(|(l, r)| [l, r].concat()).collect();
    film(&strips(&[both], 2 * rig::WIDTH)).write(WriteOptions::new())
}

fn bytes(samples: &[gst::Sample]) -> Vec<u8> {
    let buffer = samples[0].buffer().expect("a sample has a buffer");
    buffer.map_readable().expect("it can be read").to_vec()
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
    assert!(bytes(&found) == bytes(&named));
    assert!(bytes(&found) != bytes(&plain), "nothing was bent");
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
    let middle = rig::HEIGHT / 2 * rig::WIDTH + rig::WIDTH / 2;
    // Rectifying turns the eyes a little, so it is no longer exactly as far.
    let near = |millimetres: u32| millimetres.abs_diff(1500) < 50;
    for source in &sources {
        let (shown, _) = all(&format!("{source} stream-type=depth"));
        let depth = &bytes(&shown)[2 * middle..][..2];
        let depth = u16::from_le_bytes([depth[0], depth[1]]);
        assert!(near(depth.into()), "{depth} mm");
        let (shown, _) = all(&format!("{source} stream-type=left-depth"));
        let depth = &bytes(&shown)[4 * (rig::WIDTH * rig::HEIGHT + middle)..][..4];
        let depth = u32::from_le_bytes([depth[0], depth[1], depth[2], depth[3]]);
        assert!(near(depth), "{depth} mm");
    }
}

/// What a start says that fails, or playing.
fn refusal(properties: &str) -> String {
    init();
    let line = format!("zedsrc name=zed {properties} ! fakesink");
    play(&launch(&line)).expect_err("it must not play")
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
    let changed = changed.write(WriteOptions::new());
    says(
        "changed.svo2",
        &changed,
        "",
        &["changed.svo2", "89 50 4e 47"],
    );
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

/// The lines that a sink got, to the end.
fn lines(sink: &gst_app::AppSink) -> Vec<serde_json::Value> {
    let samples = std::iter::from_fn(|| sink.try_pull_sample(PATIENCE));
    let lines = samples.map(|sample| {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let text = buffer.map_readable().expect("it can be read");
        let line: serde_json::Value = serde_json::from_slice(&text).expect("a line is JSON");
        let pts = buffer.pts().expect("a line has its picture's time");
        assert_eq!(line["media_time"].as_u64(), Some(pts.nseconds()));
        line
    });
    lines.collect()
}

fn appsink(pipeline: &gst::Pipeline, name: &str) -> gst_app::AppSink {
    let sink = pipeline.by_name(name).and_downcast();
    sink.expect("the line makes an appsink of this name")
}

#[test]
fn what_the_camera_felt_is_told_line_by_line_beside_the_pictures() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H265).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "zedsrc name=zed {location} ! queue ! appsink name=out sync=false \
         zed.meta ! queue ! appsink name=told sync=false"
    ));
    let (out, sink) = (appsink(&pipeline, "out"), appsink(&pipeline, "told"));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let told = lines(&sink);
    let shown: Vec<_> = std::iter::from_fn(|| out.try_pull_sample(PATIENCE)).collect();
    assert_eq!((told.len(), shown.len()), (FRAMES, FRAMES));
    for (line, sample) in told.iter().zip(&shown) {
        assert_eq!(line["media_time"].as_u64(), Some(pts(sample)));
        let (_, felt) = taken(sample);
        assert_eq!(line["sensors"]["acceleration"][0].as_f64(), Some(felt));
        assert_eq!(line["sensors"]["temperature"], 36.5);
        assert_eq!(line["sensors"]["calibrated"], false);
        assert!(line.get("objects").is_none(), "nobody looked for any");
    }
    assert_eq!(told[0]["time"], "2023-11-14T22:13:20.123Z");
    let [pictures, lines] = [&out, &sink].map(|sink| {
        let pad = sink.static_pad("sink").expect("a sink has a pad");
        let start = pad.sticky_event::<gst::event::StreamStart>(0);
        start.expect("a stream begins with its name")
    });
    assert_ne!(pictures.stream_id(), lines.stream_id());
    assert_eq!(pictures.group_id(), lines.group_id());
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn the_lines_alone_are_told_to_the_end_where_nobody_wants_the_pictures() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H265).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "zedsrc name=zed {location} zed.meta ! queue ! appsink name=told sync=false"
    ));
    let sink = appsink(&pipeline, "told");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    assert_eq!(lines(&sink).len(), FRAMES);
    assert!(sink.is_eos(), "{:?}", first_error(&pipeline));
    assert_eq!(first_error(&pipeline), None);
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn a_seek_is_carried_out_once_though_it_comes_by_the_lines_too() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H265).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "zedsrc name=zed {location} ! queue ! appsink name=out sync=false \
         zed.meta ! queue ! appsink name=told sync=false"
    ));
    pipeline.set_state(gst::State::Paused).expect("it starts");
    let (state, ..) = pipeline.state(PATIENCE);
    state.expect("it prerolls");
    let source = pipeline.by_name("zed").expect("the line names it");
    let pictures = source.static_pad("src").expect("a source has a pad");
    let flushes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&flushes);
    let probe = pictures.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        let event = info.event().map(|event| event.type_());
        let begins = event == Some(gst::EventType::FlushStart);
        counted.fetch_add(usize::from(begins), Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    assert!(probe.is_some());
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    for (seeks, target) in [(1, 17), (2, 5)] {
        let to = gst::ClockTime::from_nseconds(time(target) - START);
        pipeline
            .seek_simple(flags, to)
            .expect("a file can be sought");
        for name in ["out", "told"] {
            let sample = appsink(&pipeline, name).try_pull_preroll(PATIENCE);
            let sample = sample.unwrap_or_else(|| panic!("{name}: {:?}", first_error(&pipeline)));
            assert_eq!(pts(&sample), to.nseconds(), "{name}");
        }
        assert_eq!(flushes.load(Ordering::Relaxed), seeks);
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn there_is_one_pad_of_lines_at_a_time_and_a_second_is_refused_in_silence() {
    init();
    static CRITICALS: AtomicUsize = AtomicUsize::new(0);
    let levels = gst::glib::LogLevels::LEVEL_CRITICAL;
    gst::glib::log_set_handler(Some("GStreamer"), levels, false, false, |_, _, _| {
        CRITICALS.fetch_add(1, Ordering::Relaxed);
    });
    let source = gst::ElementFactory::make("zedsrc").build();
    let source = source.expect("the plugin has it");
    let template = source.pad_template("meta").expect("the class has it");
    let first = source.request_pad(&template, None, None);
    let first = first.expect("there is none yet");
    assert!(source.request_pad(&template, None, None).is_none());
    assert_eq!(CRITICALS.load(Ordering::Relaxed), 0);
    // Held by us still.
    source.release_request_pad(&first);
    assert!(source.request_pad(&template, None, None).is_some());
}

#[test]
fn the_gate_lets_the_lines_of_a_recording_through_and_no_other() {
    let folder = Folder::new();
    let location = folder.location("a.svo2", &film(&H264).write(WriteOptions::new()));
    let pipeline = launch(&format!(
        "signalgate name=gate activation-signal-offset=-100000000 \
         minimum-activation-time=150000000 activation-evaluation-window=0 \
         zedsrc name=zed {location} ! queue ! gate.sink zed.meta ! queue ! gate.sink_0 \
         gate.src ! queue ! appsink name=out sync=false async=false \
         gate.src_0 ! queue ! appsink name=told sync=false async=false"
    ));
    let (out, told) = (appsink(&pipeline, "out"), appsink(&pipeline, "told"));
    let gate = pipeline.by_name("gate").expect("the line names it");
    // Before the first picture comes, so that it does not matter how fast they do.
    gate.set_state(gst::State::Paused).expect("it starts");
    let trigger = r#"{"media_time":300000000}"#;
    let taken = gate.emit_by_name::<Option<String>>("trigger", &[&trigger]);
    assert!(taken.is_some());
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let told = lines(&told);
    let shown: Vec<_> = std::iter::from_fn(|| out.try_pull_sample(PATIENCE)).collect();
    // From the picture that is shown when the recording begins.
    let recorded: Vec<_> = (0..FRAMES)
        .map(|number| time(number) - START)
        .filter(|time| time + film::GAP > 200_000_000 && *time < 450_000_000)
        .collect();
    assert!(recorded.len() > 10);
    let times = |line: &serde_json::Value| line["media_time"].as_u64().expect("a number");
    assert_eq!(told.iter().map(times).collect::<Vec<_>>(), recorded);
    assert_eq!(shown.iter().map(pts).collect::<Vec<_>>(), recorded);
    pipeline.set_state(gst::State::Null).expect("it stops");
}
