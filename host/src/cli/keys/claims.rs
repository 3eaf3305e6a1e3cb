//! Claims as they are written on the command line.

use cim_core::jwt::{Body, Claims};
use cim_core::nkey::Seed;
use serde_json::{Map, Value};

use super::args::text_or_file;
use crate::cli::failure::{Exit, Failure};

const CLAIMS_FORM: &str = "write what stands under `nats` in a token, for example `--claims \
                           '{\"limits\":{\"conn\":100}}'`";

/// Claims as they are written on the command line.
pub(crate) fn claims<B: Body + Default>(text: Option<&str>) -> Result<B, Failure> {
    let Some(text) = text else {
        return Ok(B::default());
    };
    let fields = fields(text)?;
    // The key is not known yet, and says nothing of the claims.
    let someone = Seed::new(B::KIND.subject(), [0; 32]).public_key();
    let drafted: Claims<B> = Claims::draft(someone, "", fields)
        .map_err(|error| Failure::of(Exit::Usage, error.code(), &error).help(CLAIMS_FORM))?;
    Ok(drafted.body)
}

/// The fields of claims, as text or in a file.
pub(crate) fn fields(text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(&text_or_file(text)?).map_err(|error| {
        Failure::usage(format!("the claims are no JSON object: {error}")).help(CLAIMS_FORM)
    })
}
