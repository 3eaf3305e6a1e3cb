//! Requests that servers answer themselves, beside JetStream (`$SYS.REQ…`).

use std::time::Duration;

use async_nats::StatusCode;
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;

use super::client::JetStreamClient;
use super::error::JetStreamError;
use crate::clock;

/// For how long a further answer is waited for after one: servers of one cluster answer together.
pub(super) const QUIET: Duration = Duration::from_millis(300);

/// How often a wait looks whether the request was refused.
const LOOK: Duration = Duration::from_millis(50);

/// How long the first answer may take.
const FIRST: Duration = Duration::from_secs(2);

impl JetStreamClient {
    /// The first answer to a request that one server has.
    ///
    /// # Errors
    ///
    /// As [`ask_servers`](Self::ask_servers).
    pub(super) async fn ask_one(
        &self,
        doing: &'static str,
        subject: &str,
    ) -> Result<Value, JetStreamError> {
        let answers = self.ask(doing, subject, 1).await?;
        let answer = answers.into_iter().next();
        answer.ok_or(JetStreamError::NoAnswer { doing })
    }

    /// What servers answer to a request, at least one: all that comes until nothing more does.
    ///
    /// # Errors
    ///
    /// [`JetStreamError::NobodyListens`] and [`JetStreamError::NotAllowed`] where this is not for
    /// the user; others as calls have them.
    pub(super) async fn ask_servers(
        &self,
        doing: &'static str,
        subject: &str,
    ) -> Result<Vec<Value>, JetStreamError> {
        self.ask(doing, subject, usize::MAX).await
    }

    async fn ask(
        &self,
        doing: &'static str,
        subject: &str,
        max: usize,
    ) -> Result<Vec<Value>, JetStreamError> {
        let wait = |found: &[Bytes]| match found.len() < max {
            true => QUIET,
            false => Duration::ZERO,
        };
        let found = self.gather(doing, subject, Bytes::new(), wait).await?;
        let read = |answer: &Bytes| {
            serde_json::from_slice(answer).map_err(|error| JetStreamError::Answer {
                doing,
                why: error.to_string(),
            })
        };
        found.iter().map(read).collect()
    }

    /// The bodies of what servers answer, at least one. `wait` says for how long a further answer is
    /// waited for behind those that came: for no time when they are all.
    ///
    /// # Errors
    ///
    /// As [`ask_servers`](Self::ask_servers).
    pub(super) async fn gather(
        &self,
        doing: &'static str,
        subject: &str,
        body: Bytes,
        wait: impl Fn(&[Bytes]) -> Duration + Send,
    ) -> Result<Vec<Bytes>, JetStreamError> {
        let mark = self.refusals.mark();
        let mut answers = self.answers(doing, subject, body).await?;
        let started = clock::moment();
        let mut found = Vec::new();
        let mut next = LOOK;
        while !next.is_zero() {
            match tokio::time::timeout(next, answers.next()).await {
                Ok(Some(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                    return Err(JetStreamError::NobodyListens {
                        doing,
                        subject: subject.to_owned(),
                    });
                }
                Ok(Some(message)) => {
                    found.push(message.payload);
                    next = wait(&found);
                }
                Ok(None) => return Err(JetStreamError::Closed),
                Err(_) if !found.is_empty() => return Ok(found),
                Err(_) => {
                    if let Some(why) = self.refusals.since(mark, subject) {
                        return Err(JetStreamError::NotAllowed { doing, why });
                    }
                    if started.elapsed() > FIRST {
                        return Err(JetStreamError::NoAnswer { doing });
                    }
                }
            }
        }
        Ok(found)
    }
}
