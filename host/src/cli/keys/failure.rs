//! How commands about identities fail.

use std::io;

use cim_core::domain::keys::{LookupError, Refusal};

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::count;
use crate::identity::keystore::KeystoreError;
use crate::identity::plan::SpecError;
use crate::identity::{IdentityError, NscProblem};

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let error = match error {
            IdentityError::Store(error) => return error.into(),
            IdentityError::Append(error) => return error.into(),
            IdentityError::Keystore(error) => return error.into(),
            IdentityError::NscRefused { problems } => return nsc_refused(&problems),
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
                "give the key in place of the name; users may be named as `ACCOUNT/USER`, operators \
                 with `--operator KEY`",
            ),
            IdentityError::Spec(error) => of_spec(error),
            IdentityError::NameTaken { .. } => (
                Exit::Failed,
                "choose another name, or go on with what is there: `cim keys account list`, `cim \
                 keys user list`",
            ),
            IdentityError::Unstorable { .. } => (
                Exit::Usage,
                "leave out what is nested so deeply, and try again",
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

fn of_spec(error: &SpecError) -> (Exit, &'static str) {
    match error {
        SpecError::Read { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => (
                Exit::NotFound,
                "name the file; `cim keys plan --help` shows how one is written",
            ),
            io::ErrorKind::PermissionDenied => {
                (Exit::NotAllowed, "make it a file that you may read")
            }
            _ => (Exit::Failed, "name another file"),
        },
        _ => (
            Exit::Usage,
            "change it there; `cim keys plan --help` shows how the file is written",
        ),
    }
}

fn nsc_refused(problems: &[NscProblem]) -> Failure {
    let count = count(problems.len() as u64, "thing");
    let message = format!("nothing of nsc was taken, for {count}");
    let mut failure = Failure::new(Exit::Usage, "nsc-refused", message);
    failure.causes = problems.iter().map(NscProblem::to_string).collect();
    failure.help(
        "mend what is named with nsc (`nsc edit`, `nsc delete`), and run this again; another name is \
         given there too",
    )
}

fn of_refusal(refusal: &Refusal) -> (Exit, &'static str) {
    match refusal {
        Refusal::Absent { .. } => (
            Exit::NotFound,
            "see `cim keys operator list`, `cim keys account list`, `cim keys user list` and `cim \
             keys signing-key list`",
        ),
        Refusal::NotSigningKey { .. } => (Exit::NotFound, "see `cim keys signing-key list`"),
        Refusal::LastSigningKey { .. } => (
            Exit::NotAllowed,
            "make a successor first: `cim keys signing-key rotate KEY`",
        ),
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
