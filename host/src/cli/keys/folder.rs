//! Where identities are: the event store, and a folder with keystore, creds and configuration.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cim_core::domain::keys::Directory;
use cim_core::id::Namespace;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::failure::{Exit, Failure};
use crate::cli::place::{Absent, Place};
use crate::files::write_private;
use crate::identity::Identities;
use crate::identity::keystore::{
    EncryptedKeystore, KdfParams, Keystore, KeystoreError, KeystoreKind, MemoryKeystore,
    PlainKeystore, kind_in,
};
use crate::secret::Secret;
use crate::store::EventStore;

/// The longest passphrase, in bytes; longer ones are a file that was meant otherwise.
const MAX_PASSPHRASE_LEN: usize = 4096;

/// The variable with the passphrase.
const PASSPHRASE: &str = "CIM_PASSPHRASE";

/// The file in the folder that names the event store.
const EVENTS: &str = "events.toml";

/// Where identities were begun.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    url: String,
    namespace: String,
}

/// Where the identities of a command are.
#[derive(Args, Clone, Debug)]
pub(crate) struct FolderArgs {
    /// The folder of keystore, creds and server configuration
    #[arg(
        long,
        value_name = "DIR",
        env = "CIM_IDENTITY",
        hide_env_values = true,
        default_value = "identity"
    )]
    pub(crate) dir: PathBuf,
    /// A file with the passphrase of the keystore; else it is CIM_PASSPHRASE, else it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl FolderArgs {
    /// The folder of the keystore.
    pub(crate) fn keystore(&self) -> PathBuf {
        self.dir.join("keystore")
    }

    /// The file of a user's creds.
    pub(crate) fn creds(&self, account: &str, user: &str) -> PathBuf {
        let file = format!("{}.creds", file_name(user));
        self.dir.join("creds").join(file_name(account)).join(file)
    }

    /// Where the events of the identities are: in the store that was named, else in the one that they
    /// were begun in, which is not always that of other events. Servers come from identities, not the
    /// other way round.
    async fn store(&self, place: &Place) -> Result<(Arc<dyn EventStore>, Namespace), Failure> {
        let begun = self.begun()?;
        let other = begun.as_ref().filter(|_| !place.is_named);
        let opened = match other {
            None => place.open(Absent::Refuse).await,
            Some(begun) => place.open_at(&begun.url, None).await,
        };
        let store = opened.map_err(|failure| match failure.exit {
            Exit::NotFound => failure.help(
                "begin with `cim keys init` (`--empty` for `cim keys apply` and `cim keys \
                 import-nsc`), or name the store of the identities with `--store URL`",
            ),
            _ => failure,
        })?;
        let namespace = match begun {
            None => namespace(place, &*store)?,
            Some(begun) => Namespace::new(&begun.namespace)
                .map_err(|error| self.malformed(&error.to_string()))?,
        };
        Ok((store, namespace))
    }

    /// Where identities were begun in this folder.
    fn begun(&self) -> Result<Option<Begun>, Failure> {
        let file = self.dir.join(EVENTS);
        check_ours(&self.dir)?;
        check_ours(&file)?;
        match fs::read_to_string(&file) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|error| self.malformed(error.message())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file("read", &file, &error)),
        }
    }

    fn malformed(&self, why: &str) -> Failure {
        let file = self.dir.join(EVENTS);
        Failure::usage(format!("`{}`: {why}", file.display())).help(
            "it names the event store: `url = \"sqlite:/home/ann/cim.db\"` and `namespace = \
             \"local.main.keys\"`",
        )
    }

    /// Takes note of the store that identities are begun in.
    pub(crate) fn begin_in(&self, begun: &Identities) -> Result<(), Failure> {
        let file = self.dir.join(EVENTS);
        let failed = |error| Failure::file("write", &file, &error);
        let url = &begun.store().info().url;
        let url = match url.strip_prefix("sqlite:") {
            // Later commands may run elsewhere.
            Some(path) => {
                let path = std::path::absolute(path).map_err(failed)?;
                format!("sqlite:{}", path.display())
            }
            None => url.clone(),
        };
        let namespace = begun.namespace().to_string();
        let text = toml::to_string(&Begun { url, namespace }).expect("texts are TOML");
        let text = format!("# Where the events of these identities are.\n{text}");
        write_private(&file, text.as_bytes()).map_err(failed)
    }

    /// Opens the store and the keystore.
    pub(crate) async fn open(&self, place: &Place) -> Result<Identities, Failure> {
        let (store, namespace) = self.store(place).await?;
        let keystore: Box<dyn Keystore> = match kind_in(&self.keystore())? {
            Some(KeystoreKind::Plain) => Box::new(PlainKeystore::open(&self.keystore())?),
            _ => Box::new(self.encrypted()?),
        };
        Ok(Identities::open(store, keystore, &namespace).await?)
    }

    /// Opens an encrypted keystore.
    pub(crate) fn encrypted(&self) -> Result<EncryptedKeystore, Failure> {
        let folder = self.keystore();
        // That there is none is said before a passphrase is asked for.
        if kind_in(&folder)?.is_none() {
            return Err(KeystoreError::NotFound { folder }.into());
        }
        let passphrase = self.passphrase(Asked::Once)?;
        Ok(EncryptedKeystore::open(&folder, &passphrase)?)
    }

    /// Opens the keystore of a store, or makes one.
    pub(crate) fn keystore_or_new(
        &self,
        kind: KeystoreKind,
        store: &dyn EventStore,
    ) -> Result<Box<dyn Keystore>, Failure> {
        let folder = self.keystore();
        check_ours(&self.dir)?;
        let store_id = store.info().store_id;
        let there = kind_in(&folder)?;
        if let Some(there) = there.filter(|there| *there != kind) {
            let message = format!("there is a keystore already, and it is {there}");
            let help = format!("leave `--keystore` out, or say `--keystore {there}`");
            return Err(Failure::new(Exit::Failed, "exists", message).help(help));
        }
        Ok(match (kind, there) {
            (KeystoreKind::Plain, Some(_)) => Box::new(PlainKeystore::open(&folder)?),
            (KeystoreKind::Plain, None) => Box::new(PlainKeystore::create(&folder, store_id)?),
            (KeystoreKind::Encrypted, Some(_)) => Box::new(self.encrypted()?),
            (KeystoreKind::Encrypted, None) => {
                let passphrase = self.passphrase(Asked::Twice)?;
                let params = KdfParams::default();
                let made = EncryptedKeystore::create(&folder, store_id, &passphrase, params)?;
                Box::new(made)
            }
        })
    }

    /// All identities, without the keystore.
    pub(crate) async fn read(&self, place: &Place) -> Result<Directory, Failure> {
        let (store, namespace) = self.store(place).await?;
        Ok(Identities::read(&*store, &namespace).await?)
    }

    /// All identities, to be looked at: nothing is signed.
    pub(crate) async fn open_without_seeds(&self, place: &Place) -> Result<Identities, Failure> {
        let (store, namespace) = self.store(place).await?;
        let keystore = Box::new(MemoryKeystore::new(store.info().store_id));
        Ok(Identities::open(store, keystore, &namespace).await?)
    }

    /// Whether there is a passphrase, or somebody who can be asked for one.
    pub(crate) fn check_passphrase(&self) -> Result<(), Failure> {
        let is_given = self.passphrase_file.is_some() || std::env::var_os(PASSPHRASE).is_some();
        match !is_given && io::stdin().is_terminal() {
            true => Ok(()),
            false => self.passphrase(Asked::Once).map(drop),
        }
    }

    /// The passphrase of the keystore.
    pub(crate) fn passphrase(&self, asked: Asked) -> Result<Secret, Failure> {
        passphrase(
            self.passphrase_file.as_deref(),
            PASSPHRASE,
            "--passphrase-file",
            "Passphrase of the keystore: ",
            asked,
        )
    }
}

