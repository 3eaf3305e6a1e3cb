//! A projection behind the functions of the border: columns in, columns out. The host's calls and
//! the test kit go the same way.

use crate::Projection;
use crate::bindings::cim::plugin::types::{
    Batch, Changes, Descriptor, Documents as Read, Failure as Refused, KeySet,
};
use crate::columns::check_batch;
use crate::documents::Documents;
use crate::event::Event;
use crate::failure::Failure;
use crate::keys::Keys;

/// What a projection says of itself.
pub fn describe<P: Projection>() -> Descriptor {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Descriptor {
        name: P::NAME.to_owned(),
        version: P::VERSION.to_owned(),
        event_types: owned(P::EVENT_TYPES),
        collections: owned(P::COLLECTIONS),
    }
}

/// Makes a projection.
///
/// # Errors
///
/// What the projection says.
pub fn init<P: Projection>(config: &[u8]) -> Result<P, Refused> {
    let mut projection = P::default();
    match projection.configure(config) {
        Ok(()) => Ok(projection),
        Err(failure) => Err(failure.at(None)),
    }
}

/// The documents that a batch asks for, each once, in the order in which they are first asked for.
///
/// # Errors
///
/// What the projection says of one of the events, or that the columns do not fit together.
pub fn keys<P: Projection>(projection: &P, events: &Batch) -> Result<KeySet, Refused> {
    collect_keys(projection, events).map(Keys::into_columns)
}

/// The changes that a batch makes, one for each document, in the order of their first changes.
///
/// # Errors
///
/// As [`keys`].
pub fn apply<P: Projection>(
    projection: &P,
    events: &Batch,
    read: Read,
) -> Result<Changes, Refused> {
    // The host may have dropped the instance that it asked before, so it is asked again.
    let keys = collect_keys(projection, events)?;
    let mut documents = Documents::new(keys, read).map_err(|failure| failure.at(None))?;
    for index in 0..events.type_of.len() {
        documents.begin_event(index);
        projection
            .apply(Event::new(events, index), &mut documents)
            .map_err(|failure| failure.at(Some(index)))?;
    }
    documents
        .into_columns()
        .map_err(|(failure, index)| failure.at(index))
}

fn collect_keys<P: Projection>(projection: &P, events: &Batch) -> Result<Keys, Refused> {
    let count = check_batch(events).map_err(|failure| failure.at(None))?;
    let mut keys = Keys::new(P::COLLECTIONS);
    for index in 0..count {
        projection
            .keys(Event::new(events, index), &mut keys)
            .map_err(|failure| failure.at(Some(index)))?;
        keys.end_event();
    }
    Ok(keys)
}

/// Checks the names of a projection while it compiles.
///
/// # Panics
///
/// When a name is not `[a-z][a-z0-9_]{0,47}` or begins with `sqlite`, or no collection is declared.
pub const fn check_names<P: Projection>() {
    assert!(
        is_name(P::NAME),
        "NAME must begin with a-z and have at most 48 of a-z, 0-9 and _"
    );
    assert!(
        !is_reserved(P::NAME),
        "NAME must not begin with sqlite, as tables of SQLite's own do"
    );
    assert!(
        !P::COLLECTIONS.is_empty(),
        "COLLECTIONS must name one or more"
    );
    let mut index = 0;
    while index < P::COLLECTIONS.len() {
        assert!(
            is_name(P::COLLECTIONS[index]),
            "each of COLLECTIONS must begin with a-z and have at most 48 of a-z, 0-9 and _"
        );
        assert!(
            !is_reserved(P::COLLECTIONS[index]),
            "none of COLLECTIONS may begin with sqlite, as tables of SQLite's own do"
        );
        index += 1;
    }
}

const fn is_reserved(text: &str) -> bool {
    matches!(text.as_bytes(), [b's', b'q', b'l', b'i', b't', b'e', ..])
}

const fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'a'..=b'z' => {}
            b'0'..=b'9' | b'_' if index > 0 => {}
            _ => return false,
        }
        index += 1;
    }
    !bytes.is_empty() && bytes.len() <= MAX_NAME_LEN
}

/// The longest name of a projection or a collection, as in `cim-core`.
const MAX_NAME_LEN: usize = 48;

/// Where the one instance of a plugin is kept between the host's calls.
pub trait Instance {
    /// The projection.
    type Projection: Projection;

    /// Runs `call` with the place of the instance.
    fn with<R>(call: impl FnOnce(&std::cell::OnceCell<Self::Projection>) -> R) -> R;
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::{Instance, Refused};
    use crate::bindings::cim::plugin::types::{Batch, Changes, Descriptor, Documents, KeySet};
    use crate::bindings::exports::cim::plugin::{lifecycle, projection};
    use crate::failure::Failure;

    impl<I: Instance> lifecycle::Guest for I {
        fn describe() -> Descriptor {
            super::describe::<I::Projection>()
        }

        fn init(config: Vec<u8>) -> Result<(), Refused> {
            let made = super::init::<I::Projection>(&config)?;
            I::with(|place| place.set(made))
                .map_err(|_| Failure::new("initialised-twice", "`init` was called before").at(None))
        }
    }

    impl<I: Instance> projection::Guest for I {
        fn keys(events: Batch) -> Result<KeySet, Refused> {
            I::with(|place| super::keys(place.get().ok_or_else(not_initialised)?, &events))
        }

        fn apply(events: Batch, read: Documents) -> Result<Changes, Refused> {
            I::with(|place| super::apply(place.get().ok_or_else(not_initialised)?, &events, read))
        }
    }

    fn not_initialised() -> Refused {
        Failure::new("not-initialised", "`init` was not called before").at(None)
    }
}

/// The answer of a projection that takes no configuration.
///
/// # Errors
///
/// `config-invalid` for any bytes.
pub(crate) fn no_configuration(config: &[u8]) -> Result<(), Failure> {
    if config.is_empty() {
        return Ok(());
    }
    let message = format!(
        "this plugin takes no configuration: expected no bytes, found {}",
        config.len()
    );
    Err(Failure::new("config-invalid", message))
}
