//! The picture of a recording: the frame of its first signal, taken out of the finished clip.

use std::path::Path;

use evr_core::detection::Detection;
use evr_core::time::Nanos;
use gst::prelude::*;

use super::draw::Canvas;

/// For each step; decoding one group of pictures takes a fraction of it.
const DEADLINE: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// What to take.
pub(super) struct Picture<'a> {
    pub(super) clip: &'a Path,
    /// From the clip's start, in nanoseconds.
    pub(super) at: Nanos,
    /// What to draw boxes around.
    pub(super) objects: Vec<Detection>,
}

/// Decodes the frame, draws the boxes and encodes it as JPEG.
///
/// # Errors
/// Why there is none; the clip is as good as before.
pub(super) fn take(picture: &Picture) -> Result<Vec<u8>, String> {
    let pipeline = gst::Pipeline::new();
    let taken = frame(&pipeline, picture);
    // A pipeline always reaches NULL.
    let _ = pipeline.set_state(gst::State::Null);
    let (mut buffer, info) = taken?;
    outline(&mut buffer, &info, &picture.objects)?;

    let pipeline = gst::Pipeline::new();
    let jpeg = encode(&pipeline, &buffer, &info);
    let _ = pipeline.set_state(gst::State::Null);
    jpeg
}

/// `filesrc ! decodebin ! videoconvert ! appsink`, prerolled at the frame.
fn frame(
    pipeline: &gst::Pipeline,
    picture: &Picture,
) -> Result<(gst::Buffer, gst_video::VideoInfo), String> {
    let source = make("filesrc")?;
    source.set_property("location", picture.clip);
    let decoder = make("decodebin")?;
    let convert = make("videoconvert")?;
    let sink = gst_app::AppSink::builder()
        .caps(
            &gst_video::VideoCapsBuilder::new()
                .format(gst_video::VideoFormat::Rgb)
                .build(),
        )
        .sync(false)
        .build();
    pipeline
        .add_many([&source, &decoder, &convert, sink.upcast_ref()])
        .and_then(|()| source.link(&decoder))
        .and_then(|()| convert.link(&sink))
        .map_err(|err| err.to_string())?;
    if let Some(decoder) = decoder.downcast_ref::<gst::Bin>() {
        decoder.connect_deep_element_added(|_, _, element| {
            // Each further thread of libav decodes a frame ahead that nobody looks at.
            let count = element.find_property("max-threads");
            if count.is_some_and(|count| count.value_type() == i32::static_type()) {
                element.set_property("max-threads", 1);
            }
        });
    }
    decoder.connect_pad_added(move |_, pad| {
        if let Some(target) = convert.static_pad("sink") {
            // Streams that are no video do not link, which is right.
            let _ = pad.link(&target);
        }
    });

    let prerolled = |what: &str| match pipeline.state(DEADLINE).0 {
        Ok(gst::StateChangeSuccess::Async) => Err(format!("{what} took longer than {DEADLINE}")),
        Ok(_) => Ok(()),
        Err(_) => Err(why(pipeline, what)),
    };
    let _ = pipeline.set_state(gst::State::Paused);
    prerolled("decoding")?;
    // Signals may speak of the very end, where a seek finds nothing.
    let sought = pipeline.seek_simple(
        gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
        gst::ClockTime::from_nseconds(u64::try_from(picture.at).unwrap_or(0)),
    );
    sought.map_err(|_| "the clip cannot be sought in".to_owned())?;
    prerolled("seeking")?;
    let sample = sink
        .try_pull_preroll(DEADLINE)
        .ok_or_else(|| why(pipeline, "seeking"))?;
    let buffer = sample.buffer_owned().ok_or("the frame is empty")?;
    let info = sample
        .caps()
        .and_then(|caps| gst_video::VideoInfo::from_caps(caps).ok())
        .ok_or("the frame has no size")?;
    Ok((buffer, info))
}

fn outline(
    buffer: &mut gst::Buffer,
    info: &gst_video::VideoInfo,
    objects: &[Detection],
) -> Result<(), String> {
    let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), info)
        .map_err(|err| err.to_string())?;
    let (width, height) = (info.width() as usize, info.height() as usize);
    let stride = usize::try_from(info.stride()[0]).map_err(|err| err.to_string())?;
    let mut canvas = Canvas {
        pixels: frame.plane_data_mut(0).map_err(|err| err.to_string())?,
        width,
        height,
        stride,
    };
    for object in objects {
        canvas.outline(object.bbox);
    }
    Ok(())
}

/// `appsrc ! jpegenc ! appsink`.
fn encode(
    pipeline: &gst::Pipeline,
    buffer: &gst::Buffer,
    info: &gst_video::VideoInfo,
) -> Result<Vec<u8>, String> {
    let caps = info.to_caps().map_err(|err| err.to_string())?;
    let source = gst_app::AppSrc::builder()
        .caps(&caps)
        .format(gst::Format::Time)
        .build();
    let encoder = make("jpegenc")?;
    let sink = gst_app::AppSink::builder().sync(false).build();
    pipeline
        .add_many([source.upcast_ref(), &encoder, sink.upcast_ref()])
        .and_then(|()| gst::Element::link_many([source.upcast_ref(), &encoder, sink.upcast_ref()]))
        .map_err(|err| err.to_string())?;
    let _ = pipeline.set_state(gst::State::Playing);
    let mut buffer = buffer.clone();
    let fields = buffer.make_mut();
    fields.set_pts(gst::ClockTime::ZERO);
    fields.set_dts(None);
    source
        .push_buffer(buffer)
        .and_then(|_| source.end_of_stream())
        .map_err(|err| err.to_string())?;
    let sample = sink
        .try_pull_sample(DEADLINE)
        .ok_or_else(|| why(pipeline, "encoding"))?;
    let jpeg = sample
        .buffer()
        .and_then(|buffer| buffer.map_readable().ok());
    Ok(jpeg.ok_or("the JPEG is empty")?.to_vec())
}

fn make(element: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(element).build().map_err(|_| {
        format!("the element {element} is missing: install GStreamer's base and good plugins")
    })
}

/// The pipeline's own words, if it said any.
fn why(pipeline: &gst::Pipeline, step: &str) -> String {
    let error = pipeline
        .bus()
        .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    match error.as_deref().map(gst::MessageRef::view) {
        Some(gst::MessageView::Error(error)) => format!("{step} failed: {}", error.error()),
        _ => format!("{step} gave no frame"),
    }
}
