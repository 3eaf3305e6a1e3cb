//! Events of schema version 1, read as those of today.
//!
//! The steps write the form of the version that they lead to and use no type of today's events, so that
//! a later version needs a step of its own and none of these changes.

mod fields;
mod name;

use serde_json::{Value, json};

pub use self::fields::OldBodyError;

use self::fields::{
    Object, address, given, id, is, label, line_or_none_given, list, object, object_given, objects,
    required,
};
use self::name::{name, name_given, whole_name};
use super::{MAX_PART_LEN, MAX_REASON_LEN};
use crate::domain::label::MAX_LABEL_LEN;
use crate::id::EventType;
use crate::upcast::{Payload, StepError, Upcasters};
use crate::version::SchemaVersion;

/// What a step makes of a body: types, their versions and bodies.
type Made = Vec<MadeOne>;

/// One of them.
type MadeOne = (&'static str, u64, Value);

/// Types of version 1 that say nothing of what a person's state holds today, or nothing that an event of
/// today can say. They become none; what is stored stays.
const NONE: [&str; 30] = [
    // A. The position is that of an employment, whose role is its title.
    "AccessGranted",
    "EmploymentStatusChanged",
    "PositionAdded",
    "SkillsUpdated",
    // B. Its addresses are texts, and a location has an id. `PersonsMerged` is the event of the other
    // person, whose record goes on; `PersonMergedInto` is that of this one.
    "AddressAdded",
    "AddressRemoved",
    "BehavioralDataUpdated",
    "CertificationAdded",
    "CommunicationPreferencesSet",
    "CustomAttributeSet",
    "CustomerSegmentSet",
    "EducationAdded",
    "EmploymentEnded",
    "EmploymentUpdated",
    "PersonsMerged",
    "PrivacyPreferencesSet",
    "RelationshipAdded",
    "RelationshipEnded",
    "RelationshipUpdated",
    "SkillAdded",
    "SkillRemoved",
    "SkillUpdated",
    "SocialProfileAdded",
    "SocialProfileRemoved",
    "SocialProfileUpdated",
    "TagAdded",
    "TagRemoved",
    // C. The first two say only that something is known of a kind, and not what.
    "ComponentRegistered",
    "ComponentUnregistered",
    "ComponentDataUpdated",
];

/// How events of version 1 are read.
///
/// Version 1 had three forms, one after the other, and histories may have all of them:
///
/// - A: a person is registered at once (`PersonRegistered`), and its name is one text.
/// - B: names have parts, and each address and phone has events of its own.
/// - C: names as in B; what is known of a person beside them is a "component".
///
/// What is stored stays as it is, with all that is not read from it. These fields are not read:
///
/// | of | fields | why |
/// |---|---|---|
/// | all types | `person_id`, `source_person_id`, `…_at` | the headers have them |
/// | `PersonRegistered`, `ContactUpdated` | `email_type`, `phone_type`, `sms_capable` | nobody asks |
/// | `ContactUpdated` | `addresses` of `old_contact` | no event of today takes a location away |
/// | `PhoneAdded` | `sms_capable` | nobody asks |
/// | names | `cultural_context`; `title` beside `honorific` | no part of a name; the same in two words |
/// | `EmploymentAdded` | `employee_id`, `organization_name`, `department`, `manager_id`, `start_date`, `employment_type` | the organization knows |
/// | `EmploymentAdded` | `status`, `end_date` | only whether it has ended counts: then it is no event |
/// | `EmploymentAdded` | `position` beside `title` | the role is the title |
///
/// These types become no event, since they say nothing that a person's state holds: `AccessGranted`,
/// `PositionAdded`, `SkillsUpdated`; `AddressAdded`, `AddressRemoved`, `PersonsMerged`, those of skills,
/// certifications, education, relationships, social profiles, segments, behaviour, preferences, tags and
/// custom attributes; `ComponentRegistered`, `ComponentUnregistered`, `ComponentDataUpdated`. So do
/// `EmploymentStatusChanged`, `EmploymentUpdated` and `EmploymentEnded`: no event of today changes or ends
/// an employment, so that one which ended that way is listed still.
///
/// Version 1 had no limits. Texts for people are cleaned and cut to those of today; `(none given)` stands
/// for a source, a role, a name or a reason that is blank. Addresses of e-mail and numbers are cleaned and
/// never cut, and one that is blank is no event. What is no address or no date is an error still, as are
/// types that version 1 did not have. A field that is in none of its forms is passed over: its objects are
/// nested, and other programs added to them.
pub fn upcasters() -> Upcasters {
    let one = |name: &'static str, step: fn(&Object) -> Result<Made, OldBodyError>| {
        (name, move |old: Payload| upcast(&old, step))
    };
    let steps = [
        one("PersonRegistered", registered),
        one("ContactUpdated", contact_updated),
        one("PersonCreated", created),
        one("PersonUpdated", updated),
        one("NameUpdated", name_updated),
        one("BirthDateSet", |old| {
            let body = json!({ "birth_date": required(old, "birth_date")? });
            Ok(vec![("BirthDateSet", 2, body)])
        }),
        one("DeathRecorded", |old| {
            let body = json!({ "date_of_death": required(old, "date_of_death")? });
            Ok(vec![("DeathRecorded", 2, body)])
        }),
        one("PersonDeactivated", |old| {
            Ok(vec![("PersonSuspended", 1, reason(old)?)])
        }),
        one("PersonReactivated", |old| {
            Ok(vec![("PersonActivated", 1, reason(old)?)])
        }),
        one("PersonMergedInto", merged),
        one("EmailAdded", email_added),
        one("EmailVerified", |old| {
            let body = |email| ("EmailVerified", 2, json!({ "email": email }));
            Ok(address(old, "email")?.map(body).into_iter().collect())
        }),
        one("EmailRemoved", |old| {
            Ok(email_removed(old, "email")?.into_iter().collect())
        }),
        one("PhoneAdded", |old| {
            let (phone, primary) = (object(old, "phone")?, is(old, "primary")?);
            Ok(phone_added(phone, primary)?.into_iter().collect())
        }),
        one("PhoneRemoved", |old| {
            Ok(phone_removed(old, "phone")?.into_iter().collect())
        }),
        one("ExternalIdentifierAdded", identifier_added),
        one("EmploymentAdded", employment_added),
    ];
    let none = NONE.into_iter().fold(Upcasters::default(), |all, name| {
        all.with(name, 1, |_| Ok(Vec::new()))
    });
    steps
        .into_iter()
        .fold(none, |all, (name, step)| all.with(name, 1, step))
}

