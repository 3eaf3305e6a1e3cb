//! Loading a plugin: its file is read, checked, compiled and asked what it is.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use cim_core::id::EventType;
use cim_core::projection::{Descriptor, Name};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use super::bindings::ProjectionPluginPre;
use super::bindings::cim::plugin::types::Descriptor as Said;
use super::cache::{self, Cache};
use super::engine;
use super::error::PluginError;
use super::fault::clean;
use super::handler::PluginHandler;
use super::instance::{Instance, Sandbox, StartError};
use super::options::PluginOptions;

/// A plugin: compiled, and known by its descriptor. Clones share it.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    path: PathBuf,
    bytes: u64,
    identity: String,
    was_cached: bool,
    sandbox: Sandbox,
    descriptor: Descriptor,
}

impl Plugin {
    /// Loads the plugin in a file.
    ///
    /// Compiled code is kept in [`PluginOptions::cache`]; where that cannot be read or written, the
    /// plugin is compiled each time. Compiling is limited by the file's size alone: a file that is
    /// made for it takes a minute and more than 1 GiB.
    ///
    /// # Errors
    ///
    /// [`PluginError`], with what to do.
    pub fn load(path: &Path, options: &PluginOptions) -> Result<Self, PluginError> {
        let file = read(path, options.limits.file_bytes)?;
        check_kind(path, &file)?;
        let identity = blake3::hash(&file).to_hex().to_string();
        let engine = engine::make(&options.limits, options.interruption)?;
        let cache = options.cache.as_deref().and_then(Cache::open);
        let key = cache::key(&engine, &identity);
        let cached = cache.as_ref().and_then(|cache| cache.load(&engine, &key));
        let was_cached = cached.is_some();
        let component = match cached {
            Some(component) => component,
            None => compile(
                path,
                &engine,
                &file,
                cache.as_ref().map(|cache| (cache, &*key)),
            )?,
        };
        check_imports(path, &engine, &component)?;
        check_exports(path, &component)?;
        let exports = Linker::new(&engine)
            .instantiate_pre(&component)
            .and_then(ProjectionPluginPre::new)
            .map_err(|error| PluginError::OtherWorld {
                path: path.to_owned(),
                missing: format!("its functions as they should be: {}", first_line(&error)),
            })?;
        let sandbox = Sandbox {
            limits: options.limits,
            interruption: options.interruption,
            engine,
            exports,
        };
        Ok(Self(Arc::new(Inner {
            descriptor: describe(path, &sandbox)?,
            path: path.to_owned(),
            bytes: file.len() as u64,
            identity,
            was_cached,
            sandbox,
        })))
    }

    /// What the plugin says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        &self.0.descriptor
    }

    /// The BLAKE3 hash of its file, in lower-case hex.
    pub fn identity(&self) -> &str {
        &self.0.identity
    }

    /// The size of its file in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Whether its compiled code was in the cache.
    pub fn was_cached(&self) -> bool {
        self.0.was_cached
    }

    /// Makes a handler, with an instance that has taken `config`. At most 8 handlers of a plugin,
    /// its clones included, have an instance at a time; for more, load it again.
    ///
    /// # Errors
    ///
    /// [`PluginError::Fault`] when the plugin refuses the configuration or fails,
    /// [`PluginError::NoInstance`] when there are too many handlers or too little memory.
    pub fn handler(&self, config: Bytes) -> Result<PluginHandler, PluginError> {
        PluginHandler::new(self.clone(), config)
            .map_err(|error| not_started(&self.0.path, "init", error))
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("path", &self.0.path)
            .field("identity", &self.0.identity)
            .field("descriptor", &self.0.descriptor)
            .finish_non_exhaustive()
    }
}

/// Reads the file, unless it is too large.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, PluginError> {
    let fault = |source| PluginError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fault)?;
    let found = file.metadata().map_err(fault)?.len();
    let too_large = |found| PluginError::TooLarge {
        path: path.to_owned(),
        found,
        limit,
    };
    if found > limit {
        return Err(too_large(found));
    }
    // It may grow meanwhile, or be no plain file.
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    match bytes.len() as u64 {
        length if length > limit => Err(too_large(length)),
        _ => Ok(bytes),
    }
}

/// Looks at the first bytes: the magic number, then version and layer (WebAssembly component
/// model, binary format).
fn check_kind(path: &Path, file: &[u8]) -> Result<(), PluginError> {
    let why = match file.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => return Ok(()),
        Some(b"\0asm\x01\0\0\0") => "a WebAssembly module, not a component",
        Some(start) if start.starts_with(b"\0asm") => "WebAssembly of an unknown version",
        _ => "no WebAssembly",
    };
    Err(PluginError::NotComponent {
        path: path.to_owned(),
        why,
    })
}

fn compile(
    path: &Path,
    engine: &Engine,
    file: &[u8],
    cache: Option<(&Cache, &str)>,
) -> Result<Component, PluginError> {
    let component = Component::from_binary(engine, file).map_err(|error| PluginError::Invalid {
        path: path.to_owned(),
        why: first_line(&error),
    })?;
    if let (Some((cache, key)), Ok(code)) = (cache, component.serialize()) {
        cache.store(key, &code);
    }
    Ok(component)
}

/// What the compiler says, without the tables that it puts below it.
fn first_line(error: &wasmtime::Error) -> String {
    let said = error.root_cause().to_string();
    clean(said.lines().next().unwrap_or_default())
}

