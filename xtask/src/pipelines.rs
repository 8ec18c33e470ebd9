//! Every script in `pipelines/` runs and leaves clips that play, and sidecars that tell the truth.
//!
//! A script takes its input, its model and its folder from `EVR_INPUT`, `EVR_MODEL` and
//! `EVR_RECORDINGS` where it is given no arguments; that is how they are run here. One for stereo
//! cameras takes its input from `EVR_STEREO_INPUT` and `EVR_CALIBRATION`. The one that needs a
//! camera, a server and a broker beside it is run by tests/tutorial.rs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::assets::Assets;
use crate::process;
use crate::stage::Stage;
use crate::{recordings, workspace};

/// The script that a test runs, with all that it needs.
const TUTORIAL: &str = "tutorial";

/// The calibration of the camera that recorded the stereo clip.
const CALIBRATION: &str = "xtask/assets/stereo.conf";

/// Runs all scripts against the staged plugin.
pub(crate) fn run(stage: &Stage, assets: &Assets) -> Result<()> {
    let mut scripts: Vec<PathBuf> = fs::read_dir(workspace::root().join("pipelines"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .collect();
    scripts.sort();
    ensure!(!scripts.is_empty(), "pipelines/ holds no script");
    let folder = workspace::target()?.join("pipelines");
    fs::create_dir_all(&folder)?;
    for script in scripts {
        let name = script.file_stem().unwrap_or_default();
        if name == TUTORIAL {
            continue;
        }
        run_one(stage, assets, &script, &folder.join(name))
            .with_context(|| format!("pipelines/{}.sh", name.display()))?;
    }
    Ok(())
}

fn run_one(stage: &Stage, assets: &Assets, script: &Path, folder: &Path) -> Result<()> {
    recordings::empty(folder)?;
    let stereo = assets
        .stereo()
        .context("the stereo clip was not prepared")?;
    process::capture(
        stage
            .command(script, assets)
            .env("EVR_INPUT", &assets.clip)
            .env("EVR_STEREO_INPUT", stereo)
            .env("EVR_CALIBRATION", workspace::root().join(CALIBRATION))
            .env("EVR_MODEL", &assets.model)
            .env("EVR_RECORDINGS", folder),
    )?;
    let clips = recordings::clips(folder)?;
    ensure!(!clips.is_empty(), "it left no clip in {}", folder.display());
    let recordings = recordings::read(folder)?;
    for recording in &recordings {
        recording.verify()?;
        println!("  {}", recording.describe()?);
    }
    // A stock sink behind the gate leaves clips and nothing else.
    if recordings.is_empty() {
        for clip in &clips {
            let frames = recordings::count_frames(clip)?;
            println!("  {} frames in {}", frames, recordings::relative(clip));
        }
    }
    Ok(())
}
