//! Enums as their authors may write them, seen from another crate. What the derives refuse, and how, is
//! in `core/macros/tests`.

use cim_core::id::{Entity, EventType, Operation};
use cim_core::payload::{self, DomainCommand, DomainEvent, Typed};
use cim_core::version::{MAX_INTEGER, SchemaVersion};
use serde::{Deserialize, Serialize};

/// Everything that a derive lets pass.
#[derive(Clone, Debug, Deserialize, DomainEvent, PartialEq, Serialize)]
#[event(entity = "desk_lamp-2")]
#[serde(
    rename = "Lamp",
    deny_unknown_fields,
    rename_all_fields = "camelCase",
    expecting = "an event of a lamp"
)]
pub(crate) enum LampEvent {
    /// Without a field.
    LampLit {},
    /// With fields of serde's kinds.
    #[serde(rename_all = "kebab-case")]
    LampMoved {
        #[serde(rename = "to")]
        target_room: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seen_by: Vec<String>,
        #[serde(skip)]
        hint: u8,
    },
    #[event(version = 0x02)]
    LampDimmed {
        to_percent: u8,
    },
    #[event(operation = "Put_Out-2")]
    #[event(version = 9_007_199_254_740_991u64)]
    LampOut {},
    #[event(version = 3, operation = "sold")]
    #[deprecated(note = "lamps are not sold any more")]
    Withdrawn {
        price: Option<Price>,
    },
    r#LampRaw {
        r#type: u8,
    },
    #[cfg(any())]
    lamp_that_is_not_compiled,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Price {
    cents: u64,
}

#[derive(Clone, Debug, Deserialize, DomainCommand, PartialEq, Serialize)]
#[command(entity = "desk_lamp-2")]
enum LampCommand {
    LightDeskLamp2 {},
    #[command(version = 2, operation = "dim")]
    Dim {
        percent: u8,
    },
}

#[test]
fn types_are_declared_in_the_order_of_the_variants() {
    assert_eq!(LampEvent::ENTITY, "desk_lamp-2");
    assert_eq!(
        of_all::<LampEvent>(),
        [
            ("LampLit", "lamp-lit", 1),
            ("LampMoved", "lamp-moved", 1),
            ("LampDimmed", "lamp-dimmed", 2),
            ("LampOut", "Put_Out-2", MAX_INTEGER),
            ("Withdrawn", "sold", 3),
            ("LampRaw", "lamp-raw", 1),
        ]
    );
    assert_eq!(LampCommand::ENTITY, "desk_lamp-2");
    assert_eq!(
        of_all::<LampCommand>(),
        [("LightDeskLamp2", "light", 1), ("Dim", "dim", 2)]
    );
}

#[test]
#[expect(
    deprecated,
    reason = "events of a type that is given up are still read"
)]
fn each_variant_is_stored_under_its_type_and_read_again() {
    let sold = LampEvent::Withdrawn {
        price: Some(Price { cents: 990 }),
    };
    let moved = LampEvent::LampMoved {
        target_room: "hall".to_owned(),
        seen_by: Vec::new(),
        hint: 0,
    };
    let cases = [
        (LampEvent::LampLit {}, "LampLit", "{}"),
        (moved, "LampMoved", r#"{"to":"hall"}"#),
        (
            LampEvent::LampDimmed { to_percent: 30 },
            "LampDimmed",
            r#"{"toPercent":30}"#,
        ),
        (LampEvent::LampOut {}, "LampOut", "{}"),
        (sold, "Withdrawn", r#"{"price":{"cents":990}}"#),
        (LampEvent::LampRaw { r#type: 1 }, "LampRaw", r#"{"type":1}"#),
    ];
    assert_eq!(cases.len(), LampEvent::TYPES.len());
    for (index, (event, name, body)) in cases.iter().enumerate() {
        assert_eq!(event.declared(), &LampEvent::TYPES[index]);
        let (event_type, encoded) = payload::encode(event);
        assert_eq!(
            (event_type.as_str(), &encoded[..]),
            (*name, body.as_bytes())
        );
        let decoded: LampEvent = payload::decode(&event_type, &encoded).expect(body);
        assert_eq!(&decoded, event);
    }
}

/// Checks that the names of an enum, made of them, are what names are when a program runs.
macro_rules! check {
    ($derive:ident, $attribute:ident, $of:path, $entity:literal: $($name:ident)+) => {{
        #[derive(Deserialize, $derive, Serialize)]
        #[$attribute(entity = $entity)]
        #[allow(dead_code, reason = "only its declaration is looked at")]
        enum Named {
            $($name {}),+
        }
        let entity = Entity::new(Named::ENTITY).expect("compiled");
        let names = [$(stringify!($name)),+];
        assert_eq!(Named::TYPES.len(), names.len());
        for (declared, name) in Named::TYPES.iter().zip(names) {
            let event_type = EventType::new(declared.name).expect("compiled");
            assert_eq!(event_type.as_str(), name);
            let operation = $of(&event_type, &entity).expect("compiled");
            assert_eq!(declared.operation, operation.as_str(), "{name} of {entity}");
            SchemaVersion::new(declared.schema_version).expect("compiled");
        }
    }};
}

#[test]
fn a_name_is_judged_alike_when_a_program_is_compiled_and_when_it_runs() {
    check!(DomainEvent, event, Operation::of_event, "key":
        KeyGenerated Key KeyKeyRevoked Keyed K6 KeyHTTPSeen T06Determine XMLHttpRequest A KEYLost);
    check!(DomainEvent, event, Operation::of_event, "yubikey":
        YubiKeyProvisioned YubikeyLost YUBIKeySeen ProvisionedYubiKey YubiKey);
    check!(DomainEvent, event, Operation::of_event, "nats-Operator_1":
        NatsOperator1Created NATSOperator1Seen Made NatsOperatorLost);
    check!(DomainCommand, command, Operation::of_command, "operator":
        CreateOperator OperatorCreate Operator RevokeOperatorOperator SignHTTPOperator Rename);
    check!(DomainCommand, command, Operation::of_command, "t-06":
        DetermineT06 T06 SetT06T06 T06Determine);
}

#[test]
fn what_the_derives_refuse_is_refused_at_run_time() {
    let long = "a".repeat(129);
    // The names of `core/macros/tests/ui`.
    for name in [
        "lamp_lit",
        "LampGelöscht",
        &format!("L{}", &long[1..]),
        "lit",
    ] {
        let fits = EventType::new(name).is_ok();
        assert!(!fits, "{name}");
    }
    for token in ["", "desk.lamp", "was lit", &long] {
        assert!(Entity::new(token).is_err(), "{token}");
        assert!(Operation::new(token).is_err(), "{token}");
    }
    let lamp = Entity::new("lamp").expect("a token");
    let long = EventType::new(&"Lit".repeat(34)).expect("102 characters");
    assert!(Operation::of_event(&long, &lamp).is_err());
    assert!(Operation::of_command(&long, &lamp).is_err());
    for version in [0, MAX_INTEGER + 1] {
        assert!(SchemaVersion::new(version).is_err(), "{version}");
    }
}

fn of_all<T: Typed>() -> Vec<(&'static str, &'static str, u64)> {
    let types = T::TYPES.iter();
    types
        .map(|it| (it.name, it.operation, it.schema_version))
        .collect()
}
