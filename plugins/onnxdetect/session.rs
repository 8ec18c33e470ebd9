//! A model in ONNX Runtime: opened, recognised, its input at hand, its outputs as detections.

use std::path::Path;

use evr_core::detection::Detection;
use evr_core::detector::{
    DecodeError, Decoder, Element, Input, Labels, LabelsError, Limits, ModelInfo, Spec, TensorInfo,
    UnknownLayout,
};
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType, ValueType};

/// Why a model cannot be used. Each sentence is preceded by the element's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModelError {
    #[error("model-file is {0}, which cannot be read ({1}): name an ONNX model")]
    File(String, std::io::Error),
    #[error("model-file is {0}, which ONNX Runtime does not load ({1}): name an ONNX model")]
    Load(String, ort::Error),
    #[error("model-file is {0}: {1}")]
    Layout(String, UnknownLayout),
    #[error("label-file is {0}, which cannot be read ({1}): name a text file with a label a line")]
    LabelFile(String, std::io::Error),
    #[error("cannot name what the model finds: {0}")]
    Labels(#[from] LabelsError),
    #[error("model-file is {0}, which loads but does not run: {1}")]
    WarmUp(String, InferError),
    #[error("ONNX Runtime does not take the setting threads={0} ({1}): set it to 0 or 1")]
    Threads(u32, ort::Error),
}

/// Why one frame could not be inferred.
#[derive(Debug, thiserror::Error)]
pub(super) enum InferError {
    #[error("inference failed ({0}): see whether the model runs elsewhere")]
    Run(#[from] ort::Error),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What a model is opened with.
#[derive(Debug)]
pub(super) struct Options<'a> {
    pub(super) model_file: &'a Path,
    pub(super) label_file: Option<&'a Path>,
    /// 0 leaves the number to the runtime.
    pub(super) threads: u32,
}

/// A model that is ready to run. It runs one frame at a time.
#[derive(Debug)]
pub(super) struct Model {
    name: String,
    labels: Labels,
    spec: Spec,
    session: Session,
    tensor: Tensor<f32>,
    decoder: Decoder,
}

impl Model {
    /// Opens and recognises the model, then runs it once, so that what the runtime puts off to
    /// the first run is done.
    pub(super) fn open(
        environment: &Environment,
        options: &Options<'_>,
    ) -> Result<Self, ModelError> {
        let file = options.model_file.display().to_string();
        // The runtime's own words for a missing file or a folder do not say what is wrong.
        std::fs::File::open(options.model_file)
            .and_then(|file| file.metadata())
            .and_then(|metadata| match metadata.is_file() {
                true => Ok(()),
                false => Err(std::io::ErrorKind::IsADirectory.into()),
            })
            .map_err(|err| ModelError::File(file.clone(), err))?;
        let session = session(environment, options, &file)?;
        let info = ModelInfo {
            inputs: session.inputs().iter().map(describe).collect(),
            outputs: session.outputs().iter().map(describe).collect(),
        };
        let spec = Spec::recognise(&info).map_err(|err| ModelError::Layout(file.clone(), err))?;
        let labels = labels(options.label_file, spec.layout.classes())?;
        let Input { width, height, .. } = spec.input;
        let tensor = Tensor::from_array(([1, 3, height, width], vec![0.0; 3 * height * width]))
            .map_err(|err| ModelError::Load(file.clone(), err))?;
        let mut model = Self {
            name: options
                .model_file
                .file_stem()
                .map_or_else(|| file.clone(), |stem| stem.to_string_lossy().into_owned()),
            labels,
            spec,
            session,
            tensor,
            decoder: Decoder::default(),
        };
        let limits = Limits {
            confidence: 1.0,
            iou: 1.0,
            max_detections: 1,
        };
        model
            .infer(&limits)
            .map_err(|err| ModelError::WarmUp(file, err))?;
        Ok(model)
    }

    /// The model's file without folder and extension.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Every label that the model can say.
    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// How `tensor` is to be filled.
    pub(super) fn input(&self) -> &Input {
        &self.spec.input
    }

    /// The model's input, `[3,height,width]`.
    pub(super) fn tensor(&mut self) -> &mut [f32] {
        self.tensor.extract_tensor_mut().1
    }

    /// Infers what stands in the tensor; the detections come best first.
    pub(super) fn infer(&mut self, limits: &Limits) -> Result<Vec<Detection>, InferError> {
        let inputs: [SessionInputValue<'_>; 1] = [(&self.tensor).into()];
        let outputs = self.session.run(inputs)?;
        let output = |i: usize| -> Option<&[f32]> {
            let (_, elements) = outputs[i].try_extract_tensor().ok()?;
            Some(elements)
        };
        let candidates = self.decoder.decode(&self.spec.layout, output, limits)?;
        let named = candidates
            .iter()
            .filter_map(|candidate| self.labels.detection(candidate));
        Ok(named.collect())
    }
}

fn session(
    environment: &Environment,
    options: &Options<'_>,
    file: &str,
) -> Result<Session, ModelError> {
    let threads = options.threads;
    let load = |err: ort::Error| ModelError::Load(file.to_owned(), err);
    let refuse = |err: ort::Error| ModelError::Threads(threads, err);
    Session::builder(environment)
        .map_err(load)?
        .with_optimization_level(GraphOptimizationLevel::All)
        .map_err(|err| load(err.into()))?
        .with_intra_threads(threads as usize)
        .map_err(|err| refuse(err.into()))?
        // A thread that spins for work takes the core that the decoder needs.
        .with_intra_op_spinning(false)
        .map_err(|err| refuse(err.into()))?
        .commit_from_file(options.model_file)
        .map_err(load)
}

fn labels(file: Option<&Path>, classes: usize) -> Result<Labels, ModelError> {
    let Some(file) = file else {
        return Ok(Labels::built_in(classes)?);
    };
    let text = std::fs::read_to_string(file)
        .map_err(|err| ModelError::LabelFile(file.display().to_string(), err))?;
    Ok(Labels::parse(&text, classes)?)
}

fn describe(tensor: &Outlet) -> TensorInfo {
    let (element, shape) = match tensor.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Float32 => Element::F32,
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
