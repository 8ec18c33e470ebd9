//! What every format says of the same facts, compared with what it said when somebody last looked:
//! `EVR_BLESS=1` writes it anew. `tests/reference/cloud_events.py` reads the CloudEvents among them
//! with an SDK of others.

#![allow(
    clippy::disallowed_methods,
    reason = "goldens are files; only the crate itself touches none"
)]

use std::{fs, path::PathBuf};

use evr_core::{
    camera::{Media, News},
    message::{Fact, Format, Renderer},
    recording::journal::Entry,
    time::SECOND,
};
use serde_json::{Value, json};

const FORMATS: [(&str, Format); 6] = [
    ("cloudevents", Format::CloudEvents),
    ("azure", Format::Azure),
    ("deepstream", Format::DeepStream),
    ("deepstream-minimal", Format::DeepStreamMinimal),
    ("frigate", Format::Frigate),
    ("dlstreamer", Format::DlStreamer),
];

/// UTC of running time 0: 2026-01-31T12:00:00Z.
const EPOCH: i64 = 1_769_860_800 * SECOND;

fn path(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/messages");
    PathBuf::from(folder).join(name)
}

/// What a camera that is refused, connected, half understood and lost again tells.
fn camera() -> Vec<String> {
    let sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\ns=live\r\nm=video 0 RTP/AVP 96\r\n".to_owned();
    let (media, encoding) = (Media::Audio, "G726-32".to_owned());
    let reason = "nothing has come for 10 s".to_owned();
    [
        News::Refused { code: 401 },
        News::Connected { sdp },
        News::Unsupported { media, encoding },
        News::Lost { reason },
    ]
    .into_iter()
    .zip(7..)
    .map(|(news, second)| news.line("front door", "rtsp://10.0.0.7/live", Some(second * SECOND)))
    .collect()
}

/// A minute at a door: somebody comes, is recorded and leaves; one recording fails.
fn facts() -> Vec<Fact> {
    let lines = [
        r#"{"media_time":1000000000,"seq":0,"model":"ssdlite","objects":[]}"#,
        r#"{"media_time":2000000000,"seq":1,"model":"ssdlite","objects":[
            {"label":"person","confidence":0.81,"box":{"l":0.1,"t":0.2,"w":0.3,"h":0.4},"track_id":7},
            {"label":"car","confidence":0.5,"box":{"l":0.5,"t":0.5,"w":0.25,"h":0.25}}]}"#,
        r#"{"action":"start","media_time":2000000000,"count":1,"label":"person","rule":"door",
            "objects":[{"label":"person","confidence":0.81,"box":{"l":0.1,"t":0.2,"w":0.3,"h":0.4}}]}"#,
        r#"{"id":"button 1","time":"2026-01-31T12:00:05.500Z"}"#,
        r#"{"media_time":6000000000,"seq":2,"model":"ssdlite","objects":[]}"#,
        r#"{"action":"stop","media_time":6000000000}"#,
    ];
    let lines = lines.map(str::to_owned);
    let mut facts: Vec<_> = lines
        .into_iter()
        .chain(camera())
        .map(|line| {
            let utc = |running: Option<i64>| EPOCH + running.unwrap_or(0);
            Fact::from_line("front door", line.as_bytes(), None, utc).expect("a fact")
        })
        .collect();
    let (clip, id) = ("/clips/a.mp4", "019c13f6-6cd0-8000-8000-000000000001");
    let about = |kind: &str, more: Value| {
        let mut data = json!({"type": kind, "id": id, "n": 1, "source": "front door",
            "start": -SECOND, "time": "2026-01-31T11:59:59.000Z"});
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        data
    };
    let content = json!({"label": "person", "counts": {"person": 2}, "clip": {
        "start": "2026-01-31T11:59:59.000Z", "end": "2026-01-31T12:00:09.000Z"},
        "event": {"start": "2026-01-31T12:00:02.000Z", "end": "2026-01-31T12:00:06.000Z"}});
    let told = [
        (3, "evr-recording-started", json!({"location": clip})),
        (
            9,
            "evr-recording-stopped",
            json!({"location": clip, "end": 9 * SECOND, "reason": "elapsed"}),
        ),
        (
            10,
            "evr-recording-available",
            json!({"location": clip, "sidecar": "/clips/a.json",
            "thumbnail": "/clips/a.jpg", "state": "complete", "end": 9 * SECOND, "frames": 300,
            "reason": "", "recording": content}),
        ),
        (
            11,
            "evr-recording-failed",
            json!({"part": "/clips/b.mp4.part", "state": "failed",
            "reason": "the disk is full"}),
        ),
        (
            12,
            "evr-recording-recovered",
            json!({"location": "/clips/c.mp4", "sidecar": "/clips/c.json",
            "state": "recovered", "frames": 30, "recording": content}),
        ),
    ];
    for (second, kind, more) in told {
        let data = about(kind, more);
        let entry = Entry {
            kind,
            source: "front door",
            recording: id,
            now: EPOCH + second * SECOND,
            data: &data,
        };
        let line = entry.line();
        facts.push(Fact::from_journal(line.trim_end().as_bytes()).expect("a line of ours"));
    }
    facts
}

#[test]
fn every_format_says_what_it_said() {
    for (name, format) in FORMATS {
        let mut renderer = Renderer::new(format);
        let mut said = String::new();
        for fact in facts() {
            for message in renderer.render(&fact) {
                let retain = if message.retain { " retained" } else { "" };
                said += &format!("{}{retain}\n{}\n", message.kind, message.body);
            }
        }
        let path = path(&format!("{name}.txt"));
        if std::env::var_os("EVR_BLESS").is_some() {
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(&path, &said).expect("it can be written");
        }
        let golden = fs::read_to_string(&path).expect("EVR_BLESS=1 writes it");
        assert_eq!(said, golden, "{name}");
    }
}

#[test]
fn the_sdk_of_cloudevents_reads_them_as_they_are_meant() {
    let said = fs::read_to_string(path("cloudevents.txt")).expect("it is there");
    let events: Vec<Value> = said
        .lines()
        .skip(1)
        .step_by(2)
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let read = fs::read_to_string(path("cloudevents-sdk.json")).expect("the script writes it");
    let read: Vec<Value> = serde_json::from_str(&read).expect("JSON");
    assert_eq!(
        events, read,
        "run tests/reference/cloud_events.py: the messages have changed since"
    );
}
