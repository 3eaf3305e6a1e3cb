//! Addresses of NATS servers as people write them.
//!
//! `nats://[user:password@|token@]host[:port][,host[:port]…][/STREAM]`. A further server may have
//! the scheme and the user information once more. With `tls://` the connection is encrypted or not
//! made.

use std::fmt;
use std::net::Ipv6Addr;

use super::{Login, Server};
use crate::config::{NAME, is_name};
use crate::secret::Secret;

/// The port of NATS.
const PORT: u16 = 4222;

/// What an address says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Address {
    /// None where the host is left out.
    pub(super) servers: Vec<Server>,
    pub(super) login: Option<Login>,
    pub(super) tls: bool,
    pub(super) stream: Option<String>,
}

/// Why a text is no address. What was found is left out where it may be a part of a password.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UrlFault {
    /// Another scheme.
    Scheme {
        /// The scheme.
        found: String,
    },
    /// NATS over WebSocket.
    WebSocket,
    /// There is no host, or it is none.
    Host {
        /// The host.
        found: Option<String>,
    },
    /// It is no port.
    Port {
        /// The port.
        found: Option<String>,
    },
    /// User, password or token is empty or has characters that a URL cannot have.
    User,
    /// Two servers have two logins.
    TwoUsers,
    /// It has a query or a fragment.
    Query,
    /// What follows the host is no name of a stream.
    Stream {
        /// What follows.
        found: Option<String>,
    },
}

/// Takes an address; the host may be left out.
pub(super) fn parse(text: &str) -> Result<Address, UrlFault> {
    // A password with a comma in it may stand in any entry.
    let hidden = text.contains('@');
    let found = |part: &str| (!hidden).then(|| part.to_owned());
    let mut address = Address::default();
    let entries: Vec<&str> = text.split(',').map(str::trim).collect();
    for (index, entry) in entries.iter().enumerate() {
        let rest = match entry.split_once("://") {
            None => entry,
            Some((scheme, rest)) => {
                match scheme.to_ascii_lowercase().as_str() {
                    "nats" => {}
                    "tls" => address.tls = true,
                    "ws" | "wss" => return Err(UrlFault::WebSocket),
                    _ if scheme.chars().all(|c| c.is_ascii_alphanumeric()) && !hidden => {
                        let found = scheme.to_owned();
                        return Err(UrlFault::Scheme { found });
                    }
                    _ => return Err(UrlFault::User),
                }
                rest
            }
        };
        if rest.contains(['?', '#']) {
            return Err(UrlFault::Query);
        }
        let (authority, path) = match rest.split_once('/') {
            // A slash within a password ends the host for every reader of URLs.
            Some((_, path)) if path.contains('@') => return Err(UrlFault::User),
            Some((authority, path)) => (authority, path),
            None => (rest, ""),
        };
        if !path.is_empty() {
            if index + 1 != entries.len() || !is_name(path) {
                return Err(UrlFault::Stream { found: found(path) });
            }
            address.stream = Some(path.to_owned());
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if let Some(user) = user {
            let login = login(user)?;
            if address
                .login
                .replace(login.clone())
                .is_some_and(|other| other != login)
            {
                return Err(UrlFault::TwoUsers);
            }
        }
        if host.is_empty() && user.is_none() && entries.len() == 1 {
            return Ok(address);
        }
        address.servers.push(server(host, found)?);
    }
    Ok(address)
}

/// `user:password` or `token`.
fn login(text: &str) -> Result<Login, UrlFault> {
    let (user, password) = match text.split_once(':') {
        None => return Ok(Login::Token(decoded(text)?)),
        Some((user, password)) => (decoded(user)?, decoded(password)?),
    };
    let user = user.expose().to_owned();
    Ok(Login::Password { user, password })
}

/// `host`, `host:port` or `[v6]:port`.
fn server(text: &str, found: impl Fn(&str) -> Option<String>) -> Result<Server, UrlFault> {
    let no_host = || UrlFault::Host { found: found(text) };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(no_host)?;
            host.parse::<Ipv6Addr>().map_err(|_| no_host())?;
            let port = match rest.strip_prefix(':') {
                None if rest.is_empty() => None,
                None => return Err(no_host()),
                port => port,
            };
            (host, port)
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            let in_host = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if host.is_empty() || !host.chars().all(in_host) {
                return Err(no_host());
            }
            (host, port)
        }
    };
    let port = match port {
        None => PORT,
        Some(text) => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let port = text.parse().ok().filter(|port| digits && *port != 0);
            port.ok_or_else(|| UrlFault::Port { found: found(text) })?
        }
    };
    let host = host.to_ascii_lowercase();
    Ok(Server { host, port })
}

