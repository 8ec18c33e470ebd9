//! The KServe v2 protocol, also called Open Inference Protocol, over HTTP, with the extension for
//! binary tensors: what NVIDIA Triton, OpenVINO Model Server and others speak.
//! Source: kserve/open-inference-protocol `inference_rest.md`, triton-inference-server
//! `extension_binary_data.md`.
//!
//! A served model is one of the same layouts as a model in a file: its metadata name the tensors.

use half::f16;
use serde::Deserialize;
use serde_json::{Value, json};

use super::RemoteError;
use super::error::excerpt;
use crate::detection::Detection;
use crate::detector::{
    Candidate, ConfigError, Decoder, Element, Input, Labels, LabelsError, Limits, Mapping,
    ModelConfig, ModelInfo, Sample, Spec, TensorInfo, TensorMut, UnknownLayout,
};

/// A tensor has no more elements than this: ten times the largest detector's.
const MOST: usize = 1 << 26;

/// The server's model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServedError {
    /// The metadata are no JSON, or not of the protocol.
    #[error(
        "the model's metadata are not understood ({0}): see that location ends in /v2/models/ and a name"
    )]
    Metadata(String),
    /// Its tensors are of no known layout.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
    /// Its classes cannot be named.
    #[error("cannot name what the model finds: {0}")]
    Labels(#[from] LabelsError),
    /// The config cannot be used.
    #[error("model-config {0}")]
    Config(#[from] ConfigError),
    /// Plain JSON has no 16-bit floats.
    #[error("the model takes 16-bit floats, which JSON has none of: set tensor-data=binary")]
    Half,
}

/// How tensors are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorData {
    /// As bytes behind the JSON.
    Binary,
    /// As numbers in the JSON, which any server of the protocol takes.
    Json,
}

/// The model's image input.
#[derive(Debug)]
enum Image {
    F32(Vec<f32>),
    F16(Vec<f16>),
    U8(Vec<u8>),
}

/// A request's body, and the length of the JSON before the tensors if there are any.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// What is posted.
    pub body: Vec<u8>,
    /// The value of the header `Inference-Header-Content-Length`.
    pub json_bytes: Option<usize>,
}

/// A model behind a server.
#[derive(Debug)]
pub struct Served {
    name: String,
    info: ModelInfo,
    spec: Spec,
    labels: Labels,
    data: TensorData,
    image: Image,
    decoder: Decoder,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    inputs: Vec<Declared>,
    outputs: Vec<Declared>,
}

#[derive(Deserialize)]
struct Declared {
    name: String,
    datatype: String,
    shape: Vec<i64>,
}

impl Served {
    /// Recognises the model from the answer to `GET …/v2/models/NAME`. `labels` is the text of a
    /// label file.
    ///
    /// # Errors
    /// [`ServedError`].
    pub fn recognise(
        metadata: &[u8],
        config: &ModelConfig,
        labels: Option<&str>,
        data: TensorData,
    ) -> Result<Self, ServedError> {
        let metadata: Metadata = serde_json::from_slice(metadata)
            .map_err(|err| ServedError::Metadata(err.to_string()))?;
        let info = ModelInfo {
            inputs: metadata.inputs.into_iter().map(declared).collect(),
            outputs: metadata.outputs.into_iter().map(declared).collect(),
            ..ModelInfo::default()
        };
        let spec = Spec::recognise(&info, config)?;
        let labels = match (labels, &spec.names) {
            (Some(text), _) => Labels::parse(text, &spec.layout)?,
            (None, Some(names)) => Labels::named(names.clone(), &spec.layout)?,
            (None, None) => Labels::built_in(&spec.layout)?,
        };
        let elements = spec.input.elements();
        let image = match spec.input.sample {
            Sample::F32 => Image::F32(vec![0.0; elements]),
            Sample::F16 if data == TensorData::Json => return Err(ServedError::Half),
            Sample::F16 => Image::F16(vec![f16::ZERO; elements]),
            Sample::U8 => Image::U8(vec![0; elements]),
        };
        Ok(Self {
            name: metadata.name,
            info,
            spec,
            labels,
            data,
            image,
            decoder: Decoder::default(),
        })
    }

