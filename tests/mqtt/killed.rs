//! The broker goes for a while and the process is killed in the middle: everything that was taken
//! arrives all the same, in order, and the camera's branch does not notice. The process that is
//! killed is this test's own program, run once more.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;
use serde_json::Value;

use crate::broker::{Broker, Door, Observer};
use crate::common::{PATIENCE, launch, until};

/// Names the broker to whom the process talks, and where its outbox is.
const BROKER: &str = "EVR_MQTT_BROKER";
const OUTBOX: &str = "EVR_MQTT_OUTBOX";
/// Frames a second of the camera's branch.
const RATE: u64 = 50;

/// Not a test: what the tests kill. Lines of standard input are signals; it answers what was taken
/// and how many frames of the camera have gone by.
#[test]
#[ignore = "the tests of this file run it in a process of its own"]
fn tells_what_it_reads_until_it_is_killed() {
    let variable = |name| std::env::var(name).expect("run by a test");
    let pipeline = launch(&format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate={RATE}/1 \
         ! fakesink name=camera signal-handoffs=true \
         appsrc name=src format=time is-live=true caps=application/x-json \
         ! mqtteventsink name=sink source-id=door broker={} outbox={}",
        variable(BROKER),
        variable(OUTBOX)
    ));
    let get = |name| pipeline.by_name(name).expect("named in the line");
    let src: gst_app::AppSrc = get("src").downcast().expect("an appsrc");
    let (sink, frames) = (get("sink"), std::sync::atomic::AtomicU64::new(0));
    let frames = std::sync::Arc::new(frames);
    let counted = frames.clone();
    get("camera").connect("handoff", false, move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        None
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for line in std::io::stdin().lines() {
        let line = line.expect("a line");
        let on_disk = || sink.property::<u64>("stored");
        let before = on_disk();
        let buffer = gst::Buffer::from_slice((line + "\n").into_bytes());
        src.push_buffer(buffer).expect("it runs");
        until("it is on disk", || on_disk() > before);
        let frames = frames.load(std::sync::atomic::Ordering::Relaxed);
        println!("TAKEN {} {frames}", memory());
    }
}

/// Resident memory of this process in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or(0)
}

struct Process {
    child: Child,
    input: ChildStdin,
    taken: Receiver<(u64, u64)>,
    /// When the first was taken, and how many frames had gone by.
    since: Option<(Instant, u64)>,
}

impl Process {
    fn start(door: &Door, outbox: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "killed::tells_what_it_reads_until_it_is_killed"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(BROKER, door.url())
            .env(OUTBOX, outbox)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program runs once more");
        let input = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (tell, taken) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, numbers)) = line.split_once("TAKEN ") {
                    let mut numbers = numbers.split(' ').map(|n| n.parse().expect("a number"));
                    let pair = (numbers.next(), numbers.next());
                    let _ = tell.send((pair.0.expect("memory"), pair.1.expect("frames")));
                }
            }
        });
        Self {
            child,
            input,
            taken,
            since: None,
        }
    }

    /// Says something and waits until it is taken; memory in KiB and frames so far.
    fn say(&mut self, id: u32) -> (u64, u64) {
        writeln!(self.input, r#"{{"id":"{id}"}}"#).expect("it lives");
        self.taken
            .recv_timeout(PATIENCE.into())
            .expect("it is taken in time")
    }

    /// Frames a second since the first was taken, once there are enough to tell.
    fn rate(&mut self, frames: u64) -> f64 {
        let (since, first) = *self.since.get_or_insert((Instant::now(), frames));
        let ran = since.elapsed().as_secs_f64();
        if ran < 2.0 {
            return f64::INFINITY;
        }
        (frames - first) as f64 / ran
    }

    fn kill(mut self) {
        self.child.kill().expect("it lives");
        self.child.wait().expect("it is our child");
    }
}

/// Collects what arrives until all of `count` have, each in its order when it first comes.
fn arrive(observer: &Observer, from: &mut Vec<u32>, count: u32) {
    let mut known: BTreeSet<u32> = from.iter().copied().collect();
    while known.len() < count as usize {
        let heard = observer.next_of("/evr-signal");
        let event: Value = serde_json::from_str(&heard.body).expect("JSON");
        let id = event["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.expect("an id of ours");
        if known.insert(id) {
            from.push(id);
        }
    }
}

struct Story {
    events: u32,
    away: Duration,
}

/// What was measured: memory in KiB before the broker goes and the most after, and the least rate of
/// frames.
struct Seen {
    memory: (u64, u64),
    rate: f64,
}

fn live_through(story: &Story) -> Seen {
    let directory = tempfile::tempdir().expect("a directory");
    let outbox = directory.path().join("outbox");
    let mut broker = Broker::open(directory.path());
    let door = Door::before(broker.port);
    let observer = broker.observer();
    let mut process = Process::start(&door, &outbox);
    let third = story.events / 3;
    let pause = story.away / (story.events - third);
    let mut arrived = Vec::new();
    let mut seen = Seen {
        memory: (0, 0),
        rate: f64::INFINITY,
    };
    for id in 0..third {
        seen.memory.0 = process.say(id).0;
    }
    arrive(&observer, &mut arrived, third);
    broker.kill();
    door.shut();
    let gone = Instant::now();
    for id in third..story.events {
        let (memory, frames) = process.say(id);
        seen.memory.1 = seen.memory.1.max(memory);
        seen.rate = seen.rate.min(process.rate(frames));
        if id == 2 * third {
            process.kill();
            process = Process::start(&door, &outbox);
        }
        thread::sleep(pause);
    }
    thread::sleep(story.away.saturating_sub(gone.elapsed()));
    broker.restart();
    let observer = broker.observer();
    door.open();
    arrive(&observer, &mut arrived, story.events);
    process.kill();
    let expected: Vec<u32> = (0..story.events).collect();
    assert_eq!(arrived, expected, "not in order");
    seen
}

#[test]
fn nothing_is_lost_when_the_broker_goes_and_the_process_is_killed() {
    live_through(&Story {
        events: 60,
        away: Duration::from_secs(2),
    });
}

#[test]
#[ignore = "two minutes"]
fn soak_nothing_is_lost_in_a_minute_without_a_broker() {
    let seen = live_through(&Story {
        events: 200,
        away: Duration::from_secs(60),
    });
    println!(
        "measured: mqtteventsink, broker killed for 60 s and process killed within, 200 events: all \
         arrived in order; memory before and at most: {:.1} and {:.1} MiB",
        seen.memory.0 as f64 / 1024.0,
        seen.memory.1 as f64 / 1024.0,
    );
    println!(
        "measured: mqtteventsink, least rate of a camera of {RATE} frames a second meanwhile: {:.1}",
        seen.rate
    );
    assert!(seen.memory.1 < seen.memory.0 + 32 * 1024, "memory grows");
    assert!(
        seen.rate > 0.95 * RATE as f64,
        "{} frames a second",
        seen.rate
    );
}