/// Refuses every import but instances of our own package that hold nothing but types.
fn check_imports(path: &Path, engine: &Engine, component: &Component) -> Result<(), PluginError> {
    let imports: Vec<String> = component
        .component_type()
        .imports(engine)
        .filter(|(name, item)| {
            let only_types = match &item.ty {
                ComponentItem::ComponentInstance(instance) => instance
                    .exports(engine)
                    .all(|(_, item)| matches!(item.ty, ComponentItem::Type(_))),
                _ => false,
            };
            !(only_types && name.starts_with("cim:plugin/"))
        })
        .map(|(name, _)| clean(name))
        .collect();
    if imports.is_empty() {
        return Ok(());
    }
    Err(PluginError::Imports {
        path: path.to_owned(),
        imports,
    })
}

fn check_exports(path: &Path, component: &Component) -> Result<(), PluginError> {
    for name in EXPORTS {
        if component.get_export_index(None, name).is_none() {
            return Err(PluginError::OtherWorld {
                path: path.to_owned(),
                missing: format!("`{name}`"),
            });
        }
    }
    Ok(())
}

/// Asks the plugin what it is.
fn describe(path: &Path, sandbox: &Sandbox) -> Result<Descriptor, PluginError> {
    let said = Instance::new(sandbox).and_then(|mut instance| {
        Ok(instance.call(sandbox, 0, |exports, store| {
            exports.cim_plugin_lifecycle().call_describe(store)
        })?)
    });
    let said = said.map_err(|error| not_started(path, "describe", error))?;
    descriptor(said).map_err(|why| PluginError::Descriptor {
        path: path.to_owned(),
        why,
    })
}

/// Why a plugin did not come to its first call.
fn not_started(path: &Path, doing: &'static str, error: StartError) -> PluginError {
    let path = path.to_owned();
    match error {
        StartError::Fault(fault) => PluginError::Fault { path, doing, fault },
        StartError::NoRoom(fault) => PluginError::NoInstance { path, fault },
    }
}

/// Checks what a plugin says of itself.
fn descriptor(said: Said) -> Result<Descriptor, String> {
    let name = |text: &str| Name::new(text).map_err(|error| error.to_string());
    let Said {
        version,
        event_types,
        collections,
        ..
    } = &said;
    if version.is_empty() || version.len() > MAX_VERSION || version.contains(char::is_control) {
        return Err(format!(
            "its version must be a text of 1 to {MAX_VERSION} bytes"
        ));
    }
    if collections.is_empty() {
        return Err("it declares no collection".to_owned());
    }
    if event_types.len() > MAX_NAMES || collections.len() > MAX_NAMES {
        return Err(format!(
            "it names more than {MAX_NAMES} event types or collections"
        ));
    }
    let event_type = |text: &String| EventType::new(text).map_err(|error| error.to_string());
    // Once they are names, they can stand in a message.
    let collections = collections
        .iter()
        .map(|text| name(text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = collections.iter().find(|name| !seen.insert(*name)) {
        return Err(format!("it declares the collection `{twice}` twice"));
    }
    Ok(Descriptor {
        name: name(&said.name)?,
        event_types: event_types
            .iter()
            .map(event_type)
            .collect::<Result<_, _>>()?,
        collections,
        version: said.version,
    })
}

/// What the world `projection-plugin` exports.
const EXPORTS: [&str; 2] = ["cim:plugin/lifecycle@0.1.0", "cim:plugin/projection@0.1.0"];

/// The longest version that a plugin may have, in bytes.
const MAX_VERSION: usize = 64;

/// The most event types and collections: far more than anybody reads.
const MAX_NAMES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_must_say_what_it_is() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let said = |version: &str, event_types: &[&str], collections: &[&str]| Said {
            name: "test".to_owned(),
            version: version.to_owned(),
            event_types: texts(event_types),
            collections: texts(collections),
        };
        let long = "1".repeat(MAX_VERSION + 1);
        let many = vec!["A"; MAX_NAMES + 1];
        let rude = format!("\u{1b}[2J{}", "x".repeat(1 << 20));
        let wrong = |name: &str| {
            format!(
                "`{name}` is not a name of a projection or collection: it must begin with a-z and \
                 have at most 48 of a-z, 0-9 and `_`"
            )
        };
        let version = "its version must be a text of 1 to 64 bytes".to_owned();
        let cases = [
            (said("", &[], &["a"]), version.clone()),
            (said(&long, &[], &["a"]), version.clone()),
            (said("1\n", &[], &["a"]), version),
            (said("1", &[], &[]), "it declares no collection".to_owned()),
            (
                said("1", &many, &["a"]),
                "it names more than 1000 event types or collections".to_owned(),
            ),
            (
                said("1", &["a"], &["a"]),
                "`a` is not an event type: it must begin with A-Z and have only A-Z, a-z and 0-9"
                    .to_owned(),
            ),
            (
                said("1", &[], &["a", "b", "a"]),
                "it declares the collection `a` twice".to_owned(),
            ),
            (said("1", &[], &["../a"]), wrong("../a")),
            (
                said("1", &[], &["sqlite_stat1"]),
                "`sqlite_stat1` is not a name of a projection or collection: it must not begin \
                 with `sqlite`, as tables of SQLite's own do"
                    .to_owned(),
            ),
            (
                said("1", &[], &[&rude, &rude]),
                wrong(&format!("\\u{{1b}}[2J{}…", "x".repeat(156))),
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(descriptor(said), Err(expected));
        }
        let sound = descriptor(said("1.0", &["A", "B"], &["a", "b"])).expect("a descriptor");
        assert_eq!((sound.event_types.len(), sound.collections.len()), (2, 2));
    }
}
