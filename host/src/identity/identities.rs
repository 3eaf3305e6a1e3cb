//! The identities of one event store, and the seeds that belong to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cim_core::append::{Append, AppendError};
use cim_core::chain::verifier::StoreVerifier;
use cim_core::domain::keys::{DOMAIN, Directory};
use cim_core::id::Namespace;
use cim_core::jwt::{Claims, Effective, OperatorClaims};
use cim_core::nkey::{PublicKey, Seed};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use futures_util::TryStreamExt as _;

use super::change::Change;
use super::draft::Draft;
use super::error::IdentityError;
use super::keystore::{Keystore, State};
use super::signing::{self, Seeds, Signing};
use crate::clock;
use crate::store::retry::append_surely;
use crate::store::{EventStore, Query};

/// How long after a seed was put its events may still come: no append is under way for longer.
const SETTLE_AFTER: Duration = Duration::from_secs(600);

/// How often a change is decided anew when others were faster.
const ATTEMPTS: u32 = 5;

/// Operators, accounts and users of one event store, with the keystore that has their seeds.
///
/// Nothing else changes them: a change is decided on a [`Draft`], then its new seeds are kept, then its
/// events are appended in one step, and then the seeds are confirmed. So the keystore leads: an event
/// never names a key whose seed a crash has lost. What a crash leaves is settled when the identities
/// are opened next: seeds whose events are there are confirmed, those whose events cannot come any more
/// are removed, and so are the seeds of revoked keys.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use cim_core::id::Namespace;
/// use cim_core::jwt::{AccountClaims, OperatorClaims, Permission, Permissions, UserLimits};
/// use cim_core::subject::StoreTemplate;
/// use cim_host::identity::Identities;
/// use cim_host::identity::keystore::MemoryKeystore;
/// use cim_host::memory::MemoryStore;
/// use cim_host::store::EventStore;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new(StoreTemplate::default()));
/// let keystore = Box::new(MemoryKeystore::new(store.info().store_id));
/// let namespace = Namespace::new("acme.it.orders")?;
/// let mut identities = Identities::open(store, keystore, &namespace).await?;
///
/// let creds = identities
///     .change(|draft| {
///         let operator = draft.create_operator("acme", OperatorClaims::default())?;
///         let account = draft.create_account(operator, "orders", AccountClaims::default())?;
///         let limits = UserLimits::default();
///         let user = draft.create_user(account, "ann", None, limits, Vec::new())?;
///         let permissions = Permissions {
///             publish: Permission::only(["orders.>"]),
///             ..Permissions::default()
///         };
///         draft.set_permissions(user, permissions)?;
///         draft.generate_credentials(user, 0)
///     })
///     .await?;
/// assert!(identities.effective(creds.user())?.may_publish("orders.paid").is_allowed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("NatsPort", "nsc"))]
pub struct Identities {
    store: Arc<dyn EventStore>,
    keystore: Box<dyn Keystore>,
    namespace: Namespace,
    source: Text,
    directory: Directory,
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identities")
            .field("store", &self.store.info().store_id)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Seeds for Box<dyn Keystore> {
    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, IdentityError> {
        Ok(Keystore::seed(&**self, key)?)
    }
}

/// The namespace of the identities beside a namespace: `acme.it.keys` beside `acme.it.orders`.
///
/// # Panics
///
/// Never: two tokens of a namespace and ours are one.
pub fn namespace_beside(namespace: &Namespace) -> Namespace {
    let [organization, unit, _] = namespace.tokens();
    Namespace::new(&format!("{organization}.{unit}.{DOMAIN}")).expect("three tokens")
}

impl Identities {
    /// Reads all identities of a store, verified from their first events on, and settles what a crash
    /// has left.
    ///
    /// They stand in the namespace of organization and unit of `beside`, and the domain `keys`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::AnotherStore`] when the keystore is not that of this event store;
    /// [`IdentityError::Broken`] and [`IdentityError::Unreadable`] when the history is not what it
    /// should be.
    pub async fn open(
        store: Arc<dyn EventStore>,
        keystore: Box<dyn Keystore>,
        beside: &Namespace,
    ) -> Result<Self, IdentityError> {
        Self::open_at(store, keystore, beside, clock::now()).await
    }

    pub(super) async fn open_at(
        store: Arc<dyn EventStore>,
        keystore: Box<dyn Keystore>,
        beside: &Namespace,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let (of_store, of_keystore) = (store.info().store_id, keystore.store_id());
        if of_store != of_keystore {
            return Err(IdentityError::AnotherStore {
                store: of_store,
                keystore: of_keystore,
            });
        }
        let namespace = namespace_beside(beside);
        let mut identities = Self {
            directory: read(&*store, &namespace).await?,
            store,
            keystore,
            namespace,
            source: Text::new("cim").expect("a text"),
        };
        identities.settle(now)?;
        Ok(identities)
    }

    /// All identities of a store, verified, without their seeds.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), but for the keystore.
    pub async fn read(
        store: &dyn EventStore,
        beside: &Namespace,
    ) -> Result<Directory, IdentityError> {
        read(store, &namespace_beside(beside)).await
    }

    /// All identities as they are.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Which seeds there are.
    pub fn keystore(&self) -> &dyn Keystore {
        &*self.keystore
    }

    /// The namespace that they stand in.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Where the events are.
    pub fn store(&self) -> &dyn EventStore {
        &*self.store
    }

