//! The recordings in a folder, read back from their sidecars.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;

/// Endings of the files that hold clips.
const CONTAINERS: [&str; 3] = ["mp4", "mkv", "ts"];

/// One recording: what its sidecar says, and where its files lie.
pub(crate) struct Recording {
    sidecar: Value,
    path: PathBuf,
}

/// All recordings in `folder`, in the order of their names, which is that of their times.
pub(crate) fn read(folder: &Path) -> Result<Vec<Recording>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    paths.into_iter().map(Recording::read).collect()
}

impl Recording {
    fn read(path: PathBuf) -> Result<Self> {
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let sidecar: Value = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        ensure!(
            sidecar["schema"] == "evr/recording/1",
            "{} has the schema {} instead of evr/recording/1",
            path.display(),
            sidecar["schema"]
        );
        Ok(Self { sidecar, path })
    }

    /// The clip: the sidecar's name with the container's extension.
    fn clip(&self) -> Result<PathBuf> {
        let clip = CONTAINERS
            .map(|extension| self.path.with_extension(extension))
            .into_iter()
            .find(|path| path.is_file());
        clip.with_context(|| format!("no clip lies beside {}", self.path.display()))
    }

    /// Fails unless the thumbnail, the sidecar's name with `.jpg`, is there.
    fn thumbnail(&self) -> Result<()> {
        ensure!(
            self.path.with_extension("jpg").is_file(),
            "no thumbnail lies beside {}",
            self.path.display()
        );
        Ok(())
    }

    /// When, what, how much pre-roll, where: a line for people. The three files, which differ in
    /// their extensions, are named as a shell's braces expand.
    pub(crate) fn describe(&self) -> Result<String> {
        let (event, clip) = (&self.sidecar["event"], &self.sidecar["clip"]);
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let seconds = |value: &Value| {
            value
                .as_f64()
                .map_or_else(|| "?".to_owned(), |seconds| format!("{seconds:.1} s"))
        };
        let clip_path = self.clip()?;
        self.thumbnail()?;
        Ok(format!(
            "{} to {}: {}; pre-roll asked {}, got {}; {}.{{{},json,jpg}}",
            text(&event["start"]),
            text(&event["end"]),
            self.counts(),
            seconds(&clip["requested_pre_roll"]),
            seconds(&clip["achieved_pre_roll"]),
            relative(&clip_path.with_extension("")),
            clip_path.extension().unwrap_or_default().display(),
        ))
    }

    /// `person x 3`: the most seen at once of each label.
    fn counts(&self) -> String {
        let counts = self.sidecar["counts"].as_object();
        let counts: Vec<String> = counts
            .into_iter()
            .flatten()
            .map(|(label, most)| format!("{label} x {most}"))
            .collect();
        if counts.is_empty() {
            self.sidecar["label"]
                .as_str()
                .unwrap_or("no object")
                .to_owned()
        } else {
            counts.join(", ")
        }
    }

    /// The pre-roll that was reached, in seconds.
    pub(crate) fn achieved_pre_roll(&self) -> f64 {
        self.sidecar["clip"]["achieved_pre_roll"]
            .as_f64()
            .unwrap_or(0.0)
    }

    /// Fails unless ffprobe finds what the sidecar claims.
    pub(crate) fn verify(&self) -> Result<()> {
        let clip = self.clip()?;
        let frames = count_frames(&clip)?;
        let claimed = &self.sidecar["clip"]["frames"];
        ensure!(
            *claimed == frames,
            "{} decodes to {frames} frames, its sidecar says {claimed}",
            clip.display()
        );
        self.thumbnail()
    }
}

/// The clips in `folder`, whether sidecars lie beside them or not, in the order of their names.
pub(crate) fn clips(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut clips: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let extension = path.extension().unwrap_or_default();
            CONTAINERS.iter().any(|container| extension == *container)
        })
        .collect();
    clips.sort();
    Ok(clips)
}

/// How many frames ffprobe, which has no part in writing clips, decodes; fails where it complains
/// or where the first is no keyframe.
pub(crate) fn count_frames(clip: &Path) -> Result<u64> {
    let mut probe = Command::new("ffprobe");
    probe
        .args(["-v", "error", "-select_streams", "v:0", "-count_frames"])
        .args(["-show_entries", "stream=nb_read_frames"])
        .args(["-show_entries", "frame=key_frame"])
        .args(["-of", "json"])
        .arg(clip);
    let output = process::capture(&mut probe)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        said.is_empty(),
        "ffprobe complains about {}: {said}",
        clip.display()
    );
    let found: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(
        found["frames"][0]["key_frame"] == 1,
        "{} does not begin with a keyframe",
        clip.display()
    );
    let frames = found["streams"][0]["nb_read_frames"].as_str();
    frames
        .and_then(|frames| frames.parse().ok())
        .with_context(|| format!("ffprobe counts no frames in {}", clip.display()))
}

/// `path` from the current folder if it lies there.
pub(crate) fn relative(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Makes `folder` anew, empty. Only for folders under `target/`, where nothing is anyone's work.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(folder)
        .map_err(process::explain_disk)
        .with_context(|| format!("cannot make {}", folder.display()))
}
