//! Who answers, and what each has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use cim_core::creds;
use cim_core::jwt::{Claims, OperatorClaims, ServerVersion, Token};
use cim_core::nkey::PublicKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::super::client::JetStreamClient;
use super::super::error::JetStreamError;
use super::error::ClaimsError;
use super::issued_at;

/// How long the next answer is waited for where more are expected.
const GAP: Duration = Duration::from_secs(1);

/// A server, as it names itself.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServerIdentity {
    /// Its name, as it is configured; its id without one.
    pub name: String,
    /// Its id, `N…`, which is another one after each start.
    pub id: String,
    /// Its version, such as `2.15.1`.
    #[serde(rename = "ver", default)]
    pub version: String,
}

impl ServerIdentity {
    /// Its version for the rules that hold there; the one that was tried, where it tells another form.
    pub(super) fn rules(&self) -> ServerVersion {
        // Development versions have words behind a dash.
        let release = self.version.split('-').next().unwrap_or_default();
        release.parse().unwrap_or_default()
    }
}

impl std::fmt::Display for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.name)
    }
}

/// The servers that answer.
pub(super) struct Servers {
    pub(super) here: Vec<ServerIdentity>,
    /// How many others they know of.
    pub(super) missing: usize,
}

/// The accounts that a server has stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerAccounts {
    /// The server.
    pub server: ServerIdentity,
    /// The keys of the accounts.
    pub accounts: BTreeSet<String>,
}

/// What servers have of an account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LookedUp {
    /// The tokens that are stored, the newest first; one if all servers have the same.
    pub stored: Vec<StoredClaims>,
    /// How many servers answered that they have none.
    pub without: usize,
    /// What servers go by that have used the account since their start.
    pub in_force: Vec<InForce>,
}

/// A token that servers have stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredClaims {
    /// The token.
    pub token: String,
    /// How many servers have it; they do not say which.
    pub servers: usize,
}

/// The token that a server goes by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InForce {
    /// The server.
    pub server: ServerIdentity,
    /// The token.
    pub token: String,
}

impl LookedUp {
    /// The token that a server goes by, if it has used the account.
    pub fn in_force_at(&self, server: &ServerIdentity) -> Option<&str> {
        let found = self.in_force.iter().find(|found| found.server == *server);
        found.map(|found| found.token.as_str())
    }

    /// Whether all servers that have the account stored have this token.
    pub(super) fn is_everywhere(&self, token: &str) -> bool {
        !self.stored.is_empty() && self.stored.iter().all(|stored| stored.token == token)
    }

    /// How many servers answered.
    pub(super) fn answers(&self) -> usize {
        let stored = self.stored.iter().map(|stored| stored.servers);
        stored.sum::<usize>() + self.without
    }
}

/// What a server says with its name.
#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub(super) server: ServerIdentity,
    pub(super) data: Option<T>,
    pub(super) error: Option<Refusal>,
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) description: String,
}

impl JetStreamClient {
    /// The accounts that each server has stored. Servers that keep accounts in memory do not answer.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::NotSystemUser`] and [`ClaimsError::NoStore`]; [`ClaimsError::JetStream`] for what
    /// other calls have.
    pub async fn list_claims(&self) -> Result<Vec<ServerAccounts>, ClaimsError> {
        let servers = self.servers().await?;
        self.stores(&servers.here).await
    }

    /// What servers have of an account: the tokens that are stored, and those that servers go by.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::NotSystemUser`]; [`ClaimsError::JetStream`] for what other calls have.
    pub async fn look_up_claims(&self, account: &PublicKey) -> Result<LookedUp, ClaimsError> {
        let servers = self.servers().await?;
        let stores = match self.stores(&servers.here).await {
            Ok(stores) => stores.len(),
            Err(ClaimsError::NoStore { .. }) => 0,
            Err(error) => return Err(error),
        };
        self.look_up(account, servers.here.len(), stores).await
    }

    /// All servers, by name. Each says how many it knows of.
    pub(super) async fn servers(&self) -> Result<Servers, ClaimsError> {
        #[derive(Deserialize)]
        struct Pong {
            server: ServerIdentity,
            #[serde(default)]
            statsz: Stats,
        }
        #[derive(Default, Deserialize)]
        struct Stats {
            #[serde(default)]
            active_servers: usize,
            #[serde(default)]
            routes: Vec<Route>,
        }
        #[derive(Deserialize)]
        struct Route {
            #[serde(default)]
            name: String,
        }
        impl Stats {
            /// A server counts others only when it has heard of them, which it has not for the first
            /// seconds; it knows to whom it has routes, of which there are several to each.
            fn known(&self) -> usize {
                let names: BTreeSet<_> = self.routes.iter().map(|route| &route.name).collect();
                self.active_servers.max(names.len() + 1)
            }
        }
        const DOING: &str = "asking who is there";
        let known = |found: &[Bytes]| {
            let known = found.iter().filter_map(|answer| {
                let pong: Pong = serde_json::from_slice(answer).ok()?;
                Some(pong.statsz.known())
            });
            known.max().unwrap_or_default()
        };
        let is_all = |found: &[Bytes]| (1..=found.len()).contains(&known(found));
        let subject = "$SYS.REQ.SERVER.PING";
        let found = self.gather(DOING, subject, Bytes::new(), GAP, is_all).await;
        let found = match found {
            Err(JetStreamError::NobodyListens { .. }) => return Err(ClaimsError::NotSystemUser),
            found => found?,
        };
        let mut here = Vec::new();
        for answer in &found {
            here.push(read::<Pong>(DOING, answer)?.server);
        }
        here.sort();
        let missing = known(&found).saturating_sub(here.len());
        Ok(Servers { here, missing })
    }

