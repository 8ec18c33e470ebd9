//! An element that has its frames inferred by a server, as the stream meets it: what its base
//! class asks of it.
//!
//! Not here: what the user sets and whom it asks (the element), and which frames are sent
//! (`watch`).

use std::sync::LazyLock;

use evr_core::detector::Limits;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;

use super::desk::{Ask, Desk};
use super::watch::{News, Plan, Watch};
use crate::bridge::video::{FORMATS, readable};
use crate::bridge::{passing, time};

/// Such an element.
pub(crate) trait Watcher: BaseTransformImpl {
    /// Who asks the server for it.
    type Asker: Ask;

    /// Where it logs, under the element's name.
    fn category() -> gst::DebugCategory;
    fn watch(&self) -> &Watch;
    /// What counts as an object, for the next frame.
    fn limits(&self) -> Limits;
    /// What the user has set, with one asker for each request that may be under way.
    ///
    /// # Errors
    /// A sentence, to be preceded by the element's name.
    fn plan(&self) -> Result<(Plan, Vec<Self::Asker>), String>;
}

pub(crate) fn pad_templates() -> &'static [gst::PadTemplate] {
    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
        let caps = gst_video::VideoCapsBuilder::new()
            .format_list(FORMATS)
            .build();
        passing::templates(&caps)
    });
    &TEMPLATES
}

pub(crate) fn change_state<T: Watcher>(
    this: &T,
    transition: gst::StateChange,
) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
    if transition == gst::StateChange::PausedToReady {
        // The streaming thread may wait for an answer, and the parent waits for it.
        this.watch().hurry(true);
    }
    this.parent_change_state(transition)
}

pub(crate) fn start<T: Watcher>(this: &T) -> Result<(), gst::ErrorMessage> {
    let name = this.obj().name();
    let wrong = |err: String| gst::error_msg!(gst::ResourceError::Settings, ("{name}: {err}"));
    let (plan, askers) = this.plan().map_err(wrong)?;
    let desk = Desk::start(T::category().name(), askers).map_err(|err| {
        wrong(format!(
            "no thread for requests ({err}): lower max-requests"
        ))
    })?;
    // As it reads back, which is without secrets.
    let location: Option<String> = this.obj().property("location");
    gst::debug!(T::category(), imp = this, "asks {location:?}");
    this.watch().start(plan, desk);
    Ok(())
}

pub(crate) fn accept_caps<T: Watcher>(
    this: &T,
    direction: gst::PadDirection,
    caps: &gst::Caps,
) -> bool {
    passing::is_sent_video(direction, caps) || this.parent_accept_caps(direction, caps)
}

pub(crate) fn set_caps<T: Watcher>(this: &T, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
    let info = readable(caps).map_err(|reason| gst::loggable_error!(T::category(), "{reason}"))?;
    this.watch().caps(info);
    Ok(())
}

pub(crate) fn src_event<T: Watcher>(this: &T, event: gst::Event) -> bool {
    passing::src_event(this, event, |until| this.watch().late(until))
}

pub(crate) fn sink_event<T: Watcher>(this: &T, event: gst::Event) -> bool {
    match event.view() {
        gst::EventView::Caps(caps) => {
            if let Err(reason) = readable(caps.caps()) {
                let name = this.obj().name();
                gst::element_imp_error!(this, gst::StreamError::Format, ("{name}: {reason}"));
                return false;
            }
            this.parent_sink_event(event)
        }
        gst::EventView::FlushStart(_) => {
            this.watch().hurry(true);
            this.parent_sink_event(event)
        }
        gst::EventView::FlushStop(_) => {
            this.watch().flush();
            this.parent_sink_event(event)
        }
        gst::EventView::Segment(_) => {
            let forwarded = this.parent_sink_event(event);
            push_model(this);
            forwarded
        }
        _ => this.parent_sink_event(event),
    }
}

pub(crate) fn propose_allocation<T: Watcher>(
    this: &T,
    query: &mut gst::query::Allocation,
) -> Result<(), gst::LoggableError> {
    passing::propose_allocation(&*this.obj(), &T::category(), query)
}

/// A frame passes, perhaps with what the server has found.
pub(crate) fn transform_ip<T: Watcher>(
    this: &T,
    buffer: &mut gst::BufferRef,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let time = time::running_time(&this.obj().segment(), buffer.pts());
    match this.watch().frame(buffer, time, this.limits()) {
        Ok(news) => {
            for news in news {
                tell(this, news);
            }
            Ok(gst::FlowSuccess::Ok)
        }
        Err(reason) => {
            let name = this.obj().name();
            gst::element_imp_error!(this, gst::StreamError::Failed, ("{name}: {reason}"));
            Err(gst::FlowError::Error)
        }
    }
}

fn tell<T: Watcher>(this: &T, news: News) {
    match news {
        News::Trouble(sentence) => {
            let name = this.obj().name();
            gst::element_imp_warning!(this, gst::ResourceError::Failed, ("{name}: {sentence}"));
        }
        News::Recovered => gst::info!(T::category(), imp = this, "the server answers again"),
        News::Model(model) => {
            gst::info!(T::category(), imp = this, "the server runs {}", model.name);
            push_model(this);
        }
    }
}

/// Tells those behind what the model can find.
fn push_model<T: Watcher>(this: &T) {
    if let Some(model) = this.watch().model() {
        // A flushing or unlinked pad keeps the event and sends it before the next buffer.
        this.obj().src_pad().push_event(model.to_event());
    }
}
