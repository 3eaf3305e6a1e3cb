//! Takes what `nsc` has made into the identities: events for what is not there yet, and the seeds.
//!
//! What is there already, under the same key, is passed over: so an import that was cut short goes on
//! where it ended, and one that is repeated changes nothing. All that is wrong is found before anything
//! is stored, and refuses the whole import.

use cim_core::domain::keys::{
    AccountCommand, Issued, KeyCommand, KeyFacts, KeyRole, OperatorCommand, Refusal, UserCommand,
};
use cim_core::jwt::{
    AccountClaims, Body, Claims, Finding, Level, Scope, ServerVersion, Trust, UserClaims,
    UserLimits,
};
use cim_core::nkey::{KeyKind, PublicKey, without_seeds};
use cim_core::time::Timestamp;

use super::draft::{Draft, check_free};
use super::error::{IdentityError, NscProblem};
use super::nsc::{MissingSeed, NscAccount, NscStore, NscToken};
use super::signing::token_sha256;

/// How far ahead of our clock a token may have been signed, in seconds.
const MAX_AHEAD: i64 = 24 * 60 * 60;

/// What an import takes.
#[derive(Debug)]
pub struct NscImport {
    /// The operator, its accounts and their users, in this order.
    pub items: Vec<NscItem>,
    /// The keys whose seeds are taken.
    pub seeds: Vec<PublicKey>,
    /// The keys whose seeds are neither with `nsc` nor in the keystore.
    pub missing: Vec<MissingSeed>,
    /// What is not as it was with `nsc`, for people.
    pub notes: Vec<String>,
}

/// An operator, an account or a user of `nsc`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NscItem {
    /// Its key, which says what it is.
    pub key: PublicKey,
    /// Its name; that of a user behind its account's and a `/`.
    pub name: String,
    /// Whether it was not there yet.
    pub is_new: bool,
}

impl Draft<'_> {
    /// Takes an operator of `nsc` with its accounts and users, their keys, and the seeds that were
    /// found.
    ///
    /// A user that the key of a role has signed gets that role. The tokens that are out are noted, so
    /// that they can be revoked, and tokens that are made here are later.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NscRefused`] with all that cannot be taken.
    pub fn import_nsc(&mut self, store: &NscStore) -> Result<NscImport, IdentityError> {
        let mut importer = Importer {
            draft: self,
            store,
            problems: Vec::new(),
            import: NscImport {
                items: Vec::new(),
                seeds: Vec::new(),
                missing: Vec::new(),
                notes: Vec::new(),
            },
        };
        importer.run()?;
        let Importer {
            problems, import, ..
        } = importer;
        match problems.is_empty() {
            true => Ok(import),
            false => Err(IdentityError::NscRefused { problems }),
        }
    }
}

struct Importer<'a, 'd> {
    draft: &'a mut Draft<'d>,
    store: &'a NscStore,
    problems: Vec<NscProblem>,
    import: NscImport,
}

impl Importer<'_, '_> {
    fn run(&mut self) -> Result<(), IdentityError> {
        let store = self.store;
        let whose = format!("operator `{}`", store.operator.claims.name);
        let taken = self.operator();
        if self.is_taken(&whose, taken)? {
            let trust = Trust::of(&store.operator.claims);
            for account in &store.accounts {
                self.account_with_users(account, &trust)?;
            }
        } else {
            for account in &store.accounts {
                self.check_account(account);
            }
        }
        self.seeds();
        Ok(())
    }

