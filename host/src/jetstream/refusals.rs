//! What the server refuses without an answer to the call: subjects that the user may not use.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_nats::Event;
use tokio::sync::Notify;

/// The most refusals that are remembered: calls look at them every moment.
const MAX_REFUSALS: usize = 64;

/// What the server told of refused subjects. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    texts: Mutex<Texts>,
    news: Notify,
}

/// The last refusals, by number.
#[derive(Debug, Default)]
struct Texts {
    last: VecDeque<(u64, String)>,
    next: u64,
}

/// A place in what was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl Refusals {
    /// Takes an event of the connection.
    pub(super) fn handle(&self, event: &Event) {
        let Event::ServerError(error) = event else {
            return;
        };
        let told = error.to_string();
        if !told.to_ascii_lowercase().contains("permissions violation") {
            return;
        }
        let mut texts = self.texts();
        if texts.last.len() == MAX_REFUSALS {
            texts.last.pop_front();
        }
        let number = texts.next;
        texts.next += 1;
        texts.last.push_back((number, told));
        drop(texts);
        self.0.news.notify_waiters();
    }

    /// Where what is told from now on begins: what was refused before may be allowed by now.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.texts().next)
    }

    /// The last refusal of a subject since a mark. It stays for others who wait.
    pub(super) fn since(&self, mark: Mark, subject: &str) -> Option<String> {
        self.find(mark, &format!("\"{subject}\""))
    }

    /// The same for all subjects that begin so.
    pub(super) fn since_prefixed(&self, mark: Mark, prefix: &str) -> Option<String> {
        self.find(mark, &format!("\"{prefix}"))
    }

    /// The refusal of one of the subjects, which may come a moment later than the answer that
    /// rests on it.
    pub(super) async fn soon_since(
        &self,
        mark: Mark,
        subjects: &HashSet<String>,
        within: Duration,
    ) -> Option<String> {
        let taken = async {
            loop {
                let news = self.0.news.notified();
                if let Some(told) = subjects
                    .iter()
                    .find_map(|subject| self.since(mark, subject))
                {
                    return told;
                }
                news.await;
            }
        };
        tokio::time::timeout(within, taken).await.ok()
    }

    fn find(&self, mark: Mark, part: &str) -> Option<String> {
        let texts = self.texts();
        let found = texts.last.iter().rev();
        let mut found = found.take_while(|(number, _)| *number >= mark.0);
        let (_, told) = found.find(|(_, told)| told.contains(part))?;
        Some(told.clone())
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.0
            .texts
            .lock()
            .expect("no code panics while it holds the lock")
    }
}
