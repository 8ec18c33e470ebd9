//! Why a server said nothing of a frame.

use crate::time::{Nanos, SECOND};

/// The frame is not inferred.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answers, or the connection broke.
    #[error("the server cannot be reached ({0}): see that it runs and that the address is right")]
    Unreachable(String),
    /// No answer in time.
    #[error("the server did not answer in time: raise timeout, or send fewer or smaller pictures")]
    Late,
    /// The server asks for a pause, of this many nanoseconds if it says so.
    #[error("the server is busy ({}): send fewer pictures by max-rate", pause(*.0))]
    Busy(Option<Nanos>),
    /// Wrong credentials, or none.
    #[error(
        "the server refuses the credentials (status {0}): set user and password, token or header"
    )]
    Credentials(u16),
    /// Another status than the contract knows.
    #[error("the server answered with status {status}{}: see its log", said(.text))]
    Status {
        /// The status.
        status: u16,
        /// What it said beside.
        text: String,
    },
    /// The server has ended the session that frames are sent in.
    #[error("the server ended the session with {code}{}: {}", said(.text), cure(.code))]
    Ended {
        /// The status, in gRPC's words.
        code: &'static str,
        /// What it said beside.
        text: String,
    },
    /// The memory that is shared with the server has no place for a picture.
    #[error(
        "the server has not yet acknowledged the pictures that fill the shared memory of {0} \
         bytes: raise shared-memory-size, or send fewer or smaller pictures"
    )]
    Full(u64),
    /// The reply is no JSON, or not of the contract's schema.
    #[error(
        "the server's reply is not understood ({0}): see that it speaks the protocol that is set"
    )]
    Reply(String),
    /// The reply is longer than anything this asks for.
    #[error(
        "the server's reply is longer than {0} bytes and was not read to its end: see what it is"
    )]
    Huge(usize),
    /// The server's model cannot be used.
    #[error("{0}")]
    Model(String),
    /// The frame itself cannot be sent.
    #[error("{0}")]
    Frame(String),
}

fn pause(wait: Option<Nanos>) -> String {
    match wait {
        Some(wait) => format!("for {} s, it says", wait / SECOND),
        None => "it does not say how long".into(),
    }
}

fn said(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!(" and said \"{text}\""),
    }
}

fn cure(code: &str) -> &'static str {
    match code {
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => "set user and password",
        "UNIMPLEMENTED" => "see that it is a media graph extension",
        "RESOURCE_EXHAUSTED" => "send smaller pictures, or fewer, or through shared memory",
        "INVALID_ARGUMENT" | "OUT_OF_RANGE" => "see which pictures it takes, and its log",
        _ => "see its log",
    }
}

impl RemoteError {
    /// Whether the next frame would fare no better.
    pub fn lasts(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Late
            | Self::Busy(_)
            | Self::Credentials(_)
            | Self::Ended { .. }
            | Self::Model(_) => true,
            Self::Status { status, .. } => *status == 404 || *status >= 500,
            Self::Full(_) | Self::Reply(_) | Self::Huge(_) | Self::Frame(_) => false,
        }
    }

    /// Whether it is the same trouble as before, which needs no second warning.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Status { status: a, .. }, Self::Status { status: b, .. }) => a == b,
            (Self::Ended { code: a, .. }, Self::Ended { code: b, .. }) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// What a server says of a failure, cut and on one line, since it goes into logs.
pub(super) fn excerpt(body: &[u8]) -> String {
    let head = String::from_utf8_lossy(&body[..body.len().min(400)]);
    let words = head.split_whitespace();
    let line: String = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
