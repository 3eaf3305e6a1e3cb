//! Whether upcasters lead to what a domain declares.

use std::fmt::Write as _;

use crate::aggregate::Aggregate;
use crate::id::EventType;
use crate::payload::{DeclaredType, DomainEvent, Typed};
use crate::upcast::Upcasters;
use crate::version::SchemaVersion;

/// Asserts that the upcasters of an aggregate have a step from each earlier version of each type that its
/// events declare, and none from the declared version or a later one.
///
/// What the steps make of an event is [`assert_golden`](super::assert_golden)'s to say.
///
/// # Panics
///
/// When a step is missing or leads from what is declared, with all of them.
///
/// # Examples
///
/// ```
/// use cim_core::domain::person::Person;
/// use cim_core::testing::assert_upcasters;
///
/// assert_upcasters::<Person>();
/// ```
#[track_caller]
pub fn assert_upcasters<A: Aggregate<Event: DomainEvent>>() {
    if let Err(faults) = check(<A::Event as Typed>::TYPES, &A::upcasters()) {
        panic!("the upcasters do not lead to the declared versions{faults}");
    }
}

fn check(types: &[DeclaredType], upcasters: &Upcasters) -> Result<(), String> {
    let mut faults = String::new();
    for declared in types {
        let name = declared.name;
        let event_type = EventType::new(name).map_err(|error| format!("\n  {error}"))?;
        for from in 1..declared.schema_version {
            let from = SchemaVersion::new(from).map_err(|error| format!("\n  {error}"))?;
            if !upcasters.has_step(&event_type, from) {
                write!(faults, "\n  no step from version {from} of `{name}`").expect(STRING);
            }
        }
        let known = declared.schema_version;
        let steps = upcasters.steps_of(&event_type);
        for from in steps.filter(|from| from.get() >= known) {
            write!(
                faults,
                "\n  a step from version {from} of `{name}`, which is declared as {known}"
            )
            .expect(STRING);
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults),
    }
}

const STRING: &str = "a string takes what is written to it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_and_every_needless_step_is_named() {
        let declared = |name, schema_version| DeclaredType {
            name,
            operation: "x",
            schema_version,
        };
        let types = [declared("LampLit", 3), declared("LampOut", 1)];
        let upcasters = Upcasters::default()
            .with("LampLit", 2, |old| Ok(vec![old]))
            .with("LampSold", 1, |_| Ok(Vec::new()));
        assert_eq!(
            check(&types, &upcasters),
            Err("\n  no step from version 1 of `LampLit`".to_owned())
        );
        let upcasters =
            upcasters
                .with("LampLit", 1, |old| Ok(vec![old]))
                .with("LampOut", 1, |old| Ok(vec![old]));
        assert_eq!(
            check(&types, &upcasters),
            Err("\n  a step from version 1 of `LampOut`, which is declared as 1".to_owned())
        );
        assert_eq!(check(&types[..1], &upcasters), Ok(()));
    }
}
