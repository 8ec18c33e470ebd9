//! The thread that listens at the broker. A lost connection is tried again with growing waits.

use std::{
    thread::JoinHandle,
    time::{Duration, Instant},
};

use evr_core::{backoff::Backoff, time::Nanos};
use tokio::sync::oneshot;

use super::settings::SettingsError;
use crate::mqtt::{
    config::Config,
    link::{Link, News},
};

/// What the thread tells the element, from its own thread.
pub(super) trait Ear: Send + 'static {
    /// Somebody told us something.
    fn message(&self, topic: &str, payload: &[u8]);
    /// We hear, or not, and why.
    fn connected(&self, broker: &str, up: Result<(), &str>);
}

/// The thread's other end.
pub(super) struct Listener {
    thread: JoinHandle<()>,
    /// Dropped, it ends the thread.
    stop: oneshot::Sender<()>,
}

impl Listener {
    pub(super) fn start(
        config: Config,
        topic: String,
        ear: impl Ear,
    ) -> Result<Self, SettingsError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("evr-mqtt".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        // Nothing is ever sent: the other end is dropped.
                        _ = stopped => {}
                        () = listen(&config, &topic, &ear) => {}
                    }
                });
                // A name may still be being looked up.
                runtime.shutdown_background();
            })?;
        Ok(Self { thread, stop })
    }

    pub(super) fn stop(self) {
        drop(self.stop);
        // One that has panicked has said so.
        let _ = self.thread.join();
    }
}

/// Listens for ever.
async fn listen(config: &Config, topic: &str, ear: &impl Ear) {
    let mut backoff = Backoff::default();
    let mut told = None;
    loop {
        let (held, why) = connection(config, topic, ear, &mut told).await;
        tell(config, ear, &mut told, Err(&why));
        let held = Nanos::try_from(held.as_nanos()).unwrap_or(Nanos::MAX);
        tokio::time::sleep(Duration::from_nanos(backoff.lost(held).unsigned_abs())).await;
    }
}

/// One connection: for how long we heard, and why it has ended.
async fn connection(
    config: &Config,
    topic: &str,
    ear: &impl Ear,
    told: &mut Option<bool>,
) -> (Duration, String) {
    let mut link = Link::open(config, None);
    let mut since: Option<Instant> = None;
    let held = |since: Option<Instant>| since.map(|since| since.elapsed()).unwrap_or_default();
    loop {
        match link.next().await {
            News::Up if !link.subscribe(topic) => {
                return (held(since), "it takes no subscription".into());
            }
            News::Subscribed(Ok(())) => {
                since = Some(Instant::now());
                tell(config, ear, told, Ok(()));
            }
            News::Subscribed(Err(why)) => {
                let why = format!("it does not let us listen to {topic}: {why}");
                return (held(since), why);
            }
            // What is retained was said before we listened.
            News::Message {
                topic,
                payload,
                retained: false,
            } => ear.message(&topic, &payload),
            News::Down(why) => return (held(since), why),
            News::Up | News::Message { .. } | News::Sent(_) | News::Acked(..) => {}
        }
    }
}

/// Says once that we hear, or not.
fn tell(config: &Config, ear: &impl Ear, told: &mut Option<bool>, up: Result<(), &str>) {
    if told.replace(up.is_ok()) != Some(up.is_ok()) {
        ear.connected(&format!("{:?}", config.broker), up);
    }
}
