//! What elements share that have frames inferred by a server: how they stand in a stream
//! (`watcher`), who is asked when (`watch`), on which threads (`desk`), HTTP (`http`), how its
//! address is shown (`address`), the picture of a frame that is sent (`picture`) and what the user
//! says of that (`look`).
//!
//! Not here: what a request and a reply say (evr-core), and the way there (the element).

pub(crate) mod address;
pub(crate) mod desk;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod look;
pub(crate) mod picture;
pub(crate) mod watch;
pub(crate) mod watcher;

/// What becomes of frames that come while one is inferred.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEvrRemoteMode")]
pub enum Mode {
    /// They wait: every frame whose turn it is is inferred.
    #[enum_value(name = "Every frame waits for its inference", nick = "sync")]
    Sync,
    /// They pass; what is found is said of the first frame after the inference.
    #[default]
    #[enum_value(
        name = "No frame waits: it is inferred beside the stream",
        nick = "latest"
    )]
    Latest,
}
