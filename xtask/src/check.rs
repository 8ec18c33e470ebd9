//! `cargo xtask test`: everything that must hold before a merge.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::assets::{self, Assets};
use crate::stage::Stage;
use crate::{lint, packages, pipelines, process, workspace};

/// Runs all checks, whatever the ones before found; the tests come last, so that their summary ends
/// the output.
pub(crate) fn run() -> Result<()> {
    let begun = Instant::now();
    timed("packages", || {
        ensure_packages()?;
        packages::ensure(packages::CHECKS)
    })?;
    let assets = timed("assets", assets::prepare_all)?;
    let mut checks = Checks::default();
    checks.run("format", || {
        process::show(workspace::cargo().args(["fmt", "--all", "--check"]))
    });
    checks.run("licences and sources", licences);
    checks.run("lints, default features", lint::default_features);
    checks.run("lints, no features", lint::no_default_features);
    checks.run("lints, GStreamer 1.24", lint::v1_24);
    // One profile for tests, examples, doc tests and scripts, so that nothing is built twice.
    timed("build", || {
        process::show(cargo("build", &assets).args(["--lib", "--bins", "--tests", "--examples"]))
    })?;
    checks.run("pipelines", || {
        pipelines::run(&Stage::new("debug")?, &assets)
    });
    checks.run("documentation tests", || {
        process::show(cargo("test", &assets).arg("--doc"))
    });
    checks.run("tests", || process::show(&mut tests(&assets)));
    checks.conclude()?;
    println!("everything holds, after {} s", begun.elapsed().as_secs());
    Ok(())
}

/// The names of the checks that did not pass.
#[derive(Default)]
struct Checks {
    failed: Vec<&'static str>,
}

impl Checks {
    fn run(&mut self, name: &'static str, check: impl FnOnce() -> Result<()>) {
        if let Err(error) = timed(name, check) {
            println!("{error:#}");
            self.failed.push(name);
        }
    }

    fn conclude(self) -> Result<()> {
        ensure!(
            self.failed.is_empty(),
            "not passed: {}",
            self.failed.join("; ")
        );
        Ok(())
    }
}

fn timed<T>(name: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {name}");
    let begun = Instant::now();
    let result = action();
    let verdict = if result.is_ok() { "ok" } else { "NOT PASSED" };
    println!(
        "== {name}: {verdict}, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    result
}

/// Installs what it takes to build with all that this machine's GStreamer has.
pub(crate) fn ensure_packages() -> Result<()> {
    packages::ensure(packages::PLUGIN)?;
    if lint::gstreamer_at_least("1.24") {
        packages::ensure(packages::ANALYTICS)?;
    }
    Ok(())
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
        command.args(["--no-fail-fast", "--lib", "--bins", "--tests", "--examples"]);
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
