//! What the core says of keys, tokens and creds.

use std::error::Error;

use cim_core::creds::Creds;
use cim_core::jwt::{
    AccountClaims, Body, Claims, Known, Login, OperatorClaims, ServerVersion, Token, UserClaims,
    judge,
};
use cim_core::nkey::{PublicKey, Seed};
use cim_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::Answer;

/// Each is issued, read and judged.
pub(crate) fn tokens(input: &[u8]) -> Answer {
    let asked: Vec<Value> = serde_json::from_slice(input)?;
    let tokens: Result<Vec<String>, _> = asked.iter().map(token).collect();
    Ok(Value::from(tokens?).to_string())
}

fn token(asked: &Value) -> Answer {
    let request = &asked["request"];
    let subject: PublicKey = text(&request["subject"])?.parse()?;
    let name = text(&request["name"])?;
    let claims: Map<String, Value> = serde_json::from_value(request["claims"].clone())?;
    match text(&request["kind"])? {
        "operator" => issue::<OperatorClaims>(asked, Claims::draft(subject, name, claims)?),
        "account" => issue::<AccountClaims>(asked, Claims::draft(subject, name, claims)?),
        _ if request["scoped"] == true => {
            issue::<UserClaims>(asked, Claims::draft_scoped(subject, name, claims)?)
        }
        _ => issue::<UserClaims>(asked, Claims::draft(subject, name, claims)?),
    }
}

fn issue<B: Body>(asked: &Value, mut claims: Claims<B>) -> Answer {
    let request = &asked["request"];
    if let Some(begins) = request["begins"].as_str() {
        claims = claims.with_begin(time(begins)?);
    }
    if let Some(ends) = request["ends"].as_str() {
        claims = claims.with_end(time(ends)?);
    }
    let now = time(text(&request["now"])?)?;
    let issuer = Seed::parse(text(&asked["issuer"])?)?;
    let token = claims.issue(&issuer, now, ServerVersion::default())?;
    let known = Known {
        account: None,
        operator: None,
        server: ServerVersion::default(),
        login: Login::at(now),
    };
    judge(&Token::read(&token)?, &known)?;
    Ok(token)
}

pub(crate) fn creds(input: &[u8]) -> Answer {
    let creds = Creds::read(str::from_utf8(input)?)?;
    Ok(creds.expose().to_string())
}

fn time(text: &str) -> Result<Timestamp, Box<dyn Error>> {
    Ok(Timestamp::parse_lenient(text)?.timestamp)
}

fn text(value: &Value) -> Result<&str, Box<dyn Error>> {
    value.as_str().ok_or_else(|| "expected a text".into())
}
