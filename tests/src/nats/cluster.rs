//! Several servers on one machine that are one cluster.

use std::io;
use std::time::{Duration, Instant};

use cim_host::clock;
use serde_json::{Value, json};

use super::process::unused_port;
use super::wire::Wire;
use super::{ANSWER, LOOK, NatsServer, PATIENCE, ServerOptions, is_port_taken};

/// How long an answer is waited for that would be asked for again: while there is no leader, none
/// comes.
const POLL: Duration = Duration::from_millis(500);

/// A cluster of servers that all may be asked without a password.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts `count` servers and waits until they can make a stream with a replica on each.
    ///
    /// # Panics
    ///
    /// When the program is missing, or the servers do not find together.
    pub fn start(count: usize) -> Self {
        Self::start_with(count, &ServerOptions::default())
    }

    /// The same with options, which hold for each. Without JetStream it waits until they know each
    /// other.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and when the options have JetStream and leave our access out.
    pub fn start_with(count: usize, options: &ServerOptions) -> Self {
        loop {
            // A port that was unused may be one of another cluster by now: those do not mix.
            let name = clock::store_id().simple();
            let ports: Vec<_> = (0..count).map(|_| (unused_port(), unused_port())).collect();
            let servers = ports.iter().enumerate().map(|(at, (port, route))| {
                // Each seeks the next one alone. Two that seek each other close one of the
                // connections, and with it goes what was under way.
                let (_, next) = ports[(at + 1) % count];
                let cluster = format!(
                    "cluster {{\n  name: \"tests-{name}\"\n  listen: \"127.0.0.1:{route}\"\n  \
                     routes: [\"nats://127.0.0.1:{next}\"]\n}}\n"
                );
                NatsServer::new(*port, cluster, options.clone())
            });
            let mut cluster = Self {
                servers: servers.collect(),
            };
            cluster.servers.iter_mut().for_each(NatsServer::run);
            let mut servers = cluster.servers.iter_mut();
            match servers.try_for_each(NatsServer::wait_until_greeting) {
                Ok(()) => {
                    cluster.wait_until_together();
                    if options.jetstream {
                        cluster.wait_until_it_replicates();
                    }
                    return cluster;
                }
                Err(log) => assert!(is_port_taken(&log), "nats-server ended:\n{log}"),
            }
        }
    }

    /// The servers, by index.
    pub fn servers(&self) -> &[NatsServer] {
        &self.servers
    }

    /// One server.
    pub fn server(&self, index: usize) -> &NatsServer {
        &self.servers[index]
    }

    /// The address of all servers for clients, `nats://127.0.0.1:<port>,127.0.0.1:<port>,…`.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.servers.iter().map(NatsServer::address).collect();
        format!("nats://{}", addresses.join(","))
    }

    /// The index of the server that leads a stream at present, once there is one that runs.
    ///
    /// # Panics
    ///
    /// When there is none for long, as without the stream or a majority.
    pub fn leader_of(&self, stream: &str) -> usize {
        self.wait_for(&format!("a leader of `{stream}`"), || {
            let leader = self.stream(stream)?["cluster"]["leader"]
                .as_str()?
                .to_owned();
            self.servers
                .iter()
                .position(|server| server.is_running() && server.name == leader)
        })
    }

    /// Lets a server lead a stream of which it has a replica, for comparisons of streams: which one
    /// leads is a matter of chance, and who asks another one waits longer.
    ///
    /// # Panics
    ///
    /// When it does not for long.
    pub fn lead(&self, stream: &str, index: usize) {
        let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}");
        let body = json!({ "placement": { "preferred": self.servers[index].name } });
        self.wait_until_current(stream);
        self.wait_for(&format!("leader of `{stream}`"), || {
            if self.leader_of(stream) == index {
                return Some(());
            }
            // It may have another leader by now, or none.
            let _ = self.ask_for(POLL, &subject, &body);
            None
        });
    }

    /// Waits until every replica of a stream has all that its leader has.
    ///
    /// # Panics
    ///
    /// When that takes long, as while a server is down.
    pub fn wait_until_current(&self, stream: &str) {
        self.wait_for(&format!("all replicas of `{stream}`"), || {
            let info = self.stream(stream)?;
            let wanted = info["config"]["num_replicas"].as_u64()?;
            let replicas = info["cluster"]["replicas"].as_array()?;
            let current = replicas
                .iter()
                .filter(|replica| replica["current"] == true && replica["offline"] != true);
            (current.count() as u64 + 1 == wanted).then_some(())
        });
    }

    /// One server, to be changed.
    pub fn server_mut(&mut self, index: usize) -> &mut NatsServer {
        &mut self.servers[index]
    }

    /// Ends a server without warning.
    pub fn kill9(&mut self, index: usize) {
        self.servers[index].kill9();
    }

    /// Starts a server again in its folder and on its port, after stopping it if it runs.
    ///
    /// # Panics
    ///
    /// When it ends at once, with what it logged.
    pub fn restart(&mut self, index: usize) {
        self.servers[index].restart();
    }

    /// A stream as its leader describes it.
    fn stream(&self, name: &str) -> Option<Value> {
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        self.ask_for(POLL, &subject, &json!({})).ok()
    }

    /// The first answer that a server has.
    ///
    /// # Errors
    ///
    /// As of [`NatsServer::ask`], for the last server that runs.
    pub fn ask(&self, subject: &str, body: &Value) -> io::Result<Value> {
        self.ask_for(ANSWER, subject, body)
    }

    fn ask_for(&self, patience: Duration, subject: &str, body: &Value) -> io::Result<Value> {
        let mut failure = io::Error::other("no server runs");
        for server in self.servers.iter().filter(|server| server.is_running()) {
            match server.ask_for(patience, subject, body) {
                Ok(answer) => return Ok(answer),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Waits until all servers know all others: they greet before they have found each other.
    ///
    /// # Panics
    ///
    /// When that takes long, as while a server is down.
    pub fn wait_until_together(&self) {
        for server in &self.servers {
            self.wait_for("server that knows all others", || {
                let greeting = Wire::greeting(&server.address()).ok()?;
                let known = greeting["connect_urls"].as_array()?;
                (known.len() == self.servers.len()).then_some(())
            });
        }
    }

    /// They have found each other before they have chosen a leader. A stream needs a majority only, so
    /// it may be there before its last server is.
    fn wait_until_it_replicates(&self) {
        let stream = json!({
            "name": "cim-ready",
            "subjects": ["cim-ready"],
            "storage": "memory",
            "num_replicas": self.servers.len(),
        });
        self.wait_for("a cluster that replicates", || {
            self.ask_for(POLL, "$JS.API.STREAM.CREATE.cim-ready", &stream)
                .ok()
        });
        self.wait_until_current("cim-ready");
        for server in &self.servers {
            self.wait_for("server that knows of the first stream", || {
                server.ask_for(POLL, "cim-ready", &json!({})).ok()
            });
        }
        self.wait_for("the end of the first stream", || {
            self.ask_for(POLL, "$JS.API.STREAM.DELETE.cim-ready", &json!({}))
                .ok()
        });
    }

    fn wait_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "there is no {what}");
            std::thread::sleep(LOOK);
        }
    }
}
