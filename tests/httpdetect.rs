//! httpdetect against a server that says what each test needs, good and bad.

#![cfg(feature = "http")]

mod common;

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use common::http::{Request, Say, Server};
use common::secrets::{Log, are_kept};
use common::{PATIENCE, failed_and_left_it_alone, launch, warnings};
use gst::prelude::*;
use gst_video::VideoRegionOfInterestMeta;

const PERSON: &str = r#"{"inferences":[{"type":"entity","entity":{"tag":{"value":"person","confidence":0.9},"box":{"l":0.25,"t":0.5,"w":0.5,"h":0.25}}}]}"#;

/// What the element said of a frame; `None` where it was not inferred.
fn observed(buffer: &gst::BufferRef) -> Option<(u64, Vec<String>)> {
    let meta = gst::meta::CustomMeta::from_buffer(buffer, "GstEvrObservationMeta").ok()?;
    let regions = buffer.iter_meta::<VideoRegionOfInterestMeta>();
    let labels: Vec<_> = regions.map(|region| region.roi_type().to_owned()).collect();
    let count: u32 = meta.structure().get("count").expect("a number");
    assert_eq!(count as usize, labels.len());
    Some((meta.structure().get("seq").expect("a number"), labels))
}

/// A run over red frames of 64x48, 10 a second.
struct Run {
    frames: Vec<gst::Buffer>,
    warnings: Vec<String>,
    element: gst::Element,
    took: Duration,
}

impl Run {
    /// `settings` are those of the element beside its location.
    fn new(location: &str, frames: u32, settings: &str) -> Self {
        let line = format!(
            "videotestsrc num-buffers={frames} pattern=red \
             ! video/x-raw,format=RGB,width=64,height=48,framerate=10/1 \
             ! httpdetect name=http location={location} {settings} \
             ! appsink name=out sync=false"
        );
        let pipeline = launch(&line);
        let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
        let begun = Instant::now();
        pipeline.set_state(gst::State::Playing).expect("it starts");
        let pulled = std::iter::from_fn(|| out.try_pull_sample(PATIENCE));
        let frames = pulled.map(|sample| sample.buffer_owned().expect("a frame"));
        let frames = frames.collect();
        let warnings = warnings(&pipeline);
        let element = pipeline.by_name("http").expect("it is there");
        pipeline.set_state(gst::State::Null).expect("it stops");
        Self {
            frames,
            warnings,
            element,
            took: begun.elapsed(),
        }
    }

    fn counts(&self) -> [u64; 3] {
        ["inferences", "failures", "skipped"].map(|name| self.element.property(name))
    }

    #[track_caller]
    fn failed_and_left_it_alone(&self) {
        assert_eq!(self.counts()[0], 0, "nothing is inferred");
        failed_and_left_it_alone(self.counts(), self.frames.len(), self.took);
    }

    fn observed(&self) -> Vec<Option<Vec<String>>> {
        let observed = self.frames.iter().map(|frame| observed(frame));
        observed
            .map(|seen| seen.map(|(_, labels)| labels))
            .collect()
    }
}

/// A server that answers all alike.
fn always(say: impl Fn() -> Say + Send + Sync + 'static) -> Server {
    Server::start(move |_, _| say())
}

#[test]
fn what_the_server_finds_rides_on_the_frame() {
    let server = always(|| Say::json(PERSON));
    let run = Run::new(
        &format!("{}/score?stream=door", server.address),
        3,
        "mode=sync user=Aladdin password=\"open sesame\" header=\"X-Key: k1\"",
    );
    assert_eq!(run.observed(), vec![Some(vec!["person".to_owned()]); 3]);
    assert_eq!(run.counts(), [3, 0, 0]);
    assert_eq!(run.warnings, [""; 0]);
    let region = run.frames[2]
        .iter_meta::<VideoRegionOfInterestMeta>()
        .next();
    assert_eq!(region.expect("a region").rect(), (16, 24, 32, 12));
    let requests = server.requests();
    let Request {
        method, path, body, ..
    } = &requests[0];
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/score?stream=door")
    );
    assert_eq!(body[..3], [0xff, 0xd8, 0xff], "it is a JPEG");
    let header = |name| requests[0].header(name).unwrap_or_default();
    assert_eq!(header("content-type"), "image/jpeg");
    assert_eq!(header("accept"), "application/json");
    assert_eq!(
        header("authorization"),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert_eq!(header("x-key"), "k1");
    assert!(header("user-agent").starts_with("gst-plugin-evr/"));
    let id = |n: usize| {
        requests[n]
            .header("x-ms-client-request-id")
            .expect("an id")
            .to_owned()
    };
    assert_eq!(id(0).len(), 36);
    assert_ne!(id(0), id(1));
}

