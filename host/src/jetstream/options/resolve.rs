//! From all places to one answer.

use std::cell::Cell;
use std::path::PathBuf;

use super::error::{OptionsError, Origin};
use super::{Api, Identity, Login, NatsOptions, Server, Source, Surroundings, Tls};
use super::{context, reference, url};
use crate::config::Config;
use crate::jetstream::client::TIMEOUT;
use crate::secret::Secret;

/// The server of who names none.
const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 4222;

/// What one place says.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) servers: Vec<Server>,
    pub(super) tls_required: bool,
    pub(super) tls_first: bool,
    pub(super) login: Option<(Origin, Login)>,
    pub(super) ca: Option<PathBuf>,
    pub(super) identity: Option<Identity>,
    pub(super) server_name: Option<String>,
    pub(super) api: Option<Api>,
    pub(super) inbox_prefix: Option<String>,
}

/// `NATS_PASSWORD` without `NATS_USER`: it is the password of the user that another place names.
#[derive(Default)]
pub(super) struct Password {
    password: Option<Secret>,
    taken: Cell<bool>,
}

impl Password {
    pub(super) fn take(&self) -> Option<Secret> {
        self.taken.set(true);
        self.password.clone()
    }
}

pub(super) fn resolve(
    url: Option<&str>,
    config: &Config,
    around: &dyn Surroundings,
) -> Result<NatsOptions, OptionsError> {
    let (from_url, stream) = match url {
        Some(url) => of_url(url)?,
        None => (Layer::default(), None),
    };
    let password = Password {
        password: match variable(around, "NATS_USER") {
            Some(_) => None,
            None => variable(around, "NATS_PASSWORD").map(Secret::from),
        },
        taken: Cell::default(),
    };
    let mut layers = vec![from_url, of_variables(around)?];
    let named = variable(around, "NATS_CONTEXT");
    if let Some(name) = &named {
        layers.push(context::load(name, &password, around)?);
    }
    layers.push(of_config(config, &password, around)?);
    let mut other_context = None;
    if named.is_none()
        && let Some(name) = context::selected(around)
    {
        let servers = first(&layers, |layer| some(&layer.servers));
        match (context::load(&name, &password, around), servers) {
            (Ok(layer), servers) if is_for(&layer, servers) => layers.push(layer),
            (Err(error), None) => return Err(error),
            (_, _) => other_context = Some(name),
        }
    }
    let (origin, login) = match first(&layers, |layer| layer.login.as_ref()) {
        Some((origin, login)) => (Some(origin.clone()), login.clone()),
        None => (None, Login::None),
    };
    if login == Login::None && password.password.is_some() && !password.taken.get() {
        return Err(OptionsError::Missing {
            origin: Origin::Variable("NATS_PASSWORD"),
            needs: "`NATS_USER`",
        });
    }
    let servers = first(&layers, |layer| some(&layer.servers)).cloned();
    let ca = first(&layers, |layer| layer.ca.as_ref()).cloned();
    let identity = first(&layers, |layer| layer.identity.as_ref()).cloned();
    let server_name = first(&layers, |layer| layer.server_name.as_ref()).cloned();
    if server_name.is_some() && ca.is_none() {
        return Err(OptionsError::Missing {
            origin: Origin::Config("[nats] tls_server_name"),
            needs: "`[nats] tls_ca`",
        });
    }
    let first_word = layers.iter().any(|layer| layer.tls_first);
    let asked = layers.iter().any(|layer| layer.tls_required);
    Ok(NatsOptions {
        servers: servers.unwrap_or_else(|| vec![default_server()]),
        stream,
        name: "cim".to_owned(),
        login,
        login_origin: origin,
        tls: Tls {
            // Who says whom to trust does not want to be without it.
            required: asked || first_word || ca.is_some() || identity.is_some(),
            first: first_word,
            ca,
            identity,
            server_name,
        },
        api: first(&layers, |layer| layer.api.as_ref())
            .cloned()
            .unwrap_or_default(),
        inbox_prefix: first(&layers, |layer| layer.inbox_prefix.as_ref()).cloned(),
        connect_within: super::CONNECT_WITHIN,
        answer_within: TIMEOUT,
        other_context,
    })
}

