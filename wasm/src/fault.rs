//! Faults: what is thrown over the border.

use std::error::Error;
use std::iter::successors;

use serde_json::{Value, json};
use wasm_bindgen::JsValue;

/// A fault of `cim-core`, or an argument that is none of its types.
///
/// It is thrown as `{"code","message","causes":[…],"fields":{…}}`, in JSON.
#[derive(Debug)]
pub struct Fault {
    code: &'static str,
    message: String,
    causes: Vec<String>,
    fields: Value,
}

impl Fault {
    /// An argument that the types of the npm package rule out.
    pub(crate) fn argument(expected: &str) -> Self {
        Self {
            code: "argument-invalid",
            message: format!("the argument has another form: {expected}"),
            causes: Vec::new(),
            fields: json!({}),
        }
    }

    /// The fault that `error` is.
    pub(crate) fn of(code: &'static str, error: &dyn Error) -> Self {
        let causes = successors(error.source(), |&error| error.source());
        Self {
            code,
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
            fields: json!({}),
        }
    }

    /// The fault with the facts of it.
    pub(crate) fn with_fields(self, fields: Value) -> Self {
        Self { fields, ..self }
    }
}

impl From<Fault> for JsValue {
    fn from(fault: Fault) -> Self {
        let Fault {
            code,
            message,
            causes,
            fields,
        } = fault;
        let document =
            json!({ "code": code, "message": message, "causes": causes, "fields": fields });
        Self::from_str(&document.to_string())
    }
}

/// Every error of `cim-core` has a `code`, but no trait says so.
macro_rules! coded {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::of(error.code(), &error)
            }
        }
    )+};
}

coded!(cim_core::time::TimeError);

#[cfg(feature = "events")]
coded!(
    cim_core::chain::block::BlockError,
    cim_core::cid::CidError,
    cim_core::id::NameError,
    cim_core::subject::FilterError,
    cim_core::subject::OperationError,
    cim_core::subject::SubjectError,
    cim_core::subject::TemplateError,
    cim_core::version::NumberError,
);

#[cfg(feature = "models")]
coded!(cim_core::metadata::MetadataError, cim_core::text::TextError);

#[cfg(feature = "identity")]
coded!(
    cim_core::creds::CredsError,
    cim_core::jwt::JwtError,
    cim_core::nkey::NkeyError,
);
