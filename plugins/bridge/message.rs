//! Element messages: copies of facts for applications, each with typed fields and the same fact
//! as JSON in the field `json`. No element ever acts on them.

use gst::prelude::*;
use serde_json::{Value, json};

/// Says that a broker is there, or not.
pub(crate) fn post_broker(element: &impl IsA<gst::Element>, broker: &str, connected: bool) {
    const NAME: &str = "evr-broker";
    let fields = gst::Structure::builder(NAME)
        .field("broker", broker)
        .field("connected", connected)
        .build();
    let json = json!({"type": NAME, "broker": broker, "connected": connected});
    post(element, fields, &json);
}

/// Posts the element message `name`: `fields` plus `json`.
pub(crate) fn post(element: &impl IsA<gst::Element>, mut fields: gst::Structure, json: &Value) {
    fields.set("json", json.to_string());
    let message = gst::message::Element::builder(fields)
        .src(element.upcast_ref())
        .build();
    // Nobody listens only while the element is being taken down.
    let _ = element.post_message(message);
}
