//! Hands version, commit and release date to `gst::plugin_define!`.

fn main() {
    gst_plugin_version_helper::info();
}
