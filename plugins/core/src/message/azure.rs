//! What Azure Video Analyzer's edge module said of the same facts, as its log printed it and Event
//! Grid carries it: `{id, topic, subject, eventType, eventTime, data, dataVersion}`, where `data`
//! is the body of the message on IoT Edge and the others are its properties.

use serde_json::{Value, json};

use super::{Fact, Message, Phase, What, inference};
use crate::camera::{Media, News, Told};
use crate::time::{Nanos, rfc3339};

const NAMESPACE: &str = "Microsoft.VideoAnalyzer";

pub(super) fn render(fact: &Fact) -> Option<Message> {
    let (node, event_type, data) = match &fact.what {
        What::Signal(signal) => (
            "processors/signals",
            "Analytics.Inference",
            inference::of_signal(fact.time, signal),
        ),
        What::Observed(seen) if seen.observation.detections.is_empty() => return None,
        What::Observed(seen) => (
            "processors/inference",
            "Analytics.Inference",
            inference::of_objects(fact.time, &seen.observation.detections),
        ),
        What::Recording(recording) => {
            let event_type = match recording.phase {
                Phase::Started => "Operational.RecordingStarted",
                Phase::Stopped => "Operational.RecordingStopped",
                Phase::Available | Phase::Recovered => "Operational.RecordingAvailable",
                Phase::Failed => "Diagnostics.RuntimeError",
            };
            let data = match recording.phase {
                Phase::Failed => {
                    json!({"code": "recordingFailed", "message": recording.text("reason")})
                }
                _ => {
                    json!({"outputType": "filePath", "outputLocation": recording.text("location")})
                }
            };
            ("sinks/eventsink", event_type, data)
        }
        What::Camera(told) => {
            let (event_type, data) = of_camera(fact.time, told);
            ("sources/rtspcamera", event_type, data)
        }
    };
    let pipeline = super::topic::level(&fact.source);
    let message: Value = json!({
        "id": fact.id(),
        "topic": "/evr",
        "subject": format!("/edgeModules/evr/livePipelines/{pipeline}/{node}"),
        "eventType": format!("{NAMESPACE}.{event_type}"),
        "eventTime": rfc3339(fact.time),
        "data": data,
        "dataVersion": "1.0",
    });
    let kind = event_type.rsplit('.').next().unwrap_or_default();
    Some(Message::new(kind, &message))
}

/// What became of the connection to the camera. Azure said nothing of a lost one, but its gateway
/// read `NetworkError`.
fn of_camera(time: Nanos, told: &Told) -> (&'static str, Value) {
    match &told.news {
        News::Connected { sdp } => (
            "Diagnostics.MediaSessionEstablished",
            json!({"sdp": format!("SDP:\n{sdp}")}),
        ),
        News::Refused { code } => (
            "Diagnostics.ProtocolError",
            json!({"code": code.to_string(), "target": told.location, "protocol": "rtsp"}),
        ),
        News::Unsupported { media, .. } => {
            let code = match media {
                Media::Video => "unsupportedVideoFormat",
                Media::Audio => "unsupportedAudioFormat",
            };
            (
                "Diagnostics.MediaFormatError",
                json!({"timestamp": time / 1_000_000, "code": code}),
            )
        }
        News::Lost { reason } => ("Diagnostics.NetworkError", json!({"errorCode": reason})),
    }
}
