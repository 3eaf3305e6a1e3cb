//! The contexts of the `nats` command: `nats/context/<name>.json` in the user's configuration, and
//! `nats/context.txt` with the name of the selected one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{OptionsError, Origin};
use super::resolve::{Layer, Password};
use super::{Api, Identity, Login, Source, Surroundings, reference, url};
use crate::config::{NAME, PREFIX, is_name, is_prefix};
use crate::secret::Secret;

/// What the file of a context says, as far as it concerns us. Every key may be an empty text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    url: Secret,
    token: Secret,
    user: String,
    password: Secret,
    creds: Secret,
    nkey: Secret,
    cert: String,
    key: String,
    ca: String,
    nsc: String,
    jetstream_domain: String,
    jetstream_api_prefix: String,
    inbox_prefix: String,
    user_jwt: Secret,
    user_seed: Secret,
    tls_first: bool,
    socks_proxy: String,
    windows_cert_store: String,
}

/// The name of the selected context.
pub(super) fn selected(around: &dyn Surroundings) -> Option<String> {
    let text = around.read(&folder(around)?.join("context.txt")).ok()?;
    let name = text.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads a context by its name, or by the path of its file.
pub(super) fn load(
    name: &str,
    password: &Password,
    around: &dyn Surroundings,
) -> Result<Layer, OptionsError> {
    let path = path(name, around);
    let no_context = || OptionsError::NoContext {
        name: name.to_owned(),
        path: path.clone(),
    };
    let path = path.as_deref().ok_or_else(no_context)?;
    let text = match around.read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_context()),
        Err(source) => {
            return Err(OptionsError::Read {
                origin: Origin::Variable("NATS_CONTEXT"),
                path: path.to_owned(),
                source,
            });
        }
    };
    // The parser's own words could show what a secret is.
    let settings = serde_json::from_str(&text).map_err(|error| OptionsError::ContextSyntax {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    })?;
    layer(name, &settings, password, around)
}

fn path(name: &str, around: &dyn Surroundings) -> Option<PathBuf> {
    if name.ends_with(".json") && around.read(Path::new(name)).is_ok() {
        return Some(PathBuf::from(name));
    }
    // The name must not lead out of the folder.
    let plain = !name.contains("..") && !name.contains(['/', '\\']);
    let folder = folder(around).filter(|_| plain)?;
    Some(folder.join("context").join(format!("{name}.json")))
}

