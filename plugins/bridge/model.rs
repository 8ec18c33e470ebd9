//! The sticky event `evr-model`, by which a detector tells those behind it what it can find.

const EVR_MODEL: &str = "evr-model";

/// A detector's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    /// Its name, as in the observations.
    pub(crate) name: String,
    /// Every label it can say; empty where it does not tell.
    pub(crate) labels: Vec<String>,
}

impl Model {
    #[cfg_attr(
        not(any(feature = "grpc", feature = "http", feature = "onnx")),
        allow(dead_code, reason = "only detectors write")
    )]
    pub(crate) fn to_event(&self) -> gst::Event {
        gst::event::CustomDownstreamSticky::new(
            gst::Structure::builder(EVR_MODEL)
                .field("model", &self.name)
                .field("labels", gst::Array::new(&self.labels))
                .build(),
        )
    }

    /// `None` for any other event.
    pub(crate) fn from_event(event: &gst::EventRef) -> Option<Self> {
        let fields = event
            .structure()
            .filter(|fields| fields.name() == EVR_MODEL)?;
        let labels = fields.get::<gst::Array>("labels").ok()?;
        Some(Self {
            name: fields.get("model").ok()?,
            labels: labels.iter().filter_map(|label| label.get().ok()).collect(),
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
        };
        assert_eq!(Model::from_event(&model.to_event()), Some(model));
        assert_eq!(Model::from_event(&gst::event::Eos::new()), None);
    }
}
