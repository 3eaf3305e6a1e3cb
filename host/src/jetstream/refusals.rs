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
    texts: Mutex<VecDeque<String>>,
    news: Notify,
}

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
        if texts.len() == MAX_REFUSALS {
            texts.pop_front();
        }
        texts.push_back(told);
        drop(texts);
        self.0.news.notify_waiters();
    }

    /// Takes out the refusals of a subject, and gives the last one. Who sends does it before too:
    /// what was refused then may be allowed by now.
    pub(super) fn take(&self, subject: &str) -> Option<String> {
        self.take_with(&format!("\"{subject}\""))
    }

    /// The same for all subjects that begin so.
    pub(super) fn take_prefixed(&self, prefix: &str) -> Option<String> {
        self.take_with(&format!("\"{prefix}"))
    }

    /// Takes out the refusal of one of the subjects, which may come a moment later than the answer
    /// that rests on it.
    pub(super) async fn take_soon(
        &self,
        subjects: &HashSet<String>,
        within: Duration,
    ) -> Option<String> {
        let taken = async {
            loop {
                let news = self.0.news.notified();
                if let Some(told) = subjects.iter().find_map(|subject| self.take(subject)) {
                    return told;
                }
                news.await;
            }
        };
        tokio::time::timeout(within, taken).await.ok()
    }

    fn take_with(&self, part: &str) -> Option<String> {
        let mut last = None;
        self.texts().retain_mut(|told| {
            let is_of_it = told.contains(part);
            if is_of_it {
                last = Some(std::mem::take(told));
            }
            !is_of_it
        });
        last
    }

    fn texts(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0
            .texts
            .lock()
            .expect("no code panics while it holds the lock")
    }
}
