//! Files that are no plugin are refused, each with its own message, and the cache of compiled code
//! takes nothing but its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cim_host::plugin::{Plugin, PluginError, PluginOptions};
use cim_tests::plugin;
use tempfile::TempDir;

/// The bytes in `tests/guests/hostile` that say how `describe` behaves; the last five of them.
const DESCRIBE: &[u8] = b"describe as: sound";

#[test]
fn what_is_no_plugin_is_refused() {
    let component = |text: &str| wat::parse_str(text).expect("valid text");
    let guest = fs::read(plugin("guest-hostile")).expect("a plugin");
    let wasi = component(
        r#"(component (import "wasi:cli/environment@0.2.0" (instance
            (export "get-environment" (func (result (list (tuple string string))))))))"#,
    );
    let functions = component(
        r#"(component (import "now" (func (result u64))) (import "random" (func (result u64))))"#,
    );
    let empty = component(
        r#"(component (instance $empty) (export "cim:plugin/lifecycle@0.1.0" (instance $empty))
            (export "cim:plugin/projection@0.1.0" (instance $empty)))"#,
    );
    let mut torn = guest.clone();
    torn.truncate(guest.len() / 2);
    for (file, code, expected) in [
        (
            b"no plugin".to_vec(),
            "plugin-not-component",
            "`FILE` is no plugin: it is no WebAssembly",
        ),
        (
            Vec::new(),
            "plugin-not-component",
            "`FILE` is no plugin: it is no WebAssembly",
        ),
        (
            component("(module)"),
            "plugin-not-component",
            "`FILE` is no plugin: it is a WebAssembly module, not a component",
        ),
        (
            b"\0asm\x0e\0\x01\0".to_vec(),
            "plugin-not-component",
            "`FILE` is no plugin: it is WebAssembly of an unknown version",
        ),
        (
            component("(component)"),
            "plugin-other-world",
            "`FILE` is no plugin for projections: it does not export `cim:plugin/lifecycle@0.1.0`",
        ),
        (
            wasi,
            "plugin-imports",
            "the plugin `FILE` imports `wasi:cli/environment@0.2.0`",
        ),
        (
            functions,
            "plugin-imports",
            "the plugin `FILE` imports `now`, `random`",
        ),
        (
            empty,
            "plugin-other-world",
            "`FILE` is no plugin for projections: it does not export its functions as they \
             should be: ",
        ),
        (torn, "plugin-invalid", "the plugin `FILE` is not valid: "),
    ] {
        refused(&file, code, expected);
    }
}

#[test]
fn what_a_plugin_says_of_itself_is_not_believed() {
    let cannot = "what the plugin `FILE` says of itself cannot be taken: ";
    for (how, code, expected) in [
        (
            "endls",
            "plugin-faulted",
            "the function `describe` of the plugin `FILE` failed: the plugin ran longer than \
             250 ms"
                .to_owned(),
        ),
        (
            "panic",
            "plugin-faulted",
            "the function `describe` of the plugin `FILE` failed: the plugin trapped: wasm \
             `unreachable` instruction executed"
                .to_owned(),
        ),
        (
            "large",
            "plugin-faulted",
            "the function `describe` of the plugin `FILE` failed: the plugin's answer has more \
             than 16 MiB"
                .to_owned(),
        ),
        (
            "names",
            "plugin-descriptor",
            format!("{cannot}`Hostile; DROP TABLE` is not a name"),
        ),
        (
            "escap",
            "plugin-descriptor",
            format!("{cannot}its version must be a text of 1 to 64 bytes"),
        ),
        ("types", "plugin-descriptor", format!("{cannot}`no type` ")),
        (
            "twice",
            "plugin-descriptor",
            format!("{cannot}it declares the collection `counts` twice"),
        ),
        (
            "empty",
            "plugin-descriptor",
            format!("{cannot}it declares no collection"),
        ),
        (
            "wider",
            "plugin-descriptor",
            format!("{cannot}it names more than 1000 event types or collections"),
        ),
    ] {
        refused(&describing(how), code, &expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_or_is_too_large_is_refused() {
    let place = Place::new();
    let absent = refusal(&place.path("absent.wasm"));
    assert_eq!(absent.code(), "plugin-unreadable");
    assert_eq!(refusal(place.folder.path()).code(), "plugin-unreadable");

    let large = place.path("large.wasm");
    let file = File::create(&large).expect("a file");
    file.set_len(40 << 20).expect("a hole");
    let error = refusal(&large);
    let expected = format!(
        "the plugin `{}` has 41943040 bytes: expected at most 33554432",
        large.display()
    );
    assert_eq!(
        (error.code(), error.to_string()),
        ("plugin-too-large", expected)
    );
    // Its size is not told beforehand.
    let endless = refusal(Path::new("/dev/zero"));
    assert_eq!(endless.code(), "plugin-too-large");
}

#[test]
fn a_changed_file_has_another_identity_and_is_compiled() {
    let place = Place::new();
    let first = place.load("a.wasm", &describing("sound"));
    let again = place.load("b.wasm", &describing("sound"));
    let changed = place.load("a.wasm", &describing("other"));
    assert_eq!(
        [&first, &again, &changed].map(Plugin::was_cached),
        [false, true, false]
    );
    assert_eq!(first.identity(), again.identity());
    assert_ne!(first.identity(), changed.identity());
    let file = describing("sound");
    assert_eq!(first.identity(), blake3::hash(&file).to_hex().as_str());
    assert_eq!(first.bytes(), file.len() as u64);
}

#[test]
fn the_cache_takes_nothing_but_what_it_wrote() {
    let place = Place::new();
    let file = describing("sound");
    place.load("a.wasm", &file);
    let code = place.only_code();
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&place.cache()), mode(&code)), (0o700, 0o600));
    let written = fs::read(&code).expect("code");

    let flipped = |at: usize| {
        let mut bytes = written.clone();
        bytes[at] ^= 1;
        bytes
    };
    let foreign = {
        let other = Place::new();
        other.load("a.wasm", &describing("other"));
        fs::read(other.only_code()).expect("code")
    };
    let last = written.len() - 1;
    for damaged in [
        flipped(0),
        flipped(40),
        flipped(last),
        written[..last].to_vec(),
        written[32..].to_vec(),
        Vec::new(),
        foreign,
    ] {
        fs::write(&code, &damaged).expect("a file");
        assert!(!place.load("a.wasm", &file).was_cached(), "it was believed");
        assert!(
            place.load("a.wasm", &file).was_cached(),
            "it was not mended"
        );
    }

    // Code of this cache, of another plugin.
    let changed = describing("other");
    place.load("b.wasm", &changed);
    let codes = place.codes();
    let other = codes.iter().find(|path| **path != code).expect("two files");
    fs::copy(other, &code).expect("a copy");
    assert!(!place.load("a.wasm", &file).was_cached());
    // Code by the name of no plugin, and another key.
    fs::write(place.cache().join("key"), [7; 32]).expect("a file");
    assert!(!place.load("a.wasm", &file).was_cached());
    assert!(place.load("a.wasm", &file).was_cached());
}

