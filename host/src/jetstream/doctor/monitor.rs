//! The monitoring port of a server, `http://host:8222/varz`.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::Value;

use super::facts::{ServerSettings, Unseen};

/// How long one step of a request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read: a `/varz` has some kilobytes.
const MAX_ANSWER: u64 = 4 << 20;

/// Reads the settings of a server. Blocks for some seconds at most.
pub(super) fn settings(url: &str) -> Result<ServerSettings, Unseen> {
    let unseen = |why: String| Unseen {
        why: format!("`{url}`: {why}"),
    };
    let (address, path) = parse(url).map_err(|why| unseen(why.to_owned()))?;
    let answer = get(&address, &path).map_err(|error| unseen(error.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200") {
        return Err(unseen(format!("it answers `{status}`")));
    }
    serde_json::from_str::<Value>(body)
        .ok()
        .and_then(|varz| ServerSettings::read(&varz))
        .ok_or_else(|| unseen("this is no monitoring port of nats-server".to_owned()))
}

/// The address and the path of `/varz`.
fn parse(url: &str) -> Result<(String, String), &'static str> {
    let Some(rest) = url.strip_prefix("http://") else {
        return Err("expected `http://HOST:PORT`; ask the server's own machine if it has TLS only");
    };
    let (host, base) = rest.split_once('/').unwrap_or((rest, ""));
    let base = base.trim_end_matches('/').trim_end_matches("varz");
    let address = match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
        _ => format!("{host}:8222"),
    };
    let base = base.trim_matches('/');
    let path = match base {
        "" => "/varz".to_owned(),
        base => format!("/{base}/varz"),
    };
    Ok((address, path))
}

/// One request; HTTP/1.0, so that the answer comes in one piece.
fn get(address: &str, path: &str) -> io::Result<String> {
    let mut fault = io::Error::from(io::ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let host = address.to_string();
                write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
                let mut answer = String::new();
                stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
                return Ok(answer);
            }
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_port_and_path() {
        let parsed = |url| parse(url).map(|(address, path)| format!("{address} {path}"));
        for (url, expect) in [
            ("http://h", "h:8222 /varz"),
            ("http://h:9000/", "h:9000 /varz"),
            ("http://h:9000/varz", "h:9000 /varz"),
            ("http://h/nats/varz", "h:8222 /nats/varz"),
            ("http://[::1]:8222", "[::1]:8222 /varz"),
        ] {
            assert_eq!(parsed(url).as_deref(), Ok(expect), "{url}");
        }
        assert!(parsed("https://h").is_err());
    }
}
