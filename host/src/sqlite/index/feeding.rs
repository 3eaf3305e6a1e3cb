//! The one connection of an index that writes.

use std::collections::HashMap;

use cim_core::append::Stored;
use cim_core::id::AggregateKey;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{Anchor, Found, generation, last};
use crate::sqlite::histories::find_aggregate;
use crate::sqlite::page::number;

/// The most aggregates whose rows are remembered while the index is fed.
const MAX_AGGREGATES: usize = 100_000;

#[derive(Debug)]
pub(super) struct Feeding {
    pub(super) connection: Connection,
    /// The generation that the aggregates are of.
    pub(super) generation: i64,
    pub(super) aggregates: HashMap<AggregateKey, i64>,
}

impl Feeding {
    pub(super) fn add(&mut self, found: &Found, from: u64, up_to: u64) -> rusqlite::Result<bool> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = super::up_to(&transaction)?;
        let generation = generation(&transaction)?;
        if generation != self.generation {
            self.generation = generation;
            self.aggregates.clear();
            return Ok(false);
        }
        if before < from {
            return Ok(false);
        }
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO events (position, aggregate, version, event_id, correlation_id, \
                 type, time, cid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for Stored { position, event } in &found.events {
                // Another process has added it meanwhile.
                if position.get() <= before {
                    continue;
                }
                let aggregate =
                    aggregate_row(&transaction, &mut self.aggregates, &event.aggregate)?;
                insert.execute(params![
                    number(position.get()),
                    aggregate,
                    number(event.version.get()),
                    event.event.id.as_bytes(),
                    event.event.correlation.as_bytes(),
                    event.event.event_type.as_str(),
                    number(event.event.timestamp.micros()),
                    event.cid.to_bytes(),
                ])?;
            }
        }
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO invalid (position, subject) VALUES (?1, ?2)")?;
            for (position, subject) in &found.invalid {
                if position.get() > before {
                    insert.execute(params![number(position.get()), subject])?;
                }
            }
        }
        if up_to > before {
            transaction
                .prepare_cached("UPDATE indexed SET up_to = ?1")?
                .execute([number(up_to)])?;
            if let Some((position, stored_at)) = found.last
                && position.get() > before
            {
                transaction
                    .prepare_cached("UPDATE indexed SET last_stored_at = ?1")?
                    .execute([number(stored_at)])?;
            }
        }
        transaction.commit()?;
        Ok(true)
    }

    pub(super) fn empty(&mut self, wrong: &Anchor) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if last(&transaction)?.as_ref() == Some(wrong) {
            transaction.execute_batch(
                "DELETE FROM events; DELETE FROM invalid; DELETE FROM aggregates; \
                 UPDATE indexed SET up_to = 0, generation = generation + 1;",
            )?;
        }
        transaction.commit()
    }
}

/// The row of an aggregate, which is made if it is new.
fn aggregate_row(
    connection: &Connection,
    known: &mut HashMap<AggregateKey, i64>,
    key: &AggregateKey,
) -> rusqlite::Result<i64> {
    if let Some(row) = known.get(key) {
        return Ok(*row);
    }
    let row = match find_aggregate(connection, key)? {
        Some(row) => row,
        None => {
            connection
                .prepare_cached(
                    "INSERT INTO aggregates (namespace, entity, key) VALUES (?1, ?2, ?3)",
                )?
                .execute([key.namespace.as_str(), key.entity.as_str(), key.id.as_str()])?;
            connection.last_insert_rowid()
        }
    };
    if known.len() >= MAX_AGGREGATES {
        known.clear();
    }
    known.insert(key.clone(), row);
    Ok(row)
}