/// What the first layer that says something says.
fn first<'a, T>(layers: &'a [Layer], say: impl Fn(&'a Layer) -> Option<T>) -> Option<T> {
    layers.iter().find_map(say)
}

fn some(servers: &Vec<Server>) -> Option<&Vec<Server>> {
    (!servers.is_empty()).then_some(servers)
}

/// Whether a selected context is for the servers that were named before: for all of them, or for
/// whichever they are.
fn is_for(context: &Layer, servers: Option<&Vec<Server>>) -> bool {
    // People write both.
    let host = |server: &Server| match server.host.as_str() {
        "localhost" | "::1" => "127.0.0.1".to_owned(),
        host => host.to_owned(),
    };
    let same = |one: &Server, other: &Server| host(one) == host(other) && one.port == other.port;
    let Some(servers) = servers else { return true };
    let listed = |server| context.servers.iter().any(|own| same(own, server));
    context.servers.is_empty() || servers.iter().all(listed)
}

fn of_url(text: &str) -> Result<(Layer, Option<String>), OptionsError> {
    let address = url::parse(text).map_err(|why| OptionsError::Url {
        origin: Origin::Url,
        why,
    })?;
    let layer = Layer {
        servers: address.servers,
        tls_required: address.tls,
        login: address.login.map(|login| (Origin::Url, login)),
        ..Layer::default()
    };
    Ok((layer, address.stream))
}

fn of_variables(around: &dyn Surroundings) -> Result<Layer, OptionsError> {
    let mut layer = Layer::default();
    if let Some(text) = variable(around, "NATS_URL") {
        layer = servers(&text, Origin::Variable("NATS_URL"))?;
    }
    layer.login = match layer.login {
        None => login_of_variables(around)?,
        login => login,
    };
    let file = |name| {
        let path = variable(around, name)
            .map(|text| reference::path(&text, &Origin::Variable(name), around));
        path.transpose()
    };
    layer.ca = file("NATS_CA")?;
    layer.identity = match (file("NATS_CERT")?, file("NATS_KEY")?) {
        (Some(cert), Some(key)) => Some(Identity { cert, key }),
        (None, None) => None,
        (Some(_), None) => {
            let origin = Origin::Variable("NATS_CERT");
            let needs = "`NATS_KEY`";
            return Err(OptionsError::Missing { origin, needs });
        }
        (None, Some(_)) => {
            let origin = Origin::Variable("NATS_KEY");
            let needs = "`NATS_CERT`";
            return Err(OptionsError::Missing { origin, needs });
        }
    };
    Ok(layer)
}

/// The login in the order of the `nats` command, which takes the first kind that is there.
fn login_of_variables(around: &dyn Surroundings) -> Result<Option<(Origin, Login)>, OptionsError> {
    let get = |name| variable(around, name).map(|text| (Origin::Variable(name), text));
    if let Some((origin, user)) = get("NATS_USER") {
        let login = match get("NATS_PASSWORD") {
            Some((origin, password)) => Login::Password {
                user,
                password: reference::secret(&password.into(), &origin, around)?,
            },
            // As with `nats`: a user without a password is a token.
            None => Login::Token(user.into()),
        };
        return Ok(Some((origin, login)));
    }
    if let Some((origin, creds)) = get("NATS_CREDS") {
        let source = reference::source(&creds, &origin, around)?;
        return Ok(Some((origin, Login::Creds(source))));
    }
    if let Some((origin, nkey)) = get("NATS_NKEY") {
        let source = reference::source(&nkey, &origin, around)?;
        return Ok(Some((origin, Login::Nkey(source))));
    }
    if let Some((origin, jwt)) = get("NATS_JWT") {
        let Some((seed_origin, seed)) = get("NATS_SEED") else {
            let needs = "`NATS_SEED`";
            return Err(OptionsError::Missing { origin, needs });
        };
        let jwt = reference::secret(&jwt.into(), &origin, around)?;
        let seed = reference::secret(&seed.into(), &seed_origin, around)?;
        let source = context::creds_of(&jwt, &seed);
        return Ok(Some((origin, Login::Creds(source))));
    }
    if let Some((origin, token)) = get("NATS_TOKEN") {
        let token = reference::secret(&token.into(), &origin, around)?;
        return Ok(Some((origin, Login::Token(token))));
    }
    Ok(None)
}

