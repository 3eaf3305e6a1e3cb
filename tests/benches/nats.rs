//! The store on JetStream against async-nats used directly: the same bytes, with the same
//! expectations, on the same server. Once on one server, once on three with three replicas.
//!
//! `CIM_BENCH_EVENTS` sets the events of the catch-up (200 000).

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use cim_core::append::{Append, record};
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateKey, Namespace};
use cim_core::subject::StoreTemplate;
use cim_core::version::ExpectedVersion;
use cim_host::clock;
use cim_host::jetstream::{JetStreamClient, JetStreamStore, NatsOptions, event_stream};
use cim_host::store::{Delivery, EventStore as _, Query};
use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions};
use common::{Events, compare, key, time};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    println!("JetStream, median of {} interleaved pairs", common::PAIRS);
    {
        let server = NatsServer::start(ServerOptions::default());
        println!("one server:");
        Bench::new(&runtime, &server.url(), 1).run();
        println!("server memory {} MiB", server.memory() >> 20);
    }
    let cluster = NatsCluster::start(3);
    println!("three servers, three replicas:");
    // Both sides ask the server that leads their stream.
    let bench = Bench::new(&runtime, &cluster.server(0).url(), 3);
    for stream in ["OURS", "BARE"] {
        cluster.lead(stream, 0);
    }
    bench.run();
}

/// Two streams on one server: one for the store, one for async-nats.
struct Bench<'a> {
    runtime: &'a Runtime,
    store: Arc<JetStreamStore>,
    bare: async_nats::jetstream::Context,
    template: StoreTemplate,
    options: NatsOptions,
    replicas: u32,
    folder: TempDir,
}