#[test]
fn pictures_have_the_format_and_the_size_that_are_set() {
    let sent = |settings: &str| {
        let server = always(|| Say::status(204));
        let run = Run::new(&server.address, 1, &format!("mode=sync {settings}"));
        assert_eq!(run.observed(), [Some(vec![])], "204 is nothing found");
        server.requests().remove(0)
    };
    let bmp = sent("image-format=bmp width=32 height=32 scaling=pad");
    assert_eq!(bmp.header("content-type"), Some("image/bmp"));
    let pixel = |x: usize, y: usize| &bmp.body[54 + 96 * (31 - y) + 3 * x..][..3];
    assert_eq!(bmp.body.len(), 54 + 96 * 32);
    assert_eq!(pixel(16, 3), [0, 0, 0], "a bar above");
    assert_eq!(pixel(16, 16), [0, 0, 255], "red in the middle");
    let png = sent("image-format=png width=32 scaling=preserve-aspect-ratio");
    assert_eq!(png.header("content-type"), Some("image/png"));
    assert_eq!(png.body[1..4], *b"PNG");
    assert_eq!(png.body[16..24], [0, 0, 0, 32, 0, 0, 0, 24]);
    let raw = sent("image-format=raw pixel-format=rgb565be width=10 height=10 scaling=stretch");
    assert_eq!(raw.header("content-type"), Some("image/x-raw"));
    assert_eq!(raw.body, [0b1111_1000, 0].repeat(100));
}

#[test]
fn a_fault_of_the_server_is_a_frame_that_was_not_inferred() {
    type Fault = (&'static str, fn() -> Say, &'static str);
    let faults: [Fault; 9] = [
        (
            "garbage",
            || Say::Bytes(b"\x16\x03\x01 no HTTP".to_vec()),
            "cannot be reached",
        ),
        ("no JSON", || Say::json("<html>"), "is not understood"),
        (
            "another schema",
            || Say::json(r#"{"objects":[]}"#),
            "missing field `inferences`",
        ),
        (
            "a bad request",
            || Say::Reply(400, vec![], b"cannot decode".to_vec()),
            "cannot decode",
        ),
        ("a redirect", || Say::status(302), "status 302"),
        ("wrong credentials", || Say::status(401), "token or header"),
        (
            "a reply cut short",
            || Say::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"inf".to_vec()),
            "cannot be reached",
        ),
        (
            "a huge reply",
            || Say::json(vec![b' '; 5 << 20]),
            "longer than 4194304 bytes",
        ),
        ("silence", || Say::Nothing, "did not answer in time"),
    ];
    for (name, say, sentence) in faults {
        let server = always(say);
        let location = format!("{}/score?code=secret", server.address);
        let timeout = match name {
            "silence" => 1_500_000_000,
            _ => PATIENCE.nseconds(),
        };
        let settings = format!("mode=sync timeout={timeout} max-rate=1/1 token=secret");
        let run = Run::new(&location, 5, &settings);
        assert_eq!(run.observed(), vec![None; 5], "{name}");
        assert_eq!(run.counts(), [0, 1, 0], "{name}");
        assert_eq!(run.warnings.len(), 1, "{name}: {:?}", run.warnings);
        let warning = &run.warnings[0];
        assert!(
            warning.starts_with("http: ") && warning.contains(sentence),
            "{name}: {warning}"
        );
        assert!(!warning.contains("secret"), "{name}: {warning}");
    }
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let busy = || Say::Reply(503, vec![("Retry-After", "3600".into())], Vec::new());
    let server = always(busy);
    let run = Run::new(&server.address, 8, "mode=sync");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(run.counts(), [0, 1, 7]);
    assert!(run.warnings[0].contains("for 3600 s"), "{:?}", run.warnings);
    let again = || Say::Reply(503, vec![("Retry-After", "0".into())], Vec::new());
    let server = Server::start(move |n, _| if n == 0 { again() } else { Say::json(PERSON) });
    let run = Run::new(&server.address, 3, "mode=sync");
    assert_eq!(run.counts(), [2, 1, 0]);
}

#[test]
fn a_server_that_is_not_there_stops_nothing() {
    // Port 1 of loopback has no server.
    let run = Run::new("http://127.0.0.1:1/score", 5, "mode=sync");
    run.failed_and_left_it_alone();
    assert!(
        run.warnings[0].contains("cannot be reached"),
        "{:?}",
        run.warnings
    );
}