fn of_config(
    config: &Config,
    password: &Password,
    around: &dyn Surroundings,
) -> Result<Layer, OptionsError> {
    let nats = &config.nats;
    let mut layer = match &nats.url {
        Some(text) => servers(text, Origin::Config("[nats] url"))?,
        None => Layer::default(),
    };
    layer.tls_required |= nats.tls_required;
    if layer.login.is_none() {
        layer.login = login_of_config(config, password)?;
    }
    let file = |path: &Option<PathBuf>, key| {
        let path = path
            .as_ref()
            .map(|path| reference::path(&path.to_string_lossy(), &Origin::Config(key), around));
        path.transpose()
    };
    layer.ca = file(&nats.tls_ca, "[nats] tls_ca")?;
    let cert = file(&nats.tls_cert, "[nats] tls_cert")?;
    let key = file(&nats.tls_key, "[nats] tls_key")?;
    layer.identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(Identity { cert, key }),
        (None, None) => None,
        (Some(_), None) => {
            let origin = Origin::Config("[nats] tls_cert");
            let needs = "`[nats] tls_key`";
            return Err(OptionsError::Missing { origin, needs });
        }
        (None, Some(_)) => {
            let origin = Origin::Config("[nats] tls_key");
            let needs = "`[nats] tls_cert`";
            return Err(OptionsError::Missing { origin, needs });
        }
    };
    layer.server_name.clone_from(&nats.tls_server_name);
    let jetstream = &config.jetstream;
    layer.api = match (&jetstream.domain, &jetstream.prefix) {
        (None, None) => None,
        (Some(domain), None) => Some(Api::Domain(domain.clone())),
        (None, Some(prefix)) => Some(Api::Prefix(prefix.clone())),
        (Some(_), Some(_)) => {
            return Err(OptionsError::Both {
                origin: Origin::Config("[jetstream] domain"),
                other: "`[jetstream] prefix`",
            });
        }
    };
    Ok(layer)
}

fn login_of_config(
    config: &Config,
    password: &Password,
) -> Result<Option<(Origin, Login)>, OptionsError> {
    let nats = &config.nats;
    if let Some(user) = nats.user.clone() {
        let origin = Origin::Config("[nats] user");
        let Some(password) = password.take().or_else(|| nats.password.clone()) else {
            let needs = "`[nats] password`, or `NATS_PASSWORD` in the environment";
            return Err(OptionsError::Missing { origin, needs });
        };
        return Ok(Some((origin, Login::Password { user, password })));
    }
    if nats.password.is_some() {
        let origin = Origin::Config("[nats] password");
        let needs = "`[nats] user`";
        return Err(OptionsError::Missing { origin, needs });
    }
    Ok(nats.creds.clone().map(|path| {
        let origin = Origin::Config("[nats] creds");
        (origin, Login::Creds(Source::File(path)))
    }))
}

/// An address from another place than the store's URL, which alone names the stream.
fn servers(text: &str, origin: Origin) -> Result<Layer, OptionsError> {
    let address = match url::parse(text) {
        Ok(address) => address,
        Err(why) => return Err(OptionsError::Url { origin, why }),
    };
    if address.stream.is_some() || address.servers.is_empty() {
        return Err(OptionsError::Value {
            origin,
            found: None,
            expected: "servers, without a stream",
        });
    }
    Ok(Layer {
        servers: address.servers,
        tls_required: address.tls,
        login: address.login.map(|login| (origin, login)),
        ..Layer::default()
    })
}

/// A variable that is set to nothing is not set.
fn variable(around: &dyn Surroundings, name: &str) -> Option<String> {
    around.variable(name).filter(|text| !text.is_empty())
}

fn default_server() -> Server {
    Server {
        host: DEFAULT_HOST.to_owned(),
        port: DEFAULT_PORT,
    }
}
