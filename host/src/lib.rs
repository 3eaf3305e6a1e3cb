//! # CIM host: event stores, and the `cim` command
//!
//! A service needs two of its modules: [`open_or_create`](open::open_or_create) opens a store by its URL,
//! and a [`Repository`](repository::Repository) loads aggregates from it and executes commands on them. Tests
//! have [`MemoryStore`](memory::MemoryStore).
//!
//! In reading order: [`store`] (the port, its queries and its contract) · [`memory`] and
//! [`sqlite`] (adapters), `jetstream` (the adapter for clusters) · [`mod@open`] (stores by their URL) ·
//! [`repository`] (aggregates, loaded and asked) and [`snapshot`] (states that spare the folding) ·
//! [`config`] (`cim.toml`) · [`import`] (foreign rows become events) · [`projector`] and `plugin` (events
//! become documents) · [`clock`] (the only caller of the time and of the system's randomness) · [`files`]
//! and [`secret`] (what others may not use and see) ·
//! `identity` (operators, accounts and users of NATS, and their seeds) · `schema` (whether stored events
//! fit what programs know) · [`doctor`] (what is not well) · [`cli`].
//!
//! ## Features
//!
//! All are on by default. Without any, there are the stores in SQLite and in memory.
//!
//! - `jetstream`: the store on NATS.
//! - `plugin`: projections by WebAssembly plugins; most of what a build costs.
//! - `identity`: operators, accounts, users and creds of NATS, and the keystores of their seeds.
//! - `schema`: JSON schemas of the built-in domains, and the check of stored events against them.

#[cfg(any(feature = "jetstream", feature = "plugin"))]
mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
#[cfg_attr(
    not(feature = "identity"),
    allow(dead_code, reason = "most of it is for keystores")
)]
pub mod files;
#[cfg(feature = "identity")]
pub mod identity;
pub mod import;
#[cfg(feature = "jetstream")]
pub mod jetstream;
pub mod memory;
pub mod open;
#[cfg(feature = "plugin")]
pub mod plugin;
pub mod projector;
pub mod repository;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod snapshot;
pub mod sqlite;
pub mod store;

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
