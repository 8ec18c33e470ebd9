//! One connection, from its attempt to its end. Both versions of the protocol look the same from
//! outside; what was not acknowledged when it ends is the caller's to send again.

use rumqttc::{TlsConfiguration, Transport, v5};
use tokio::sync::mpsc;

use super::{MqttVersion, config::Config};

/// Messages that may be on their way at once.
pub(crate) const WINDOW: usize = 16;
/// Requests that wait for the task: a window, and what is said beside it.
const REQUESTS: usize = WINDOW + 8;
/// The longest message that is taken, in bytes; longer ones end the connection.
pub(crate) const MAX_PACKET: usize = 1 << 20;
/// Seconds that an attempt may take.
const CONNECT_SECONDS: u64 = 10;

/// What becomes of a connection.
#[derive(Debug)]
pub(crate) enum News {
    /// It stands.
    Up,
    /// The next message that was given to it went out under this number.
    Sent(u16),
    /// The broker has taken the message of this number, or says why it never will.
    Acked(u16, Option<String>),
    /// The broker lets us listen, or says why not.
    Subscribed(Result<(), String>),
    /// Somebody told us something.
    Message {
        topic: String,
        payload: Vec<u8>,
        /// It was said before we listened.
        retained: bool,
    },
    /// It has ended, and why.
    Down(String),
}

/// What the broker tells others when we are gone, and what we tell them while we are there.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    pub(crate) topic: String,
}

impl Presence {
    pub(crate) const ONLINE: &'static str = "online";
    pub(crate) const OFFLINE: &'static str = "offline";
}

