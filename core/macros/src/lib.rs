//! The derive macros of `cim-core`: they declare the types of events and commands.
//!
//! They read names and attributes, and judge them by the rules of the wire format, so that a name that
//! could not be stored does not compile. `cim_core::payload` documents what they implement, and exports
//! them beside its traits.

mod attributes;
mod declare;
#[path = "../../src/naming.rs"]
mod naming;
mod serde_form;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

use declare::Kind;

/// Declares the event types of an entity: `Typed` and `DomainEvent` for an enum.
///
/// Each variant is one type. Its name is the type's, its fields are the body, and all of them have names;
/// `LampOut {}` has none. The enum has no parameters, and serde's derives beside this one.
///
/// | Attribute | Where | Says |
/// |---|---|---|
/// | `#[event(entity = "lamp")]` | enum, required | the entity, as subjects say it |
/// | `#[event(operation = "put-out")]` | variant | the last token of the subject; by default the name of the type in kebab-case, without the entity at its start: `LampLit` is `lit`, `LampBulbChanged` is `bulb-changed`, `FuseBlown` is `fuse-blown` |
/// | `#[event(version = 2)]` | variant | the version of the schema, 1 by default; an upcaster leads there from each earlier one |
///
/// An enum does not compile with a name that could not be stored, with one operation of two types, or with
/// an attribute of serde that would store another form than `{"LampLit":{"watts":40}}`. Attributes of serde
/// on fields are free. Types are best named in full, `LampLit` and not `Lit`, since they are read without the
/// entity too; of a private enum Clippy wants the shorter ones, so allow `clippy::enum_variant_names` there.
#[proc_macro_derive(DomainEvent, attributes(event))]
pub fn derive_domain_event(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), Kind::Event)
}

/// Declares the command types of an entity: `Typed` and `DomainCommand` for an enum.
///
/// As of events, with `#[command(…)]` in the place of `#[event(…)]`. The default operation is the name of
/// the type without the entity at its end: of `LightLamp` it is `light`. Only commands that have a name and a
/// body outside the program need it; those that stay within are any enum.
#[proc_macro_derive(DomainCommand, attributes(command))]
pub fn derive_domain_command(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), Kind::Command)
}

fn derive(input: &DeriveInput, kind: Kind) -> TokenStream {
    declare::implement(input, kind)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