    fn operator(&mut self) -> Result<(), IdentityError> {
        let NscToken { key, claims, .. } = &self.store.operator;
        let operators = &self.draft.directory().operators;
        let is_new = !operators.contains_key(key);
        if is_new {
            check_token(claims, self.draft.now())?;
            let named = operators.iter();
            let named = named.map(|(key, entry)| (*key, entry.state.name.as_str()));
            check_free(&claims.name, named)?;
            let import = OperatorCommand::Import {
                operator: *key,
                name: claims.name.clone(),
                claims: claims.body.clone(),
                tags: claims.tags.clone(),
                issued_at: claims.issued_at,
            };
            self.draft.operator(*key, import)?;
        }
        let mut signing = self.draft.directory().operators[key]
            .state
            .signing_keys
            .clone();
        signing.sort();
        self.keys(*key, signing)?;
        let whose = format!("operator `{}`", claims.name);
        if is_new {
            self.note_envelope(&whose, claims);
        } else {
            let here = self.draft.directory().operators[key].state.claims();
            let body = here.map(|claims| claims.body);
            self.note_difference(&whose, body, claims.body.clone());
        }
        self.item(*key, claims.name.clone(), is_new);
        Ok(())
    }

    fn account_with_users(
        &mut self,
        account: &NscAccount,
        trust: &Trust,
    ) -> Result<(), IdentityError> {
        let name = &account.token.claims.name;
        let taken = self.account(&account.token, trust);
        if !self.is_taken(&format!("account `{name}`"), taken)? {
            self.check_users(account);
            return Ok(());
        }
        for user in &account.users {
            let taken = self.user(user, &account.token);
            self.is_taken(&format!("user `{}/{}`", name, user.claims.name), taken)?;
        }
        Ok(())
    }

    fn account(
        &mut self,
        token: &NscToken<AccountClaims>,
        trust: &Trust,
    ) -> Result<(), IdentityError> {
        let NscToken { key, claims, .. } = token;
        let operator = self.store.operator.key;
        let directory = self.draft.directory();
        let whose = format!("account `{}`", claims.name);
        let is_new = match directory.accounts.get(key) {
            None => true,
            Some(entry) if entry.state.operator == Some(operator) => false,
            Some(_) => return Err(Refusal::Exists { key: *key }.into()),
        };
        if is_new {
            check_token(claims, self.draft.now())?;
            let named = directory.accounts_of(operator);
            let named = named.map(|key| (key, directory.accounts[&key].state.name.as_str()));
            check_free(&claims.name, named)?;
            let import = AccountCommand::Import {
                account: *key,
                name: claims.name.clone(),
                operator: directory.operators[&operator].state.reference()?,
                claims: Box::new(claims.body.clone()),
                tags: claims.tags.clone(),
                issued_at: claims.issued_at,
            };
            self.draft.account(*key, import)?;
        }
        let state = &self.draft.directory().accounts[key].state;
        let signing = state.signing_keys.iter();
        let signing: Vec<PublicKey> = signing.filter_map(|key| key.key().parse().ok()).collect();
        self.keys(*key, signing)?;
        if is_new {
            self.note_envelope(&whose, claims);
            if !trust.has_signed(claims) {
                self.import.notes.push(format!(
                    "{whose} was signed by `{}`, whom the operator does not trust: no server has \
                     taken it yet",
                    claims.issuer
                ));
            }
        } else {
            let here = self.draft.directory().accounts[key].state.claims();
            let body = here.map(|claims| claims.body);
            self.note_difference(&whose, body, claims.body.clone());
        }
        self.item(*key, claims.name.clone(), is_new);
        Ok(())
    }

