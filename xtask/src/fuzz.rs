//! `cargo xtask fuzz`: libFuzzer on the bodies in `fuzz/`, which takes a nightly compiler.
//!
//! The tests run the same bodies on any compiler, but only over the corpus and near it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::process::Progress;
use crate::{measured, process, workspace};

/// Seconds a target.
const SECONDS: u32 = 120;
const MISSING: &str = "fuzzing takes a nightly compiler and cargo-fuzz: \
     `rustup toolchain install nightly --profile minimal && cargo install cargo-fuzz --locked`";

/// Whether this machine has what it takes.
pub(crate) fn is_possible() -> bool {
    process::succeeds(workspace::nightly().args(["fuzz", "--version"]))
}

/// Fuzzes every target for a while, keeps what was found new in the target folder, and writes how
/// much was tried to docs/measured.md.
pub(crate) fn run() -> Result<()> {
    ensure!(is_possible(), MISSING);
    let found = workspace::target()?.join("fuzz-corpus");
    let mut figures = Vec::new();
    for target in targets()? {
        let what = format!("fuzzing {target}, inputs in {SECONDS} s without a promise broken");
        figures.push((what, fuzz(&target, &found.join(&target))?));
    }
    measured::record("fuzz", &figures)
}

/// As `run`, where that is possible.
pub(crate) fn run_if_possible() -> Result<()> {
    match is_possible() {
        true => run(),
        false => {
            println!("not fuzzed: {MISSING}");
            Ok(())
        }
    }
}

fn targets() -> Result<Vec<String>> {
    let folder = workspace::root().join("fuzz/targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let stem = path.file_stem().and_then(OsStr::to_str);
        targets.push(stem.context("a target is not called in UTF-8")?.to_owned());
    }
    targets.sort();
    Ok(targets)
}

/// The number of inputs that were tried.
fn fuzz(target: &str, found: &Path) -> Result<String> {
    fs::create_dir_all(found)?;
    let _progress = Progress::new(&format!("fuzzing {target}"));
    let mut command = workspace::nightly();
    command
        .args(["fuzz", "run", target])
        .arg(found)
        .arg(format!("fuzz/corpus/{target}"))
        .args(["--", "-seed=1", "-print_final_stats=1"])
        .arg(format!("-max_total_time={SECONDS}"));
    let output = command.stdin(Stdio::null()).output();
    let output = output.context("cannot start rustup")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let end: Vec<_> = said.lines().rev().take(40).collect();
        let end: Vec<_> = end.into_iter().rev().collect();
        bail!("{target} breaks a promise:\n{}", end.join("\n"));
    }
    let count = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    Ok(count
        .context("libFuzzer told no figures")?
        .trim()
        .to_owned())
}
