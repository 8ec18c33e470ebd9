//! The pads: which there are, what they are called, and whom they call.

use std::sync::Arc;

use evr_core::gate::{PadId, StreamId};
use gst::{prelude::*, subclass::prelude::*};

use super::{
    feed::lightened,
    imp::{CAT, SignalGate},
    push::Stream,
    signals::SignalPad,
};

impl SignalGate {
    /// A src pad becomes active, or is taken down: then whoever waits for it is let go first.
    fn activate_src(
        &self,
        id: StreamId,
        pad: &gst::Pad,
        active: bool,
    ) -> Result<(), gst::LoggableError> {
        let flow = if active {
            Ok(gst::FlowSuccess::Ok)
        } else {
            Err(gst::FlowError::Flushing)
        };
        self.with_stream(id, |stream| stream.reset(flow));
        self.wake_everyone();
        if active {
            return self.start_task(id, pad);
        }
        pad.stop_task()
            .map_err(|err| gst::loggable_error!(CAT, "Could not stop the task: {err}"))
    }

    /// The sink and the src pad of one stream. A pad that is requested in a running pipeline is
    /// activated before it has a parent, so activation goes by the `owner`.
    pub(super) fn media_pads(
        owner: Arc<glib::WeakRef<super::SignalGate>>,
        id: StreamId,
        (sink, sink_name): (&gst::PadTemplate, &str),
        (src, src_name): (&gst::PadTemplate, &str),
    ) -> (gst::Pad, gst::Pad) {
        // No PROXY_ALLOCATION: held buffers would starve a pool of downstream's.
        let sink = gst::Pad::builder_from_template(sink)
            .name(sink_name)
            .flags(gst::PadFlags::PROXY_CAPS)
            .chain_function(move |pad, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.feed(id, lightened(pad, buffer)),
                )
            })
            .event_function(move |pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.sink_event(id, pad, event),
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.sink_query(pad, query))
            })
            .iterate_internal_links_function(move |pad, parent| Self::linked(id, pad, parent))
            .build();
        let src = gst::Pad::builder_from_template(src)
            .name(src_name)
            .flags(gst::PadFlags::PROXY_CAPS)
            .activatemode_function(move |pad, _, _, active| match owner.upgrade() {
                Some(element) => element.imp().activate_src(id, pad, active),
                None => Ok(()),
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_event(pad, event))
            })
            .iterate_internal_links_function(move |pad, parent| Self::linked(id, pad, parent))
            .build();
        (sink, src)
    }

    /// The other pad of the stream: the only one that caps and queries have anything to do with.
    fn linked(
        id: StreamId,
        pad: &gst::Pad,
        parent: Option<&gst::Object>,
    ) -> gst::Iterator<gst::Pad> {
        let other = parent
            .and_then(|parent| parent.downcast_ref::<super::SignalGate>())
            .and_then(|element| {
                element.imp().with_stream(id, |stream| {
                    if pad == &stream.sink {
                        stream.src.clone()
                    } else {
                        stream.sink.clone()
                    }
                })
            });
        gst::Iterator::from_vec(other.into_iter().collect())
    }

    /// Held media says nothing of how downstream keeps up.
    fn src_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        event.type_() == gst::EventType::Qos
            || gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        match query.type_() {
            gst::QueryType::Allocation => false,
            // Draining is what the gate must not do; it keeps references, which is as good.
            gst::QueryType::Drain => true,
            _ => gst::Pad::query_default(pad, Some(&*self.obj()), query),
        }
    }

    /// A new `signal`, `signal_N` or `sink_N` pad.
    pub(super) fn request_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
    ) -> Option<gst::Pad> {
        let pad = match template.name_template() {
            "sink_%u" => return self.add_media_pads(template, name),
            "signal" if self.obj().static_pad("signal").is_some() => {
                gst::error!(
                    CAT,
                    imp = self,
                    "The pad signal is taken: ask for signal_0, signal_1, …"
                );
                return None;
            }
            "signal" => self.add_signal_pad(template, "signal"),
            _ => self.add_signal_pad(template, &self.free_name("signal", name)?),
        };
        self.add(&pad)
    }

    /// Takes a requested pad away, with all that is held of its stream.
    pub(super) fn release_any_pad(&self, pad: &gst::Pad) {
        let signal = self
            .lock()
            .signal_pads
            .values()
            .find(|it| it.pad == *pad)
            .map(|it| it.id);
        if let Some(id) = signal {
            self.decide(|state| {
                state.signal_pads.remove(&id);
                state.gate.remove_pad(id);
            });
        } else {
            self.release_media_pads(pad);
        }
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
    }

    /// The name a pad shall have: the one asked for, or the prefix with the next free number.
    fn free_name(&self, prefix: &str, asked: Option<&str>) -> Option<String> {
        let free = |name: &String| self.obj().static_pad(name).is_none();
        match asked.filter(|name| name.strip_prefix(prefix).is_some_and(|rest| rest != "_%u")) {
            Some(name) => Some(name.to_owned()).filter(free),
            None => (0u32..).map(|n| format!("{prefix}_{n}")).find(free),
        }
    }

    fn add(&self, pad: &gst::Pad) -> Option<gst::Pad> {
        if let Err(err) = self.obj().add_pad(pad) {
            gst::error!(
                CAT,
                imp = self,
                "Could not add the pad {}: {err}",
                pad.name()
            );
            return None;
        }
        Some(pad.clone())
    }

    /// A secondary stream: `sink_N` and, at once, its `src_N`.
    fn add_media_pads(&self, template: &gst::PadTemplate, name: Option<&str>) -> Option<gst::Pad> {
        let sink_name = self.free_name("sink", name)?;
        let src_name = sink_name.replacen("sink", "src", 1);
        let src_template = self.obj().pad_template("src_%u")?;
        let id = {
            let mut state = self.lock();
            state.next_pad += 1;
            StreamId(state.next_pad)
        };
        let (sink, src) = Self::media_pads(
            Arc::clone(&self.owner),
            id,
            (template, &sink_name),
            (&src_template, &src_name),
        );
        self.decide(|state| {
            state.streams.insert(id, Stream::new(&sink, &src));
            state.gate.add_stream(id);
        });
        self.add(&src)?;
        self.add(&sink)
    }

    fn release_media_pads(&self, sink: &gst::Pad) {
        let found = {
            let state = self.lock();
            let found = state
                .streams
                .iter()
                .find(|(_, stream)| stream.sink == *sink);
            found.map(|(&id, stream)| (id, stream.src.clone()))
        };
        let Some((id, src)) = found else { return };
        let _ = src.set_active(false);
        self.decide(|state| {
            state.streams.remove(&id);
            state.gate.remove_stream(id);
        });
        let _ = self.obj().remove_pad(&src);
    }

    fn add_signal_pad(&self, template: &gst::PadTemplate, name: &str) -> gst::Pad {
        let id = {
            let mut state = self.lock();
            state.next_pad += 1;
            PadId(state.next_pad)
        };
        let pad = gst::Pad::builder_from_template(template)
            .name(name)
            .chain_function(move |_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.signal_chain(id, buffer),
                )
            })
            .event_function(move |_, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.signal_event(id, &event),
                )
            })
            .iterate_internal_links_function(|_, _| gst::Iterator::from_vec(Vec::new()))
            .build();
        self.decide(|state| {
            state.signal_pads.insert(id, SignalPad::new(id, &pad));
            state.gate.add_pad(id);
        });
        pad
    }
}
