//! What is given on the command line with an event or a command: a payload and metadata.

use std::io::Read;

use bytes::Bytes;
use cim_core::id::AggregateKey;
use cim_core::message::MAX_EVENT_SIZE;
use cim_core::metadata::Metadata;
use cim_core::text::Text;
use cim_core::version::Version;

use super::failure::Failure;
use super::output::say;
use crate::config::Config;

/// The bytes of `--data`: the text itself, those of `@FILE`, or with `-` those of standard input.
pub(crate) fn data(text: &str) -> Result<Bytes, Failure> {
    if text == "-" {
        return bounded(std::io::stdin().lock())?.ok_or_else(too_long);
    }
    let Some(path) = text.strip_prefix('@') else {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    };
    let read = std::fs::File::open(path).and_then(bounded);
    let read = read.map_err(|error| {
        Failure::file("read", path.as_ref(), &error)
            .help("`--data @FILE` reads the payload from a file")
    })?;
    read.ok_or_else(too_long)
}

/// All that is there; `None` where no event could hold it.
fn bounded(source: impl Read) -> std::io::Result<Option<Bytes>> {
    let mut bytes = Vec::new();
    let most = MAX_EVENT_SIZE as u64 + 1;
    source.take(most).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= MAX_EVENT_SIZE).then(|| bytes.into()))
}

fn too_long() -> Failure {
    Failure::usage(format!(
        "the payload is too long: expected at most {MAX_EVENT_SIZE} bytes"
    ))
    .help("store large content elsewhere and append its address or hash")
}

/// The metadata of `--meta NAME=VALUE`, given any number of times.
pub(crate) fn metadata(pairs: &[String]) -> Result<Metadata, Failure> {
    let mut metadata = Metadata::default();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::usage(format!("`{pair}` is not metadata")).help("write `--meta NAME=VALUE`")
        })?;
        let refuse = |error: &dyn std::error::Error| {
            Failure::usage(format!("the metadata `{name}` is not valid: {error}"))
                .help("write `--meta NAME=VALUE`; names are A-Z, a-z, 0-9 and `-`, each once")
        };
        let value = Text::new(value).map_err(|error| refuse(&error))?;
        metadata
            .insert(name, value)
            .map_err(|error| refuse(&error))?;
    }
    Ok(metadata)
}

/// Says when a history is longer than the configuration wants.
pub(crate) fn warn_of_length(key: &AggregateKey, version: Version, config: &Config) {
    let most = config.event_store.max_events_per_aggregate;
    if version.get() > most {
        say(&format!(
            "warning: `{key}` has more events than `max_events_per_aggregate` ({most})"
        ));
    }
}
