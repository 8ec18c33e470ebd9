//! The launch line of the demo: a file in, people found, recordings out.

use std::path::Path;

/// The line as a person would write it; `{…}` is filled in.
const LINE: &str = "\
gst-launch-1.0 -e -m filesrc location={input} ! qtdemux ! h264parse ! tee name=t
  t. ! queue ! signalgate name=gate activation-signal-offset=-3000000000 minimum-activation-time=3000000000
     ! eventsink location={recordings}/%Y%m%dT%H%M%SZ-{id}.mp4
  t. ! queue ! avdec_h264 ! onnxdetect model-file={model}
     ! objectcounter name=count labels=person ! fakesink sync=false
  count.signal ! gate.signal";

/// The pre-roll that `LINE` asks for, in seconds.
pub(crate) const PRE_ROLL: f64 = 3.0;

/// The launch line as program and arguments.
pub(crate) fn arguments(input: &Path, model: &Path, recordings: &Path) -> Vec<String> {
    LINE.split_whitespace()
        .map(|word| {
            word.replace("{input}", &input.to_string_lossy())
                .replace("{model}", &model.to_string_lossy())
                .replace("{recordings}", &recordings.to_string_lossy())
        })
        .collect()
}

/// The launch line as it can be pasted into a shell, on several lines.
pub(crate) fn pasteable(input: &Path, model: &Path, recordings: &Path) -> String {
    let mut words = arguments(input, model, recordings).into_iter();
    let lines = LINE.lines().map(|line| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let count = line.split_whitespace().count();
        let quoted: Vec<String> = words
            .by_ref()
            .take(count)
            .map(|word| quote(&word))
            .collect();
        format!("{indent}{}", quoted.join(" "))
    });
    lines.collect::<Vec<_>>().join(" \\\n")
}

/// `word` as a POSIX shell reads it back.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:%+@".contains(c);
    // A lone `!` is special only where a command begins.
    if word == "!" || !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn quoting_survives_the_shell() {
        let word = "it's {id} & $HOME";
        let echo = format!("printf %s {}", quote(word));
        let output = std::process::Command::new("sh")
            .args(["-c", &echo])
            .output();
        assert_eq!(output.expect("sh runs").stdout, word.as_bytes());
    }

    #[test]
    fn the_script_to_run_by_hand_launches_the_same_line() {
        let script = std::fs::read_to_string(workspace::root().join("pipelines/record-file.sh"))
            .expect("the script is there");
        let (_, launched) = script
            .split_once("exec ")
            .expect("it ends in the launch line");
        let words = launched.split_whitespace().filter(|word| *word != "\\");
        let words: Vec<String> = words.map(|word| word.replace('"', "")).collect();
        let expected = arguments("$input".as_ref(), "$model".as_ref(), "$recordings".as_ref());
        assert_eq!(words, expected);
    }
}