/// A part of the user information without its percent signs.
fn decoded(text: &str) -> Result<Secret, UrlFault> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(UrlFault::User);
        };
        bytes.push(16 * high + low);
    }
    // The characters that end a line would go to the server as a new command of ours.
    let text = String::from_utf8(bytes).map_err(|_| UrlFault::User)?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(UrlFault::User);
    }
    Ok(text.into())
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |f: &mut fmt::Formatter<'_>, found: &Option<String>| match found {
            Some(found) => write!(f, ", found `{found}`"),
            None => Ok(()),
        };
        match self {
            Self::Scheme { found } => write!(f, "expected `nats://` or `tls://`, found `{found}:`"),
            Self::WebSocket => f.write_str("expected `nats://` or `tls://`: NATS over WebSocket is for browsers"),
            Self::Host { found } => {
                f.write_str("expected a host name or an address")?;
                said(f, found)
            }
            Self::Port { found } => {
                f.write_str("expected a port from 1 to 65535")?;
                said(f, found)
            }
            Self::User => f.write_str(
                "expected `user:password@` or `token@`, with other characters than letters and digits as `%` and two hexadecimal digits",
            ),
            Self::TwoUsers => f.write_str("expected one user for all servers, found two"),
            Self::Query => f.write_str("expected neither `?` nor `#`"),
            Self::Stream { found } => {
                write!(f, "expected nothing after the last host but `/` and a stream: {NAME}")?;
                said(f, found)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let address = parse(text).unwrap_or_else(|fault| panic!("`{text}`: {fault}"));
        let servers: Vec<_> = address.servers.iter().map(Server::to_string).collect();
        let login = match &address.login {
            None => String::new(),
            Some(Login::Token(token)) => format!(" token {}", token.expose()),
            Some(Login::Password { user, password }) => {
                format!(" user {user} password {}", password.expose())
            }
            Some(other) => panic!("{other:?}"),
        };
        let tls = if address.tls { " tls" } else { "" };
        let stream = address
            .stream
            .map_or(String::new(), |name| format!(" stream {name}"));
        format!("{}{login}{tls}{stream}", servers.join(" "))
    }

    #[test]
    fn addresses_are_taken() {
        for (text, expect) in [
            ("nats://localhost", "localhost:4222"),
            ("localhost", "localhost:4222"),
            ("NATS://Host.Example:1/", "host.example:1"),
            ("nats://h/CIM-EVENTS", "h:4222 stream CIM-EVENTS"),
            ("nats://a:1,b:2,c/S", "a:1 b:2 c:4222 stream S"),
            ("nats://a, nats://b:2", "a:4222 b:2"),
            ("tls://h:7", "h:7 tls"),
            ("nats://a,tls://b", "a:4222 b:4222 tls"),
            ("nats://u:p@h", "h:4222 user u password p"),
            (
                "nats://u:a%40b%2Fc%3A%25@h/S",
                "h:4222 user u password a@b/c:% stream S",
            ),
            ("nats://u:p:q@h", "h:4222 user u password p:q"),
            ("nats://t%C3%A4@h", "h:4222 token tä"),
            ("nats://u:p@a,b", "a:4222 b:4222 user u password p"),
            (
                "nats://u:p@a,nats://u:p@b",
                "a:4222 b:4222 user u password p",
            ),
            (
                "nats://[::1]:5/S",
                "::1:5 stream S".replace("::1:5", "[::1]:5").as_str(),
            ),
            ("nats://[fe80::1]", "[fe80::1]:4222"),
            ("nats://10.0.0.1", "10.0.0.1:4222"),
            ("nats:///S", " stream S"),
            ("nats://", ""),
        ] {
            assert_eq!(shown(text), expect, "{text}");
        }
    }

    #[test]
    fn faults_are_named() {
        let user = "expected `user:password@` or `token@`, with other characters than letters and \
                    digits as `%` and two hexadecimal digits";
        let stream = format!("expected nothing after the last host but `/` and a stream: {NAME}");
        for (text, expect) in [
            ("http://h", "expected `nats://` or `tls://`, found `http:`"),
            (
                "wss://h",
                "expected `nats://` or `tls://`: NATS over WebSocket is for browsers",
            ),
            ("nats://h:0", "expected a port from 1 to 65535, found `0`"),
            ("nats://h:+1", "expected a port from 1 to 65535, found `+1`"),
            (
                "nats://h:65536",
                "expected a port from 1 to 65535, found `65536`",
            ),
            ("nats://h:", "expected a port from 1 to 65535, found ``"),
            (
                "nats://a b",
                "expected a host name or an address, found `a b`",
            ),
            (
                "nats://::1",
                "expected a host name or an address, found `::1`",
            ),
            (
                "nats://[x]",
                "expected a host name or an address, found `[x]`",
            ),
            (
                "nats://a,,b",
                "expected a host name or an address, found ``",
            ),
            ("nats://h/a/b", &format!("{stream}, found `a/b`")),
            ("nats://h/S,i", &format!("{stream}, found `S`")),
            ("nats://u:p@h/a.b", &stream),
            ("nats://h?x=1", "expected neither `?` nor `#`"),
            ("nats://@h", user),
            ("nats://:p@h", user),
            ("nats://u:@h", user),
            ("nats://u:%4@h", user),
            ("nats://u:%0d%0aPUB@h", user),
            ("nats://u:pass/word@h", user),
            (
                "nats://u:p@a,v:p@b",
                "expected one user for all servers, found two",
            ),
        ] {
            let fault = parse(text).expect_err(text);
            assert_eq!(fault.to_string(), expect, "{text}");
        }
    }

    #[test]
    fn no_fault_shows_a_part_of_a_password() {
        for text in [
            "nats://user:hunter,2@h",
            "nats://user:hun,ter:hunter@h",
            "nats://user:hunter2@h/a b",
            "nats://user:hunter2@h:x",
            "nats://user:hunter2@",
            "nats://user:hun://ter@h",
            "nats://user:hunter/2@h",
            "nats://user:hunter?2@h",
            "nats://user:hunter%2@h",
            "hunter://user:p@h",
        ] {
            let fault = parse(text).expect_err(text);
            assert!(!fault.to_string().contains("hunter"), "{text}: {fault}");
            assert!(
                !format!("{fault:?}").contains("hunter"),
                "{text}: {fault:?}"
            );
        }
    }
}
