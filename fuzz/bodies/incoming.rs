//! What a message broker passes on, and what stands in a journal.

use evr_core::{
    message::{Fact, Format, Renderer, incoming},
    signal::Signal,
};

use super::Outcome;

const FORMATS: [Format; 6] = [
    Format::CloudEvents,
    Format::Azure,
    Format::DeepStream,
    Format::DeepStreamMinimal,
    Format::Frigate,
    Format::DlStreamer,
];

/// Reads the bytes as a message, whose signals the gate must understand, and as a line of a pad and
/// of a journal, which every format must be able to tell in one line.
pub fn body(data: &[u8]) -> Outcome {
    let facts = [
        Fact::from_line("door", data, Some(5), |running| running.unwrap_or(7)),
        Fact::from_journal(data),
    ];
    for fact in facts.iter().flatten() {
        for format in FORMATS {
            for message in Renderer::new(format).render(fact) {
                assert!(!message.body.contains('\n'));
                assert!(!message.kind.contains(['+', '#']));
            }
        }
    }
    let Ok(incoming) = incoming::read(data) else {
        return Outcome::Refused;
    };
    for signal in incoming.signals {
        let line = serde_json::Value::Object(signal.to_json()).to_string();
        let again = Signal::parse(line.as_bytes());
        assert!(again.is_ok_and(|again| again.action == signal.action));
    }
    Outcome::Taken
}
