//! Tokens: which key signs, and what.
//!
//! A token of an operator or account follows from the history and the keys alone, so that asking twice
//! gives the same bytes.

use cim_core::creds::{Creds, CredsError};
use cim_core::domain::keys::{AccountState, Directory, Issued, OperatorState, Refusal};
use cim_core::jwt::{
    AccountClaims, Claims, Effective, Finding, Level, Login, OperatorClaims, ServerVersion, Token,
    Trust, UserClaims, login_findings,
};
use cim_core::nkey::{PublicKey, Seed};
use cim_core::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::error::IdentityError;

/// Gives the seed of a key, if it has it.
pub(super) trait Seeds {
    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, IdentityError>;
}

/// A directory with the seeds that sign for it.
#[derive(Clone, Copy)]
pub(super) struct Signing<'a, S> {
    pub(super) directory: &'a Directory,
    pub(super) seeds: &'a S,
}

impl<'a, S: Seeds> Signing<'a, S> {
    /// The token of an operator, signed by its identity key.
    pub(super) fn operator_token(&self, operator: PublicKey) -> Result<String, IdentityError> {
        let state = self.operator(operator)?;
        let mut claims = self.operator_claims(operator)?;
        let seed = self.first_seed(&[operator], || format!("the operator `{}`", state.name))?;
        let at = second(state.issued_at)?;
        Ok(claims.issue(&seed, at, ServerVersion::default())?)
    }

    /// The token of an account, signed by the newest key of its operator that may and can.
    pub(super) fn account_token(&self, account: PublicKey) -> Result<String, IdentityError> {
        let state = self.account(account)?;
        let key = state.operator.ok_or(Refusal::Absent { what: "account" })?;
        let operator = self.operator(key)?;
        let mut claims = state.claims().ok_or(Refusal::Absent { what: "account" })?;
        let mut signers: Vec<PublicKey> = operator.signing_keys.iter().rev().copied().collect();
        if !operator.settings().is_strict {
            signers.push(key);
        }
        let seed = self.first_seed(&signers, || format!("the account `{}`", state.name))?;
        // Whatever changes of the operator may change who signs.
        let at = second(state.issued_at.max(operator.issued_at))?;
        Ok(claims.issue(&seed, at, ServerVersion::default())?)
    }

    /// Creds of a user with a token of their own, and what is to be noted of it.
    pub(super) fn creds(
        &self,
        user: PublicKey,
        expires: i64,
        now: Timestamp,
    ) -> Result<(Creds, Issued), IdentityError> {
        self.directory.key(user).signer()?;
        let entry = self.directory.users.get(&user);
        let state = &entry.ok_or(Refusal::Absent { what: "user" })?.state;
        let account_key = state.account.ok_or(Refusal::Absent { what: "user" })?;
        let account = self.account(account_key)?;
        let operator_key = account
            .operator
            .ok_or(Refusal::Absent { what: "account" })?;
        let operator = self.operator_claims(operator_key)?;
        let mut signers: Vec<PublicKey> = account.signing_keys_of(state.role.as_deref()).collect();
        signers.reverse();
        if state.role.is_none() && !operator.body.is_strict {
            signers.push(account_key);
        }
        let what = || format!("the user `{}`", state.name);
        let signer = self.first_seed(&signers, what)?;
        let mut claims = state
            .claims(signer.public_key(), expires)
            .ok_or(Refusal::Absent { what: "user" })?;
        let revoked_until = account.revoked_until(user);
        let issued_at = state.next_issue(now).max(revoked_until.saturating_add(1));
        let at = second(issued_at)?;
        let token = claims.issue(&signer, at, ServerVersion::default())?;
        self.check_login(&token, account, &operator, now, what)?;
        let issued = Issued {
            token_sha256: token_sha256(&token),
            issuer: signer.public_key(),
            issued_at,
            expires,
        };
        let seed = self.first_seed(&[user], what)?;
        Ok((Creds::new(token, seed)?, issued))
    }

