//! Changing the server so that it is as planned.

use super::{Action, PlanError, Planned, PlannedStream};
use crate::jetstream::{JetStreamPort, StreamConfig};

/// Whether a change may lose messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// It may not.
    Refuse,
    /// It may: somebody has looked at it and means it.
    Allow,
}

/// Makes the server as planned.
///
/// Nothing is changed if one stream cannot be as planned or would lose messages without leave;
/// where the server itself refuses or fails, what was changed before stays. Applied again, it does
/// nothing.
///
/// # Errors
///
/// [`PlanError`].
pub async fn apply(
    port: &dyn JetStreamPort,
    planned: &Planned,
    loss: Loss,
) -> Result<(), PlanError> {
    if let Some(obstacle) = planned.obstacle(loss) {
        return Err(obstacle);
    }
    // A subject that one stream gives up may go to another, which the server takes in this order
    // alone.
    for action in [Action::Change, Action::Create] {
        let streams = planned.streams.iter();
        for stream in streams.filter(|stream| stream.action() == action) {
            carry_out(port, stream).await?;
        }
    }
    Ok(())
}

async fn carry_out(port: &dyn JetStreamPort, stream: &PlannedStream) -> Result<(), PlanError> {
    let name = &stream.config.name;
    let failed = |source| PlanError::JetStream {
        stream: Some(name.clone()),
        source,
    };
    let present = port.stream_info(name).await.map_err(failed)?;
    let present = present.map(|info| without_the_server_s(info.config));
    if present != stream.found.clone().map(without_the_server_s) {
        return Err(PlanError::ChangedMeanwhile {
            stream: name.clone(),
        });
    }
    let done = match stream.action() {
        Action::Keep => return Ok(()),
        Action::Create => port.create_stream(&stream.config).await,
        Action::Change => port.update_stream(&stream.config).await,
    };
    done.map(|_| ()).map_err(failed)
}

/// The configuration without what the server writes on it: listings leave a part of it out.
fn without_the_server_s(mut config: StreamConfig) -> StreamConfig {
    config.metadata.retain(|key, _| !key.starts_with("_nats."));
    config
}
