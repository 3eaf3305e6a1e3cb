//! Turns: who works on one aggregate at the same time does so behind each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cim_core::id::AggregateId;
use tokio::sync::OwnedMutexGuard;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A queue for each aggregate that somebody waits for or works on; there is none for any other.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Arc<Mutex<HashMap<AggregateId, Lock>>>);

/// The right to work on an aggregate, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    // Dropped before the place, which so sees whether anybody else holds the lock.
    _guard: OwnedMutexGuard<()>,
    _place: Place,
}

/// A place in a queue, taken also by those who wait.
#[derive(Debug)]
struct Place {
    queue: Queue,
    id: AggregateId,
    /// Only `None` while it is dropped.
    lock: Option<Lock>,
}

impl Queue {
    /// Waits for a turn, in the order of those who ask.
    pub(super) async fn turn(&self, id: &AggregateId) -> Turn {
        let lock = Arc::clone(self.lock().entry(id.clone()).or_default());
        let place = Place {
            queue: self.clone(),
            id: id.clone(),
            lock: Some(Arc::clone(&lock)),
        };
        Turn {
            _guard: lock.lock_owned().await,
            _place: place,
        }
    }

    /// The queues. Nothing panics while they are held.
    fn lock(&self) -> MutexGuard<'_, HashMap<AggregateId, Lock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.queue.lock();
        // Given back while the map is held: of two who leave at the same time, the second one sees that the
        // first has left.
        self.lock = None;
        if queues
            .get(&self.id)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            queues.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn id(text: &str) -> AggregateId {
        AggregateId::new(text).expect("a token")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_at_a_time_works_on_an_aggregate_and_no_queue_stays() {
        let (queue, at_work) = (Queue::default(), Arc::new(AtomicU32::new(0)));
        let tasks = (0..100).map(|_| {
            let (queue, at_work) = (queue.clone(), Arc::clone(&at_work));
            tokio::spawn(async move {
                let _turn = queue.turn(&id("a")).await;
                assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                at_work.fetch_sub(1, Ordering::SeqCst);
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("alone");
        }
        assert!(queue.lock().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let (queue, a) = (Queue::default(), id("a"));
        let turn = queue.turn(&a).await;
        let other = queue.turn(&id("b")).await;
        drop(other);
        {
            let waiting = queue.turn(&a);
            tokio::select! {
                biased;
                _ = waiting => panic!("two turns at once"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(queue.lock().len(), 1);
        drop(turn);
        assert!(queue.lock().is_empty());
    }
}
