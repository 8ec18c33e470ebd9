use proptest::prelude::*;
use prost::Message;

use super::super::{RawFormat, RemoteError};
use super::wire::{
    Content, Inference, MediaSample, MediaStreamDescriptor, MediaStreamMessage, Payload,
    StreamIdentifier,
};
use super::*;
use crate::detection::{BoundingBox, Detection};
use crate::detector::{Limits, Mapping, Rect};
use crate::time::SECOND;

fn description(shared_memory: Option<u64>) -> Description {
    Description {
        pipeline: "pipeline0".into(),
        element: "grpcdetect0".into(),
        configuration: String::new(),
        format: PictureFormat::Raw(RawFormat::Rgb24),
        size: (10, 4),
        shared_memory: shared_memory.map(|bytes| ("memory".into(), bytes)),
    }
}

fn describes(name: &str) -> MediaStreamMessage {
    MediaStreamMessage {
        sequence_number: 1,
        ack_sequence_number: 1,
        payload: Some(Payload::Descriptor(MediaStreamDescriptor {
            stream_identifier: Some(StreamIdentifier::Extension(name.into())),
            ..MediaStreamDescriptor::default()
        })),
    }
}

fn acknowledges(number: u64) -> MediaStreamMessage {
    MediaStreamMessage {
        sequence_number: 2,
        ack_sequence_number: number,
        payload: None,
    }
}

fn answers(number: u64, timestamp: u64) -> MediaStreamMessage {
    MediaStreamMessage {
        payload: Some(Payload::Sample(MediaSample {
            timestamp,
            content: None,
            inferences: vec![Inference::default()],
        })),
        ..acknowledges(number)
    }
}

fn open(shared_memory: Option<u64>) -> Session {
    let (mut session, _) = Session::open(&description(shared_memory));
    assert_eq!(session.hear(describes("model")), Ok(None));
    session
}

#[test]
fn a_session_begins_with_descriptors_on_either_side() {
    let (mut session, first) = Session::open(&description(None));
    assert_eq!(first.sequence_number, 1);
    assert!(!session.is_open());
    let Some(Payload::Descriptor(descriptor)) = first.payload else {
        panic!("{first:?}");
    };
    let media = descriptor.media_descriptor.expect("it describes the media");
    let format = media.video_frame_sample_format.expect("video");
    assert_eq!((media.timescale, format.stride_bytes), (90_000, 30));
    assert!(matches!(
        session.clone().hear(answers(0, 0)),
        Err(RemoteError::Reply(_))
    ));
    session.hear(describes("model")).expect("sound");
    assert!(session.is_open());
    assert_eq!(session.server(), Some("model"));
}

#[test]
fn numbers_rise_and_say_what_was_heard() {
    let mut session = open(None);
    let first = session.send(vec![1], 0, Vec::new()).expect("room");
    let second = session.send(vec![2], 9, Vec::new()).expect("room");
    assert_eq!((first.number, second.number), (2, 3));
    assert_eq!(first.message.sequence_number, 2);
    assert_eq!(first.message.ack_sequence_number, 1);
    // Answers may overtake one another, and come only once.
    let answer = session.hear(answers(3, 9)).expect("sound");
    assert_eq!(answer.map(|answer| answer.number), Some(3));
    let answer = session.hear(answers(2, 0)).expect("sound");
    assert_eq!(answer.map(|answer| answer.number), Some(2));
    assert_eq!(session.hear(answers(2, 0)), Ok(None));
    assert_eq!(session.hear(answers(77, 0)), Ok(None), "never sent");
}

#[test]
fn an_acknowledgement_frees_memory_and_the_answer_may_follow() {
    let mut session = open(Some(8));
    let first = session.send(vec![7; 6], 5, Vec::new()).expect("room");
    assert_eq!(first.write, Some((0, vec![7; 6])));
    let Some(Payload::Sample(sample)) = first.message.payload else {
        panic!("{first:?}");
    };
    assert!(matches!(sample.content, Some(Content::Reference(_))));
    let full = session.send(vec![8; 6], 6, Vec::new());
    assert_eq!(full, Err(RemoteError::Full(8)));
    assert_eq!(session.hear(acknowledges(2)), Ok(None));
    let second = session.send(vec![8; 6], 6, Vec::new()).expect("room");
    assert_eq!(second.number, 3, "no number is left out");
    let answer = session.hear(answers(0, 5)).expect("sound");
    assert_eq!(answer.map(|answer| answer.number), Some(2));
}

