//! What every element shares that passes video on and says signals about it: its pads, and how
//! signals leave: on the `signal` pads, else in band, always before the frame they are raised by.
//! A `meta` pad, where an element offers one, tells every observation and goes with the video as
//! a `signal` pad does.
//!
//! What a consumer of signals answers: one that has enough (EOS), is being taken down (FLUSHING)
//! or is not there (NOT_LINKED) never stops the video; one that fails has told so on the bus and
//! stops it, as behind a tee.
//!
//! Not here: what is seen in a frame and whether it is worth a signal.

mod pads;

use evr_core::signal::Signal;
use gst::{prelude::*, subclass::prelude::*};

pub(crate) use self::pads::{
    META, add_signal_pad, meta_template, pass_event, pass_query, remove_signal_pad, templates,
    video,
};
use super::signal::{line, text_buffer, to_event, watermarked_caps};

/// The `signal` and `meta` pads and what those that are requested later have missed. Part of the state of the
/// element, so under its lock.
#[derive(Default)]
pub(crate) struct Outlets {
    /// Upstream's `stream-start` and `segment`.
    stream_event: Option<gst::Event>,
    segment_event: Option<gst::Event>,
    pub(crate) pads: Vec<gst::Pad>,
    pub(crate) meta: Vec<gst::Pad>,
}

impl Outlets {
    /// Every requested pad.
    fn all(&self) -> Vec<gst::Pad> {
        [self.pads.as_slice(), &self.meta].concat()
    }

    /// The element has stopped: a pad that is requested from now on belongs to no stream.
    pub(crate) fn stop(&mut self) {
        (self.stream_event, self.segment_event) = (None, None);
    }
}

/// An element with one stream of video and `signal` pads.
pub(crate) trait Producer: ElementImpl {
    fn sinkpad(&self) -> &gst::Pad;
    fn srcpad(&self) -> &gst::Pad;
    /// Runs `act` on the outlets, under the lock that they lie under.
    fn outlets<R>(&self, act: impl FnOnce(&mut Outlets) -> R) -> R;
    fn chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError>;
    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool;
}

/// Lets the requested pads go with the video: gives them of its events what is theirs too.
pub(crate) fn follow<T: Producer>(this: &T, event: &gst::Event) {
    match event.view() {
        gst::EventView::StreamStart(_) => {
            let pads = this.outlets(|outlets| {
                outlets.stream_event = Some(event.clone());
                outlets.all()
            });
            for pad in &pads {
                pad.push_event(own_stream(this.obj().upcast_ref(), pad, event));
                pad.push_event(gst::event::Caps::new(&watermarked_caps()));
            }
        }
        gst::EventView::Segment(_) => {
            let pads = this.outlets(|outlets| {
                outlets.segment_event = Some(event.clone());
                outlets.all()
            });
            spread(&pads, event);
        }
        // Where there is no video there is no signal either: its gaps are ours.
        gst::EventView::Gap(_)
        | gst::EventView::Eos(_)
        | gst::EventView::SegmentDone(_)
        | gst::EventView::FlushStart(_)
        | gst::EventView::FlushStop(_) => {
            spread(&this.outlets(|outlets| outlets.all()), event);
        }
        _ => {}
    }
}

/// Says what a frame raises, on these `signal` pads or, where there are none, in band.
pub(crate) fn tell<T: Producer>(
    this: &T,
    pads: &[gst::Pad],
    signals: &[Signal],
    pts: Option<gst::ClockTime>,
) -> Result<(), gst::FlowError> {
    let lines: Vec<_> = signals.iter().map(line).collect();
    tell_lines(this, pads, &lines, pts)
}

/// The same with signals that are lines already.
pub(crate) fn tell_lines<T: Producer>(
    this: &T,
    pads: &[gst::Pad],
    lines: &[String],
    pts: Option<gst::ClockTime>,
) -> Result<(), gst::FlowError> {
    if lines.is_empty() {
        return Ok(());
    }
    if pads.is_empty() {
        for line in lines {
            this.srcpad().push_event(to_event(line));
        }
        return Ok(());
    }
    let text = lines.join("\n") + "\n";
    push(pads, &text_buffer(text.into(), pts))
}

/// Gives a buffer to requested pads.
pub(crate) fn push(pads: &[gst::Pad], buffer: &gst::Buffer) -> Result<(), gst::FlowError> {
    for pad in pads {
        match pad.push(buffer.clone()) {
            Ok(_)
            | Err(gst::FlowError::NotLinked | gst::FlowError::Eos | gst::FlowError::Flushing) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Says that all signals up to the frame at `pts` have been told: whoever waits on a `signal` pad
/// waits for this.
pub(crate) fn all_told(pads: &[gst::Pad], pts: Option<gst::ClockTime>) {
    if let Some(pts) = pts {
        spread(pads, &gst::event::Gap::new(pts, gst::ClockTime::NONE));
    }
}

/// Nobody wants the video, or nobody does any more: while signals are wanted it goes on.
pub(crate) fn combine(
    video: Result<gst::FlowSuccess, gst::FlowError>,
    pads: &[gst::Pad],
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let wanted = |pad: &gst::Pad| pad.is_linked() && pad.last_flow_result().is_ok();
    match video {
        Err(gst::FlowError::NotLinked | gst::FlowError::Eos) if pads.iter().any(wanted) => {
            Ok(gst::FlowSuccess::Ok)
        }
        video => video,
    }
}

/// Gives an event to requested pads. Whether anyone took it changes nothing.
fn spread(pads: &[gst::Pad], event: &gst::Event) {
    for pad in pads {
        pad.push_event(event.clone());
    }
}

/// A pad requested while the stream runs learns first what the others were told.
fn join_stream<T: Producer>(this: &T, pad: &gst::Pad) {
    let told = |outlets: &mut Outlets| {
        let told = [&outlets.stream_event, &outlets.segment_event];
        told.map(Option::clone)
    };
    let which = |event: &Option<gst::Event>| event.as_ref().map(|event| event.as_ptr());
    let mut known = this.outlets(told);
    loop {
        let stream = known[0].as_ref();
        let stream = stream.map(|event| own_stream(this.obj().upcast_ref(), pad, event));
        let caps = stream
            .is_some()
            .then(|| gst::event::Caps::new(&watermarked_caps()));
        for event in [stream, caps, known[1].clone()].into_iter().flatten() {
            // Without the lock, as who hears of the caps may ask us anything. Refused only where
            // the pad is being taken down again.
            let _ = pad.store_sticky_event(&event);
        }
        let news = this.outlets(|outlets| {
            let now = told(outlets);
            let current = now.each_ref().map(which) == known.each_ref().map(which);
            if current && pads::is_meta(pad) {
                outlets.meta.push(pad.clone());
            } else if current {
                outlets.pads.push(pad.clone());
            }
            (!current).then_some(now)
        });
        match news {
            None => return,
            // The others were told something new meanwhile.
            Some(now) => known = now,
        }
    }
}

/// The start of a pad's own stream, in the group of the video's.
pub(crate) fn own_stream(
    element: &gst::Element,
    pad: &gst::Pad,
    video: &gst::EventRef,
) -> gst::Event {
    let id = pad.create_stream_id(element, Some(&pad.name()));
    let event = gst::event::StreamStart::builder(&id).seqnum(video.seqnum());
    match video.view() {
        gst::EventView::StreamStart(video) => event.group_id_if_some(video.group_id()).build(),
        _ => event.build(),
    }
}
