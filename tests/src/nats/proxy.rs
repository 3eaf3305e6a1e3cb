//! A stranger between clients and a server: it cuts connections, loses messages, and tells another
//! version.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

/// Passes on what clients and a server say to each other, until it is told otherwise.
#[derive(Debug)]
pub struct NatsProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    orders: Mutex<Orders>,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Orders {
    /// What the server is said to be, in place of what it says.
    version: Option<String>,
    cut: Option<Cut>,
    cuts: u64,
    /// What is kept from the server: a part of the subject, and how many more messages.
    loses: Option<(String, u64)>,
    /// Who connects is turned away: from now on, or from the next cut on.
    is_away: bool,
    goes_away: bool,
}

/// Where a connection is cut in what a client publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// In the middle of the next message with headers.
    Message,
    /// Behind the next message with headers, so that its answer is lost.
    Answer,
    /// In the middle of a message of the next atomic batch, behind so many whole ones.
    Batch(u64),
    /// Behind the next atomic batch, so that its answer is lost.
    BatchAnswer,
}

impl NatsProxy {
    /// Begins to pass on, for a server at `address`.
    ///
    /// # Panics
    ///
    /// When there is no port.
    pub fn start(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it listens").port();
        let shared = Arc::new(Shared {
            server: address.to_owned(),
            orders: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let passing = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if passing.is_over.load(Ordering::Acquire) {
                    return;
                }
                let is_away = passing.orders().is_away;
                // A client that has gone again, or a server that is away, is no fault of ours.
                if let Ok(client) = client
                    && !is_away
                {
                    let _ = pass(&passing, &client);
                }
            }
        });
        Self { port, shared }
    }

    /// The address for clients.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// The address without scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From the next connection on, says that the server is of this version.
    pub fn tell_version(&self, version: &str) {
        self.shared.orders().version = Some(version.to_owned());
    }

    /// Cuts a connection, once.
    pub fn cut(&self, cut: Cut) {
        self.shared.orders().cut = Some(cut);
    }

    /// Cuts a connection, once, and turns away who connects from then on, until it is
    /// [back](Self::be_back).
    pub fn cut_and_go_away(&self, cut: Cut) {
        let mut orders = self.shared.orders();
        orders.cut = Some(cut);
        orders.goes_away = true;
    }

    /// Lets clients connect again.
    pub fn be_back(&self) {
        self.shared.orders().is_away = false;
    }

    /// Keeps so many messages from the server whose subjects contain `part`, the next ones.
    pub fn lose(&self, part: &str, count: u64) {
        self.shared.orders().loses = Some((part.to_owned(), count));
    }

    /// How many of the messages that are to be [lost](Self::lose) were not sent yet.
    pub fn left_to_lose(&self) -> u64 {
        let orders = self.shared.orders();
        orders.loses.as_ref().map_or(0, |(_, left)| *left)
    }

    /// How many connections were cut so far.
    pub fn cuts(&self) -> u64 {
        self.shared.orders().cuts
    }
}

impl Drop for NatsProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // It wakes the listener.
        let _ = TcpStream::connect(self.address());
    }
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders
            .lock()
            .expect("no code panics while it holds the lock")
    }
}

/// Begins to pass on between a client and the server, on a thread for each direction.
fn pass(shared: &Arc<Shared>, client: &TcpStream) -> io::Result<()> {
    let server = TcpStream::connect(&shared.server)?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
    }
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (from_client, from_server) = (client.try_clone()?, server);
    let (told, telling) = (Arc::clone(shared), Arc::clone(shared));
    std::thread::spawn(move || {
        let _ = tell(&telling, &from_server, &to_client);
        // What is not read when a connection ends may take with it what was written to it before.
        let _ = io::copy(&mut &from_server, &mut io::sink());
        let _ = to_client.shutdown(Shutdown::Both);
    });
    std::thread::spawn(move || {
        let _ = listen(&told, &from_client, &to_server);
        let _ = from_client.shutdown(Shutdown::Both);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    Ok(())
}

/// Passes on what the server says.
fn tell(shared: &Shared, server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
    let mut server = BufReader::new(server);
    let mut greeting = String::new();
    server.read_line(&mut greeting)?;
    let version = shared.orders().version.clone();
    if let (Some(version), Some(info)) = (version, greeting.strip_prefix("INFO ")) {
        let mut info: Value = serde_json::from_str(info)?;
        info["version"] = version.into();
        greeting = format!("INFO {info}\r\n");
    }
    client.write_all(greeting.as_bytes())?;
    io::copy(&mut server, &mut client)?;
    Ok(())
}

/// Passes on what the client says, until it is to be cut.
fn listen(shared: &Shared, client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut said = Vec::new();
    loop {
        said.clear();
        if reader.read_until(b'\n', &mut said)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&said).into_owned();
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        if matches!(verb, "PUB" | "HPUB") {
            let subject = words.next().unwrap_or_default();
            let is_lost = shared.orders().is_lost(subject);
            let size = words.next_back().and_then(|size| size.parse().ok());
            let size: u64 = size.ok_or(io::ErrorKind::InvalidData)?;
            let whole = size + "\r\n".len() as u64;
            (&mut reader).take(whole).read_to_end(&mut said)?;
            if is_lost {
                continue;
            }
        }
        if verb != "HPUB" {
            server.write_all(&said)?;
            continue;
        }
        match shared.orders().judge(&said) {
            Part::Whole => server.write_all(&said)?,
            Part::Half => {
                server.write_all(&said[..said.len() / 2])?;
                return Ok(());
            }
            Part::WholeWithoutAnswer => {
                client.shutdown(Shutdown::Both)?;
                server.write_all(&said)?;
                return Ok(());
            }
        }
    }
}

/// How much of a message is passed on.
enum Part {
    Whole,
    Half,
    WholeWithoutAnswer,
}

impl Orders {
    fn is_lost(&mut self, subject: &str) -> bool {
        match &mut self.loses {
            Some((part, left)) if *left > 0 && subject.contains(part.as_str()) => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    fn judge(&mut self, message: &[u8]) -> Part {
        let has = |name: &str| {
            message
                .windows(name.len())
                .any(|part| part == name.as_bytes())
        };
        let (is_batch, is_last) = (has("Nats-Batch-Id:"), has("Nats-Batch-Commit:"));
        let part = match &mut self.cut {
            Some(Cut::Message) => Part::Half,
            Some(Cut::Answer) => Part::WholeWithoutAnswer,
            Some(Cut::Batch(0)) if is_batch => Part::Half,
            Some(Cut::Batch(left)) if is_batch => {
                *left -= 1;
                return Part::Whole;
            }
            Some(Cut::BatchAnswer) if is_last => Part::WholeWithoutAnswer,
            _ => return Part::Whole,
        };
        self.cut = None;
        self.cuts += 1;
        self.is_away = std::mem::take(&mut self.goes_away);
        part
    }
}
