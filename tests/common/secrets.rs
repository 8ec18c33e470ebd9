//! Secrets that an element was given: it shows them to nobody.

use std::sync::{Arc, Mutex};

use gst::prelude::*;

/// What was logged since it was begun.
pub struct Log(Arc<Mutex<Vec<Line>>>);

#[derive(Clone)]
struct Line {
    category: String,
    /// Where the object that logged it lies in memory, to tell it from those of other tests.
    object: Option<usize>,
    text: String,
}

impl Log {
    /// Everything from here on, of the category `name` at every level; nothing is printed any more.
    pub fn begin(name: &str) -> Self {
        let lines = Arc::<Mutex<Vec<_>>>::default();
        let heard = Arc::clone(&lines);
        gst::log::remove_default_log_function();
        gst::log::add_log_function(move |category, _, _, _, _, object, message| {
            let text = message.get().map(|text| text.to_string());
            let line = Line {
                category: category.name().to_owned(),
                object: object.map(|object| object.as_ptr() as usize),
                text: text.unwrap_or_default(),
            };
            heard.lock().expect("nothing panics under it").push(line);
        });
        gst::log::set_threshold_for_name(name, gst::DebugLevel::Trace);
        Self(lines)
    }

    fn lines(&self) -> Vec<Line> {
        self.0.lock().expect("nothing panics under it").clone()
    }
}

/// Panics where `secret` stands in the log, in a drawing of the element or in a property of it, or
/// where the element has logged nothing that could have told it.
#[track_caller]
pub fn are_kept(secret: &str, element: &gst::Element, log: &Log) {
    let factory = element.factory().expect("it was made by name");
    let lines = log.lines();
    let told = lines.iter().any(|line| {
        line.category == factory.name() && line.object == Some(element.as_ptr() as usize)
    });
    assert!(told, "{} has logged nothing", factory.name());
    for Line { category, text, .. } in lines {
        assert!(!text.contains(secret), "{category} logs {text}");
    }
    // Its thread may hold the pipeline a little longer than the test does.
    super::until("its pipeline is gone", || element.parent().is_none());
    let bin = gst::Bin::new();
    bin.add(element).expect("it is in no other any more");
    let dot = bin.debug_to_dot_data(gst::DebugGraphDetails::all());
    assert!(dot.contains("location") && !dot.contains(secret), "{dot}");
    for pspec in element.list_properties() {
        if pspec.flags().contains(glib::ParamFlags::READABLE) {
            let value = format!("{:?}", element.property_value(pspec.name()));
            assert!(!value.contains(secret), "{value}");
        }
    }
}
