//! `zedsrc`: a ZED stereo camera, or what one recorded, as video: the left eye, the right, or both.
//!
//! Three ways lead to pictures (`backend`). **File**: recordings in which both eyes stand side by
//! side or one above the other, in anything that GStreamer decodes, raw YUYV frames (`.yuyv`), or SVO2
//! files, which are experimental.
//! **UVC**: ZED, ZED Mini, ZED 2 and ZED 2i on USB 3, without the SDK; Linux only. **SDK**:
//! Stereolabs' ZED SDK 5.0 to 5.2, whose C library is opened at run time: every camera of theirs,
//! network streams and SVO files, rectified by the SDK, with depth, objects and bodies. With the
//! camera's factory calibration the first two undistort and rectify, without it pictures are
//! shown as they are.
//!
//! ```text
//! gst-launch-1.0 zedsrc location=recording.mp4 calibration-file=SN12345678.conf stream-type=left ! videoconvert ! autovideosink
//! ```
//!
//! A camera is a live source whose pictures have the running time at which they were taken, and
//! carry the wall-clock time as a `GstReferenceTimestampMeta`; what it feels rides along as a
//! custom meta `GstEvrZedMeta`, and what the SDK finds as regions of interest, with distance and
//! position. A file goes as fast as the pipeline takes frames and can seek; with
//! `svo-real-time-mode=true` it is a live source that keeps the recording's pace and drops what
//! comes too late. Stereolabs has an element of the same name in a plugin of its own; properties
//! that both have are called the same and mean the same.

use gst::prelude::*;

mod asked;
mod compose;
mod depth;
mod device;
mod factory;
mod file;
mod imp;
mod live;
mod meta;
mod pack;
mod play;
mod properties;
mod raw;
mod sensed;
mod settings;
mod source;
mod svo;
mod times;
mod words;

/// What is shown of both eyes. The numbers are those of Stereolabs' element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcStreamType")]
pub(crate) enum ZedSrcStreamType {
    #[default]
    #[enum_value(name = "The left eye", nick = "left")]
    Left = 0,
    #[enum_value(name = "The right eye", nick = "right")]
    Right = 1,
    #[enum_value(name = "The left eye above the right", nick = "top-bottom")]
    TopBottom = 2,
    #[enum_value(
        name = "Depth in millimetres, 16 bits a pixel; by the SDK, or matched where the camera's calibration is known",
        nick = "depth"
    )]
    Depth = 3,
    #[enum_value(
        name = "The left eye above depth, whose pixels are 32-bit millimetres; by the SDK, or matched where the camera's calibration is known",
        nick = "left-depth"
    )]
    LeftDepth = 4,
    #[enum_value(name = "The left eye beside the right", nick = "side-by-side")]
    SideBySide = 5,
}

impl ZedSrcStreamType {
    fn has_depth(self) -> bool {
        matches!(self, Self::Depth | Self::LeftDepth)
    }
}

/// How both eyes stand in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcFileLayout")]
pub(crate) enum ZedSrcFileLayout {
    #[default]
    #[enum_value(name = "The left eye beside the right", nick = "side-by-side")]
    SideBySide,
    #[enum_value(name = "The left eye above the right", nick = "top-bottom")]
    TopBottom,
}

/// The camera's modes, by the size of one eye. The numbers are those of Stereolabs' element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrZedSrcResolution")]
pub(crate) enum ZedSrcResolution {
    #[enum_value(name = "2208x1242", nick = "hd2k")]
    Hd2k = 0,
    #[enum_value(name = "1920x1080", nick = "hd1080")]
    Hd1080 = 1,
    #[enum_value(name = "1920x1200", nick = "hd1200")]
    Hd1200 = 2,
    #[enum_value(name = "1280x720", nick = "hd720")]
    Hd720 = 3,
    #[enum_value(name = "960x600", nick = "svga")]
    Svga = 4,
    #[enum_value(name = "672x376", nick = "vga")]
    Vga = 5,
    #[default]
    #[enum_value(
        name = "As the file says; of a USB camera 1280x720, with the SDK what it chooses",
        nick = "auto"
    )]
    Auto = 6,
}

impl ZedSrcResolution {
    /// The size of one eye, where the mode tells one.
    fn size(self) -> Option<(u32, u32)> {
        match self {
            Self::Hd2k => Some((2208, 1242)),
            Self::Hd1080 => Some((1920, 1080)),
            Self::Hd1200 => Some((1920, 1200)),
            Self::Hd720 => Some((1280, 720)),
            Self::Svga => Some((960, 600)),
            Self::Vga => Some((672, 376)),
            Self::Auto => None,
        }
    }
}

glib::wrapper! {
    /// The element `zedsrc`.
    pub(crate) struct ZedSrc(ObjectSubclass<imp::ZedSrc>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

glib::wrapper! {
    /// What is inside, and makes the pictures.
    pub(crate) struct Source(ObjectSubclass<source::Source>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    sensed::register_meta();
    gst::Element::register(
        Some(plugin),
        "zedsrc",
        gst::Rank::NONE,
        ZedSrc::static_type(),
    )
}
