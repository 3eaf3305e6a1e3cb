//! NATS JetStream: the port, its adapter on async-nats, and the event store and the snapshots that stand on it.

mod circuit;
#[cfg(feature = "identity")]
pub mod claims;
mod client;
mod connect;
mod consumer;
pub mod doctor;
mod error;
mod log;
mod options;
pub mod plan;
mod port;
mod raw;
mod reading;
mod refusals;
mod request;
mod server;
mod snapshots;
mod store;
mod stream;
mod subscription;
mod system;
mod version;

pub use client::JetStreamClient;
pub use connect::{ConnectError, LoginHint, TlsFault};
pub use consumer::{ConsumerConfig, ConsumerInfo, SequencePair};
pub use error::JetStreamError;
pub use log::messages;
pub use options::{
    Api, Identity, Login, NatsOptions, OptionsError, Origin, Process, Server, Source, Surroundings,
    Tls, UrlFault,
};
pub use plan::event_stream;
pub use port::{
    Answer, Batch, Consistency, Get, JetStreamPort, PublishAck, Purge, StoredMessage, Subscribe,
};
pub use server::{AccountInfo, AccountLimits, ServerInfo};
pub use snapshots::JetStreamSnapshots;
pub use store::JetStreamStore;
pub use stream::{
    Cluster, Discard, Replica, Retention, Storage, StreamConfig, StreamInfo, StreamState,
};
