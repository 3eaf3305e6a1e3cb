//! Compiled code, kept between starts.
//!
//! Compiled code runs with the rights of the host, so no file is believed for its name: each begins
//! with a keyed BLAKE3 hash of its key and code, and the key of that hash is a file that only this
//! user can read. A file that does not fit is ignored and written anew.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
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
        // Of this process alone, and in its place at once: others may be reading or writing.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
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
    let read = || -> io::Result<[u8; 32]> {
        let mut bytes = Vec::new();
        fs::File::open(&path)?.take(33).read_to_end(&mut bytes)?;
        let broken = |_| io::Error::from(io::ErrorKind::InvalidData);
        bytes.try_into().map_err(broken)
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let new = folder.join(format!("{SECRET}.{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(&clock::entropy::<32>())?;
    // The first of several processes wins; all then read its key.
    let linked = fs::hard_link(&new, &path);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(),
    }
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
