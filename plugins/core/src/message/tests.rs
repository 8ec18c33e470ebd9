use serde_json::json;

use super::*;
use crate::camera::News;
use crate::time::SECOND;

fn fact(line: &str) -> Result<Fact, FactError> {
    Fact::from_line("door", line.as_bytes(), Some(7 * SECOND), |running| {
        1000 * SECOND + running.unwrap_or(0)
    })
}

#[test]
fn a_line_is_about_its_own_time_else_about_that_at_which_it_came() {
    let time = |line: &str| fact(line).expect("a fact").time / SECOND;
    assert_eq!(time(r#"{"media_time":2000000000}"#), 1002);
    assert_eq!(time(r#"{"time":"1970-01-01T00:00:05Z"}"#), 5);
    assert_eq!(time("{}"), 1007);
    assert_eq!(
        time(r#"{"media_time":3000000000,"seq":0,"objects":[]}"#),
        1003
    );
    assert_eq!(time(r#"{"seq":0,"objects":[]}"#), 1007);
}

#[test]
fn a_line_that_tells_nothing_says_why() {
    assert!(
        fact("hello")
            .expect_err("no JSON")
            .to_string()
            .contains("JSON")
    );
    let wrong = fact(r#"{"seq":1,"objects":[{}]}"#).expect_err("no object");
    assert!(wrong.to_string().contains("object 0"), "{wrong}");
    let none = Fact::from_journal(b"{\"type\":\"other\"}").expect_err("not ours");
    assert!(none.to_string().contains("other"), "{none}");
}

#[test]
fn the_same_fact_has_the_same_id_and_any_other_another_unless_the_sender_named_it() {
    let id = |line: &str| fact(line).expect("a fact").id();
    assert_eq!(id(r#"{"media_time":1}"#), id(r#"{"media_time":1}"#));
    assert_ne!(id(r#"{"media_time":1}"#), id(r#"{"media_time":2}"#));
    assert_ne!(id(r#"{"count":1}"#), id(r#"{"count":2}"#));
    assert_eq!(id(r#"{"id":"a"}"#), "a");
}

#[test]
fn tracks_that_are_over_are_an_observation_of_nothing_and_no_signal() {
    let ended = r#"[{"track_id":7,"label":"cat","first":0,"last":40,"observations":2}]"#;
    let nobody = Seen {
        media_time: Some(7 * SECOND),
        size: None,
        observation: Observation::default(),
    };
    let alone = fact(&format!(r#"{{"ended":{ended}}}"#)).expect("a fact");
    assert_eq!(alone.what, What::Observed(nobody));
    assert_eq!(alone.time, 1007 * SECOND);
    let others = fact(r#"{"ended":true}"#).expect("a fact");
    assert!(matches!(others.what, What::Signal(_)));

    let mut frigate = Renderer::new(Format::Frigate);
    let cat =
        r#"{"seq":0,"objects":[{"label":"cat","confidence":0.9,"box":{"l":0,"t":0,"w":1,"h":1}}]}"#;
    assert_eq!(frigate.render(&fact(cat).expect("a fact"))[0].body, "1");
    assert_eq!(frigate.render(&alone)[0].body, "0");
}

#[test]
fn a_name_that_is_empty_is_none() {
    let id = |line: &str| fact(line).expect("a fact").id();
    assert_eq!(id(r#"{"id":""}"#), id(r#"{"id":""}"#));
    assert!(!id(r#"{"id":""}"#).is_empty());
}

#[test]
fn boxes_are_in_pixels_where_a_line_tells_the_frames_size() {
    let line = r#"{"media_time":1,"seq":0,"width":640,"height":480,"objects":[
        {"label":"person","confidence":0.9,"box":{"l":0.25,"t":0.5,"w":0.5,"h":0.25}}]}"#;
    let told = |format: Format| {
        let messages = Renderer::new(format).render(&fact(line).expect("a fact"));
        serde_json::from_str::<Value>(&messages[0].body).expect("JSON")
    };
    let minimal = told(Format::DeepStreamMinimal);
    assert_eq!(minimal["objects"][0], "-1|160|240|480|360|person|#|0.9");
    let corners = ["topleftx", "toplefty", "bottomrightx", "bottomrighty"];
    let full = &told(Format::DeepStream)["object"]["bbox"];
    let full = corners.map(|corner| full[corner].as_f64());
    assert_eq!(full, [160.0, 240.0, 480.0, 360.0].map(Some));
    let object = &told(Format::DlStreamer)["objects"][0];
    let pixels = ["x", "y", "w", "h"].map(|side| object[side].as_f64());
    assert_eq!(pixels, [160.0, 240.0, 320.0, 120.0].map(Some));
    let size = &told(Format::DlStreamer)["resolution"];
    assert_eq!(*size, json!({"width": 640, "height": 480}));
}

/// A line of the journal about this recording, with what else it tells.
fn journal(phase: Phase, id: &str, more: &Value) -> Fact {
    let mut data = json!({"source": "door", "id": id});
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more.clone()) {
        data.extend(more);
    }
    let event = json!({"specversion": "1.0", "id": "x", "source": "/evr/door",
        "type": phase.kind(), "time": "1970-01-01T00:00:07Z", "data": data});
    Fact::from_journal(event.to_string().as_bytes()).expect("a fact")
}

#[test]
fn the_clip_that_is_recorded_is_named_until_that_one_ends_whatever_else_does() {
    let (this, other) = (json!({"location": "/a.mp4"}), json!({"location": "/b.mp4"}));
    let still = "/a.mp4";
    for (phase, id, more, clip) in [
        (Phase::Stopped, "2", &other, still),
        (Phase::Available, "2", &other, still),
        // Another part of the same.
        (Phase::Stopped, "1", &other, still),
        (Phase::Failed, "2", &json!({"part": "/b.mp4.part"}), still),
        (Phase::Failed, "2", &json!({}), still),
        (Phase::Stopped, "1", &this, ""),
        (Phase::Available, "1", &this, ""),
        (Phase::Failed, "1", &json!({"part": "/a.mp4.part"}), ""),
        (Phase::Failed, "1", &json!({}), ""),
    ] {
        let mut told = Renderer::new(Format::DeepStream);
        told.render(&journal(Phase::Started, "1", &this));
        told.render(&journal(phase, id, more));
        let messages = told.render(&fact("{}").expect("a fact"));
        let body: Value = serde_json::from_str(&messages[0].body).expect("JSON");
        assert_eq!(body["videoPath"], clip, "{phase:?} of {id} {more}");
    }
}

#[test]
fn what_comes_back_to_us_raises_only_what_the_guide_says() {
    let seen =
        r#"{"seq":0,"objects":[{"label":"cat","confidence":0.9,"box":{"l":0,"t":0,"w":1,"h":1}}]}"#;
    let lost = News::Lost {
        reason: "gone".into(),
    };
    let facts = [
        fact(r#"{"action":"stop"}"#).expect("a fact"),
        fact(seen).expect("a fact"),
        journal(Phase::Started, "1", &json!({"location": "/a.mp4"})),
        journal(Phase::Failed, "1", &json!({"reason": "full"})),
        fact(&lost.line("door", "rtsp://door", None)).expect("a fact"),
    ];
    let raised = |format: Format| {
        let signals = |fact: &Fact| {
            let messages = Renderer::new(format).render(fact);
            let back = messages.iter().map(|message| {
                // Frigate's counts are no objects, and so no signals.
                let read = incoming::read(message.body.as_bytes());
                read.map_or(0, |incoming| incoming.signals.len())
            });
            back.sum::<usize>()
        };
        facts.each_ref().map(signals)
    };
    assert_eq!(raised(Format::CloudEvents), [1, 0, 0, 0, 0]);
    assert_eq!(raised(Format::Azure), [1, 1, 0, 0, 0]);
    assert_eq!(raised(Format::DeepStream), [1, 1, 1, 1, 0]);
    assert_eq!(raised(Format::DeepStreamMinimal), [0, 1, 0, 0, 0]);
    assert_eq!(raised(Format::DlStreamer), [0, 1, 0, 0, 0]);
    // Each recording's two, in `events` and `reviews`.
    assert_eq!(raised(Format::Frigate), [0, 0, 2, 2, 0]);
}
