//! The key that is made from a passphrase: Argon2id (RFC 9106).

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::error::KeystoreError;
use crate::secret::Secret;

/// What it costs to make a key from a passphrase, for us once and for who guesses each time.
///
/// The default is 64 MiB, three passes and one lane: the memory and passes of RFC 9106's second
/// recommendation. It takes a fraction of a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KdfParams {
    /// How much memory it fills, in KiB; [`LEAST`](Self::LEAST) and [`MOST`](Self::MOST) say what is
    /// taken.
    pub memory_kib: u32,
    /// How often it goes through the memory.
    pub passes: u32,
    /// Into how many parts the memory is divided. They are computed one after the other here, so that
    /// more of them help those who guess.
    pub lanes: u32,
}

impl KdfParams {
    /// The least that is taken, of each: OWASP's least for Argon2id, 19 MiB and two passes. A file that
    /// asks for less was made by somebody who wants to guess.
    pub const LEAST: Self = Self {
        memory_kib: 19 * 1024,
        passes: 2,
        lanes: 1,
    };

    /// The most that is taken, of each: 1 GiB and 16 passes, some ten seconds. A file that asks for more
    /// would keep the machine busy, or have the process ended for lack of memory.
    pub const MOST: Self = Self {
        memory_kib: 1024 * 1024,
        passes: 16,
        lanes: 4,
    };

    /// Checks each cost against the least and the most.
    pub(super) fn check(self, least: Self) -> Result<(), KeystoreError> {
        let most = Self::MOST;
        let costs = [
            (
                "memory in KiB",
                self.memory_kib,
                least.memory_kib,
                most.memory_kib,
            ),
            ("passes", self.passes, least.passes, most.passes),
            ("lanes", self.lanes, least.lanes, most.lanes),
        ];
        for (what, found, least, most) in costs {
            if !(least..=most).contains(&found) {
                return Err(KeystoreError::Kdf {
                    what,
                    found,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}

impl Default for KdfParams {
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

/// The length of a salt in bytes, as RFC 9106 recommends.
pub(super) const SALT_LEN: usize = 16;

/// The key that seals. In a box, so that it does not move and leave itself behind.
pub(super) struct MasterKey(Box<Zeroizing<[u8; 32]>>);

impl MasterKey {
    /// Makes the key from a passphrase, at a cost that was [checked](KdfParams::check).
    pub(super) fn derive(
        passphrase: &Secret,
        salt: &[u8; SALT_LEN],
        params: KdfParams,
    ) -> Result<Self, KeystoreError> {
        if passphrase.is_empty() {
            return Err(KeystoreError::NoPassphrase);
        }
        let KdfParams {
            memory_kib,
            passes,
            lanes,
        } = params;
        let params = Params::new(memory_kib, passes, lanes, Some(32));
        let params = params.expect("the costs were checked");
        // The crate would abort where there is no memory, and leave what it has filled.
        let no_memory = |_| KeystoreError::Memory { kib: memory_kib };
        let mut memory = Zeroizing::new(Vec::new());
        memory
            .try_reserve_exact(params.block_count())
            .map_err(no_memory)?;
        memory.resize(params.block_count(), Block::new());
        let mut key = Box::new(Zeroizing::new([0; 32]));
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.expose().as_bytes(),
                salt,
                &mut key[..],
                memory.as_mut_slice(),
            )
            .expect("the lengths are those that it takes");
        Ok(Self(key))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn the_default_is_within_the_limits() {
        KdfParams::default()
            .check(KdfParams::LEAST)
            .expect("it is taken");
        KdfParams::MOST.check(KdfParams::LEAST).expect("the most");
    }

    #[test]
    fn costs_outside_of_the_limits_are_refused() {
        let default = KdfParams::default;
        for (params, what) in [
            (
                KdfParams {
                    memory_kib: 1 << 30,
                    ..default()
                },
                "memory in KiB",
            ),
            (
                KdfParams {
                    memory_kib: 1024,
                    ..default()
                },
                "memory in KiB",
            ),
            (
                KdfParams {
                    passes: 1,
                    ..default()
                },
                "passes",
            ),
            (
                KdfParams {
                    passes: u32::MAX,
                    ..default()
                },
                "passes",
            ),
            (
                KdfParams {
                    lanes: 0,
                    ..default()
                },
                "lanes",
            ),
        ] {
            let error = params.check(KdfParams::LEAST).expect_err(what);
            assert_eq!(error.code(), "kdf-cost-invalid");
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn an_empty_passphrase_is_refused() {
        let derived = MasterKey::derive(&Secret::default(), &[0; 16], KdfParams::LEAST);
        assert_eq!(
            derived.expect_err("no passphrase").code(),
            "passphrase-empty"
        );
    }

    /// The value is that of the reference implementation, by way of argon2-cffi 25.1.
    #[test]
    fn the_key_is_that_of_other_implementations() {
        let params = KdfParams {
            memory_kib: 256,
            passes: 3,
            lanes: 1,
        };
        let key = MasterKey::derive(&"a passphrase".into(), b"0123456789abcdef", params);
        let key = key.expect("a key");
        assert_eq!(HEXLOWER.encode(key.bytes()), VECTOR);
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
    }

    const VECTOR: &str = "fac8bf407b701026ff4ce5a4106ee2c10daeacf1009e29e7351a152c7341c610";
}
