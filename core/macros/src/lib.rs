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
/// The enum takes `#[event(entity = "…")]`; a variant may take `#[event(version = 2)]` and
/// `#[event(operation = "…")]`.
#[proc_macro_derive(DomainEvent, attributes(event))]
pub fn derive_domain_event(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), Kind::Event)
}

/// Declares the command types of an entity: `Typed` and `DomainCommand` for an enum.
///
/// The enum takes `#[command(entity = "…")]`; a variant may take `#[command(version = 2)]` and
/// `#[command(operation = "…")]`.
#[proc_macro_derive(DomainCommand, attributes(command))]
pub fn derive_domain_command(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), Kind::Command)
}

fn derive(input: &DeriveInput, kind: Kind) -> TokenStream {
    declare::implement(input, kind)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
