//! Every script in `pipelines/` runs and leaves clips that play, and sidecars that tell the truth.
//!
//! A script takes its input, its model and its folder from `EVR_INPUT`, `EVR_MODEL` and
//! `EVR_RECORDINGS` where it is given no arguments; that is how they are run here. One for stereo
//! cameras takes its input from `EVR_STEREO_INPUT`. The one that needs a camera, a server and a
//! broker beside it is run by tests/tutorial.rs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::assets::Assets;
use crate::process;
use crate::stage::Stage;
use crate::{recordings, workspace};

/// The script that a test runs, with all that it needs.
const TUTORIAL: &str = "tutorial";

/// What a stereo camera would have recorded of the clip.
const STEREO: &str = "stereo.mp4";

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
    stereo(stage, assets, &folder.join(STEREO))?;
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

/// Lays a clip twice into one picture, as both eyes of a camera far from what it sees.
const BOTH_EYES: &str = "-q filesrc location={input} ! qtdemux ! h264parse ! avdec_h264 ! tee name=t \
    compositor name=both sink_1::xpos=768 ! x264enc speed-preset=ultrafast ! h264parse ! mp4mux \
    ! filesink location={output} t. ! queue ! both. t. ! queue ! both.";

fn stereo(stage: &Stage, assets: &Assets, path: &Path) -> Result<()> {
    // Paths come in after the line is parted, as they may have spaces.
    let words = BOTH_EYES.split_whitespace().map(|word| {
        word.replace("{input}", &assets.clip.display().to_string())
            .replace("{output}", &path.display().to_string())
    });
    let program = Path::new("gst-launch-1.0");
    process::capture(stage.command(program, assets).args(words))?;
    Ok(())
}

fn run_one(stage: &Stage, assets: &Assets, script: &Path, folder: &Path) -> Result<()> {
    recordings::empty(folder)?;
    process::capture(
        stage
            .command(script, assets)
            .env("EVR_INPUT", &assets.clip)
            .env("EVR_STEREO_INPUT", folder.with_file_name(STEREO))
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
