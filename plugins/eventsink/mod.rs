pub(crate) fn register(_: &gst::Plugin) -> Result<(), glib::BoolError> {
    Ok(())
}
