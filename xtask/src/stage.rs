//! The plugin alone in a folder, and the environment in which GStreamer finds it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::assets::Assets;
use crate::{process, workspace};

const LIBRARY: &str = "libgstevr.so";

/// A folder that holds the plugin and nothing else.
///
/// GStreamer's scanner descends into folders: pointed at `target/release` it would load the second
/// copy in `deps/` too, and two libraries cannot both register the same types.
pub(crate) struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// Builds the plugin as users have it, and copies it to its stage.
    pub(crate) fn build() -> Result<Self> {
        println!("building the plugin …");
        process::show(workspace::cargo().args([
            "build",
            "--release",
            "--locked",
            "--package",
            "gst-plugin-evr",
        ]))?;
        Self::new("release")
    }

    /// Copies the plugin that cargo built in `profile` (`debug` or `release`) to its stage.
    pub(crate) fn new(profile: &str) -> Result<Self> {
        let target = workspace::target()?;
        let folder = target.join("stage").join(profile);
        let built = target.join(profile).join(LIBRARY);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::copy(&built, folder.join(LIBRARY)))
            .with_context(|| format!("cannot copy {} to {}", built.display(), folder.display()))?;
        Ok(Self { folder })
    }

    /// What GStreamer must be told: this plugin, this ONNX Runtime, and a registry of its own, so
    /// that the user's stays as it is.
    pub(crate) fn environment(&self, assets: &Assets) -> [(&'static str, PathBuf); 3] {
        [
            ("GST_PLUGIN_PATH", self.folder.clone()),
            ("GST_REGISTRY", self.folder.with_extension("registry")),
            ("ORT_DYLIB_PATH", assets.runtime.clone()),
        ]
    }

    /// `program`, working in the repository's root with that environment.
    pub(crate) fn command(&self, program: impl AsRef<Path>, assets: &Assets) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(workspace::root())
            .envs(self.environment(assets));
        command
    }
}
