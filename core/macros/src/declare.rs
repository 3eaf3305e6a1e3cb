//! What a derive writes, and what it refuses.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Variant};

use crate::naming::{
    MAX_TOKEN_LEN, has_token_characters, is_pascal_case, operation_of_command, operation_of_event,
};
use crate::{attributes, serde_form};

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
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            format!("expected an enum: each of its variants is the type of one {attribute}"),
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "expected an enum without parameters: what is stored has one form",
        ));
    }
    let mut errors = Vec::new();
    if data.variants.is_empty() {
        errors.push(Error::new_spanned(
            &input.ident,
            format!("expected at least one variant: the type of one {attribute}"),
        ));
    }
    serde_form::check(&input.attrs, serde_form::ON_ENUM, &mut errors);
    let entity = entity(input, attribute)?;
    let mut declared: Vec<Declared<'_>> = Vec::new();
    for variant in &data.variants {
        match declare(variant, kind, &entity) {
            Ok(next) => {
                if let Some(same) = declared.iter().find(|it| it.operation == next.operation) {
                    errors.push(Error::new_spanned(
                        &variant.ident,
                        format!(
                            "`{}` and `{}` have one operation, `{}`: declare another one for \
                             either, `#[{attribute}(operation = \"…\")]`",
                            same.name, next.name, next.operation
                        ),
                    ));
                }
                declared.push(next);
            }
            Err(found) => errors.extend(found),
        }
    }
    match errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        Some(all) => Err(all),
        None => Ok(write(input, kind, &entity, &declared)),
    }
}

fn entity(input: &DeriveInput, attribute: &str) -> Result<LitStr> {
    let Some(entity) = attributes::entity(&input.attrs, attribute)? else {
        return Err(Error::new_spanned(
            &input.ident,
            format!("which entity is it of? add `#[{attribute}(entity = \"…\")]`"),
        ));
    };
    check_token(&entity, "an entity")?;
    Ok(entity)
}

fn declare<'a>(
    variant: &'a Variant,
    kind: Kind,
    entity: &LitStr,
) -> std::result::Result<Declared<'a>, Vec<Error>> {
    let name = variant.ident.to_string();
    let mut errors = Vec::new();
    let mut refuse = |why: String| errors.push(Error::new_spanned(&variant.ident, why));
    if !is_pascal_case(&name) {
        refuse(format!(
            "`{name}` is no type: it must begin with A-Z and have only A-Z, a-z and 0-9"
        ));
    }
    if name.len() > MAX_TOKEN_LEN {
        refuse(format!(
            "the name of a type has at most {MAX_TOKEN_LEN} characters, this one {}",
            name.len()
        ));
    }
    match &variant.fields {
        Fields::Named(_) => {}
        Fields::Unit => refuse(format!(
            "the body of a payload is an object: write `{name} {{}}`"
        )),
        Fields::Unnamed(_) => refuse(format!(
            "the body of a payload is an object: give the fields of `{name}` names"
        )),
    }
    serde_form::check(&variant.attrs, serde_form::ON_VARIANT, &mut errors);
    let said = match attributes::of_variant(&variant.attrs, kind.attribute()) {
        Ok(said) => said,
        Err(error) => {
            errors.push(error);
            return Err(errors);
        }
    };
    let version = match &said.version {
        None => 1,
        Some(literal) => match literal.base10_parse() {
            Ok(version @ 1..=MAX_INTEGER) => version,
            Ok(_) | Err(_) => {
                errors.push(Error::new_spanned(
                    literal,
                    format!("versions of schemas are numbers from 1 to {MAX_INTEGER}"),
                ));
                1
            }
        },
    };
    let operation = match &said.operation {
        Some(literal) => {
            if let Err(error) = check_token(literal, "an operation") {
                errors.push(error);
            }
            literal.value()
        }
        None => {
            let operation = kind.default_operation(&name, &entity.value());
            if operation.len() > MAX_TOKEN_LEN {
                errors.push(Error::new_spanned(
                    &variant.ident,
                    format!(
                        "the default operation of `{name}` has {} characters, and may have \
                         {MAX_TOKEN_LEN}: declare a shorter one, `#[{}(operation = \"…\")]`",
                        operation.len(),
                        kind.attribute()
                    ),
                ));
            }
            operation
        }
    };
    match errors.is_empty() {
        true => Ok(Declared {
            variant,
            name,
            operation,
            version,
        }),
        false => Err(errors),
    }
}

fn check_token(literal: &LitStr, what: &str) -> Result<()> {
    let text = literal.value();
    let rule = match text.len() {
        0 => "it is empty",
        _ if !has_token_characters(&text) => "only A-Z, a-z, 0-9, `_` and `-` may be in it",
        1..=MAX_TOKEN_LEN => return Ok(()),
        _ => "it is longer than 128 characters",
    };
    Err(Error::new_spanned(
        literal,
        format!("`{text}` is not {what}: {rule}"),
    ))
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
