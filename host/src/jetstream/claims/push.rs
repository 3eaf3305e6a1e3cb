//! Bringing the token of an account to all servers, and seeing that they go by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use cim_core::jwt::{AccountClaims, Claims, Finding, OperatorClaims, ServerVersion, Token, Trust};
use cim_core::nkey::{KeyKind, PublicKey};
use serde::de::IgnoredAny;

use super::super::client::JetStreamClient;
use super::super::error::JetStreamError;
use super::error::ClaimsError;
use super::issued_at;
use super::servers::{LookedUp, ServerAccounts, ServerIdentity, Servers};
use crate::clock;

/// Within which time servers must go by what they have taken: they do before they answer, and a
/// look-up may come to one before the push does.
const CONFIRM_WITHIN: Duration = Duration::from_secs(3);

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What to push.
#[derive(Clone, Debug)]
pub struct Push {
    /// The token of the account.
    pub token: String,
    /// Whom the servers trust, as far as we know; what they were started with is looked at besides.
    pub trust: Trust,
    /// Whether it takes the place of a token that was signed later, or in the same second; it does not
    /// by default.
    pub replace: bool,
}

impl Push {
    /// A token to be pushed, where no newer one is.
    pub fn new(token: impl Into<String>, trust: Trust) -> Self {
        Self {
            token: token.into(),
            trust,
            replace: false,
        }
    }
}

/// What came of a push.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pushed {
    /// The account.
    pub account: PublicKey,
    /// What came of it at each server, by name.
    pub servers: Vec<ServerOutcome>,
    /// How many more servers those know of that did not answer at all.
    pub missing: usize,
}

impl Pushed {
    /// Whether every server has the token and goes by it.
    pub fn is_everywhere(&self) -> bool {
        let mut outcomes = self.servers.iter().map(|server| &server.outcome);
        self.missing == 0
            && outcomes.all(|outcome| matches!(outcome, Outcome::Updated | Outcome::Unchanged))
    }
}

/// What came of a push at a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerOutcome {
    /// The server.
    pub server: ServerIdentity,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a push.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The server has taken the token and goes by it, or will when the account is used there first.
    Updated,
    /// It had the token before.
    Unchanged,
    /// It has not taken it.
    Refused {
        /// What it says.
        why: String,
    },
    /// It has taken the token and still goes by another one. A restart makes it read what it has.
    NotInForce,
    /// It has taken the token, and somebody pushed another one since, to at least one server. Which ones
    /// is not to be seen: push again.
    Overtaken,
    /// It has not answered: it is down, or keeps its accounts in memory. One that was down asks the
    /// others for what it missed.
    Silent,
}

impl Outcome {
    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Refused { .. } => "refused",
            Self::NotInForce => "not-in-force",
            Self::Overtaken => "overtaken",
            Self::Silent => "silent",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updated => f.write_str("updated"),
            Self::Unchanged => f.write_str("unchanged"),
            Self::Refused { why } => write!(f, "refused: {why}"),
            Self::NotInForce => f.write_str("stored, but the server still goes by another token"),
            Self::Overtaken => f.write_str("stored, but another token was pushed since"),
            Self::Silent => f.write_str("no answer"),
        }
    }
}

impl JetStreamClient {
    /// Brings the token of an account to all servers.
    ///
    /// It is judged first, by [`Push::trust`], by the rules of the servers' versions, and by the
    /// operators that the servers were started with; then it is compared with what servers have. What
    /// would not do is not sent to any. Behind the push every server is asked what it goes by, within
    /// three seconds.
    ///
    /// Somebody who pushes in the same moment is not kept from it, as servers cannot: the later push
    /// counts, and [`Outcome::Overtaken`] tells of it where it is seen.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Token`], [`ClaimsError::Refused`], [`ClaimsError::NotTrusted`],
    /// [`ClaimsError::Newer`] and [`ClaimsError::SameSecond`] for a token that was not sent;
    /// [`ClaimsError::NoStore`] where no server takes one; [`ClaimsError::NotSystemUser`]; and
    /// [`ClaimsError::JetStream`] for what other calls have.
    pub async fn push_claims(&self, push: &Push) -> Result<Pushed, ClaimsError> {
        let token = Token::read(&push.token).and_then(|token| token.claims());
        let claims: Claims<AccountClaims> = token.map_err(ClaimsError::Token)?;
        // A push that no server can take needs no server to be refused.
        let account = check(&claims, &push.trust, ServerVersion::TRIED)?;
        let limit = self.client.max_payload();
        if push.token.len() > limit {
            return Err(JetStreamError::TooLarge { limit }.into());
        }
        let Servers {
            here: servers,
            operators,
            missing,
        } = self.servers().await?;
        let versions: BTreeSet<_> = servers.iter().map(ServerIdentity::rules).collect();
        for version in versions {
            check(&claims, &push.trust, version)?;
        }
        let stores = self.stores(&servers).await?;
        check_operators(&claims, operators)?;
        let before = self.look_up(&account, servers.len(), stores.len()).await?;
        if !push.replace {
            check_age(&account, &claims, &push.token, &before)?;
        }
        let mut attempt = Attempt {
            token: &push.token,
            servers: &servers,
            stores: &stores,
            before: &before,
            taken: None,
        };
        let is_there = before.is_everywhere(&push.token) && before.answers() >= stores.len();
        let after = match is_there && before.without == 0 {
            true => before.clone(),
            false => {
                attempt.taken = Some(self.update(&push.token, stores.len()).await?);
                self.confirmed(&account, &attempt).await?
            }
        };
        let servers = attempt.outcomes(&after);
        Ok(Pushed {
            account,
            servers,
            missing,
        })
    }