fn folder(around: &dyn Surroundings) -> Option<PathBuf> {
    let configured = around
        .variable("XDG_CONFIG_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let base = configured.or_else(|| Some(around.home()?.join(".config")))?;
    Some(base.join("nats"))
}

fn layer(
    name: &str,
    settings: &Settings,
    password: &Password,
    around: &dyn Surroundings,
) -> Result<Layer, OptionsError> {
    let at = |key| Origin::Context {
        name: name.to_owned(),
        key,
    };
    for (key, set, what) in [
        ("nsc", !settings.nsc.is_empty(), "a user of `nsc`"),
        ("socks_proxy", !settings.socks_proxy.is_empty(), "a proxy"),
        (
            "windows_cert_store",
            !settings.windows_cert_store.is_empty(),
            "the certificates of Windows",
        ),
    ] {
        if set {
            let origin = at(key);
            return Err(OptionsError::Unsupported { origin, what });
        }
    }
    let address = url::parse(settings.url.expose()).map_err(|why| OptionsError::Url {
        origin: at("url"),
        why,
    })?;
    if address.stream.is_some() {
        return Err(OptionsError::Value {
            origin: at("url"),
            found: None,
            expected: "servers without a stream",
        });
    }
    let file = |key, text: &str| {
        let path = (!text.is_empty()).then(|| reference::path(text, &at(key), around));
        path.transpose()
    };
    let own = login(settings, &at, password, around)?;
    let url_login = address.login.map(|login| (at("url"), login));
    Ok(Layer {
        servers: address.servers,
        tls_required: address.tls,
        tls_first: settings.tls_first,
        login: url_login.or(own),
        ca: file("ca", &settings.ca)?,
        identity: match (file("cert", &settings.cert)?, file("key", &settings.key)?) {
            (Some(cert), Some(key)) => Some(Identity { cert, key }),
            (None, None) => None,
            (Some(_), None) => {
                let (origin, needs) = (at("cert"), "`key` beside it");
                return Err(OptionsError::Missing { origin, needs });
            }
            (None, Some(_)) => {
                let (origin, needs) = (at("key"), "`cert` beside it");
                return Err(OptionsError::Missing { origin, needs });
            }
        },
        server_name: None,
        api: api(settings, &at)?,
        inbox_prefix: match settings.inbox_prefix.as_str() {
            "" => None,
            prefix if is_prefix(prefix) => Some(prefix.to_owned()),
            prefix => {
                return Err(OptionsError::Value {
                    origin: at("inbox_prefix"),
                    found: Some(prefix.to_owned()),
                    expected: "tokens such as `_INBOX.me`, without wildcards",
                });
            }
        },
    })
}

/// The login in the order of the `nats` command, which takes the first kind that is there.
fn login(
    settings: &Settings,
    at: &dyn Fn(&'static str) -> Origin,
    password: &Password,
    around: &dyn Surroundings,
) -> Result<Option<(Origin, Login)>, OptionsError> {
    let Settings {
        user,
        creds,
        nkey,
        user_jwt,
        user_seed,
        token,
        ..
    } = settings;
    let (origin, login) = if !user.is_empty() {
        let user = user.clone();
        let password = match password.take() {
            Some(password) => password,
            None => reference::secret(&settings.password, &at("password"), around)?,
        };
        (at("user"), Login::Password { user, password })
    } else if !creds.is_empty() {
        let source = reference::source(creds.expose(), &at("creds"), around)?;
        (at("creds"), Login::Creds(source))
    } else if !nkey.is_empty() {
        let source = reference::source(nkey.expose(), &at("nkey"), around)?;
        (at("nkey"), Login::Nkey(source))
    } else if !user_jwt.is_empty() {
        if user_seed.is_empty() {
            let (origin, needs) = (at("user_jwt"), "`user_seed` beside it");
            return Err(OptionsError::Missing { origin, needs });
        }
        let jwt = reference::secret(user_jwt, &at("user_jwt"), around)?;
        let seed = reference::secret(user_seed, &at("user_seed"), around)?;
        (at("user_jwt"), Login::Creds(creds_of(&jwt, &seed)))
    } else if !token.is_empty() {
        let token = reference::secret(token, &at("token"), around)?;
        (at("token"), Login::Token(token))
    } else {
        return Ok(None);
    };
    Ok(Some((origin, login)))
}

fn api(
    settings: &Settings,
    at: &dyn Fn(&'static str) -> Origin,
) -> Result<Option<Api>, OptionsError> {
    let (domain, prefix) = (&settings.jetstream_domain, &settings.jetstream_api_prefix);
    match (domain.as_str(), prefix.as_str()) {
        ("", "") => Ok(None),
        (domain, "") if is_name(domain) => Ok(Some(Api::Domain(domain.to_owned()))),
        ("", prefix) if is_prefix(prefix) => Ok(Some(Api::Prefix(prefix.to_owned()))),
        (domain, "") => Err(OptionsError::Value {
            origin: at("jetstream_domain"),
            found: Some(domain.to_owned()),
            expected: NAME,
        }),
        ("", prefix) => Err(OptionsError::Value {
            origin: at("jetstream_api_prefix"),
            found: Some(prefix.to_owned()),
            expected: PREFIX,
        }),
        _ => Err(OptionsError::Both {
            origin: at("jetstream_domain"),
            other: "`jetstream_api_prefix`",
        }),
    }
}

/// A JWT and a seed as a `.creds` file has them.
pub(super) fn creds_of(jwt: &Secret, seed: &Secret) -> Source {
    let (jwt, seed) = (jwt.expose().trim(), seed.expose().trim());
    Source::Text(
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n-----BEGIN \
             USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
        .into(),
    )
}
