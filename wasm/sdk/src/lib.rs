//! # Write a projection of CIM events as a plugin
//!
//! A projection folds the events of a store into documents, each under a key in a collection. A
//! plugin is a projection as one WebAssembly component that imports nothing: it has no clock, no
//! files, no network and no randomness, and gives the same documents on every machine. This crate
//! is what a plugin in Rust is written with.
//!
//! ```
//! use cim_plugin::{Documents, Event, Failure, Keys, Projection};
//! use serde::{Deserialize, Serialize};
//!
//! /// How many loans each member has now.
//! #[derive(Default)]
//! struct Members;
//!
//! #[derive(Default, Deserialize, Serialize)]
//! struct Member {
//!     loans: u64,
//! }
//!
//! #[derive(Deserialize)]
//! struct Payload {
//!     member: String,
//! }
//!
//! impl Projection for Members {
//!     const NAME: &str = "members";
//!     const VERSION: &str = env!("CARGO_PKG_VERSION");
//!     const EVENT_TYPES: &[&str] = &["LoanOpened", "LoanClosed"];
//!     const COLLECTIONS: &[&str] = &["members"];
//!
//!     fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
//!         keys.add("members", event.json::<Payload>()?.member)
//!     }
//!
//!     fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
//!         let member: &mut Member =
//!             documents.edit_json("members", event.json::<Payload>()?.member)?;
//!         match event.event_type() {
//!             "LoanOpened" => member.loans += 1,
//!             _ => member.loans = member.loans.saturating_sub(1),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! cim_plugin::export!(Members);
//! ```
//!
//! # How it runs
//!
//! The host reads events in store order and cuts them into batches. For a batch it calls
//! [`Projection::keys`] with each event and fetches the documents that these ask for; then it calls
//! [`Projection::apply`] with each event, and commits all changes of the batch together with its
//! place in the store. So every event takes effect exactly once, whatever is killed when.
//!
//! In `apply`, [`Documents`] gives what this event asked for, with what the events before it did to
//! it: as bytes ([`get`](Documents::get), [`put`](Documents::put), [`delete`](Documents::delete)) or
//! as values of Rust types ([`get_json`](Documents::get_json),
//! [`edit_json`](Documents::edit_json), [`put_json`](Documents::put_json)). A document is one JSON
//! text, so that people can query it in SQL. What is only put or deleted need not be asked for.
//!
//! # Make it a component
//!
//! A plugin is a library with these lines in its `Cargo.toml`. This crate is on no registry yet: the
//! path is that of CIM's sources on your machine, seen from the plugin.
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib", "rlib"] # the first for the component, the second for tests
//!
//! [dependencies]
//! cim-plugin = { path = "../cim/wasm/sdk" }
//! serde = { version = "1", features = ["derive"] }
//!
//! [dev-dependencies]
//! cim-plugin = { path = "../cim/wasm/sdk", features = ["test"] }
//!
//! [profile.release]
//! overflow-checks = true # a sum that overflows traps: its event is parked, and no document is wrong
//! panic = "abort"        # as a trap ends the call anyway
//! lto = "fat"            # with the next two, a smaller and faster component
//! codegen-units = 1
//! strip = true
//! ```
//!
//! In a workspace, the profile belongs into the `Cargo.toml` at its root.
//!
//! Build it for `wasm32-unknown-unknown`, a target without an operating system, in release; then
//! make the module a component with `wasm-tools component new`. In CIM's own workspace
//! `cargo xtask plugins` does both for every crate below `wasm/plugins`.
//!
//! # Test it
//!
//! The feature `test` brings a kit that runs a plugin natively, through the same columns as the host,
//! with the host's checks. `assert_cuts_agree` is the test that every plugin should have:
//!
//! ```
//! # use cim_plugin::{Documents, Event, Failure, Keys, Projection};
//! use cim_plugin::test::{Harness, TestEvent, assert_cuts_agree, history};
//! #
//! # #[derive(Default)]
//! # struct Types;
//! #
//! # impl Projection for Types {
//! #     const NAME: &str = "types";
//! #     const VERSION: &str = "1";
//! #     const COLLECTIONS: &[&str] = &["types"];
//! #     fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
//! #         keys.add("types", event.event_type())
//! #     }
//! #     fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure> {
//! #         *documents.edit_json::<u64>("types", event.event_type())? += 1;
//! #         Ok(())
//! #     }
//! # }
//!
//! let events = history([
//!     TestEvent::new("loan", "loan-1", "LoanOpened").body(r#"{"member":"m-1"}"#),
//!     TestEvent::new("loan", "loan-1", "LoanClosed").at("2026-03-01T10:00:00Z"),
//! ]);
//! let mut harness = Harness::<Types>::new(b"");
//! harness.apply(&events)?;
//! assert_eq!(harness.document("types", "LoanOpened"), Some("1"));
//! assert_cuts_agree::<Types>(b"", &events);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What documents may depend on
//!
//! On the events and their order alone. The host may cut the events into batches anywhere, may drop
//! the instance between any two calls, and may call again with the same events. So:
//!
//! - Keep nothing in the plugin between events but its configuration: what is to be known later is a
//!   document.
//! - Let a value come back from JSON as it went: no field that is skipped, no number with a fraction
//!   unless `serde_json`'s feature `float_roundtrip` is on.
//! - Walk through a `BTreeMap` or a `Vec`, never through a `HashMap`: its order would reach the
//!   document.
//! - Keep [`Event::position`] out of documents: a copy of the store has other positions.
//! - Events of one aggregate come in the order of their versions. Between aggregates the order is
//!   that of the store, except after a person has sent parked events through again; documents that
//!   several aggregates change should not depend on it, as sums and counts do not.
//!
//! # Limits
//!
//! What a host allows unless it is configured otherwise:
//!
//! | what | limit |
//! |---|---|
//! | time of a call | 250 ms and 20 µs for each event, or the fuel that the host allows |
//! | memory; stack | 64 MiB; 512 KiB |
//! | bytes that come back from a call | 16 MiB |
//! | bytes of documents that a call reads | 32 MiB |
//! | keys asked for, and documents changed, in a call | 10 000 each |
//! | key | 1 to 1024 bytes of UTF-8 |
//! | document | 1 MiB ([`MAX_DOCUMENT_BYTES`]), one JSON text |
//! | name of the projection or of a collection | `[a-z][a-z0-9_]{0,47}`, not beginning with `sqlite`; checked while it compiles |
//! | file of the component | 32 MiB |
//!
//! # When something is wrong
//!
//! `keys` and `apply` may refuse an event with a [`Failure`]; a panic, or a limit that is passed, has
//! the same effect but tells less. Nothing of the batch is kept. The host tries again where that may
//! help; else it finds the event at fault, parks it and the later events of its aggregate, and goes
//! on with all others. These codes are this crate's:
//!
//! | code | what is wrong |
//! |---|---|
//! | `document-not-asked-for` | `apply` reads a document for which `keys` did not ask for this event |
//! | `collection-undeclared` | a collection is not in [`Projection::COLLECTIONS`] |
//! | `payload-invalid` | the payload is not what [`Event::json`] was to read |
//! | `document-invalid` | a document is not of the type that it is read as, or cannot be written as JSON |
//! | `config-invalid` | there is a configuration, and the plugin takes none |
//! | `batch-invalid`, `not-initialised`, `initialised-twice` | the host breaks the contract of the border |

