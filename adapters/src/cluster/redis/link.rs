//! The connections to Redis, which one background task opens, maintains and reopens.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use ::redis::{AsyncConnectionConfig, ConnectionAddr, Msg, Pipeline, RedisError, RedisResult};
use dotdo_core::{Listener, OwnershipChange, millis};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::entry::{Entry, prefix_of};
use super::{
    ANSWER_MAX, CONNECT_MAX, ENTRY_BYTES_MAX, PAUSE_MAX, PAUSE_MIN, PING_INTERVAL, SENT_AT_ONCE,
    Shared,
};

/// Deletes an entry with the prefix of one process.
const DELETE_OWN: &str = "local entry = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1) \
                          if entry == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// An announcement to send to Redis.
pub(super) struct Announcement {
    pub(super) entry: Entry,
}

/// The task.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) announcements: mpsc::Receiver<Announcement>,
    pub(super) listener: Listener,
}

/// The state while Redis is available.
struct Session {
    connection: MultiplexedConnection,
    sink: PubSubSink,
    messages: PubSubStream,
}

/// Why a session has ended.
enum End {
    /// Nobody uses the connection any more.
    Stopped,
    /// Redis is unavailable.
    Away(String),
}

impl Link {
    /// Runs until nobody uses it any more.
    pub(super) async fn run(mut self) {
        let (mut pause, mut is_logged) = (PAUSE_MIN, false);
        let address = self.shared.address.clone();
        self.shared.set_connection(None);
        loop {
            let why = match self.connect().await {
                Ok(session) => {
                    tracing::info!(address, "connected to Redis for announcements of owners");
                    (pause, is_logged) = (PAUSE_MIN, false);
                    match self.serve(session).await {
                        End::Stopped => return,
                        End::Away(why) => why,
                    }
                }
                Err(why) => why,
            };
            self.shared.set_connection(None);
            if !std::mem::replace(&mut is_logged, true) {
                tracing::warn!(
                    address,
                    why,
                    "Redis is unavailable; owners of objects are found in the bucket until it is back"
                );
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Connects, and checks that Redis responds.
    async fn connect(&self) -> Result<Session, String> {
        let connecting = async {
            let client = &self.shared.client;
            if matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }) {
                // Another one may be installed already, which is fine.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            }
            // Each wait has its own timeout here.
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(None);
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            let mut subscribed = client.get_async_pubsub().await?;
            subscribed.subscribe(self.shared.channel()).await?;
            // Without this permission, nothing can be looked up.
            let question =
                ::redis::cmd("GETRANGE").arg(self.shared.channel()).arg(0).arg(0).to_owned();
            let _: Vec<u8> = question.query_async(&mut connection).await?;
            let (sink, messages) = subscribed.split();
            Ok(Session { connection, sink, messages })
        };
        match timeout(CONNECT_MAX, connecting).await {
            Ok(session) => session.map_err(|error| reason(&error)),
            Err(_) => Err(silent(CONNECT_MAX)),
        }
    }

    /// Sends and receives announcements until the connection fails.
    async fn serve(&mut self, session: Session) -> End {
        let Session { connection, mut sink, mut messages } = session;
        self.shared.set_connection(Some(connection.clone()));
        loop {
            let done = tokio::select! {
                announcement = self.announcements.recv() => match announcement {
                    Some(announcement) => self.send(announcement, &connection).await,
                    None => return End::Stopped,
                },
                message = messages.next() => match message {
                    Some(message) if self.receive(&message) => Ok(()),
                    Some(_) => return End::Stopped,
                    None => Err("the connection was closed".to_owned()),
                },
                () = self.shared.closed.notified() => match self.shared.connection() {
                    Some(_) => Ok(()),
                    None => Err(silent(ANSWER_MAX)),
                },
                () = sleep(PING_INTERVAL) => ping(&connection, &mut sink).await,
            };
            if let Err(why) = done {
                return End::Away(why);
            }
        }
    }

    /// Sends an announcement, and those queued after it.
    async fn send(
        &mut self,
        first: Announcement,
        connection: &MultiplexedConnection,
    ) -> Result<(), String> {
        let mut announcements = vec![first];
        while let Some(announcement) = (announcements.len() < SENT_AT_ONCE)
            .then(|| self.announcements.try_recv().ok())
            .flatten()
        {
            announcements.push(announcement);
        }
        let now_ms = self.shared.clock.wall_ms();
        let mut pipeline = ::redis::pipe();
        pipeline.ignore_errors();
        for Announcement { entry } in &announcements {
            self.write(&mut pipeline, entry, now_ms);
        }
        if pipeline.is_empty() {
            announcements.iter().for_each(|_| self.shared.sent("dropped"));
            return Ok(());
        }
        let mut connection = connection.clone();
        let sent = timeout(
            CONNECT_MAX,
            pipeline.query_async::<Vec<RedisResult<::redis::Value>>>(&mut connection),
        )
        .await;
        let (result, ended) = match sent {
            Ok(Ok(answers)) => match answers.into_iter().find_map(Result::err) {
                None => ("sent", Ok(())),
                Some(error) => {
                    tracing::debug!(
                        address = self.shared.address,
                        error = reason(&error),
                        "Redis does not accept announcements"
                    );
                    ("failed", Ok(()))
                }
            },
            Ok(Err(error)) => ("failed", Err(reason(&error))),
            Err(_) => ("failed", Err(silent(CONNECT_MAX))),
        };
        announcements.iter().for_each(|_| self.shared.sent(result));
        ended
    }

    /// Adds the commands for an announcement. One that waited longer than its lease is skipped.
    fn write(&self, pipeline: &mut Pipeline, entry: &Entry, now_ms: i64) {
        let (key, text) = (self.shared.entry_key(&entry.object), self.shared.keys.seal(entry));
        let waited = millis::between(entry.time_ms, now_ms);
        let left_ms = millis::of(entry.holding.remaining.saturating_sub(waited));
        match entry.change {
            OwnershipChange::Released => {
                _ = pipeline
                    .cmd("EVAL")
                    .arg(DELETE_OWN)
                    .arg(1)
                    .arg(key)
                    .arg(prefix_of(&self.shared.me))
            }
            OwnershipChange::Taken | OwnershipChange::Kept if left_ms == 0 => return,
            OwnershipChange::Taken | OwnershipChange::Kept => {
                _ = pipeline.cmd("SET").arg(key).arg(&text).arg("PX").arg(left_ms)
            }
        }
        if entry.change != OwnershipChange::Kept {
            pipeline.cmd("PUBLISH").arg(self.shared.channel()).arg(text);
        }
    }

    /// Handles a message; `false` if nobody listens.
    fn receive(&self, message: &Msg) -> bool {
        let bytes =
            Some(message.get_payload_bytes()).filter(|bytes| bytes.len() <= ENTRY_BYTES_MAX);
        let Some(entry) =
            bytes.and_then(|bytes| self.shared.keys.open(bytes, self.shared.clock.wall_ms()))
        else {
            self.shared.suspect();
            metrics::counter!("dotdo_directory_received_total", "result" => "refused").increment(1);
            return true;
        };
        if entry.holding.owner.instance == self.shared.me {
            return true;
        }
        metrics::counter!("dotdo_directory_received_total", "result" => "accepted").increment(1);
        self.listener.receive(&entry.object, &entry.holding, entry.change)
    }
}

/// Checks both connections.
async fn ping(connection: &MultiplexedConnection, sink: &mut PubSubSink) -> Result<(), String> {
    let mut connection = connection.clone();
    let question = ::redis::cmd("PING");
    let both = async {
        let (one, other) = tokio::join!(
            question.query_async::<::redis::Value>(&mut connection),
            sink.ping::<::redis::Value>()
        );
        one.and(other)
    };
    match timeout(CONNECT_MAX, both).await {
        Ok(answer) => answer.map(drop).map_err(|error| reason(&error)),
        Err(_) => Err(silent(CONNECT_MAX)),
    }
}

fn silent(waited: Duration) -> String {
    format!("no response within {} ms", waited.as_millis())
}

/// The error without parts that a server may have echoed.
fn reason(error: &RedisError) -> String {
    match error.code() {
        Some(code) if !error.is_io_error() => format!("{} ({code})", error.category()),
        _ if error.is_io_error() => error.to_string(),
        _ => error.category().to_owned(),
    }
}
