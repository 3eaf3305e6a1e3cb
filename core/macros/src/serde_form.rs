//! Attributes of serde that would give a payload another form than its type's name and a body.

use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Meta, Token};

/// What changes the form when it stands on the enum.
pub(crate) const ON_ENUM: &[&str] = &[
    "tag",
    "content",
    "untagged",
    "rename_all",
    "from",
    "into",
    "try_from",
    "remote",
    "transparent",
    "variant_identifier",
    "field_identifier",
];

/// What changes the form when it stands on a variant.
pub(crate) const ON_VARIANT: &[&str] = &[
    "rename",
    "alias",
    "skip",
    "skip_serializing",
    "skip_deserializing",
    "serialize_with",
    "deserialize_with",
    "with",
    "other",
    "untagged",
];

/// One error for each attribute of serde whose name is forbidden.
pub(crate) fn check(attributes: &[Attribute], forbidden: &[&str], errors: &mut Vec<Error>) {
    for attribute in attributes {
        if !attribute.path().is_ident("serde") {
            continue;
        }
        // What serde cannot parse, it says itself.
        let Ok(items) = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        else {
            continue;
        };
        for item in items {
            if let Some(name) = forbidden.iter().find(|name| item.path().is_ident(name)) {
                errors.push(Error::new_spanned(
                    &item,
                    format!(
                        "`serde({name})` would give the payload another form: its type is the \
                         variant's name, and its body an object of the fields; name the variant \
                         like the type, and read old forms with an upcaster"
                    ),
                ));
            }
        }
    }
}
