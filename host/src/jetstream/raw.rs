//! Messages between async-nats and us.

use async_nats::header::HeaderMap;
use bytes::Bytes;
use cim_core::message::Message;
use cim_core::time::Timestamp;
use data_encoding::BASE64;
use serde::Deserialize;

use super::client::server_time;
use super::error::JetStreamError;
use super::port::StoredMessage;

/// Headers as async-nats has them.
pub(super) fn headers(pairs: &[(String, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.as_str(), value.as_str());
    }
    headers
}

/// The headers that a server adds to the answer of a direct get (ADR-31), behind those of the
/// message.
const STREAM: &str = "Nats-Stream";
const SUBJECT: &str = "Nats-Subject";
const SEQUENCE: &str = "Nats-Sequence";
const TIME: &str = "Nats-Time-Stamp";
const PENDING: &str = "Nats-Num-Pending";

/// The stream whose message the answer of a direct get is; `None` where it is none, but a status.
///
/// It tells more than the status of the answer: what somebody else has stored may begin with a
/// status of its own. And a mirror of a stream answers for it too.
pub(super) fn stream_of(answer: &async_nats::Message) -> Option<&str> {
    let headers = answer.headers.as_ref()?;
    headers
        .get_last(STREAM)
        .map(async_nats::HeaderValue::as_str)
}

/// Reads the answer of a direct get.
pub(super) fn stored(answer: async_nats::Message) -> Result<StoredMessage, JetStreamError> {
    let headers = answer.headers.as_ref().ok_or_else(|| wrong("no headers"))?;
    let last = |name| {
        headers
            .get_last(name)
            .map(async_nats::HeaderValue::as_str)
            .ok_or_else(|| wrong(name))
    };
    let subject = last(SUBJECT)?.to_owned();
    let sequence = last(SEQUENCE)?.parse().map_err(|_| wrong(SEQUENCE))?;
    let stored_at = server_time(last(TIME)?)?;
    Ok(StoredMessage {
        sequence,
        stored_at,
        message: Message {
            subject,
            headers: pairs(headers),
            body: answer.payload,
        },
    })
}

/// How many more messages a batched direct get would have had, from its end.
pub(super) fn pending(end: &async_nats::Message) -> Result<u64, JetStreamError> {
    let header = end
        .headers
        .as_ref()
        .and_then(|headers| headers.get(PENDING));
    header
        .and_then(|value| value.as_str().parse().ok())
        .ok_or_else(|| wrong(PENDING))
}

/// Reads a message that a consumer delivered.
pub(super) fn delivered(message: async_nats::Message) -> Result<StoredMessage, JetStreamError> {
    let reply = message.reply.as_deref().unwrap_or_default();
    let (sequence, nanos) = place(reply).ok_or_else(|| wrong("the reply subject"))?;
    let stored_at = Timestamp::from_micros(nanos / 1000).map_err(|_| wrong("the time"))?;
    Ok(StoredMessage {
        sequence,
        stored_at,
        message: Message {
            subject: message.subject.to_string(),
            headers: message.headers.as_ref().map(pairs).unwrap_or_default(),
            body: message.payload,
        },
    })
}

/// The stream's sequence and the time in nanoseconds from the reply subject of a delivery: nine
/// tokens, or eleven and more with domain and account (ADR-15).
fn place(reply: &str) -> Option<(u64, u64)> {
    let tokens: Vec<&str> = reply.split('.').collect();
    let first = match tokens.len() {
        9 => 5,
        11.. => 7,
        _ => return None,
    };
    Some((
        tokens.get(first)?.parse().ok()?,
        tokens.get(first + 2)?.parse().ok()?,
    ))
}

/// Names and values; the names that a server adds to answers of direct gets are left out, since no
/// message of ours has them.
fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut pairs = Vec::with_capacity(headers.len());
    for (name, values) in headers.iter() {
        let name: &str = name.as_ref();
        if ADDED.contains(&name) {
            continue;
        }
        for value in values {
            pairs.push((name.to_owned(), value.as_str().to_owned()));
        }
    }
    pairs
}

