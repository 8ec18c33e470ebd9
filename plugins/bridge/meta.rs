//! Custom metas: each is made known to GStreamer by its name, once in a process.

use std::sync::{Mutex, PoisonError};

/// Makes a meta known; harmless to repeat.
///
/// It gets no tags, as ours have no coordinates that scaling or conversion would change: both keep
/// them.
pub(crate) fn make_known(name: &str) {
    // To ask and to register are two steps.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !gst::meta::CustomMeta::is_registered(name) {
        gst::meta::CustomMeta::register(name, &[]);
    }
}
