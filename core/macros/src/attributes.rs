//! What `#[event(…)]` and `#[command(…)]` say of an enum and of its variants.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, LitInt, LitStr, Result};

/// What the attribute of a variant says.
#[derive(Default)]
pub(crate) struct OfVariant {
    pub(crate) version: Option<LitInt>,
    pub(crate) operation: Option<LitStr>,
}

/// The entity, if the attribute of the enum names it.
pub(crate) fn entity(attributes: &[Attribute], attribute: &str) -> Result<Option<LitStr>> {
    let mut entity = None;
    each(attributes, attribute, |meta| {
        if meta.path.is_ident("entity") {
            return set(&mut entity, &meta);
        }
        Err(meta.error(format!(
            "expected `entity = \"…\"`, as in `#[{attribute}(entity = \"lamp\")]`"
        )))
    })?;
    Ok(entity)
}

/// What the attributes of a variant say.
pub(crate) fn of_variant(attributes: &[Attribute], attribute: &str) -> Result<OfVariant> {
    let mut said = OfVariant::default();
    each(attributes, attribute, |meta| {
        if meta.path.is_ident("version") {
            return set(&mut said.version, &meta);
        }
        if meta.path.is_ident("operation") {
            return set(&mut said.operation, &meta);
        }
        Err(meta.error("expected `version = 2` or `operation = \"…\"`"))
    })?;
    Ok(said)
}

fn each(
    attributes: &[Attribute],
    attribute: &str,
    mut take: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for found in attributes {
        if found.path().is_ident(attribute) {
            found.parse_nested_meta(&mut take)?;
        }
    }
    Ok(())
}

fn set<T: syn::parse::Parse>(slot: &mut Option<T>, meta: &ParseNestedMeta<'_>) -> Result<()> {
    let value = meta.value()?.parse()?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new_spanned(&meta.path, "this is said twice")),
    }
}
