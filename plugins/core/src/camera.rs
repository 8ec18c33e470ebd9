//! A camera behind RTSP: its address, the streams that can be taken, and what there is to say of
//! the connection.
//!
//! Here: what an address holds and must not show, which encoding takes which elements, and the facts
//! in the words of applications. Not here: sockets, RTSP itself, pipelines.

use serde_json::{Map, Value, json};

use crate::time::Nanos;

/// An address, with what must not be shown taken out of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Without user and password.
    pub location: String,
    /// The user that stood in it, decoded.
    pub user: Option<String>,
    /// The password that stood in it, decoded.
    pub password: Option<String>,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is none.
    #[error("location is not set: give the camera's address, rtsp://host/path")]
    Missing,
    /// Another protocol, or none.
    #[error("location is no RTSP address: it must begin with rtsp:// or rtsps://")]
    Scheme,
    /// Nothing to connect to.
    #[error("location names no host: rtsp://host/path")]
    Host,
}

impl Address {
    /// Reads `rtsp://user:password@host:port/path`; user and password may be percent-encoded.
    ///
    /// # Errors
    /// An [`AddressError`], whose text shows nothing of the address.
    pub fn parse(location: &str) -> Result<Self, AddressError> {
        if location.is_empty() {
            return Err(AddressError::Missing);
        }
        let (scheme, rest) = location.split_once("://").ok_or(AddressError::Scheme)?;
        let known = ["rtsp", "rtsps"];
        if !known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(AddressError::Scheme);
        }
        // Passwords with an @ or a ? in them are common, and hosts have none.
        let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
        let login = authority.rsplit_once('@').map(|(login, _)| login);
        let rest = &rest[login.map_or(0, |login| login.len() + 1)..];
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if host.is_empty() || host.starts_with(':') {
            return Err(AddressError::Host);
        }
        let (user, password) = match login.map(|login| login.split_once(':')) {
            Some(Some((user, password))) => (Some(decode(user)), Some(decode(password))),
            Some(None) => (login.map(decode), None),
            None => (None, None),
        };
        Ok(Self {
            location: format!("{scheme}://{host}{path}"),
            user,
            password,
        })
    }
}

/// Shows neither user nor password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.location)
    }
}

/// Percent-encoded bytes; what is no encoding stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// What a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl Media {
    /// As SDP says it; `None` for what is neither, such as ONVIF's metadata.
    pub fn from_sdp(media: &str) -> Option<Self> {
        match media {
            "video" => Some(Self::Video),
            "audio" => Some(Self::Audio),
            _ => None,
        }
    }

    /// As SDP says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// The elements that make a stream out of its RTP packets: depayloader, and a parser where there is
/// one. `None` for an encoding that cannot be taken. Encodings are those of RTP's media types.
pub fn unpacked_by(media: Media, encoding: &str) -> Option<&'static [&'static str]> {
    let encoding = encoding.to_ascii_uppercase();
    Some(match (media, encoding.as_str()) {
        (Media::Video, "H264") => &["rtph264depay", "h264parse"],
        (Media::Video, "H265") => &["rtph265depay", "h265parse"],
        (Media::Video, "JPEG") => &["rtpjpegdepay", "jpegparse"],
        (Media::Video, "VP8") => &["rtpvp8depay"],
        (Media::Video, "VP9") => &["rtpvp9depay", "vp9parse"],
        (Media::Audio, "MPEG4-GENERIC") => &["rtpmp4gdepay", "aacparse"],
        (Media::Audio, "MP4A-LATM") => &["rtpmp4adepay", "aacparse"],
        (Media::Audio, "OPUS") => &["rtpopusdepay", "opusparse"],
        (Media::Audio, "PCMU") => &["rtppcmudepay"],
        (Media::Audio, "PCMA") => &["rtppcmadepay"],
        _ => return None,
    })
}

/// What an application wants to know of a camera's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// There is a session; its description.
    Connected {
        /// As the camera sent it.
        sdp: String,
    },
    /// The session is over.
    Lost {
        /// A sentence.
        reason: String,
    },
    /// The camera, or what stands before it, answered with an error.
    Refused {
        /// RTSP's status code, such as 401.
        code: u16,
    },
    /// It sends what cannot be taken.
    Unsupported {
        /// Whether pictures or sound.
        media: Media,
        /// As its description names it.
        encoding: String,
    },
}

impl News {
    /// The name of the message.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "evr-source-connected",
            Self::Lost { .. } => "evr-source-lost",
            Self::Refused { .. } => "evr-source-refused",
            Self::Unsupported { .. } => "evr-source-unsupported",
        }
    }

    /// What it says, for the camera at `location`.
    pub fn to_json(&self, source: &str, location: &str) -> Value {
        let mut said = json!({"source": source, "location": location});
        match self {
            Self::Connected { sdp } => said["sdp"] = sdp.as_str().into(),
            Self::Lost { reason } => said["reason"] = reason.as_str().into(),
            Self::Refused { code } => said["code"] = (*code).into(),
            Self::Unsupported { media, encoding } => {
                said["media"] = media.as_str().into();
                said["encoding"] = encoding.as_str().into();
            }
        }
        said
    }

    /// The same in one line, as the pad `lifecycle` tells it: with its name as `type` and the
    /// running time at which it happened.
    pub fn line(&self, source: &str, location: &str, at: Option<Nanos>) -> String {
        let mut line = json!({"type": self.name()});
        if let Some(at) = at {
            line["media_time"] = at.into();
        }
        if let (Value::Object(line), Value::Object(said)) =
            (&mut line, self.to_json(source, location))
        {
            line.extend(said);
        }
        line.to_string()
    }
}

