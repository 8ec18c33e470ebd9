//! A frame's way to a server and back, under either protocol.

use std::time::{SystemTime, UNIX_EPOCH};

use evr_core::detection::Detection;
use evr_core::detector::ModelConfig;
use evr_core::remote::kserve::{Served, TensorData, refusal};
use evr_core::remote::{RemoteError, azure, read_inferences};

use crate::bridge::model::Model;
use crate::remote::desk::{Ask, Job, Outcome};
use crate::remote::http::Client;
use crate::remote::picture::{Encoding, Filler, Painter};

/// One thread's way.
pub(crate) enum Asker {
    Azure(Box<Azure>),
    KServe(Box<KServe>),
}

impl Ask for Asker {
    fn ask(&mut self, job: &Job) -> Outcome {
        match self {
            Self::Azure(asker) => Outcome {
                result: asker.ask(job),
                model: None,
            },
            Self::KServe(asker) => asker.ask(job),
        }
    }
}

/// Under Azure's HTTP contract.
pub(crate) struct Azure {
    client: Client,
    painter: Painter,
    content_type: &'static str,
}

impl Azure {
    pub(super) fn new(client: Client, painter: Painter, encoding: Encoding) -> Self {
        Self {
            client,
            painter,
            content_type: match encoding {
                Encoding::Jpeg(_) => "image/jpeg",
                Encoding::Png => "image/png",
                Encoding::Bmp => "image/bmp",
                Encoding::Raw(_) => "image/x-raw",
            },
        }
    }

    fn ask(&mut self, job: &Job) -> Result<Vec<Detection>, RemoteError> {
        let picture = self.painter.paint(&job.buffer, &job.info)?;
        let id = request_id();
        let headers = [
            ("Accept", "application/json"),
            ("Content-Type", self.content_type),
            ("x-ms-client-request-id", id.as_str()),
        ];
        let reply = self.client.post("", &headers, &picture.bytes)?;
        match azure(reply.status, reply.retry_after, &reply.body)? {
            Some(json) => read_inferences(json, picture.mapping, picture.size, &job.limits),
            None => Ok(Vec::new()),
        }
    }
}

/// Tells requests from one another in a server's log. Its bits are those of the hash that guards
/// the standard library's tables, which nobody can foresee, and of the clock.
fn request_id() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(clock.map_or(0, |clock| clock.as_nanos()));
    let first = hasher.finish();
    hasher.write_u8(0);
    evr_core::remote::request_id(first, hasher.finish())
}

/// Under KServe v2.
pub(crate) struct KServe {
    client: Client,
    config: ModelConfig,
    labels: Option<String>,
    data: TensorData,
    filler: Filler,
    /// As long as the server answers as its metadata promise.
    served: Option<Served>,
}

impl KServe {
    pub(super) fn new(
        client: Client,
        config: ModelConfig,
        labels: Option<String>,
        data: TensorData,
    ) -> Self {
        Self {
            client,
            config,
            labels,
            data,
            filler: Filler::default(),
            served: None,
        }
    }

    fn ask(&mut self, job: &Job) -> Outcome {
        let known = self.served.is_some();
        let result = self.infer(job);
        let model = self.served.as_ref().filter(|_| !known);
        let model = model.map(|served| Model::new(served.name(), served.labels()));
        if !matches!(result, Ok(_) | Err(RemoteError::Busy(_))) {
            // What comes back may be another model.
            self.served = None;
        }
        Outcome { result, model }
    }

    fn recognise(&self) -> Result<Served, RemoteError> {
        let reply = self.client.get()?;
        refusal(reply.status, &reply.body).map_err(|error| match error {
            RemoteError::Busy(_) => RemoteError::Busy(reply.retry_after),
            error => error,
        })?;
        Served::recognise(&reply.body, &self.config, self.labels.as_deref(), self.data)
            .map_err(|err| RemoteError::Model(err.to_string()))
    }

    fn infer(&mut self, job: &Job) -> Result<Vec<Detection>, RemoteError> {
        let served = match self.served.take() {
            Some(served) => served,
            None => self.recognise()?,
        };
        let served = self.served.insert(served);
        let input = served.input().clone();
        let mapping = self
            .filler
            .fill(&job.buffer, &job.info, &input, served.elements())?;
        let request = served.request();
        let json_bytes = request.json_bytes.map(|bytes| bytes.to_string());
        let headers: &[(&str, &str)] = match &json_bytes {
            Some(bytes) => &[
                ("Content-Type", "application/octet-stream"),
                ("Inference-Header-Content-Length", bytes),
            ],
            None => &[("Content-Type", "application/json")],
        };
        let reply = self.client.post("/infer", headers, &request.body)?;
        served
            .read(
                reply.status,
                reply.json_bytes,
                &reply.body,
                mapping,
                &job.limits,
            )
            .map_err(|error| match error {
                RemoteError::Busy(_) => RemoteError::Busy(reply.retry_after),
                error => error,
            })
    }
}
