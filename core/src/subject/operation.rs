//! The default operation token of an event's or a command's type.
//!
//! The type's name is split into words, the words that say the entity again are dropped, the rest
//! is joined by `-` in lower case. An operation that is declared with its type does not come here.

use std::error::Error;
use std::fmt;

use crate::id::{Entity, EventType, MAX_TOKEN_LEN, Operation};
use crate::naming::{operation_of_command, operation_of_event};

impl Operation {
    /// The operation of an event, if none was declared with its type.
    ///
    /// The entity is dropped at the beginning, once, unless nothing would be left.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when it would be longer than a token may be.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::id::{Entity, EventType, Operation};
    ///
    /// let event_type = EventType::new("YubiKeyProvisioned")?;
    /// let operation = Operation::of_event(&event_type, &Entity::new("yubikey")?)?;
    /// assert_eq!(operation.as_str(), "provisioned");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_event(event_type: &EventType, entity: &Entity) -> Result<Self, OperationError> {
        let text = operation_of_event(event_type.as_str(), entity.as_str());
        take(&text, event_type, entity)
    }

    /// The operation of a command, if none was declared with its type.
    ///
    /// The entity is dropped at the end, once, unless nothing would be left.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when it would be longer than a token may be.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::id::{Entity, EventType, Operation};
    ///
    /// let command_type = EventType::new("CreateOperator")?;
    /// let operation = Operation::of_command(&command_type, &Entity::new("operator")?)?;
    /// assert_eq!(operation.as_str(), "create");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_command(command_type: &EventType, entity: &Entity) -> Result<Self, OperationError> {
        let text = operation_of_command(command_type.as_str(), entity.as_str());
        take(&text, command_type, entity)
    }
}

/// A type whose default operation is longer than a token: it must declare a shorter one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OperationError {
    /// The type of the event or command.
    pub event_type: EventType,
    /// The entity that it belongs to.
    pub entity: Entity,
    /// How long its operation would be, in characters.
    pub length: usize,
}

impl OperationError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "operation-too-long"
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            event_type,
            entity,
            length,
        } = self;
        write!(
            f,
            "the default operation of `{event_type}` of `{entity}` is too long: expected at most \
             128 characters, found {length}; declare a shorter one"
        )
    }
}

impl Error for OperationError {}

fn take(text: &str, event_type: &EventType, entity: &Entity) -> Result<Operation, OperationError> {
    if text.len() > MAX_TOKEN_LEN {
        return Err(OperationError {
            event_type: event_type.clone(),
            entity: entity.clone(),
            length: text.len(),
        });
    }
    Ok(Operation::new(text).expect("letters, digits and `-` make a token"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::is_token;

    #[track_caller]
    fn event(event_type: &str, entity: &str, expect: &str) {
        let operation =
            Operation::of_event(&name(event_type), &Entity::new(entity).expect("valid"));
        assert_eq!(
            operation.expect("short").as_str(),
            expect,
            "{event_type} of {entity}"
        );
    }

    #[track_caller]
    fn command(command_type: &str, entity: &str, expect: &str) {
        let entity = Entity::new(entity).expect("a token");
        let operation = Operation::of_command(&name(command_type), &entity);
        assert_eq!(
            operation.expect("short").as_str(),
            expect,
            "{command_type} of {entity}"
        );
    }

    fn name(text: &str) -> EventType {
        EventType::new(text).expect("an event type")
    }

    #[test]
    fn words_begin_at_upper_case_letters() {
        event("T06Determine", "case", "t06-determine");
        event("XMLHttpRequest", "page", "xml-http-request");
        event("ABc", "x", "a-bc");
        event("AbCD", "x", "ab-cd");
        event("A2b", "x", "a2b");
        event("A2B", "x", "a2-b");
        event("HTTPServer2Go", "x", "http-server2-go");
        event("IPv4Assigned", "host", "i-pv4-assigned");
    }

    #[test]
    fn an_event_drops_its_entity_once_at_the_beginning() {
        event("KeyGenerated", "key", "generated");
        event("YubiKeyProvisioned", "yubikey", "provisioned");
        event("YubiKeyProvisioned", "-Yubi_key", "provisioned");
        event("YubiKeyProvisioned", "key", "yubi-key-provisioned");
        event("KeyKeyGenerated", "key", "key-generated");
        event("KeygenStarted", "key", "keygen-started");
        event("GeneratedKey", "key", "generated-key");
    }

    #[test]
    fn a_command_drops_its_entity_once_at_the_end() {
        command("CreateOperator", "operator", "create");
        command("CreateSigningKey", "signing-key", "create");
        command("CreateKeyKey", "key", "create-key");
        command("OperatorCreate", "operator", "operator-create");
        command("OperatorOperator", "operator", "operator");
    }

    #[test]
    fn something_is_always_left() {
        event("Key", "key", "key");
        event("YubiKey", "yubi-key", "yubi-key");
        command("Operator", "operator", "operator");
        event("KeyGenerated", "-", "key-generated");
    }

    #[test]
    fn refuses_more_than_128_characters() {
        let (long, entity) = (name(&"Ab".repeat(43)), Entity::new("x").expect("a token"));
        assert_eq!(
            Operation::of_event(&long, &entity).map(|o| o.as_str().len()),
            Ok(128)
        );
        let error = Operation::of_event(&name(&"Ab".repeat(44)), &entity).expect_err("too long");
        assert_eq!((error.code(), error.length), ("operation-too-long", 131));
    }

    proptest! {
        #[test]
        fn an_operation_is_the_name_in_lower_case(
            event_type in "[A-Z][A-Za-z0-9]{0,127}", entity in "[A-Za-z0-9_-]{1,4}",
        ) {
            let (event_type, entity) = (name(&event_type), Entity::new(&entity).expect("a token"));
            let whole = event_type.as_str().to_ascii_lowercase();
            if let Ok(operation) = Operation::of_event(&event_type, &entity) {
                prop_assert!(is_token(operation.as_str()));
                prop_assert!(whole.ends_with(&operation.as_str().replace('-', "")));
            }
            if let Ok(operation) = Operation::of_command(&event_type, &entity) {
                prop_assert!(whole.starts_with(&operation.as_str().replace('-', "")));
            }
        }
    }
}
