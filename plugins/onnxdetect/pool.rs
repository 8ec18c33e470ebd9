//! The sessions of this process. Elements that run one model with the same options share its
//! sessions, since a session runs one inference at a time and most elements wait for frames most
//! of the time; no more are made than can run at once.
//!
//! Each session has its weights to itself: the runtime shares prepacked ones only where the
//! application itself hands them over, and a container for them saved nothing (118 MB for two
//! sessions of SSDLite with and without).

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::SystemTime;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::provider::{Provider, ProviderError};

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    #[error("model-file is {0}, which cannot be read ({1}): name an ONNX model")]
    File(String, std::io::Error),
    #[error("model-file is {0}, which ONNX Runtime does not load ({1}): name an ONNX model")]
    Load(String, ort::Error),
    #[error("ONNX Runtime does not take the setting threads={0} ({1}): set it to 0 or 1")]
    Threads(u32, ort::Error),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// What makes two sessions the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    /// Without links in it.
    file: PathBuf,
    /// A file that was written anew is another model.
    written: Option<SystemTime>,
    bytes: u64,
    threads: u32,
    provider: Provider,
}

/// One user's share of a pool. While it lives, the sessions do.
#[derive(Debug)]
pub(super) struct Seat {
    pool: Arc<Pool>,
}

/// The sessions of one model.
#[derive(Debug)]
struct Pool {
    key: Key,
    environment: Environment,
    /// Held while a session is made, so that who comes meanwhile knows whether it was.
    making: Mutex<()>,
    sessions: Mutex<Sessions>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Sessions {
    idle: Vec<Session>,
    /// Idle and lent.
    all: usize,
    users: usize,
}

static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());

impl Key {
    pub(super) fn new(
        file: &std::path::Path,
        threads: u32,
        provider: Provider,
    ) -> Result<Self, PoolError> {
        // The runtime's own words for a missing file or a folder do not say what is wrong.
        let refuse = |err| PoolError::File(file.display().to_string(), err);
        let opened = std::fs::File::open(file).map_err(refuse)?;
        let metadata = opened.metadata().map_err(refuse)?;
        if !metadata.is_file() {
            return Err(refuse(std::io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self {
            file: file.canonicalize().map_err(refuse)?,
            written: metadata.modified().ok(),
            bytes: metadata.len(),
            threads,
            provider,
        })
    }

    /// How many inferences can run at once.
    fn most(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match self.threads {
            0 => 1,
            threads => (cores / threads as usize).max(1),
        }
    }
}

impl Seat {
    /// Joins the sessions of this model, and adds one if there is room for it.
    pub(super) fn take(environment: &Environment, key: Key) -> Result<Self, PoolError> {
        let seat = Self {
            pool: Pool::find(environment, key),
        };
        seat.pool.sessions().users += 1;
        let pool = &seat.pool;
        let making = pool.making.lock().expect("nothing panics under this lock");
        let wanted = {
            let sessions = pool.sessions();
            sessions.all < sessions.users.min(pool.key.most())
        };
        if wanted {
            let session = pool.make()?;
            pool.sessions().all += 1;
            pool.give_back(session);
        }
        drop(making);
        Ok(seat)
    }

    /// Runs `work` with a session, as soon as one is free.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Session) -> T) -> T {
        let mut sessions = self.pool.sessions();
        let session = loop {
            match sessions.idle.pop() {
                Some(session) => break session,
                None => {
                    sessions = self
                        .pool
                        .freed
                        .wait(sessions)
                        .expect("nothing panics under this lock");
                }
            }
        };
        drop(sessions);
        let mut lent = Lent {
            session: Some(session),
            pool: &self.pool,
        };
        let session = lent.session.as_mut().expect("it is there until the drop");
        work(session)
    }
}

/// A session that is in use. It goes back also where its user panics, or the others would wait for
/// it for ever.
struct Lent<'a> {
    session: Option<Session>,
    pool: &'a Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool.give_back(session);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let spare = {
            let mut sessions = self.pool.sessions();
            sessions.users -= 1;
            let spare = (sessions.all > sessions.users.max(1))
                .then(|| sessions.idle.pop())
                .flatten();
            sessions.all -= usize::from(spare.is_some());
            spare
        };
        // Released behind the lock.
        drop(spare);
    }
}

impl Pool {
    fn find(environment: &Environment, key: Key) -> Arc<Self> {
        let mut pools = POOLS.lock().expect("nothing panics under this lock");
        pools.retain(|pool| pool.strong_count() > 0);
        let mut found = pools.iter().filter_map(Weak::upgrade);
        if let Some(pool) = found.find(|pool| pool.key == key) {
            return pool;
        }
        let pool = Arc::new(Self {
            key,
            environment: environment.clone(),
            making: Mutex::default(),
            sessions: Mutex::default(),
            freed: Condvar::new(),
        });
        pools.push(Arc::downgrade(&pool));
        pool
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions
            .lock()
            .expect("nothing panics under this lock")
    }

    fn give_back(&self, session: Session) {
        self.sessions().idle.push(session);
        self.freed.notify_one();
    }

    fn make(&self) -> Result<Session, PoolError> {
        let Key {
            ref file,
            threads,
            ref provider,
            ..
        } = self.key;
        let load = |err: ort::Error| PoolError::Load(file.display().to_string(), err);
        let mut builder = self.builder(threads).map_err(|err| match threads {
            0 | 1 => load(err),
            threads => PoolError::Threads(threads, err),
        })?;
        provider.apply(&mut builder)?;
        builder.commit_from_file(file).map_err(load)
    }

    fn builder(&self, threads: u32) -> Result<SessionBuilder, ort::Error> {
        Ok(Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads as usize)?
            // A thread that spins for work takes the core that the decoder needs.
            .with_intra_op_spinning(false)?)
    }
}
