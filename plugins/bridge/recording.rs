//! The event `evr-recording`: where in the stream a recording begins and ends, and why.
//!
//! signalgate writes it, eventsink (or any element behind the gate) reads it. Its position among
//! the buffers is the boundary; buffers are assigned by running time and nothing is recomputed.
//! Boundaries are sticky; what is told between them is not, as it only adds to the opening.

use evr_core::time::Nanos;
use serde_json::Value;

const EVR_RECORDING: &str = "evr-recording";

/// What happens at the event's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The buffers that follow belong to the recording.
    Open,
    /// They still do, and more is known of why.
    Update,
    /// The buffers that follow do not.
    Close,
}

/// A boundary of a recording. All times are signed running times in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
    /// Number of the activation, counted from 1; both boundaries carry the same.
    pub(crate) id: u64,
    pub(crate) phase: Phase,
    /// First signal + `activation-signal-offset`.
    pub(crate) asked: Nanos,
    /// `max(asked, end of the previous recording)`: what this recording promises to hold.
    pub(crate) start: Nanos,
    /// PTS of the sync point from which the clip decodes, normally `≤ start`.
    pub(crate) sync_point: Nanos,
    /// End of the recording as known at this position; final when `phase` is `Close`.
    pub(crate) end: Nanos,
    /// The first media time that the signals speak of.
    pub(crate) event_start: Nanos,
    /// The last media time that the signals speak of, so far.
    pub(crate) event_end: Nanos,
    /// The sync point was pushed in this earlier recording: whoever writes files writes the
    /// buffers since then again.
    pub(crate) continues_from: Option<u64>,
    /// What opened (`trigger`, `start`) or closed it (`elapsed`, `stop`, `maximum`, `eos`, …).
    pub(crate) cause: String,
    /// The accepted signals so far, each the sender's object with `media_time` filled in; of an
    /// update those that have come since the recording was last spoken of.
    pub(crate) signals: Vec<Value>,
}

impl Recording {
    /// Takes what an update adds.
    pub(crate) fn learn(&mut self, news: Self) {
        self.end = news.end;
        self.event_end = news.event_end;
        self.signals.extend(news.signals);
    }

    pub(crate) fn to_event(&self) -> gst::Event {
        let phase = match self.phase {
            Phase::Open => "open",
            Phase::Update => "update",
            Phase::Close => "close",
        };
        let mut fields = gst::Structure::builder(EVR_RECORDING)
            .field("id", self.id)
            .field("phase", phase)
            .field("asked", self.asked)
            .field("start", self.start)
            .field("sync-point", self.sync_point)
            .field("end", self.end)
            .field("event-start", self.event_start)
            .field("event-end", self.event_end)
            .field("cause", &self.cause)
            .field("signals", Value::from(self.signals.clone()).to_string())
            .build();
        if let Some(id) = self.continues_from {
            fields.set("continues-from", id);
        }
        match self.phase {
            Phase::Update => gst::event::CustomDownstream::new(fields),
            Phase::Open | Phase::Close => gst::event::CustomDownstreamSticky::new(fields),
        }
    }

    /// `None` for any other event.
    ///
    /// # Errors
    /// The field that is missing or has another type.
    pub(crate) fn from_event(event: &gst::EventRef) -> Option<Result<Self, String>> {
        let fields = event
            .structure()
            .filter(|fields| fields.name() == EVR_RECORDING)?;
        Some(Self::read(fields))
    }

    fn read(fields: &gst::StructureRef) -> Result<Self, String> {
        let signals: String = get(fields, "signals")?;
        let phase: &str = get(fields, "phase")?;
        Ok(Self {
            id: get(fields, "id")?,
            phase: match phase {
                "open" => Phase::Open,
                "update" => Phase::Update,
                "close" => Phase::Close,
                other => return Err(format!("phase is {other}, none of open, update and close")),
            },
            asked: get(fields, "asked")?,
            start: get(fields, "start")?,
            sync_point: get(fields, "sync-point")?,
            end: get(fields, "end")?,
            event_start: get(fields, "event-start")?,
            event_end: get(fields, "event-end")?,
            continues_from: get(fields, "continues-from").ok(),
            cause: get(fields, "cause")?,
            signals: serde_json::from_str(&signals).map_err(|err| err.to_string())?,
        })
    }
}

fn get<'a, T: glib::value::FromValue<'a>>(
    fields: &'a gst::StructureRef,
    name: &str,
) -> Result<T, String> {
    fields.get(name).map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_comes_out_of_its_event_as_it_went_in() {
        gst::init().expect("GStreamer is installed");
        let open = Recording {
            id: 1,
            phase: Phase::Open,
            asked: -5,
            start: -5,
            sync_point: -6,
            end: 20,
            event_start: 0,
            event_end: 0,
            continues_from: None,
            cause: "trigger".into(),
            signals: vec![serde_json::json!({"action": "trigger", "media_time": 0})],
        };
        let update = Recording {
            phase: Phase::Update,
            ..open.clone()
        };
        let close = Recording {
            phase: Phase::Close,
            continues_from: Some(1),
            ..open.clone()
        };
        for recording in [open, update, close] {
            assert_eq!(
                Recording::from_event(&recording.to_event()),
                Some(Ok(recording))
            );
        }
        assert_eq!(Recording::from_event(&gst::event::Eos::new()), None);
    }
}
