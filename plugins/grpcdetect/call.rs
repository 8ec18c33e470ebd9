//! One session over its connection: pictures out, inferences in, and deadlines.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

use evr_core::remote::RemoteError;
use evr_core::remote::grpc::wire::{METHOD, MediaStreamMessage};
use evr_core::remote::grpc::{Description, Session, ended};
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::line::{Errand, Found, Host};

/// Ten thousand objects with their attributes.
const MOST_REPLY: usize = 4 << 20;
/// A server that was sent pictures and has said nothing for so many timeouts is gone, whatever its
/// connection says.
const SILENT: u32 = 3;

/// Somebody waits for the answer of a picture.
struct Waiting {
    deadline: Instant,
    reply: SyncSender<Result<Found, RemoteError>>,
}

/// The session. Dropped, it is ended.
pub(super) struct Call<'a> {
    host: &'a Host,
    session: Session,
    size: (usize, usize),
    outgoing: mpsc::Sender<MediaStreamMessage>,
    incoming: Streaming<MediaStreamMessage>,
    /// By the pictures' numbers.
    waiting: BTreeMap<u64, Waiting>,
    /// When the first picture went since the server has last said something.
    silent_since: Option<Instant>,
}

impl<'a> Call<'a> {
    /// Connects, and waits until both sides are described.
    pub(super) async fn begin(
        host: &'a Host,
        description: Description,
    ) -> Result<Call<'a>, RemoteError> {
        let (session, descriptor) = Session::open(&description);
        // What the server does not take waits here, a picture for each that may be under way.
        let (outgoing, queue) = mpsc::channel(host.most + 1);
        // It has room for one.
        let _ = outgoing.try_send(descriptor);
        let channel = host.server.endpoint.connect().await;
        let channel = channel.map_err(|err| RemoteError::Unreachable(causes(&err)))?;
        let mut grpc = Grpc::new(channel).max_decoding_message_size(MOST_REPLY);
        let ready = grpc.ready().await;
        ready.map_err(|err| RemoteError::Unreachable(causes(&err)))?;
        let mut request = Request::new(ReceiverStream::new(queue));
        if let Some(credentials) = &host.server.credentials {
            let metadata = request.metadata_mut();
            metadata.insert("x-ms-authentication", credentials.clone());
        }
        let codec = ProstCodec::<MediaStreamMessage, MediaStreamMessage>::default();
        let answered = grpc
            .streaming(request, PathAndQuery::from_static(METHOD), codec)
            .await;
        let mut call = Self {
            host,
            session,
            size: description.size,
            outgoing,
            incoming: answered.map_err(|status| fault(&status))?.into_inner(),
            waiting: BTreeMap::new(),
            silent_since: None,
        };
        while !call.session.is_open() {
            let message = call.incoming.message().await;
            call.hear(message)?;
        }
        Ok(call)
    }

    /// Sends pictures and replies what comes back, until the session ends; what is given back needs
    /// another session.
    pub(super) async fn run(
        mut self,
        first: Errand,
        errands: &mut mpsc::Receiver<Errand>,
    ) -> Option<Errand> {
        self.send(first);
        let mut next: Option<Errand> = None;
        loop {
            if next.is_some() && self.waiting.is_empty() {
                return next;
            }
            let deadlines = self.waiting.values().map(|waiting| waiting.deadline);
            // Of no use while nobody waits.
            let deadline = deadlines.min().unwrap_or_else(Instant::now);
            let ended = tokio::select! {
                errand = errands.recv(), if next.is_none() => match errand? {
                    errand if errand.size == self.size => {
                        self.send(errand);
                        Ok(())
                    }
                    // The descriptor says another size: what is under way is finished first.
                    errand => {
                        next = Some(errand);
                        Ok(())
                    }
                },
                message = self.incoming.message() => self.hear(message),
                () = sleep_until(deadline), if !self.waiting.is_empty() => self.expire(),
            };
            if let Err(error) = ended {
                for waiting in std::mem::take(&mut self.waiting).into_values() {
                    let _ = waiting.reply.try_send(Err(error.clone()));
                }
                return next;
            }
        }
    }

    fn send(&mut self, errand: Errand) {
        let Errand {
            picture,
            timestamp,
            inferences,
            deadline,
            reply,
            ..
        } = errand;
        let sent = match self.session.send(picture, timestamp, inferences) {
            Ok(sent) => sent,
            Err(error) => {
                let _ = reply.try_send(Err(error));
                return;
            }
        };
        let error = match (&sent.write, &self.host.memory) {
            (Some((offset, picture)), Some(memory)) => memory.write(*offset, picture).err(),
            _ => None,
        };
        let error = error.map(|err| {
            RemoteError::Frame(format!(
                "a picture cannot be written to shared memory ({err}): make room in /dev/shm"
            ))
        });
        // Where the session has ended, the server's last words will say why.
        let error = error.or_else(|| match self.outgoing.try_send(sent.message) {
            Err(mpsc::error::TrySendError::Full(_)) => Some(RemoteError::Late),
            _ => None,
        });
        match error {
            Some(error) => {
                self.session.take_back(sent.number);
                let _ = reply.try_send(Err(error));
            }
            None => {
                self.waiting
                    .insert(sent.number, Waiting { deadline, reply });
                self.silent_since.get_or_insert_with(Instant::now);
            }
        }
    }

    fn hear(
        &mut self,
        message: Result<Option<MediaStreamMessage>, Status>,
    ) -> Result<(), RemoteError> {
        let message = message.map_err(|status| fault(&status))?;
        let closed = || RemoteError::Unreachable("the server ended the session".into());
        self.silent_since = None;
        let Some(answer) = self.session.hear(message.ok_or_else(closed)?)? else {
            return Ok(());
        };
        if let Some(waiting) = self.waiting.remove(&answer.number) {
            let _ = waiting.reply.try_send(Ok(Found {
                inferences: answer.inferences,
                server: self.session.server().map(String::from),
            }));
        }
        Ok(())
    }

    /// Gives up the pictures whose time is over, and a server that is silent.
    fn expire(&mut self) -> Result<(), RemoteError> {
        let now = Instant::now();
        let over = |waiting: &mut Waiting| waiting.deadline <= now;
        let over: Vec<_> = self
            .waiting
            .extract_if(.., |_, waiting| over(waiting))
            .collect();
        for (number, waiting) in over {
            self.session.forget(number);
            let _ = waiting.reply.try_send(Err(RemoteError::Late));
        }
        let patience = self.host.timeout * SILENT;
        match self.silent_since {
            Some(since) if now.duration_since(since) >= patience => Err(RemoteError::Late),
            _ => Ok(()),
        }
    }
}

/// What a status says, be it the server's or the connection's.
fn fault(status: &Status) -> RemoteError {
    // The only way to tell our own refusal from a server's.
    let ours = "Error, decoded message length too large";
    if status.code() == Code::OutOfRange && status.message().starts_with(ours) {
        return RemoteError::Huge(MOST_REPLY);
    }
    match std::error::Error::source(status) {
        // No server sends a cause: the connection broke.
        Some(cause) => RemoteError::Unreachable(causes(cause)),
        None => ended(status.code() as usize, status.message()),
    }
}

/// An error with what caused it, down to the last cause, which says most.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = chain.map(ToString::to_string).collect();
    texts.join(": ")
}
