//! `tests/reference/grpc_server.py`, and what it says it has heard.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::common::{PATIENCE, asset};

/// What it has said, or `None` behind it once it has ended.
type Lines = Arc<(Mutex<Vec<Value>>, Condvar)>;

/// The server, killed when dropped.
pub struct Server {
    pub port: u64,
    process: Child,
    lines: Lines,
    /// Numbers that it gives back, and how many it was given.
    marks: Mutex<(ChildStdin, usize)>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&["0"])
    }

    /// `arguments` are its port, and the files of a key and a certificate where it speaks TLS.
    pub fn with(arguments: &[&str]) -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/reference/grpc_server.py"
        );
        let mut process = Command::new(asset("EVR_TEST_PYTHON"))
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python that the tests are given starts");
        let stdout = process.stdout.take().expect("it was asked for");
        let stdin = process.stdin.take().expect("it was asked for");
        let lines = Lines::default();
        let theirs = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("it says JSON");
                theirs.0.lock().expect("sound").push(line);
                theirs.1.notify_all();
            }
        });
        let mut server = Self {
            port: 0,
            process,
            lines,
            marks: Mutex::new((stdin, 0)),
        };
        server.wait_for("port", 1);
        server.port = server.said("port")[0]["port"].as_u64().expect("a number");
        server
    }

    pub fn location(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The lines that tell of this, in their order: all that it had to say until now.
    pub fn said(&self, what: &str) -> Vec<Value> {
        let (stdin, given) = &mut *self.marks.lock().expect("sound");
        *given += 1;
        writeln!(stdin, "{given}").expect("it listens");
        self.wait_for("mark", *given);
        let lines = self.lines.0.lock().expect("sound");
        let of_it = lines.iter().filter(|line| line.get(what).is_some());
        of_it.cloned().collect()
    }

    /// Waits until it has said this so many times.
    pub fn wait_for(&self, what: &str, count: usize) {
        let lines = self.lines.0.lock().expect("sound");
        let fewer = |lines: &mut Vec<Value>| {
            let of_it = lines.iter().filter(|line| line.get(what).is_some());
            of_it.count() < count
        };
        let waited = self
            .lines
            .1
            .wait_timeout_while(lines, PATIENCE.into(), fewer);
        assert!(
            !waited.expect("sound").1.timed_out(),
            "the server never said {count} of {what}"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it was ours");
    }
}
