//! The pads of an element that tells others what it hears: lines of JSON come in, facts go to the
//! intake. No pad waits for anybody outside the process.

use evr_core::{
    message::Fact,
    signal::{Lines, SignalError},
    time::Nanos,
};
use gst::{prelude::*, subclass::prelude::*};

use super::teller::{self, Teller};
use crate::bridge::{
    signal::any_caps,
    time::{running_time, utc_now, utc_of_running_time_0},
};

const NAME: &str = "sink_%u";

/// What is known of the pads. Part of the element's state, so under its lock.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// UTC of running time 0, once it was looked at.
    epoch: Option<Nanos>,
    counted: u32,
    /// The pipeline plays: a message that all has ended is due only then.
    playing: bool,
    /// What ended last.
    ended: Option<gst::Seqnum>,
}

struct Lane {
    pad: gst::Pad,
    lines: Lines,
    segment: gst::Segment,
    eos: bool,
}

impl Lanes {
    /// The streams have ended: what comes now belongs to others.
    pub(crate) fn reset(&mut self) {
        self.epoch = None;
        self.ended = None;
        for lane in &mut self.lanes {
            lane.lines = Lines::default();
            lane.segment = gst::Segment::new();
            lane.eos = false;
        }
    }

    /// The message to be told that nothing comes any more, if it is time for it.
    fn eos_due(&mut self) -> Option<gst::Seqnum> {
        let all = self.lanes.iter().all(|lane| lane.eos);
        (self.playing && all).then(|| self.ended.take().unwrap_or_else(gst::Seqnum::next))
    }

    fn of(&mut self, pad: &gst::Pad) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.pad == *pad)
    }
}

/// The pipeline plays from now on, or no longer.
pub(crate) fn play<T: Teller>(this: &T, playing: bool) {
    lanes(this, |lanes| lanes.playing = playing);
    post_eos_if_due(this);
}

/// A pad has ended, perhaps the last.
fn ended<T: Teller>(this: &T, seqnum: gst::Seqnum) {
    lanes(this, |lanes| lanes.ended = Some(seqnum));
    post_eos_if_due(this);
}

/// Runs `act` on what is known of the pads, under the lock that it lies under.
fn lanes<T: Teller, R>(this: &T, act: impl FnOnce(&mut Lanes) -> R) -> R {
    act(&mut this.state().lanes)
}

/// Bins wait for this message of every sink, also of one that has no pads.
fn post_eos_if_due<T: Teller>(this: &T) {
    let Some(seqnum) = lanes(this, Lanes::eos_due) else {
        return;
    };
    let message = gst::message::Eos::builder()
        .src(&*this.obj())
        .seqnum(seqnum)
        .build();
    // Nobody listens only while the element is being taken down.
    let _ = this.obj().post_message(message);
}

pub(crate) fn template() -> gst::PadTemplate {
    let (sink, request) = (gst::PadDirection::Sink, gst::PadPresence::Request);
    gst::PadTemplate::new(NAME, sink, request, &any_caps())
        .expect("a template whose name suits its presence")
}

pub(crate) fn add<T: Teller>(
    this: &T,
    template: &gst::PadTemplate,
    name: Option<&str>,
) -> Option<gst::Pad> {
    let name = match name.filter(|name| !name.contains('%')) {
        Some(name) => name.to_owned(),
        None => lanes(this, |lanes| {
            lanes.counted += 1;
            format!("sink_{}", lanes.counted - 1)
        }),
    };
    let pad = gst::Pad::builder_from_template(template)
        .name(name)
        .chain_function(|pad, parent, buffer| {
            T::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |this| chain(this, pad, &buffer),
            )
        })
        .event_function(|pad, parent, event| {
            T::catch_panic_pad_function(parent, || false, |this| on_event(this, pad, &event))
        })
        .build();
    lanes(this, |lanes| {
        lanes.lanes.push(Lane {
            pad: pad.clone(),
            lines: Lines::default(),
            segment: gst::Segment::new(),
            eos: false,
        });
    });
    pad.set_active(true).ok()?;
    if this.obj().add_pad(&pad).is_err() {
        lanes(this, |lanes| lanes.lanes.retain(|lane| lane.pad != pad));
        return None;
    }
    Some(pad)
}

