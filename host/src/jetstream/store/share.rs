//! Batches of several appends that are published as one.
//!
//! A server with one replica on disk stages an atomic batch in a file, which takes some
//! milliseconds whatever the size of the batch. So appends that wait at the same time share one.
//! Each keeps its own expectation. If the whole is refused, each goes alone, and has its own answer.
//!
//! Who is alone publishes without another's help: to hand a batch over to another task and to wait
//! for it costs a tenth of its time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cim_core::append::MAX_APPEND_EVENTS;
use cim_core::message::Message;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::append::EXPECTED_SUBJECT;
use crate::clock;
use crate::jetstream::{JetStreamError, JetStreamPort, PublishAck};

/// How many appends may wait before an append itself waits.
const MAX_WAITING: usize = 1024;

/// How long a batch waits at most for appends that are expected.
const PATIENCE: Duration = Duration::from_millis(1);

type Answer = Result<PublishAck, JetStreamError>;

/// Batches of one stream, published one after the other.
#[derive(Debug)]
pub(super) struct Shared {
    port: Arc<dyn JetStreamPort>,
    turn: Arc<Mutex<Company>>,
    waiting: mpsc::Sender<Part>,
}

/// How many appends to expect in the next batch: those who were answered just now will soon be back.
/// Whoever publishes holds it.
#[derive(Debug)]
struct Company(usize);

/// The messages of one append.
#[derive(Debug)]
struct Part {
    messages: Vec<Message>,
    /// The connection on which they were judged.
    connection: u64,
    reply: oneshot::Sender<Option<Answer>>,
}

impl Shared {
    /// Begins; it ends when it is dropped.
    pub(super) fn new(port: Arc<dyn JetStreamPort>) -> Self {
        let (waiting, parts) = mpsc::channel(MAX_WAITING);
        let turn = Arc::new(Mutex::new(Company(1)));
        tokio::spawn(publish(Arc::clone(&port), Arc::clone(&turn), parts));
        Self {
            port,
            turn,
            waiting,
        }
    }

    /// Publishes the messages of one append, all or none, on the connection that they were judged
    /// on. The answer is as if they were a batch of their own; `None` where there is another
    /// connection by now, and nothing was sent.
    pub(super) async fn publish(&self, messages: Vec<Message>, connection: u64) -> Option<Answer> {
        if let Ok(mut company) = self.turn.try_lock()
            && company.0 <= 1
        {
            let answer = self.port.publish_batch(messages).await;
            company.0 = 1 + MAX_WAITING - self.waiting.capacity();
            return Some(answer);
        }
        let (reply, answer) = oneshot::channel();
        let part = Part {
            messages,
            connection,
            reply,
        };
        if self.waiting.send(part).await.is_err() {
            return Some(Err(JetStreamError::Closed));
        }
        answer.await.unwrap_or(Some(Err(JetStreamError::Closed)))
    }
}

async fn publish(
    port: Arc<dyn JetStreamPort>,
    turn: Arc<Mutex<Company>>,
    mut parts: mpsc::Receiver<Part>,
) {
    let mut next = None;
    // Without a moment's patience those who were answered just now would find that the others have
    // left without them, each time, and all batches would be half as large.
    let mut patience = clock::moment();
    while let Some(first) = match next.take() {
        Some(part) => Some(part),
        None => parts.recv().await,
    } {
        let mut company = turn.lock().await;
        let mut group = vec![first];
        let mut count = group[0].messages.len();
        let mut aggregates: HashSet<String> = group[0].aggregates().collect();
        loop {
            let part = match parts.try_recv() {
                Ok(part) => part,
                Err(_) if group.len() >= company.0 => break,
                Err(_) => match tokio::time::timeout_at(patience.into(), parts.recv()).await {
                    Ok(Some(part)) => part,
                    _ => break,
                },
            };
            let fits = count + part.messages.len() <= MAX_APPEND_EVENTS;
            if !fits || part.aggregates().any(|of| aggregates.contains(&of)) {
                next = Some(part);
                break;
            }
            count += part.messages.len();
            aggregates.extend(part.aggregates());
            group.push(part);
        }
        let answered = group.len();
        publish_group(&*port, group).await;
        company.0 = answered + parts.len();
        patience = clock::moment() + PATIENCE;
    }
}

async fn publish_group(port: &dyn JetStreamPort, group: Vec<Part>) {
    let now = port.connection();
    let (mut group, late): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|part| part.connection == now);
    for part in late {
        part.reply(None);
    }
    if group.is_empty() {
        return;
    }
    if let [part] = &mut group[..] {
        let answer = port.publish_batch(std::mem::take(&mut part.messages)).await;
        return group.remove(0).answer(answer);
    }
    let messages = group.iter().flat_map(|part| part.messages.iter().cloned());
    match port.publish_batch(messages.collect()).await {
        Ok(ack) if !ack.duplicate => {
            let count: usize = group.iter().map(|part| part.messages.len()).sum();
            let mut sequence = ack.sequence - count as u64;
            for part in group {
                sequence += part.messages.len() as u64;
                let ack = PublishAck {
                    sequence,
                    ..ack.clone()
                };
                part.answer(Ok(ack));
            }
        }
        // Nothing of it is stored: it may have been any of them.
        Ok(_)
        | Err(
            JetStreamError::Refused { .. }
            | JetStreamError::TooLarge { .. }
            | JetStreamError::NotAllowed { .. },
        ) => {
            for mut part in group {
                let answer = port.publish_batch(std::mem::take(&mut part.messages)).await;
                part.answer(answer);
            }
        }
        Err(error) => {
            for part in group {
                part.answer(Err(same(&error)));
            }
        }
    }
}

/// What a fault of a whole batch is for one of its parts.
fn same(error: &JetStreamError) -> JetStreamError {
    match error {
        // Nothing was sent, or nobody has stored it.
        &JetStreamError::CircuitOpen { doing, wait } => JetStreamError::CircuitOpen { doing, wait },
        JetStreamError::NobodyListens { doing, subject } => JetStreamError::NobodyListens {
            doing,
            subject: subject.clone(),
        },
        // Whether it is stored is unknown.
        _ => JetStreamError::NoAnswer {
            doing: "publishing",
        },
    }
}

impl Part {
    /// The aggregates, by the filters of their expectations.
    fn aggregates(&self) -> impl Iterator<Item = String> {
        let headers = self.messages.iter().flat_map(|message| &message.headers);
        headers
            .filter(|(name, _)| name == EXPECTED_SUBJECT)
            .map(|(_, value)| value.clone())
    }

    fn answer(self, answer: Answer) {
        self.reply(Some(answer));
    }

    /// Nobody waits any more for a reply that cannot be delivered.
    fn reply(self, reply: Option<Answer>) {
        let _ = self.reply.send(reply);
    }
}
