//! The element: what it reads off frames and writes onto them. Which depth stands for an object is
//! evr-core's decision.

use std::sync::{LazyLock, Mutex, MutexGuard};

use glib::Properties;
use gst::{prelude::*, subclass::prelude::*};
use gst_base::subclass::{
    BaseTransformMode,
    base_transform::{InputBuffer, PrepareOutputBufferSuccess},
    prelude::*,
};

use crate::bridge::{
    depth::{self, Annotated, Depth, DepthError},
    passing,
};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "depthannotate",
        gst::DebugColorFlags::empty(),
        Some("Where in space detections are"),
    )
});

/// What the user asks for. Read anew with each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Settings {
    keep_map: bool,
}

/// What runs.
#[derive(Default)]
struct State {
    /// Width and height of the frames, in pixels.
    size: (u32, u32),
    annotated: Annotated,
    without_map: u64,
    /// Whether somebody has been told of a map that is none.
    warned: bool,
    /// Whether somebody has been told of detections without a map.
    missed: bool,
}

#[derive(Properties, Default)]
#[properties(wrapper_type = super::DepthAnnotate)]
pub(crate) struct DepthAnnotate {
    #[property(
        name = "keep-map", nick = "Keep the map",
        blurb = "Whether frames keep their map of depth, for who reads it further downstream; it takes 2 bytes a pixel, and encoders pass it on to whoever holds what they made",
        get, set, type = bool, member = keep_map,
        default = Settings::default().keep_map, mutable_playing
    )]
    settings: Mutex<Settings>,
    #[property(
        name = "located", nick = "Located",
        blurb = "How many detections have got a distance since the element started",
        get = |this: &Self| this.lock().annotated.located, type = u64
    )]
    #[property(
        name = "unknown", nick = "Unknown",
        blurb = "Of how many detections the map did not say the distance since the element started",
        get = |this: &Self| this.lock().annotated.unknown, type = u64
    )]
    #[property(
        name = "without-map", nick = "Without a map",
        blurb = "How many frames had no map of depth, or none that could be read, since the element started",
        get = |this: &Self| this.lock().without_map, type = u64
    )]
    state: Mutex<State>,
}

impl DepthAnnotate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics under this lock")
    }

    /// Writes what a frame's map says onto its regions; nothing where it has none.
    fn annotate(&self, buffer: &mut gst::BufferRef) -> Result<Option<Annotated>, DepthError> {
        let size = self.lock().size;
        let Some(map) = Depth::read(buffer)? else {
            self.miss(buffer, size);
            return Ok(None);
        };
        depth::annotate(buffer, &map, size).map(Some)
    }

    /// Says once that there are detections but no map.
    fn miss(&self, buffer: &gst::BufferRef, size: (u32, u32)) {
        if self.lock().missed || !depth::is_wanted(buffer, size) {
            return;
        }
        self.lock().missed = true;
        gst::element_imp_warning!(
            self,
            gst::StreamError::Format,
            (
                "{}: a frame has a detection and no map of depth, so nobody says how far away it is: give zedsrc a depth-mode and stream-type=left, with a file or backend=uvc, as the SDK's backend hangs no map onto pictures",
                self.obj().name()
            )
        );
    }

    fn warn(&self, err: &DepthError) {
        if !std::mem::replace(&mut self.lock().warned, true) {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                (
                    "{}: what a frame carries is no map of depth: {err}; let zedsrc make it (frames pass as if they had none)",
                    self.obj().name()
                )
            );
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for DepthAnnotate {
    const NAME: &'static str = "GstEvrDepthAnnotate";
    type Type = super::DepthAnnotate;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for DepthAnnotate {}

impl GstObjectImpl for DepthAnnotate {}

impl ElementImpl for DepthAnnotate {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Depth annotator",
                "Filter/Analyzer/Video",
                "Says of each detection where in space it is, from the frame's map of depth",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = gst::Caps::builder("video/x-raw").any_features().build();
            passing::templates(&caps)
        });
        &TEMPLATES
    }
}

impl BaseTransformImpl for DepthAnnotate {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.lock() = State::default();
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _: &gst::Caps) -> Result<(), gst::LoggableError> {
        let size = incaps
            .structure(0)
            .and_then(passing::size)
            .ok_or_else(|| gst::loggable_error!(CAT, "no width and height in {incaps}"))?;
        self.lock().size = size;
        Ok(())
    }

    fn propose_allocation(
        &self,
        _: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        passing::propose_allocation(&*self.obj(), &CAT, query)
    }

    fn prepare_output_buffer(
        &self,
        buffer: InputBuffer,
    ) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        passing::writable(buffer)
    }

    fn transform_ip(
        &self,
        buffer: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let annotated = self.annotate(buffer).unwrap_or_else(|err| {
            self.warn(&err);
            None
        });
        let keep = self
            .settings
            .lock()
            .expect("no thread panics under this lock")
            .keep_map;
        if !keep {
            depth::remove(buffer);
        }
        let mut state = self.lock();
        match annotated {
            Some(Annotated { located, unknown }) => {
                state.annotated.located += located;
                state.annotated.unknown += unknown;
            }
            None => state.without_map += 1,
        }
        Ok(gst::FlowSuccess::Ok)
    }
}