    /// A token that no server would log in is not handed out. That networks and times of the day are
    /// limited is no fault of it.
    fn check_login(
        &self,
        token: &str,
        account: &AccountState,
        operator: &Claims<OperatorClaims>,
        now: Timestamp,
        what: impl Fn() -> String,
    ) -> Result<(), IdentityError> {
        let token = Token::read(token).map_err(CredsError::Token)?;
        let mut account: Claims<AccountClaims> = account
            .claims()
            .ok_or(Refusal::Absent { what: "account" })?;
        let user: Claims<UserClaims> = token.claims().map_err(CredsError::Token)?;
        let trust = Trust::of(operator);
        let signers = &operator.body.signing_keys;
        account
            .issuer
            .clone_from(signers.last().unwrap_or(&operator.subject));
        let types = &user.body.limits.connection_types;
        let login = Login {
            connection_type: types.first().map_or("STANDARD", String::as_str),
            ..Login::at(now)
        };
        let found = login_findings(&token, &account, &trust, ServerVersion::default(), &login);
        let findings: Vec<Finding> = found
            .map_err(CredsError::Token)?
            .into_iter()
            .filter(|finding| finding.level == Level::Error)
            .collect();
        match findings.is_empty() {
            true => Ok(()),
            false => Err(IdentityError::Unsigned {
                what: what(),
                findings,
            }),
        }
    }

    pub(super) fn operator_claims(
        &self,
        operator: PublicKey,
    ) -> Result<Claims<OperatorClaims>, IdentityError> {
        let claims = self.operator(operator)?.claims();
        Ok(claims.ok_or(Refusal::Absent { what: "operator" })?)
    }

    fn operator(&self, key: PublicKey) -> Result<&'a OperatorState, IdentityError> {
        let entry = self.directory.operators.get(&key);
        Ok(&entry.ok_or(Refusal::Absent { what: "operator" })?.state)
    }

    fn account(&self, key: PublicKey) -> Result<&'a AccountState, IdentityError> {
        let entry = self.directory.accounts.get(&key);
        Ok(&entry.ok_or(Refusal::Absent { what: "account" })?.state)
    }

    /// The seed of the first key that may sign and whose seed there is.
    fn first_seed(
        &self,
        keys: &[PublicKey],
        what: impl Fn() -> String,
    ) -> Result<Seed, IdentityError> {
        for key in keys {
            if self.directory.key(*key).signer().is_err() {
                continue;
            }
            if let Some(seed) = self.seeds.seed(key)? {
                return Ok(seed);
            }
        }
        Err(IdentityError::NoSeed {
            what: what(),
            keys: keys.to_vec(),
        })
    }
}

/// What a user may publish and subscribe to, by the token that it would be given.
pub(super) fn effective(
    directory: &Directory,
    user: PublicKey,
) -> Result<Effective, IdentityError> {
    directory.key(user).signer()?;
    let entry = directory.users.get(&user);
    let state = &entry.ok_or(Refusal::Absent { what: "user" })?.state;
    let account_key = state.account.ok_or(Refusal::Absent { what: "user" })?;
    let account = &directory
        .accounts
        .get(&account_key)
        .ok_or(Refusal::Absent { what: "account" })?
        .state;
    let signer = account
        .signing_keys_of(state.role.as_deref())
        .last()
        .unwrap_or(account_key);
    let mut user = state
        .claims(signer, 0)
        .ok_or(Refusal::Absent { what: "user" })?;
    user.issuer = signer.to_string();
    let claims = account
        .claims()
        .ok_or(Refusal::Absent { what: "account" })?;
    Effective::of(&user, &claims).map_err(|why| IdentityError::Unsigned {
        what: format!("the user `{}`", state.name),
        findings: vec![Finding {
            level: Level::Error,
            code: "scope-unusable",
            path: "account: nats.signing_keys".to_owned(),
            text: why,
        }],
    })
}

/// The SHA-256 of a token, as lower-case hex: what is noted of one in events.
pub fn token_sha256(token: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(token))
}

/// The time of a second. One that no calendar has comes from a revocation that was made elsewhere.
fn second(second: i64) -> Result<Timestamp, IdentityError> {
    Timestamp::from_seconds(second).ok_or_else(|| IdentityError::Unsigned {
        what: "a token of this time".to_owned(),
        findings: vec![Finding {
            level: Level::Error,
            code: "time-unknown",
            path: "iat".to_owned(),
            text: format!("it would be signed at the second {second}, behind all years"),
        }],
    })
}