#[test]
fn without_a_cache_each_load_compiles() {
    let place = Place::new();
    let path = place.path("a.wasm");
    fs::write(&path, describing("sound")).expect("a file");
    // A folder that cannot be made.
    let options = PluginOptions {
        cache: Some(path.join("cache")),
        ..PluginOptions::default()
    };
    for _ in 0..2 {
        let plugin = Plugin::load(&path, &options).expect("a plugin");
        assert!(!plugin.was_cached());
    }
}

/// Loads a file that holds this, which must not take, and tells it in this way.
#[track_caller]
fn refused(file: &[u8], code: &str, expected: &str) {
    let place = Place::new();
    let path = place.path("hostile.wasm");
    fs::write(&path, file).expect("a file");
    let error = refusal(&path);
    let told = error
        .to_string()
        .replace(&path.display().to_string(), "FILE");
    assert_eq!(error.code(), code, "{told}");
    assert!(told.starts_with(expected), "{told}");
    assert!(!told.contains(char::is_control), "{told:?}");
    assert!(error.help().is_some(), "{told}");
}

/// The time is that of the second load, which finds compiled code where it came to that: how long
/// the compiler takes is no matter of the plugin's functions, and in a test build it is slow.
#[track_caller]
fn refusal(path: &Path) -> PluginError {
    let cache = tempfile::tempdir().expect("a folder");
    let options = PluginOptions {
        cache: Some(cache.path().to_owned()),
        ..PluginOptions::default()
    };
    let first = Plugin::load(path, &options).expect_err("it is refused");
    let started = Instant::now();
    let error = Plugin::load(path, &options).expect_err("it is refused again");
    assert_eq!(error.to_string(), first.to_string());
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}: {error}");
    error
}

/// The hostile guest, whose `describe` behaves in this way.
fn describing(how: &str) -> Vec<u8> {
    let mut file = fs::read(plugin("guest-hostile")).expect("a plugin");
    let mut places = file.windows(DESCRIBE.len()).enumerate();
    let place = places.find_map(|(at, bytes)| (bytes == DESCRIBE).then_some(at));
    let end = place.expect("it says how it describes") + DESCRIBE.len();
    file[end - 5..end].copy_from_slice(how.as_bytes());
    file
}

/// A folder with plugins and a cache.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    #[track_caller]
    fn load(&self, name: &str, file: &[u8]) -> Plugin {
        let path = self.path(name);
        fs::write(&path, file).expect("a file");
        let options = PluginOptions {
            cache: Some(self.cache()),
            ..PluginOptions::default()
        };
        let plugin = Plugin::load(&path, &options).expect("a plugin");
        assert_eq!(plugin.descriptor().name.as_str(), "hostile");
        plugin
    }

    /// The files with compiled code.
    fn codes(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let is_code = |path: &PathBuf| path.extension().is_some_and(|end| end == "code");
        paths.filter(is_code).collect()
    }

    fn only_code(&self) -> PathBuf {
        let mut codes = self.codes();
        assert_eq!(codes.len(), 1);
        codes.remove(0)
    }
}
