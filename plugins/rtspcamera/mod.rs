//! `rtspcamera`: the encoded streams of an RTSP camera, for as long as the pipeline lives.
//!
//! `rtspsrc` ends with an error or with EOS when the camera goes; this source says so, tries again
//! until it is back, and goes on in the same stream. While nothing comes it sends GAP events, so
//! that what runs on media time, as signalgate does, still gets on: a recording that was open when
//! the camera went is closed and whole. The session is a private pipeline of stock elements.
//!
//! ```text
//! gst-launch-1.0 -e -m rtspcamera location=rtsp://camera/stream user-id=admin user-pw=… ! tee name=t  t. ! queue ! signalgate name=gate ! eventsink  t. ! queue ! avdec_h264 ! queue leaky=downstream max-size-buffers=1 ! motiondetect name=motion ! fakesink  motion.signal ! gate.signal
//! ```

use gst::prelude::*;

mod imp;
mod keeper;
mod lifecycle;
mod session;
mod streams;

glib::wrapper! {
    /// The element `rtspcamera`.
    pub(crate) struct RtspCamera(ObjectSubclass<imp::RtspCamera>)
        @extends gst::Element, gst::Object;
}

/// How RTP comes from the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstEvrRtspTransport")]
pub(crate) enum RtspTransport {
    #[default]
    #[enum_value(
        name = "Within the RTSP connection; nothing is lost on the way",
        nick = "tcp"
    )]
    Tcp,
    #[enum_value(name = "In packets of its own, which may be lost", nick = "udp")]
    Udp,
    #[enum_value(name = "Within HTTP, through proxies", nick = "http")]
    Http,
}

impl RtspTransport {
    /// As rtspsrc's `protocols` names it.
    fn protocols(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
        }
    }
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "rtspcamera",
        gst::Rank::NONE,
        RtspCamera::static_type(),
    )
}
