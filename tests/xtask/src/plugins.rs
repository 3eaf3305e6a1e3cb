//! The plugins of this workspace: built for WebAssembly, made components, and checked to ask
//! nothing of their host.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::{InterfaceId, Resolve, TypeDefKind, WorldId, WorldItem};

use crate::command::Run;
use crate::failure::{Doing, Failure};
use crate::imports::Border;
use crate::workspace::{Package, Workspace};

/// Builds all plugins, and the guests of the tests, as `<name>.wasm` in the folder that it returns.
/// The name is that of the package, without `cim-`.
///
/// # Errors
///
/// One does not compile, is no component, or imports something.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let packages: Vec<&Package> = workspace
        .packages()
        .iter()
        .filter(|package| kind(&package.folder).is_some())
        .collect();
    Run::cargo()
        .args(["build", "--locked", "--lib", "--profile", "plugin"])
        .args(["--target", "wasm32-unknown-unknown"])
        .args(
            packages
                .iter()
                .flat_map(|package| ["--package", &package.name]),
        )
        .env("RUSTFLAGS", flags())
        .dir(workspace.root())
        .run()?;

    let folder = folder(workspace)?;
    for package in packages {
        let module = workspace.built(&format!(
            "wasm32-unknown-unknown/plugin/{}.wasm",
            package.name.replace('-', "_")
        ));
        let module = fs::read(&module).doing(|| format!("cannot read `{}`", module.display()))?;
        let component = component(&package.name, &module)?;
        if kind(&package.folder) == Some(Kind::Plugin) {
            check(&package.name, &module, &component)?;
        }
        let name = package.name.strip_prefix("cim-").unwrap_or(&package.name);
        let path = folder.join(format!("{name}.wasm"));
        write(&path, &component)?;
        println!("{:>8} bytes  {}", component.len(), path.display());
    }
    Ok(folder)
}

/// Where plugins are put, and what else tests load.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.built("plugins");
    fs::create_dir_all(&folder).doing(|| format!("cannot make `{}`", folder.display()))?;
    Ok(folder)
}

/// Messages of panics hold paths of sources. Without those of this machine, a plugin is the same file
/// wherever it is built, and so keeps its hash and its read model.
pub(crate) fn flags() -> OsString {
    let mut flags = env::var_os("RUSTFLAGS").unwrap_or_default();
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    if let Some(home) = home.or_else(|| Some(env::home_dir()?.join(".cargo"))) {
        if !flags.is_empty() {
            flags.push(" ");
        }
        flags.push("--remap-path-prefix=");
        flags.push(home.join("registry/src"));
        flags.push("=/registry");
    }
    flags
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// One that keeps the rules.
    Plugin,
    /// One of the tests that may break them.
    Guest,
}

/// What the packages below a folder are.
fn kind(folder: &Path) -> Option<Kind> {
    if folder.starts_with("wasm/plugins") || folder.starts_with("tests/first-plugin") {
        Some(Kind::Plugin)
    } else if folder.starts_with("tests/guests") {
        Some(Kind::Guest)
    } else {
        None
    }
}

fn component(name: &str, module: &[u8]) -> Result<Vec<u8>, Failure> {
    let encode = || {
        ComponentEncoder::default()
            .validate(true)
            .module(module)?
            .encode()
    };
    encode()
        .map_err(|error| chain(format!("`{name}` cannot be made a component"), &error))
        .map_err(|failure| {
            failure.help("does it call `cim_plugin::export!`, and nothing of an operating system?")
        })
}

/// A failure with the causes of an error of `anyhow`.
fn chain(message: String, error: &dyn std::fmt::Debug) -> Failure {
    Failure::new(message).caused_by(format!("{error:?}"))
}

/// In its place at once, since tests may be reading the one before.
pub(crate) fn write(path: &Path, component: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension("new");
    fs::write(&new, component)
        .and_then(|()| fs::rename(&new, path))
        .doing(|| format!("cannot write `{}`", path.display()))
}

