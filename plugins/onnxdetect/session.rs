//! A model in ONNX Runtime: opened, recognised, its input at hand, its outputs as detections.

use std::path::Path;

use evr_core::detection::Detection;
use evr_core::detector::{
    Candidate, ConfigError, DecodeError, Decoder, Element, FrameError, Input, Labels, LabelsError,
    Limits, Mapping, ModelConfig, ModelInfo, Planes, Preprocessor, Rect, Spec, TensorInfo,
    UnknownLayout,
};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue, SessionInputs, SessionOutputs};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

use super::pool::{Key, PoolError, Seat};
use super::provider::{Provider, ProviderError};
use super::tensor::{ImageTensor, Numbers};

/// Why a model cannot be used. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModelError {
    #[error(transparent)]
    Session(#[from] PoolError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("model-file is {0}: {1}")]
    Layout(String, UnknownLayout),
    #[error("model-config is {0}, which cannot be read ({1}): name a JSON file or give the JSON")]
    ConfigFile(String, std::io::Error),
    #[error("model-config is no sound config: {0}")]
    Config(#[from] ConfigError),
    #[error("label-file is {0}, which cannot be read ({1}): name a text file with a label a line")]
    LabelFile(String, std::io::Error),
    #[error("cannot name what the model finds: {0}")]
    Labels(#[from] LabelsError),
    #[error("model-file is {0}, whose input cannot be made ({1}): export it again")]
    Input(String, ort::Error),
    #[error("model-file is {0}, which loads but does not run: {1}")]
    WarmUp(String, InferError),
}

/// Why one frame could not be inferred.
#[derive(Debug, thiserror::Error)]
pub(super) enum InferError {
    #[error("inference failed ({0}): see whether the model runs elsewhere")]
    Run(#[from] ort::Error),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// What a model is opened with.
#[derive(Debug)]
pub(super) struct Options<'a> {
    pub(super) model_file: &'a Path,
    /// A file, or JSON.
    pub(super) model_config: Option<&'a str>,
    pub(super) label_file: Option<&'a Path>,
    pub(super) provider: &'a str,
    /// 0 leaves the number to the runtime.
    pub(super) threads: u32,
}

/// A model that is ready to run. It runs one frame at a time.
#[derive(Debug)]
pub(super) struct Model {
    name: String,
    provider: Provider,
    labels: Labels,
    spec: Spec,
    seat: Seat,
    image: ImageTensor,
    /// The input's width and height, for a model that asks.
    size: Tensor<i64>,
    numbers: Numbers,
    decoder: Decoder,
    /// Of all parts of a frame.
    found: Vec<Candidate>,
}

impl Model {
    /// Opens and recognises the model, then runs it once, so that what the runtime puts off to
    /// the first run is done.
    pub(super) fn open(
        environment: &Environment,
        options: &Options<'_>,
    ) -> Result<Self, ModelError> {
        let file = options.model_file.display().to_string();
        let provider = Provider::parse(options.provider)?;
        let config = config(options.model_config)?;
        let key = Key::new(options.model_file, options.threads, provider.clone())?;
        let seat = Seat::take(environment, key)?;
        let info = seat.with(|session| describe(session));
        let spec =
            Spec::recognise(&info, &config).map_err(|err| ModelError::Layout(file.clone(), err))?;
        let labels = labels(options.label_file, &spec)?;
        let refuse = |err| ModelError::Input(file.clone(), err);
        let size = [spec.input.width, spec.input.height].map(|side| side as i64);
        let mut model = Self {
            name: options
                .model_file
                .file_stem()
                .map_or_else(|| file.clone(), |stem| stem.to_string_lossy().into_owned()),
            provider,
            labels,
            image: ImageTensor::new(&spec.input).map_err(refuse)?,
            size: Tensor::from_array(([1, 2], size.to_vec())).map_err(refuse)?,
            spec,
            seat,
            numbers: Numbers::default(),
            decoder: Decoder::default(),
            found: Vec::new(),
        };
        let limits = Limits {
            confidence: 1.0,
            iou: 1.0,
            max_detections: 1,
            suppression: None,
        };
        let whole = Rect::whole(model.input().width, model.input().height);
        let mapping = Mapping::new(whole, whole, (whole.width, whole.height));
        model
            .infer(mapping, &limits)
            .map_err(|err| ModelError::WarmUp(file, err))?;
        Ok(model)
    }

    /// The model's file without folder and extension.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What computes.
    pub(super) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Every label that the model can say.
    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// How its input is filled.
    pub(super) fn input(&self) -> &Input {
        &self.spec.input
    }

    /// Infers these parts of a frame, each as long as it is `wanted`; the detections come best
    /// first, and `None` where it no longer was.
    pub(super) fn frame(
        &mut self,
        preprocessor: &mut Preprocessor,
        planes: &Planes<'_>,
        parts: &[Rect],
        limits: &Limits,
        wanted: impl Fn() -> bool,
    ) -> Result<Option<Vec<Detection>>, InferError> {
        self.found.clear();
        for part in parts {
            if !wanted() {
                return Ok(None);
            }
            preprocessor.aim(*part);
            preprocessor.run(planes, self.image.elements())?;
            self.infer(preprocessor.mapping(), limits)?;
        }
        if parts.len() > 1 {
            Decoder::merge(&mut self.found, &self.spec.layout, limits);
        }
        let named = self.found.iter();
        let named = named.filter_map(|candidate| self.labels.detection(candidate));
        Ok(Some(named.collect()))
    }

    /// Infers what stands in the tensor and adds what is found.
    fn infer(&mut self, mapping: Mapping, limits: &Limits) -> Result<(), InferError> {
        let Self {
            spec,
            seat,
            image,
            size,
            numbers,
            decoder,
            found,
            ..
        } = self;
        seat.with(|session| {
            let outputs = run(session, &spec.input, image, size)?;
            numbers.read(&outputs);
            let output = |i| numbers.output(&outputs, i);
            let candidates = decoder.decode(&spec.layout, &spec.input, mapping, output, limits)?;
            found.append(candidates);
            Ok(())
        })
    }
}

fn run<'s>(
    session: &'s mut Session,
    input: &Input,
    image: &ImageTensor,
    size: &Tensor<i64>,
) -> Result<SessionOutputs<'s>, ort::Error> {
    let image: SessionInputValue<'_> = image.value();
    match input.size_input {
        None => session.run([image]),
        Some(place) if place < input.index => session.run([size.into(), image]),
        Some(_) => {
            let inputs: SessionInputs<'_, '_, 2> = [image, size.into()].into();
            session.run(inputs)
        }
    }
}

/// The config in a property that is a file's name or JSON itself.
fn config(text: Option<&str>) -> Result<ModelConfig, ModelError> {
    let Some(text) = text else {
        return Ok(ModelConfig::default());
    };
    if text.trim_start().starts_with('{') {
        return Ok(ModelConfig::parse(text)?);
    }
    let json = std::fs::read_to_string(text)
        .map_err(|err| ModelError::ConfigFile(text.to_owned(), err))?;
    Ok(ModelConfig::parse(&json)?)
}

fn labels(file: Option<&Path>, spec: &Spec) -> Result<Labels, ModelError> {
    match (file, &spec.names) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file)
                .map_err(|err| ModelError::LabelFile(file.display().to_string(), err))?;
            Ok(Labels::parse(&text, &spec.layout)?)
        }
        (None, Some(names)) => Ok(Labels::named(names.clone(), &spec.layout)?),
        (None, None) => Ok(Labels::built_in(&spec.layout)?),
    }
}

fn describe(session: &Session) -> ModelInfo {
    const READ: [&str; 3] = ["names", "imgsz", "task"];
    // A model without metadata is no worse for it.
    let metadata = session.metadata().ok();
    let value = |key: &str| Some((key.to_owned(), metadata.as_ref()?.custom(key)?));
    ModelInfo {
        inputs: session.inputs().iter().map(tensor).collect(),
        outputs: session.outputs().iter().map(tensor).collect(),
        metadata: READ.into_iter().filter_map(value).collect(),
    }
}

fn tensor(tensor: &Outlet) -> TensorInfo {
    let (element, shape) = match tensor.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Float32 => Element::F32,
                TensorElementType::Float16 => Element::F16,
                TensorElementType::Uint8 => Element::U8,
                TensorElementType::Int32 => Element::I32,
                TensorElementType::Int64 => Element::I64,
                other => Element::Other(other.to_string()),
            };
            (element, shape.to_vec())
        }
        other => (Element::Other(other.to_string()), Vec::new()),
    };
    TensorInfo {
        name: tensor.name().to_owned(),
        element,
        shape,
    }
}