const ADDED: [&str; 7] = [
    STREAM,
    SUBJECT,
    SEQUENCE,
    TIME,
    PENDING,
    "Nats-Last-Sequence",
    "Nats-UpTo-Sequence",
];

/// A message in an answer of the API.
#[derive(Deserialize)]
pub(super) struct Json {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: String,
}

impl Json {
    /// Reads it. The server takes headers that nobody can read: then the message is kept as one
    /// without headers, so that it has its place and is no event.
    pub(super) fn stored(self) -> Result<StoredMessage, JetStreamError> {
        let bytes = |text: &str| {
            BASE64
                .decode(text.as_bytes())
                .map_err(|_| wrong("the encoding of the message"))
        };
        Ok(StoredMessage {
            sequence: self.seq,
            stored_at: server_time(&self.time)?,
            message: Message {
                subject: self.subject,
                headers: block(&bytes(&self.hdrs)?).unwrap_or_default(),
                body: Bytes::from(bytes(&self.data)?),
            },
        })
    }
}

/// Reads a block of headers: a first line `NATS/1.0`, lines `Name: value`, an empty line (ADR-4).
/// `None` where async-nats cannot read it either, so that a message is the same whoever gives it:
/// lines end as [`str::lines`] says, and one that begins with white space goes on with a value.
fn block(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut lines = std::str::from_utf8(bytes).ok()?.lines().peekable();
    lines.next()?.strip_prefix("NATS/1.0")?;
    let mut pairs = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':')?;
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut value = value.trim_start().to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with(char::is_whitespace)) {
            value.push_str(more);
        }
        value.truncate(value.trim_end().len());
        pairs.push((name.to_owned(), value));
    }
    Some(pairs)
}

fn wrong(why: &str) -> JetStreamError {
    JetStreamError::Answer {
        doing: "reading a message",
        why: format!("expected {why} as JetStream writes it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_stands_in_replies_of_both_forms() {
        let v1 = "$JS.ACK.S.C.1.42.7.1700000000000000000.3";
        let v2 = "$JS.ACK.hub.acc.S.C.1.42.7.1700000000000000000.3";
        for reply in [v1, v2, &format!("{v2}.token")] {
            assert_eq!(
                place(reply),
                Some((42, 1_700_000_000_000_000_000)),
                "{reply}"
            );
        }
        for reply in ["", "$JS.ACK.S.C.1.42.7.1", "$JS.ACK.S.C.1.x.7.1.3"] {
            assert_eq!(place(reply), None, "{reply}");
        }
    }

    #[test]
    fn a_block_of_headers_is_read_line_by_line() {
        let pairs = block(b"NATS/1.0 404 None\r\nA: b\r\nA:c:d \r\n e\r\n\r\n").expect("headers");
        let expected = [("A", "b"), ("A", "c:d  e")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pairs, expected);
        for wrong in [
            &b"HTTP/1.1\r\n\r\n"[..],
            b"NATS/9.9\r\n\r\n",
            b"NATS/1.0\r\nA\r\n\r\n",
            b"NATS/1.0\r\nA b: c\r\n\r\n",
            "NATS/1.0\r\n\u{e9}: c\r\n\r\n".as_bytes(),
            b"\xff",
        ] {
            assert_eq!(block(wrong), None);
        }
    }

    #[test]
    fn a_message_with_headers_that_nobody_reads_has_none() {
        let json = |headers: &[u8]| Json {
            subject: "a.b".to_owned(),
            seq: 7,
            hdrs: BASE64.encode(headers),
            data: BASE64.encode(b"{}"),
            time: "2026-11-21T10:00:00Z".to_owned(),
        };
        let read = |headers| json(headers).stored().expect("a message").message;
        assert_eq!(read(b"NATS/1.0\r\nA: b\r\n\r\n").headers.len(), 1);
        let message = read(b"NATS/1.0\r\nA: \xff\r\n\r\n");
        assert_eq!(message.headers, []);
        assert_eq!(message.body, &b"{}"[..]);
    }
}