/// How often a person is asked for a passphrase: a new one is told twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    Once,
    Twice,
}

/// A passphrase of a file, a variable, or the person at the terminal.
pub(crate) fn passphrase(
    file: Option<&Path>,
    variable: &str,
    flag: &str,
    prompt: &str,
    asked: Asked,
) -> Result<Secret, Failure> {
    if let Some(path) = file {
        let mut text = String::with_capacity(MAX_PASSPHRASE_LEN + 1);
        let longest = MAX_PASSPHRASE_LEN as u64 + 1;
        let read =
            fs::File::open(path).and_then(|file| file.take(longest).read_to_string(&mut text));
        let text = Secret::from(text);
        read.map_err(|error| Failure::file("read", path, &error))?;
        if text.expose().len() > MAX_PASSPHRASE_LEN {
            let message = format!(
                "`{}` has more than the {MAX_PASSPHRASE_LEN} bytes that a passphrase may have",
                path.display()
            );
            return Err(Failure::usage(message).help(format!("name the file with `{flag}`")));
        }
        // A file ends with a line end that nobody typed.
        let line = text.expose();
        let line = line.strip_suffix('\n').unwrap_or(line);
        return Ok(line.strip_suffix('\r').unwrap_or(line).into());
    }
    if let Ok(text) = std::env::var(variable) {
        return Ok(text.into());
    }
    if !io::stdin().is_terminal() {
        let what = prompt.trim_end_matches([':', ' ']).to_lowercase();
        let message = format!("there is no {what}");
        return Err(Failure::usage(message).help(format!(
            "give it with `{flag} FILE` or in the variable {variable}, or run this at a terminal"
        )));
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map(Secret::from);
    let first = ask(prompt)?;
    if asked == Asked::Twice && ask("Once more: ")? != first {
        return Err(Failure::usage("the two passphrases differ").help("run it again"));
    }
    Ok(first)
}

/// The namespace that identities stand beside.
pub(crate) fn namespace(place: &Place, store: &dyn EventStore) -> Result<Namespace, Failure> {
    place.namespace(&store.info().template)
}

/// A name as that of a file: what would lead elsewhere is written with its number, so that two names
/// are two files.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for (index, found) in name.char_indices() {
        match found {
            '/' | '\\' | ':' | '%' | '\0' => file.push_str(&format!("%{:02X}", u32::from(found))),
            '.' if index == 0 => file.push_str("%2E"),
            found => file.push(found),
        }
    }
    file
}

/// Refuses a folder or file that others may write to: who writes the events of identities decides whom
/// their seeds vouch for.
#[cfg(unix)]
fn check_ours(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file("examine", path, &error)),
    };
    let shown = path.display();
    let refused = |why: &str, help: String| {
        let message = format!("`{shown}` {why}");
        Err(Failure::new(Exit::NotAllowed, "folder-unsafe", message).help(help))
    };
    if metadata.is_symlink() {
        return refused("is a link", format!("ls -ld '{shown}'"));
    }
    if metadata.mode() & 0o022 != 0 {
        return refused("may be written by others", format!("chmod go-w '{shown}'"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_ours(_: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for (name, expect) in [
            ("ann", "ann"),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            ("..", "%2E."),
            ("a b.c", "a b.c"),
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
        ] {
            assert_eq!(file_name(name), expect);
        }
    }
}
