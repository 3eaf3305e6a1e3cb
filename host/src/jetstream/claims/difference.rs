//! The accounts of servers against ours.

use std::collections::{BTreeMap, BTreeSet};

use cim_core::jwt::{AccountClaims, Claims, Token};
use cim_core::nkey::{KeyKind, PublicKey};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::super::client::JetStreamClient;
use super::error::ClaimsError;
use super::issued_at;
use super::servers::{LookedUp, ServerAccounts, ServerIdentity, Servers};

/// How many accounts are asked for at the same time.
const AT_ONCE: usize = 16;

/// Wherein servers and we differ.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClaimsDifference {
    /// Our accounts, in the order in which they were given.
    pub accounts: Vec<AccountDifference>,
    /// Accounts that servers have stored and we do not have.
    pub foreign: Vec<ForeignAccount>,
    /// How many more servers those that answer know of.
    pub missing: usize,
}

impl ClaimsDifference {
    /// Whether every server has all our accounts as we do, and no others.
    pub fn is_empty(&self) -> bool {
        let mut held = self.accounts.iter().flat_map(|account| &account.servers);
        self.missing == 0 && self.foreign.is_empty() && held.all(|(_, held)| *held == Held::Same)
    }
}

/// One of our accounts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountDifference {
    /// The account.
    pub account: PublicKey,
    /// What each server has of it.
    pub servers: Vec<(ServerIdentity, Held)>,
}

/// An account that is not ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForeignAccount {
    /// Its key.
    pub account: String,
    /// The servers that have it.
    pub servers: Vec<ServerIdentity>,
}

/// What a server has of an account, compared with our token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Held {
    /// The same token.
    Same,
    /// One that was signed before ours.
    Older {
        /// The second in which it was.
        issued_at: i64,
    },
    /// One that was signed after ours.
    Newer {
        /// The second in which it was.
        issued_at: i64,
    },
    /// Another one that was signed in the same second.
    Other,
    /// None.
    Missing,
    /// Our token is stored, and the server goes by another one.
    NotInForce,
    /// It is not to be seen: servers have stored different tokens and do not say which, or keep
    /// accounts in memory, and this one has not used the account since its start.
    Unclear,
}

impl Held {
    /// The stable word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Older { .. } => "older",
            Self::Newer { .. } => "newer",
            Self::Other => "other",
            Self::Missing => "missing",
            Self::NotInForce => "not-in-force",
            Self::Unclear => "unclear",
        }
    }
}

impl JetStreamClient {
    /// Compares the accounts of servers with ours, of which each token is given.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Token`] when one is none of an account; [`ClaimsError::NotSystemUser`];
    /// [`ClaimsError::JetStream`] for what other calls have.
    pub async fn compare_claims(&self, ours: &[String]) -> Result<ClaimsDifference, ClaimsError> {
        let ours: Vec<Ours<'_>> = ours.iter().map(Ours::read).collect::<Result<_, _>>()?;
        let Servers {
            here: servers,
            missing,
            ..
        } = self.servers().await?;
        let stores = match self.stores(&servers).await {
            Err(ClaimsError::NoStore { .. }) => Vec::new(),
            stores => stores?,
        };
        let foreign = foreign(&ours, &stores);
        let looks: Vec<_> = ours
            .iter()
            .map(|ours| self.compare_one(ours, &servers, &stores))
            .collect();
        let accounts = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(ClaimsDifference {
            accounts,
            foreign,
            missing,
        })
    }

    async fn compare_one(
        &self,
        ours: &Ours<'_>,
        servers: &[ServerIdentity],
        stores: &[ServerAccounts],
    ) -> Result<AccountDifference, ClaimsError> {
        let looked_up = self.look_up(&ours.account, servers.len(), stores.len());
        let looked_up = looked_up.await?;
        let account = ours.account.to_string();
        let held = |server: &ServerIdentity| {
            let store = stores.iter().find(|store| store.server == *server);
            let has = store.map(|store| store.accounts.contains(&account));
            (server.clone(), ours.held(server, has, &looked_up))
        };
        Ok(AccountDifference {
            account: ours.account,
            servers: servers.iter().map(held).collect(),
        })
    }
}

/// An account of ours.
struct Ours<'a> {
    account: PublicKey,
    token: &'a str,
    issued_at: i64,
}

impl<'a> Ours<'a> {
    fn read(token: &'a String) -> Result<Self, ClaimsError> {
        let claims = Token::read(token).and_then(|token| token.claims());
        let claims: Claims<AccountClaims> = claims.map_err(ClaimsError::Token)?;
        let account = PublicKey::of_kind(&claims.subject, KeyKind::Account);
        let account = account.map_err(|_| ClaimsError::Refused {
            account: claims.subject.clone(),
            findings: Vec::new(),
        })?;
        Ok(Self {
            account,
            token,
            issued_at: claims.issued_at,
        })
    }

    /// What a server has of it, which has the account stored, or not, or stores none.
    fn held(&self, server: &ServerIdentity, has: Option<bool>, looked_up: &LookedUp) -> Held {
        let in_force = looked_up.in_force_at(server);
        let stored = match (has, &looked_up.stored[..]) {
            (Some(false), _) => return Held::Missing,
            (Some(true), [only]) => Some(only.token.as_str()),
            (Some(true), _) | (None, _) => in_force,
        };
        match (stored.map(|stored| self.compare(stored)), in_force) {
            (None, _) => Held::Unclear,
            (Some(Held::Same), Some(other)) if other != self.token => Held::NotInForce,
            (Some(held), _) => held,
        }
    }

    fn compare(&self, token: &str) -> Held {
        if token == self.token {
            return Held::Same;
        }
        match issued_at(token) {
            Some(issued_at) if issued_at < self.issued_at => Held::Older { issued_at },
            Some(issued_at) if issued_at > self.issued_at => Held::Newer { issued_at },
            _ => Held::Other,
        }
    }
}

fn foreign(ours: &[Ours<'_>], stores: &[ServerAccounts]) -> Vec<ForeignAccount> {
    let ours: BTreeSet<String> = ours.iter().map(|ours| ours.account.to_string()).collect();
    let mut foreign: BTreeMap<&String, Vec<ServerIdentity>> = BTreeMap::new();
    for store in stores {
        for account in store.accounts.difference(&ours) {
            foreign
                .entry(account)
                .or_default()
                .push(store.server.clone());
        }
    }
    let foreign = foreign.into_iter();
    foreign
        .map(|(account, servers)| ForeignAccount {
            account: account.clone(),
            servers,
        })
        .collect()
}
