//! Pythons with packages of their own, away from the user's: one that goes with its folder, and
//! some that are kept in the cache, made once for each list of pinned packages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Cache};
use crate::process::{self, Progress};
use crate::{packages, workspace};

/// What the servers of `tests/reference` import.
pub(crate) const SERVERS: List = List {
    name: "servers",
    what: "the servers of the tests",
    size: "60 MB",
};
/// What `tests/reference/depth.py` imports.
pub(crate) const DEPTH: List = List {
    name: "depth",
    what: "what depth by OpenCV needs",
    size: "90 MB",
};
/// Written once everything is installed.
const READY: &str = "ready";

/// Packages with their SHA-256, in `xtask/assets/<name>.txt`.
pub(crate) struct List {
    name: &'static str,
    what: &'static str,
    size: &'static str,
}

/// An interpreter in an environment of its own.
pub(crate) struct Python {
    program: PathBuf,
}

impl Python {
    /// One in `scratch`, without packages.
    pub(crate) fn new(scratch: &Path) -> Result<Self> {
        packages::ensure(packages::PYTHON)?;
        Self::make(&scratch.join("venv"))
    }

    /// The one of the cache that has this list installed.
    pub(crate) fn kept(cache: &Cache, list: &List) -> Result<Self> {
        packages::ensure(packages::PYTHON)?;
        let requirements = workspace::root().join(format!("xtask/assets/{}.txt", list.name));
        let pinned = cache::sha256(&requirements)?;
        let version = process::capture(Command::new(packages::python()).arg("--version"))?;
        let version = String::from_utf8_lossy(&version.stdout);
        let version = version.trim().replace(' ', "-").to_lowercase();
        // An environment knows its own path, so it is made where it stays.
        let folder = cache.path(&format!("{}-{version}-{}", list.name, &pinned[..12]));
        if folder.join(READY).exists() {
            return Ok(Self::of(&folder));
        }
        cache.require_space()?;
        let _progress = Progress::new(&format!(
            "fetching what {} need from PyPI ({})",
            list.what, list.size
        ));
        let python = Self::make(&folder)?;
        let install = ["-m", "pip", "install", "--quiet", "--no-deps"];
        let pinned_ones = ["--only-binary=:all:", "--require-hashes", "--requirement"];
        python
            .run(&[&install[..], &pinned_ones].concat(), &[&requirements])
            .with_context(|| {
                format!(
                    "{} need CPython 3.11 to 3.13 and their packages from PyPI",
                    list.what
                )
            })?;
        fs::write(folder.join(READY), pinned).map_err(process::explain_disk)?;
        Ok(python)
    }

    fn make(folder: &Path) -> Result<Self> {
        let venv = ["-m", "venv", "--clear"].map(OsStr::new);
        process::capture(Command::new(packages::python()).args(venv).arg(folder))?;
        Ok(Self::of(folder))
    }

    fn of(folder: &Path) -> Self {
        Self {
            program: folder.join("bin/python"),
        }
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// With these arguments, ready to run.
    pub(crate) fn command(&self, arguments: &[&str], paths: &[&Path]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .args(paths)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            // What a script imports of its folder leaves nothing behind in the checkout.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str], paths: &[&Path]) -> Result<()> {
        process::capture(&mut self.command(arguments, paths))?;
        Ok(())
    }
}
