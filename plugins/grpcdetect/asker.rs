//! A frame's way into the session and back onto the frame.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use evr_core::detection::Detection;
use evr_core::remote::RemoteError;
use evr_core::remote::grpc::{annotations, objects, timestamp};
use tokio::time::Instant;

use super::line::{Errand, Line};
use crate::bridge::model::Model;
use crate::bridge::{detection, motion};
use crate::remote::desk::{Ask, Job, Outcome};
use crate::remote::picture::Painter;

/// One thread's way; all go through one session.
pub(crate) struct Asker {
    pub(super) painter: Painter,
    pub(super) line: Line,
    pub(super) timeout: Duration,
}

impl Ask for Asker {
    fn ask(&mut self, job: &Job) -> Outcome {
        match self.infer(job) {
            Ok((detections, server)) => Outcome {
                result: Ok(detections),
                model: server.map(Model::unknown),
            },
            Err(error) => Outcome {
                result: Err(error),
                model: None,
            },
        }
    }
}

impl Asker {
    /// The objects in a frame, and what the server calls itself.
    fn infer(&mut self, job: &Job) -> Result<(Vec<Detection>, Option<String>), RemoteError> {
        let deadline = Instant::now() + self.timeout;
        let picture = self.painter.paint(&job.buffer, &job.info)?;
        let frame = (job.info.width(), job.info.height());
        let known = detection::read(&job.buffer, frame).unwrap_or_default();
        let moving = motion::read(&job.buffer, frame);
        let (reply, replied) = sync_channel(1);
        self.line.give(Errand {
            picture: picture.bytes,
            size: picture.size,
            timestamp: timestamp(job.time),
            inferences: annotations(&known.detections, &moving, picture.mapping, picture.size),
            deadline,
            reply,
        });
        let ended = |_| RemoteError::Unreachable("the connection's thread ended".into());
        let found = replied.recv().map_err(ended)??;
        let (mapping, size) = (picture.mapping, picture.size);
        let detections = objects(found.inferences, mapping, size, &job.limits);
        Ok((detections, found.server))
    }
}
