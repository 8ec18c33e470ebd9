//! `cargo xtask demo`: the whole plugin in one run on real video.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::assets::{self, Assets};
use crate::process::{self, Progress};
use crate::stage::Stage;
use crate::{clip, launch, packages, recordings, workspace};

/// What the clip holds.
const EVENTS: usize = 2;

/// Sets everything up, runs the launch line and reports the recordings.
pub(crate) fn run() -> Result<()> {
    packages::ensure(packages::PLUGIN)?;
    let assets = assets::prepare()?;
    let stage = Stage::build()?;

    let folder = workspace::target()?.join("demo");
    // Cleared at each run; a folder of the user's own would not be.
    recordings::empty(&folder)?;
    let kept = folder.join("recordings");
    fs::create_dir(&kept)?;

    let took = record(&stage, &assets, &folder, &kept)?;
    report(&kept, took)
}

fn record(stage: &Stage, assets: &Assets, folder: &Path, kept: &Path) -> Result<Duration> {
    println!("\nThe pipeline, to paste into a shell:\n");
    for (name, value) in stage.environment(assets) {
        println!("export {name}={}", launch::quote(&value.to_string_lossy()));
    }
    println!("{}\n", launch::pasteable(&assets.clip, &assets.model, kept));

    let line = launch::arguments(&assets.clip, &assets.model, kept);
    let (program, arguments) = line
        .split_first()
        .expect("the launch line begins with a program");
    let mut command = stage.command(program, assets);
    command.args(arguments).stdin(std::process::Stdio::null());
    let _progress = Progress::new("running it");
    let begun = Instant::now();
    let output = command.output().context("cannot start gst-launch-1.0")?;
    let took = begun.elapsed();
    let log = folder.join("gst-launch.log");
    fs::write(&log, [output.stdout.as_slice(), &output.stderr].concat())?;
    process::require_success(&command, &output)
        .with_context(|| format!("the pipeline failed, all it said is in {}", log.display()))?;
    Ok(took)
}

fn report(kept: &Path, took: Duration) -> Result<()> {
    let recordings = recordings::read(kept)?;
    println!();
    for recording in &recordings {
        println!("{}", recording.describe()?);
    }
    let seconds = clip::SECONDS as f64;
    println!(
        "{seconds:.0} s of video in {:.1} s: {:.1} times real time",
        took.as_secs_f64(),
        seconds / took.as_secs_f64()
    );
    ensure!(
        recordings.len() == EVENTS,
        "the clip holds {EVENTS} events and gave {} recordings",
        recordings.len()
    );
    for recording in &recordings {
        ensure!(
            recording.achieved_pre_roll() >= launch::PRE_ROLL,
            "a recording has less pre-roll than was asked: {}",
            recording.describe()?
        );
    }
    Ok(())
}
