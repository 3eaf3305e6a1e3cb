//! Stores on NATS, by URL.

use std::path::PathBuf;
use std::sync::Arc;

use super::failure::{Exit, Failure};
use super::output::say;
use super::place::NewStore;
use crate::config::Config;
use crate::jetstream::{JetStreamClient, JetStreamStore, NatsOptions, Process, event_stream};
use crate::store::{EventStore, StoreError};
use crate::{cache, clock};

/// Whether a URL names a NATS server.
pub(super) fn is_url(url: &str) -> bool {
    url.starts_with("nats://") || url.starts_with("tls://")
}

/// Opens the store in a stream; makes an absent one if it is told how.
pub(super) async fn open(
    url: &str,
    config: &Config,
    new: Option<NewStore>,
) -> Result<Arc<dyn EventStore>, Failure> {
    let mut options = NatsOptions::resolve(Some(url), config, &Process)?;
    let name = stream_name(&options, config);
    let port = Arc::new(JetStreamClient::connect(&options).await?);
    let folder = index_folder()?;
    // The URL that names the stream, whatever the one that was given left out.
    options.stream = Some(name.clone());
    let url = options.url();
    let open = || JetStreamStore::open(Arc::clone(&port) as Arc<_>, &name, &url, &folder);
    let store = match (open().await, new) {
        (Err(StoreError::NotFound { .. }), Some(new)) => {
            let config = event_stream(
                &name,
                &new.template,
                &new.namespaces,
                config.event_store.replicas,
                clock::store_id(),
                clock::now(),
            )
            .map_err(|error| Failure::usage(error.to_string()))?;
            let port = Arc::clone(&port) as Arc<_>;
            match JetStreamStore::create(port, &config, &url, &folder).await {
                // Another process was faster, or another stream takes the subjects.
                Err(StoreError::Foreign { why, .. }) => {
                    open().await.map_err(|error| match error {
                        StoreError::NotFound { .. } => StoreError::Foreign {
                            url: url.clone(),
                            why,
                        },
                        error => error,
                    })?
                }
                made => made?,
            }
        }
        (opened, _) => opened?,
    };
    if store.has_gone_back() {
        say(&format!(
            "Warning: `{url}` has lost events that were read from it before, and has others in \
             their place. What was remembered of it is made again."
        ));
    }
    Ok(Arc::new(store))
}

/// The stream that a URL names, else the one of `cim.toml`.
pub(super) fn stream_name(options: &NatsOptions, config: &Config) -> String {
    let name = options.stream.clone();
    name.unwrap_or_else(|| config.event_store.stream_name.clone())
}

/// The folder of the indexes.
pub(super) fn index_folder() -> Result<PathBuf, Failure> {
    cache::folder("index").ok_or_else(|| {
        let message = "there is no folder for the index of the stream";
        Failure::new(Exit::Failed, "no-cache-folder", message).help("set HOME or XDG_CACHE_HOME")
    })
}