/// Checks that a plugin keeps the rules: its module imports nothing, its component nothing but the
/// types of the border.
fn check(name: &str, module: &[u8], component: &[u8]) -> Result<(), Failure> {
    let border = Border::parse(module).doing(|| format!("cannot read the module of `{name}`"))?;
    let decoded = wit_component::decode(component)
        .map_err(|error| chain(format!("cannot read the component of `{name}`"), &error))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(Failure::new(format!(
            "`{name}` is a package of interfaces, not a component"
        )));
    };
    let mut asked: Vec<String> = border.imports.iter().map(ToString::to_string).collect();
    asked.extend(authorities(&resolve, world));
    match asked.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(format!(
            "the plugin `{name}` imports {} things, the first is {first}",
            asked.len()
        ))
        .help(format!(
            "find the dependency: cargo tree --package {name} --target wasm32-unknown-unknown"
        ))),
    }
}

/// The imports of a component through which it could do something: all but instances of our own
/// package that hold nothing but types.
fn authorities(resolve: &Resolve, world: WorldId) -> Vec<String> {
    let imports = resolve.worlds[world].imports.iter();
    imports
        .filter(|(_, item)| match item {
            WorldItem::Interface { id, .. } => !is_ours(resolve, *id) || !only_types(resolve, *id),
            WorldItem::Function(_) | WorldItem::Type { .. } => true,
        })
        .map(|(key, _)| format!("`{}`", resolve.name_world_key(key)))
        .collect()
}

fn is_ours(resolve: &Resolve, interface: InterfaceId) -> bool {
    let package = resolve.interfaces[interface].package;
    package.is_some_and(|package| {
        let name = &resolve.packages[package].name;
        name.namespace == "cim" && name.name == "plugin"
    })
}

/// A resource is a type with functions behind it.
fn only_types(resolve: &Resolve, interface: InterfaceId) -> bool {
    let interface = &resolve.interfaces[interface];
    let is_resource = |id| matches!(resolve.types[id].kind, TypeDefKind::Resource);
    interface.functions.is_empty() && !interface.types.values().copied().any(is_resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_of_our_package_may_be_imported() {
        let check = |wit: &str, expected: &[&str]| {
            let mut resolve = Resolve::default();
            let package = resolve
                .push_source("test.wit", wit)
                .expect("the text is WIT");
            let world = resolve
                .select_world(&[package], Some("w"))
                .expect("`w` is there");
            assert_eq!(authorities(&resolve, world), expected, "{wit}");
        };
        let ours = |interface: &str, import: &str| {
            format!(
                "package cim:plugin@0.1.0; interface types {{ {interface} }} world w {{ {import} }}"
            )
        };
        check(&ours("record a { b: u8 }", "import types;"), &[]);
        check(
            &ours("f: func();", "import types;"),
            &["`cim:plugin/types@0.1.0`"],
        );
        check(
            &ours("resource r;", "import types;"),
            &["`cim:plugin/types@0.1.0`"],
        );
        check(&ours("", "import f: func();"), &["`f`"]);
        check(
            "package wasi:clock@0.2.0; interface types { record a { b: u8 } } world w { import types; }",
            &["`wasi:clock/types@0.2.0`"],
        );
    }

    #[test]
    fn a_folder_tells_plugins_and_guests() {
        assert_eq!(kind(Path::new("wasm/plugins/activity")), Some(Kind::Plugin));
        assert_eq!(kind(Path::new("tests/first-plugin")), Some(Kind::Plugin));
        assert_eq!(kind(Path::new("tests/guests/hostile")), Some(Kind::Guest));
        assert_eq!(kind(Path::new("wasm/sdk")), None);
    }

    #[test]
    fn a_module_that_is_no_plugin_is_refused() {
        let failure = component("bare", b"\0asm\x01\0\0\0\x02\x09\x01\x03env\x01f\x00\x00")
            .expect_err("it has an import without a type");
        assert_eq!(failure.message(), "`bare` cannot be made a component");
    }
}
