//! The element: a bin around the source of pictures, since the base class of sources has no room
//! for a second pad.

use std::sync::LazyLock;

use gst::{prelude::*, subclass::prelude::*};

pub(crate) use super::properties::ZedSrc;
use super::{asked::Wishes, meta, settings::Settings};
use crate::bridge::producer::meta_template;

impl ZedSrc {
    pub(super) fn settings(&self) -> Settings {
        let settings = self.settings.lock();
        settings.expect("no thread panics under this lock").clone()
    }

    /// What of the settings a camera can still be asked for.
    pub(super) fn wishes(&self) -> Wishes {
        let settings = self.settings.lock();
        settings.expect("no thread panics under this lock").wishes()
    }

    /// Whether an SVO file is being written.
    pub(super) fn is_recording(&self) -> bool {
        self.source.imp().is_recording()
    }

    pub(super) fn set_recording(&self, recording: bool) {
        let settings = self.settings.lock();
        let mut settings = settings.expect("no thread panics under this lock");
        settings.svo_recording = recording;
        settings.svo_recording_set += 1;
    }

    pub(super) fn dropped(&self) -> u64 {
        self.source.imp().dropped()
    }
}

/// What leaves by the pad `src`.
pub(super) fn template() -> gst::PadTemplate {
    let caps = gst_video::VideoCapsBuilder::new()
        .format_list([
            gst_video::VideoFormat::I420,
            gst_video::VideoFormat::Nv12,
            gst_video::VideoFormat::Bgra,
            gst_video::VideoFormat::Gray8,
            gst_video::VideoFormat::Gray16Le,
        ])
        .build();
    let (src, always) = (gst::PadDirection::Src, gst::PadPresence::Always);
    gst::PadTemplate::new("src", src, always, &caps).expect("the caps are right")
}

#[glib::object_subclass]
impl ObjectSubclass for ZedSrc {
    const NAME: &'static str = "GstEvrZedSrc";
    type Type = super::ZedSrc;
    type ParentType = gst::Bin;

    fn new() -> Self {
        Self {
            settings: Default::default(),
            source: glib::Object::builder().property("name", "pictures").build(),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for ZedSrc {
    fn constructed(&self) {
        self.parent_constructed();
        let bin = self.obj();
        bin.add(&self.source).expect("a new bin is empty");
        let pictures = self.source.static_pad("src");
        let pictures = pictures.expect("a source has its pad from the beginning");
        let template = bin.pad_template("src").expect("the class has it");
        let pad = gst::GhostPad::from_template_with_target(&template, &pictures);
        bin.add_pad(&pad.expect("the pad has no peer yet"))
            .expect("a new element has no pads");
    }
}

impl GstObjectImpl for ZedSrc {}

impl ElementImpl for ZedSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "ZED source",
                "Source/Video",
                "Shows ZED stereo cameras and their recordings, rectified",
                env!("CARGO_PKG_NAME"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| vec![template(), meta_template()]);
        &TEMPLATES
    }

    /// A bin would ask its sinks, of which there are none.
    fn query(&self, query: &mut gst::QueryRef) -> bool {
        self.source.query(query)
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        meta::add(self, template)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        meta::remove(self, pad);
    }
}

impl BinImpl for ZedSrc {}
