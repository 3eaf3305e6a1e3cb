//! Reads what `nsc` has made: tokens of an operator, its accounts and their users, and the seeds.
//!
//! | file | what |
//! |---|---|
//! | `stores/<operator>/.nsc` | the store's name, as JSON |
//! | `stores/<operator>/<operator>.jwt` | the operator's token |
//! | `stores/<operator>/accounts/<account>/<account>.jwt` | an account's |
//! | `stores/<operator>/accounts/<account>/users/<user>.jwt` | a user's |
//! | `keys/keys/<first letter>/<next two>/<PUBLIC KEY>.nk` | a seed |
//! | `keys/creds/<operator>/<account>/<user>.creds` | a user's token and seed |
//!
//! That is the layout of nsc 2 (nats-io/nsc `cmd/store/store.go`, `cmd/store/keys.go`). Keys of the
//! layout before it, which are named for their owners, are not found; `nsc keys migrate` moves them.
//!
//! Nothing is written. Links in these folders are refused, so that nothing outside of them is read.
//! Tokens are [read](Token::read) as servers do; whether the operator trusts an account, and an account
//! its users, is for [`Trust`](cim_core::jwt::Trust) to say.

mod error;
mod place;
mod tree;

use std::collections::BTreeMap;

use cim_core::creds::{Creds, token_in};
use cim_core::jwt::{AccountClaims, Body, Claims, OperatorClaims, SigningKey, Token, UserClaims};
use cim_core::nkey::{KeyKind, NkeyError, PublicKey, Seed};
use serde::Deserialize;

pub use error::NscError;
pub use place::NscFolders;
use tree::Tree;

use crate::secret::Secret;

/// An operator's store, and the seeds of those in it.
#[derive(Debug)]
pub struct NscStore {
    /// The operator.
    pub operator: NscToken<OperatorClaims>,
    /// Whether somebody else runs the operator, so that its seeds are not here.
    pub is_managed: bool,
    /// Its accounts, in the order of their names.
    pub accounts: Vec<NscAccount>,
    /// The seeds that were found, of identities and of signing keys.
    pub seeds: BTreeMap<PublicKey, Seed>,
    /// The keys whose seeds were not found.
    pub missing: Vec<MissingSeed>,
}

/// An account and its users.
#[derive(Clone, Debug)]
pub struct NscAccount {
    /// The account.
    pub token: NscToken<AccountClaims>,
    /// Its users, in the order of their names.
    pub users: Vec<NscToken<UserClaims>>,
}

/// A token, and what it says.
#[derive(Clone, Debug)]
pub struct NscToken<B> {
    /// What `nsc` calls it: the name of its file.
    pub name: String,
    /// The token itself. That of a bearer is a password.
    pub text: Secret,
    /// Whom it is about.
    pub key: PublicKey,
    /// What it says.
    pub claims: Claims<B>,
}

/// A key whose seed is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MissingSeed {
    /// The key.
    pub key: PublicKey,
    /// Whose it is, ``account `a`, a signing key``.
    pub whose: String,
}

impl NscStore {
    /// Reads the store of an operator.
    ///
    /// # Errors
    ///
    /// [`NscError`], which names the file. Seeds that are not there are no error; one that is there and
    /// wrong is.
    pub fn read(folders: &NscFolders, operator: &str) -> Result<Self, NscError> {
        let stores = Tree::new(&folders.stores);
        let info = info(&stores, operator)?;
        let file = format!("{}.jwt", info.name);
        let mut store = Self {
            operator: expected(&stores, &[operator, &file], &info.name)?,
            is_managed: info.managed,
            accounts: Vec::new(),
            seeds: BTreeMap::new(),
            missing: Vec::new(),
        };
        for name in stores.folders(&[operator, "accounts"])? {
            let file = format!("{name}.jwt");
            // A folder without a token is left of an account that was deleted.
            let Some(token) = read_token(&stores, &[operator, "accounts", &name, &file], &name)?
            else {
                continue;
            };
            let mut users = Vec::new();
            for file in stores.files(&[operator, "accounts", &name, "users"])? {
                if let Some(user) = file.strip_suffix(".jwt") {
                    let path = [operator, "accounts", &name, "users", &file];
                    users.extend(read_token::<UserClaims>(&stores, &path, user)?);
                }
            }
            store.accounts.push(NscAccount { token, users });
        }
        store.find_seeds(&Tree::new(&folders.keys), &stores, operator)?;
        Ok(store)
    }

    fn find_seeds(&mut self, keys: &Tree, stores: &Tree, folder: &str) -> Result<(), NscError> {
        let operator = self.operator.name.clone();
        let bad = |path: &[&str]| {
            let path = stores.path(path);
            move |source| NscError::Key { path, source }
        };
        let file = format!("{operator}.jwt");
        let named = keys_of_operator(&self.operator).map_err(bad(&[folder, &file]))?;
        let mut wanted: Vec<Wanted> = named.into_iter().map(Wanted::of_key).collect();
        for account in &self.accounts {
            let name = &account.token.name;
            let file = format!("{name}.jwt");
            let path = [folder, "accounts", name, &file];
            let named = keys_of_account(&account.token).map_err(bad(&path))?;
            wanted.extend(named.into_iter().map(Wanted::of_key));
            wanted.extend(account.users.iter().map(|user| Wanted {
                key: user.key,
                whose: format!("user `{}` of account `{name}`", user.name),
                creds: Some([name.clone(), format!("{}.creds", user.name)]),
            }));
        }
        for Wanted { key, whose, creds } in wanted {
            let mut found = seed(keys, &key)?;
            if let (None, Some([account, file])) = (&found, creds) {
                found = seed_in_creds(keys, &["creds", &operator, &account, &file], &key)?;
            }
            match found {
                Some(seed) => drop(self.seeds.insert(key, seed)),
                None => self.missing.push(MissingSeed { key, whose }),
            }
        }
        Ok(())
    }
}

