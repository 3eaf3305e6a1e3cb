//! The envelope of all claims, and how they are signed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha512_256};

use super::body::Body;
use super::fields::Fields;
use super::go_json;
use super::token::{self, MAX_TOKEN_LEN};
use super::validate::{self, Finding, Level, ServerVersion};
use crate::nkey::{NkeyError, PublicKey, Seed, base32};
use crate::time::Timestamp;

/// What a token says: whom it is about, who says so, for how long, and the claims of its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims<B> {
    /// For whom it is, where that matters.
    pub audience: String,
    /// The second since 1970 at which it ends; 0 for never.
    pub expires: i64,
    /// Its id: a hash of the envelope, which is not unique and which no server looks at.
    pub id: String,
    /// The second at which it was signed.
    pub issued_at: i64,
    /// Who has signed it.
    pub issuer: String,
    /// A name for people.
    pub name: String,
    /// The second at which it begins; 0 for at once.
    pub not_before: i64,
    /// Whom it is about.
    pub subject: String,
    /// What it says of it.
    pub body: B,
    /// Words that tools find it by; servers find `name:value` in the permissions of scopes.
    pub tags: Vec<String>,
    /// Fields of the envelope that this version does not know, kept as they are.
    pub other: BTreeMap<String, Value>,
}

impl<B: Body> Claims<B> {
    /// Claims about somebody, to be signed.
    pub fn new(subject: PublicKey, name: &str, body: B) -> Self {
        Self {
            audience: String::new(),
            expires: 0,
            id: String::new(),
            issued_at: 0,
            issuer: String::new(),
            name: name.to_owned(),
            not_before: 0,
            subject: subject.to_string(),
            body,
            tags: Vec::new(),
            other: BTreeMap::new(),
        }
    }

    /// The same from a time on, which is rounded up to the second.
    #[must_use]
    pub fn with_begin(mut self, begin: Timestamp) -> Self {
        let second = begin.micros().div_ceil(1_000_000);
        self.not_before = i64::try_from(second).expect("years have four digits");
        self
    }

    /// The same up to a time, which is cut to the second.
    #[must_use]
    pub fn with_end(mut self, end: Timestamp) -> Self {
        // Zero would be for ever.
        self.expires = end.seconds().max(1);
        self
    }

    /// Signs if servers of a version would take it, as of `now`: what [`sign`](Self::sign) does, behind
    /// what [`findings`](Self::findings) looks at.
    ///
    /// Claims that begin later are signed, and warnings stop nothing. Whether the issuer is trusted is
    /// not seen by these claims alone.
    ///
    /// # Errors
    ///
    /// [`IssueError::Refused`] with what is wrong, [`IssueError::Key`] when subject or issuer are of a
    /// wrong kind of key.
    pub fn issue(
        &mut self,
        issuer: &Seed,
        now: Timestamp,
        server: ServerVersion,
    ) -> Result<String, IssueError> {
        self.prepare(issuer, now).map_err(IssueError::Key)?;
        let mut refused = self.findings(server, Some(now));
        refused.retain(|finding| finding.is_refused() && finding.code != validate::NOT_YET_VALID);
        if !refused.is_empty() {
            return Err(IssueError::Refused(refused));
        }
        let token = self.signed(issuer).map_err(IssueError::Key)?;
        match token.len() {
            len if len > MAX_TOKEN_LEN => Err(IssueError::Refused(vec![Finding {
                level: Level::Error,
                code: "jwt-too-long",
                path: String::new(),
                text: format!("expected at most {MAX_TOKEN_LEN} bytes, found {len}"),
            }])),
            _ => Ok(token),
        }
    }

    /// Signs as of `now`, cut to the second, and sets issuer, time and id.
    ///
    /// The same claims, key and time give the same token. That servers will take it is not looked at
    /// here, other than who signs what: [`issue`](Self::issue) does.
    ///
    /// # Errors
    ///
    /// [`NkeyError`] when subject or issuer are of a wrong kind of key.
    pub fn sign(&mut self, issuer: &Seed, now: Timestamp) -> Result<String, NkeyError> {
        self.prepare(issuer, now)?;
        self.signed(issuer)
    }

    /// Sets all that depends on who signs when.
    fn prepare(&mut self, issuer: &Seed, now: Timestamp) -> Result<(), NkeyError> {
        PublicKey::of_kind(&self.subject, B::KIND.subject())?;
        if !B::KIND.issuers().contains(&issuer.kind()) {
            return Err(NkeyError::Kind {
                expected: B::KIND.issuers()[0].name(),
                found: issuer.kind(),
            });
        }
        self.issuer = issuer.public_key().to_string();
        self.issued_at = now.seconds();
        self.id = self.computed_id();
        self.body.sort();
        Ok(())
    }

