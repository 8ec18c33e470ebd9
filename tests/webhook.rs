//! webhook against a receiver that takes, refuses or fails as each test needs.

#![cfg(feature = "http")]

mod common;

use std::fs;
use std::path::Path;

use common::http::{Request, Say, Server};
use common::secrets::{Log, are_kept};
use common::{launch, wait_for_eos, warnings};
use gst::prelude::*;

/// Lines of JSON with these ids through the element, then down; its warnings and counts.
fn tell(
    directory: &Path,
    location: &str,
    ids: std::ops::Range<u32>,
    settings: &str,
) -> (Vec<String>, [u64; 3]) {
    let pipeline = run(directory, location, ids, settings);
    let hook = pipeline.by_name("hook").expect("it is there");
    let counts = ["delivered", "refused", "waiting"].map(|name| hook.property(name));
    (warnings(&pipeline), counts)
}

/// The same, and the pipeline as it is then.
fn run(
    directory: &Path,
    location: &str,
    ids: std::ops::Range<u32>,
    settings: &str,
) -> gst::Pipeline {
    let lines: String = ids
        .map(|id| format!("{{\"id\":\"{id}\",\"media_time\":{id}}}\n"))
        .collect();
    let file = directory.join("lines.jsonl");
    fs::write(&file, lines).expect("written");
    let pipeline = launch(&format!(
        "filesrc location={} ! application/x-json \
         ! webhook name=hook location={location} outbox={} source-id=door \
         timeout=60000000000 drain-time=60000000000 {settings}",
        file.display(),
        directory.join("outbox").display()
    ));
    // What is said while it goes down is heard too.
    pipeline.set_auto_flush_bus(false);
    pipeline.set_state(gst::State::Playing).expect("it starts");
    wait_for_eos(&pipeline).expect("it ends");
    pipeline.set_state(gst::State::Null).expect("it stops");
    pipeline
}

fn event(request: &Request) -> serde_json::Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn ids(requests: &[Request]) -> Vec<u32> {
    let id = |request| event(request)["id"].as_str().expect("a text").parse();
    requests
        .iter()
        .map(|request| id(request).expect("a number"))
        .collect()
}

#[test]
fn what_happens_is_posted_as_cloudevents_in_order() {
    let server = Server::start(|_, _| Say::status(202));
    let directory = tempfile::tempdir().expect("a directory");
    let location = format!("{}/events?stream=1", server.address);
    let (_, counts) = tell(directory.path(), &location, 0..50, "token=abc");
    assert_eq!(counts, [50, 0, 0]);
    let requests = server.requests();
    assert_eq!(ids(&requests), (0..50).collect::<Vec<_>>());
    let first = &requests[0];
    assert_eq!(
        (first.method.as_str(), first.path.as_str()),
        ("POST", "/events?stream=1")
    );
    assert_eq!(
        first.header("content-type"),
        Some("application/cloudevents+json")
    );
    assert_eq!(first.header("authorization"), Some("Bearer abc"));
    let event = event(first);
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "evr-signal");
}

