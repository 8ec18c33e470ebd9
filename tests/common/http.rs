//! A small HTTP server that says what a test tells it to, whole, slow, broken or never.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What is said.
pub enum Say {
    /// Status, further headers, body.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, whatever they are, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then nothing until the server is dropped.
    Stalls(Vec<u8>),
    /// Nothing until the server is dropped.
    Nothing,
}

/// A connection, plain or encrypted.
trait Stream: std::io::Read + Write + Send {}

impl<T: std::io::Read + Write + Send> Stream for T {}

#[derive(Default)]
struct Log {
    requests: Mutex<Vec<Request>>,
    came: Condvar,
    closed: Mutex<bool>,
    closing: Condvar,
}

impl Log {
    fn wait_for_the_end(&self) {
        let closed = self.closed.lock().expect("sound");
        drop(self.closing.wait_while(closed, |closed| !*closed));
    }
}

/// A server on loopback, as long as it lives.
pub struct Server {
    pub address: String,
    log: Arc<Log>,
}

impl Say {
    pub fn json(text: impl Into<Vec<u8>>) -> Self {
        Self::Reply(
            200,
            vec![("Content-Type", "application/json".into())],
            text.into(),
        )
    }

    pub fn status(status: u16) -> Self {
        Self::Reply(status, Vec::new(), Vec::new())
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Server {
    /// As `start`, behind TLS, with the certificate that proves it, as PEM.
    pub fn start_tls(
        answer: impl Fn(usize, &Request) -> Say + Send + Sync + 'static,
    ) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate can be made");
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("they belong together");
        let config = Arc::new(config);
        let mut server = Self::with(answer, move |stream| {
            let tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("sound");
            Box::new(rustls::StreamOwned::new(tls, stream))
        });
        server.address = server.address.replace("http:", "https:");
        (server, made.cert.pem())
    }

    /// `answer` gets the number of the request, from 0, and the request.
    pub fn start(answer: impl Fn(usize, &Request) -> Say + Send + Sync + 'static) -> Self {
        Self::with(answer, |stream| Box::new(stream))
    }

    fn with(
        answer: impl Fn(usize, &Request) -> Say + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let log = Arc::new(Log::default());
        let (theirs, answer) = (Arc::clone(&log), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if *theirs.closed.lock().expect("sound") {
                    return;
                }
                let (log, answer) = (Arc::clone(&theirs), Arc::clone(&answer));
                let stream = wrap(stream);
                std::thread::spawn(move || serve(BufReader::new(stream), &log, &*answer));
            }
        });
        Self { address, log }
    }

    /// Everything that was asked.
    pub fn requests(&self) -> Vec<Request> {
        self.log.requests.lock().expect("sound").clone()
    }

    /// Waits until this many requests have come.
    pub fn wait_for(&self, count: usize) {
        let requests = self.log.requests.lock().expect("sound");
        let waited = self
            .log
            .came
            .wait_timeout_while(requests, super::PATIENCE.into(), |all| all.len() < count);
        assert!(
            !waited.expect("sound").1.timed_out(),
            "{count} requests never came"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *self.log.closed.lock().expect("sound") = true;
        self.log.closing.notify_all();
        // Wakes the listener, which then ends.
        let host = self.address.split("//").last().unwrap_or_default();
        let _ = TcpStream::connect(host);
    }
}

fn serve(
    mut reader: BufReader<Box<dyn Stream>>,
    log: &Log,
    answer: &dyn Fn(usize, &Request) -> Say,
) {
    while let Some(request) = read(&mut reader) {
        let number = {
            let mut requests = log.requests.lock().expect("sound");
            requests.push(request.clone());
            requests.len() - 1
        };
        log.came.notify_all();
        let stream = reader.get_mut();
        // A client that has gone is no fault of the server.
        match answer(number, &request) {
            Say::Reply(status, headers, body) => {
                let mut head =
                    format!("HTTP/1.1 {status} So\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head += &format!("{name}: {value}\r\n");
                }
                let _ = stream.write_all(format!("{head}\r\n").as_bytes());
                let _ = stream.write_all(&body);
            }
            Say::Bytes(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Say::Stalls(bytes) => {
                let _ = stream.write_all(&bytes);
                log.wait_for_the_end();
                return;
            }
            Say::Nothing => {
                log.wait_for_the_end();
                return;
            }
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|&bytes| bytes > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None => break,
        }
    }
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    let length = request.header("content-length").unwrap_or("0");
    request.body.resize(length.parse().ok()?, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
