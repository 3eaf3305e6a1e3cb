//! The connection to NATS: made within seconds or told why not, then kept up.

mod credentials;
mod error;
mod tls;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::rustls::{self, AlertDescription, CertificateError};
use async_nats::{
    AuthError, Client, ConnectError as ClientError, ConnectErrorKind, ConnectOptions, ServerAddr,
    ServerError,
};
use cim_core::policy::Backoff;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

pub use self::error::{ConnectError, LoginHint, TlsFault};

use self::credentials::Credentials;
use super::client::JetStreamClient;
use super::options::{Login, NatsOptions, Server};
use super::refusals::Refusals;
use crate::clock;

/// How long a server is tried alone before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(300);

/// The waits between attempts to connect again. Clients that lost the same server come back at
/// different times.
const RECONNECT: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(4),
};

impl JetStreamClient {
    /// Connects to the first server that takes us. From then on it connects again by itself, to any
    /// of the servers and those that they tell of.
    ///
    /// Whether there is JetStream behind it, the first call will tell.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], at the latest when [`NatsOptions::connect_within`] is over.
    pub async fn connect(options: &NatsOptions) -> Result<Self, ConnectError> {
        let refusals = Refusals::default();
        let client = connect(options, &refusals).await?;
        Ok(Self::new(
            client,
            &options.api.prefix(),
            options.answer_within,
            refusals,
        ))
    }
}

/// Connects; `refusals` is told what the server refuses later.
pub(super) async fn connect(
    options: &NatsOptions,
    refusals: &Refusals,
) -> Result<Client, ConnectError> {
    // What can be wrong without a server is told without one.
    let credentials = Credentials::read(&options.login)?;
    let settings = settings(options, refusals)?;
    let within = options.connect_within;
    let mut waiting = shuffled(options.servers()).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut faults = Vec::new();
    let first = async {
        loop {
            let head_start = match waiting.next() {
                Some(server) => {
                    attempts.push(attempt(server, settings.clone(), within));
                    HEAD_START
                }
                None => within,
            };
            match tokio::time::timeout(head_start, attempts.next()).await {
                Ok(Some((_, Ok(client)))) => return Some(client),
                Ok(Some((server, Err(fault)))) => faults.push((server, fault)),
                Ok(None) if waiting.len() == 0 => return None,
                Ok(None) | Err(_) => {}
            }
        }
    };
    let connected = tokio::time::timeout(within, first).await;
    if let Ok(Some(client)) = connected {
        extend_pool(&client, options).await;
        return Ok(client);
    }
    let fault = |server: &Server| {
        let found = faults.iter().position(|(at, _)| *at == server);
        let fault = found.map_or(Fault::NoAnswer, |index| faults.swap_remove(index).1);
        fault.of(server, options, &credentials)
    };
    let mut faults: Vec<_> = options.servers().iter().map(fault).collect();
    Err(match faults.len() {
        1 => faults.remove(0),
        _ => ConnectError::Several { faults },
    })
}

/// What holds for every server.
fn settings(options: &NatsOptions, refusals: &Refusals) -> Result<ConnectOptions, ConnectError> {
    let login = Arc::new(options.login.clone());
    // The login is read for each connection: its file may be renewed, and nothing secret stays with
    // the client meanwhile.
    let settings = ConnectOptions::with_auth_callback(move |nonce| {
        let login = Arc::clone(&login);
        async move {
            let auth = tokio::task::spawn_blocking(move || {
                Credentials::read(&login).map(|credentials| credentials.auth(&nonce))
            });
            let auth = auth.await.map_err(AuthError::new)?;
            auth.map_err(AuthError::new)
        }
    });
    let refusals = refusals.clone();
    let mut settings = settings
        .name(&options.name)
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            // The first attempt after a loss, or at all, needs no wait.
            let failed = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
            RECONNECT.delay(failed, u64::from_le_bytes(clock::entropy()))
        })
        .request_timeout(Some(options.answer_within))
        .event_callback(move |event| {
            refusals.handle(&event);
            std::future::ready(())
        });
    if let Some(prefix) = &options.inbox_prefix {
        settings = settings.custom_inbox_prefix(prefix);
    }
    tls::configured(settings, &options.tls)
}

