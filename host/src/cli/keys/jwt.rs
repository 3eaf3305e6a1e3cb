//! `cim keys jwt`.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cim_core::creds::token_in;
use cim_core::jwt::{
    AccountClaims, Body, Claims, Finding, JwtError, Kind, Known, Level, Login, MAX_TOKEN_LEN,
    OperatorClaims, ServerVersion, Token, judge,
};
use cim_core::time::Timestamp;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, say};
use crate::clock;
use crate::secret::Secret;

/// The longest file with a token: creds have a few lines around it.
const MAX_FILE_LEN: u64 = MAX_TOKEN_LEN as u64 + (64 << 10);

#[derive(Debug, Subcommand)]
pub(crate) enum Jwt {
    /// Show what a token says
    Decode(Decode),
    /// Say whether a server would take a token
    Validate(Validate),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys jwt decode user.creds
  cim keys jwt decode account.jwt --json
  nsc describe account --raw | cim keys jwt decode -

The file is a token, creds, or any text with a token between lines of dashes. Its signature is checked;
whether a server would take it, `cim keys jwt validate` says.")]
pub(crate) struct Decode {
    /// The file, or `-` for standard input
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys jwt validate user.creds
  cim keys jwt validate user.creds --account account.jwt --operator operator.jwt
  cim keys jwt validate account.jwt --operator operator.jwt --server 2.12.14
  cim keys jwt validate user.creds --at 2027-01-01T00:00:00Z

The exit code is 0 for a token that a server would take, and 6 for one that it would refuse. Without
--account and --operator, only what the token itself says is looked at.")]
pub(crate) struct Validate {
    /// The file, or `-` for standard input
    file: PathBuf,
    /// The token of the account that a user is of
    #[arg(long, value_name = "FILE")]
    account: Option<PathBuf>,
    /// The token of the operator that the server trusts
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// At which time; now by default
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// From which address a user connects, if that is to be looked at
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// In which way a user connects
    #[arg(long, value_name = "TYPE", default_value = "STANDARD")]
    connection_type: String,
    /// The version of the server, from 2.12.0 on
    #[arg(long, value_name = "VERSION", value_parser = parse_version, default_value_t)]
    server: ServerVersion,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = Timestamp::parse_lenient(text).map_err(|error| error.to_string())?;
    Ok(time.timestamp)
}

fn parse_version(text: &str) -> Result<ServerVersion, String> {
    let version = text
        .parse()
        .map_err(|()| "expected three numbers, such as `2.15.1`".to_owned())?;
    match version >= ServerVersion::OLDEST {
        true => Ok(version),
        false => Err(format!(
            "the rules of servers before {} are not known here",
            ServerVersion::OLDEST
        )),
    }
}

impl Jwt {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Decode(command) => command.run(out),
            Self::Validate(command) => command.run(out),
        }
    }
}

impl Decode {
    fn run(self, out: &mut Output) -> Result<(), Failure> {
        let token = read(&self.file)?;
        let payload = Value::Object(token.payload().clone());
        if self.json {
            return out.json(&json!({
                "schema": "cim.keys.jwt.decode/v1",
                "kind": token.kind().name(),
                "version": token.version(),
                "issuer": token.issuer(),
                "payload": payload,
            }));
        }
        let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
        let time = |name: &str| {
            payload[name]
                .as_i64()
                .filter(|second| *second != 0)
                .map(second)
        };
        for (name, value) in [
            ("kind", Some(token.kind().to_string())),
            ("version", Some(token.version().to_string())),
            ("name", Some(text("name"))),
            ("subject", Some(text("sub"))),
            ("issuer", Some(token.issuer().to_string())),
            ("issued", time("iat")),
            ("begins", time("nbf")),
            ("ends", time("exp").or(Some("never".to_owned()))),
            ("id", Some(text("jti"))),
        ] {
            if let Some(value) = value {
                out.line(&format!("{name:<8}  {value}"))?;
            }
        }
        let mut claims = payload["nats"].clone();
        if let Value::Object(claims) = &mut claims {
            for name in ["type", "version"] {
                claims.remove(name);
            }
        }
        let claims = serde_json::to_string_pretty(&claims).expect("JSON is written");
        out.line(&format!("claims    {claims}"))
    }
}