    /// Sends the token; who has taken it, and what others say.
    async fn update(
        &self,
        token: &str,
        stores: usize,
    ) -> Result<BTreeMap<ServerIdentity, Option<String>>, ClaimsError> {
        let subject = "$SYS.REQ.CLAIMS.UPDATE";
        let body = Bytes::copy_from_slice(token.as_bytes());
        let answers = self
            .answers_of::<IgnoredAny>("pushing an account", subject, body, stores)
            .await?;
        let taken = answers.into_iter().map(|answer| {
            let refused = answer.error.map(|refusal| refusal.description);
            (answer.server, refused)
        });
        Ok(taken.collect())
    }

    /// What servers have once all that have taken the token go by it, or when the time is over.
    async fn confirmed(
        &self,
        account: &PublicKey,
        attempt: &Attempt<'_>,
    ) -> Result<LookedUp, ClaimsError> {
        let deadline = clock::moment() + CONFIRM_WITHIN;
        loop {
            let (servers, stores) = (attempt.servers.len(), attempt.stores.len());
            let after = self.look_up(account, servers, stores).await?;
            if attempt.is_done(&after) || clock::moment() >= deadline {
                return Ok(after);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether all servers trust who has signed; those that do not say are not counted.
fn check_operators(
    claims: &Claims<AccountClaims>,
    operators: Vec<(ServerIdentity, Vec<Claims<OperatorClaims>>)>,
) -> Result<(), ClaimsError> {
    let trusts = |operator: &Claims<OperatorClaims>| Trust::of(operator).has_signed(claims);
    let mut servers: Vec<_> = operators
        .into_iter()
        .filter(|(_, operators)| !operators.is_empty() && !operators.iter().any(trusts))
        .map(|(server, _)| server)
        .collect();
    servers.sort();
    match servers.is_empty() {
        true => Ok(()),
        false => Err(ClaimsError::NotTrusted {
            issuer: claims.issuer.clone(),
            servers,
        }),
    }
}

/// What is known around an attempt.
struct Attempt<'a> {
    token: &'a str,
    servers: &'a [ServerIdentity],
    stores: &'a [ServerAccounts],
    before: &'a LookedUp,
    /// Who has answered to the push, with what was wrong; `None` where there was no need for one.
    taken: Option<BTreeMap<ServerIdentity, Option<String>>>,
}

impl Attempt<'_> {
    fn outcomes(&self, after: &LookedUp) -> Vec<ServerOutcome> {
        let outcome = |server: &ServerIdentity| ServerOutcome {
            server: server.clone(),
            outcome: self.outcome(server, after),
        };
        self.servers.iter().map(outcome).collect()
    }

    fn outcome(&self, server: &ServerIdentity, after: &LookedUp) -> Outcome {
        let in_force = |at: &LookedUp| at.in_force_at(server).map(|token| token == self.token);
        let was_in_force = in_force(self.before) == Some(true);
        let Some(taken) = &self.taken else {
            return match in_force(after) {
                Some(true) => Outcome::Unchanged,
                Some(false) => Outcome::NotInForce,
                None if self.stores.iter().any(|store| store.server == *server) => {
                    Outcome::Unchanged
                }
                None => Outcome::Silent,
            };
        };
        match (taken.get(server), in_force(after)) {
            (Some(Some(why)), _) => Outcome::Refused { why: why.clone() },
            (_, Some(true)) if was_in_force => Outcome::Unchanged,
            (_, Some(true)) => Outcome::Updated,
            (None, _) => Outcome::Silent,
            (Some(None), _) if !after.is_everywhere(self.token) => Outcome::Overtaken,
            (Some(None), Some(false)) => Outcome::NotInForce,
            (Some(None), None) => Outcome::Updated,
        }
    }

    /// Whether a further look would show nothing else.
    fn is_done(&self, after: &LookedUp) -> bool {
        let outcomes = self.outcomes(after);
        outcomes
            .iter()
            .all(|server| !matches!(server.outcome, Outcome::NotInForce | Outcome::Overtaken))
    }
}

/// The account, if servers of a version would go by it.
fn check(
    claims: &Claims<AccountClaims>,
    trust: &Trust,
    version: ServerVersion,
) -> Result<PublicKey, ClaimsError> {
    let mut findings = claims.findings_for(trust, version, clock::now());
    findings.retain(Finding::is_refused);
    let account = PublicKey::of_kind(&claims.subject, KeyKind::Account).ok();
    match account {
        Some(account) if findings.is_empty() => Ok(account),
        _ => Err(ClaimsError::Refused {
            account: claims.subject.clone(),
            findings,
        }),
    }
}

/// Whether what servers have is older, or the same.
fn check_age(
    account: &PublicKey,
    claims: &Claims<AccountClaims>,
    token: &str,
    before: &LookedUp,
) -> Result<(), ClaimsError> {
    let in_force = before.in_force.iter().map(|found| &found.token);
    let stored = before.stored.iter().map(|stored| &stored.token);
    let others = stored.chain(in_force).filter(|found| *found != token);
    let newest = others.filter_map(|found| issued_at(found)).max();
    let ours = claims.issued_at;
    match newest {
        Some(found) if found > ours => Err(ClaimsError::Newer {
            account: *account,
            ours,
            found,
        }),
        Some(found) if found == ours => Err(ClaimsError::SameSecond {
            account: *account,
            issued_at: found,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::servers::{InForce, StoredClaims};
    use super::*;

    fn server(name: &str) -> ServerIdentity {
        ServerIdentity {
            name: name.to_owned(),
            id: name.to_uppercase(),
            version: "2.15.1".to_owned(),
        }
    }

    /// Servers `a`, `b` and so on go by these tokens, or have not used the account.
    fn found(stored: &[&str], in_force: &[Option<&str>]) -> LookedUp {
        let stored = stored.iter().map(|token| StoredClaims {
            token: (*token).to_owned(),
            servers: 1,
        });
        let in_force = ["a", "b", "c"].iter().zip(in_force);
        let in_force = in_force.filter_map(|(name, token)| {
            let token = token.as_ref()?;
            Some(InForce {
                server: server(name),
                token: (*token).to_owned(),
            })
        });
        LookedUp {
            stored: stored.collect(),
            without: 0,
            in_force: in_force.collect(),
        }
    }

    #[track_caller]
    fn check(before: &LookedUp, taken: Option<&[Option<&str>]>, after: &LookedUp, codes: &[&str]) {
        let servers = ["a", "b", "c"].map(server);
        let stores = servers[..2].iter().map(|server| ServerAccounts {
            server: server.clone(),
            accounts: BTreeSet::new(),
        });
        let taken = taken.map(|taken| {
            let servers = servers.iter().cloned();
            servers
                .zip(taken.iter().map(|why| why.map(str::to_owned)))
                .collect()
        });
        let attempt = Attempt {
            token: "new",
            servers: &servers,
            stores: &stores.collect::<Vec<_>>(),
            before,
            taken,
        };
        let outcomes = attempt.outcomes(after);
        let found: Vec<_> = outcomes.iter().map(|found| found.outcome.code()).collect();
        assert_eq!(found, codes);
    }

    #[test]
    fn an_outcome_is_what_a_server_goes_by() {
        let before = found(&["old"], &[Some("old"), None, Some("new")]);
        let after = found(&["new"], &[Some("new"), None, Some("new")]);
        let all = Some(&[None, None, None][..]);
        check(&before, all, &after, &["updated", "updated", "unchanged"]);
        let after = found(&["new"], &[Some("old"), None, None]);
        let some = Some(&[None, Some("no")][..]);
        check(
            &before,
            some,
            &after,
            &["not-in-force", "refused", "silent"],
        );
        let after = found(&["new", "other"], &[Some("other"), None, None]);
        let two = Some(&[None, None][..]);
        check(&before, two, &after, &["overtaken", "overtaken", "silent"]);
    }

    #[test]
    fn what_all_have_need_not_be_sent() {
        let there = found(&["new"], &[Some("old"), None, None]);
        check(
            &there,
            None,
            &there,
            &["not-in-force", "unchanged", "silent"],
        );
        let there = found(&["new"], &[Some("new"), None, Some("new")]);
        check(
            &there,
            None,
            &there,
            &["unchanged", "unchanged", "unchanged"],
        );
    }
}
