//! What `#[event(…)]` and `#[command(…)]` say of an enum and of its variants.

use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::parse::Parse;
use syn::{Attribute, Error, Fields, LitInt, LitStr, Meta, Result};

/// What the attribute of a variant says.
#[derive(Default)]
pub(crate) struct OfVariant {
    pub(crate) version: Option<LitInt>,
    pub(crate) operation: Option<LitStr>,
}

/// The entity, if the attribute of the enum names it.
pub(crate) fn entity(attributes: &[Attribute], attribute: &str) -> Result<Option<LitStr>> {
    let mut entity = None;
    each(attributes, attribute, ENTITY, |meta| {
        if meta.path.is_ident("entity") {
            return set(&mut entity, &meta, "a text in quotes", ENTITY);
        }
        let name = name(&meta);
        Err(meta.error(match name.as_str() {
            "version" | "operation" => {
                format!("`{name}` is declared for each variant: move it to the variant's attribute")
            }
            _ => format!("`{name}` is unknown here: the attribute of the enum takes `{ENTITY}`"),
        }))
    })?;
    Ok(entity)
}

/// What the attributes of a variant say.
pub(crate) fn of_variant(attributes: &[Attribute], attribute: &str) -> Result<OfVariant> {
    let mut said = OfVariant::default();
    each(attributes, attribute, VERSION, |meta| {
        if meta.path.is_ident("version") {
            return set(&mut said.version, &meta, "a number", VERSION);
        }
        if meta.path.is_ident("operation") {
            return set(&mut said.operation, &meta, "a text in quotes", OPERATION);
        }
        let name = name(&meta);
        Err(meta.error(match name.as_str() {
            "entity" => {
                "`entity` is declared once for all variants: move it to the enum's attribute"
                    .to_owned()
            }
            _ => format!(
                "`{name}` is unknown here: the attribute of a variant takes `{VERSION}` and \
                 `{OPERATION}`"
            ),
        }))
    })?;
    Ok(said)
}

/// One error for each of the attributes that stands on a field, where it would say nothing.
pub(crate) fn none_on_fields(fields: &Fields, attribute: &str, errors: &mut Vec<Error>) {
    for field in fields {
        let found = field
            .attrs
            .iter()
            .filter(|it| it.path().is_ident(attribute));
        errors.extend(found.map(|it| {
            Error::new_spanned(
                it,
                format!("`#[{attribute}(…)]` says nothing of a field: move it to the variant"),
            )
        }));
    }
}

fn each(
    attributes: &[Attribute],
    attribute: &str,
    example: &str,
    mut take: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for found in attributes.iter().filter(|it| it.path().is_ident(attribute)) {
        match &found.meta {
            Meta::List(_) => found.parse_nested_meta(&mut take)?,
            Meta::Path(_) | Meta::NameValue(_) => {
                return Err(Error::new_spanned(
                    &found.meta,
                    format!("expected parentheses, as in `#[{attribute}({example})]`"),
                ));
            }
        }
    }
    Ok(())
}

fn set<T: Parse>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    what: &str,
    example: &str,
) -> Result<()> {
    let value = meta
        .value()
        .and_then(|value| value.parse())
        .map_err(|error| Error::new(error.span(), format!("expected {what}: `{example}`")))?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error(format!("`{}` is declared twice: keep one", name(meta)))),
    }
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    let segments = meta.path.segments.iter();
    let names: Vec<String> = segments.map(|it| it.ident.unraw().to_string()).collect();
    names.join("::")
}

const ENTITY: &str = "entity = \"…\"";
const VERSION: &str = "version = 2";
const OPERATION: &str = "operation = \"…\"";
