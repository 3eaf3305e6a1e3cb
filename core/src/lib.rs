//! # CIM core: verifiable event sourcing without I/O
//!
//! Events are facts of a domain. This crate gives each its headers, its subject and its place in
//! its aggregate's history, a hash chain of CIDs; it folds histories into state and verifies them.
//! It has no clock, no randomness, no files, no sockets, no threads: time and entropy are
//! arguments. It compiles natively and to wasm32, and its module for `wasm32-unknown-unknown`
//! imports nothing.
//!
//! ## Architecture
//!
//! ```text
//! command ─ decide ─> new events ─ chain ─> recorded events ─ encode ─> message(subject, headers, body)
//!                                                                           │ append (host)
//! state <─ fold <─ verify <─ decode <──────────────── read / subscribe ─────┘
//! ```
//!
//! To model a domain, begin with [`aggregate`], which says what comes next.
//!
//! In reading order: [`text`], [`id`] and [`time`] (texts, names, ids, times) · [`event`] and [`metadata`] (what an
//! event is) · [`headers`], [`subject`] and [`message`] (how it travels) · [`cid`] and [`chain`]
//! (what proves it) · [`version`] (numbers of a history) · [`append`] (what a store may answer) ·
//! [`aggregate`] and [`command`] (decide, evolve, fold) · [`payload`] (typed events) · [`machine`] (what a
//! lifecycle allows, checked and drawn) · [`upcast`] (old schemas read as new ones) · [`snapshot`] (a state
//! that spares the folding) · [`history`] (all of that, event by event) · [`export`] (the file that anyone
//! can verify) · [`projection`] (events become documents) · [`policy`] (retries and circuit breakers) · with
//! the feature `schema`, `schema` (what a body of each type must be) · with the feature `identity`, `nkey`,
//! `jwt` and `creds` (who may do what on NATS) · [`domain`] (aggregates whose rules are ours) · with the
//! feature `testing`, `testing` (given events, when a command, then events).
//!
//! ## Features
//!
//! None is on by default.
//!
//! - `testing`: the kit for tests of domains; for `[dev-dependencies]`.
//! - `schema`: JSON schemas of events, commands and states, by `schemars`.
//! - `identity`: keys, JWTs and creds of NATS.

#![warn(missing_docs)]

// What the derives write names this crate from outside.
extern crate self as cim_core;

pub mod aggregate;
pub mod append;
pub mod chain;
pub mod cid;
pub mod command;
#[cfg(feature = "identity")]
pub mod creds;
pub mod domain;
pub mod event;
pub mod export;
pub mod headers;
pub mod history;
pub mod id;
#[cfg(feature = "identity")]
pub mod jwt;
pub mod machine;
pub mod message;
pub mod metadata;
mod naming;
#[cfg(feature = "identity")]
pub mod nkey;
pub mod payload;
pub mod policy;
pub mod projection;
#[cfg(feature = "schema")]
pub mod schema;
pub mod snapshot;
pub mod subject;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
pub mod upcast;
pub mod version;
