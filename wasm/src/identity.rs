//! Keys, tokens and creds of NATS.
//!
//! Seeds come in and go out as the bytes of their text, which JavaScript can wipe; the copies here are
//! wiped. Times come as RFC 3339, claims go both ways as JSON in the form of tokens.

use std::net::IpAddr;

use cim_core::creds::{Creds, token_in};
use cim_core::jwt::{
    AccountClaims, Body, Claims, Finding, IssueError, Kind, Known, Login, OperatorClaims,
    ServerVersion, Token, UserClaims, judge,
};
use cim_core::nkey::{KeyKind, NkeyError, PublicKey, Seed};
use cim_core::time::Timestamp;
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::wasm_bindgen;
use zeroize::Zeroizing;

use crate::fault::Fault;

#[wasm_bindgen]
extern "C" {
    /// Bytes of JavaScript's. A `Vec` would be freed by the bindings unwiped.
    #[wasm_bindgen(js_name = Uint8Array, typescript_type = "Uint8Array")]
    #[derive(Debug)]
    pub type Bytes;

    #[wasm_bindgen(constructor, js_class = "Uint8Array")]
    fn copy(bytes: &[u8]) -> Bytes;
}

/// Makes the seed of a key from 32 random bytes.
#[wasm_bindgen(js_name = createKey)]
pub fn create_key(kind: &str, entropy: Vec<u8>) -> Result<Bytes, Fault> {
    let entropy = Zeroizing::new(entropy);
    let kind = KeyKind::ALL
        .into_iter()
        .find(|known| known.name() == kind)
        .ok_or_else(|| {
            Fault::argument(
                "a key is `operator`, `account`, `user`, `server`, `cluster` or `curve`",
            )
        })?;
    let entropy: &[u8; 32] = entropy[..]
        .try_into()
        .map_err(|_| Fault::argument("entropy is 32 bytes"))?;
    Ok(Bytes::copy(Seed::new(kind, *entropy).expose().as_bytes()))
}

/// The public key of a seed.
#[wasm_bindgen(js_name = publicKeyOf)]
pub fn public_key_of(seed: Vec<u8>) -> Result<String, Fault> {
    Ok(parse_seed(seed)?.public_key().to_string())
}

/// Signs a message.
#[wasm_bindgen]
pub fn sign(seed: Vec<u8>, message: &[u8]) -> Result<Vec<u8>, Fault> {
    Ok(parse_seed(seed)?.sign(message)?.to_vec())
}

/// Whether a key has signed a message.
#[wasm_bindgen]
pub fn verify(public_key: &str, message: &[u8], signature: &[u8]) -> Result<bool, Fault> {
    match public_key.parse::<PublicKey>()?.verify(message, signature) {
        Ok(()) => Ok(true),
        Err(NkeyError::Signature) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Checks claims and signs them, if a server would take the token.
///
/// The request is `{"kind","subject","name","claims","now"}`, and may have `"begins"`, `"ends"`,
/// `"server"` and `"scoped"`, in JSON.
#[wasm_bindgen]
pub fn issue(request: &str, issuer: Vec<u8>) -> Result<String, Fault> {
    let issuer = parse_seed(issuer)?;
    let request = Request::parse(request)?;
    match request.text("kind")? {
        "operator" => request.issue::<OperatorClaims>(request.draft(Claims::draft)?, &issuer),
        "account" => request.issue::<AccountClaims>(request.draft(Claims::draft)?, &issuer),
        "user" => {
            let claims = match request.0.get("scoped") {
                Some(Value::Bool(true)) => request.draft(Claims::draft_scoped)?,
                _ => request.draft(Claims::draft)?,
            };
            request.issue::<UserClaims>(claims, &issuer)
        }
        _ => Err(Fault::argument(
            "a token is of an `operator`, an `account` or a `user`",
        )),
    }
}

/// What is asked for, in JSON.
struct Request(Map<String, Value>);

impl Request {
    fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = |_| Fault::argument("what is asked for is an object");
        serde_json::from_str(text).map(Self).map_err(invalid)
    }

    fn text(&self, name: &str) -> Result<&str, Fault> {
        let missing = || Fault::argument("names and times are texts");
        self.find(name)?.ok_or_else(missing)
    }

    fn find(&self, name: &str) -> Result<Option<&str>, Fault> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::argument("names and times are texts")),
        }
    }

    /// The claims of a token that is known beside another; a fault says which.
    fn claims_of<B: Body>(&self, name: &str) -> Result<Option<Claims<B>>, Fault> {
        let token = self.find(name)?.map(|text| Token::read(token_in(text)));
        let claims = token.map(|token| token?.claims()).transpose();
        claims.map_err(|error| Fault::from(error).with_fields(json!({ "token": name })))
    }

    fn server(&self) -> Result<ServerVersion, Fault> {
        let Some(version) = self.find("server")? else {
            return Ok(ServerVersion::default());
        };
        let version: Option<ServerVersion> = version.parse().ok();
        version
            .filter(|version| *version >= ServerVersion::OLDEST)
            .ok_or_else(|| Fault::argument("a server has a version from `2.12.0` on"))
    }

    fn draft<C>(&self, draft: Draft<C>) -> Result<C, Fault> {
        let Some(Value::Object(claims)) = self.0.get("claims") else {
            return Err(Fault::argument("claims are an object"));
        };
        let subject: PublicKey = self.text("subject")?.parse()?;
        Ok(draft(subject, self.text("name")?, claims.clone())?)
    }

    fn issue<B: Body>(&self, mut claims: Claims<B>, issuer: &Seed) -> Result<String, Fault> {
        if let Some(begins) = self.find("begins")? {
            claims = claims.with_begin(parse_time(begins)?);
        }
        if let Some(ends) = self.find("ends")? {
            claims = claims.with_end(parse_time(ends)?);
        }
        let now = parse_time(self.text("now")?)?;
        Ok(claims.issue(issuer, now, self.server()?)?)
    }
}

