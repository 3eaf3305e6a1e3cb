//! `cim consumer`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::stream::no_stream;
use super::{ServerArgs, grid};
use crate::cli::failure::Failure;
use crate::cli::output::{Output, say};
use crate::cli::place::Place;
use crate::jetstream::{ConsumerInfo, JetStreamPort as _};

#[derive(Debug, Subcommand)]
pub(crate) enum Consumer {
    /// List the consumers of a stream, and how far each is
    List(List),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim consumer list
  cim consumer list KEYS_COMMANDS --json")]
pub(crate) struct List {
    /// The stream; that of the store without it
    stream: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Consumer {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(place, out).await,
        }
    }
}

impl List {
    async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let server = self.server.connect(place).await?;
        let named = self.stream.clone();
        let stream = &named.unwrap_or_else(|| server.store_stream(&place.config));
        let info = server.client.stream_info(stream).await?;
        info.ok_or_else(|| no_stream(stream))?;
        let consumers = server.client.consumers(stream).await?;
        if self.json {
            let consumers: Vec<_> = consumers.iter().map(object).collect();
            return out.json(&json!({
                "schema": "cim.consumer.list/v1",
                "server": server.url(),
                "stream": stream,
                "consumers": consumers,
            }));
        }
        if consumers.is_empty() {
            say(&format!("The stream `{stream}` has no consumer."));
            return Ok(());
        }
        let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned))
            .chain(consumers.iter().map(row))
            .collect();
        for line in grid::lines(&rows) {
            out.line(&line)?;
        }
        Ok(())
    }
}

const HEAD: [&str; 7] = [
    "name",
    "pending",
    "ack_pending",
    "redelivered",
    "ack_floor",
    "ack",
    "filter",
];

fn row(consumer: &ConsumerInfo) -> [String; HEAD.len()] {
    [
        consumer.name.clone(),
        consumer.num_pending.to_string(),
        consumer.num_ack_pending.to_string(),
        consumer.num_redelivered.to_string(),
        consumer.ack_floor.stream_seq.to_string(),
        consumer.config.ack_policy.clone(),
        filters(consumer).join(","),
    ]
}

/// What it delivers; all of the stream if it says nothing.
fn filters(consumer: &ConsumerInfo) -> Vec<String> {
    let one = consumer.config.filter_subject.clone();
    let several = consumer.config.other.get("filter_subjects");
    let several = several.and_then(Value::as_array).into_iter().flatten();
    one.into_iter()
        .chain(several.filter_map(|filter| Some(filter.as_str()?.to_owned())))
        .collect()
}

fn object(consumer: &ConsumerInfo) -> Value {
    json!({
        "name": consumer.name,
        "durable": !consumer.config.name.is_empty(),
        "filters": filters(consumer),
        "ack_policy": consumer.config.ack_policy,
        "pending": consumer.num_pending,
        "ack_pending": consumer.num_ack_pending,
        "redelivered": consumer.num_redelivered,
        "delivered": consumer.delivered.stream_seq,
        "ack_floor": consumer.ack_floor.stream_seq,
    })
}
