//! Between muxer and file: what a crash would make worthless anyway is written at once. Muxers
//! hand over every sample on its own, and a write for each costs more than the muxing.

use std::sync::{Mutex, PoisonError};

use gst::prelude::*;

/// More than that is not held back.
const MAX_BYTES: usize = 1 << 20;

/// What is held back.
#[derive(Default)]
struct Fragment {
    buffers: Vec<gst::Buffer>,
    /// `bytes = Σ buffer.size()`.
    bytes: usize,
}

impl Fragment {
    /// Takes the next buffer; what is to be written now.
    fn push(&mut self, buffer: gst::Buffer, most: Option<gst::ClockTime>) -> Vec<gst::Buffer> {
        let first = self.buffers.first().and_then(|first| first.dts_or_pts());
        let held = buffer
            .dts_or_pts()
            .zip(first)
            .map(|(now, first)| now.saturating_sub(first));
        let long = most.is_some_and(|most| held.is_some_and(|held| held >= most));
        self.bytes += buffer.size();
        let due = long || self.bytes >= MAX_BYTES || is_index(&buffer);
        self.buffers.push(buffer);
        if due { self.take() } else { vec![] }
    }

    fn take(&mut self) -> Vec<gst::Buffer> {
        self.bytes = 0;
        std::mem::take(&mut self.buffers)
    }
}

/// Whether it is the part of an MP4 that makes the samples before it worth something.
fn is_index(buffer: &gst::BufferRef) -> bool {
    let mut header = [0; 8];
    buffer.size() >= header.len()
        && buffer.copy_to_slice(0, &mut header).is_ok()
        && matches!(&header[4..], b"moov" | b"moof")
}

/// Makes what leaves a muxer's `pad` go on in lists: when its index is written, when it goes back
/// in the file, and where it has none when `most` of media is held.
pub(super) fn gather(pad: &gst::Pad, most: Option<gst::ClockTime>) {
    let fragment = Mutex::new(Fragment::default());
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |pad, info| {
        let lock = || fragment.lock().unwrap_or_else(PoisonError::into_inner);
        match info.data.take() {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let due = lock().push(buffer, most);
                info.flow_res = write(pad, due);
                gst::PadProbeReturn::Handled
            }
            other => {
                let due = lock().take();
                // What fails here is told on the bus by the sink.
                let _ = write(pad, due);
                info.data = other;
                gst::PadProbeReturn::Ok
            }
        }
    });
}

fn write(pad: &gst::Pad, buffers: Vec<gst::Buffer>) -> Result<gst::FlowSuccess, gst::FlowError> {
    if buffers.is_empty() {
        return Ok(gst::FlowSuccess::Ok);
    }
    pad.push_list(buffers.into_iter().collect::<gst::BufferList>())
}
