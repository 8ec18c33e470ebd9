//! The model config, and the metadata that exporters leave in models.

use std::collections::BTreeMap;

use evr_core::detector::{Element, Labels, ModelConfig, ModelInfo, Spec, TensorInfo};

use super::Outcome;

/// Reads the text as a config, and as each piece of metadata, of a few models.
pub fn body(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let config = ModelConfig::parse(&text);
    let taken = config.is_ok();
    let configs = [config.unwrap_or_default(), ModelConfig::default()];
    for (config, model) in configs.iter().zip([models(""), models(&text)]) {
        for model in model {
            if let Ok(spec) = Spec::recognise(&model, config) {
                recognised(spec);
            }
        }
    }
    match taken {
        true => Outcome::Taken,
        false => Outcome::Refused,
    }
}

fn recognised(spec: Spec) {
    let input = &spec.input;
    assert!((1..=1 << 13).contains(&input.width) && (1..=1 << 13).contains(&input.height));
    let labels = match spec.names {
        Some(names) => Labels::named(names, &spec.layout),
        None => Labels::built_in(&spec.layout),
    };
    if let Ok(labels) = labels {
        assert!(labels.names().all(|name| !name.is_empty()));
    }
}

/// A model of each of the common shapes, with this as its metadata.
fn models(metadata: &str) -> Vec<ModelInfo> {
    let outputs: [&[(&str, &[i64])]; 6] = [
        &[("boxes", &[1, 10, 4]), ("scores", &[1, 10, 3])],
        &[("output0", &[1, 7, 84])],
        &[("output", &[1, 84, 85])],
        &[("output0", &[1, 10, 6])],
        &[("logits", &[1, 10, 4]), ("pred_boxes", &[1, 10, 4])],
        &[],
    ];
    let tensor = |name: &str, shape: &[i64]| TensorInfo {
        name: name.to_owned(),
        element: Element::F32,
        shape: shape.to_vec(),
    };
    let metadata: BTreeMap<_, _> = ["names", "imgsz", "task"]
        .map(|key| (key.to_owned(), metadata.to_owned()))
        .into();
    let model = |outputs: &[(&str, &[i64])]| ModelInfo {
        inputs: vec![tensor("images", &[1, 3, -1, -1])],
        outputs: outputs
            .iter()
            .map(|(name, shape)| tensor(name, shape))
            .collect(),
        metadata: metadata.clone(),
    };
    outputs.into_iter().map(model).collect()
}
