//! How commands about identities fail.

use cim_core::domain::keys::{LookupError, Refusal};

use crate::cli::failure::{Exit, Failure};
use crate::identity::IdentityError;
use crate::identity::keystore::KeystoreError;

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let error = match error {
            IdentityError::Store(error) => return error.into(),
            IdentityError::Append(error) => return error.into(),
            IdentityError::Keystore(error) => return error.into(),
            error => error,
        };
        let (exit, help) = match &error {
            IdentityError::Refused(refusal) => of_refusal(refusal),
            IdentityError::Lookup(LookupError::Absent { .. }) => (
                Exit::NotFound,
                "see `cim keys operator list`, `cim keys account list` and `cim keys user list`",
            ),
            IdentityError::Lookup(_) => (
                Exit::Usage,
                "give the key in place of the name, or `ACCOUNT/USER`",
            ),
            IdentityError::NameTaken { .. } => (
                Exit::Failed,
                "choose another name, or go on with what is there: `cim keys account list`, `cim \
                 keys user list`",
            ),
            IdentityError::SeedInText { .. } => (
                Exit::Usage,
                "write something else there; a seed that was shown to anybody is replaced by a new one",
            ),
            IdentityError::NoSeed { .. } => (
                Exit::NotAllowed,
                "sign where the seed is, or make a signing key here: `cim keys signing-key create`",
            ),
            IdentityError::Unsigned { .. } | IdentityError::Issue(_) | IdentityError::Creds(_) => (
                Exit::Usage,
                "look at it with `cim keys account show` or `cim keys user show`, and change what \
                 is named",
            ),
            IdentityError::AnotherStore { .. } => (
                Exit::Failed,
                "name the event store with `--store URL`, or the folder of its keystore with `--dir \
                 DIR`",
            ),
            IdentityError::Broken(_) => (Exit::Broken, "see what is wrong with `cim verify`"),
            IdentityError::Unreadable(_) => (
                Exit::Broken,
                "a later version may have written it: use that one; `cim event show` shows it",
            ),
            _ => (Exit::Conflict, "run it again"),
        };
        Self::of(exit, error.code(), &error).help(help)
    }
}

fn of_refusal(refusal: &Refusal) -> (Exit, &'static str) {
    match refusal {
        Refusal::Absent { .. } => (
            Exit::NotFound,
            "see `cim keys operator list`, `cim keys account list`, `cim keys user list` and `cim \
             keys signing-key list`",
        ),
        Refusal::NotSigningKey { .. } => (Exit::NotFound, "see `cim keys signing-key list`"),
        Refusal::RoleUnknown { .. } => (
            Exit::NotFound,
            "make a key for the role: `cim keys signing-key create ACCOUNT --role ROLE`",
        ),
        Refusal::Exists { .. } => (Exit::Failed, "there is nothing to do"),
        Refusal::Revoked { .. } => (
            Exit::NotAllowed,
            "make another one in its place: `cim keys user rotate`, `cim keys signing-key create`",
        ),
        Refusal::Rotated { .. } => (Exit::NotAllowed, "take the successor"),
        Refusal::LimitsOfRole { .. } => (
            Exit::Usage,
            "leave permissions and limits out, or the role; `cim keys signing-key show` shows what \
             the role may do",
        ),
        _ => (Exit::Usage, "change what is named, and try again"),
    }
}

impl From<KeystoreError> for Failure {
    fn from(error: KeystoreError) -> Self {
        let exit = match &error {
            KeystoreError::NotFound { .. } => Exit::NotFound,
            KeystoreError::Passphrase { .. } | KeystoreError::Unsafe { .. } => Exit::NotAllowed,
            KeystoreError::NoPassphrase => Exit::Usage,
            KeystoreError::Malformed { .. } | KeystoreError::Seed { .. } => Exit::Broken,
            _ => Exit::Failed,
        };
        let help = match &error {
            KeystoreError::NotFound { .. } => Some(
                "make one with `cim keys init`, or name its folder with `--dir DIR`".to_owned(),
            ),
            KeystoreError::Passphrase { .. } | KeystoreError::NoPassphrase => {
                Some("give it with `--passphrase-file FILE` or in CIM_PASSPHRASE".to_owned())
            }
            error => error.help(),
        };
        Self {
            help,
            ..Self::of(exit, error.code(), &error)
        }
    }
}
