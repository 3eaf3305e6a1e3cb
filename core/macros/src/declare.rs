//! What a derive writes, and what it refuses.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Error, Fields, LitInt, LitStr, Result, Variant};

use crate::attributes::{self, OfVariant};
use crate::naming::{
    MAX_TOKEN_LEN, has_token_characters, is_pascal_case, operation_of_command, operation_of_event,
};
use crate::serde_form;

/// The largest integer of the wire format, 2^53 − 1.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// What is declared.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Event,
    Command,
}

impl Kind {
    fn attribute(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Command => "command",
        }
    }

    /// A name as it should be.
    fn example(self) -> &'static str {
        match self {
            Self::Event => "KeyGenerated",
            Self::Command => "GenerateKey",
        }
    }

    fn default_operation(self, name: &str, entity: &str) -> String {
        match self {
            Self::Event => operation_of_event(name, entity),
            Self::Command => operation_of_command(name, entity),
        }
    }
}

/// A variant that is declared.
struct Declared<'a> {
    variant: &'a Variant,
    name: String,
    operation: String,
    version: u64,
}

/// The implementations for an enum; or everything that is wrong with it.
pub(crate) fn implement(input: &DeriveInput, kind: Kind) -> Result<TokenStream> {
    let attribute = kind.attribute();
    let found = match &input.data {
        Data::Enum(data) => Ok(&data.variants),
        Data::Struct(_) => Err("a struct"),
        Data::Union(_) => Err("a union"),
    };
    let variants = found.map_err(|found| {
        Error::new_spanned(
            &input.ident,
            format!("expected an enum with a variant for each type of {attribute}, found {found}"),
        )
    })?;
    let mut errors = Vec::new();
    if !input.generics.params.is_empty() {
        errors.push(Error::new_spanned(
            &input.generics,
            "expected no parameters, since what is stored has one form: name the types of the \
             fields, and let them own what they hold",
        ));
    }
    if variants.is_empty() {
        errors.push(Error::new_spanned(
            &input.ident,
            format!("expected at least one variant: each is a type of {attribute}"),
        ));
    }
    serde_form::check(&input.attrs, serde_form::ON_ENUM, &mut errors);
    let entity = entity(input, attribute);
    if let Err(error) = &entity {
        errors.push(error.clone());
    }
    let entity_name = entity.as_ref().map(LitStr::value).unwrap_or_default();
    let declared: Vec<Declared<'_>> = variants
        .iter()
        .map(|variant| declare(variant, kind, &entity_name, &mut errors))
        .collect();
    check_operations(&declared, attribute, &mut errors);
    match errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        Some(all) => Err(all),
        None => Ok(write(input, kind, &entity?, &declared)),
    }
}

fn entity(input: &DeriveInput, attribute: &str) -> Result<LitStr> {
    let Some(entity) = attributes::entity(&input.attrs, attribute)? else {
        return Err(Error::new_spanned(
            &input.ident,
            format!(
                "expected the entity that the {attribute}s are of: add \
                 `#[{attribute}(entity = \"…\")]` to the enum"
            ),
        ));
    };
    check_token(&entity, "an entity")?;
    Ok(entity)
}

/// What a variant declares. Where it is wrong, an error says so, and what is declared does not matter.
fn declare<'a>(
    variant: &'a Variant,
    kind: Kind,
    entity: &str,
    errors: &mut Vec<Error>,
) -> Declared<'a> {
    let attribute = kind.attribute();
    let name = variant.ident.unraw().to_string();
    check_name(variant, &name, kind, errors);
    check_fields(variant, &name, attribute, errors);
    serde_form::check(&variant.attrs, serde_form::ON_VARIANT, errors);
    let said = attributes::of_variant(&variant.attrs, attribute).unwrap_or_else(|error| {
        errors.push(error);
        OfVariant::default()
    });
    let version = said.version.map_or(Ok(1), |literal| version(&literal));
    let operation = match &said.operation {
        Some(literal) => check_token(literal, "an operation").map(|()| literal.value()),
        None => default_operation(variant, &name, kind, entity),
    };
    Declared {
        variant,
        version: version.unwrap_or_else(|error| {
            errors.push(error);
            1
        }),
        operation: operation.unwrap_or_else(|error| {
            errors.push(error);
            // Operations of two variants are compared; names of variants differ.
            name.clone()
        }),
        name,
    }
}

