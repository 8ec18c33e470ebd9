//! The sticky event `evr-model`, by which a detector tells those behind it what it can find.

use evr_core::detector::Labels;

const EVR_MODEL: &str = "evr-model";

/// A detector's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    /// Its name, as in the observations.
    pub(crate) name: String,
    /// Every label it can say; empty where it does not tell.
    pub(crate) labels: Vec<String>,
    /// Its number of each; empty where it tells none.
    pub(crate) ids: Vec<i32>,
}

impl Model {
    #[cfg_attr(
        not(any(feature = "http", feature = "onnx")),
        allow(dead_code, reason = "only who runs a model knows its classes")
    )]
    pub(crate) fn new(name: &str, labels: &Labels) -> Self {
        Self {
            name: name.to_owned(),
            labels: labels.names().map(String::from).collect(),
            ids: labels.ids().collect(),
        }
    }

    /// A server that does not tell what it can find.
    #[cfg_attr(
        not(any(feature = "grpc", feature = "http")),
        allow(dead_code, reason = "only servers keep that to themselves")
    )]
    pub(crate) fn unknown(name: String) -> Self {
        Self {
            name,
            labels: Vec::new(),
            ids: Vec::new(),
        }
    }

    #[cfg_attr(
        not(any(feature = "grpc", feature = "http", feature = "onnx")),
        allow(dead_code, reason = "only detectors write")
    )]
    pub(crate) fn to_event(&self) -> gst::Event {
        gst::event::CustomDownstreamSticky::new(
            gst::Structure::builder(EVR_MODEL)
                .field("model", &self.name)
                .field("labels", gst::Array::new(&self.labels))
                .field("label-ids", gst::Array::new(self.ids.iter().copied()))
                .build(),
        )
    }

    /// `None` for any other event.
    pub(crate) fn from_event(event: &gst::EventRef) -> Option<Self> {
        let fields = event
            .structure()
            .filter(|fields| fields.name() == EVR_MODEL)?;
        let labels = fields.get::<gst::Array>("labels").ok()?;
        // Others may not tell them.
        let ids = fields.get::<gst::Array>("label-ids").ok();
        let ids = ids.iter().flat_map(|ids| ids.iter());
        Some(Self {
            name: fields.get("model").ok()?,
            labels: labels.iter().filter_map(|label| label.get().ok()).collect(),
            ids: ids.filter_map(|id| id.get().ok()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_comes_out_of_its_event_as_it_went_in() {
        gst::init().expect("GStreamer is installed");
        let model = Model {
            name: "ssdlite".into(),
            labels: vec!["person".into(), "car".into()],
            ids: vec![1, 3],
        };
        assert_eq!(Model::from_event(&model.to_event()), Some(model));
        assert_eq!(Model::from_event(&gst::event::Eos::new()), None);
    }
}
