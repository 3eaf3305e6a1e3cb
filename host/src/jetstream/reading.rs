//! Getting messages: from any replica, from the leader, and several at once.

use std::time::Duration;

use async_nats::StatusCode;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GETTING, JetStreamClient, LOOK, refused};
use super::error::JetStreamError;
use super::port::{Batch, Get, StoredMessage};
use super::raw;
use super::request::Sent;
use crate::clock;

/// How long any replica may be silent before the leader is asked.
const DIRECT: Duration = Duration::from_secs(1);

/// The end of a batched direct get (ADR-31): `204 EOB`.
const END_OF_BATCH: u16 = 204;

/// The server's number (`errors.json`) for a message that is not there.
const NO_MESSAGE: u32 = 10037;

impl JetStreamClient {
    /// Asks any replica once, and the leader where that does not help: a mirror of the stream has
    /// answered, or the answer does not come. A message with headers that async-nats cannot read
    /// ends the connection that it comes on; the leader sends it as JSON.
    pub(super) async fn get_direct(
        &self,
        stream: &str,
        get: &Get,
    ) -> Result<Option<StoredMessage>, JetStreamError> {
        let subject = format!("{}.DIRECT.GET.{stream}", self.api);
        let body = get_body(get).to_string().into();
        let asking = self.request(GETTING, &subject, None, body);
        let asking = self.circuit.call(GETTING, asking);
        let message = match tokio::time::timeout(DIRECT, asking).await {
            Ok(Ok(message)) => message,
            Ok(Err(
                JetStreamError::ConnectionLost { .. } | JetStreamError::NobodyListens { .. },
            ))
            | Err(_) => return self.get_from_leader(stream, get).await,
            Ok(Err(error)) => return Err(error),
        };
        match (raw::stream_of(&message), message.status) {
            (Some(found), _) if found == stream => raw::stored(message).map(Some),
            (Some(_), _) => self.get_from_leader(stream, get).await,
            (None, Some(StatusCode::NOT_FOUND)) => Ok(None),
            (None, Some(status)) => Err(refused(GETTING, status, message.description)),
            (None, None) => self.get_from_leader(stream, get).await,
        }
    }

    pub(super) async fn get_from_leader(
        &self,
        stream: &str,
        get: &Get,
    ) -> Result<Option<StoredMessage>, JetStreamError> {
        #[derive(Deserialize)]
        struct Found {
            message: raw::Json,
        }
        let name = format!("STREAM.MSG.GET.{stream}");
        match self.call::<Found>(GETTING, &name, &get_body(get)).await {
            Ok(found) => found.message.stored().map(Some),
            Err(error) if error.number() == Some(NO_MESSAGE) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn batch(
        &self,
        stream: &str,
        from_sequence: u64,
        filter: &str,
        max: usize,
    ) -> Result<Batch, JetStreamError> {
        let body = json!({ "seq": from_sequence, "next_by_subj": filter, "batch": max });
        let getting = self.batch_once(stream, &body);
        match self.circuit.try_call(GETTING, getting).await {
            Ok(batch) => Ok(batch.unwrap_or_default()),
            // One of the messages may be why.
            Err(JetStreamError::ConnectionLost { .. }) => Ok(Batch::default()),
            Err(error) => Err(error),
        }
    }

    /// `None` when whoever was asked is silent: one replica may hang, and others answer.
    async fn batch_once(
        &self,
        stream: &str,
        body: &Value,
    ) -> Result<Option<Batch>, JetStreamError> {
        let subject = format!("{}.DIRECT.GET.{stream}", self.api);
        let mark = self.refusals.mark();
        let sent = Sent::now(&self.client);
        let mut answers = self
            .answers(GETTING, &subject, body.to_string().into())
            .await?;
        let mut found = Vec::new();
        let mut waited_since = clock::moment();
        loop {
            let answer = tokio::time::timeout(LOOK, answers.next()).await;
            // What came before the connection was lost and what comes after it may have a gap
            // between them.
            if sent.is_lost(&self.client) {
                return Err(JetStreamError::ConnectionLost { doing: GETTING });
            }
            let Ok(answer) = answer else {
                if let Some(why) = self.refusals.since(mark, &subject) {
                    return Err(JetStreamError::NotAllowed {
                        doing: GETTING,
                        why,
                    });
                }
                if waited_since.elapsed() < DIRECT {
                    continue;
                }
                return Ok(None);
            };
            waited_since = clock::moment();
            let Some(message) = answer else {
                return Err(JetStreamError::Closed);
            };
            match raw::stream_of(&message) {
                Some(from) if from == stream => {
                    found.push(raw::stored(message)?);
                    continue;
                }
                // A mirror has other messages, or not all.
                Some(_) => return Ok(Some(Batch::default())),
                None => {}
            }
            match message.status {
                // A foreign block of headers has swallowed what the server has added to it.
                None => return Ok(Some(Batch::default())),
                Some(StatusCode::NOT_FOUND) => return Ok(Some(Batch::default())),
                Some(status) if status.as_u16() == END_OF_BATCH => {
                    return Ok(Some(Batch {
                        messages: found,
                        pending: raw::pending(&message)?,
                    }));
                }
                Some(StatusCode::NO_RESPONDERS) => {
                    return Err(JetStreamError::NobodyListens {
                        doing: GETTING,
                        subject,
                    });
                }
                Some(status) => return Err(refused(GETTING, status, message.description)),
            }
        }
    }
}

fn get_body(get: &Get) -> Value {
    match get {
        Get::Sequence(sequence) => json!({ "seq": sequence }),
        Get::Last(filter) => json!({ "last_by_subj": filter }),
        Get::From(sequence) => json!({ "seq": sequence, "next_by_subj": ">" }),
        Get::Next(sequence, filter) => json!({ "seq": sequence, "next_by_subj": filter }),
    }
}
