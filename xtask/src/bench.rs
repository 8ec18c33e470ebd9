//! `cargo xtask soak` and `cargo xtask bench`: the long tests and the benchmarks.
//!
//! Both print lines `measured: <what>: <value>`, which are kept in docs/measured.md.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::{assets, check, measured, packages};

/// Runs the ignored tests whose names begin with `soak_`.
pub(crate) fn soak() -> Result<()> {
    packages::ensure(packages::PLUGIN)?;
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
    measured::record("soak", &measure(&mut command)?)
}

/// Runs the benchmarks.
pub(crate) fn bench() -> Result<()> {
    packages::ensure(packages::PLUGIN)?;
    packages::ensure(packages::BENCHES)?;
    let mut command = check::cargo("bench", &assets::prepare_all()?);
    measured::record("bench", &measure(command.arg("--benches"))?)
}

/// Runs the benchmark that takes elements which only a newer GStreamer has.
pub(crate) fn upstream() -> Result<()> {
    packages::ensure(packages::PLUGIN)?;
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
        .context("cannot start cargo")?;
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
