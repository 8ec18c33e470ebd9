//! Video whose every frame carries its own number, as blocks of black and white that survive the
//! encoder: what is decoded from a clip says exactly which frames are in it.

use std::path::Path;

use gst::prelude::*;
use gst_video::prelude::*;

use super::common::launch;

pub const FRAME: i64 = 40_000_000;
const WIDTH: usize = 64;
const HEIGHT: usize = 48;
/// Edge of the square that stands for a bit.
const BLOCK: usize = 8;
const COLUMNS: usize = WIDTH / BLOCK;
const WHITE: u8 = 235;
const BLACK: u8 = 16;

/// Encoded buffers in decode order.
pub struct Stream {
    pub caps: gst::Caps,
    segment: gst::FormattedSegment<gst::ClockTime>,
    pub buffers: Vec<gst::Buffer>,
}

impl Stream {
    fn pull(pipeline: &gst::Pipeline) -> Self {
        let out = sink(pipeline, "out");
        let mut samples = Vec::new();
        while let Ok(sample) = out.pull_sample() {
            samples.push(sample);
        }
        down(pipeline);
        let first = samples.first().expect("something comes out");
        let segment = first.segment().expect("samples carry their segment");
        let segment = segment.downcast_ref().expect("a segment of time");
        let buffers = samples
            .iter()
            .map(|it| it.buffer_owned().expect("asked for"));
        Self {
            caps: first.caps_owned().expect("samples carry their caps"),
            segment: segment.clone(),
            buffers: buffers.collect(),
        }
    }

    /// What stands before the first buffer.
    pub fn head(&self) -> [gst::Event; 3] {
        [
            gst::event::StreamStart::new("numbered"),
            gst::event::Caps::new(&self.caps),
            gst::event::Segment::new(&self.segment),
        ]
    }

    fn running(&self, time: Option<gst::ClockTime>) -> Option<i64> {
        match self.segment.to_running_time_full(time?)? {
            gst::Signed::Positive(time) => Some(time.nseconds() as i64),
            gst::Signed::Negative(time) => Some(-(time.nseconds() as i64)),
        }
    }

    /// The running time at which a buffer is decoded.
    pub fn decoded_at(&self, buffer: &gst::BufferRef) -> i64 {
        let dts = self.running(buffer.dts());
        dts.or_else(|| self.running(buffer.pts()))
            .expect("encoders stamp what they make")
    }
}

fn sink(pipeline: &gst::Pipeline, name: &str) -> gst_app::AppSink {
    let sink = pipeline.by_name(name).expect("named in the line");
    sink.downcast().expect("an appsink")
}

fn down(pipeline: &gst::Pipeline) {
    pipeline
        .set_state(gst::State::Null)
        .expect("a pipeline can always be taken down");
}

/// H.264 at 25 frames a second, frame n at running time n · 40 ms.
pub fn video(seconds: usize, gop: usize, bframes: usize) -> Stream {
    let pipeline = launch(&format!(
        "appsrc name=in format=time max-bytes=0 caps=video/x-raw,format=I420,width={WIDTH},\
         height={HEIGHT},framerate=25/1 ! x264enc speed-preset=ultrafast pass=quant quantizer=25 \
         key-int-max={} bframes={bframes} b-adapt=false option-string=scenecut=0 ! h264parse \
         ! video/x-h264,stream-format=avc,alignment=au ! appsink name=out sync=false",
        gop * 25
    ));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let source = pipeline.by_name("in").expect("named in the line");
    let source = source.downcast::<gst_app::AppSrc>().expect("an appsrc");
    for number in 0..seconds * 25 {
        let taken = source.push_buffer(draw(number as u32));
        assert_eq!(taken, Ok(gst::FlowSuccess::Ok));
    }
    assert_eq!(source.end_of_stream(), Ok(gst::FlowSuccess::Ok));
    Stream::pull(&pipeline)
}

/// AAC in frames of 1024 samples at 48 kHz.
pub fn audio(seconds: usize) -> Stream {
    let pipeline = launch(&format!(
        "audiotestsrc samplesperbuffer=1024 num-buffers={} ! audio/x-raw,rate=48000,channels=1 \
         ! avenc_aac ! aacparse ! audio/mpeg,stream-format=raw ! appsink name=out sync=false",
        seconds * 48_000 / 1024
    ));
    pipeline.set_state(gst::State::Playing).expect("it starts");
    Stream::pull(&pipeline)
}

/// How long one buffer of [`audio`] is heard.
pub const AUDIO_FRAME: i64 = 1024 * 1_000_000_000 / 48_000;