    fn signed(&self, issuer: &Seed) -> Result<String, NkeyError> {
        token::sign(&self.payload(), issuer)
    }

    /// The id as Go's library computes it: base32 of the SHA-512/256 of the envelope in JSON, without
    /// an id.
    fn computed_id(&self) -> String {
        let envelope = Envelope {
            id: "",
            ..Envelope::of(self)
        };
        let hash = Sha512_256::digest(go_json::to_vec(&envelope));
        let mut id = [0; 52];
        base32::encode(&hash, &mut id);
        String::from_utf8_lossy(&id).into_owned()
    }
}

/// The order and the omissions of Go's library, whose hash is the id.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "aud", skip_serializing_if = "str::is_empty")]
    audience: &'a str,
    #[serde(rename = "exp", skip_serializing_if = "is_zero")]
    expires: i64,
    #[serde(rename = "jti", skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(rename = "iat", skip_serializing_if = "is_zero")]
    issued_at: i64,
    #[serde(rename = "iss", skip_serializing_if = "str::is_empty")]
    issuer: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(rename = "nbf", skip_serializing_if = "is_zero")]
    not_before: i64,
    #[serde(rename = "sub", skip_serializing_if = "str::is_empty")]
    subject: &'a str,
}

impl<'a> Envelope<'a> {
    fn of<B>(claims: &'a Claims<B>) -> Self {
        Self {
            audience: &claims.audience,
            expires: claims.expires,
            id: &claims.id,
            issued_at: claims.issued_at,
            issuer: &claims.issuer,
            name: &claims.name,
            not_before: claims.not_before,
            subject: &claims.subject,
        }
    }
}

impl<B: Body> Claims<B> {
    /// The payload, with the fields in the order of Go's library.
    fn payload(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Last<'a> {
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            tags: &'a [String],
            #[serde(rename = "type")]
            kind: &'static str,
            version: i64,
        }
        let mut nats = go_json::to_vec(&self.body);
        let last = Last {
            tags: &self.tags,
            kind: B::KIND.name(),
            version: token::VERSION,
        };
        go_json::join(&mut nats, &go_json::to_vec(&last));
        let mut payload = go_json::to_vec(&Envelope::of(self));
        go_json::join(&mut payload, &[br#"{"nats":"#, &nats[..], b"}"].concat());
        go_json::join(&mut payload, &go_json::to_vec(&self.other));
        payload
    }
}

impl<B: Body> Claims<B> {
    /// Takes a payload whose kind is that of the body, in the form of version 2.
    pub(super) fn read(mut payload: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let nats = payload.remove("nats").unwrap_or_default();
        let mut nats: Map<String, Value> = serde_json::from_value(nats)?;
        for name in ["type", "version"] {
            nats.remove(name);
        }
        let mut envelope = Fields::new(payload);
        let mut nats = Fields::new(nats);
        let tags = nats.take("tags")?;
        let mut body = B::read(&mut nats)?;
        body.settle();
        Ok(Self {
            audience: envelope.take("aud")?,
            expires: envelope.take("exp")?,
            id: envelope.take("jti")?,
            issued_at: envelope.take("iat")?,
            issuer: envelope.take("iss")?,
            name: envelope.take("name")?,
            not_before: envelope.take("nbf")?,
            subject: envelope.take("sub")?,
            body,
            tags,
            other: envelope.rest(),
        })
    }
}

/// Why claims were not signed. No variant holds a seed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IssueError {
    /// What was written of them is not in the form of a token.
    Claims {
        /// What is wrong with it.
        why: String,
    },
    /// Subject or issuer are of a wrong kind of key.
    Key(NkeyError),
    /// What servers would refuse about them; at least one finding.
    Refused(Vec<Finding>),
}

impl IssueError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Claims { .. } => "claims-invalid",
            Self::Key(error) => error.code(),
            Self::Refused(_) => "jwt-refused",
        }
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not signed: ")?;
        match self {
            Self::Claims { why } => write!(f, "the claims are not as they should be: {why}"),
            Self::Key(error) => fmt::Display::fmt(error, f),
            Self::Refused(findings) => {
                f.write_str("a server would refuse it")?;
                match &findings[..] {
                    [] => Ok(()),
                    [only] => write!(f, ": {only}"),
                    [first, rest @ ..] => write!(f, ": {first} (and {} more)", rest.len()),
                }
            }
        }
    }
}

impl Error for IssueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Claims { .. } | Self::Refused(_) => None,
        }
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
