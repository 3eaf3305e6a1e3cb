//! Operators, accounts, users and signing keys as documents, and as lines for people.

use cim_core::domain::keys::{Directory, KeyState};
use cim_core::jwt::{AccountClaims, OperatorClaims, SigningKey, UserLimits};
use cim_core::nkey::{KeyKind, PublicKey};
use serde_json::{Value, json};

use super::jwt::second;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

/// All that is known of an operator, an account, a user or a signing key.
pub(crate) fn describe(directory: &Directory, key: PublicKey) -> Value {
    let state = directory.key(key);
    match (key.kind(), state.facts()) {
        (_, Some(facts)) if facts.holder != key => signing_key(directory, key),
        (KeyKind::Operator, _) => operator(directory, key),
        (KeyKind::Account, _) => account(directory, key),
        _ => user(directory, key),
    }
}

fn operator(directory: &Directory, key: PublicKey) -> Value {
    let Some(entry) = directory.operators.get(&key) else {
        return Value::Null;
    };
    let state = &entry.state;
    let settings: &OperatorClaims = state.settings();
    let accounts: Vec<_> = directory.accounts_of(key).collect();
    json!({
        "key": key,
        "name": state.name,
        "state": directory.key(key).name(),
        "issued_at": second(state.issued_at),
        "signing_keys": keys(directory, state.signing_keys.iter().copied()),
        "accounts": accounts.iter().map(|key| name(directory, *key)).collect::<Vec<_>>(),
        "claims": settings,
    })
}

fn account(directory: &Directory, key: PublicKey) -> Value {
    let Some(entry) = directory.accounts.get(&key) else {
        return Value::Null;
    };
    let state = &entry.state;
    let settings: &AccountClaims = state.settings();
    let signing_keys = state
        .signing_keys
        .iter()
        .filter_map(|key| key.key().parse().ok());
    let users: Vec<_> = directory.users_of(key).collect();
    let pushed: Vec<_> = state.pushed.values().collect();
    json!({
        "key": key,
        "name": state.name,
        "state": directory.key(key).name(),
        "operator": state.operator.map(|key| name(directory, key)),
        "issued_at": second(state.issued_at),
        "signing_keys": keys(directory, signing_keys),
        "users": users.iter().map(|key| name(directory, *key)).collect::<Vec<_>>(),
        "revocations": state.revocations,
        "pushed": pushed,
        "claims": settings,
    })
}

fn user(directory: &Directory, key: PublicKey) -> Value {
    let Some(entry) = directory.users.get(&key) else {
        return Value::Null;
    };
    let state = &entry.state;
    let limits: Option<&UserLimits> = state.limits.as_ref();
    json!({
        "key": key,
        "name": state.name,
        "state": directory.key(key).name(),
        "account": state.account.map(|key| name(directory, key)),
        "role": state.role,
        "tags": state.tags,
        "tokens": state.tokens,
        "last_token": state.issued.as_ref().map(|issued| json!({
            "sha256": issued.token_sha256,
            "issuer": issued.issuer,
            "issued_at": second(issued.issued_at),
            "expires": (issued.expires != 0).then(|| second(issued.expires)),
        })),
        "revoked_until": state.revoked_until.map(second),
        "limits": limits,
    })
}

fn signing_key(directory: &Directory, key: PublicKey) -> Value {
    let state = directory.key(key);
    let Some(facts) = state.facts() else {
        return Value::Null;
    };
    let account = directory.accounts.get(&facts.holder);
    let known = account.and_then(|entry| entry.state.signing_key(key));
    let scope = known.and_then(SigningKey::scope);
    let successor = match state {
        KeyState::Rotated { successor, .. } => Some(successor),
        _ => None,
    };
    json!({
        "key": key,
        "holder": name(directory, facts.holder),
        "kind": facts.holder.kind(),
        "state": state.name(),
        "successor": successor,
        "role": scope.map(|scope| &scope.role),
        "limits": scope.map(|scope| &scope.template),
    })
}

fn keys(directory: &Directory, keys: impl Iterator<Item = PublicKey>) -> Vec<Value> {
    keys.map(|key| signing_key(directory, key)).collect()
}

/// The name of an operator, an account or a user; its key where there is none.
pub(crate) fn name(directory: &Directory, key: PublicKey) -> String {
    let name = match key.kind() {
        KeyKind::Operator => directory.operators.get(&key).map(|entry| &entry.state.name),
        KeyKind::Account => directory.accounts.get(&key).map(|entry| &entry.state.name),
        _ => directory.users.get(&key).map(|entry| &entry.state.name),
    };
    name.cloned().unwrap_or_else(|| key.to_string())
}

/// Prints a document as lines: a name and its value; what has parts itself stands below its name.
pub(crate) fn print(document: &Value, out: &mut Output) -> Result<(), Failure> {
    let Value::Object(fields) = document else {
        return Ok(());
    };
    for (name, value) in fields {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(list) if list.is_empty() => continue,
            Value::Array(list) if list.iter().all(Value::is_string) => {
                let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                words.join(", ")
            }
            Value::Object(fields) if fields.is_empty() => continue,
            value @ (Value::Array(_) | Value::Object(_)) => {
                serde_json::to_string_pretty(value).expect("JSON is written")
            }
            value => value.to_string(),
        };
        out.line(&format!("{name:<13}  {value}"))?;
    }
    Ok(())
}
