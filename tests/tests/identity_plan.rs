//! `cim keys plan`, `cim keys apply` and `cim keys import-nsc` as people use them.

use std::fs;
use std::path::Path;

use cim_core::creds::Creds;
use cim_core::jwt::{
    AccountClaims, Claims, OperatorClaims, Scope, SigningKey, UserClaims, UserLimits,
};
use cim_core::nkey::{KeyKind, Seed};
use cim_core::time::Timestamp;
use cim_tests::program::{Ran, cim_at_home};
use serde_json::json;
use tempfile::TempDir;

/// A folder with an event store, and identities that `cim keys init` has made.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        place
            .cim(&["keys", "init", "--operator", "acme", "--keystore", "plain"])
            .exits(0);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it can be written");
    }

    fn cim(&self, arguments: &[&str]) -> Ran {
        cim_at_home(self.path(), arguments)
    }
}

#[test]
fn a_file_is_planned_and_applied() {
    let place = Place::new();
    place.write(
        "identity.toml",
        "operator = \"acme\"\n\
         [account.APP]\n\
         jetstream = true\n\
         limits = { connections = 10 }\n\
         [account.APP.role.reader]\n\
         subscribe = [\"orders.>\"]\n\
         [account.APP.user.ann]\n\
         role = \"reader\"\n",
    );
    let planned = place.cim(&["keys", "plan"]).exits(0);
    assert_eq!(
        planned.stdout,
        "~ account   APP\n        \
                 limits.conn: unlimited -> 10\n\
         + role      APP/reader\n\
         + user      APP/ann\n\
         = user      APP/app   not in the file\n\
         = account   SYS   not in the file\n"
    );
    assert_eq!(
        planned.stderr,
        "2 to make, 1 to change, 0 to remove; `cim keys apply` does it.\n\
         Then:\n  cim keys user creds APP/ann\n\
         Servers learn of accounts with `cim keys server push` or `cim keys server config`.\n"
    );
    let document = place.cim(&["keys", "plan", "--json"]).exits(0).json();
    assert_eq!(document["schema"], "cim.keys.plan/v1");
    assert_eq!(document["done"], false);
    assert_eq!(document["steps"][2]["key"], json!(null));
    assert_eq!(document["steps"][0]["changes"][0]["after"], 10);

    let applied = place
        .cim(&["keys", "apply", "--creds", "--json"])
        .exits(0)
        .json();
    assert_eq!(applied["schema"], "cim.keys.apply/v1");
    let file = place.path().join("identity/creds/APP/ann.creds");
    let creds = Creds::read(&fs::read_to_string(&file).expect("it was written")).expect("creds");
    assert_eq!(applied["steps"][2]["key"], creds.user().as_str());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = place.cim(&["keys", "apply"]).exits(0);
    assert_eq!(again.stderr, "Nothing to change.\n");
    let pruned = place.cim(&["keys", "apply", "--prune"]).exits(0);
    assert_eq!(
        pruned.stdout,
        "- user      APP/app   not in the file\n= account   SYS   not in the file\n"
    );
    let document = place
        .cim(&["keys", "plan", "--prune", "--json"])
        .exits(0)
        .json();
    assert_eq!(document["done"], true);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let place = Place::new();
    let missing = place.cim(&["keys", "plan"]).exits(3);
    assert!(
        missing
            .stderr
            .starts_with("error: `identity.toml` cannot be read\n")
    );
    place.write(
        "identity.toml",
        "operator = \"acme\"\n[account.APP]\njetstraem = true\n",
    );
    let refused = place.cim(&["keys", "apply"]).exits(2);
    let expected = "error: `identity.toml`, line 3, column 1: unknown field `jetstraem`";
    assert!(refused.stderr.starts_with(expected), "{}", refused.stderr);
    place.write(
        "identity.toml",
        "operator = \"acme\"\n[account.APP]\nexports = [{ subject = \"a b\", type = \"stream\" }]\n",
    );
    let refused = place.cim(&["keys", "plan"]).exits(2);
    let expected = "error: `identity.toml`, line 2, column 1: the account `APP` cannot be as it is \
                    described\ncaused by: a server would refuse these claims: nats.exports[0]";
    assert!(refused.stderr.starts_with(expected), "{}", refused.stderr);
}

