//! Programs outside the test that find the plugin: alone in a folder, as GStreamer's scanner needs
//! it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The plugin as cargo has just built it, and a place for what it makes.
pub struct Stage {
    dir: tempfile::TempDir,
}

impl Stage {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // Cargo puts it beside the tests whatever it was asked for, and further up only where the
        // plugin itself was.
        let test = std::env::current_exe().expect("this test runs");
        let plugins = dir.path().join("plugins");
        fs::create_dir_all(&plugins).expect("the temporary directory can be written");
        fs::copy(
            test.with_file_name("libgstevr.so"),
            plugins.join("libgstevr.so"),
        )
        .expect("cargo has built the plugin beside its tests");
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("GST_PLUGIN_PATH", self.path().join("plugins"))
            .env("GST_REGISTRY", self.path().join("registry.bin"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a launch line.
    pub fn launch(&self, line: &str) -> Output {
        let mut command = self.command("gst-launch-1.0");
        command
            .args(line.split_whitespace())
            .output()
            .expect("gst-launch-1.0 is installed")
    }

    /// A folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).expect("the temporary directory can be written");
        folder
    }
}

/// An example as cargo has just built it.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test runs");
    let folder = test.ancestors().nth(2);
    let folder = folder.expect("target/<profile>/deps/<test>");
    folder.join("examples").join(name)
}
