//! What streams are made of, wherever they are decided on.

use crate::time::Nanos;

/// One buffer of a stream, in decode order; of encoded video an access unit. Times are signed
/// running times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit<T> {
    /// When it is shown.
    pub pts: Nanos,
    /// When it is decoded; no later unit of the stream is shown before it. `None` where upstream
    /// does not say.
    pub dts: Option<Nanos>,
    /// How long it is shown; `None` where upstream does not say.
    pub duration: Option<Nanos>,
    /// Decoding can begin here.
    pub sync: bool,
    /// Size of the payload.
    pub bytes: u64,
    /// The buffer itself, which is only passed on.
    pub payload: T,
}