#![warn(missing_docs)]

#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    reason = "wit-bindgen writes this module; memory crosses the border by raw addresses"
)]
pub mod bindings;
mod columns;
mod documents;
mod event;
mod failure;
#[doc(hidden)]
pub mod guest;
mod keys;
mod names;
#[cfg(all(feature = "test", not(target_arch = "wasm32")))]
pub mod test;

pub use documents::Documents;
pub use event::{Event, Headers};
pub use failure::Failure;
pub use keys::Keys;

/// The longest document that a host takes, unless it is configured otherwise.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// A fold of events into documents.
///
/// The [crate's documentation](crate) has an example and the rules.
pub trait Projection: Default + 'static {
    /// The projection's name: `[a-z][a-z0-9_]{0,47}`, not beginning with `sqlite`.
    const NAME: &'static str;

    /// The plugin's version, for people: `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;

    /// The types of events that it takes; none means all. Others are passed over before they reach
    /// the plugin.
    const EVENT_TYPES: &'static [&'static str] = &[];

    /// The collections that it reads and writes, each a name as the projection's.
    const COLLECTIONS: &'static [&'static str];

    /// Takes the configuration, before the first event: the JSON text that was given with
    /// `cim projection run --config`, byte for byte, or no bytes without one. By default the plugin
    /// takes none and refuses any.
    ///
    /// Another configuration would make other documents, so the host keeps its hash with them: with
    /// other bytes, be it a space, the projection has to start over.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when the plugin cannot work with it.
    fn configure(&mut self, config: &[u8]) -> Result<(), Failure> {
        guest::no_configuration(config)
    }

    /// Asks for the documents that [`apply`](Self::apply) reads for this event. By default, for
    /// none.
    ///
    /// It depends on the event alone, and is called again before `apply`.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when the event is not what it should be.
    fn keys(&self, event: Event<'_>, keys: &mut Keys) -> Result<(), Failure> {
        let _ = (event, keys);
        Ok(())
    }

    /// Changes documents as this event says.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when the event or a document is not what it should be.
    fn apply(&self, event: Event<'_>, documents: &mut Documents) -> Result<(), Failure>;
}

/// Makes a [`Projection`] the one that this plugin exports; once in a plugin.
///
/// Natively it only checks the names. Neither of these compiles:
///
/// ```compile_fail,E0080
/// # use cim_plugin::{Documents, Event, Failure, Projection};
/// #[derive(Default)]
/// struct Loans;
///
/// impl Projection for Loans {
///     const NAME: &str = "Loans"; // does not begin with a-z
///     const VERSION: &str = "1";
///     const COLLECTIONS: &[&str] = &["loans"];
/// #   fn apply(&self, _: Event<'_>, _: &mut Documents) -> Result<(), Failure> {
/// #       Ok(())
/// #   }
/// }
///
/// cim_plugin::export!(Loans);
/// ```
///
/// ```compile_fail,E0080
/// # use cim_plugin::{Documents, Event, Failure, Projection};
/// #[derive(Default)]
/// struct Loans;
///
/// impl Projection for Loans {
///     const NAME: &str = "loans";
///     const VERSION: &str = "1";
///     const COLLECTIONS: &[&str] = &["sqlite_loans"]; // begins as SQLite's own tables do
/// #   fn apply(&self, _: Event<'_>, _: &mut Documents) -> Result<(), Failure> {
/// #       Ok(())
/// #   }
/// }
///
/// cim_plugin::export!(Loans);
/// ```
#[macro_export]
macro_rules! export {
    ($projection:ty) => {
        const _: () = $crate::guest::check_names::<$projection>();

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;

            impl $crate::guest::Instance for Exported {
                type Projection = $projection;

                fn with<R>(call: impl FnOnce(&::std::cell::OnceCell<Self::Projection>) -> R) -> R {
                    ::std::thread_local! {
                        static PLACE: ::std::cell::OnceCell<$projection> =
                            const { ::std::cell::OnceCell::new() };
                    }
                    PLACE.with(call)
                }
            }

    $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}
