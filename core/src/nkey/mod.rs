//! The keys of NATS: what they look like as text, how they sign, and how they seal.
//!
//! A key pair is 32 secret bytes. As text they are a [`Seed`] (`SU…`), and what follows from them for
//! everybody to see is a [`PublicKey`] (`U…`). The second letter of a seed and the first one of a
//! public key name its [`KeyKind`]. Keys of five kinds sign (Ed25519, RFC 8032); curve keys seal
//! messages for one reader (X25519 and NaCl's box).
//!
//! The crate [`nkeys`] reads public keys and seals. It is not asked to read seeds or to sign, since it
//! leaves copies of secrets in memory, and takes seeds of unknown kinds for an operator's.
//!
//! # Examples
//!
//! ```
//! use cim_core::nkey::{KeyKind, Seed};
//!
//! let entropy = [7; 32]; // from the operating system, in real life
//! let seed = Seed::new(KeyKind::User, entropy);
//! let public = seed.public_key();
//! assert!(public.as_str().starts_with('U'));
//!
//! let signature = seed.sign(b"nonce").expect("users sign");
//! public.verify(b"nonce", &signature).expect("it has signed this");
//! ```

mod codec;
mod curve;
mod error;
mod kind;
mod public;
mod redact;
mod seed;
#[cfg(test)]
mod tests;

pub use curve::NONCE_LEN;
pub use error::NkeyError;
pub use kind::KeyKind;
pub use public::PublicKey;
pub use redact::without_seeds;
pub use seed::{SIGNATURE_LEN, Seed};