#[test]
fn what_was_not_taken_is_posted_again_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    // It is not to be asked again before the stop.
    let later = || Say::Reply(503, vec![("Retry-After", "60".into())], Vec::new());
    let broken = Server::start(move |_, _| later());
    let (_, counts) = tell(directory.path(), &broken.address, 0..5, "");
    assert_eq!(counts, [0, 0, 5]);
    assert_eq!(
        ids(&broken.requests()),
        [0],
        "the others wait behind the first"
    );
    let server = Server::start(|_, _| Say::status(200));
    let (_, counts) = tell(directory.path(), &server.address, 5..8, "");
    assert_eq!(counts, [8, 0, 0]);
    assert_eq!(ids(&server.requests()), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_fails_for_a_while_gets_everything_in_order() {
    // Busy at the third, and again when that is repeated.
    let busy = || Say::Reply(503, vec![("Retry-After", "0".into())], Vec::new());
    let server = Server::start(move |n, _| match n {
        2 | 3 => busy(),
        _ => Say::status(204),
    });
    let directory = tempfile::tempdir().expect("a directory");
    let pipeline = launch(&format!(
        "appsrc name=in caps=application/x-json format=time \
         ! webhook name=hook location={} outbox={}",
        server.address,
        directory.path().join("outbox").display()
    ));
    let source: gst_app::AppSrc = pipeline.by_name("in").and_downcast().expect("an appsrc");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    for id in 0..6 {
        let line = format!("{{\"id\":\"{id}\"}}\n");
        source
            .push_buffer(gst::Buffer::from_slice(line))
            .expect("taken");
    }
    server.wait_for(8);
    pipeline.set_state(gst::State::Null).expect("it stops");
    assert_eq!(ids(&server.requests()), [0, 1, 2, 2, 2, 3, 4, 5]);
}

#[test]
fn what_is_refused_is_set_aside_and_holds_up_nothing() {
    let server = Server::start(|n, _| match n {
        1 => Say::Reply(422, vec![], b"no such camera".to_vec()),
        _ => Say::status(200),
    });
    let directory = tempfile::tempdir().expect("a directory");
    let (warnings, counts) = tell(directory.path(), &server.address, 0..3, "");
    assert_eq!(counts, [2, 1, 0]);
    assert_eq!(ids(&server.requests()), [0, 1, 2]);
    let kept = fs::read_to_string(directory.path().join("outbox/refused.jsonl"));
    let kept: serde_json::Value =
        serde_json::from_str(&kept.expect("it is there")).expect("a line");
    assert_eq!(kept["id"], "1");
    let [warning] = &warnings[..] else {
        panic!("one message is refused: {warnings:?}");
    };
    assert!(
        warning.starts_with("hook: ") && warning.contains("no such camera"),
        "{warning}"
    );
}

#[test]
fn the_status_decides_however_much_is_said_behind_it() {
    let long = || vec![b'x'; 1 << 20];
    let server = Server::start(move |n, _| match n {
        0 => Say::Reply(200, vec![], long()),
        1 => Say::Reply(422, vec![], long()),
        // The end comes before what was promised.
        2 => Say::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        _ => Say::status(200),
    });
    let directory = tempfile::tempdir().expect("a directory");
    let (warnings, counts) = tell(directory.path(), &server.address, 0..4, "");
    assert_eq!(counts, [3, 1, 0], "{warnings:?}");
    assert_eq!(ids(&server.requests()), [0, 1, 2, 3]);
}

#[test]
fn a_reply_whose_body_stalls_has_taken_its_message_and_holds_up_the_next_for_the_timeout_alone() {
    let server = Server::start(|n, _| match n {
        0 => Say::Stalls(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        _ => Say::status(200),
    });
    let directory = tempfile::tempdir().expect("a directory");
    // It holds for the other two as well.
    let timeout = "timeout=2000000000";
    let (warnings, counts) = tell(directory.path(), &server.address, 0..3, timeout);
    assert_eq!(counts, [3, 0, 0], "{warnings:?}");
    assert_eq!(ids(&server.requests()), [0, 1, 2]);
}

#[test]
fn no_secret_can_be_read_back() {
    common::init();
    let log = Log::begin("webhook");
    let server = Server::start(|_, _| Say::status(403));
    let location = format!("{}/events?code=s3cr3t", server.address);
    let secrets = "token=s3cr3t header=\"X-Key: s3cr3t\"";
    let directory = tempfile::tempdir().expect("a directory");
    let pipeline = run(directory.path(), &location, 0..1, secrets);
    let warnings = warnings(&pipeline);
    assert!(
        !warnings.is_empty(),
        "it warns of a message that is refused"
    );
    for warning in warnings {
        assert!(!warning.contains("s3cr3t"), "{warning}");
    }
    let hook = pipeline.by_name("hook").expect("it is there");
    pipeline.remove(&hook).expect("it is in it");
    are_kept("s3cr3t", &hook, &log);
}
