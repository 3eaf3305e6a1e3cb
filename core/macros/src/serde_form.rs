//! Attributes of serde that would give a payload another form than its type's name and a body.

use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Meta, Token};

/// Attributes that are refused, and what is wrong with them.
pub(crate) type Refused = &'static [(&'static [&'static str], &'static str)];

/// What may not stand on the enum.
pub(crate) const ON_ENUM: Refused = &[
    (
        &[
            "tag",
            "content",
            "untagged",
            "from",
            "into",
            "try_from",
            "remote",
            "transparent",
            "variant_identifier",
            "field_identifier",
        ],
        "would store another form than the name of the type and an object of the fields: remove it",
    ),
    (
        &["rename_all"],
        "would store other names than those of the variants: remove it, and name each variant like \
         its type",
    ),
];

/// What may not stand on a variant.
pub(crate) const ON_VARIANT: Refused = &[
    (
        &["rename"],
        "would store another name than that of the variant: remove it, and name the variant like \
         the type",
    ),
    (
        &["alias"],
        "would read a type that is not declared: remove it, and read the old type with an upcaster",
    ),
    (
        &["skip", "skip_serializing", "skip_deserializing"],
        "would make a type that cannot be both stored and read: remove it",
    ),
    (
        &[
            "serialize_with",
            "deserialize_with",
            "with",
            "other",
            "untagged",
        ],
        "would store another form than an object of the fields: remove it",
    ),
];

/// One error for each attribute of serde that is refused.
pub(crate) fn check(attributes: &[Attribute], refused: Refused, errors: &mut Vec<Error>) {
    for attribute in attributes.iter().filter(|it| it.path().is_ident("serde")) {
        // What serde cannot parse, it says itself.
        let Ok(items) = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        else {
            continue;
        };
        for item in items {
            let found = refused.iter().find_map(|(names, why)| {
                let name = names.iter().find(|name| item.path().is_ident(name))?;
                Some((name, why))
            });
            if let Some((name, why)) = found {
                errors.push(Error::new_spanned(&item, format!("`serde({name})` {why}")));
            }
        }
    }
}