    fn user(
        &mut self,
        token: &NscToken<UserClaims>,
        account: &NscToken<AccountClaims>,
    ) -> Result<(), IdentityError> {
        let NscToken { key, claims, .. } = token;
        let directory = self.draft.directory();
        let name = format!("{}/{}", account.claims.name, claims.name);
        let is_new = match directory.users.get(key) {
            None => true,
            Some(entry) if entry.state.account == Some(account.key) => false,
            Some(_) => return Err(Refusal::Exists { key: *key }.into()),
        };
        if is_new {
            check_token(claims, self.draft.now())?;
            let role = role_of(claims, account)?;
            let users = directory.users_of(account.key);
            let active = users.filter(|key| !directory.key(*key).is_revoked());
            let named = active.map(|key| (key, directory.users[&key].state.name.as_str()));
            check_free(&claims.name, named)?;
            let create = UserCommand::Create {
                user: *key,
                name: claims.name.clone(),
                account: directory.accounts[&account.key].state.reference()?,
                role: role.map(|scope| scope.role.clone()),
                limits: Box::new(claims.body.limits.clone()),
                tags: claims.tags.clone(),
            };
            self.draft.user(*key, create)?;
        }
        // A crash may have come between.
        if self.draft.directory().users[key].state.issued.is_none() {
            let issued = Issued {
                token_sha256: token_sha256(token.text.expose()),
                issuer: claims.issuer.parse().map_err(|_| untrusted(claims))?,
                issued_at: claims.issued_at,
                expires: claims.expires,
            };
            self.draft.user(*key, UserCommand::Issue(issued))?;
        }
        self.keys(*key, Vec::new())?;
        if is_new {
            self.note_user(&format!("user `{name}`"), claims, &account.claims.body);
        }
        self.item(*key, name, is_new);
        Ok(())
    }

    /// Takes note of an identity key and its signing keys.
    fn keys(&mut self, holder: PublicKey, signing: Vec<PublicKey>) -> Result<(), IdentityError> {
        let signing = signing.into_iter().map(|key| (key, KeyRole::Signing));
        for (key, role) in std::iter::once((holder, KeyRole::Identity)).chain(signing) {
            if self.draft.directory().key(key).facts().is_none() {
                let facts = KeyFacts { key, role, holder };
                self.draft.key(key, KeyCommand::Import(facts))?;
            }
        }
        Ok(())
    }

    /// Takes the seeds of keys that are known now and may sign.
    fn seeds(&mut self) {
        for (key, seed) in &self.store.seeds {
            let state = self.draft.directory().key(*key);
            if key.kind() == KeyKind::Curve {
                self.import.notes.push(format!(
                    "the seed of `{key}` stays with nsc: it opens what is asked of who decides about \
                     logins, and signs nothing"
                ));
            } else if state.facts().is_some() && !state.is_revoked() && self.draft.keep_seed(seed) {
                self.import.seeds.push(*key);
            }
        }
        for missing in &self.store.missing {
            let is_revoked = self.draft.directory().key(missing.key).is_revoked();
            if !is_revoked && !self.draft.has_seed(missing.key) {
                self.import.missing.push(missing.clone());
            }
        }
    }

    fn item(&mut self, key: PublicKey, name: String, is_new: bool) {
        self.import.items.push(NscItem { key, name, is_new });
    }

