//! Changes: what is decided about identities together, and then stored in one step.

use std::collections::BTreeMap;

use cim_core::aggregate::{Aggregate, fold};
use cim_core::creds::Creds;
use cim_core::domain::keys::{
    Account, AccountCommand, Directory, Entry, Key, KeyCommand, KeyFacts, KeyRole, Moment,
    Operator, OperatorCommand, Push, Refusal, User, UserCommand,
};
use cim_core::id::{AggregateId, AggregateKey, EventId, Namespace};
use cim_core::jwt::{AccountClaims, OperatorClaims, Permissions, UserLimits};
use cim_core::nkey::{KeyKind, PublicKey, Seed, without_seeds};
use cim_core::payload::{self, DomainEvent};
use cim_core::text::Text;
use cim_core::time::Timestamp;

use super::change::Change;
use super::error::IdentityError;
use super::keystore::Keystore;
use super::signing::{Seeds, Signing};
use crate::clock;

/// Changes that are decided one by one, each on top of those before it. Nothing is stored yet.
pub struct Draft<'a> {
    keystore: &'a dyn Keystore,
    namespace: &'a Namespace,
    source: &'a Text,
    now: Timestamp,
    directory: Directory,
    change: Change,
}

impl std::fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("events", &self.change.events.len())
            .finish_non_exhaustive()
    }
}