#[test]
fn frames_pass_a_silent_server_and_stopping_waits_for_nobody() {
    let server = always(|| Say::Nothing);
    let begun = Instant::now();
    let line = format!(
        "videotestsrc num-buffers=100 ! video/x-raw,width=64,height=48 ! httpdetect name=http \
         mode=latest timeout=60000000000 max-requests=2 location={} ! appsink name=out sync=false",
        server.address
    );
    let pipeline = launch(&line);
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let samples = std::iter::from_fn(|| out.try_pull_sample(PATIENCE));
    let seen: Vec<_> = samples
        .map(|sample| observed(sample.buffer().expect("a frame")))
        .collect();
    assert_eq!(seen, vec![None; 100]);
    server.wait_for(2);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(server.requests().len(), 2, "no more than max-requests");

    let element = pipeline.by_name("http").expect("it is there");
    element.set_property_from_str("mode", "sync");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    server.wait_for(3);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn answers_that_overtake_one_another_are_told_in_the_order_of_their_frames() {
    // The first answer comes only after the second request was answered.
    let second = Arc::new((Mutex::new(false), Condvar::new()));
    let server = Server::start(move |n, _| {
        let (answered, changed) = &*second;
        let answered = answered.lock().expect("sound");
        if n == 0 {
            drop(changed.wait_while(answered, |answered| !*answered));
        } else {
            let mut answered = answered;
            *answered = n >= 1;
            changed.notify_all();
        }
        Say::json(PERSON.replace("person", &format!("request {n}")))
    });
    let line = format!(
        "videotestsrc is-live=true pattern=red ! video/x-raw,width=64,height=48,framerate=50/1 \
         ! httpdetect mode=latest max-requests=2 location={} ! appsink name=out sync=false",
        server.address
    );
    let pipeline = launch(&line);
    let out: gst_app::AppSink = pipeline.by_name("out").and_downcast().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let sample = out.try_pull_sample(PATIENCE).expect("frames come");
        let buffer = sample.buffer().expect("a frame");
        if let Some((seq, _)) = observed(buffer) {
            let meta = gst::meta::CustomMeta::from_buffer(buffer, "GstEvrObservationMeta");
            let age: u64 = meta
                .expect("it is there")
                .structure()
                .get("age")
                .expect("an age");
            assert!(age > 0, "an answer comes after its frame");
            let now = buffer.pts().expect("a frame has a time").nseconds();
            seen.push((seq, now - age));
        }
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    // The two first requests may reach the server in either order, but their frames are in order.
    let seqs: Vec<_> = seen.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 5]);
    assert!(seen.is_sorted_by(|(_, a), (_, b)| a < b), "{seen:?}");
}

#[test]
fn frames_without_annotation_are_skipped_where_that_is_asked_for() {
    let server = always(|| Say::json(PERSON));
    let run = Run::new(&server.address, 5, "mode=sync skip-without-annotation=true");
    assert_eq!(run.counts(), [0, 0, 0]);
    assert_eq!(run.observed(), vec![None; 5]);
    // A detector before it annotates each frame.
    let first = always(|| Say::json(PERSON));
    let settings = format!(
        "mode=sync ! httpdetect mode=sync skip-without-annotation=true location={}",
        server.address
    );
    Run::new(&first.address, 5, &settings);
    assert_eq!(server.requests().len(), 5);
}

/// A model that has chosen, on a server of KServe v2.
fn kserve(data: &'static str) -> Server {
    const METADATA: &str = r#"{"name":"small","platform":"onnx",
        "inputs":[{"name":"images","datatype":"FP32","shape":[-1,3,48,64]}],
        "outputs":[{"name":"output0","datatype":"FP32","shape":[-1,300,6]}]}"#;
    Server::start(move |_, request| match request.path.as_str() {
        "/v2/models/small" => Say::json(METADATA),
        "/v2/models/small/infer" if data == "json" => Say::json(
            r#"{"outputs":[{"name":"output0","datatype":"FP32","shape":[1,1,6],"data":[16,24,48,36,0.9,1]}]}"#,
        ),
        "/v2/models/small/infer" => {
            let json = r#"{"outputs":[{"name":"output0","datatype":"FP32","shape":[1,1,6],"parameters":{"binary_data_size":24}}]}"#;
            let numbers = [16_f32, 24.0, 48.0, 36.0, 0.9, 1.0];
            let mut body = json.as_bytes().to_vec();
            body.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            let length = ("Inference-Header-Content-Length", json.len().to_string());
            Say::Reply(200, vec![length], body)
        }
        other => panic!("nobody asks for {other}"),
    })
}

