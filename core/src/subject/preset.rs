//! The layouts that are in use, by name.

use super::{Field, SubjectTemplate};
use crate::id::{Entity, Namespace};

impl SubjectTemplate {
    /// `{organization}.{unit}.{domain}.{entity}.{id}.{operation}`: the canonical layout of the
    /// events of aggregates.
    pub fn canonical_events() -> Self {
        Self::preset(
            "{organization}.{unit}.{domain}.{entity}.{id}.{operation}",
            &[],
        )
    }

    /// `{organization}.{unit}.{domain}.{entity}.{operation}`: the canonical layout of commands, and
    /// of events outside a store.
    pub fn canonical_commands() -> Self {
        Self::preset("{organization}.{unit}.{domain}.{entity}.{operation}", &[])
    }

    /// `keys.events.{entity}.{operation}`, as in `keys.events.key.generated`: it can publish, not
    /// store.
    #[doc(alias = "KEYS_EVENTS")]
    pub fn keys_events(namespace: &Namespace) -> Self {
        Self::preset("keys.events.{entity}.{operation}", &constants_of(namespace))
    }

    /// `keys.commands.{entity}.{operation}`, as in `keys.commands.key.generate`.
    #[doc(alias = "KEYS_COMMANDS")]
    pub fn keys_commands(namespace: &Namespace) -> Self {
        Self::preset(
            "keys.commands.{entity}.{operation}",
            &constants_of(namespace),
        )
    }

    /// `infrastructure.compute.{id}.{operation}`, the events of one entity.
    pub fn infrastructure_compute(namespace: &Namespace, entity: &Entity) -> Self {
        let [organization, unit, domain] = constants_of(namespace);
        let constants = [organization, unit, domain, (Field::Entity, entity.as_str())];
        Self::preset("infrastructure.compute.{id}.{operation}", &constants)
    }

    fn preset(text: &str, constants: &[(Field, &str)]) -> Self {
        let constants = constants
            .iter()
            .map(|&(field, value)| (field.name(), value));
        Self::parse(text, constants).expect("a preset is a valid template and tokens are constants")
    }
}

fn constants_of(namespace: &Namespace) -> [(Field, &str); 3] {
    let [organization, unit, domain] = namespace.tokens();
    [
        (Field::Organization, organization),
        (Field::Unit, unit),
        (Field::Domain, domain),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AggregateKey, Operation};
    use crate::subject::StoreTemplate;

    #[track_caller]
    fn builds(template: &SubjectTemplate, operation: &str, expect: &str) {
        let key: AggregateKey = "o.u.d.key.k1".parse().expect("a key");
        let operation = Operation::new(operation).expect("a token");
        let subject = template.event_subject(&key, &operation).expect("fits");
        assert_eq!(subject.as_str(), expect);
    }

    #[test]
    fn presets_build_the_subjects_of_the_seeds() {
        let namespace = Namespace::new("o.u.d").expect("three tokens");
        let events = SubjectTemplate::keys_events(&namespace);
        builds(&events, "generated", "keys.events.key.generated");
        let commands = SubjectTemplate::keys_commands(&namespace);
        builds(&commands, "generate", "keys.commands.key.generate");
        let canonical = SubjectTemplate::canonical_commands();
        builds(&canonical, "generate", "o.u.d.key.generate");
    }

    #[test]
    fn presets_with_an_id_can_store() {
        let namespace = Namespace::new("o.u.d").expect("three tokens");
        let entity = Entity::new("key").expect("a token");
        let compute = SubjectTemplate::infrastructure_compute(&namespace, &entity);
        builds(
            &compute,
            "registered",
            "infrastructure.compute.k1.registered",
        );
        let canonical = SubjectTemplate::canonical_events();
        builds(&canonical, "generated", "o.u.d.key.k1.generated");
        assert!(StoreTemplate::new(compute).is_ok());
        assert!(StoreTemplate::new(canonical).is_ok());
        assert!(StoreTemplate::new(SubjectTemplate::canonical_commands()).is_err());
        assert!(StoreTemplate::new(SubjectTemplate::keys_events(&namespace)).is_err());
    }
}
