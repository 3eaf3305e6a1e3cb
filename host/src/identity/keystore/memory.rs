//! Seeds that are gone with the process.

use std::collections::BTreeMap;

use cim_core::nkey::{PublicKey, Seed};
use cim_core::time::Timestamp;
use uuid::Uuid;

use super::{Entry, Keystore, KeystoreError, State};

/// A keystore in memory. Its seeds are wiped when it is dropped.
#[derive(Debug)]
pub struct MemoryKeystore {
    store_id: Uuid,
    seeds: BTreeMap<PublicKey, (State, Seed)>,
}

impl MemoryKeystore {
    /// An empty keystore for the keys of a store.
    pub fn new(store_id: Uuid) -> Self {
        Self {
            store_id,
            seeds: BTreeMap::new(),
        }
    }
}

impl Keystore for MemoryKeystore {
    fn store_id(&self) -> Uuid {
        self.store_id
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(key, (state, _)): (&PublicKey, &(State, Seed))| Entry {
            key: *key,
            state: *state,
        };
        self.seeds.iter().map(entry).collect()
    }

    fn put(&mut self, seeds: &[&Seed], now: Timestamp) -> Result<(), KeystoreError> {
        for seed in seeds {
            let state = State::Pending { since: now };
            self.seeds
                .entry(seed.public_key())
                .or_insert_with(|| (state, seed.copy()));
        }
        Ok(())
    }

    fn confirm(&mut self, keys: &[PublicKey]) -> Result<(), KeystoreError> {
        if let Some(key) = keys.iter().find(|key| !self.seeds.contains_key(key)) {
            return Err(KeystoreError::NoKey { key: *key });
        }
        for key in keys {
            if let Some((state, _)) = self.seeds.get_mut(key) {
                *state = State::Kept;
            }
        }
        Ok(())
    }

    fn seed(&self, key: &PublicKey) -> Result<Option<Seed>, KeystoreError> {
        Ok(self.seeds.get(key).map(|(_, seed)| seed.copy()))
    }

    fn remove(&mut self, key: &PublicKey) -> Result<(), KeystoreError> {
        self.seeds.remove(key);
        Ok(())
    }
}