/// A key whose seed is looked for.
struct Wanted {
    key: PublicKey,
    whose: String,
    /// The account's folder and the file of creds that may have it too.
    creds: Option<[String; 2]>,
}

impl Wanted {
    fn of_key((key, whose): (PublicKey, String)) -> Self {
        Self {
            key,
            whose,
            creds: None,
        }
    }
}

/// The file `.nsc`.
#[derive(Deserialize)]
struct Info {
    name: String,
    #[serde(default)]
    managed: bool,
    kind: String,
    version: String,
}

fn info(stores: &Tree, operator: &str) -> Result<Info, NscError> {
    let path = [operator, INFO];
    let malformed = |why| NscError::Malformed {
        path: stores.path(&path),
        why,
    };
    let Some(json) = stores.read(&path)? else {
        return Err(NscError::NotFound {
            path: stores.path(&path),
        });
    };
    let info: Info = serde_json::from_str(&json).map_err(|error| malformed(error.to_string()))?;
    for (what, expected, found) in [
        ("kind", "operator", &info.kind),
        ("version", "1", &info.version),
    ] {
        if found != expected {
            return Err(malformed(format!(
                "expected the {what} `{expected}`, found `{found}`"
            )));
        }
    }
    // The name becomes part of paths.
    match tree::is_name(&info.name) {
        true => Ok(info),
        false => Err(malformed(format!(
            "expected the name of a file, found `{}`",
            info.name
        ))),
    }
}

fn expected<B: Body>(tree: &Tree, path: &[&str], name: &str) -> Result<NscToken<B>, NscError> {
    read_token(tree, path, name)?.ok_or_else(|| NscError::NotFound {
        path: tree.path(path),
    })
}

fn read_token<B: Body>(
    tree: &Tree,
    path: &[&str],
    name: &str,
) -> Result<Option<NscToken<B>>, NscError> {
    let Some(text) = tree.read(path)? else {
        return Ok(None);
    };
    let text = token_in(&text);
    let claims = Token::read(text).and_then(|token| token.claims::<B>());
    let claims = claims.map_err(|source| NscError::Token {
        path: tree.path(path),
        source,
    })?;
    let key = PublicKey::of_kind(&claims.subject, B::KIND.subject());
    let key = key.map_err(|source| NscError::Key {
        path: tree.path(path),
        source,
    })?;
    Ok(Some(NscToken {
        name: name.to_owned(),
        text: text.into(),
        key,
        claims,
    }))
}

fn keys_of_operator(
    operator: &NscToken<OperatorClaims>,
) -> Result<Vec<(PublicKey, String)>, NkeyError> {
    let whose = format!("operator `{}`", operator.name);
    let mut keys = vec![(operator.key, whose.clone())];
    for key in &operator.claims.body.signing_keys {
        let key = PublicKey::of_kind(key, KeyKind::Operator)?;
        keys.push((key, format!("{whose}, a signing key")));
    }
    Ok(keys)
}

fn keys_of_account(
    account: &NscToken<AccountClaims>,
) -> Result<Vec<(PublicKey, String)>, NkeyError> {
    let whose = format!("account `{}`", account.name);
    let mut keys = vec![(account.key, whose.clone())];
    for key in account.claims.body.signing_keys.iter().map(SigningKey::key) {
        let key = PublicKey::of_kind(key, KeyKind::Account)?;
        keys.push((key, format!("{whose}, a signing key")));
    }
    let xkey = &account.claims.body.authorization.xkey;
    if !xkey.is_empty() {
        let key = PublicKey::of_kind(xkey, KeyKind::Curve)?;
        keys.push((key, format!("{whose}, the key of its authorization")));
    }
    Ok(keys)
}

fn seed(keys: &Tree, key: &PublicKey) -> Result<Option<Seed>, NscError> {
    let text = key.as_str();
    let path = ["keys", &text[..1], &text[1..3], &format!("{text}.nk")];
    let Some(found) = keys.read(&path)? else {
        return Ok(None);
    };
    let seed = Seed::parse(found.trim()).map_err(|source| NscError::Seed {
        path: keys.path(&path),
        source,
    })?;
    match seed.public_key() {
        found if found == *key => Ok(Some(seed)),
        found => Err(NscError::AnotherSeed {
            path: keys.path(&path),
            found,
        }),
    }
}

/// The seed in a file of creds. One of another key is not what is looked for: `nsc` leaves the creds
/// of a user behind that was made anew.
fn seed_in_creds(keys: &Tree, path: &[&str], key: &PublicKey) -> Result<Option<Seed>, NscError> {
    let Some(text) = keys.read(path)? else {
        return Ok(None);
    };
    let creds = Creds::read(&text).map_err(|source| NscError::Creds {
        path: keys.path(path),
        source,
    })?;
    if creds.user() != *key {
        return Ok(None);
    }
    Ok(Some(creds.seed().copy()))
}

const INFO: &str = ".nsc";

#[cfg(test)]
mod tests;