enum Client {
    V4(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// A connection.
pub(crate) struct Link {
    client: Client,
    news: mpsc::Receiver<News>,
}

impl Link {
    /// Begins an attempt; must be called within a runtime.
    pub(crate) fn open(config: &Config, presence: Option<&Presence>) -> Self {
        // What it tells waits here: a slow reader slows the broker down.
        let (tell, news) = mpsc::channel(WINDOW);
        let client = match config.version {
            MqttVersion::V4 => {
                let options = options_v4(config, presence);
                let (client, events) = rumqttc::AsyncClient::new(options, REQUESTS);
                tokio::spawn(run_v4(events, tell));
                Client::V4(client)
            }
            MqttVersion::V5 => {
                let options = options_v5(config, presence);
                let (client, events) = v5::AsyncClient::new(options, REQUESTS);
                tokio::spawn(run_v5(events, tell));
                Client::V5(client)
            }
        };
        Self { client, news }
    }

    /// What happens next; may be given up at any time.
    pub(crate) async fn next(&mut self) -> News {
        let news = self.news.recv().await;
        news.unwrap_or_else(|| News::Down("the connection was closed".into()))
    }

    /// Gives it a message, to be acknowledged; `false` where it can take no more now.
    pub(crate) fn publish(&self, topic: &str, body: &str, retain: bool) -> bool {
        let body = body.to_owned();
        match &self.client {
            Client::V4(client) => client
                .try_publish(topic, rumqttc::QoS::AtLeastOnce, retain, body)
                .is_ok(),
            Client::V5(client) => {
                let properties = v5::mqttbytes::v5::PublishProperties {
                    payload_format_indicator: Some(1),
                    content_type: Some("application/json".into()),
                    ..Default::default()
                };
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                client
                    .try_publish_with_properties(topic, qos, retain, body, properties)
                    .is_ok()
            }
        }
    }

    /// Listens to everything under this pattern.
    pub(crate) fn subscribe(&self, pattern: &str) -> bool {
        match &self.client {
            Client::V4(client) => client
                .try_subscribe(pattern, rumqttc::QoS::AtLeastOnce)
                .is_ok(),
            Client::V5(client) => client
                .try_subscribe(pattern, v5::mqttbytes::QoS::AtLeastOnce)
                .is_ok(),
        }
    }

    /// Says good-bye, so that the broker does not tell others that we were lost.
    pub(crate) fn close(&self) -> bool {
        match &self.client {
            Client::V4(client) => client.try_disconnect().is_ok(),
            Client::V5(client) => client.try_disconnect().is_ok(),
        }
    }
}

fn transport(config: &Config) -> Transport {
    match &config.tls {
        Some(tls) => Transport::tls_with_config(TlsConfiguration::Rustls(tls.clone())),
        None => Transport::tcp(),
    }
}

fn options_v4(config: &Config, presence: Option<&Presence>) -> rumqttc::MqttOptions {
    let broker = &config.broker;
    let mut options = rumqttc::MqttOptions::new(&config.client_id, &broker.host, broker.port);
    options
        .set_transport(transport(config))
        .set_keep_alive(config.keep_alive)
        .set_max_packet_size(MAX_PACKET, usize::MAX)
        .set_inflight(WINDOW as u16);
    if let Some(user) = &broker.user {
        options.set_credentials(user, broker.password.as_deref().unwrap_or_default());
    }
    if let Some(Presence { topic }) = presence {
        let qos = rumqttc::QoS::AtLeastOnce;
        options.set_last_will(rumqttc::LastWill::new(topic, Presence::OFFLINE, qos, true));
    }
    options
}

fn options_v5(config: &Config, presence: Option<&Presence>) -> v5::MqttOptions {
    let broker = &config.broker;
    let mut options = v5::MqttOptions::new(&config.client_id, &broker.host, broker.port);
    options
        .set_transport(transport(config))
        .set_keep_alive(config.keep_alive)
        .set_connection_timeout(CONNECT_SECONDS)
        .set_max_packet_size(Some(MAX_PACKET as u32))
        .set_outgoing_inflight_upper_limit(WINDOW as u16);
    if let Some(user) = &broker.user {
        options.set_credentials(user, broker.password.as_deref().unwrap_or_default());
    }
    if let Some(Presence { topic }) = presence {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        let will = v5::mqttbytes::v5::LastWill::new(topic, Presence::OFFLINE, qos, true, None);
        options.set_last_will(will);
    }
    options
}

/// Tells what happens on a connection until it ends. In a task of its own, as an attempt to hear
/// of news that was given up would leave what was to be written unwritten.
async fn run_v4(mut events: rumqttc::EventLoop, tell: mpsc::Sender<News>) {
    events
        .network_options
        .set_connection_timeout(CONNECT_SECONDS);
    loop {
        use rumqttc::{Event, Outgoing, Packet, SubscribeReasonCode};
        let news = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => News::Up,
            Ok(Event::Outgoing(Outgoing::Publish(number))) => News::Sent(number),
            Ok(Event::Incoming(Packet::PubAck(ack))) => News::Acked(ack.pkid, None),
            Ok(Event::Incoming(Packet::Publish(message))) => News::Message {
                topic: message.topic,
                payload: message.payload.to_vec(),
                retained: message.retain,
            },
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                News::Subscribed(if refused {
                    Err("it gives no reason".into())
                } else {
                    Ok(())
                })
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => News::Down("we said good-bye".into()),
            Ok(_) => continue,
            Err(err) => News::Down(err.to_string()),
        };
        let last = matches!(news, News::Down(_));
        // Nobody listens any more, or there is no more to tell.
        if tell.send(news).await.is_err() || last {
            return;
        }
    }
}

/// The same for version 5.
async fn run_v5(mut events: v5::EventLoop, tell: mpsc::Sender<News>) {
    loop {
        use rumqttc::Outgoing;
        use v5::Event;
        use v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
        let news = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => News::Up,
            Ok(Event::Outgoing(Outgoing::Publish(number))) => News::Sent(number),
            Ok(Event::Incoming(Packet::PubAck(ack))) => {
                let taken = matches!(
                    ack.reason,
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers
                );
                News::Acked(ack.pkid, (!taken).then(|| format!("{:?}", ack.reason)))
            }
            Ok(Event::Incoming(Packet::Publish(message))) => News::Message {
                topic: String::from_utf8_lossy(&message.topic).into_owned(),
                payload: message.payload.to_vec(),
                retained: message.retain,
            },
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let refused = ack
                    .return_codes
                    .iter()
                    .find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                News::Subscribed(refused.map_or(Ok(()), |code| Err(format!("{code:?}"))))
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => News::Down("we said good-bye".into()),
            Ok(_) => continue,
            Err(err) => News::Down(err.to_string()),
        };
        let last = matches!(news, News::Down(_));
        if tell.send(news).await.is_err() || last {
            return;
        }
    }
}
