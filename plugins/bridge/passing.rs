//! What elements share that hang something onto raw frames and pass them on as they are.

use evr_core::time::Nanos;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{
        base_transform::{InputBuffer, PrepareOutputBufferSuccess},
        prelude::*,
    },
};

use super::time::signed;

/// Whether these are caps that somebody sends, and not asks for, of raw video. Negotiation asks for
/// caps, which tells the truth. Who sends other formats all the same, or memory of a device, is let
/// in, so that the element can say what is wrong instead of "not negotiated".
#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors read frames")
)]
pub(crate) fn is_sent_video(direction: gst::PadDirection, caps: &gst::Caps) -> bool {
    let video = gst::Caps::builder("video/x-raw").any_features().build();
    direction == gst::PadDirection::Sink && caps.is_subset(&video)
}

/// Before which running time frames are late for a sink behind: what is behind by so much now will
/// be behind by as much then.
#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors leave late frames out")
)]
fn late_until(qos: &gst::event::Qos) -> Option<Nanos> {
    let (_, _, jitter, time) = qos.get();
    let time = signed(gst::Signed::Positive(time?))?;
    Some(time.saturating_add(jitter.max(0)))
}

/// An event from behind, of which QoS says `late` before which running time frames are late. The
/// parent class would drop those; here they pass, but are not inferred.
#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors leave late frames out")
)]
pub(crate) fn src_event<T: BaseTransformImpl>(
    this: &T,
    event: gst::Event,
    late: impl FnOnce(Option<Nanos>),
) -> bool {
    let gst::EventView::Qos(qos) = event.view() else {
        return this.parent_src_event(event);
    };
    if !this.obj().property::<bool>("qos") {
        return this.parent_src_event(event);
    }
    late(late_until(qos));
    this.obj().sink_pad().push_event(event)
}

/// Width and height of the frames that such caps announce, in pixels.
pub(crate) fn size(caps: &gst::StructureRef) -> Option<(u32, u32)> {
    let side = |name| u32::try_from(caps.get::<i32>(name).ok()?).ok();
    Some((side("width")?, side("height")?))
}

/// The pads of an element that takes frames of such caps, and gives them.
pub(crate) fn templates(caps: &gst::Caps) -> Vec<gst::PadTemplate> {
    let sides = [
        ("sink", gst::PadDirection::Sink),
        ("src", gst::PadDirection::Src),
    ];
    sides
        .map(|(name, direction)| {
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps)
                .expect("an always pad with caps is a sound template")
        })
        .into()
}

/// Frames pass as they are, so their memory is a matter between the neighbours.
pub(crate) fn propose_allocation(
    element: &impl IsA<gst_base::BaseTransform>,
    category: &gst::DebugCategory,
    query: &mut gst::query::Allocation,
) -> Result<(), gst::LoggableError> {
    let proposed = element.src_pad().peer_query(query);
    let nobody = || gst::loggable_error!(category, "nobody behind proposes memory");
    proposed.then_some(()).ok_or_else(nobody)
}

/// A frame of the same memory, for whoever looks at it while this one passes on.
///
/// From GStreamer 1.26 on a copy of a frame that comes from a pool holds the frame itself, on which
/// nobody could write any more: here both only hold the memory, which is enough to keep it from
/// being used anew.
#[cfg_attr(
    not(any(feature = "grpc", feature = "http", feature = "onnx")),
    allow(dead_code, reason = "only detectors look beside the stream")
)]
pub(crate) fn share(buffer: &gst::BufferRef) -> Result<gst::Buffer, String> {
    let mut shared = gst::Buffer::new();
    let target = shared.get_mut().expect("a new buffer has one owner");
    let all_but_memory = gst::BUFFER_COPY_METADATA;
    buffer
        .copy_into(target, all_but_memory, ..)
        .map_err(|_| "a frame cannot be shared: send system memory".to_string())?;
    for memory in buffer.iter_memories_owned() {
        target.append_memory(memory);
    }
    Ok(shared)
}

/// The frame to write on. Where another branch holds it, too, what is written on it is copied and
/// the picture shared.
pub(crate) fn writable(buffer: InputBuffer) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
    Ok(match buffer {
        InputBuffer::Writable(_) => PrepareOutputBufferSuccess::InputBuffer,
        InputBuffer::Readable(shared) => {
            let copy = shared.copy_region(gst::BUFFER_COPY_ALL, ..);
            PrepareOutputBufferSuccess::Buffer(copy.map_err(|_| gst::FlowError::Error)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_frame_that_is_shared_can_be_written_on_and_its_memory_is_not_used_anew() {
        gst::init().expect("GStreamer is installed");
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(None, 64, 1, 0);
        pool.set_config(config).expect("a sound size");
        pool.set_active(true).expect("there is memory");
        let mut frame = pool.acquire_buffer(None).expect("it has one");
        let shared = share(&frame).expect("ordinary memory");
        let memory = shared.peek_memory(0).as_ptr();
        assert!(frame.get_mut().is_some(), "nobody else holds the frame");
        assert_eq!(frame.peek_memory(0).as_ptr(), memory);
        drop(frame);
        let next = pool.acquire_buffer(None).expect("it makes another");
        assert_ne!(next.peek_memory(0).as_ptr(), memory);
        drop(next);
        pool.set_active(false).expect("nobody waits for it");
    }
}