/// Takes a step from a body to others.
fn upcast(
    old: &Payload,
    step: fn(&Object) -> Result<Made, OldBodyError>,
) -> Result<Vec<Payload>, StepError> {
    let body: Value = serde_json::from_slice(&old.body)?;
    let Value::Object(body) = body else {
        return Err(OldBodyError::NotAnObject.into());
    };
    let made = step(&body)?.into_iter().map(|(name, version, body)| {
        Ok(Payload {
            event_type: EventType::new(name)?,
            schema_version: SchemaVersion::new(version)?,
            body: body.to_string().into(),
        })
    });
    made.collect()
}

/// A: all that is known of a person in one event.
fn registered(old: &Object) -> Result<Made, OldBodyError> {
    let identity = object(old, "identity")?;
    let legal_name = required(identity, "legal_name")?.as_str();
    let name = whole_name(
        legal_name.ok_or(OldBodyError::Invalid {
            field: "legal_name",
        })?,
        given(identity, "preferred_name", MAX_PART_LEN),
    );
    let created = json!({ "name": name, "source": "registration" });
    let mut made = vec![("PersonCreated", 2, created)];
    if let Some(birth_date) = given(identity, "date_of_birth", usize::MAX) {
        made.push(("BirthDateSet", 2, json!({ "birth_date": birth_date })));
    }
    if let Some(identifier) = given(identity, "government_id", MAX_LABEL_LEN) {
        let body = json!({ "system": "government", "identifier": identifier });
        made.push(("ExternalIdentifierAdded", 2, body));
    }
    if let Some(contact) = object_given(old, "contact")? {
        made.extend(contact_added(contact)?);
    }
    Ok(made)
}

/// A: all addresses and numbers in place of those before.
fn contact_updated(old: &Object) -> Result<Made, OldBodyError> {
    let mut made = Vec::new();
    if let Some(before) = object_given(old, "old_contact")? {
        for email in objects(before, "emails")? {
            made.extend(email_removed(email, "email")?);
        }
        for phone in objects(before, "phones")? {
            made.extend(phone_removed(phone, "number")?);
        }
    }
    made.extend(contact_added(object(old, "new_contact")?)?);
    Ok(made)
}

/// A: the addresses and numbers of a person.
fn contact_added(contact: &Object) -> Result<Made, OldBodyError> {
    let mut made = Vec::new();
    for email in objects(contact, "emails")? {
        let (primary, verified) = (is(email, "is_primary")?, is(email, "is_verified")?);
        made.extend(mail(address(email, "email")?, primary, verified));
    }
    for phone in objects(contact, "phones")? {
        made.extend(phone_added(phone, is(phone, "is_primary")?)?);
    }
    for address in list(contact, "addresses")? {
        let body = json!({ "location_id": id(address), "location_type": "address" });
        made.push(("LocationAssigned", 1, body));
    }
    Ok(made)
}

