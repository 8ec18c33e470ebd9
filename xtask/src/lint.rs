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
    clippy(|_| {}, &["--workspace"])
}

/// None of the features.
pub(crate) fn no_default_features() -> Result<()> {
    clippy(|_| {}, &["--workspace", "--no-default-features"])
}

/// The features of GStreamer 1.24, also where only an older GStreamer is installed.
///
/// Type checking does not link, so the `system-deps` crate is told to take the libraries as given.
/// Its answer is part of the build scripts' fingerprints: a target folder apart keeps the ordinary
/// builds from being thrown away each time.
pub(crate) fn v1_24() -> Result<()> {
    let features = ["--workspace", "--features", "v1_24"];
    if gstreamer_at_least("1.24") {
        return clippy(|_| {}, &features);
    }
    let libraries = workspace::gstreamer_libraries()?;
    let folder = workspace::target()?.join("v1_24");
    let assume = |command: &mut Command| {
        command.env("CARGO_TARGET_DIR", &folder);
        for library in &libraries {
            let prefix = format!("SYSTEM_DEPS_{}", library.to_uppercase());
            command.env(format!("{prefix}_NO_PKG_CONFIG"), "1");
            command.env(format!("{prefix}_LIB"), library);
        }
    };
    clippy(assume, &features)
}

fn clippy(prepare: impl FnOnce(&mut Command), arguments: &[&str]) -> Result<()> {
    let mut command = workspace::cargo();
    command
        .args(["clippy", "--quiet", "--locked", "--all-targets"])
        .args(arguments);
    command.args(["--", "--deny", "warnings"]);
    prepare(&mut command);
    process::show(&mut command)
}
