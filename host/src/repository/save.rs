//! Storing events that were made otherwise than by a command.

use cim_core::append::{Append, Appended, Receipt};
use cim_core::event::NewEvent;
use cim_core::id::{AggregateId, AggregateKey};
use cim_core::payload;
use cim_core::version::ExpectedVersion;

use super::{Persistent, Repository, RepositoryError, SaveError};
use crate::store::retry::append_surely;

impl<A: Persistent> Repository<A> {
    /// Stores events that the domain can read, all or none.
    ///
    /// They may be of an earlier schema, if an upcaster leads from there. Nothing is decided and nothing
    /// is tried again but what is not known to be stored.
    ///
    /// # Errors
    ///
    /// [`SaveError::Repository`] when one could not be read again or has another operation than its type
    /// declares; [`SaveError::Append`] when the store does not take them.
    #[doc(alias = "save_with_snapshot")]
    pub async fn save(
        &self,
        id: &AggregateId,
        expected: ExpectedVersion,
        events: Vec<NewEvent>,
    ) -> Result<Receipt, SaveError> {
        let key = self.key(id);
        for event in &events {
            self.read_back(&key, event)?;
        }
        let _turn = self.queue.turn(id).await;
        self.append(Append::new(key, expected, events))
            .await
            .map(|appended| *appended.receipt())
            .map_err(SaveError::Append)
    }

    pub(super) async fn append(
        &self,
        append: Append,
    ) -> Result<Appended, cim_core::append::AppendError> {
        let answers = append_surely(&*self.store, vec![append]).await?;
        Ok(*answers.first().expect("one answer for one append"))
    }

    /// What will be read of a new event, once it is stored.
    pub(super) fn read_back(
        &self,
        key: &AggregateKey,
        event: &NewEvent,
    ) -> Result<Vec<A::Event>, RepositoryError> {
        if let Some(declared) = payload::declared::<A::Event>(event.event_type.as_str())
            && event.operation.as_str() != declared.operation
        {
            return Err(RepositoryError::WrongOperation {
                event: event.id,
                expected: declared.operation,
                found: event.operation.clone(),
            });
        }
        payload::read(event, &self.upcasters).map_err(|source| RepositoryError::Unreadable {
            aggregate: key.clone(),
            event: event.id,
            version: None,
            source,
        })
    }
}
