//! The contract of the event store on NATS: on one server, and on three with three replicas.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use cim_core::id::AggregateKey;
use cim_core::subject::StoreTemplate;
use cim_host::clock;
use cim_host::jetstream::{
    Consistency, Get, JetStreamClient, JetStreamPort, JetStreamStore, NatsOptions, event_stream,
};
use cim_host::store::EventStore;
use cim_host::store::contract::Fixture;
use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions};
use tempfile::TempDir;

cim_host::contract_tests!(one_server, async |template| {
    static SERVER: OnceLock<NatsServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| NatsServer::start(accounts()));
    Nats::new(vec![server.address()], 1, template).await
});

cim_host::contract_tests!(three_replicas, async |template| {
    static CLUSTER: OnceLock<NatsCluster> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| NatsCluster::start_with(3, &accounts()));
    let addresses = cluster.servers().iter().map(NatsServer::address);
    Nats::new(addresses.collect(), 3, template).await
});

/// More than there are cases: each has an account of its own, so that their streams do not meet.
const ACCOUNTS: usize = 120;

fn accounts() -> ServerOptions {
    let accounts: Vec<String> = (0..ACCOUNTS)
        .map(|n| {
            format!("a{n}: {{ jetstream: enabled, users: [{{ user: u{n}, password: p{n} }}] }}")
        })
        .collect();
    ServerOptions {
        extra: format!(
            "accounts {{\n{}\n}}\nno_auth_user: u0\n",
            accounts.join("\n")
        ),
        ..ServerOptions::default()
    }
}

/// A store in a stream of an account of its own.
struct Nats {
    addresses: String,
    store: Mutex<Arc<JetStreamStore>>,
    folder: TempDir,
}

const STREAM: &str = "EVENTS";

impl Nats {
    async fn new(servers: Vec<String>, replicas: u32, template: StoreTemplate) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(n < ACCOUNTS, "more cases than accounts");
        let addresses: Vec<_> = servers
            .iter()
            .map(|address| format!("nats://u{n}:p{n}@{address}"))
            .collect();
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = event_stream(
            STREAM,
            &template,
            &[],
            replicas,
            clock::store_id(),
            clock::now(),
        )
        .expect("no namespaces");
        if config.subjects == ["*.*.*.*.*.*"] {
            // JetStream keeps its own subjects for itself, so there is no stream of all.
            config.subjects = ["acme", "Acme", "a", "b"]
                .map(|name| format!("{name}.*.*.*.*.*"))
                .to_vec();
        }
        let addresses = addresses.join(",");
        let port = Arc::new(connect(&addresses).await);
        let store = JetStreamStore::create(port, &config, "nats://test", folder.path());
        Self {
            store: Mutex::new(Arc::new(store.await.expect("a new store"))),
            addresses,
            folder,
        }
    }

    /// The store through another connection and another index, as on another machine.
    async fn open(&self, folder: &str) -> Arc<JetStreamStore> {
        let port = Arc::new(connect(&self.addresses).await);
        let folder = self.folder.path().join(folder);
        let store = JetStreamStore::open(port, STREAM, "nats://test", &folder).await;
        Arc::new(store.expect("the store is there"))
    }
}

async fn connect(addresses: &str) -> JetStreamClient {
    let options = NatsOptions::new(addresses).expect("addresses");
    JetStreamClient::connect(&options).await.expect("a server")
}

impl Fixture for Nats {
    fn store(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.store.lock().expect("no panic")) as Arc<dyn EventStore>
    }

    async fn open_again(&self) -> Arc<dyn EventStore> {
        self.open("other").await
    }

    /// Messages cannot be changed: the stream is made anew, with the one altered.
    async fn break_head(&self, aggregate: &AggregateKey) {
        let port = connect(&self.addresses).await;
        let info = port.stream_info(STREAM).await.expect("an answer");
        let config = info.expect("a stream").config;
        let mut messages = Vec::new();
        let mut next = 1;
        while let Some(stored) = port
            .get(STREAM, Get::From(next), Consistency::Leader)
            .await
            .expect("an answer")
        {
            next = stored.sequence + 1;
            messages.push(stored.message);
        }
        let of_it = format!("{aggregate}.");
        let last = messages
            .iter_mut()
            .rfind(|message| message.subject.starts_with(&of_it));
        last.expect("a history").body = vec![0].into();
        let client = async_nats::connect(self.addresses.split(',').collect::<Vec<_>>())
            .await
            .expect("a server");
        async_nats::jetstream::new(client)
            .delete_stream(STREAM)
            .await
            .expect("it is deleted");
        port.create_stream(&config).await.expect("it is made");
        for mut message in messages {
            message.headers.retain(|(name, _)| {
                !name.starts_with("Nats-Expected") && !name.starts_with("Nats-Batch")
            });
            port.publish(message).await.expect("it is stored");
        }
        let store = self.open("broken").await;
        *self.store.lock().expect("no panic") = store;
    }
}
