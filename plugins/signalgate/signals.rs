//! Signals on their way to the gate: from pads, by action signal, in band.

use std::sync::MutexGuard;

use evr_core::{
    gate::PadId,
    signal::{Action, Lines, Signal, SignalError, When},
    time::Nanos,
};
use gst::{prelude::*, subclass::prelude::*};

use super::imp::{CAT, SignalGate, State};
use crate::bridge::{
    self,
    time::{running_time, utc_of_running_time_0},
};

/// A `signal` pad.
#[derive(Debug)]
pub(super) struct SignalPad {
    pub(super) id: PadId,
    pub(super) pad: gst::Pad,
    lines: Lines,
    segment: gst::Segment,
    /// Its caps, or those its peer announces, promise watermarks; `None` until asked.
    watermarked: Option<bool>,
}

impl SignalPad {
    pub(super) fn new(id: PadId, pad: &gst::Pad) -> Self {
        Self {
            id,
            pad: pad.clone(),
            lines: Lines::default(),
            segment: gst::Segment::new(),
            watermarked: None,
        }
    }
}

impl SignalGate {
    /// The state, once it is known which pads promise watermarks: before the first media their
    /// caps may not have come, but a query tells.
    pub(super) fn lock_probed(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        let unknown: Vec<_> = state
            .signal_pads
            .values()
            .filter(|pad| pad.watermarked.is_none())
            .map(|pad| (pad.id, pad.pad.clone()))
            .collect();
        if unknown.is_empty() {
            return state;
        }
        drop(state);
        for (id, pad) in unknown {
            let caps = pad.peer_query_caps(None);
            let watermarked = pad.is_linked() && bridge::signal::is_watermarked(&caps);
            gst::debug!(
                CAT,
                obj = pad,
                "Its peer offers {caps}: watermarks are promised: {watermarked}"
            );
            self.set_watermarked(id, watermarked);
        }
        self.lock()
    }

    fn set_watermarked(&self, id: PadId, watermarked: bool) {
        let mut state = self.lock();
        if let Some(pad) = state.signal_pads.get_mut(&id) {
            pad.watermarked = Some(watermarked);
        }
        state.gate.set_watermarked(id, watermarked);
        self.hand_over(state);
    }

