//! Messages as older services wrote them, and a server that has streams of them.

use std::path::Path;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Context};
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::{Ran, cim_at_home};
use serde_json::Value;
use tempfile::TempDir;

/// The options for messages that have the id in their bodies.
pub(crate) const COMMON: [&str; 4] = ["--format", "cim-headers", "--id-field", "/key_id"];

/// A message as an older service wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    pub(crate) number: u64,
    pub(crate) subject: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// The types, each with its operation.
pub(crate) const TYPES: [(&str, &str); 3] = [
    ("KeyGenerated", "generated"),
    ("KeyRotated", "rotated"),
    ("KeyRevoked", "revoked"),
];

impl Old {
    /// One of many: of seven keys, with times of all spellings, some with metadata.
    pub(crate) fn new(number: u64) -> Self {
        let id = id(number);
        let (minute, second) = (number / 60 % 60, number % 60);
        let time = format!("2024-11-21T09:{minute:02}:{second:02}");
        let time = match number % 4 {
            0 => format!("{time}Z"),
            1 => format!("{time}.123456789+00:00"),
            2 => time.replace("T09", "T11") + ".5+02:00",
            _ => time.replace('T', " "),
        };
        let mut old = Self {
            number,
            subject: String::new(),
            headers: vec![
                ("CIM-Event-Id", id.clone()),
                ("CIM-Correlation-Id", Self::root(number)),
                ("CIM-Event-Type", TYPES[number as usize % 3].0.to_owned()),
                ("CIM-Timestamp", time),
                ("CIM-Source", "keys-service".to_owned()),
                ("Nats-Msg-Id", id),
            ],
            body: String::new(),
        };
        old.body = format!("{{ \"key_id\": \"{}\", \"number\": {number} }}", old.key());
        old.subject = format!("cowboyai.security.keys.key.{}", old.operation());
        if !number.is_multiple_of(5) {
            old.headers.push(("CIM-Causation-Id", self::id(number - 1)));
            old.headers.push(("CIM-Meta-Tenant", "blue".to_owned()));
        }
        old
    }

    /// The first of the five events of a conversation.
    pub(crate) fn root(number: u64) -> String {
        id(number / 5 * 5)
    }

    pub(crate) fn operation(&self) -> &'static str {
        TYPES[self.number as usize % 3].1
    }

    pub(crate) fn key(&self) -> String {
        format!("k{}", self.number % 7)
    }
}

pub(crate) fn id(number: u64) -> String {
    format!("01934f4a-5678-7abc-8def-{number:012}")
}

pub(crate) fn stream(name: &str, subjects: &[&str]) -> Config {
    Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        ..Config::default()
    }
}

/// A server with older streams, and a folder for stores and the user's home.
pub(crate) struct Place {
    pub(crate) server: NatsServer,
    pub(crate) context: Context,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let server = NatsServer::start(ServerOptions::default());
        server.keep_account();
        let client = async_nats::connect(server.address())
            .await
            .expect("a server");
        Self {
            context: jetstream::new(client),
            server,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn make(&self, config: Config) {
        self.context.create_stream(config).await.expect("a stream");
    }

    pub(crate) async fn publish(&self, old: &Old) {
        let sent = self.send(old).await;
        sent.await.expect("it is stored");
    }

    pub(crate) async fn send(&self, old: &Old) -> jetstream::context::PublishAckFuture {
        let mut headers = HeaderMap::new();
        for (name, value) in &old.headers {
            headers.append(*name, value.as_str());
        }
        let body = old.body.clone().into();
        let sent = self
            .context
            .publish_with_headers(old.subject.clone(), headers, body);
        sent.await.expect("it is sent")
    }

    pub(crate) fn ask(&self, call: &str, body: &Value) -> Value {
        let answer = self.server.ask(&format!("$JS.API.{call}"), body);
        answer.expect("an answer")
    }

    #[track_caller]
    pub(crate) fn cim(&self, arguments: &[&str]) -> Ran {
        cim_at_home(self.folder(), arguments)
    }

    #[track_caller]
    pub(crate) fn adopt(&self, stream: &str, store: &str, options: &[&str]) -> Ran {
        let source = format!("{}/{stream}", self.url());
        self.cim(&[&["import", &source, "--store", store], options].concat())
    }
}
