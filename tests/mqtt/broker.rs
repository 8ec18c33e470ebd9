//! A real mosquitto, somebody who listens at it, and a door in front of it that can be shut.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use crate::common::{PATIENCE, free_port, until};

/// Who hears what is retained here listens: mosquitto_sub keeps back that it has subscribed until
/// it hears something.
const PROBE: &str = "probe";

/// mosquitto, killed when dropped.
pub struct Broker {
    pub port: u16,
    config: PathBuf,
    process: Option<Child>,
}

impl Broker {
    /// With lines of configuration besides those that say where it listens.
    pub fn start(directory: &Path, more: &str) -> Self {
        let port = free_port();
        let config = directory.join("mosquitto.conf");
        let user = if cfg!(target_os = "linux") {
            "user root\n"
        } else {
            ""
        };
        let text = format!("listener {port} 127.0.0.1\nlog_type none\n{user}{more}");
        fs::write(&config, text).expect("written");
        let mut broker = Self {
            port,
            config,
            process: None,
        };
        broker.restart();
        broker
    }

    pub fn open(directory: &Path) -> Self {
        Self::start(directory, "allow_anonymous true\n")
    }

    pub fn restart(&mut self) {
        self.kill();
        let program = ["/usr/sbin/mosquitto", "mosquitto"]
            .into_iter()
            .find(|program| Path::new(program).exists())
            .unwrap_or("mosquitto");
        let mut process = Command::new(program)
            .arg("-c")
            .arg(&self.config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed: cargo xtask test does it");
        until("the broker listens", || {
            let ended = process.try_wait().expect("it is our child");
            assert!(ended.is_none(), "mosquitto at {}: {ended:?}", self.port);
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        self.process = Some(process);
    }

    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it is our child");
        }
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Hears everything that is published from now on, and what is retained.
    pub fn observer(&self) -> Observer {
        self.retain(PROBE, "listens");
        Observer::start(self.port)
    }

    /// Says something.
    pub fn publish(&self, topic: &str, body: &str) {
        self.say(&["-t", topic, "-m", body]);
    }

    /// Says something that those who come later learn too.
    pub fn retain(&self, topic: &str, body: &str) {
        self.say(&["-r", "-t", topic, "-m", body]);
    }

    fn say(&self, what: &[&str]) {
        let told = Command::new("mosquitto_pub")
            .args(["-p", &self.port.to_string(), "-q", "1"])
            .args(what)
            .status();
        assert!(told.expect("mosquitto-clients is installed").success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One message, as somebody else has heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    pub retained: bool,
    pub body: String,
}

/// mosquitto_sub.
pub struct Observer {
    process: Child,
    heard: Receiver<Heard>,
}

impl Observer {
    fn start(port: u16) -> Self {
        let mut process = Command::new("mosquitto_sub")
            .args(["-V", "5", "-q", "1", "-t", "#", "-p", &port.to_string()])
            .args(["-F", "%t\t%r\t%p"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto-clients is installed: cargo xtask test does it");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let (tell, heard) = channel();
        let (ready, wait) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut fields = line.splitn(3, '\t');
                let mut field = || fields.next().unwrap_or_default().to_owned();
                let (topic, retained, body) = (field(), field() == "1", field());
                if topic == PROBE {
                    // Heard again after a reconnection, when nobody waits any more.
                    let _ = ready.send(());
                    continue;
                }
                let _ = tell.send(Heard {
                    topic,
                    retained,
                    body,
                });
            }
        });
        let observer = Self { process, heard };
        wait.recv_timeout(PATIENCE.into())
            .expect("it subscribes in time");
        observer
    }

    /// The next message.
    #[track_caller]
    pub fn next(&self) -> Heard {
        self.heard
            .recv_timeout(PATIENCE.into())
            .expect("a message in time")
    }

    /// The next message whose topic ends so.
    #[track_caller]
    pub fn next_of(&self, end: &str) -> Heard {
        loop {
            let heard = self.next();
            if heard.topic.ends_with(end) {
                return heard;
            }
        }
    }

    /// Whether nothing is heard for so long.
    pub fn hears_nothing(&self, span: Duration) -> bool {
        self.heard.recv_timeout(span) == Err(RecvTimeoutError::Timeout)
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A door to the broker that can be shut: who goes through it while it is shut is thrown out, and
/// so is everybody who is inside. So a test says when a broker that is back can be reached.
pub struct Door {
    pub port: u16,
    open: Arc<AtomicBool>,
    inside: Arc<Mutex<Vec<TcpStream>>>,
}

impl Door {
    pub fn before(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let open = Arc::new(AtomicBool::new(true));
        let inside = Arc::new(Mutex::new(Vec::new()));
        let (may_enter, guests) = (open.clone(), inside.clone());
        thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                if !may_enter.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(to) = TcpStream::connect(("127.0.0.1", broker)) else {
                    continue;
                };
                guests.lock().expect("no thread panics under it").extend([
                    from.try_clone().expect("a socket"),
                    to.try_clone().expect("a socket"),
                ]);
                for (mut from, mut to) in [
                    (
                        from.try_clone().expect("a socket"),
                        to.try_clone().expect("a socket"),
                    ),
                    (to, from),
                ] {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                        let _ = from.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { port, open, inside }
    }

    pub fn shut(&self) {
        self.open.store(false, Ordering::Relaxed);
        for guest in self
            .inside
            .lock()
            .expect("no thread panics under it")
            .drain(..)
        {
            let _ = guest.shutdown(Shutdown::Both);
        }
    }

    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}