/// What was told of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Name of the camera.
    pub source: String,
    /// Its address, without user and password.
    pub location: String,
    /// What there is to say.
    pub news: News,
}

impl Told {
    /// What such a line says; `None` for other objects.
    pub fn read(line: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
        let news = match line.get("type")?.as_str()? {
            "evr-source-connected" => News::Connected { sdp: text("sdp")? },
            "evr-source-lost" => News::Lost {
                reason: text("reason")?,
            },
            "evr-source-refused" => News::Refused {
                code: line.get("code")?.as_u64()?.try_into().ok()?,
            },
            "evr-source-unsupported" => News::Unsupported {
                media: Media::from_sdp(line.get("media")?.as_str()?)?,
                encoding: text("encoding")?,
            },
            _ => return None,
        };
        Some(Self {
            source: text("source")?,
            location: text("location")?,
            news,
        })
    }
}

/// The status code in the text of an error, such as 401 in `Unauthorized (401)`: RTSP's errors begin
/// at 400.
pub fn status_code(text: &str) -> Option<u16> {
    text.split('(')
        .skip(1)
        .filter_map(|rest| rest.split_once(')')?.0.parse().ok())
        .find(|code| (400..600).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_must_not_be_shown_is_taken_out_of_an_address() {
        let address =
            Address::parse("rtsp://admin:p%40ss:w@rd@10.0.0.7:554/live?a=b@c").expect("one");
        assert_eq!(address.location, "rtsp://10.0.0.7:554/live?a=b@c");
        assert_eq!(address.user.as_deref(), Some("admin"));
        assert_eq!(address.password.as_deref(), Some("p@ss:w@rd"));
        assert_eq!(format!("{address:?}"), address.location);
        let odd = Address::parse("rtsp://a%+f:b%@camera?live").expect("one");
        assert_eq!(odd.location, "rtsp://camera?live");
        assert_eq!(odd.user.as_deref(), Some("a%+f"));
        assert_eq!(odd.password.as_deref(), Some("b%"));
        let open = Address::parse("RTSPS://camera").expect("one");
        assert_eq!(
            (open.location.as_str(), open.user),
            ("RTSPS://camera", None)
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for (location, error) in [
            ("", AddressError::Missing),
            ("http://a:secret@b/c", AddressError::Scheme),
            ("a:secret@b/c", AddressError::Scheme),
            ("rtsp://a:secret@/c", AddressError::Host),
            ("rtsp://a:secret@:554/c", AddressError::Host),
            ("rtsp://a:secret@?b/c", AddressError::Host),
        ] {
            let refused = Address::parse(location).expect_err(location);
            assert_eq!(refused, error, "{location}");
            assert!(!refused.to_string().contains("secret"));
        }
    }

    #[test]
    fn every_encoding_ends_in_one_stream_that_a_clip_can_hold() {
        assert_eq!(
            unpacked_by(Media::Audio, "mpeg4-generic"),
            Some(["rtpmp4gdepay", "aacparse"].as_slice())
        );
        assert_eq!(unpacked_by(Media::Video, "PCMU"), None);
        assert_eq!(unpacked_by(Media::Video, "MP4V-ES"), None);
        assert_eq!(Media::from_sdp("application"), None);
    }

    #[test]
    fn the_code_stands_in_the_errors_text() {
        assert_eq!(status_code("Not found (404)"), Some(404));
        let debug = "gstrtspsrc.c(6813): Unauthorized (401)";
        assert_eq!(status_code(debug), Some(401));
        assert_eq!(status_code("Could not connect (Generic error)"), None);
    }

    #[test]
    fn a_line_says_what_was_told() {
        let (media, encoding) = (Media::Audio, "G726-32".to_owned());
        let (sdp, reason) = ("v=0\r\n".to_owned(), "it is off".to_owned());
        for news in [
            News::Connected { sdp },
            News::Lost { reason },
            News::Refused { code: 401 },
            News::Unsupported { media, encoding },
        ] {
            let line = news.line("door", "rtsp://host/x", Some(5));
            let line: Map<String, Value> = serde_json::from_str(&line).expect("JSON");
            assert_eq!(line["media_time"], 5);
            let told = Told::read(&line).expect("one of ours");
            let named = (told.source.as_str(), told.location.as_str());
            assert_eq!(named, ("door", "rtsp://host/x"));
            assert_eq!(told.news, news);
        }
        assert_eq!(Told::read(&Map::new()), None);
    }

    proptest! {
        #[test]
        fn no_address_panics_or_shows_its_password(user in "[a-z]{1,5}", secret in "[ -.0-~]{1,9}") {
            let text = format!("rtsp://{user}:{secret}@host/x");
            let address = Address::parse(&text).expect("an address");
            prop_assert_eq!(&address.location, "rtsp://host/x");
            let _ = Address::parse(&secret);
            let _ = status_code(&secret);
        }
    }
}