impl Validate {
    fn run(self, out: &mut Output) -> Result<(), Failure> {
        let at = self.at.unwrap_or_else(clock::now);
        let token = match read(&self.file) {
            Ok(token) => token,
            // That it is no token is the verdict.
            Err(failure) if failure.exit == Exit::Broken && self.json => {
                let finding = json!({
                    "level": Level::Error, "code": failure.code, "path": "",
                    "text": failure.message,
                });
                out.json(&document(None, json!([finding]), false))?;
                return Err(Failure {
                    quiet: true,
                    ..failure
                });
            }
            Err(failure) => return Err(failure),
        };
        let findings = self.findings(&token, at)?;
        if self.json {
            let is_taken = !findings.iter().any(Finding::is_refused);
            out.json(&document(Some(token.kind()), json!(findings), is_taken))?;
        } else {
            for finding in &findings {
                out.line(&format!(
                    "{:<7}  {}: {finding}",
                    finding.level.name(),
                    finding.code
                ))?;
            }
        }
        out.flush()?;
        if findings.iter().any(Finding::is_refused) {
            let message = "a server would refuse this token";
            let mut failure = Failure::new(Exit::Broken, "jwt-refused", message);
            failure.quiet = self.json;
            return Err(failure);
        }
        if !self.json {
            say("A server would take this token.");
        }
        Ok(())
    }

    fn findings(&self, token: &Token, at: Timestamp) -> Result<Vec<Finding>, Failure> {
        let kind = token.kind();
        if self.account.is_some() && kind != Kind::User {
            let text = format!("`--account` is for tokens of users, and this is one of an {kind}");
            return Err(Failure::usage(text).help("leave `--account` out"));
        }
        let operator = self
            .operator
            .as_deref()
            .map(claims_of::<OperatorClaims>)
            .transpose()?;
        let account = self
            .account
            .as_deref()
            .map(claims_of::<AccountClaims>)
            .transpose()?;
        let known = Known {
            account: account.as_ref(),
            operator: operator.as_ref(),
            server: self.server,
            login: Login {
                connection_type: &self.connection_type,
                address: self.address,
                ..Login::at(at)
            },
        };
        judge(token, &known).map_err(broken)
    }
}

fn document(kind: Option<Kind>, findings: Value, is_taken: bool) -> Value {
    json!({
        "schema": "cim.keys.jwt.validate/v1",
        "kind": kind.map(Kind::name),
        "taken": is_taken,
        "findings": findings,
    })
}

/// A second for people.
pub(crate) fn second(number: i64) -> String {
    match Timestamp::from_seconds(number) {
        Some(time) => time.to_string(),
        None => format!("second {number}"),
    }
}

fn claims_of<B: Body>(path: &Path) -> Result<Claims<B>, Failure> {
    let named = |mut failure: Failure| {
        failure.message = format!("`{}`: {}", path.display(), failure.message);
        failure
    };
    read(path).and_then(|token| claims(&token)).map_err(named)
}

fn claims<B: Body>(token: &Token) -> Result<Claims<B>, Failure> {
    token.claims().map_err(broken)
}

fn broken(error: JwtError) -> Failure {
    Failure::of(Exit::Broken, error.code(), &error)
}

/// The token in a file.
fn read(path: &Path) -> Result<Token, Failure> {
    let opened: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| Failure::file("read", path, &error))?)
    };
    let mut text = String::new();
    let read = opened.take(MAX_FILE_LEN).read_to_string(&mut text);
    // It may hold a seed too.
    let text = Secret::from(text);
    read.map_err(|error| Failure::file("read", path, &error))?;
    Token::read(token_in(text.expose())).map_err(|error| {
        broken(error).help("expected a token, creds, or a token between lines of dashes")
    })
}
