//! A store in which another writer is always faster.

use cim_core::append::{Append, AppendError, Appended};
use cim_core::id::AggregateKey;
use cim_core::subject::SubjectFilter;
use cim_core::version::{Head, Position};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::{Ask, Tally};
use crate::repository::Repository;
use crate::store::{
    AggregateEntry, AggregateSelect, Delivery, EventStore, Query, ReadEvent, StoreError, StoreInfo,
    StoreStats,
};

/// Counts the word `rival` before each append, by the repository of another writer.
#[derive(Debug)]
pub(super) struct Rival(pub(super) Repository<Tally>);

impl EventStore for Rival {
    fn info(&self) -> &StoreInfo {
        self.0.store().info()
    }

    fn append_many(
        &self,
        appends: Vec<Append>,
    ) -> BoxFuture<'_, Result<Vec<Appended>, AppendError>> {
        Box::pin(async move {
            for append in &appends {
                let asked = self
                    .0
                    .execute(&append.aggregate.id, Ask::Count(vec!["rival"]));
                asked.await.expect("the rival is faster");
            }
            self.0.store().append_many(appends).await
        })
    }

    fn head<'a>(
        &'a self,
        aggregate: &'a AggregateKey,
    ) -> BoxFuture<'a, Result<Option<Head>, StoreError>> {
        self.0.store().head(aggregate)
    }

    fn last_position(&self) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        self.0.store().last_position()
    }

    fn read(&self, query: Query) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
        self.0.store().read(query)
    }

    fn subscribe(
        &self,
        after: Option<Position>,
        filter: Option<SubjectFilter>,
    ) -> BoxStream<'static, Result<Delivery, StoreError>> {
        self.0.store().subscribe(after, filter)
    }

    fn aggregates(
        &self,
        select: AggregateSelect,
    ) -> BoxStream<'static, Result<AggregateEntry, StoreError>> {
        self.0.store().aggregates(select)
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        self.0.store().stats()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.0.store().close()
    }
}