/// Lays out what `nsc` would: an operator, an account with a role, and a user of it.
fn lay_out_nsc(place: &Place, export: &str) {
    let at = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let [operator, account, user] =
        [KeyKind::Operator, KeyKind::Account, KeyKind::User].map(|kind| Seed::new(kind, [1; 32]));
    let role = Seed::new(KeyKind::Account, [2; 32]);
    let mut claims = Claims::new(operator.public_key(), "corp", OperatorClaims::default());
    place.write(
        "stores/corp/corp.jwt",
        &claims.sign(&operator, at).expect("itself"),
    );
    let info = json!({"managed": false, "name": "corp", "kind": "operator", "version": "1"});
    place.write("stores/corp/.nsc", &info.to_string());
    let mut body = AccountClaims::default();
    let scope = Scope::new(role.public_key().as_str(), "reader", UserLimits::default());
    body.signing_keys.push(SigningKey::Scoped(Box::new(scope)));
    body.exports.push(cim_core::jwt::Export::stream(export));
    let mut claims = Claims::new(account.public_key(), "shop", body);
    let path = "stores/corp/accounts/shop/shop.jwt";
    place.write(path, &claims.sign(&operator, at).expect("the operator"));
    let body = UserClaims {
        limits: UserLimits::none(),
        issuer_account: account.public_key().to_string(),
        ..UserClaims::default()
    };
    let mut claims = Claims::new(user.public_key(), "eve", body);
    let path = "stores/corp/accounts/shop/users/eve.jwt";
    place.write(path, &claims.sign(&role, at).expect("an account"));
    for seed in [operator, role, user] {
        let key = seed.public_key();
        let key = key.as_str();
        let path = format!("keys/keys/{}/{}/{key}.nk", &key[..1], &key[1..3]);
        place.write(&path, &seed.expose());
    }
}

#[test]
fn what_nsc_has_made_is_taken() {
    let place = Place::new();
    let import = ["keys", "import-nsc", "--stores", "stores", "--keys", "keys"];
    let none = place.cim(&import).exits(3);
    assert!(
        none.stderr
            .starts_with("error: there is no operator of nsc in `stores`\n")
    );

    lay_out_nsc(&place, "a..b");
    let refused = place.cim(&import).exits(2);
    let expected = "error: nothing of nsc was taken, for 1 thing\ncaused by: account `shop`: a server \
                    would refuse these claims: nats.exports[0].subject";
    assert!(refused.stderr.starts_with(expected), "{}", refused.stderr);

    lay_out_nsc(&place, "orders.>");
    let dry = place.cim(&[&import[..], &["--dry-run"]].concat()).exits(0);
    assert!(
        dry.stderr.starts_with(
            "Nothing was done: 3 identities and 3 seeds would be taken, 0 are here.\n"
        )
    );
    let taken = place.cim(&import).exits(0);
    assert_eq!(taken.stdout, dry.stdout);
    let names: Vec<&str> = taken
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(names, ["corp", "shop", "shop/eve"]);
    assert!(
        taken
            .stderr
            .contains("The seed of account `shop` was not found: `A")
    );
    let again = place
        .cim(&[&import[..], &["--json"]].concat())
        .exits(0)
        .json();
    assert_eq!(again["schema"], "cim.keys.import-nsc/v1");
    assert_eq!(again["seeds"], json!([]));
    assert!(
        again["items"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|item| item["new"] == false)
    );

    place.cim(&["keys", "user", "creds", "shop/eve"]).exits(0);
    let file = place.path().join("identity/creds/shop/eve.creds");
    Creds::read(&fs::read_to_string(file).expect("it was written")).expect("creds");
}
