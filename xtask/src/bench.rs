//! `cargo xtask soak` and `cargo xtask bench`: the long tests and the benchmarks.
//!
//! Both print lines `measured: <what>: <value>`, which are kept in docs/measured.md.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::python::{self, Python};
use crate::{assets, check, measured, packages, process, workspace};

/// Runs the ignored tests whose names begin with `soak_`.
pub(crate) fn soak() -> Result<()> {
    check::ensure_packages()?;
    packages::ensure(packages::CHECKS)?;
    let mut command = check::cargo("test", &assets::prepare_all()?);
    command
        .args(["--release", "--lib", "--bins", "--tests"])
        .args([
            "--",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
            "soak_",
        ])
        .env("EVR_SOAK", "1");
    let pair = workspace::target()?.join("stereo-pair");
    let mut figures = measure(&mut opencv(&pair)?)?;
    command.env("EVR_TEST_STEREO_PAIR", &pair);
    figures.extend(measure(&mut command)?);
    measured::record("soak", &figures)
}

/// Writes a pair of photographs into a folder, for our own matcher, and tells of OpenCV's.
fn opencv(pair: &Path) -> Result<Command> {
    let python = Python::kept(&Cache::open()?, &python::DEPTH)?;
    let script = workspace::root().join("tests/reference/depth.py");
    Ok(python.command(&[], &[&script, pair]))
}

/// Runs the benchmarks.
pub(crate) fn bench() -> Result<()> {
    check::ensure_packages()?;
    packages::ensure(packages::BENCHES)?;
    let mut command = check::cargo("bench", &assets::prepare_all()?);
    measured::record("bench", &measure(command.arg("--benches"))?)
}

/// Runs the benchmark that takes elements which only a newer GStreamer has.
pub(crate) fn upstream() -> Result<()> {
    check::ensure_packages()?;
    packages::ensure(packages::UPSTREAM)?;
    let mut command = check::cargo("bench", &assets::prepare_all()?);
    command.args(["--bench", "onnxinference"]);
    measured::record("beside upstream", &measure(&mut command)?)
}

/// Runs `command` with its output shown, and returns the figures in it.
fn measure(command: &mut Command) -> Result<Vec<(String, String)>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", process::one_line(command)))?;
    let output = child.stdout.take().expect("it was asked for just above");
    let mut figures = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        figures.extend(measured::figure(&line));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "`{}` failed ({status}), see above",
            process::one_line(command)
        );
    }
    Ok(figures)
}