    /// The name by which the server knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it can find.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// How its input is filled.
    pub fn input(&self) -> &Input {
        &self.spec.input
    }

    /// What is to be filled before a request.
    pub fn elements(&mut self) -> TensorMut<'_> {
        match &mut self.image {
            Image::F32(elements) => TensorMut::F32(elements),
            Image::F16(elements) => TensorMut::F16(elements),
            Image::U8(elements) => TensorMut::U8(elements),
        }
    }

    /// The request for what stands in the input.
    pub fn request(&self) -> Request {
        let input = &self.spec.input;
        let shape = match input.interleaved {
            true => [1, input.height, input.width, 3],
            false => [1, 3, input.height, input.width],
        };
        let mut inputs = Vec::new();
        let mut tensors = Vec::new();
        for (index, tensor) in self.info.inputs.iter().enumerate() {
            let size = [input.width as i64, input.height as i64];
            let (declared, bytes, numbers) = match index == input.index {
                true => (json!(shape), self.image.bytes(), self.image.numbers()),
                false => (
                    json!([1, 2]),
                    size.iter().flat_map(|side| side.to_le_bytes()).collect(),
                    json!(size),
                ),
            };
            let mut told = json!({
                "name": tensor.name,
                "shape": declared,
                "datatype": datatype(&tensor.element),
            });
            match self.data {
                TensorData::Binary => {
                    told["parameters"] = json!({"binary_data_size": bytes.len()});
                    tensors.extend(bytes);
                }
                TensorData::Json => told["data"] = numbers,
            }
            inputs.push(told);
        }
        let mut request = json!({"inputs": inputs});
        if self.data == TensorData::Binary {
            request["parameters"] = json!({"binary_data_output": true});
        }
        let mut body = request.to_string().into_bytes();
        let json_bytes = (self.data == TensorData::Binary).then_some(body.len());
        body.extend(tensors);
        Request { body, json_bytes }
    }

    /// What a reply says of the frame that lay in the input as `mapping` says. `json_bytes` is the
    /// value of its header `Inference-Header-Content-Length`.
    ///
    /// # Errors
    /// [`RemoteError`], which speaks of this frame alone.
    pub fn read(
        &mut self,
        status: u16,
        json_bytes: Option<usize>,
        body: &[u8],
        mapping: Mapping,
        limits: &Limits,
    ) -> Result<Vec<Detection>, RemoteError> {
        refusal(status, body)?;
        let outputs = outputs(&self.info.outputs, json_bytes, body)?;
        let output = |i: usize| outputs.get(i)?.as_deref();
        let Self {
            spec,
            decoder,
            labels,
            ..
        } = self;
        let found: &mut Vec<Candidate> = decoder
            .decode(&spec.layout, &spec.input, mapping, output, limits)
            .map_err(|err| RemoteError::Reply(err.to_string()))?;
        let named = found.iter();
        Ok(named
            .filter_map(|candidate| labels.detection(candidate))
            .collect())
    }
}

/// What a status other than 200 says.
///
/// # Errors
/// For any of them.
pub fn refusal(status: u16, body: &[u8]) -> Result<(), RemoteError> {
    match status {
        200 => Ok(()),
        503 | 429 => Err(RemoteError::Busy(None)),
        401 | 403 | 407 => Err(RemoteError::Credentials(status)),
        status => Err(RemoteError::Status {
            status,
            text: excerpt(body),
        }),
    }
}

#[derive(Deserialize)]
struct Reply {
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    datatype: String,
    shape: Vec<i64>,
    data: Option<Value>,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize, Default)]
struct Parameters {
    binary_data_size: Option<usize>,
}

