//! What a server says in a session of the gRPC extension, from its first message on.

use evr_core::detector::{Limits, Mapping, Rect};
use evr_core::remote::RawFormat;
use evr_core::remote::grpc::wire::MediaStreamMessage;
use evr_core::remote::grpc::{Description, PictureFormat, Session, objects};
use prost::Message;

use super::Outcome;

const MOST: usize = 20;

/// Hears messages, each behind its length in two bytes, and sends a picture after each.
pub fn body(mut data: &[u8]) -> Outcome {
    let memory = 1000;
    let (mut session, first) = Session::open(&Description {
        pipeline: "pipeline".into(),
        element: "element".into(),
        configuration: String::new(),
        format: PictureFormat::Raw(RawFormat::Rgb24),
        size: (100, 100),
        shared_memory: Some(("memory".into(), memory)),
    });
    let mut sent = first.sequence_number;
    let mut outcome = Outcome::Refused;
    while let Some((length, rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        data = rest;
        let Ok(message) = MediaStreamMessage::decode(message) else {
            continue;
        };
        let Ok(answer) = session.hear(message) else {
            break;
        };
        if let Some(answer) = answer {
            assert!((2..=sent).contains(&answer.number), "it was sent");
            found(answer.inferences);
            outcome = Outcome::Taken;
        }
        if let Ok(picture) = session.send(vec![0; 300], sent, Vec::new()) {
            assert!(picture.number > sent, "numbers rise");
            sent = picture.number;
            let (offset, bytes) = picture.write.expect("it lies in the memory");
            assert!(offset + bytes.len() as u64 <= memory);
        }
    }
    outcome
}

fn found(inferences: Vec<evr_core::remote::grpc::wire::Inference>) {
    let limits = Limits {
        confidence: 0.0,
        iou: 1.0,
        max_detections: MOST,
        suppression: None,
    };
    let whole = Rect::whole(100, 100);
    let mapping = Mapping::new(whole, whole, (100, 100));
    let found = objects(inferences, mapping, (100, 100), &limits);
    assert!(found.len() <= MOST);
    for object in found {
        let bbox = object.bbox;
        assert!((0.0..=1.0).contains(&object.confidence));
        assert!(bbox.l >= 0.0 && bbox.t >= 0.0 && bbox.area() > 0.0);
        assert!(bbox.l + bbox.w < 1.0 + 1e-9 && bbox.t + bbox.h < 1.0 + 1e-9);
    }
}
