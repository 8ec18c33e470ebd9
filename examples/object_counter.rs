//! The objectCounter of Azure Video Analyzer's tutorials as a program of its own: hears over MQTT
//! what a camera's inference has found, and asks for a recording where an object of interest is
//! among it.
//!
//! ```console
//! $ cargo run --release --example object_counter -- mqtt://localhost person 0.5
//! ```
//!
//! Who moves from there finds their own module here: what it got at its input `detectedObjects`
//! comes under `evr/+/Inference` from `mqtteventsink format=azure`, and what it sent at its output
//! `objectCountTrigger` goes to `evr/trigger`, where `mqtteventsrc` listens. Both are the same
//! messages; `{"count":n}` carries the inference's `eventTime`, so that the recording shows the
//! frame that was meant, and its `subject`, so that it reaches that camera alone. Inferences
//! without an object, such as motion, are passed over, which made the sample fail.

use std::{error::Error, process::ExitCode, time::Duration};

use evr_core::broker::Broker;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};

const DETECTED_OBJECTS: &str = "evr/+/Inference";
const RECORDING_TRIGGER: &str = "evr/trigger";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, tag, confidence] = arguments.as_slice() else {
        eprintln!("usage: object_counter BROKER TAG CONFIDENCE");
        return ExitCode::from(2);
    };
    let Ok(confidence) = confidence.parse() else {
        eprintln!("{confidence} is no confidence: give a number from 0 to 1");
        return ExitCode::from(2);
    };
    match run(broker, tag, confidence) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}");
            ExitCode::FAILURE
        }
    }
}

/// Counts until it cannot subscribe.
pub fn run(broker: &str, tag: &str, confidence: f64) -> Result<(), Box<dyn Error>> {
    let broker = Broker::parse(broker)?;
    if broker.tls {
        return Err("this sample speaks without encryption only: begin with mqtt://".into());
    }
    let id = format!("object-counter-{}", std::process::id());
    let mut options = MqttOptions::new(id, &broker.host, broker.port);
    if let Some(user) = &broker.user {
        options.set_credentials(user, broker.password.as_deref().unwrap_or_default());
    }
    let (client, mut connection) = Client::new(options, 64);
    for event in connection.iter() {
        match event {
            // After a lost connection the broker has forgotten what was asked for.
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.try_subscribe(DETECTED_OBJECTS, QoS::AtLeastOnce)?;
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => println!("listening"),
            Ok(Event::Incoming(Packet::Publish(message))) => {
                let Some(trigger) = count(&message.payload, tag, confidence) else {
                    continue;
                };
                println!("{trigger}");
                let trigger = trigger.to_string();
                if client
                    .try_publish(RECORDING_TRIGGER, QoS::AtLeastOnce, false, trigger)
                    .is_err()
                {
                    eprintln!("the broker is too slow, a trigger is not sent");
                }
            }
            Ok(_) => {}
            Err(err) => {
                eprintln!("{err}; trying again");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
    Ok(())
}

/// The trigger for what was found in a frame; none where no object counts.
fn count(message: &[u8], tag: &str, confidence: f64) -> Option<Value> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let inferences = message["data"]["inferences"].as_array()?;
    let counts = |inference: &&Value| {
        let found = &inference["entity"]["tag"];
        found["value"] == tag && found["confidence"].as_f64() > Some(confidence)
    };
    let count = inferences.iter().filter(counts).count();
    let properties = json!({
        "eventTime": message["eventTime"],
        "subject": message["subject"],
    });
    (count > 0).then(|| json!({"body": {"count": count}, "applicationProperties": properties}))
}
