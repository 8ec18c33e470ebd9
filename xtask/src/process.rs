//! Running other programs: their output, their failure in one sentence, signs of life meanwhile.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a silent step may last before it says that it is still at work.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Runs `command` with its output shown as it comes.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed ({status}), see above", one_line(command));
    }
    Ok(())
}

/// Runs `command` silently and returns what it printed; a failure quotes its most telling line.
pub(crate) fn capture(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    require_success(command, &output)?;
    Ok(output)
}

/// Fails with one sentence unless `output` is that of a success of `command`.
pub(crate) fn require_success(command: &Command, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let program = command.get_program().display();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = complaint(&stderr);
    bail!("{program} failed ({}), saying: {said}", output.status)
}

/// Whether `command` can be started and succeeds; nothing is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What `command` was, on one line, to show to a person; a script among its arguments is left out.
pub(crate) fn one_line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .map(|word| {
            if word.contains('\n') {
                "…".into()
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The line of `stderr` that says what went wrong.
///
/// pip and gst-launch say it in the first line marked as an error; npm in the one that names the
/// failed request, between a code and a stack; others in the last line.
fn complaint(stderr: &str) -> &str {
    const MARKS: [&str; 4] = ["error", "e:", "npm err", "fatal"];
    let lines = || {
        stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let marked = |line: &&str| {
        let lower = line.to_lowercase();
        MARKS.iter().any(|mark| lower.starts_with(mark))
    };
    lines()
        .filter(marked)
        .find(|line| line.contains("Error: "))
        .or_else(|| lines().find(marked))
        .or_else(|| lines().next_back())
        .unwrap_or("nothing")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().display())
}

/// Announces a step and, if it lasts, says from time to time that it is still at work.
///
/// ```text
/// fetching ONNX Runtime 1.28.0 …
///   still at it after 15 s
/// ```
pub(crate) struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    pub(crate) fn new(what: &str) -> Self {
        println!("{what} …");
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            while stopped.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
                println!("  still at it after {} s", begun.elapsed().as_secs());
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only prints: nothing is lost if that failed.
            let _ = thread.join();
        }
    }
}

/// Adds the cure to errors that a full disk causes.
pub(crate) fn explain_disk(error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::StorageFull {
        return anyhow::Error::new(error)
            .context("the disk is full: free some space, or set XDG_CACHE_HOME to a larger disk");
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_quotes_the_line_that_says_error() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "echo 'npm ERR! no such host' >&2; echo 'see the log' >&2; exit 3",
        ]);
        let error = capture(&mut command).expect_err("exit code 3");
        let text = error.to_string();
        assert!(text.contains("npm ERR! no such host"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn of_many_lines_the_one_with_the_reason_is_quoted() {
        let npm = "npm error code ECONNREFUSED\n\
                   npm error FetchError: request failed, reason: connect ECONNREFUSED\n\
                   npm error A complete log of this run can be found elsewhere\n";
        assert!(complaint(npm).contains("reason: connect"));
        let pip = "WARNING: Retrying\nERROR: Could not find a version\nERROR: No match\n";
        assert_eq!(complaint(pip), "ERROR: Could not find a version");
        assert_eq!(
            complaint("tar: short read\ntar: giving up\n\n"),
            "tar: giving up"
        );
        assert_eq!(complaint(""), "nothing");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = capture(&mut Command::new("no-such-program")).expect_err("not installed");
        assert!(format!("{error:#}").starts_with("cannot start no-such-program"));
    }

    #[test]
    fn a_full_disk_comes_with_its_cure() {
        let error = explain_disk(io::Error::from(io::ErrorKind::StorageFull));
        assert!(error.to_string().contains("XDG_CACHE_HOME"));
    }
}