impl<'a> Bench<'a> {
    fn new(runtime: &'a Runtime, url: &str, replicas: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        runtime.block_on(async {
            let options = NatsOptions::new(url).expect("a URL");
            let port = JetStreamClient::connect(&options).await.expect("a server");
            let config = |name: &str, namespace: &str| {
                let namespace: Namespace = namespace.parse().expect("a namespace");
                event_stream(
                    name,
                    &StoreTemplate::default(),
                    &[namespace],
                    replicas,
                    clock::store_id(),
                    clock::now(),
                )
                .expect("a template for all")
            };
            let make = async |name, namespace| {
                let port = Arc::new(port.clone());
                JetStreamStore::create(port, &config(name, namespace), url, folder.path())
                    .await
                    .expect("a new stream")
            };
            let store = make("OURS", "local.main.events").await;
            make("BARE", "bare.main.events").await;
            let addresses: Vec<_> = url.trim_start_matches("nats://").split(',').collect();
            let client = async_nats::connect(addresses).await.expect("a server");
            Self {
                runtime,
                store: Arc::new(store),
                bare: async_nats::jetstream::new(client),
                template: StoreTemplate::default(),
                options,
                replicas,
                folder,
            }
        })
    }

    fn run(&self) {
        self.by_one("single appends / acknowledged publishes", "≥ 0.90", 300, 1);
        self.by_one("batches of 10 / bare atomic batches", "≥ 0.85", 100, 10);
        self.by_one("batches of 100 / bare atomic batches", "≥ 0.85", 30, 100);
        self.writers("16 writers / 16 bare publishers", "≥ 0.85", 200, 1);
        let wanted = if self.replicas == 1 {
            "≥ 5"
        } else {
            "(told only)"
        };
        self.writers("16 writers of 10 / bare batches of 10", wanted, 30, 10);
        self.import();
        self.load(10, 1000);
        self.load(1000, 20);
        self.catch_up();
    }

    /// One writer that appends `size` events at a time to one aggregate.
    fn by_one(&self, name: &str, wanted: &str, appends: usize, size: usize) {
        let (mut ours, mut theirs) = (Events::default(), Events::default());
        let scope = format!("{name}-{size}").len() * 1_000_000;
        compare(
            name,
            wanted,
            appends * size,
            |pair| {
                let key = key(scope + size * 100 + pair);
                let batches = (0..appends).map(|_| fresh(ours.take(size))).collect();
                let warm = fresh(ours.take(1));
                self.runtime.block_on(async {
                    append(&self.store, &key, 0, warm).await;
                });
                time(|| {
                    self.runtime
                        .block_on(append_all(&self.store, &key, 1, batches));
                })
            },
            |pair| {
                let key = bare_key(scope + size * 100 + pair);
                let events = fresh(theirs.take(1 + appends * size));
                let mut events = record(&key, None, &events).expect("a short history");
                let rest = events.split_off(1);
                let mut last = self.runtime.block_on(self.publish(0, &events));
                time(|| {
                    self.runtime.block_on(async {
                        for batch in rest.chunks(size) {
                            last = self.publish(last, batch).await;
                        }
                    });
                })
            },
        );
    }

    /// 16 writers, each with an aggregate of its own.
    fn writers(&self, name: &str, wanted: &str, appends: usize, size: usize) {
        const WRITERS: usize = 16;
        let (mut ours, mut theirs) = (Events::default(), Events::default());
        let number = |pair: usize, writer: usize| 50_000_000 + size * 10_000 + pair * 100 + writer;
        compare(
            name,
            wanted,
            WRITERS * appends * size,
            |pair| {
                let work: Vec<_> = (0..WRITERS)
                    .map(|writer| {
                        let batches: Vec<_> =
                            (0..appends).map(|_| fresh(ours.take(size))).collect();
                        (key(number(pair, writer)), batches)
                    })
                    .collect();
                time(|| {
                    self.runtime.block_on(async {
                        let tasks = work.into_iter().map(|(key, batches)| {
                            let store = Arc::clone(&self.store);
                            tokio::spawn(async move { append_all(&store, &key, 0, batches).await })
                        });
                        join_all(tasks.collect::<Vec<_>>()).await;
                    });
                })
            },
            |pair| {
                let work: Vec<_> = (0..WRITERS)
                    .map(|writer| {
                        let key = bare_key(number(pair, writer));
                        record(&key, None, &fresh(theirs.take(appends * size))).expect("short")
                    })
                    .collect();
                time(|| {
                    self.runtime.block_on(async {
                        let tasks = work.into_iter().map(|events| {
                            let bare = Bare {
                                context: self.bare.clone(),
                                template: self.template.clone(),
                            };
                            tokio::spawn(async move {
                                let mut last = 0;
                                for batch in events.chunks(size) {
                                    last = bare.publish(last, batch).await;
                                }
                            })
                        });
                        join_all(tasks.collect::<Vec<_>>()).await;
                    });
                })
            },
        );
    }

    /// Steps of 1000 events of 100 aggregates, as an import has them.
    fn import(&self) {
        const STEPS: usize = 10;
        let (mut ours, mut theirs) = (Events::default(), Events::default());
        let number =
            |pair: usize, step: usize, at: usize| 80_000_000 + pair * 10_000 + step * 100 + at;
        compare(
            "steps of 1000 events / bare batches of 1000",
            "≥ 0.70",
            STEPS * 1000,
            |pair| {
                let steps: Vec<Vec<Append>> = (0..STEPS)
                    .map(|step| {
                        (0..100)
                            .map(|at| {
                                let key = key(number(pair, step, at));
                                Append::new(key, ExpectedVersion::NoStream, fresh(ours.take(10)))
                            })
                            .collect()
                    })
                    .collect();
                time(|| {
                    self.runtime.block_on(async {
                        for step in steps {
                            self.store.append_many(step).await.expect("committed");
                        }
                    });
                })
            },
            |pair| {
                let steps: Vec<Vec<RecordedEvent>> = (0..STEPS)
                    .map(|step| {
                        (0..100)
                            .flat_map(|at| {
                                let key = bare_key(number(pair, step, at));
                                record(&key, None, &fresh(theirs.take(10))).expect("short")
                            })
                            .collect()
                    })
                    .collect();
                time(|| {
                    self.runtime.block_on(async {
                        for step in steps {
                            self.publish(0, &step).await;
                        }
                    });
                })
            },
        );
    }

    /// Loads of histories, verified, against the faster bare way for their length. Each is loaded
    /// for the first time by its store, which remembers nothing of it; then again.
    fn load(&self, length: usize, histories: usize) {
        let mut events = Events::default();
        let keys: Vec<_> = (0..histories)
            .map(|number| key(90_000_000 + length * 1000 + number))
            .collect();
        self.runtime.block_on(async {
            for key in &keys {
                append(&self.store, key, 0, fresh(events.take(length))).await;
            }
        });
        let load = async |store: &JetStreamStore| {
            for key in &keys {
                let read = store.read(Query::history(key.clone()).verified());
                assert_eq!(read.count().await, length);
            }
        };
        // As in a program that has run for a while, the index is there.
        let indexed = self.runtime.block_on(self.store.stats());
        indexed.expect("an answer");
        let open = || self.runtime.block_on(self.open_again());
        for (name, way) in [("direct get", true), ("consumer", false)] {
            let bare = |_| {
                time(|| {
                    self.runtime.block_on(async {
                        for key in &keys {
                            let of_it = self.template.aggregate_filter(key).expect("a filter");
                            let count = match way {
                                true => self.direct("OURS", of_it.as_str(), length).await,
                                false => self.consume("OURS", of_it.as_str(), length).await,
                            };
                            assert_eq!(count, length);
                        }
                    });
                })
            };
            compare(
                &format!("load of {length} verified / bare {name}"),
                "time ≤ 1.3 of the faster",
                histories,
                |_| {
                    let store = open();
                    time(|| self.runtime.block_on(load(&store)))
                },
                bare,
            );
        }
        let store = open();
        self.runtime.block_on(load(&store));
        compare(
            &format!("load of {length} again / for the first time"),
            "(told only)",
            histories,
            |_| time(|| self.runtime.block_on(load(&store))),
            |_| {
                let store = open();
                time(|| self.runtime.block_on(load(&store)))
            },
        );
    }

    async fn open_again(&self) -> JetStreamStore {
        let port = JetStreamClient::connect(&self.options).await;
        let port = Arc::new(port.expect("a server"));
        JetStreamStore::open(port, "OURS", &self.options.url(), self.folder.path())
            .await
            .expect("a store")
    }

    fn catch_up(&self) {
        let count = std::env::var("CIM_BENCH_EVENTS")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(200_000);
        let mut events = Events::default();
        let there = || {
            let last = self.runtime.block_on(self.store.last_position());
            last.expect("an answer")
                .map_or(0, |last| last.get() as usize)
        };
        let mut number = 100_000_000;
        while there() < count {
            self.runtime.block_on(async {
                let appends = (0..100).map(|_| {
                    number += 1;
                    Append::new(
                        key(number),
                        ExpectedVersion::NoStream,
                        fresh(events.take(10)),
                    )
                });
                self.store
                    .append_many(appends.collect())
                    .await
                    .expect("committed");
            });
        }
        let count = there();
        compare(
            "catch-up / bare ordered consumer",
            "≥ 0.80",
            count,
            |_| {
                time(|| {
                    self.runtime.block_on(async {
                        let mut deliveries = self.store.subscribe(None, None);
                        let mut seen = 0;
                        while let Some(delivery) = deliveries.next().await {
                            match delivery.expect("an answer") {
                                Delivery::Event(_) => seen += 1,
                                Delivery::Invalid(invalid) => panic!("{invalid}"),
                                Delivery::CaughtUp => break,
                            }
                        }
                        assert_eq!(seen, count);
                    });
                })
            },
            |_| {
                time(|| {
                    self.runtime.block_on(async {
                        assert_eq!(self.consume("OURS", ">", count).await, count);
                    });
                })
            },
        );
    }

    async fn publish(&self, last: u64, events: &[RecordedEvent]) -> u64 {
        let bare = Bare {
            context: self.bare.clone(),
            template: self.template.clone(),
        };
        bare.publish(last, events).await
    }

    /// A history by direct get. Any replica may answer that; so with several, the leader is asked
    /// for the last event at the same time, as whoever wants to see what was acknowledged must.
    async fn direct(&self, stream: &str, filter: &str, count: usize) -> usize {
        let last = async {
            if self.replicas > 1 {
                self.leader_last(stream, filter).await;
            }
        };
        let (count, ()) = tokio::join!(self.get_batch(stream, filter, count), last);
        count
    }

    async fn leader_last(&self, stream: &str, filter: &str) {
        let body = serde_json::json!({ "last_by_subj": filter }).to_string();
        let subject = format!("$JS.API.STREAM.MSG.GET.{stream}");
        let answer = self.bare.client().request(subject, body.into()).await;
        assert!(!answer.expect("an answer").payload.is_empty());
    }

    async fn get_batch(&self, stream: &str, filter: &str, count: usize) -> usize {
        let client = self.bare.client();
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.expect("connected");
        let body = serde_json::json!({ "seq": 1, "next_by_subj": filter, "batch": count });
        client
            .publish_with_reply(
                format!("$JS.API.DIRECT.GET.{stream}"),
                inbox,
                body.to_string().into(),
            )
            .await
            .expect("connected");
        let mut seen = 0;
        while answers.next().await.expect("an answer").status.is_none() {
            seen += 1;
        }
        seen
    }

    async fn consume(&self, stream_name: &str, filter: &str, count: usize) -> usize {
        let stream = self
            .bare
            .get_stream_no_info(stream_name)
            .await
            .expect("a name");
        let consumer = stream
            .create_consumer(OrderedConfig {
                filter_subject: filter.to_owned(),
                deliver_policy: DeliverPolicy::All,
                ..OrderedConfig::default()
            })
            .await
            .expect("a consumer");
        let name = consumer.cached_info().name.clone();
        let messages = consumer.messages().await.expect("a consumer");
        let count = messages.take(count).count().await;
        // As ours does, so that consumers do not pile up.
        let delete = format!("$JS.API.CONSUMER.DELETE.{stream_name}.{name}");
        self.bare
            .client()
            .publish(delete, "".into())
            .await
            .expect("connected");
        count
    }
}

