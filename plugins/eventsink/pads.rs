//! The pads: which there are, and where what they bring goes.

use std::sync::LazyLock;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::caps;
use super::clock::Moment;
use super::imp::{CAT, EventSink};
use super::recorder::NoGate;
use crate::bridge::recording::Recording;

/// What a pad brings. The first pad that is no `Meta` leads: its sync points begin clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Video,
    Audio(u32),
    Meta,
}

impl Kind {
    /// Reads a pad's name.
    fn of(name: &str) -> Option<Self> {
        match name {
            "video" => Some(Self::Video),
            "meta" => Some(Self::Meta),
            _ => name.strip_prefix("audio_")?.parse().ok().map(Self::Audio),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Video => "video".into(),
            Self::Audio(n) => format!("audio_{n}"),
            Self::Meta => "meta".into(),
        }
    }
}

/// In the order in which a link by any caps tries them.
pub(super) fn templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        let template = |name, kind| {
            let (sink, request) = (gst::PadDirection::Sink, gst::PadPresence::Request);
            gst::PadTemplate::new(name, sink, request, &caps::template(kind))
                .expect("the template is well formed")
        };
        vec![
            template("video", Kind::Video),
            template("audio_%u", Kind::Audio(0)),
            template("meta", Kind::Meta),
        ]
    });
    &TEMPLATES
}

impl EventSink {
    pub(super) fn new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
    ) -> Option<gst::Pad> {
        let kind = match template.name_template() {
            "audio_%u" => self.audio(name)?,
            other => Kind::of(other)?,
        };
        let pad = gst::Pad::builder_from_template(template)
            .name(kind.name())
            .chain_function(move |_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |sink| sink.chain(kind, buffer),
                )
            })
            .event_function(move |pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |sink| sink.event(pad, kind, event),
                )
            })
            .query_function(move |pad, parent, query| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |sink| sink.pad_query(pad, kind, query),
                )
            })
            .build();
        pad.set_active(true).ok()?;
        // Fails where there is one of that name already.
        self.obj().add_pad(&pad).ok()?;
        self.decide(|recorder| recorder.add(kind));
        Some(pad)
    }

    /// The audio pad of that name, or the first free one.
    fn audio(&self, name: Option<&str>) -> Option<Kind> {
        if let Some(name) = name.filter(|name| !name.contains('%')) {
            return Kind::of(name).filter(|kind| matches!(kind, Kind::Audio(_)));
        }
        let taken = self.kinds();
        (0..).map(Kind::Audio).find(|kind| !taken.contains(kind))
    }

    pub(super) fn drop_pad(&self, pad: &gst::Pad) {
        // A pad that cannot be shut or removed is gone already.
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
        if let Some(kind) = Kind::of(&pad.name()) {
            self.act(|recorder| recorder.remove(kind));
            self.post_eos_if_due();
        }
    }

    /// What the pads bring that there are now.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let pads = self.obj().sink_pads();
        pads.iter()
            .filter_map(|pad| Kind::of(&pad.name()))
            .collect()
    }

    fn chain(&self, kind: Kind, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.wait_for_room(kind);
        let mut taken = Err(gst::FlowError::Flushing);
        let mut ungated = false;
        self.act(|recorder| match recorder.buffer(kind, buffer) {
            Ok(actions) => {
                taken = Ok(gst::FlowSuccess::Ok);
                actions
            }
            Err(NoGate) => {
                ungated = true;
                vec![]
            }
        });
        if ungated {
            gst::element_imp_error!(
                self,
                gst::StreamError::Failed,
                (
                    "{}: media came without any recording being opened: put signalgate before it",
                    self.obj().name()
                )
            );
            return Err(gst::FlowError::Error);
        }
        taken
    }

    fn event(&self, pad: &gst::Pad, kind: Kind, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "{event:?}");
        match event.view() {
            gst::EventView::Caps(caps) => return self.caps(kind, caps.caps_owned()),
            gst::EventView::Segment(segment) => {
                let segment = segment.segment().to_owned();
                self.decide(|recorder| recorder.segment(kind, segment));
            }
            gst::EventView::Gap(gap) => {
                let (start, duration) = gap.get();
                let end = start.saturating_add(duration.unwrap_or_default());
                self.act(|recorder| recorder.gap(kind, end));
            }
            gst::EventView::StreamStart(start) => {
                let message = gst::message::StreamStart::builder()
                    .src(&*self.obj())
                    .seqnum(event.seqnum())
                    .group_id_if_some(start.group_id())
                    .build();
                let _ = self.obj().post_message(message);
            }
            gst::EventView::FlushStart(_) => self.hurry(true),
            gst::EventView::FlushStop(_) => {
                self.act(|recorder| recorder.flush(kind));
                self.state().eos = None;
                self.hurry(false);
            }
            gst::EventView::Eos(_) => {
                self.act(|recorder| recorder.eos(kind));
                self.state().eos = Some(event.seqnum());
                self.post_eos_if_due();
            }
            _ => match Recording::from_event(&event) {
                Some(Ok(recording)) => {
                    let moment = Moment::now(pad, self.obj().upcast_ref());
                    self.act(|recorder| recorder.boundary(kind, recording, moment));
                }
                Some(Err(why)) => self.warn(&format!(
                    "an evr-recording event is not understood ({why}) and was passed over"
                )),
                None => {}
            },
        }
        true
    }

    fn caps(&self, kind: Kind, caps: gst::Caps) -> bool {
        let container = self.container();
        match caps::accept(kind, container, &caps) {
            Ok(input) => {
                self.act(|recorder| recorder.input(kind, input));
                true
            }
            Err(why) => {
                let told = self.state().refused.replace(caps.clone());
                if told.as_ref() == Some(&caps) {
                    return false;
                }
                let name = self.obj().name();
                gst::element_imp_error!(
                    self,
                    gst::StreamError::WrongType,
                    ("{name}: {why}"),
                    ["caps: {caps}"]
                );
                false
            }
        }
    }

    fn pad_query(&self, pad: &gst::Pad, kind: Kind, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Caps(caps) => {
                let answer = caps::answer(kind, self.container());
                let answer = match caps.filter() {
                    Some(filter) => {
                        answer.intersect_with_mode(filter, gst::CapsIntersectMode::First)
                    }
                    None => answer,
                };
                caps.set_result(&answer);
                true
            }
            // Refused in a sentence when they come.
            gst::QueryViewMut::AcceptCaps(caps) => {
                caps.set_result(true);
                true
            }
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }
}
