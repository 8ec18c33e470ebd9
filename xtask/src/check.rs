//! `cargo xtask test`: everything that must hold before a merge.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::assets::{self, Assets};
use crate::stage::Stage;
use crate::{lint, packages, pipelines, process, workspace};

/// Runs all checks; the tests come last, so that their summary ends the output.
pub(crate) fn run() -> Result<()> {
    let begun = Instant::now();
    step("packages", || {
        packages::ensure(packages::PLUGIN)?;
        packages::ensure(packages::CHECKS)
    })?;
    let assets = step("assets", assets::prepare)?;
    step("format", || {
        process::show(workspace::cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("licences and sources", licences)?;
    step("lints, default features", lint::default_features)?;
    step("lints, no features", lint::no_default_features)?;
    step("lints, GStreamer 1.24", lint::v1_24)?;
    // One profile for tests, examples, doc tests and scripts, so that nothing is built twice.
    step("build", || {
        process::show(cargo("build", &assets).args(["--lib", "--bins", "--tests", "--examples"]))
    })?;
    step("pipelines", || {
        pipelines::run(&Stage::new("debug")?, &assets)
    })?;
    step("documentation tests", || {
        process::show(cargo("test", &assets).arg("--doc"))
    })?;
    step("tests", || process::show(&mut tests(&assets)))?;
    println!("everything holds, after {} s", begun.elapsed().as_secs());
    Ok(())
}

fn step<T>(name: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {name}");
    let begun = Instant::now();
    let value = action().with_context(|| format!("{name}: not passed"))?;
    println!("== {name}: ok, {:.1} s", begun.elapsed().as_secs_f64());
    Ok(value)
}

/// `cargo <subcommand>` over the workspace, with the assets named in its environment.
pub(crate) fn cargo(subcommand: &str, assets: &Assets) -> Command {
    let mut command = workspace::cargo();
    command
        .args(subcommand.split(' '))
        .args(["--workspace", "--locked"]);
    if lint::gstreamer_at_least("1.24") {
        command.args(["--features", "v1_24"]);
    }
    command.envs(assets.environment());
    command
}

fn tests(assets: &Assets) -> Command {
    if has_cargo("nextest") {
        let mut command = cargo("nextest run", assets);
        command.args(["--no-tests", "fail"]);
        command
    } else {
        println!(
            "cargo-nextest is not installed: running `cargo test`, without a limit for slow tests"
        );
        let mut command = cargo("test", assets);
        command.args(["--lib", "--bins", "--tests", "--examples"]);
        command
    }
}

fn licences() -> Result<()> {
    if !has_cargo("deny") {
        println!("cargo-deny is not installed: not checked");
        return Ok(());
    }
    // Not `advisories`, which would need a network.
    let mut command = workspace::cargo();
    command.args(["deny", "check", "licenses", "sources", "bans"]);
    process::show(&mut command)
}

fn has_cargo(subcommand: &str) -> bool {
    process::succeeds(workspace::cargo().args([subcommand, "--version"]))
}
