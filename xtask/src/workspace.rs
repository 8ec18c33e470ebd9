//! Where things lie in this checkout, as cargo tells it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The repository's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in a folder of the workspace")
}

/// The cargo that runs this program, working in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// rustup's nightly cargo, whichever compiler runs this program.
pub(crate) fn nightly() -> Command {
    let mut command = Command::new("rustup");
    command
        .current_dir(root())
        .args(["run", "nightly", "cargo"]);
    command
}

/// Where cargo builds to.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let folder = metadata["target_directory"].as_str();
    Ok(folder
        .context("cargo metadata names no target directory")?
        .into())
}

/// The GStreamer libraries that the workspace links, as the `system-deps` crate spells them:
/// `gstreamer_video_1_0`.
pub(crate) fn gstreamer_libraries() -> Result<Vec<String>> {
    let metadata = metadata(&["--all-features"])?;
    let packages = metadata["packages"].as_array();
    Ok(packages
        .context("cargo metadata lists no packages")?
        .iter()
        .filter_map(|package| package["metadata"]["system-deps"].as_object())
        .flat_map(|libraries| libraries.keys())
        .filter(|library| library.starts_with("gstreamer"))
        .cloned()
        .collect())
}

fn metadata(arguments: &[&str]) -> Result<Value> {
    let output = process::capture(
        cargo()
            .args(["metadata", "--format-version=1", "--locked", "--quiet"])
            .args(arguments),
    )?;
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}