    /// A buffer has come on a signal pad.
    pub(super) fn signal_chain(
        &self,
        id: PadId,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let map = buffer.map_readable().map_err(|_| {
            gst::element_imp_error!(
                self,
                gst::ResourceError::Read,
                ("signalgate cannot read a buffer of signals: send ordinary memory")
            );
            gst::FlowError::Error
        })?;
        let mut found = Vec::new();
        let time = {
            let mut state = self.lock();
            let Some(pad) = state.signal_pads.get_mut(&id) else {
                return Err(gst::FlowError::Flushing);
            };
            pad.lines
                .push(&map, |line| found.push(line.map(<[u8]>::to_vec)));
            running_time(&pad.segment, buffer.pts())
        };
        self.take_lines(id, found, time);
        if let Some(time) = time {
            self.watermark(id, time);
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// An event has come on a signal pad; none goes further.
    pub(super) fn signal_event(&self, id: PadId, event: &gst::EventRef) -> bool {
        match event.view() {
            gst::EventView::Caps(caps) => {
                self.set_watermarked(id, bridge::signal::is_watermarked(caps.caps()));
            }
            gst::EventView::Segment(segment) => {
                if let Some(pad) = self.lock().signal_pads.get_mut(&id) {
                    pad.segment = segment.segment().clone();
                }
            }
            gst::EventView::Gap(gap) => {
                let state = self.lock();
                let pad = state.signal_pads.get(&id);
                let time = pad.and_then(|pad| running_time(&pad.segment, Some(gap.get().0)));
                drop(state);
                if let Some(time) = time {
                    self.watermark(id, time);
                }
            }
            gst::EventView::Eos(_) => {
                let mut found = Vec::new();
                if let Some(pad) = self.lock().signal_pads.get_mut(&id) {
                    pad.lines
                        .finish(|line| found.push(line.map(<[u8]>::to_vec)));
                }
                self.take_lines(id, found, None);
                self.decide(|state| state.gate.pad_eos(id));
            }
            gst::EventView::FlushStop(_) => self.decide(|state| {
                if let Some(pad) = state.signal_pads.get_mut(&id) {
                    pad.lines = Lines::default();
                    pad.segment = gst::Segment::new();
                }
                state.gate.pad_flush(id);
            }),
            _ => {}
        }
        true
    }

    fn watermark(&self, id: PadId, time: Nanos) {
        gst::log!(
            CAT,
            imp = self,
            "Signals of pad {id:?} are known up to {time}"
        );
        self.decide(|state| state.gate.watermark(id, time));
    }

    fn take_lines(&self, id: PadId, lines: Vec<Result<Vec<u8>, SignalError>>, time: Option<Nanos>) {
        for line in lines {
            match line {
                Ok(line) => drop(self.take_line(Some(id), &line, time)),
                Err(err) => self.reject(&err),
            }
        }
    }

    /// Takes one line as a signal; what is none is refused with a warning.
    pub(super) fn take_line(
        &self,
        from: Option<PadId>,
        line: &[u8],
        arrived: Option<Nanos>,
    ) -> Option<String> {
        match Signal::parse(line) {
            Ok(signal) => Some(self.take_signal(from, signal, arrived)),
            Err(err) => {
                self.reject(&err);
                None
            }
        }
    }

    /// An action signal: `json` may be absent or hold any members; returns the signal's id.
    pub(super) fn act(&self, action: Action, json: Option<String>) -> Option<String> {
        let line = json.unwrap_or_else(|| "{}".into());
        match Signal::parse(line.as_bytes()) {
            Ok(mut signal) => {
                signal.action = action;
                signal.id.get_or_insert_with(|| self.next_id());
                Some(self.take_signal(None, signal, None))
            }
            Err(err) => {
                self.reject(&err);
                None
            }
        }
    }

    fn next_id(&self) -> String {
        let mut state = self.lock();
        state.actions += 1;
        format!("{}-{}", self.obj().name(), state.actions)
    }

    fn take_signal(&self, from: Option<PadId>, signal: Signal, arrived: Option<Nanos>) -> String {
        let time = match signal.when {
            Some(When::Media(time)) => Some(time),
            Some(When::Utc(utc)) => Some(self.running_time_of(utc)),
            None => arrived,
        };
        let id = signal.id.clone().unwrap_or_default();
        let json = serde_json::Value::Object(signal.to_json());
        gst::debug!(CAT, imp = self, "Signal {json} at {time:?}");
        self.decide(|state| {
            state.gate.signal(from, time, signal);
        });
        let mut fields = gst::Structure::builder("evr-signal")
            .field("id", &id)
            .build();
        if let Some(time) = time {
            fields.set("media-time", time);
        }
        bridge::message::post(&*self.obj(), fields, &json);
        id
    }

    fn reject(&self, err: &SignalError) {
        let rejected = {
            let mut state = self.lock();
            state.rejected += 1;
            state.rejected
        };
        gst::warning!(CAT, imp = self, "{err}");
        // A sender that only sends rubbish shall not flood the bus.
        if rejected.is_power_of_two() {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Decode,
                ("{}: {err} ({rejected} so far)", self.obj().name())
            );
        }
    }

    /// The running time of an instant: by the media's own reference, else by `epoch`, else by the
    /// clock where the pipeline is live, else files count from 1970.
    fn running_time_of(&self, utc: Nanos) -> Nanos {
        let reference = self.lock().reference;
        let epoch = self
            .settings
            .lock()
            .expect("no thread panics under this lock")
            .epoch;
        if let Some((at, running)) = reference {
            return utc.saturating_sub(at).saturating_add(running);
        }
        if epoch >= 0 {
            return utc.saturating_sub(epoch);
        }
        let clock = self.is_live().then(|| utc_of_running_time_0(&*self.obj()));
        utc.saturating_sub(clock.flatten().unwrap_or(0))
    }

    fn is_live(&self) -> bool {
        let mut latency = gst::query::Latency::new();
        self.sinkpad.peer_query(&mut latency) && latency.result().0
    }

    /// Feeds the gate and wakes whoever has something to do then.
    pub(super) fn decide(&self, feed: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        feed(&mut state);
        let warnings = state.take_warnings();
        self.hand_over(state);
        self.warn(warnings);
    }
}

impl State {
    /// Remembers which instant a media time is, where the buffer tells.
    pub(super) fn see_reference_time(&mut self, buffer: &gst::Buffer, running: Nanos) {
        if let Some(utc) = bridge::time::reference_utc(buffer) {
            self.reference = Some((utc, running));
        }
    }
}
