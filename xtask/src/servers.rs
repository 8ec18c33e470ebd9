//! The Python that runs the servers of `tests/reference`: a virtual environment in the cache, made
//! once for each list of pinned packages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Cache};
use crate::process::{self, Progress};
use crate::{packages, workspace};

/// Its packages, with their SHA-256.
const REQUIREMENTS: &str = "xtask/assets/servers.txt";
/// Written once everything is installed.
const READY: &str = "ready";

/// The interpreter, with everything installed.
pub(crate) fn python(cache: &Cache) -> Result<PathBuf> {
    packages::ensure(packages::PYTHON)?;
    let requirements = workspace::root().join(REQUIREMENTS);
    let list = cache::sha256(&requirements)?;
    let version = process::capture(Command::new(packages::python()).arg("--version"))?;
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.trim().replace(' ', "-").to_lowercase();
    // An environment knows its own path, so it is made where it stays.
    let folder = cache.path(&format!("servers-{version}-{}", &list[..12]));
    let python = folder.join("bin/python");
    if !folder.join(READY).exists() {
        install(cache, &folder, &python, &requirements).context(
            "the servers of the tests need CPython 3.11 to 3.13 and their packages from PyPI",
        )?;
        fs::write(folder.join(READY), list)?;
    }
    Ok(python)
}

fn install(cache: &Cache, folder: &Path, python: &Path, requirements: &Path) -> Result<()> {
    cache.require_space()?;
    let _progress = Progress::new("fetching what the tests' servers need from PyPI (60 MB)");
    let venv = ["-m", "venv", "--clear"].map(OsStr::new);
    process::capture(Command::new(packages::python()).args(venv).arg(folder))?;
    process::capture(
        Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
            .arg(requirements)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    )?;
    Ok(())
}
