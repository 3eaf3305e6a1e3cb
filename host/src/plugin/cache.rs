//! Compiled code, kept between starts.
//!
//! Compiled code runs with the rights of the host, so no file is believed for its name: each begins
//! with a keyed BLAKE3 hash of its key and code, and the key of that hash is a file of this user that
//! nobody else can read. A file that does not fit is ignored and written anew.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::clock;

/// The version of wasmtime that the code is for; `Cargo.toml` pins it.
const WASMTIME: &str = "48.0.8";

/// The file with the key of the hashes.
const SECRET: &str = "key";

/// A folder of compiled code.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    secret: [u8; 32],
}

/// What compiled code depends on: the plugin's file, wasmtime and the settings of the engine.
pub(super) fn key(engine: &Engine, identity: &str) -> String {
    let mut settings = Digest(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    settings.write(WASMTIME.as_bytes());
    settings.write(identity.as_bytes());
    settings.0.finalize().to_hex().to_string()
}

impl Cache {
    /// Opens the folder and makes what is absent of it; `None` where that cannot be done.
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let secret = secret(folder).ok()?;
        Some(Self {
            folder: folder.to_owned(),
            secret,
        })
    }

    /// The code under a key.
    pub(super) fn load(&self, engine: &Engine, key: &str) -> Option<Component> {
        let file = fs::read(self.path(key)).ok()?;
        let (hash, code) = file.split_at_checked(blake3::OUT_LEN)?;
        let hash = blake3::Hash::from_slice(hash).ok()?;
        if self.hash(key, code) != hash {
            return None;
        }
        deserialize(engine, code)
    }

    /// Keeps code under a key. It is only a cache: where it cannot be written, the next start
    /// compiles again.
    pub(super) fn store(&self, key: &str, code: &[u8]) {
        let path = self.path(key);
        // In its place at once: others may be reading or writing.
        let new = temporary(&path);
        let written = create(&new)
            .and_then(|mut file| {
                file.write_all(self.hash(key, code).as_bytes())?;
                file.write_all(code)
            })
            .and_then(|()| fs::rename(&new, &path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.code"))
    }

    fn hash(&self, key: &str, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes());
        hasher.update(code);
        hasher.finalize()
    }
}

/// Makes code that a [`Cache`] has checked runnable.
#[allow(
    unsafe_code,
    reason = "the compiler's own output is taken back; its origin was checked"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `deserialize` needs bytes that `Component::serialize` made. The keyed hash in front
    // of them shows that `Cache::store` wrote them for this key, which names wasmtime's version and
    // the engine's settings, or that somebody did who can read this user's 0600 files and so has
    // this user's rights already.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Reads the secret of a folder, or makes both.
fn secret(folder: &Path) -> io::Result<[u8; 32]> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let path = folder.join(SECRET);
    match read_secret(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Cut off by a crash. What was kept under it is of no more use.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => fs::remove_file(&path)?,
        found => return found,
    }
    let new = temporary(&path);
    create(&new)?.write_all(&clock::entropy::<32>())?;
    // The first of several processes wins; all then read its key.
    let linked = fs::hard_link(&new, &path);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read_secret(&path),
    }
}

/// Reads a secret, if it is one: who else may know it could have code run in the name of this user.
fn read_secret(path: &Path) -> io::Result<[u8; 32]> {
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    let is_ours = user().is_none_or(|user| user == metadata.uid());
    if !is_ours || metadata.mode() & 0o077 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut bytes = Vec::new();
    file.take(33).read_to_end(&mut bytes)?;
    let broken = |_| io::Error::from(io::ErrorKind::InvalidData);
    bytes.try_into().map_err(broken)
}

/// The user that this process runs as, where the system shows it. It matters to root alone: others
/// cannot read a foreign file of mode 0600.
fn user() -> Option<u32> {
    Some(fs::metadata("/proc/self").ok()?.uid())
}

/// A name beside `path` that no other process and no other thread uses.
fn temporary(path: &Path) -> PathBuf {
    let number = u64::from_le_bytes(clock::entropy());
    path.with_extension(format!("{number:016x}.new"))
}

