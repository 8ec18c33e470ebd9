//! Element messages: copies of facts for applications, each with typed fields and the same fact
//! as JSON in the field `json`. No element ever acts on them.

use gst::prelude::*;
use serde_json::Value;

/// Posts the element message `name`: `fields` plus `json`.
pub(crate) fn post(element: &impl IsA<gst::Element>, mut fields: gst::Structure, json: &Value) {
    fields.set("json", json.to_string());
    let message = gst::message::Element::builder(fields)
        .src(element.upcast_ref())
        .build();
    // Nobody listens only while the element is being taken down.
    let _ = element.post_message(message);
}
