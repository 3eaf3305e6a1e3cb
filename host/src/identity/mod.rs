//! What people need around the identities of NATS beside keys and tokens themselves, which are
//! [`cim_core::nkey`], [`cim_core::jwt`] and [`cim_core::creds`].

pub mod server_config;
