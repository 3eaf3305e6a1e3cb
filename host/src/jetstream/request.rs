//! Requests and their answers, as long as an answer can still come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::header::HeaderMap;
use async_nats::{Client, Request, RequestErrorKind, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::client::{JetStreamClient, LOOK};
use super::error::JetStreamError;
use super::refusals::Mark;
use crate::clock;

/// How long an answer is waited for before what may be done twice is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl JetStreamClient {
    /// Asks for what may be done twice. While a stream has no leader nobody takes note of a question:
    /// so it is asked again and again, and the first answer counts.
    pub(super) async fn request_surely(
        &self,
        doing: &'static str,
        subject: &str,
        body: Bytes,
    ) -> Result<async_nats::Message, JetStreamError> {
        let asking = self.ask_again_and_again(doing, subject, body);
        self.circuit.call(doing, asking).await
    }

    async fn ask_again_and_again(
        &self,
        doing: &'static str,
        subject: &str,
        body: Bytes,
    ) -> Result<async_nats::Message, JetStreamError> {
        let deadline = clock::moment() + self.timeout;
        let mut asked = FuturesUnordered::new();
        loop {
            if asked.is_empty() || self.circuit.may_ask_again() {
                asked.push(self.request(doing, subject, None, body.clone()));
            }
            let next = (clock::moment() + ASK_AGAIN).min(deadline);
            let first = async {
                while let Some(answer) = asked.next().await {
                    match answer {
                        Err(
                            JetStreamError::NoAnswer { .. } | JetStreamError::ConnectionLost { .. },
                        ) => {}
                        answer => return Some(answer),
                    }
                }
                None
            };
            // Without any left, the connection was lost.
            if let Ok(Some(answer)) = tokio::time::timeout_at(next.into(), first).await {
                return answer;
            }
            if clock::moment() >= deadline {
                return Err(JetStreamError::NoAnswer { doing });
            }
        }
    }

    /// Sends a request and waits for its answer, until the connection that it went out on is lost.
    pub(super) async fn request(
        &self,
        doing: &'static str,
        subject: &str,
        headers: Option<HeaderMap>,
        body: Bytes,
    ) -> Result<async_nats::Message, JetStreamError> {
        let mut request = Request::new().payload(body).timeout(Some(self.timeout));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let mark = self.refusals.mark();
        let sent = Sent::now(&self.client);
        let answer = self.client.send_request(subject.to_owned(), request);
        tokio::pin!(answer);
        loop {
            match tokio::time::timeout(LOOK, &mut answer).await {
                Ok(Ok(message)) => return Ok(message),
                Ok(Err(error)) => return Err(self.fault(doing, subject, mark, error)),
                Err(_) => {
                    if let Some(why) = self.refusals.since(mark, subject) {
                        return Err(JetStreamError::NotAllowed { doing, why });
                    }
                    if sent.is_lost(&self.client) {
                        return Err(JetStreamError::ConnectionLost { doing });
                    }
                }
            }
        }
    }

    /// Asks once for any number of answers.
    pub(super) async fn answers(
        &self,
        doing: &'static str,
        subject: &str,
        body: Bytes,
    ) -> Result<Subscriber, JetStreamError> {
        let connection = |source: Box<dyn std::error::Error + Send + Sync>| {
            JetStreamError::Connection { doing, source }
        };
        let inbox = self.client.new_inbox();
        let answers = self
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| connection(Box::new(error)))?;
        self.client
            .publish_with_reply(subject.to_owned(), inbox, body)
            .await
            .map_err(|error| connection(Box::new(error)))?;
        Ok(answers)
    }

    fn fault(
        &self,
        doing: &'static str,
        subject: &str,
        mark: Mark,
        error: async_nats::RequestError,
    ) -> JetStreamError {
        match error.kind() {
            RequestErrorKind::TimedOut => match self.refusals.since(mark, subject) {
                Some(why) => JetStreamError::NotAllowed { doing, why },
                None => JetStreamError::NoAnswer { doing },
            },
            RequestErrorKind::NoResponders => JetStreamError::NobodyListens {
                doing,
                subject: subject.to_owned(),
            },
            RequestErrorKind::MaxPayloadExceeded => JetStreamError::TooLarge {
                limit: self.client.max_payload(),
            },
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
                JetStreamError::Connection {
                    doing,
                    source: Box::new(error),
                }
            }
        }
    }
}

/// The connection that something went out on, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent(u64);

impl Sent {
    pub(super) fn now(client: &Client) -> Self {
        let connects = connects(client);
        // Without a connection it waits for the next one.
        let waits = client.connection_state() != State::Connected;
        Self(connects + u64::from(waits))
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// Whether there is a later connection by now, so that no answer is to be expected. It may be
    /// wrong about what was sent in the moment of a change.
    pub(super) fn is_lost(self, client: &Client) -> bool {
        connects(client) > self.0
    }
}

fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}
