//! An element that tells others what it hears: its state, and what begins and ends with it.
//!
//! Not here: what comes in by its pads (`pads`), and how it is sent (the element).

use std::sync::{Arc, MutexGuard};

use evr_core::time::Nanos;
use gst::{prelude::*, subclass::prelude::*};

use super::{
    intake::Intake,
    pads::{self, Lanes},
};

/// What sends while the element runs.
pub(crate) trait Worker {
    /// Puts what is known on disk, sends it for as long as the user gives, and ends.
    fn stop(self);
}

/// What such an element knows while it runs.
pub(crate) struct State<W> {
    pub(crate) lanes: Lanes,
    worker: Option<W>,
    /// Lines that told nothing, since the element started.
    pub(crate) refused: u64,
}

impl<W> Default for State<W> {
    fn default() -> Self {
        Self {
            lanes: Lanes::default(),
            worker: None,
            refused: 0,
        }
    }
}

/// Such an element.
pub(crate) trait Teller: ElementImpl {
    type Worker: Worker;

    fn state(&self) -> MutexGuard<'_, State<Self::Worker>>;
    fn intake(&self) -> Arc<Intake>;
    /// Name of the camera that the lines are about.
    fn source(&self) -> String;
    /// UTC of running time 0 where the user has said it.
    fn epoch(&self) -> Option<Nanos>;
    /// Begins to send.
    ///
    /// # Errors
    /// A sentence, to be preceded by the element's name.
    fn start(&self) -> Result<Self::Worker, String>;
}

pub(crate) fn change_state<T: Teller>(
    this: &T,
    transition: gst::StateChange,
) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
    match transition {
        gst::StateChange::ReadyToPaused => start(this)?,
        gst::StateChange::PausedToReady => this.intake().hurry(true),
        gst::StateChange::PlayingToPaused => pads::play(this, false),
        _ => {}
    }
    let done = this.parent_change_state(transition)?;
    match transition {
        gst::StateChange::PausedToPlaying => pads::play(this, true),
        gst::StateChange::PausedToReady => stop(this),
        _ => {}
    }
    Ok(done)
}

fn start<T: Teller>(this: &T) -> Result<(), gst::StateChangeError> {
    this.intake().hurry(false);
    let worker = this.start().map_err(|err| {
        let name = this.obj().name();
        gst::element_imp_error!(this, gst::ResourceError::Settings, ("{name}: {err}"));
        gst::StateChangeError
    })?;
    let mut state = this.state();
    state.worker = Some(worker);
    state.refused = 0;
    Ok(())
}

/// Called after the pads are shut.
fn stop<T: Teller>(this: &T) {
    let worker = {
        let mut state = this.state();
        state.lanes.reset();
        state.worker.take()
    };
    if let Some(worker) = worker {
        worker.stop();
    }
}

/// A line was wrong.
pub(super) fn refuse<T: Teller>(this: &T, why: &str) {
    this.state().refused += 1;
    warn(this, why);
}

/// Tells the user of something wrong.
pub(crate) fn warn<T: Teller>(this: &T, sentence: &str) {
    let name = this.obj().name();
    gst::element_imp_warning!(this, gst::ResourceError::Write, ("{name}: {sentence}"));
}
