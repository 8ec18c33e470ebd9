//! Records what happens in a file and prints every signal and recording as a line of JSON.
//!
//! ```console
//! $ cargo run --release --example record_events -- in.mp4 model.onnx person
//! ```
//!
//! The input is MP4 with H.264. Clips and sidecars go to `recordings/`. The third argument is the
//! list of labels that count; without it every object does. An application of your own does the
//! same: register the plugin, or find it through `GST_PLUGIN_PATH`, build a pipeline, read its bus.

use std::{error::Error, path::Path, process::ExitCode};

use gst::{glib, prelude::*};

/// The branch that is recorded, and beside it the one that is looked at and tells the gate.
const PIPELINE: &str = "\
    filesrc name=input ! qtdemux ! h264parse ! tee name=media \
    media. ! queue ! signalgate name=gate activation-signal-offset=-3000000000 \
        minimum-activation-time=3000000000 ! eventsink name=clips \
    media. ! queue ! avdec_h264 ! onnxdetect name=detect ! objectcounter name=count ! \
        fakesink sync=false \
    count.signal ! gate.signal";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, model, labels) = match arguments.as_slice() {
        [input, model] => (input, model, None),
        [input, model, labels] => (input, model, Some(labels)),
        _ => {
            eprintln!("usage: record_events INPUT.mp4 MODEL.onnx [LABELS]");
            return ExitCode::from(2);
        }
    };
    match record(input, model, labels.map(String::as_str)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}");
            ExitCode::FAILURE
        }
    }
}

fn record(input: &str, model: &str, labels: Option<&str>) -> Result<(), Box<dyn Error>> {
    gst::init()?;
    gstevr::plugin_register_static()?;
    let pipeline = gst::parse::launch(PIPELINE)?
        .downcast::<gst::Pipeline>()
        .map_err(|_| "the description is no pipeline")?;
    // Set, not written into the description: a path may hold spaces and quotes.
    let set = |name: &str, property: &str, value: &dyn glib::value::ToValue| {
        let element = pipeline.by_name(name);
        element
            .map(|element| element.set_property_from_value(property, &value.to_value()))
            .ok_or_else(|| format!("there is no element {name} in the description"))
    };
    set("input", "location", &input)?;
    set("detect", "model-file", &model)?;
    set("count", "labels", &labels)?;
    set("clips", "location", &"recordings/%Y%m%dT%H%M%SZ-{id}.mp4")?;
    if !Path::new(input).is_file() {
        return Err(format!("there is no file {input}").into());
    }

    let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
    // Why it does not start stands on the bus, in a sentence; the result only says that.
    let started = pipeline.set_state(gst::State::Playing);
    let patience = started.is_err().then_some(gst::ClockTime::ZERO);
    let outcome = watch(&bus, patience);
    pipeline.set_state(gst::State::Null)?;
    outcome?;
    started?;
    Ok(())
}

/// Prints what the elements tell until the end, which eventsink posts once the last clip is on
/// disk, until the first error, or until nothing was told for `patience`.
fn watch(bus: &gst::Bus, patience: Option<gst::ClockTime>) -> Result<(), String> {
    for message in bus.iter_timed(patience) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(err) => return Err(err.error().to_string()),
            gst::MessageView::Warning(warning) => eprintln!("{}", warning.error()),
            gst::MessageView::Element(told) => {
                // evr-signal, evr-recording-started, …: each carries its fact as JSON.
                let fields = told.structure().filter(|it| it.name().starts_with("evr-"));
                if let Some(json) = fields.and_then(|fields| fields.get::<String>("json").ok()) {
                    println!("{json}");
                }
            }
            _ => {}
        }
    }
    Ok(())
}