    /// The servers that store accounts, with the accounts.
    pub(super) async fn stores(
        &self,
        servers: &[ServerIdentity],
    ) -> Result<Vec<ServerAccounts>, ClaimsError> {
        const DOING: &str = "listing accounts";
        let found = self
            .answers_of::<BTreeSet<String>>(
                DOING,
                "$SYS.REQ.CLAIMS.LIST",
                Bytes::new(),
                servers.len(),
            )
            .await;
        let found = match found {
            Err(JetStreamError::NobodyListens { .. }) => {
                let servers = servers.to_vec();
                return Err(ClaimsError::NoStore { servers });
            }
            found => found?,
        };
        let mut stores: Vec<_> = found
            .into_iter()
            .map(|answer| ServerAccounts {
                server: answer.server,
                accounts: answer.data.unwrap_or_default(),
            })
            .collect();
        stores.sort_by(|one, other| one.server.cmp(&other.server));
        Ok(stores)
    }

    /// As [`look_up_claims`](Self::look_up_claims), where it is known how many servers there are, and
    /// how many of them store accounts.
    pub(super) async fn look_up(
        &self,
        account: &PublicKey,
        servers: usize,
        stores: usize,
    ) -> Result<LookedUp, ClaimsError> {
        const DOING: &str = "looking an account up";
        #[derive(Deserialize)]
        struct Accountz {
            account_detail: Option<Detail>,
        }
        #[derive(Deserialize)]
        struct Detail {
            #[serde(default)]
            jwt: String,
        }
        let mut looked_up = LookedUp::default();
        if stores > 0 {
            let subject = format!("$SYS.REQ.ACCOUNT.{account}.CLAIMS.LOOKUP");
            let is_all = |found: &[Bytes]| found.len() >= stores;
            let found = self.gather(DOING, &subject, Bytes::new(), GAP, is_all);
            let mut tokens: BTreeMap<String, usize> = BTreeMap::new();
            for answer in found.await? {
                match str::from_utf8(&answer) {
                    Ok("") => looked_up.without += 1,
                    Ok(token) => *tokens.entry(token.to_owned()).or_default() += 1,
                    Err(error) => return Err(wrong(DOING, &error).into()),
                }
            }
            let stored = tokens.into_iter();
            looked_up.stored = stored
                .map(|(token, servers)| StoredClaims { token, servers })
                .collect();
            let newest = |stored: &StoredClaims| std::cmp::Reverse(issued_at(&stored.token));
            looked_up.stored.sort_by_key(newest);
        }
        let subject = "$SYS.REQ.SERVER.PING.ACCOUNTZ";
        let body = json!({ "account": account }).to_string();
        let found = self.answers_of::<Accountz>(DOING, subject, body.into(), servers);
        for answer in found.await? {
            // It refuses to tell of accounts that it has not used.
            let detail = answer.data.and_then(|data| data.account_detail);
            if let Some(Detail { jwt: token }) = detail
                && !token.is_empty()
            {
                let server = answer.server;
                looked_up.in_force.push(InForce { server, token });
            }
        }
        Ok(looked_up)
    }

    /// The operators that each server was started with.
    pub(super) async fn operators(
        &self,
        servers: usize,
    ) -> Result<Vec<(ServerIdentity, Vec<Claims<OperatorClaims>>)>, ClaimsError> {
        #[derive(Deserialize)]
        struct Varz {
            #[serde(default)]
            trusted_operators_jwt: Vec<String>,
        }
        let subject = "$SYS.REQ.SERVER.PING.VARZ";
        let doing = "asking for operators";
        let found = self.answers_of::<Varz>(doing, subject, Bytes::new(), servers);
        let operator = |text: &String| {
            let token = Token::read(creds::token_in(text));
            token.and_then(|token| token.claims()).ok()
        };
        let operators = |answer: Answer<Varz>| {
            let tokens = answer.data.map(|data| data.trusted_operators_jwt);
            let tokens = tokens.unwrap_or_default();
            (answer.server, tokens.iter().filter_map(operator).collect())
        };
        Ok(found.await?.into_iter().map(operators).collect())
    }

    /// What so many servers answer, if they all do.
    pub(super) async fn answers_of<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        subject: &str,
        body: Bytes,
        servers: usize,
    ) -> Result<Vec<Answer<T>>, JetStreamError> {
        let is_all = |found: &[Bytes]| found.len() >= servers;
        let found = self.gather(doing, subject, body, GAP, is_all).await?;
        found.iter().map(|answer| read(doing, answer)).collect()
    }
}

fn read<T: DeserializeOwned>(doing: &'static str, answer: &Bytes) -> Result<T, JetStreamError> {
    serde_json::from_slice(answer).map_err(|error| wrong(doing, &error))
}

fn wrong(doing: &'static str, error: &dyn std::error::Error) -> JetStreamError {
    JetStreamError::Answer {
        doing,
        why: error.to_string(),
    }
}
