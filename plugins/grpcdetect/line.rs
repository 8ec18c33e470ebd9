//! The thread that holds the session with the server. Whoever has a picture inferred hands it over
//! and waits for the reply, which comes by the picture's deadline whatever the server does.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use evr_core::remote::RemoteError;
use evr_core::remote::grpc::wire::Inference;
use evr_core::remote::grpc::{Description, PictureFormat};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::access::Server;
use super::call::Call;
use super::memory::Memory;

/// What came of a picture.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) inferences: Vec<Inference>,
    /// What the server calls itself.
    pub(super) server: Option<String>,
}

/// A picture to be inferred.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) picture: Vec<u8>,
    /// In pixels.
    pub(super) size: (usize, usize),
    /// In the session's timescale.
    pub(super) timestamp: u64,
    /// What the frame bears already.
    pub(super) inferences: Vec<Inference>,
    pub(super) deadline: Instant,
    pub(super) reply: SyncSender<Result<Found, RemoteError>>,
}

impl Errand {
    pub(super) fn fail(self, error: RemoteError) {
        // Nobody may wait any more.
        let _ = self.reply.try_send(Err(error));
    }
}

/// What every session of an element has in common.
pub(super) struct Host {
    pub(super) server: Server,
    pub(super) pipeline: String,
    pub(super) element: String,
    pub(super) configuration: String,
    pub(super) format: PictureFormat,
    pub(super) memory: Option<Memory>,
    /// How long a picture may take.
    pub(super) timeout: Duration,
    /// How many pictures may be under way.
    pub(super) most: usize,
}

impl Host {
    fn describe(&self, size: (usize, usize)) -> Description {
        Description {
            pipeline: self.pipeline.clone(),
            element: self.element.clone(),
            configuration: self.configuration.clone(),
            format: self.format,
            size,
            shared_memory: self.memory.as_ref().map(Memory::describe),
        }
    }
}

/// The way to the thread, which ends with the last of them, after the connection attempt at hand.
#[derive(Debug, Clone)]
pub(super) struct Line {
    errands: mpsc::Sender<Errand>,
}

impl Line {
    pub(super) fn start(host: Host) -> Result<Self, std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (errands, queue) = mpsc::channel(host.most);
        std::thread::Builder::new()
            .name("grpcdetect-line".into())
            .spawn(move || runtime.block_on(serve(&host, queue)))?;
        Ok(Self { errands })
    }

    /// Hands over a picture. There is room: everybody hands over one and waits for its reply.
    pub(super) fn give(&self, errand: Errand) {
        let refused = |errand: Errand| {
            errand.fail(RemoteError::Unreachable(
                "the connection's thread ended".into(),
            ));
        };
        match self.errands.try_send(errand) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(errand)) => errand.fail(RemoteError::Late),
            Err(mpsc::error::TrySendError::Closed(errand)) => refused(errand),
        }
    }
}

/// One session after another, each begun by a picture.
async fn serve(host: &Host, mut errands: mpsc::Receiver<Errand>) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(errand) => Some(errand),
            None => errands.recv().await,
        };
        let Some(first) = first else {
            return;
        };
        let calling = Call::begin(host, host.describe(first.size));
        let begun = timeout_at(first.deadline, calling).await;
        match begun.unwrap_or(Err(RemoteError::Late)) {
            Ok(call) => next = call.run(first, &mut errands).await,
            Err(error) => {
                // What came meanwhile would fare no better, and failures together count once.
                while let Ok(errand) = errands.try_recv() {
                    errand.fail(error.clone());
                }
                first.fail(error);
            }
        }
    }
}