type Draft<C> = fn(PublicKey, &str, Map<String, Value>) -> Result<C, IssueError>;

/// Reads a token, or a text with one in it, and checks its signature: `{"kind","version","issuer",
/// "payload"}`, in JSON.
#[wasm_bindgen(js_name = decodeJwt)]
pub fn decode_jwt(text: String) -> Result<String, Fault> {
    // It may hold a seed too.
    let text = Zeroizing::new(text);
    let token = Token::read(token_in(&text))?;
    Ok(json!({
        "kind": token.kind().name(),
        "version": token.version(),
        "issuer": token.issuer(),
        "payload": token.payload(),
    })
    .to_string())
}

/// Whether a server would take a token: `{"ok","kind","findings"}`, in JSON.
///
/// What is known beside it is `{"at"}`, and may have `"account"`, `"operator"`, `"server"`, `"address"`
/// and `"connection_type"`, in JSON.
#[wasm_bindgen(js_name = validateJwt)]
pub fn validate_jwt(text: String, known: &str) -> Result<String, Fault> {
    let request = Request::parse(known)?;
    let account = request.claims_of::<AccountClaims>("account")?;
    let operator = request.claims_of::<OperatorClaims>("operator")?;
    let mut login = Login::at(parse_time(request.text("at")?)?);
    if let Some(connection_type) = request.find("connection_type")? {
        login.connection_type = connection_type;
    }
    if let Some(address) = request.find("address")? {
        let address: IpAddr = address
            .parse()
            .map_err(|_| Fault::argument("an address is one of IP, such as `192.0.2.1`"))?;
        login.address = Some(address);
    }
    let known = Known {
        account: account.as_ref(),
        operator: operator.as_ref(),
        server: request.server()?,
        login,
    };
    let text = Zeroizing::new(text);
    let token = Token::read(token_in(&text));
    let kind = token.as_ref().ok().map(Token::kind);
    if known.account.is_some() && kind.is_some_and(|kind| kind != Kind::User) {
        return Err(Fault::argument(
            "an account is known beside the token of a user",
        ));
    }
    // That it is no token is the verdict.
    let findings = token
        .and_then(|token| judge(&token, &known))
        .unwrap_or_else(|error| vec![Finding::from(&error)]);
    Ok(json!({
        "ok": !findings.iter().any(Finding::is_refused),
        "kind": kind.map(Kind::name),
        "findings": findings,
    })
    .to_string())
}

/// The text of a creds file.
#[wasm_bindgen]
pub fn credentials(token: String, seed: Vec<u8>) -> Result<Bytes, Fault> {
    let creds = Creds::new(token, parse_seed(seed)?)?;
    Ok(Bytes::copy(creds.expose().as_bytes()))
}

/// A creds file that was read.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Credentials(Creds);

#[wasm_bindgen]
impl Credentials {
    /// Reads the text of a creds file.
    pub fn read(text: Vec<u8>) -> Result<Self, Fault> {
        let text = Zeroizing::new(text);
        let text = str::from_utf8(&text).map_err(|_| Fault::argument("creds are UTF-8"))?;
        Ok(Self(Creds::read(text)?))
    }

    /// The token.
    #[wasm_bindgen(getter)]
    pub fn token(&self) -> String {
        self.0.token().to_owned()
    }

    /// The public key of the user.
    #[wasm_bindgen(getter, js_name = publicKey)]
    pub fn public_key(&self) -> String {
        self.0.user().to_string()
    }

    /// The seed.
    #[wasm_bindgen(getter)]
    pub fn seed(&self) -> Bytes {
        Bytes::copy(self.0.seed().expose().as_bytes())
    }
}

impl From<IssueError> for Fault {
    fn from(error: IssueError) -> Self {
        let fault = Self::of(error.code(), &error);
        match error {
            IssueError::Refused(findings) => fault.with_fields(json!({ "findings": findings })),
            // The other faults are told by their message.
            _ => fault,
        }
    }
}

fn parse_seed(text: Vec<u8>) -> Result<Seed, Fault> {
    let text = Zeroizing::new(text);
    let text = str::from_utf8(&text).map_err(|_| NkeyError::SeedDigits)?;
    Ok(Seed::parse(text)?)
}

fn parse_time(text: &str) -> Result<Timestamp, Fault> {
    Ok(Timestamp::parse_lenient(text)?.timestamp)
}