/// The numbers of a reply, in the model's order; `None` for an output that did not come.
fn outputs(
    declared: &[TensorInfo],
    json_bytes: Option<usize>,
    body: &[u8],
) -> Result<Vec<Option<Vec<f32>>>, RemoteError> {
    let wrong = |what: String| RemoteError::Reply(what);
    let at = json_bytes.unwrap_or(body.len());
    let (text, mut tensors) = body
        .split_at_checked(at)
        .ok_or_else(|| wrong(format!("its JSON of {at} bytes is cut short")))?;
    let reply: Reply = serde_json::from_slice(text).map_err(|err| wrong(err.to_string()))?;
    let mut numbers: Vec<Option<Vec<f32>>> = vec![None; declared.len()];
    for output in reply.outputs {
        let elements = elements(&output.shape)
            .ok_or_else(|| wrong(format!("output `{}` has a senseless shape", output.name)))?;
        let read = match output.parameters.binary_data_size {
            Some(size) => {
                let (tensor, rest) = tensors
                    .split_at_checked(size)
                    .ok_or_else(|| wrong(format!("output `{}` is cut short", output.name)))?;
                tensors = rest;
                from_bytes(&output.datatype, tensor)
            }
            None => {
                let mut flat = Vec::new();
                let data = output.data.as_ref();
                data.is_some_and(|data| flatten(data, &mut flat))
                    .then_some(flat)
            }
        };
        let read = read.filter(|read| read.len() == elements).ok_or_else(|| {
            wrong(format!(
                "output `{}` does not hold the {elements} numbers of its shape",
                output.name
            ))
        })?;
        if let Some(place) = declared.iter().position(|info| info.name == output.name) {
            numbers[place] = Some(read);
        }
    }
    Ok(numbers)
}

/// How many there are; `None` for more than a detector can have.
fn elements(shape: &[i64]) -> Option<usize> {
    let sides = shape.iter().map(|&side| usize::try_from(side).ok());
    let product = sides.reduce(|product, side| product?.checked_mul(side?))?;
    product.filter(|&elements| elements <= MOST)
}

/// Class numbers are far below 2^24, up to which f32 holds every one.
fn from_bytes(datatype: &str, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], read: fn([u8; N]) -> f32) -> Option<Vec<f32>> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        rest.is_empty()
            .then(|| chunks.iter().copied().map(read).collect())
    }
    match datatype {
        "FP32" => each(bytes, f32::from_le_bytes),
        "FP16" => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        "FP64" => each(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        "INT64" => each(bytes, |bytes| i64::from_le_bytes(bytes) as f32),
        "UINT64" => each(bytes, |bytes| u64::from_le_bytes(bytes) as f32),
        "INT32" => each(bytes, |bytes| i32::from_le_bytes(bytes) as f32),
        "UINT32" => each(bytes, |bytes| u32::from_le_bytes(bytes) as f32),
        "INT16" => each(bytes, |bytes| i16::from_le_bytes(bytes).into()),
        "UINT16" => each(bytes, |bytes| u16::from_le_bytes(bytes).into()),
        "INT8" => each(bytes, |bytes| i8::from_le_bytes(bytes).into()),
        "UINT8" | "BOOL" => each(bytes, |[byte]| byte.into()),
        _ => None,
    }
}

/// The numbers of a list, or of lists in lists; whether they all are numbers.
fn flatten(data: &Value, flat: &mut Vec<f32>) -> bool {
    match data {
        Value::Array(items) => items.iter().all(|item| flatten(item, flat)),
        Value::Number(number) => {
            flat.push(number.as_f64().unwrap_or(f64::NAN) as f32);
            true
        }
        Value::Bool(truth) => {
            flat.push(f32::from(u8::from(*truth)));
            true
        }
        _ => false,
    }
}

impl Image {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(elements) => elements.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F16(elements) => elements.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::U8(elements) => elements.clone(),
        }
    }

    fn numbers(&self) -> Value {
        match self {
            Self::F32(elements) => json!(elements),
            // Refused when the model was recognised.
            Self::F16(_) => Value::Null,
            Self::U8(elements) => json!(elements),
        }
    }
}

fn declared(tensor: Declared) -> TensorInfo {
    let element = match tensor.datatype.as_str() {
        "FP32" => Element::F32,
        "FP16" => Element::F16,
        "UINT8" => Element::U8,
        "INT32" => Element::I32,
        "INT64" => Element::I64,
        other => Element::Other(other.to_owned()),
    };
    TensorInfo {
        name: tensor.name,
        element,
        shape: tensor.shape,
    }
}

fn datatype(element: &Element) -> &str {
    match element {
        Element::F32 => "FP32",
        Element::F16 => "FP16",
        Element::U8 => "UINT8",
        Element::I32 => "INT32",
        Element::I64 => "INT64",
        Element::Other(name) => name,
    }
}

#[cfg(test)]
mod tests;