fn check_name(variant: &Variant, name: &str, kind: Kind, errors: &mut Vec<Error>) {
    let attribute = kind.attribute();
    if !is_pascal_case(name) {
        errors.push(Error::new_spanned(
            &variant.ident,
            format!(
                "`{name}` is not a type of {attribute}: expected A-Z, and then only A-Z, a-z and \
                 0-9, as in `{}`",
                kind.example()
            ),
        ));
    }
    if name.len() > MAX_TOKEN_LEN {
        errors.push(Error::new_spanned(
            &variant.ident,
            format!(
                "a type of {attribute} has at most {MAX_TOKEN_LEN} characters, found {}: give it a \
                 shorter name",
                name.len()
            ),
        ));
    }
}

fn check_fields(variant: &Variant, name: &str, attribute: &str, errors: &mut Vec<Error>) {
    attributes::none_on_fields(&variant.fields, attribute, errors);
    let found = match &variant.fields {
        Fields::Named(_) => return,
        Fields::Unit => format!("`{name}` has none: write `{name} {{}}`"),
        Fields::Unnamed(_) => format!("those of `{name}` have no names: give them names"),
    };
    errors.push(Error::new_spanned(
        &variant.ident,
        format!("the body of a payload is an object of named fields, and {found}"),
    ));
}

fn version(literal: &LitInt) -> Result<u64> {
    match literal.base10_parse() {
        Ok(version @ 1..=MAX_INTEGER) => Ok(version),
        Ok(_) | Err(_) => Err(Error::new_spanned(
            literal,
            format!("a version of a schema is a number from 1 to {MAX_INTEGER}, found `{literal}`"),
        )),
    }
}

fn default_operation(variant: &Variant, name: &str, kind: Kind, entity: &str) -> Result<String> {
    let operation = kind.default_operation(name, entity);
    // Of a name that is too long, that is said already.
    if operation.len() <= MAX_TOKEN_LEN || name.len() > MAX_TOKEN_LEN {
        return Ok(operation);
    }
    Err(Error::new_spanned(
        &variant.ident,
        format!(
            "the operation that follows from `{name}` has {} characters, and may have \
             {MAX_TOKEN_LEN}: declare a shorter one, `#[{}(operation = \"…\")]`",
            operation.len(),
            kind.attribute()
        ),
    ))
}

fn check_operations(declared: &[Declared<'_>], attribute: &str, errors: &mut Vec<Error>) {
    for (index, this) in declared.iter().enumerate() {
        let before = &declared[..index];
        if let Some(same) = before.iter().find(|it| it.operation == this.operation) {
            errors.push(Error::new_spanned(
                &this.variant.ident,
                format!(
                    "`{}` and `{}` have one operation, `{}`: declare another one for either, \
                     `#[{attribute}(operation = \"…\")]`",
                    same.name, this.name, this.operation
                ),
            ));
        }
    }
}

fn check_token(literal: &LitStr, what: &str) -> Result<()> {
    let text = literal.value();
    let fault = if text.is_empty() {
        format!("{what} is not empty: give it a name")
    } else if !has_token_characters(&text) {
        format!("`{text}` is not {what}: expected only A-Z, a-z, 0-9, `_` and `-`")
    } else if text.len() > MAX_TOKEN_LEN {
        format!(
            "{what} has at most {MAX_TOKEN_LEN} characters, found {}: give it a shorter name",
            text.len()
        )
    } else {
        return Ok(());
    };
    Err(Error::new_spanned(literal, fault))
}

fn write(
    input: &DeriveInput,
    kind: Kind,
    entity: &LitStr,
    declared: &[Declared<'_>],
) -> TokenStream {
    let name = &input.ident;
    let marker = match kind {
        Kind::Event => quote!(DomainEvent),
        Kind::Command => quote!(DomainCommand),
    };
    let types = declared.iter().map(|it| {
        let (name, operation, version) = (&it.name, &it.operation, it.version);
        quote! {
            ::cim_core::payload::DeclaredType {
                name: #name,
                operation: #operation,
                schema_version: #version,
            }
        }
    });
    let arms = declared.iter().enumerate().map(|(index, it)| {
        let variant = &it.variant.ident;
        quote!(Self::#variant { .. } => &<Self as ::cim_core::payload::Typed>::TYPES[#index])
    });
    quote! {
        #[automatically_derived]
        impl ::cim_core::payload::Typed for #name {
            const ENTITY: &'static str = #entity;
            const TYPES: &'static [::cim_core::payload::DeclaredType] = &[#(#types),*];

            fn declared(&self) -> &'static ::cim_core::payload::DeclaredType {
                match self {
                    #(#arms),*
                }
            }
        }

        #[automatically_derived]
        impl ::cim_core::payload::#marker for #name {}
    }
}