    /// Decides on changes and stores them, all or none; of more than a thousand events, in several steps
    /// behind each other, of which a failure may leave the first ones. When others were faster, it decides anew.
    ///
    /// # Errors
    ///
    /// What `decide` refuses, [`IdentityError::Append`] when nothing is stored or, with
    /// [`AppendError::Unknown`], that is not known; [`IdentityError::Contended`].
    pub async fn change<T>(
        &mut self,
        mut decide: impl FnMut(&mut Draft<'_>) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        for _ in 0..ATTEMPTS {
            let (change, answer) = self.draft(&mut decide)?;
            match self.store_change(change).await {
                Ok(()) => return Ok(answer),
                Err(IdentityError::Append(AppendError::Conflict { .. })) => {
                    self.directory = read(&*self.store, &self.namespace).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(IdentityError::Contended { attempts: ATTEMPTS })
    }

    /// Decides on changes, to be looked at. Nothing is stored.
    ///
    /// # Errors
    ///
    /// What `decide` refuses.
    pub fn draft<T>(
        &self,
        decide: impl FnOnce(&mut Draft<'_>) -> Result<T, IdentityError>,
    ) -> Result<(Change, T), IdentityError> {
        let mut draft = Draft::new(
            self.directory.clone(),
            &*self.keystore,
            &self.namespace,
            &self.source,
            clock::now(),
        );
        let answer = decide(&mut draft)?;
        Ok((draft.into_change(), answer))
    }

    /// Stores what a draft has decided: seeds first, then events, then the seeds are confirmed.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change), and [`AppendError::Conflict`] where others were faster.
    pub async fn store_change(&mut self, change: Change) -> Result<(), IdentityError> {
        if change.is_empty() {
            return Ok(());
        }
        let seeds: Vec<&Seed> = change.seeds.iter().collect();
        let keys: Vec<PublicKey> = seeds.iter().map(|seed| seed.public_key()).collect();
        let kept: BTreeSet<PublicKey> = self
            .keystore
            .entries()
            .iter()
            .map(|kept| kept.key)
            .collect();
        self.keystore.put(&seeds, clock::now())?;
        let steps = change.steps();
        let is_one_step = steps.len() <= 1;
        if let Err(error) = self.append(steps).await {
            let is_definite = !matches!(error, AppendError::Unknown { .. });
            // What is not known, and what came before it, is settled later.
            if is_definite && is_one_step {
                for key in keys.iter().filter(|key| !kept.contains(key)) {
                    self.keystore.remove(key)?;
                }
            }
            return Err(error.into());
        }
        // It is stored. What fails behind that is settled at the next opening; a pending seed signs too.
        let _ = self.keystore.confirm(&keys);
        for key in &change.dropped {
            let _ = self.keystore.remove(key);
        }
        self.directory = read(&*self.store, &self.namespace).await?;
        Ok(())
    }

    /// Appends in one step; more than fits one, in several.
    async fn append(&self, steps: Vec<Vec<Append>>) -> Result<(), AppendError> {
        for step in steps {
            append_surely(&*self.store, step).await?;
        }
        Ok(())
    }

    /// Brings the keystore to what the events say.
    fn settle(&mut self, now: Timestamp) -> Result<(), IdentityError> {
        let mut known = Vec::new();
        for entry in self.keystore.entries() {
            let state = self.directory.key(entry.key);
            let is_named = state.facts().is_some();
            match entry.state {
                _ if state.is_revoked() => self.keystore.remove(&entry.key)?,
                State::Pending { .. } if is_named => known.push(entry.key),
                State::Pending { since } if is_over(since, now) => {
                    self.keystore.remove(&entry.key)?;
                }
                State::Pending { .. } | State::Kept => {}
            }
        }
        Ok(self.keystore.confirm(&known)?)
    }

    /// The token of an operator. The same history gives the same token.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoSeed`] when the seed of its identity key is not in the keystore.
    pub fn operator_token(&self, operator: PublicKey) -> Result<String, IdentityError> {
        self.signing().operator_token(operator)
    }

    /// What an operator's token says.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`] when there is none.
    pub fn operator_claims(
        &self,
        operator: PublicKey,
    ) -> Result<Claims<OperatorClaims>, IdentityError> {
        self.signing().operator_claims(operator)
    }

    /// The token of an account. The same history gives the same token.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoSeed`] when no seed of a key that may sign it is in the keystore.
    pub fn account_token(&self, account: PublicKey) -> Result<String, IdentityError> {
        self.signing().account_token(account)
    }

    /// What a user may publish and subscribe to, once its token is issued anew.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`] when there is no such user or it was revoked,
    /// [`IdentityError::Unsigned`] when its role cannot be applied to it.
    pub fn effective(&self, user: PublicKey) -> Result<Effective, IdentityError> {
        Self::effective_of(&self.directory, user)
    }

    /// The same without seeds.
    ///
    /// # Errors
    ///
    /// As [`effective`](Self::effective).
    pub fn effective_of(
        directory: &Directory,
        user: PublicKey,
    ) -> Result<Effective, IdentityError> {
        signing::effective(directory, user)
    }

    fn signing(&self) -> Signing<'_, Box<dyn Keystore>> {
        Signing {
            directory: &self.directory,
            seeds: &self.keystore,
        }
    }
}

/// Whether what was pending since then has no event that may still come.
fn is_over(since: Timestamp, now: Timestamp) -> bool {
    let waited = now.micros().saturating_sub(since.micros());
    u128::from(waited) > SETTLE_AFTER.as_micros()
}

async fn read(store: &dyn EventStore, namespace: &Namespace) -> Result<Directory, IdentityError> {
    let mut verifier = StoreVerifier::new();
    let mut directory = Directory::default();
    let mut events = store.read(Query {
        namespace: Some(namespace.clone()),
        ..Query::default()
    });
    while let Some(read) = events.try_next().await? {
        verifier.push(&read.event)?;
        directory.evolve(&read.event)?;
    }
    Ok(directory)
}