fn created(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({ "name": name(old, "name")?, "source": label(old, "source")? });
    Ok(vec![("PersonCreated", 2, body)])
}

/// C: it told of the name alone, and not of the one before.
fn updated(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({ "old_name": null, "new_name": name(old, "name")?, "change_reason": null });
    Ok(vec![("NameUpdated", 2, body)])
}

fn name_updated(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({
        "old_name": name_given(old, "old_name")?,
        "new_name": name(old, "new_name")?,
        "change_reason": given(old, "reason", MAX_REASON_LEN),
    });
    Ok(vec![("NameUpdated", 2, body)])
}

fn merged(old: &Object) -> Result<Made, OldBodyError> {
    let body = json!({
        "target_person_id": id(required(old, "merged_into_id")?),
        "merge_reason": required(old, "merge_reason")?,
    });
    Ok(vec![("PersonMerged", 1, body)])
}

/// B: that an address was verified was said of the address itself.
fn email_added(old: &Object) -> Result<Made, OldBodyError> {
    let (email, primary) = (object(old, "email")?, is(old, "primary")?);
    let verified = is(email, "verified")?;
    Ok(mail(address(email, "address")?, primary, verified))
}

/// An address that is added, and perhaps verified at once.
fn mail(address: Option<Value>, primary: bool, verified: bool) -> Made {
    let Some(email) = address else {
        return Vec::new();
    };
    let added = json!({ "email": email, "primary": primary });
    let mut made = vec![("EmailAdded", 2, added)];
    if verified {
        made.push(("EmailVerified", 2, json!({ "email": email })));
    }
    made
}

fn email_removed(old: &Object, field: &'static str) -> Result<Option<MadeOne>, OldBodyError> {
    let email = address(old, field)?;
    Ok(email.map(|email| ("EmailRemoved", 2, json!({ "email": email }))))
}

/// Beside the number, version 1 said whether messages arrive there, which nobody asks.
fn phone_added(phone: &Object, primary: bool) -> Result<Option<MadeOne>, OldBodyError> {
    let added = address(phone, "number")?.map(|number| {
        let phone = json!({
            "number": number,
            "country_code": given(phone, "country_code", usize::MAX),
            "extension": given(phone, "extension", usize::MAX),
        });
        json!({ "phone": phone, "primary": primary })
    });
    Ok(added.map(|body| ("PhoneAdded", 2, body)))
}

fn phone_removed(old: &Object, field: &'static str) -> Result<Option<MadeOne>, OldBodyError> {
    let number = address(old, field)?;
    Ok(number.map(|number| ("PhoneRemoved", 2, json!({ "phone": number }))))
}

/// A person whom another system calls nothing is not known to it.
fn identifier_added(old: &Object) -> Result<Made, OldBodyError> {
    let system = label(old, "system")?;
    required(old, "identifier")?;
    let identifier = given(old, "identifier", MAX_LABEL_LEN);
    let body = |identifier| json!({ "system": system, "identifier": identifier });
    let made = identifier.map(|it| ("ExternalIdentifierAdded", 2, body(it)));
    Ok(made.into_iter().collect())
}

/// The role is the title in A, the position in B. One that has ended is none that a person has.
fn employment_added(old: &Object) -> Result<Made, OldBodyError> {
    let employment = object(old, "employment")?;
    let status = employment.get("status").and_then(Value::as_str);
    let has_ended = status.is_some_and(|status| {
        let status = status.trim();
        ENDED.iter().any(|it| it.eq_ignore_ascii_case(status))
    });
    // No step knows the day, so that an end which is planned is one too.
    if has_ended || given(employment, "end_date", usize::MAX).is_some() {
        return Ok(Vec::new());
    }
    let role = match given(employment, "title", MAX_LABEL_LEN) {
        Some(title) => title,
        None => label(employment, "position")?,
    };
    let organization_id = id(required(employment, "organization_id")?);
    let body = json!({ "organization_id": organization_id, "role": role });
    Ok(vec![("EmploymentAdded", 2, body)])
}

/// What the status of an employment was that had ended: version 1 had `terminated`, and took any text.
const ENDED: [&str; 6] = [
    "terminated",
    "ended",
    "resigned",
    "retired",
    "former",
    "inactive",
];

/// The reason of an event; version 1 let it be empty.
fn reason(old: &Object) -> Result<Value, OldBodyError> {
    Ok(json!({ "reason": line_or_none_given(old, "reason", MAX_REASON_LEN)? }))
}
