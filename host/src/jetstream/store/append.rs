//! Appending: judged on what is likely, written with the expectation that it holds, and judged again
//! on what is sure wherever the server says otherwise.
//!
//! The messages of an append follow from its events and from the heads that it was judged on alone.
//! So when an answer is lost, the same judgement makes the same messages, with the same ids and
//! expectations, and sending them again is safe: `Any` moves on to a new head only after the
//! leader's head has moved.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cim_core::append::{Append, AppendError, Appended, Judgement, Receipt, Rejection, RetryToken};
use cim_core::event::RecordedEvent;
use cim_core::message::Message;
use cim_core::policy::Backoff;

use super::Inner;
use super::heads::KnownHead;
use super::layout::position;
use super::sight::{Freshness, Sight};
use crate::clock;
use crate::jetstream::port::EXPECTED_SEQUENCE;
use crate::jetstream::{JetStreamError, PublishAck};
use crate::store::StoreError;

/// How long an append is tried before its outcome is unknown: longer than a cluster takes to find a
/// new leader.
const DEADLINE: Duration = Duration::from_secs(15);

/// The pauses before a lost race is run again: 16 rivals take about as long as the longest.
const PAUSES: Backoff = Backoff {
    base: Duration::from_millis(1),
    cap: Duration::from_millis(100),
};

/// The header that names the last sequence that an append rests on, and the one with the filter
/// that it is the last of. Always the one filter of an aggregate: on replicated streams, what is
/// under way is found by comparing these texts.
pub(super) const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// What to do about an answer of the server.
enum Next {
    /// Others were faster, or it is there already: the leader tells.
    Look,
    /// Nobody knows whether it is stored: the same again.
    Unsure(JetStreamError),
    /// It is not stored, and may be when it is tried again.
    Again(JetStreamError),
    /// It is not stored and cannot be.
    Refuse(Rejection),
}

impl Inner {
    /// Appends until the outcome is known or the deadline has passed. `unsure` is whether it may be
    /// stored already.
    pub(super) async fn append(
        &self,
        appends: Vec<Append>,
        mut unsure: bool,
    ) -> Result<Vec<Appended>, AppendError> {
        let deadline = clock::moment() + DEADLINE;
        let mut freshness = Freshness::Likely;
        let mut tries = 0;
        loop {
            let failed = match self.try_append(&appends, freshness, unsure).await {
                Ok(Some(answer)) => return answer,
                // It rested on what was likely, or the server saw another head.
                Ok(None) => None,
                Err(Failed {
                    cause,
                    may_be_stored,
                    rejection,
                }) => {
                    unsure |= may_be_stored;
                    // Trying again changes nothing, and nothing is stored.
                    if let Some(why) = rejection.filter(|_| !unsure) {
                        return Err(AppendError::Rejected { why });
                    }
                    Some(cause)
                }
            };
            if clock::moment() >= deadline {
                return Err(unknown(appends, failed));
            }
            // The first look at the leader is for what was merely likely.
            if freshness == Freshness::Sure || failed.is_some() {
                tries += 1;
                pause(tries, deadline).await;
            }
            freshness = Freshness::Sure;
        }
    }

    async fn try_append(
        &self,
        appends: &[Append],
        freshness: Freshness,
        unsure: bool,
    ) -> Result<Option<Result<Vec<Appended>, AppendError>>, Failed> {
        if freshness == Freshness::Sure {
            self.sync().await?;
        }
        let connection = self.port.connection();
        let mut sight = Sight::new(self, freshness);
        let recorded = match sight.judge(appends).await? {
            Judgement::Write(recorded) => recorded,
            Judgement::Refuse(error @ AppendError::Rejected { .. })
                if !matches!(
                    &error,
                    AppendError::Rejected {
                        why: Rejection::EventIdReused { .. }
                    }
                ) =>
            {
                return Ok(Some(Err(error)));
            }
            _ if freshness == Freshness::Likely => return Ok(None),
            Judgement::Refuse(error) => return Ok(Some(Err(error))),
            Judgement::AlreadyCommitted(receipts) => {
                let answers = receipts.into_iter().map(Appended::AlreadyCommitted);
                return Ok(Some(Ok(answers.collect())));
            }
        };
        if let Some(why) = self.unsafe_to_append() {
            // It may have been mended since.
            if freshness == Freshness::Likely {
                return Ok(None);
            }
            return Ok(Some(Err(AppendError::Rejected { why })));
        }
        let mut messages = match self.messages(&recorded, &sight) {
            Ok(messages) => messages,
            Err(why) => return Ok(Some(Err(AppendError::Rejected { why }))),
        };
        // A server that has come back may have lost the heads that this rests on.
        if self.port.connection() != connection {
            return Ok(None);
        }
        let seen = self.seen.load(Ordering::Acquire);
        let published = match (messages.len(), &self.shared) {
            (1, _) => self.port.publish(messages.swap_remove(0)).await,
            (_, None) => self.port.publish_batch(messages).await,
            (_, Some(shared)) => match shared.publish(messages, connection).await {
                Some(answer) => answer,
                None => return Ok(None),
            },
        };
        let elsewhere = |why: String| Failed {
            may_be_stored: true,
            ..Failed::from(StoreError::Mismatch { why })
        };
        let next = match published {
            Ok(ack) if ack.stream != self.stream => {
                let why = format!("the stream `{}` has taken the message", ack.stream);
                return Err(elsewhere(why));
            }
            // Sequences only grow: this would be another stream under the same name.
            Ok(ack) if !ack.duplicate && ack.sequence <= seen => {
                let why = format!("the stream `{}` was made anew", self.stream);
                return Err(elsewhere(why));
            }
            Ok(ack) if !ack.duplicate => {
                return Ok(Some(Ok(self.committed(&recorded, &sight, &ack))));
            }
            Ok(_) => Next::Look,
            Err(error) => next(error),
        };
        for append in appends {
            self.heads.forget(&append.aggregate);
        }
        match next {
            Next::Look => Ok(None),
            Next::Again(cause) => Err(Failed::of(cause, false)),
            Next::Unsure(cause) => Err(Failed::of(cause, true)),
            // An earlier try may be stored all the same; the leader tells.
            Next::Refuse(_) if unsure => Ok(None),
            Next::Refuse(why) => Ok(Some(Err(AppendError::Rejected { why }))),
        }
    }