#[test]
fn a_model_is_served_by_kserve_in_either_form() {
    let config = tempfile::NamedTempFile::new().expect("a file");
    let text = r#"{"layout":"end-to-end","labels":["cat","dog"],"classes":2}"#;
    std::fs::write(config.path(), text).expect("written");
    for data in ["binary", "json"] {
        let server = kserve(data);
        let settings = format!(
            "mode=sync protocol=kserve tensor-data={data} model-config={}",
            config.path().display()
        );
        let run = Run::new(&format!("{}/v2/models/small", server.address), 2, &settings);
        assert_eq!(run.warnings, [""; 0]);
        assert_eq!(
            run.observed(),
            vec![Some(vec!["dog".to_owned()]); 2],
            "{data}"
        );
        let region = run.frames[0]
            .iter_meta::<VideoRegionOfInterestMeta>()
            .next();
        assert_eq!(region.expect("a region").rect(), (16, 24, 32, 12));
        let requests = server.requests();
        let paths: Vec<_> = requests
            .iter()
            .map(|request| request.path.as_str())
            .collect();
        let infer = "/v2/models/small/infer";
        assert_eq!(paths, ["/v2/models/small", infer, infer]);
        let json = match requests[1].header("inference-header-content-length") {
            Some(bytes) => &requests[1].body[..bytes.parse().expect("a number")],
            None => &requests[1].body,
        };
        let json: serde_json::Value = serde_json::from_slice(json).expect("JSON");
        assert_eq!(json["inputs"][0]["name"], "images");
        assert_eq!(
            json["inputs"][0]["shape"],
            serde_json::json!([1, 3, 48, 64])
        );
        if data == "json" {
            // Red, as the layout's family takes colours.
            assert_eq!(json["inputs"][0]["data"][0], 1.0);
            assert_eq!(json["inputs"][0]["data"][64 * 48], 0.0);
        }
    }
}

#[test]
fn a_model_that_is_not_understood_is_told_and_asked_for_again_later() {
    let server = always(|| Say::json(r#"{"name":"x","inputs":[],"outputs":[]}"#));
    let run = Run::new(
        &format!("{}/v2/models/x", server.address),
        4,
        "mode=sync protocol=kserve",
    );
    run.failed_and_left_it_alone();
    assert!(
        run.warnings[0].contains("inputs are not understood"),
        "{:?}",
        run.warnings
    );
}

#[test]
fn a_server_proves_who_it_is_unless_that_is_waived() {
    let (server, certificate) = Server::start_tls(|_, _| Say::json(PERSON));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), certificate).expect("written");
    let stranger = Run::new(&server.address, 1, "mode=sync");
    stranger.failed_and_left_it_alone();
    assert!(
        stranger.warnings[0].contains("certificate"),
        "{:?}",
        stranger.warnings
    );
    let known = format!("mode=sync ca-file={}", file.path().display());
    assert_eq!(Run::new(&server.address, 1, &known).counts(), [1, 0, 0]);
    let waived = Run::new(&server.address, 1, "mode=sync tls-verify=false");
    assert_eq!(waived.counts(), [1, 0, 0]);
}

#[test]
fn wrong_settings_are_refused_in_one_sentence() {
    for (settings, sentence) in [
        ("", "location is not set"),
        ("location=ftp://host/", "location is `ftp://host/`"),
        (
            "location=http://me:pw1234@host/",
            "set user and password instead",
        ),
        ("location=http://host/ password=pw1234", "set user too"),
        (
            "location=http://host/ width=10",
            "needs both width and height",
        ),
        ("location=http://host/ header=pw1234", "`Name: value`"),
        ("location=https://host/ ca-file=/nowhere", "/nowhere"),
        (
            "location=http://host/ protocol=kserve model-config={",
            "model-config",
        ),
        (
            "location=http://host/ protocol=kserve label-file=/nowhere",
            "/nowhere",
        ),
    ] {
        let line = format!("videotestsrc ! httpdetect name=http {settings} ! fakesink");
        let error = common::refusal(&line);
        assert!(
            error.starts_with("http: ") && error.contains(sentence),
            "{settings}: {error}"
        );
        assert!(!error.contains("pw1234"), "{error}");
    }
}

#[test]
fn no_secret_can_be_read_back() {
    common::init();
    let log = Log::begin("httpdetect");
    let server = always(|| Say::status(401));
    let location = format!("{}/score?code=s3cr3t", server.address);
    let run = Run::new(
        &location,
        3,
        "mode=sync token=s3cr3t header=\"X-Key: s3cr3t\"",
    );
    run.failed_and_left_it_alone();
    are_kept("s3cr3t", &run.element, &log);
}
