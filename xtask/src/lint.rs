//! Clippy with warnings denied, for every set of features.

use std::process::Command;

use anyhow::Result;

use crate::{process, workspace};

/// Whether this machine's GStreamer is at least `version`.
pub(crate) fn gstreamer_at_least(version: &str) -> bool {
    process::succeeds(
        Command::new("pkg-config")
            .arg(format!("--atleast-version={version}"))
            .arg("gstreamer-1.0"),
    )
}

/// The default features.
pub(crate) fn default_features() -> Result<()> {
    clippy(&["--workspace"])
}

/// None of the features.
pub(crate) fn no_default_features() -> Result<()> {
    clippy(&["--workspace", "--no-default-features"])
}

/// The features of GStreamer 1.24, also where only an older GStreamer is installed.
pub(crate) fn v1_24() -> Result<()> {
    clippy(&["--workspace", "--features", "v1_24"])
}

fn clippy(features: &[&str]) -> Result<()> {
    let mut command = workspace::cargo();
    command
        .args(["clippy", "--quiet", "--locked", "--all-targets"])
        .args(features)
        .args(["--", "--deny", "warnings"]);
    if !gstreamer_at_least("1.24") {
        assume_libraries(&mut command)?;
    }
    process::show(&mut command)
}

/// Tells the `system-deps` crate to take GStreamer's libraries as given, of whatever version, as
/// type checking does not link.
///
/// Its answer is part of the build scripts' fingerprints: a target folder apart, which all lints
/// share, keeps the ordinary builds from being thrown away each time.
fn assume_libraries(command: &mut Command) -> Result<()> {
    command.env("CARGO_TARGET_DIR", workspace::target()?.join("lints"));
    for library in workspace::gstreamer_libraries()? {
        let prefix = format!("SYSTEM_DEPS_{}", library.to_uppercase());
        command.env(format!("{prefix}_NO_PKG_CONFIG"), "1");
        command.env(format!("{prefix}_LIB"), library);
    }
    Ok(())
}
