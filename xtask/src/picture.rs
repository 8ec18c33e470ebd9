//! `cargo xtask picture`: the picture in the README, drawn by the plugin itself.
//!
//! It is a frame of the sample clip, and so of OpenCV's vtest.avi (Apache-2.0).

use std::fs;

use anyhow::{Result, ensure};

use crate::stage::Stage;
use crate::{assets, packages, process, workspace};

const PICTURE: &str = "docs/overlay.jpg";
/// Large enough to read, small enough to carry in a repository.
const MOST_BYTES: u64 = 150_000;
/// Each picture takes the place of the one before, so that the last stays: tracks need a few frames,
/// and then several people are there.
const LINE: &str = "-q filesrc location={input} ! qtdemux ! h264parse ! avdec_h264 ! \
    identity eos-after=93 ! onnxdetect model-file={model} ! objecttracker ! \
    detectionoverlay recording=true font-scale=2 zones=[[0.56,0.6],[0.66,0.34],[0.87,0.44],[0.98,0.8]] ! \
    videoconvert ! jpegenc quality=82 ! multifilesink location={picture}";

/// Draws the picture anew.
pub(crate) fn run() -> Result<()> {
    packages::ensure(packages::PLUGIN)?;
    let assets = assets::prepare()?;
    let stage = Stage::build()?;
    let path = workspace::root().join(PICTURE);
    let words = LINE.split_whitespace().map(|word| {
        word.replace("{input}", &assets.clip.to_string_lossy())
            .replace("{model}", &assets.model.to_string_lossy())
            .replace("{picture}", &path.to_string_lossy())
    });
    process::capture(stage.command("gst-launch-1.0", &assets).args(words))?;
    let bytes = fs::metadata(&path)?.len();
    ensure!(
        bytes <= MOST_BYTES,
        "{PICTURE} has {bytes} bytes: more than {MOST_BYTES}"
    );
    println!("{PICTURE}: {bytes} bytes");
    Ok(())
}
