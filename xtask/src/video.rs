//! Raw video through `gst-launch-1.0`: frames in I420 out of a file, and into one as a camera would
//! record them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// Frames out of a file.
pub(crate) struct Decoder {
    child: Child,
    output: ChildStdout,
}

impl Decoder {
    /// `line` takes the file at `source` to raw video.
    pub(crate) fn start(source: &Path, line: &str) -> Result<Self> {
        let mut child = Command::new("gst-launch-1.0")
            .args(["-q", "filesrc"])
            .arg(format!("location={}", source.display()))
            .arg("!")
            .args(line.split_whitespace())
            .args(["!", "fdsink"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start gst-launch-1.0")?;
        let output = child.stdout.take().expect("it was asked for just above");
        Ok(Self { child, output })
    }

    /// Whether there was another frame, which then stands in `frame`.
    pub(crate) fn read(&mut self, frame: &mut [u8]) -> bool {
        self.output.read_exact(frame).is_ok()
    }

    /// Behind the last frame; `what` was decoded is told where that failed.
    pub(crate) fn finish(mut self, what: &str) -> Result<()> {
        finish(&mut self.child, &format!("decoding {what}"))
    }
}

/// Frames into an MP4 in H.264 without B-frames.
pub(crate) struct Encoder {
    child: Child,
    input: ChildStdin,
}

impl Encoder {
    /// Frames of this width and height, so many a second; `settings` are x264enc's, and what
    /// stands behind it.
    pub(crate) fn start(
        destination: &Path,
        (width, height): (usize, usize),
        rate: usize,
        settings: &str,
    ) -> Result<Self> {
        let mut child = Command::new("gst-launch-1.0")
            .args(["-q", "fdsrc", "!", "rawvideoparse", "format=i420"])
            .arg(format!("width={width}"))
            .arg(format!("height={height}"))
            .arg(format!("framerate={rate}/1"))
            // One thread: with more, the same input gives another file on another machine.
            .args("! x264enc threads=1 bframes=0 pass=quant".split(' '))
            .args(settings.split_whitespace())
            .args("! h264parse ! mp4mux ! filesink".split(' '))
            .arg(format!("location={}", destination.display()))
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start gst-launch-1.0")?;
        let input = child.stdin.take().expect("it was asked for just above");
        Ok(Self { child, input })
    }

    pub(crate) fn write(&mut self, frame: &[u8]) -> Result<()> {
        self.input
            .write_all(frame)
            .map_err(process::explain_disk)
            .context("the encoder stopped early")
    }

    /// Ends the file; `what` was encoded is told where that failed.
    pub(crate) fn finish(mut self, what: &str) -> Result<()> {
        drop(self.input);
        finish(&mut self.child, &format!("encoding {what}"))
    }
}

/// Waits until a child is done; `what` it does is told where it fails.
fn finish(child: &mut Child, what: &str) -> Result<()> {
    let status = child.wait()?;
    if !status.success() {
        bail!("{what} failed ({status}), see above");
    }
    Ok(())
}
