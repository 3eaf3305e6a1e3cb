//! How settings of the `nats` command refer to files, variables and texts.
//!
//! `file://PATH`, `env://NAME`, `data:;base64,TEXT` and bare paths, as `natscontext` of jsm.go reads
//! them; `op://` and `nsc://` start other programs, which we do not.

use std::path::PathBuf;

use data_encoding::BASE64;

use super::error::{OptionsError, Origin};
use super::{Source, Surroundings};
use crate::secret::Secret;

/// The path of a file: bare or as `file://`, with `~` and `$NAME` as the shell has them.
pub(super) fn path(
    text: &str,
    origin: &Origin,
    around: &dyn Surroundings,
) -> Result<PathBuf, OptionsError> {
    match parse(text) {
        Reference::File(path) => Ok(expanded(path, around)),
        Reference::Bare => Ok(expanded(text, around)),
        _ => Err(OptionsError::Value {
            origin: origin.clone(),
            found: Some(text.to_owned()),
            expected: "the path of a file",
        }),
    }
}

/// Credentials: in a file, or here.
pub(super) fn source(
    text: &str,
    origin: &Origin,
    around: &dyn Surroundings,
) -> Result<Source, OptionsError> {
    match parse(text) {
        Reference::File(path) => Ok(Source::File(expanded(path, around))),
        Reference::Bare => Ok(Source::File(expanded(text, around))),
        reference => text_of(reference, text, origin, around).map(Source::Text),
    }
}

/// A secret: the text itself unless it refers to another place.
pub(super) fn secret(
    text: &Secret,
    origin: &Origin,
    around: &dyn Surroundings,
) -> Result<Secret, OptionsError> {
    let text = text.expose();
    text_of(parse(text), text, origin, around)
}

fn text_of(
    reference: Reference<'_>,
    text: &str,
    origin: &Origin,
    around: &dyn Surroundings,
) -> Result<Secret, OptionsError> {
    let value = |expected| OptionsError::Value {
        origin: origin.clone(),
        found: None,
        expected,
    };
    let unsupported = |what| OptionsError::Unsupported {
        origin: origin.clone(),
        what,
    };
    match reference {
        Reference::Bare => Ok(text.into()),
        Reference::File(path) => {
            let path = expanded(path, around);
            match around.read(&path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).into()),
                Err(source) => Err(OptionsError::Read {
                    origin: origin.clone(),
                    path,
                    source,
                }),
            }
        }
        Reference::Variable(name) => {
            let found = around.variable(name).filter(|text| !text.is_empty());
            found
                .map(Secret::from)
                .ok_or_else(|| value("the name of a variable that is set"))
        }
        Reference::Data(data) => {
            let decoded = data
                .split_once(',')
                .filter(|(header, _)| header.split(';').any(|word| word.trim() == "base64"))
                .and_then(|(_, text)| BASE64.decode(text.as_bytes()).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok());
            decoded
                .map(Secret::from)
                .ok_or_else(|| value("`data:;base64,` and base64 of a text"))
        }
        Reference::OnePassword => Err(unsupported("a secret of 1Password (`op://`)")),
        Reference::Nsc => Err(unsupported("a user of `nsc` (`nsc://`)")),
    }
}

enum Reference<'a> {
    Bare,
    File(&'a str),
    Variable(&'a str),
    Data(&'a str),
    OnePassword,
    Nsc,
}

/// What else has a colon is a text: passwords may.
fn parse(text: &str) -> Reference<'_> {
    let after = |scheme: &str| {
        let start = text.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| &text[scheme.len()..])
    };
    if let Some(path) = after("file://") {
        Reference::File(path)
    } else if let Some(name) = after("env://") {
        Reference::Variable(name)
    } else if let Some(data) = after("data:") {
        Reference::Data(data)
    } else if after("op://").is_some() {
        Reference::OnePassword
    } else if after("nsc://").is_some() {
        Reference::Nsc
    } else {
        Reference::Bare
    }
}

/// A path with its variables (`$NAME`, `${NAME}`) and its first `~` replaced. A variable that is
/// not set is nothing, as in the shell.
fn expanded(path: &str, around: &dyn Surroundings) -> PathBuf {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, behind) = match after
            .strip_prefix('{')
            .and_then(|name| name.split_once('}'))
        {
            Some(named) => named,
            None => after.split_at(after.find(|c| !in_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            text.push('$');
        } else {
            text.push_str(&around.variable(name).unwrap_or_default());
        }
        rest = behind;
    }
    text.push_str(rest);
    let below_home = text.strip_prefix('~').and_then(|below| {
        let below = below.strip_prefix('/').or(below.is_empty().then_some(""))?;
        Some(around.home()?.join(below))
    });
    below_home.unwrap_or_else(|| PathBuf::from(text))
}