pub(crate) fn remove<T: Teller>(this: &T, pad: &gst::Pad) {
    // A pad that cannot be shut or removed is gone already.
    let _ = pad.set_active(false);
    let _ = this.obj().remove_pad(pad);
    lanes(this, |lanes| lanes.lanes.retain(|lane| lane.pad != *pad));
    ended(this, gst::Seqnum::next());
}

fn chain<T: Teller>(
    this: &T,
    pad: &gst::Pad,
    buffer: &gst::BufferRef,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let Ok(map) = buffer.map_readable() else {
        teller::refuse(this, "a buffer cannot be read: send ordinary memory");
        return Ok(gst::FlowSuccess::Ok);
    };
    let mut found = Vec::new();
    let arrived = lanes(this, |lanes| {
        let lane = lanes.of(pad).ok_or(gst::FlowError::Flushing)?;
        lane.lines
            .push(&map, |line| found.push(line.map(<[u8]>::to_vec)));
        Ok(running_time(&lane.segment, buffer.pts()))
    })?;
    tell(this, pad, &found, arrived);
    Ok(gst::FlowSuccess::Ok)
}

/// An event has come; none goes further.
fn on_event<T: Teller>(this: &T, pad: &gst::Pad, event: &gst::EventRef) -> bool {
    match event.view() {
        gst::EventView::Segment(segment) => lanes(this, |lanes| {
            if let Some(lane) = lanes.of(pad) {
                lane.segment = segment.segment().clone();
                lane.eos = false;
            }
        }),
        gst::EventView::FlushStop(_) => lanes(this, |lanes| {
            lanes.epoch = None;
            if let Some(lane) = lanes.of(pad) {
                lane.lines = Lines::default();
                lane.segment = gst::Segment::new();
                lane.eos = false;
            }
        }),
        gst::EventView::Eos(_) => {
            let mut found = Vec::new();
            lanes(this, |lanes| {
                if let Some(lane) = lanes.of(pad) {
                    lane.eos = true;
                    lane.lines
                        .finish(|line| found.push(line.map(<[u8]>::to_vec)));
                }
            });
            tell(this, pad, &found, None);
            ended(this, event.seqnum());
        }
        _ => {}
    }
    true
}

fn tell<T: Teller>(
    this: &T,
    pad: &gst::Pad,
    lines: &[Result<Vec<u8>, SignalError>],
    arrived: Option<Nanos>,
) {
    if lines.is_empty() {
        return;
    }
    let (source, epoch, intake) = (this.source(), epoch(this, pad), this.intake());
    let now = utc_now();
    for line in lines {
        let fact = line
            .as_deref()
            .map_err(|err| err.to_string())
            .and_then(|line| {
                let utc = |running: Option<Nanos>| {
                    running.map_or(now, |running| epoch.saturating_add(running))
                };
                Fact::from_line(&source, line, arrived, utc).map_err(|err| err.to_string())
            });
        match fact {
            Ok(fact) => drop(intake.push(fact)),
            Err(why) => teller::refuse(this, &why),
        }
    }
}

/// UTC of running time 0: the user's word, else by our clock where the media is live, else 1970,
/// as eventsink has it.
fn epoch<T: Teller>(this: &T, pad: &gst::Pad) -> Nanos {
    if let Some(epoch) = this.epoch().or_else(|| lanes(this, |lanes| lanes.epoch)) {
        return epoch;
    }
    let mut latency = gst::query::Latency::new();
    let live = pad.peer_query(&mut latency) && latency.result().0;
    let epoch = match live {
        true => utc_of_running_time_0(&*this.obj()),
        false => Some(0),
    };
    // A live pipeline that does not run yet will tell later.
    if epoch.is_some() {
        lanes(this, |lanes| lanes.epoch = epoch);
    }
    epoch.unwrap_or(0)
}
