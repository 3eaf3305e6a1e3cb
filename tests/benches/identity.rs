//! Users and their tokens, issued in one thread, against bare signatures of the same messages.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::hint::black_box;

use cim_core::jwt::{Claims, Permission, ServerVersion, Token, UserClaims};
use cim_core::nkey::{KeyKind, PublicKey, Seed};
use cim_core::time::Timestamp;
use common::{compare, time};
use ed25519_dalek::{Signer as _, SigningKey};

fn main() {
    println!("identity, median of {} interleaved pairs", common::PAIRS);
    let account = Seed::new(KeyKind::Account, [1; 32]);
    let user = Seed::new(KeyKind::User, [2; 32]).public_key();
    let token = issue(&account, user);
    compare(
        "tokens of users, checked and signed / signatures",
        "≥ 0.50",
        TOKENS,
        |_| {
            time(|| {
                for _ in 0..TOKENS {
                    black_box(issue(&account, user));
                }
            })
        },
        |_| {
            let key = SigningKey::from_bytes(&[1; 32]);
            let (message, _) = token.rsplit_once('.').expect("three parts");
            time(|| {
                for _ in 0..TOKENS {
                    black_box(key.sign(black_box(message.as_bytes())));
                }
            })
        },
    );
    compare(
        "tokens read and their signatures verified / verified",
        "≥ 0.50",
        TOKENS,
        |_| {
            time(|| {
                for _ in 0..TOKENS {
                    black_box(Token::read(&token).expect("signed"));
                }
            })
        },
        |_| {
            let key = SigningKey::from_bytes(&[1; 32]);
            let (message, _) = token.rsplit_once('.').expect("three parts");
            let signature = key.sign(message.as_bytes());
            let key = key.verifying_key().to_bytes();
            time(|| {
                for _ in 0..TOKENS {
                    // A key comes as bytes there too.
                    let key = ed25519_dalek::VerifyingKey::from_bytes(&key).expect("a key");
                    key.verify_strict(message.as_bytes(), &signature)
                        .expect("signed");
                }
            })
        },
    );
}

/// A token with what users usually have.
fn issue(account: &Seed, user: PublicKey) -> String {
    let mut claims = Claims::new(user, "ann", UserClaims::default());
    claims.body.limits.publish = Permission::only(["orders.>", "_INBOX.>"]);
    claims.body.limits.subscribe = Permission::only(["orders.>", "_INBOX.>"]);
    let now = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let issued = claims.issue(account, now, ServerVersion::default());
    issued.expect("an account signs users")
}

const TOKENS: usize = 2000;