/// async-nats by hand.
struct Bare {
    context: async_nats::jetstream::Context,
    template: StoreTemplate,
}

impl Bare {
    /// Publishes events behind the last sequence of their aggregates: one message, or an atomic
    /// batch. Gives the sequence of the last one.
    async fn publish(&self, last: u64, events: &[RecordedEvent]) -> u64 {
        let client = self.context.client();
        let id = uuid::Uuid::from_bytes(*events[0].event.id.as_bytes())
            .simple()
            .to_string();
        let mut aggregate: Option<&AggregateKey> = None;
        for (at, event) in events.iter().enumerate() {
            let message = event.encode(&self.template).expect("it fits");
            let mut headers = HeaderMap::new();
            for (name, value) in &message.headers {
                headers.append(name.as_str(), value.as_str());
            }
            if aggregate != Some(&event.aggregate) {
                let filter = self
                    .template
                    .aggregate_filter(&event.aggregate)
                    .expect("it fits");
                headers.insert("Nats-Expected-Last-Subject-Sequence", last.to_string());
                headers.insert(
                    "Nats-Expected-Last-Subject-Sequence-Subject",
                    filter.as_str(),
                );
                aggregate = Some(&event.aggregate);
            }
            if events.len() > 1 {
                headers.insert("Nats-Batch-Id", id.as_str());
                headers.insert("Nats-Batch-Sequence", (at + 1).to_string());
            }
            if at + 1 < events.len() {
                client
                    .publish_with_headers(message.subject, headers, message.body)
                    .await
                    .expect("connected");
                continue;
            }
            if events.len() > 1 {
                headers.insert("Nats-Batch-Commit", "1");
            }
            let answer = client
                .request_with_headers(message.subject, headers, message.body)
                .await
                .expect("an answer");
            let ack: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
            return ack["seq"]
                .as_u64()
                .unwrap_or_else(|| panic!("refused: {ack}"));
        }
        last
    }
}

fn bare_key(number: usize) -> AggregateKey {
    format!("bare.main.events.order.order-{number}")
        .parse()
        .expect("a valid key")
}

/// Events with ids that no other run has used.
fn fresh(events: Vec<cim_core::event::NewEvent>) -> Vec<cim_core::event::NewEvent> {
    events
        .into_iter()
        .map(|mut event| {
            event.id = clock::event_id();
            event.correlation = *event.id.as_uuid();
            event
        })
        .collect()
}

async fn append(
    store: &JetStreamStore,
    key: &AggregateKey,
    version: u64,
    events: Vec<cim_core::event::NewEvent>,
) {
    let expected = cim_core::version::Version::new(version)
        .map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact);
    let append = Append::new(key.clone(), expected, events);
    store.append(append).await.expect("committed");
}

async fn append_all(
    store: &JetStreamStore,
    key: &AggregateKey,
    mut version: u64,
    batches: Vec<Vec<cim_core::event::NewEvent>>,
) {
    for events in batches {
        let count = events.len() as u64;
        append(store, key, version, events).await;
        version += count;
    }
}