/// The 16 bits of a number, then the same inverted, by which a frame that decoded badly is found out.
fn bits(number: u32) -> impl Iterator<Item = bool> {
    let word = (number & 0xffff) | (!number << 16);
    (0..32).map(move |bit| word >> bit & 1 == 1)
}

fn draw(number: u32) -> gst::Buffer {
    let mut planes = vec![128; WIDTH * HEIGHT * 3 / 2];
    let luma = &mut planes[..WIDTH * HEIGHT];
    luma.fill(BLACK);
    for (at, _) in bits(number).enumerate().filter(|&(_, bit)| bit) {
        let (left, top) = (at % COLUMNS * BLOCK, at / COLUMNS * BLOCK);
        for row in top..top + BLOCK {
            luma[row * WIDTH + left..][..BLOCK].fill(WHITE);
        }
    }
    let mut buffer = gst::Buffer::from_mut_slice(planes);
    let fields = buffer.get_mut().expect("new");
    fields.set_pts(gst::ClockTime::from_nseconds(
        u64::from(number) * FRAME as u64,
    ));
    fields.set_duration(gst::ClockTime::from_nseconds(FRAME as u64));
    buffer
}

/// The number in a decoded frame; `None` where it is not as it was drawn.
fn read(frame: &gst_video::VideoFrameRef<&gst::BufferRef>) -> Option<u32> {
    let (luma, stride) = (frame.plane_data(0).ok()?, frame.plane_stride()[0] as usize);
    let word = (0..32).fold(0, |word, at| {
        let (x, y) = (at % COLUMNS * BLOCK, at / COLUMNS * BLOCK);
        let middle = luma[(y + BLOCK / 2) * stride + x + BLOCK / 2];
        word | u32::from(middle > 128) << at
    });
    let number = word & 0xffff;
    (!number << 16 | number == word).then_some(number)
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Clip {
    /// The numbers in the order in which they are shown.
    pub numbers: Vec<Option<u32>>,
    /// Whether the first sample holds an IDR picture.
    pub starts_on_keyframe: bool,
    /// PTS of the first video and of the first audio sample.
    pub starts: (Option<i64>, Option<i64>),
}

/// Decodes an MP4 or, where it ends so, a Matroska file.
pub fn decode(path: &Path, audio: bool) -> Clip {
    let matroska = path.extension().is_some_and(|it| it == "mkv");
    let pipeline = launch(&format!(
        "filesrc location={} ! {} name=d d.video_0 ! queue max-size-time=0 ! h264parse \
         ! video/x-h264,stream-format=avc,alignment=au ! identity name=coded \
         ! avdec_h264 max-threads=1 ! video/x-raw,format=I420 ! appsink name=out sync=false {}",
        path.display(),
        if matroska { "matroskademux" } else { "qtdemux" },
        if audio {
            "d.audio_0 ! queue max-size-time=0 ! appsink name=heard sync=false"
        } else {
            ""
        },
    ));
    let coded = pipeline.by_name("coded").expect("named in the line");
    let (sender, first) = std::sync::mpsc::channel();
    let pad = coded.static_pad("sink").expect("always there");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().expect("asked for buffers");
        let _ = sender.send((is_idr(buffer), nanoseconds(buffer.pts())));
        gst::PadProbeReturn::Remove
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let out = sink(&pipeline, "out");
    let mut clip = Clip::default();
    while let Ok(sample) = out.pull_sample() {
        let info = gst_video::VideoInfo::from_caps(sample.caps().expect("raw video has caps"));
        let buffer = sample.buffer().expect("asked for");
        let info = info.expect("the caps are of raw video");
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info);
        clip.numbers.push(read(&frame.expect("it can be mapped")));
    }
    if audio && let Ok(sample) = sink(&pipeline, "heard").pull_sample() {
        clip.starts.1 = nanoseconds(sample.buffer().and_then(gst::BufferRef::pts));
    }
    down(&pipeline);
    if let Ok((idr, pts)) = first.try_recv() {
        (clip.starts_on_keyframe, clip.starts.0) = (idr, pts);
    }
    clip
}

fn nanoseconds(time: Option<gst::ClockTime>) -> Option<i64> {
    time.map(|time| time.nseconds() as i64)
}

/// Whether a sample in AVC form, NAL units behind their lengths, holds an IDR slice.
fn is_idr(buffer: &gst::BufferRef) -> bool {
    let map = buffer.map_readable().expect("ordinary memory");
    let mut rest = map.as_slice();
    while let Some((length, units)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if units.first().is_some_and(|header| header & 0x1f == 5) {
            return true;
        }
        rest = units.get(length..).unwrap_or_default();
    }
    false
}