    /// The messages of judged events. The first of each aggregate carries the expectation.
    fn messages(
        &self,
        recorded: &[Vec<RecordedEvent>],
        sight: &Sight<'_>,
    ) -> Result<Vec<Message>, Rejection> {
        let template = &self.info.template;
        let mut messages = Vec::with_capacity(recorded.iter().map(Vec::len).sum());
        for events in recorded {
            for (at, event) in events.iter().enumerate() {
                let mut message = event.encode(template).map_err(Rejection::Template)?;
                if !self.takes(&message.subject) {
                    return Err(Rejection::Store {
                        code: "subject-not-taken",
                        why: format!(
                            "the stream `{}` does not take the subject `{}`",
                            self.stream, message.subject
                        ),
                    });
                }
                if at == 0 {
                    let filter = template
                        .aggregate_filter(&event.aggregate)
                        .map_err(Rejection::Template)?;
                    let sequence = sight.sequence(&event.aggregate).to_string();
                    message.headers.extend([
                        (EXPECTED_SEQUENCE.to_owned(), sequence),
                        (EXPECTED_SUBJECT.to_owned(), filter.as_str().to_owned()),
                    ]);
                }
                messages.push(message);
            }
        }
        Ok(messages)
    }

    fn takes(&self, subject: &str) -> bool {
        self.subjects.iter().any(|filter| filter.matches(subject))
    }

    /// The answers for events that the server has stored now.
    fn committed(
        &self,
        recorded: &[Vec<RecordedEvent>],
        sight: &Sight<'_>,
        ack: &PublishAck,
    ) -> Vec<Appended> {
        self.seen.fetch_max(ack.sequence, Ordering::AcqRel);
        let count: usize = recorded.iter().map(Vec::len).sum();
        let mut sequence = ack.sequence - count as u64;
        let mut answers = Vec::with_capacity(recorded.len());
        for events in recorded {
            sequence += events.len() as u64;
            let last = events.last().expect("a judged append has events");
            let ids = events.iter().map(|event| event.event.id);
            self.recent.add(ids, sequence);
            let known = KnownHead {
                sequence,
                head: last.head(),
                is_known: sight.is_known(&last.aggregate),
            };
            self.heads.put(&last.aggregate, known);
            answers.push(Appended::Committed(Receipt {
                version: last.version,
                head: last.cid,
                position: position(sequence),
            }));
        }
        answers
    }
}

/// A try that ended without an answer.
struct Failed {
    cause: Arc<dyn std::error::Error + Send + Sync>,
    may_be_stored: bool,
    /// What it is if nothing is stored and trying again is of no use.
    rejection: Option<Rejection>,
}

impl Failed {
    fn of(cause: JetStreamError, may_be_stored: bool) -> Self {
        Self {
            cause: Arc::new(cause),
            may_be_stored,
            rejection: None,
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        let is_lasting = matches!(
            error,
            StoreError::NotFound { .. }
                | StoreError::Mismatch { .. }
                | StoreError::NotAllowed { .. }
        );
        Self {
            rejection: is_lasting.then(|| Rejection::Store {
                code: error.code(),
                why: error.to_string(),
            }),
            cause: Arc::new(error),
            may_be_stored: false,
        }
    }
}

/// Reads what the server says of an append (numbers: `errors.json` of nats-server).
fn next(error: JetStreamError) -> Next {
    let store = |code, error: &JetStreamError| Rejection::Store {
        code,
        why: error.to_string(),
    };
    match error.number() {
        // Wrong last sequence; a duplicate that is under way; wrong last sequence of one that is
        // under way; a duplicate in a batch.
        Some(10071 | 10158 | 10164 | 10201) => return Next::Look,
        // Batches are off; the stream is full, or its largest message or its subject is exceeded;
        // the account or the server is full.
        Some(10174) => return Next::Refuse(store("stream-without-batches", &error)),
        Some(10077 | 10054 | 10047 | 10028 | 10002 | 10023) => {
            return Next::Refuse(store("stream-full", &error));
        }
        _ => {}
    }
    match &error {
        JetStreamError::NotAllowed { .. } => Next::Refuse(store("stream-not-allowed", &error)),
        JetStreamError::TooLarge { .. } => Next::Refuse(store("message-too-large", &error)),
        // What a server refuses it has not stored; nobody who listens has stored it either, and
        // what was not sent is nowhere.
        JetStreamError::Refused { .. }
        | JetStreamError::NobodyListens { .. }
        | JetStreamError::CircuitOpen { .. } => Next::Again(error),
        _ => Next::Unsure(error),
    }
}

fn unknown(
    appends: Vec<Append>,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
) -> AppendError {
    AppendError::Unknown {
        retry_token: RetryToken::new(appends),
        cause,
    }
}

/// Waits before the next try, the longer the more there were, by chance: rivals are not to meet
/// again.
async fn pause(tries: u32, deadline: Instant) {
    let chance = u64::from_le_bytes(clock::entropy());
    let until = clock::moment() + PAUSES.delay(tries, chance);
    tokio::time::sleep_until(until.min(deadline).into()).await;
}