/// Makes a file that only this user can read.
fn create(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// BLAKE3 for what implements `Hash`.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::plugin::engine;
    use crate::plugin::options::{Interruption, PluginLimits};

    /// A component with nothing in it.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn only_what_was_stored_under_the_key_is_loaded() {
        let (engine, code) = compiled();
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(folder.path()).expect("a cache");
        let is_loaded = |cache: &Cache, key: &str| cache.load(&engine, key).is_some();
        assert!(!is_loaded(&cache, "a"));
        cache.store("a", &code);
        assert!(is_loaded(&cache, "a"));
        let again = Cache::open(folder.path()).expect("a cache");
        assert!(is_loaded(&again, "a"));
        assert_eq!(names(&folder), ["a.code", "key"]);

        // Code of another key under this one.
        fs::copy(cache.path("a"), cache.path("b")).expect("a copy");
        assert!(!is_loaded(&cache, "b"));
        // Code as a user has it, without the hash and with another one in front.
        fs::write(cache.path("b"), &code).expect("a file");
        assert!(!is_loaded(&cache, "b"));
        let guessed = [blake3::hash(&code).as_bytes(), &code[..]].concat();
        fs::write(cache.path("b"), guessed).expect("a file");
        assert!(!is_loaded(&cache, "b"));
        // Any byte changed, or cut off.
        let file = fs::read(cache.path("a")).expect("a file");
        for at in [0, 31, 32, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            fs::write(cache.path("a"), changed).expect("a file");
            assert!(!is_loaded(&cache, "a"), "byte {at}");
            fs::write(cache.path("a"), &file[..at]).expect("a file");
            assert!(!is_loaded(&cache, "a"), "cut at {at}");
        }
        cache.store("a", &code);
        assert!(is_loaded(&cache, "a"), "it is written anew");
    }

    #[test]
    fn files_are_for_this_user_alone() {
        let (_, code) = compiled();
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("a/b");
        Cache::open(&folder).expect("a cache").store("a", &code);
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(SECRET)), 0o600);
        assert_eq!(mode(&folder.join("a.code")), 0o600);
    }

    #[test]
    fn a_secret_that_others_can_read_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(SECRET);
        fs::write(&path, [7; 32]).expect("a file");
        for (mode, is_secret) in [
            (0o644, false),
            (0o640, false),
            (0o602, false),
            (0o600, true),
        ] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(&path, permissions).expect("a mode");
            let cache = Cache::open(folder.path());
            assert_eq!(cache.is_some(), is_secret, "{mode:o}");
        }
    }

    #[test]
    fn a_damaged_secret_is_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Cache::open(folder.path()).expect("a cache").secret;
        let path = folder.path().join(SECRET);
        for damaged in [&made[..0], &made[..31], &[made, made].concat()[..]] {
            fs::write(&path, damaged).expect("a file");
            let cache = Cache::open(folder.path()).expect("a cache");
            assert_ne!(cache.secret, made);
            assert_eq!(fs::read(&path).expect("a secret"), cache.secret);
        }
    }

    #[test]
    fn all_that_start_at_once_share_one_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let open = || Cache::open(folder.path()).map(|cache| cache.secret);
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().expect("ends");
            threads.into_iter().map(join).collect()
        });
        assert!(secrets[0].is_some());
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(names(&folder), [SECRET]);
    }

    #[test]
    fn other_settings_and_other_plugins_have_other_keys() {
        let engine =
            |interruption| engine::make(&PluginLimits::default(), interruption).expect("an engine");
        let (stopped, trusted) = (engine(Interruption::Epochs), engine(Interruption::Nothing));
        assert_eq!(key(&stopped, "a"), key(&engine(Interruption::Epochs), "a"));
        assert_ne!(key(&stopped, "a"), key(&trusted, "a"));
        assert_ne!(key(&stopped, "a"), key(&stopped, "b"));
    }

    fn compiled() -> (Engine, Vec<u8>) {
        let limits = PluginLimits::default();
        let engine = engine::make(&limits, Interruption::Epochs).expect("an engine");
        let component = Component::from_binary(&engine, EMPTY).expect("a component");
        let code = component.serialize().expect("code");
        (engine, code)
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
