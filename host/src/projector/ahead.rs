//! Reading ahead: while a batch is applied, the next events are read, decoded and verified.

use futures_util::FutureExt as _;
use futures_util::stream::{BoxStream, StreamExt as _};
use tokio::sync::mpsc;

use crate::store::{Delivery, StoreError};

/// The most events of a chunk, and the most bytes of bodies beyond its last event.
const CHUNK_EVENTS: usize = 512;
const CHUNK_BYTES: usize = 256 << 10;

/// How many chunks may wait besides the one that is being read.
const CHUNKS: usize = 2;

/// What was delivered together.
pub(super) type Chunk = Vec<Result<Delivery, StoreError>>;

/// Reads `deliveries` on a task of its own until nobody takes the chunks any more.
pub(super) fn read(
    mut deliveries: BoxStream<'static, Result<Delivery, StoreError>>,
) -> mpsc::Receiver<Chunk> {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        while let Some(first) = next(&sender, &mut deliveries).await {
            let mut bytes = size(&first);
            let mut chunk = vec![first];
            while chunk.len() < CHUNK_EVENTS && bytes < CHUNK_BYTES {
                // What is not there yet is for the next chunk.
                let Some(Some(item)) = deliveries.next().now_or_never() else {
                    break;
                };
                bytes += size(&item);
                chunk.push(item);
            }
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
    });
    chunks
}

/// The next delivery; `None` at the end, and when nobody waits for it any more.
async fn next(
    sender: &mpsc::Sender<Chunk>,
    deliveries: &mut BoxStream<'static, Result<Delivery, StoreError>>,
) -> Option<Result<Delivery, StoreError>> {
    tokio::select! {
        item = deliveries.next() => item,
        () = sender.closed() => None,
    }
}

fn size(item: &Result<Delivery, StoreError>) -> usize {
    match item {
        Ok(Delivery::Event(event)) => event.event.event.body.len(),
        Ok(Delivery::Invalid(_) | Delivery::CaughtUp) | Err(_) => 0,
    }
}
