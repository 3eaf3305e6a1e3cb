//! As much of the protocol of NATS as the helpers need, so that they do not rest on what they test.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// How long a server may take to greet; one that starts is asked again.
const GREETING: Duration = Duration::from_secs(1);

/// A connection of a user who needs no password.
#[derive(Debug)]
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    /// What a server says first, its INFO.
    pub(super) fn greeting(address: &str) -> io::Result<Value> {
        Ok(Self::open(address, GREETING)?.1)
    }

    /// Connects and waits until the server has taken us. No answer may take longer than `patience`.
    pub(super) fn connect(address: &str, patience: Duration) -> io::Result<Self> {
        let (mut wire, _) = Self::open(address, patience)?;
        let options = r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#;
        wire.send(format!("CONNECT {options}\r\nSUB inbox 1\r\nPING\r\n").as_bytes())?;
        while wire.line()? != "PONG" {}
        Ok(wire)
    }

    fn open(address: &str, patience: Duration) -> io::Result<(Self, Value)> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(patience))?;
        let mut wire = Self {
            stream: BufReader::new(stream),
        };
        let line = wire.line()?;
        let info = line
            .strip_prefix("INFO ")
            .ok_or_else(|| unexpected(&line))?;
        let info = serde_json::from_str(info)?;
        Ok((wire, info))
    }

    /// Sends a request and waits for the first answer, as JSON.
    pub(super) fn request(&mut self, subject: &str, body: &Value) -> io::Result<Value> {
        let body = body.to_string();
        self.send(format!("PUB {subject} inbox {}\r\n{body}\r\n", body.len()).as_bytes())?;
        self.answer()
    }

    /// The same with a block of headers, whatever it is.
    pub(super) fn publish(&mut self, subject: &str, block: &[u8], body: &str) -> io::Result<Value> {
        let (headers, all) = (block.len(), block.len() + body.len());
        let begin = format!("HPUB {subject} inbox {headers} {all}\r\n");
        self.send(&[begin.as_bytes(), block, body.as_bytes(), b"\r\n"].concat())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Value> {
        loop {
            let line = self.line()?;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["MSG", .., bytes] => return Ok(serde_json::from_slice(&self.payload(bytes)?)?),
                // Headers come only with the status of a request that nobody answers.
                ["HMSG", .., bytes] => {
                    let status = self.payload(bytes)?;
                    return Err(unexpected(&String::from_utf8_lossy(&status)));
                }
                ["PING"] => self.send(b"PONG\r\n")?,
                _ => {}
            }
        }
    }

    fn payload(&mut self, bytes: &str) -> io::Result<Vec<u8>> {
        let length: usize = bytes.parse().map_err(|_| unexpected(bytes))?;
        let mut payload = vec![0; length + "\r\n".len()];
        self.stream.read_exact(&mut payload)?;
        payload.truncate(length);
        Ok(payload)
    }

    /// The next line; an error of the server is ours.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        if line.starts_with("-ERR") {
            return Err(unexpected(&line));
        }
        Ok(line)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }
}

fn unexpected(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text.to_owned())
}