impl Seeds for Draft<'_> {
    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, IdentityError> {
        let mut new = self.change.seeds.iter();
        match new.find(|seed| seed.public_key() == *key) {
            Some(seed) => Ok(Some(seed.copy())),
            None => Ok(self.keystore.seed(key)?),
        }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        directory: Directory,
        keystore: &'a dyn Keystore,
        namespace: &'a Namespace,
        source: &'a Text,
        now: Timestamp,
    ) -> Self {
        Self {
            keystore,
            namespace,
            source,
            now,
            directory,
            change: Change::default(),
        }
    }

    /// All identities as they will be.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What was decided.
    pub fn into_change(self) -> Change {
        self.change
    }

    /// Makes an operator with a signing key of its own, and gives its identity key.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NameTaken`], [`IdentityError::Refused`].
    pub fn create_operator(
        &mut self,
        name: &str,
        claims: OperatorClaims,
    ) -> Result<PublicKey, IdentityError> {
        let named = self.directory.operators.iter();
        check_free(
            name,
            named.map(|(key, entry)| (*key, entry.state.name.as_str())),
        )?;
        let operator = self.generate(KeyKind::Operator);
        let create = OperatorCommand::Create {
            operator,
            name: name.to_owned(),
            claims,
        };
        self.operator(operator, create)?;
        self.take_key(operator, KeyRole::Identity, operator)?;
        self.add_signing_key(operator, None)?;
        Ok(operator)
    }

    /// Makes an account with a signing key of its own, and gives its identity key.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NameTaken`], [`IdentityError::Refused`].
    pub fn create_account(
        &mut self,
        operator: PublicKey,
        name: &str,
        claims: AccountClaims,
    ) -> Result<PublicKey, IdentityError> {
        let accounts = self.directory.accounts_of(operator);
        let named = accounts.map(|key| (key, self.directory.accounts[&key].state.name.as_str()));
        check_free(name, named)?;
        let entry = self.directory.operators.get(&operator);
        let reference = entry
            .ok_or(Refusal::Absent { what: "operator" })?
            .state
            .reference()?;
        let account = self.generate(KeyKind::Account);
        let create = AccountCommand::Create {
            account,
            name: name.to_owned(),
            operator: reference,
            claims: Box::new(claims),
        };
        self.account(account, create)?;
        self.take_key(account, KeyRole::Identity, account)?;
        self.add_signing_key(account, None)?;
        Ok(account)
    }

    /// Makes a user, and gives its key. With a role, `limits` are [`UserLimits::none`].
    ///
    /// # Errors
    ///
    /// [`IdentityError::NameTaken`], [`IdentityError::Refused`].
    pub fn create_user(
        &mut self,
        account: PublicKey,
        name: &str,
        role: Option<&str>,
        limits: UserLimits,
        tags: Vec<String>,
    ) -> Result<PublicKey, IdentityError> {
        let users = self.directory.users_of(account);
        let active = users.filter(|key| !self.directory.key(*key).is_revoked());
        let named = active.map(|key| (key, self.directory.users[&key].state.name.as_str()));
        check_free(name, named)?;
        let entry = self.directory.accounts.get(&account);
        let reference = entry
            .ok_or(Refusal::Absent { what: "account" })?
            .state
            .reference()?;
        let user = self.generate(KeyKind::User);
        let create = UserCommand::Create {
            user,
            name: name.to_owned(),
            account: reference,
            role: role.map(str::to_owned),
            limits: Box::new(limits),
            tags,
        };
        self.user(user, create)?;
        self.take_key(user, KeyRole::Identity, user)?;
        Ok(user)
    }

    /// Issues a new token to a user, and gives it with the user's seed. `expires` is a second, 0 for
    /// never.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoSeed`] when nothing signs it, [`IdentityError::Unsigned`] when no server
    /// would log it in, [`IdentityError::Refused`] when the user was revoked.
    pub fn generate_credentials(
        &mut self,
        user: PublicKey,
        expires: i64,
    ) -> Result<Creds, IdentityError> {
        let (creds, issued) = self.signing().creds(user, expires, self.now)?;
        self.user(user, UserCommand::Issue(issued))?;
        Ok(creds)
    }

    /// Lets a user, or the users of an account that say nothing of it, publish and subscribe to
    /// something else. A user's token says so once it is issued anew.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`], also for what is no user and no account.
    pub fn set_permissions(
        &mut self,
        of: PublicKey,
        permissions: Permissions,
    ) -> Result<(), IdentityError> {
        match of.kind() {
            KeyKind::Account => self.account(of, AccountCommand::SetPermissions(permissions)),
            _ => self.user(of, UserCommand::SetPermissions(permissions)),
        }
    }

    /// Lets a user do something else, once its token is issued anew.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn set_limits(&mut self, user: PublicKey, limits: UserLimits) -> Result<(), IdentityError> {
        self.user(user, UserCommand::SetLimits(Box::new(limits)))
    }

    /// Lets another role say what a user may do, or none, once its token is issued anew. With a role,
    /// `limits` are [`UserLimits::none`].
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn set_role(
        &mut self,
        user: PublicKey,
        role: Option<&str>,
        limits: UserLimits,
    ) -> Result<(), IdentityError> {
        let entry = self.directory.users.get(&user);
        let account = entry.and_then(|entry| entry.state.account);
        let account = account.ok_or(Refusal::Absent { what: "user" })?;
        let entry = self.directory.accounts.get(&account);
        let reference = entry
            .ok_or(Refusal::Absent { what: "account" })?
            .state
            .reference()?;
        let set = UserCommand::SetRole {
            account: reference,
            role: role.map(str::to_owned),
            limits: Box::new(limits),
        };
        self.user(user, set)
    }

    /// Gives a user other tags, once its token is issued anew.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn set_tags(&mut self, user: PublicKey, tags: Vec<String>) -> Result<(), IdentityError> {
        self.user(user, UserCommand::SetTags(tags))
    }

    /// Lets an account's token say something else; its signing keys and revocations stay.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn set_account(
        &mut self,
        account: PublicKey,
        claims: AccountClaims,
    ) -> Result<(), IdentityError> {
        self.account(account, AccountCommand::SetClaims(Box::new(claims)))
    }

    /// Lets an operator's token say something else; its signing keys stay.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn set_operator(
        &mut self,
        operator: PublicKey,
        claims: OperatorClaims,
    ) -> Result<(), IdentityError> {
        self.operator(operator, OperatorCommand::SetClaims { claims })
    }

    /// Takes note of servers that have an account's token.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn take_note_of_push(
        &mut self,
        account: PublicKey,
        push: Push,
    ) -> Result<(), IdentityError> {
        self.account(account, AccountCommand::TakeNoteOfPush(push))
    }

    pub(super) fn revoke_key(&mut self, key: PublicKey, reason: &str) -> Result<(), IdentityError> {
        let revoke = KeyCommand::Revoke {
            reason: reason.to_owned(),
        };
        self.key(key, revoke)?;
        self.change.dropped.push(key);
        Ok(())
    }

    pub(super) fn generate(&mut self, kind: KeyKind) -> PublicKey {
        let seed = Seed::new(kind, clock::entropy());
        let key = seed.public_key();
        self.change.seeds.push(seed);
        key
    }

    pub(super) fn take_key(
        &mut self,
        key: PublicKey,
        role: KeyRole,
        holder: PublicKey,
    ) -> Result<(), IdentityError> {
        self.key(key, KeyCommand::Generate(KeyFacts { key, role, holder }))
    }

    /// Takes a seed that was made elsewhere, unless it is kept already, and says whether it did.
    pub(super) fn keep_seed(&mut self, seed: &Seed) -> bool {
        let key = seed.public_key();
        let is_new = !self.has_seed(key);
        if is_new {
            self.change.seeds.push(seed.copy());
        }
        is_new
    }

    /// Whether the seed of a key is kept, or will be.
    pub(super) fn has_seed(&self, key: PublicKey) -> bool {
        let mut kept = self.keystore.entries().into_iter();
        let mut new = self.change.seeds.iter();
        kept.any(|entry| entry.key == key) || new.any(|seed| seed.public_key() == key)
    }

    /// When all this is decided.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn signing(&self) -> Signing<'_, Self> {
        Signing {
            directory: &self.directory,
            seeds: self,
        }
    }

    pub(super) fn operator(
        &mut self,
        key: PublicKey,
        command: OperatorCommand,
    ) -> Result<(), IdentityError> {
        let accounts = self.directory.accounts_of(key);
        let issued = accounts.map(|account| self.directory.accounts[&account].state.issued_at);
        let moment = Moment {
            now: self.now,
            behind: issued.max().unwrap_or(0),
        };
        let command = (command, moment);
        self.run::<Operator>(key, command, |directory| &mut directory.operators)
    }

    pub(super) fn account(
        &mut self,
        key: PublicKey,
        command: AccountCommand,
    ) -> Result<(), IdentityError> {
        let operator = match &command {
            AccountCommand::Create { operator, .. } | AccountCommand::Import { operator, .. } => {
                Some(operator.key())
            }
            _ => self
                .directory
                .accounts
                .get(&key)
                .and_then(|entry| entry.state.operator),
        };
        let operator = operator.and_then(|key| self.directory.operators.get(&key));
        let moment = Moment {
            now: self.now,
            behind: operator.map_or(0, |entry| entry.state.issued_at),
        };
        let command = (command, moment);
        self.run::<Account>(key, command, |directory| &mut directory.accounts)
    }

    pub(super) fn user(
        &mut self,
        key: PublicKey,
        command: UserCommand,
    ) -> Result<(), IdentityError> {
        let command = (command, self.now);
        self.run::<User>(key, command, |directory| &mut directory.users)
    }

    pub(super) fn key(&mut self, key: PublicKey, command: KeyCommand) -> Result<(), IdentityError> {
        self.run::<Key>(key, command, |directory| &mut directory.keys)
    }

    /// Decides on a command, and takes what happens into the directory and the change.
    fn run<A>(
        &mut self,
        key: PublicKey,
        command: A::Command,
        entries: impl Fn(&mut Directory) -> &mut BTreeMap<PublicKey, Entry<A::State>>,
    ) -> Result<(), IdentityError>
    where
        A: Aggregate<Event: DomainEvent, State: Default, Error = Refusal>,
    {
        let initial = A::State::default();
        let entry = entries(&mut self.directory).get(&key);
        let events = A::decide(entry.map_or(&initial, |entry| &entry.state), command)?;
        if events.is_empty() {
            return Ok(());
        }
        let version = entry.and_then(|entry| entry.version);
        let aggregate = AggregateKey::new(
            self.namespace.clone(),
            payload::entity::<A::Event>(),
            AggregateId::new(key.as_str()).expect("keys are tokens"),
        );
        let expected = &mut self.change.expected;
        expected.entry(aggregate.clone()).or_insert(version);
        let entry = entries(&mut self.directory).entry(key).or_default();
        entry.state = fold::<A>(std::mem::take(&mut entry.state), &events);
        for event in &events {
            let id = EventId::from_parts(self.now, clock::entropy());
            let mut event = payload::new_event(event, id, self.now, self.source.clone());
            // What cannot be read again would keep all identities from being read.
            if let Err(error) = payload::decode::<A::Event>(&event.event_type, &event.body) {
                return Err(IdentityError::Unstorable {
                    event_type: event.event_type.to_string(),
                    why: error.to_string(),
                });
            }
            if holds_seed(&event.body) {
                let event_type = event.event_type.to_string();
                return Err(IdentityError::SeedInText { event_type });
            }
            if let Some((_, first)) = self.change.events.first() {
                event.correlation = first.correlation;
            }
            self.change.events.push((aggregate.clone(), event));
        }
        Ok(())
    }
}

/// Somebody has put a seed where a name was meant, say.
fn holds_seed(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    without_seeds(&text) != text
}

/// Refuses a name that one of several has.
pub(super) fn check_free<'a>(
    name: &str,
    mut named: impl Iterator<Item = (PublicKey, &'a str)>,
) -> Result<(), IdentityError> {
    match named.find(|(_, known)| *known == name) {
        Some((by, _)) => Err(IdentityError::NameTaken {
            name: name.to_owned(),
            by,
        }),
        None => Ok(()),
    }
}
