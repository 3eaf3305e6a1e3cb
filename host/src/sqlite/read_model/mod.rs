//! Read models in a SQLite file: the store's own, or another.
//!
//! The tables are documented in `schema.sql` and may be queried by anyone. A projector writes
//! through a [`Session`]; everything else here only reads, also while a projector of another
//! process works.

mod begin;
mod file;
mod reading;
mod session;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use cim_core::projection::Name;
use cim_core::time::Timestamp;
use cim_core::version::Position;
use rusqlite::Connection;

use super::connection::{Connections, is_busy};
use crate::projector::{Document, ParkedRow, ProjectionStatus, ReadModelError, Select};

pub(crate) use self::begin::Begin;
pub(crate) use self::session::{NotCommitted, Session};

/// The read models of one SQLite file.
#[derive(Clone, Debug)]
pub struct ReadModel {
    connections: Arc<Connections>,
}

impl ReadModel {
    /// Opens the file at `path`, which is a store's or one of read models alone.
    ///
    /// # Errors
    ///
    /// [`ReadModelError::NotFound`] when there is no file, [`ReadModelError::Foreign`] when it is
    /// none of ours, [`ReadModelError::Io`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ReadModelError> {
        file::check(path)?;
        Ok(Self::at(path))
    }

    /// The same, for a projector: makes the file, or in a store's file the tables, if they are
    /// absent.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), but for an absent file.
    pub fn open_or_create(path: &Path) -> Result<Self, ReadModelError> {
        file::create(path)?;
        Ok(Self::at(path))
    }

    fn at(path: &Path) -> Self {
        Self {
            connections: Arc::new(Connections::new(path)),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.connections.path()
    }

    /// All projections, in the order of their names.
    ///
    /// # Errors
    ///
    /// [`ReadModelError::Io`] and [`ReadModelError::Foreign`].
    pub fn projections(&self) -> Result<Vec<ProjectionStatus>, ReadModelError> {
        if !self.read("looking for its tables", file::has_tables)? {
            return Ok(Vec::new());
        }
        let rows = self.read("listing projections", reading::projections)?;
        rows.into_iter()
            .map(|row| row.map_err(|why| self.foreign(why)))
            .collect()
    }

    /// The projection with a name.
    ///
    /// # Errors
    ///
    /// [`ReadModelError::NoProjection`] besides those of [`projections`](Self::projections).
    pub fn projection(&self, name: &Name) -> Result<ProjectionStatus, ReadModelError> {
        let mut all = self.projections()?.into_iter();
        all.find(|status| status.name == *name)
            .ok_or_else(|| ReadModelError::NoProjection { name: name.clone() })
    }

    /// Documents of a collection, in the order of their keys, in bounded memory. They are read in
    /// pages; what a projector changes meanwhile may show in later ones.
    ///
    /// # Errors
    ///
    /// [`ReadModelError::NoProjection`] and [`ReadModelError::NoCollection`]; the iterator gives
    /// [`ReadModelError::Io`].
    pub fn documents(
        &self,
        projection: &Name,
        collection: &Name,
        select: Select,
    ) -> Result<impl Iterator<Item = Result<Document, ReadModelError>> + Send + use<>, ReadModelError>
    {
        let known = self.projection(projection)?.collections;
        if !known.contains(collection) {
            return Err(ReadModelError::NoCollection {
                projection: projection.clone(),
                collection: collection.clone(),
                known,
            });
        }
        let table = table_name(projection, collection);
        let mut pages = reading::DocumentPages::new(&table, select);
        let read_model = self.clone();
        Ok(pages_of(move || {
            read_model.read("reading documents", |connection| pages.next(connection))
        }))
    }

    /// The events that a projection has set aside, in store order, in bounded memory.
    ///
    /// # Errors
    ///
    /// [`ReadModelError::NoProjection`]; the iterator gives [`ReadModelError::Io`] and
    /// [`ReadModelError::Foreign`].
    pub fn parked(
        &self,
        projection: &Name,
    ) -> Result<
        impl Iterator<Item = Result<ParkedRow, ReadModelError>> + Send + use<>,
        ReadModelError,
    > {
        let projection = self.projection(projection)?.name;
        let mut after = Some(0);
        let read_model = self.clone();
        Ok(pages_of(move || {
            let page = read_model.read("reading parked events", |connection| {
                reading::parked(connection, &projection, &mut after)
            })?;
            page.into_iter()
                .map(|row| row.map_err(|why| read_model.foreign(why)))
                .collect()
        }))
    }

    fn read<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadModelError> {
        self.connections
            .with(work)
            .map_err(|error| io(doing, error))
    }

    fn foreign(&self, why: String) -> ReadModelError {
        ReadModelError::Foreign {
            path: self.path().to_owned(),
            why,
        }
    }
}

/// The table of a collection. Since both names may have `__` in them, another pair of names may ask
/// for the same table; `make_collection` refuses it.
fn table_name(projection: &Name, collection: &Name) -> String {
    format!("{projection}__{collection}")
}

/// The items of pages, until one is empty or an error.
fn pages_of<T>(
    mut next: impl FnMut() -> Result<Vec<T>, ReadModelError>,
) -> impl Iterator<Item = Result<T, ReadModelError>> {
    let mut page = Vec::new().into_iter();
    let mut ended = false;
    std::iter::from_fn(move || {
        if let Some(item) = page.next() {
            return Some(Ok(item));
        }
        if ended {
            return None;
        }
        match next() {
            Ok(items) => {
                ended = items.is_empty();
                page = items.into_iter();
                page.next().map(Ok)
            }
            Err(error) => {
                ended = true;
                Some(Err(error))
            }
        }
    })
}

fn io(doing: &str, source: rusqlite::Error) -> ReadModelError {
    let doing = doing.to_owned();
    if is_busy(&source) {
        let source = Box::new(source);
        return ReadModelError::Busy { doing, source };
    }
    let source = Box::new(source);
    ReadModelError::Io { doing, source }
}

fn number(position: Option<Position>) -> i64 {
    let number = position.map_or(0, Position::get);
    i64::try_from(number).expect("positions are at most 2^53 - 1")
}

fn position(number: i64) -> Option<Position> {
    u64::try_from(number)
        .ok()
        .and_then(|number| Position::new(number).ok())
}

fn micros(time: Timestamp) -> i64 {
    i64::try_from(time.micros()).expect("times fit")
}