#[test]
fn memory_stays_the_servers_while_it_is_silent() {
    let mut session = open(Some(8));
    let first = session.send(vec![7; 8], 5, Vec::new()).expect("room");
    session.forget(first.number);
    assert!(session.send(vec![7; 8], 6, Vec::new()).is_err());
    assert_eq!(session.hear(answers(2, 5)), Ok(None), "too late");
    let second = session.send(vec![7; 8], 6, Vec::new()).expect("room");
    session.take_back(second.number);
    session.send(vec![7; 8], 7, Vec::new()).expect("room");
}

#[test]
fn times_are_those_of_the_timescale() {
    assert_eq!(timestamp(Some(SECOND)), 90_000);
    assert_eq!(timestamp(Some(-SECOND)), 0);
    assert_eq!(timestamp(None), 0);
    assert_eq!(timestamp(Some(i64::MAX)), 830_103_483_316_929);
}

#[test]
fn what_a_session_ended_with_says_what_to_do() {
    let refused = ended(3, "cannot decode\n").to_string();
    assert!(
        refused.contains("INVALID_ARGUMENT and said \"cannot decode\""),
        "{refused}"
    );
    assert!(ended(16, "").to_string().contains("set user and password"));
    assert!(matches!(ended(14, "gone"), RemoteError::Unreachable(_)));
    assert!(ended(99, "").to_string().contains("unknown status"));
    assert!(!ended(3, "").is_like(&ended(11, "")));
}

const LIMITS: Limits = Limits {
    confidence: 0.0,
    iou: 0.5,
    max_detections: 100,
    suppression: None,
};

/// 60 columns in the middle of 100.
fn padded() -> Mapping {
    let fit = Rect {
        x: 20,
        y: 0,
        width: 60,
        height: 100,
    };
    Mapping::new(fit, Rect::whole(600, 1000), (600, 1000))
}

proptest! {
    #[test]
    fn what_a_frame_bears_is_read_back_as_it_was(
        l in 0.0..0.5_f64, t in 0.0..0.5_f64, w in 0.01..0.5_f64, h in 0.01..0.5_f64,
        confidence in 0.01..1.0_f64, track in prop::option::of(0..=i64::MAX),
    ) {
        let object = Detection {
            label: "person".into(),
            label_id: -1,
            confidence,
            bbox: BoundingBox { l, t, w, h },
            track_id: track,
            distance: None,
            position: None,
        };
        let told = annotations(std::slice::from_ref(&object), &[], padded(), (100, 100));
        let sample = MediaSample { inferences: told, ..MediaSample::default() };
        let sample = MediaSample::decode(sample.encode_to_vec().as_slice()).expect("our own");
        let read = objects(sample.inferences, padded(), (100, 100), &LIMITS);
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(read[0].track_id, track);
        prop_assert!((read[0].confidence - confidence).abs() < 1e-6);
        prop_assert!(read[0].bbox.iou(&object.bbox) > 0.999);
    }
}

#[test]
fn motion_is_told_and_never_read_as_an_object() {
    let all = BoundingBox::from_corners(0.0, 0.0, 1.0, 1.0);
    let told = annotations(&[], &[all], padded(), (100, 100));
    let Some(wire::Value::Motion(motion)) = told[0].value else {
        panic!("{told:?}");
    };
    let bbox = motion.bbox.expect("a box");
    assert!(
        (bbox.l - 0.2).abs() < 1e-6 && (bbox.w - 0.6).abs() < 1e-6,
        "{bbox:?}"
    );
    assert_eq!(objects(told, padded(), (100, 100), &LIMITS), []);
}
