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
use super::super::system::QUIET;
use super::error::ClaimsError;
use super::issued_at;

/// How long the next answer is waited for where more are expected.
const GAP: Duration = Duration::from_secs(1);

/// How often servers are asked that do not all answer. While one comes back to its cluster it closes
/// connections to others that it has twice, and with them goes what is under way.
const ATTEMPTS: usize = 2;

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
#[derive(Default)]
pub(super) struct Servers {
    /// They, by name.
    pub(super) here: Vec<ServerIdentity>,
    /// The operators that each was started with, as far as it says.
    pub(super) operators: Vec<(ServerIdentity, Vec<Claims<OperatorClaims>>)>,
    /// How many others they know of.
    pub(super) missing: usize,
}

/// What a server says of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Varz {
    /// To how many others of its cluster it has routes.
    remotes: usize,
    cluster: Named,
    gateway: Named,
    trusted_operators_jwt: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

impl Varz {
    fn operators(self) -> Vec<Claims<OperatorClaims>> {
        let operator = |text: &String| {
            let token = Token::read(creds::token_in(text));
            token.and_then(|token| token.claims()).ok()
        };
        self.trusted_operators_jwt
            .iter()
            .filter_map(operator)
            .collect()
    }
}

impl Answer<Varz> {
    /// Whether the server has no others beside it.
    fn is_single(&self) -> bool {
        let data = self.data.as_ref();
        data.is_some_and(|varz| varz.remotes == 0 && varz.gateway.name.is_empty())
    }
}

/// How many servers there are in the clusters that answer.
fn known(found: &[Answer<Varz>]) -> usize {
    let mut clusters: BTreeMap<&str, usize> = BTreeMap::new();
    for varz in found.iter().filter_map(|answer| answer.data.as_ref()) {
        let known = clusters.entry(&varz.cluster.name).or_default();
        *known = (*known).max(varz.remotes + 1);
    }
    clusters.values().sum()
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

    /// All servers, by name. Each says how many others its cluster has.
    ///
    /// `$SYS.REQ.SERVER.PING` would be asked more cheaply, but servers answer it once a second.
    pub(super) async fn servers(&self) -> Result<Servers, ClaimsError> {
        const DOING: &str = "asking who is there";
        let read_all = |found: &[Bytes]| -> Result<Vec<Answer<Varz>>, JetStreamError> {
            found.iter().map(|answer| read(DOING, answer)).collect()
        };
        let wait = |found: &[Bytes]| {
            let all = read_all(found).unwrap_or_default();
            let is_single = all.iter().all(Answer::<Varz>::is_single);
            match known(&all) > found.len() {
                true => GAP,
                false if is_single => Duration::ZERO,
                // While a server comes back the others do not all know of it, and of other clusters
                // nobody says how many servers they have.
                false => QUIET,
            }
        };
        let subject = "$SYS.REQ.SERVER.PING.VARZ";
        let found = match self.bare_answers(DOING, subject, wait).await {
            Err(JetStreamError::NobodyListens { .. }) => return Err(ClaimsError::NotSystemUser),
            found => read_all(&found?)?,
        };
        let missing = known(&found).saturating_sub(found.len());
        let mut servers = Servers {
            missing,
            ..Servers::default()
        };
        for answer in found {
            let operators = answer.data.map(Varz::operators).unwrap_or_default();
            servers.here.push(answer.server.clone());
            servers.operators.push((answer.server, operators));
        }
        servers.here.sort();
        Ok(servers)
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
        let stores = found.into_iter().map(|answer| ServerAccounts {
            server: answer.server,
            accounts: answer.data.unwrap_or_default(),
        });
        Ok(stores.collect())
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
            let found = self.bare_answers(DOING, &subject, |found| gap(found.len() < stores));
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

    /// What so many servers answer, if they all do, by name.
    pub(super) async fn answers_of<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        subject: &str,
        body: Bytes,
        servers: usize,
    ) -> Result<Vec<Answer<T>>, JetStreamError> {
        let mut answers = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let wait = |found: &[Bytes]| gap(found.len() < servers);
            let found = self.gather(doing, subject, body.clone(), wait).await;
            for answer in found? {
                let answer: Answer<T> = read(doing, &answer)?;
                answers.insert(answer.server.clone(), answer);
            }
            if answers.len() >= servers {
                break;
            }
        }
        Ok(answers.into_values().collect())
    }

    /// What servers answer that do not say who they are; `wait` as in [`gather`](Self::gather).
    async fn bare_answers(
        &self,
        doing: &'static str,
        subject: &str,
        wait: impl Fn(&[Bytes]) -> Duration + Send + Sync,
    ) -> Result<Vec<Bytes>, JetStreamError> {
        let mut most = Vec::new();
        for _ in 0..ATTEMPTS {
            let found = self.gather(doing, subject, Bytes::new(), &wait).await?;
            if found.len() > most.len() {
                most = found;
            }
            if wait(&most) < GAP {
                break;
            }
        }
        Ok(most)
    }
}

/// How long a further answer is waited for.
fn gap(are_more: bool) -> Duration {
    if are_more { GAP } else { Duration::ZERO }
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