/// Tries one server.
async fn attempt(
    server: &Server,
    settings: ConnectOptions,
    within: Duration,
) -> (&Server, Result<Client, Fault>) {
    let connected = async {
        let place = (server.host.as_str(), server.port);
        let looked_up = tokio::net::lookup_host(place);
        // A resolver that does not answer is another fault than a server that does not.
        let addresses = tokio::time::timeout(within.mul_f32(0.8), looked_up)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(Fault::Lookup)?;
        let addresses = u32::try_from(addresses.count().max(1)).unwrap_or(1);
        let address = address(server).map_err(Fault::Lookup)?;
        let settings = settings.connection_timeout(within / addresses);
        settings.connect(address).await.map_err(Fault::Client)
    };
    (server, connected.await)
}

/// After a loss all servers are worth an attempt, also those that were not tried.
async fn extend_pool(client: &Client, options: &NatsOptions) {
    if options.servers().len() == 1 {
        return;
    }
    let told = client.server_pool().await.unwrap_or_default();
    let mut pool: Vec<ServerAddr> = told.into_iter().map(|server| server.addr).collect();
    for server in options.servers() {
        if let Ok(address) = address(server)
            && !pool.contains(&address)
        {
            pool.push(address);
        }
    }
    // It fails only when the client has ended, which the next call will tell.
    let _ = client.set_server_pool(pool.as_slice()).await;
}

fn address(server: &Server) -> io::Result<ServerAddr> {
    server.to_string().parse()
}

/// The servers in a random order, so that not all clients come to the same one.
fn shuffled(servers: &[Server]) -> Vec<&Server> {
    let mut servers: Vec<_> = servers.iter().collect();
    servers.sort_by_cached_key(|_| clock::entropy::<8>());
    servers
}

/// What an attempt came to.
#[derive(Debug)]
enum Fault {
    NoAnswer,
    Lookup(io::Error),
    Client(ClientError),
}

impl Fault {
    fn of(self, server: &Server, options: &NatsOptions, login: &Credentials) -> ConnectError {
        let server = server.clone();
        let within = options.connect_within;
        let error = match self {
            Self::NoAnswer => return ConnectError::NoAnswer { server, within },
            Self::Lookup(source) => return ConnectError::UnknownHost { server, source },
            Self::Client(error) => error,
        };
        if let Some(error) = cause::<rustls::Error>(&error) {
            let why = tls_fault(error);
            return ConnectError::Tls { server, why };
        }
        if let Some(ServerError::Other(why)) = cause(&error) {
            let why = why.clone();
            return ConnectError::TurnedAway { server, why };
        }
        let system = cause::<io::Error>(&error).map(io::Error::kind);
        match error.kind() {
            ConnectErrorKind::TimedOut => ConnectError::NoAnswer { server, within },
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                let hint = hint(options, login);
                let login = options.login.to_string();
                ConnectError::NotAllowed {
                    server,
                    login,
                    hint,
                }
            }
            ConnectErrorKind::Tls => {
                let why = error.source().map(ToString::to_string);
                let why = why.unwrap_or_else(|| error.to_string());
                let why = TlsFault::Handshake { why };
                ConnectError::Tls { server, why }
            }
            _ => match system {
                Some(io::ErrorKind::ConnectionRefused) => ConnectError::NotListening { server },
                Some(io::ErrorKind::TimedOut) => ConnectError::NoAnswer { server, within },
                // The client cannot parse what came.
                Some(io::ErrorKind::InvalidInput) => ConnectError::NotNats { server },
                _ => ConnectError::Broken {
                    server,
                    source: Box::new(error),
                },
            },
        }
    }
}

fn hint(options: &NatsOptions, login: &Credentials) -> LoginHint {
    match (&options.login, &options.other_context) {
        (Login::None, Some(name)) => LoginHint::OtherContext { name: name.clone() },
        (Login::None, None) => LoginHint::NoLogin,
        _ => match login.expired(clock::now()) {
            Some(at) => LoginHint::Expired { at },
            None => LoginHint::Wrong {
                origin: options.login_origin.clone(),
            },
        },
    }
}

fn tls_fault(error: &rustls::Error) -> TlsFault {
    match error {
        rustls::Error::InvalidMessage(_) => TlsFault::NotSpoken,
        rustls::Error::InvalidCertificate(fault) => match fault {
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::OtherName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::OutOfTime,
            _ => TlsFault::Handshake {
                why: error.to_string(),
            },
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => TlsFault::OurCertificate,
        _ => TlsFault::Handshake {
            why: error.to_string(),
        },
    }
}

/// The first error of a kind among an error and its causes. An I/O error has its own within it.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