    /// Whether it was taken. What the domain refuses is kept for the end, what fails ends all.
    fn is_taken(
        &mut self,
        whose: &str,
        taken: Result<(), IdentityError>,
    ) -> Result<bool, IdentityError> {
        match taken {
            Ok(()) => Ok(true),
            Err(
                error @ (IdentityError::Refused(_)
                | IdentityError::NameTaken { .. }
                | IdentityError::SeedInText { .. }
                | IdentityError::Unsigned { .. }),
            ) => {
                self.problems.push(NscProblem {
                    whose: without_seeds(whose).into_owned(),
                    source: Box::new(error),
                });
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// What is wrong with an account and its users by themselves.
    fn check_account(&mut self, account: &NscAccount) {
        self.check(
            &format!("account `{}`", account.token.claims.name),
            &account.token.claims,
        );
        self.check_users(account);
    }

    fn check_users(&mut self, account: &NscAccount) {
        for user in &account.users {
            let (of, name) = (&account.token.claims.name, &user.claims.name);
            self.check(&format!("user `{of}/{name}`"), &user.claims);
        }
    }

    fn check<B: Body>(&mut self, whose: &str, claims: &Claims<B>) {
        let found = claims.findings(ServerVersion::default(), None);
        let findings: Vec<Finding> = found.into_iter().filter(Finding::is_refused).collect();
        if !findings.is_empty() {
            self.problems.push(NscProblem {
                whose: without_seeds(whose).into_owned(),
                source: Box::new(Refusal::Claims { findings }.into()),
            });
        }
    }

    /// Says what tokens made here do not say any more.
    fn note_envelope<B>(&mut self, whose: &str, claims: &Claims<B>) {
        let notes = &mut self.import.notes;
        if claims.expires != 0 {
            notes.push(format!(
                "the token of {whose} ends at the second {}; those made here do not end",
                claims.expires
            ));
        }
        self.note_rest(whose, claims);
    }

    fn note_rest<B>(&mut self, whose: &str, claims: &Claims<B>) {
        let mut lost: Vec<&str> = claims.other.keys().map(String::as_str).collect();
        if claims.not_before != 0 {
            lost.push("nbf");
        }
        if !claims.audience.is_empty() {
            lost.push("aud");
        }
        if !lost.is_empty() {
            self.import.notes.push(format!(
                "the token of {whose} has fields that those made here have not: `{}`",
                lost.join("`, `")
            ));
        }
    }

    fn note_user(&mut self, whose: &str, user: &Claims<UserClaims>, account: &AccountClaims) {
        self.note_rest(whose, user);
        let notes = &mut self.import.notes;
        if user.expires != 0 {
            notes.push(format!(
                "the token of {whose} ends at the second {}; new ones end when you say",
                user.expires
            ));
        }
        if !user.body.other.is_empty() {
            let fields: Vec<&str> = user.body.other.keys().map(String::as_str).collect();
            notes.push(format!(
                "the token of {whose} has fields that those made here have not: `{}`",
                fields.join("`, `")
            ));
        }
        if account.is_revoked(&user.subject, user.issued_at) {
            notes.push(format!(
                "{whose} was revoked: its token does not count, and a new one would"
            ));
        }
    }

    fn note_difference<B: Body + PartialEq>(&mut self, whose: &str, here: Option<B>, mut nsc: B) {
        let Some(mut here) = here else { return };
        here.sort();
        nsc.sort();
        if here != nsc {
            self.import.notes.push(format!(
                "{whose} is here already and says something else; it stays as it is here"
            ));
        }
    }
}

/// The role of a user, by who has signed its token.
fn role_of<'a>(
    user: &Claims<UserClaims>,
    account: &'a NscToken<AccountClaims>,
) -> Result<Option<&'a Scope>, IdentityError> {
    if user.issuer == account.key.as_str() {
        return Ok(None);
    }
    let mut keys = account.claims.body.signing_keys.iter();
    let signer = keys.find(|key| key.key() == user.issuer);
    let scope = signer.ok_or_else(|| untrusted(user))?.scope();
    match scope {
        Some(scope) if user.body.limits != UserLimits::none() => Err(Refusal::LimitsOfRole {
            role: scope.role.clone(),
        }
        .into()),
        scope => Ok(scope),
    }
}

fn untrusted(user: &Claims<UserClaims>) -> IdentityError {
    let text = format!(
        "`{}` is neither the account nor a signing key of it",
        user.issuer
    );
    unsigned(user, "signer-untrusted", "iss", text)
}

/// Our tokens are later than those that are taken, so that these must not be far ahead.
fn check_token<B>(claims: &Claims<B>, now: Timestamp) -> Result<(), IdentityError> {
    let now = now.seconds();
    match (0..=now.saturating_add(MAX_AHEAD)).contains(&claims.issued_at) {
        true => Ok(()),
        false => {
            let text = format!(
                "it was signed at the second {}, it is {now}",
                claims.issued_at
            );
            Err(unsigned(claims, "issued-in-future", "iat", text))
        }
    }
}

fn unsigned<B>(claims: &Claims<B>, code: &'static str, path: &str, text: String) -> IdentityError {
    IdentityError::Unsigned {
        what: format!("the token of `{}`", claims.name),
        findings: vec![Finding {
            level: Level::Error,
            code,
            path: path.to_owned(),
            text,
        }],
    }
}

#[cfg(test)]
mod tests;
