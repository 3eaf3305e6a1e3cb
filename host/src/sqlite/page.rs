//! The statement that selects what a [`Query`] asks for, from tables with the columns of
//! `schema.sql`.

use rusqlite::types::Value;

use crate::store::{Direction, Query};

/// A page of what a query selects.
#[derive(Debug)]
pub(super) struct PageOf<'a> {
    /// The columns to select.
    pub(super) columns: &'a str,
    /// What is asked for.
    pub(super) query: &'a Query,
    /// The row of the query's aggregate, where it has one.
    pub(super) aggregate: Option<i64>,
    /// The last position that belongs to the read.
    pub(super) end: Option<i64>,
    /// The version (of one aggregate) or position of the last row of the page before.
    pub(super) last: Option<u64>,
    /// The most rows.
    pub(super) limit: u64,
}

impl PageOf<'_> {
    /// The statement of the next page. A `+` before a column keeps SQLite from choosing that
    /// column's index, which would have to sort the whole answer for each page.
    pub(super) fn statement(&self) -> (String, Vec<Value>) {
        let Self {
            columns,
            query,
            aggregate,
            ..
        } = *self;
        let mut sql = Conditions::default();
        let backwards = query.direction == Direction::Backwards;
        let order = if aggregate.is_some() {
            "version"
        } else {
            "position"
        };
        if let Some(id) = aggregate {
            sql.and("aggregate =", id);
        }
        if let Some(id) = &query.event_id {
            sql.and("event_id =", id.as_bytes().to_vec());
        }
        let mut indexed = aggregate.is_some() || query.event_id.is_some();
        if let Some(id) = &query.correlation {
            let column = if indexed {
                "+correlation_id ="
            } else {
                "correlation_id ="
            };
            sql.and(column, id.as_bytes().to_vec());
            indexed = true;
        }
        if let Some(name) = &query.event_type {
            let column = if indexed { "+type =" } else { "type =" };
            sql.and(column, name.as_str().to_owned());
        }
        if query.namespace.is_some() || query.entity.is_some() {
            let mut of = Conditions::default();
            if let Some(namespace) = &query.namespace {
                of.and("namespace =", namespace.as_str().to_owned());
            }
            if let Some(entity) = &query.entity {
                of.and("entity =", entity.as_str().to_owned());
            }
            sql.within("+aggregate IN (SELECT id FROM aggregates WHERE", of);
        }
        if let Some(version) = query.from_version {
            sql.and("version >=", number(version.get()));
        }
        if let Some(version) = query.to_version {
            sql.and("version <=", number(version.get()));
        }
        if let Some(time) = query.since {
            sql.and("time >=", number(time.micros()));
        }
        if let Some(time) = query.until {
            sql.and("time <=", number(time.micros()));
        }
        if let Some(position) = query.after {
            let column = if aggregate.is_some() {
                "+position >"
            } else {
                "position >"
            };
            sql.and(column, number(position.get()));
        }
        if let Some(end) = self.end {
            sql.and(
                if aggregate.is_some() {
                    "+position <="
                } else {
                    "position <="
                },
                end,
            );
        }
        if let Some(last) = self.last {
            sql.and(
                &format!("{order} {}", if backwards { "<" } else { ">" }),
                number(last),
            );
        }
        let direction = if backwards { "DESC" } else { "ASC" };
        let Conditions { text, mut params } = sql;
        params.push(Value::from(number(self.limit)));
        let text = format!(
            "SELECT {columns} FROM events WHERE{text} ORDER BY {order} {direction} LIMIT ?"
        );
        (text, params)
    }
}

/// Conditions that hold together, with their values.
#[derive(Default)]
struct Conditions {
    text: String,
    params: Vec<Value>,
}

impl Conditions {
    fn and(&mut self, column: &str, value: impl Into<Value>) {
        self.join();
        self.text.push_str(column);
        self.text.push_str(" ?");
        self.params.push(value.into());
    }

    fn within(&mut self, begin: &str, inner: Self) {
        self.join();
        self.text.push_str(begin);
        self.text.push_str(&inner.text);
        self.text.push(')');
        self.params.extend(inner.params);
    }

    fn join(&mut self) {
        self.text
            .push_str(if self.text.is_empty() { " " } else { " AND " });
    }
}

pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
