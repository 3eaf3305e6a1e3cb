//! The file: an operator, its accounts, and their roles and users, as TOML.
//!
//! Unknown keys are errors, and every error says where in the file it is. What is absent is not limited,
//! but for JetStream, which is off. What no name stands for here is set with `claims`, in the fields of
//! tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use cim_core::domain::keys::Refusal;
use cim_core::nkey::without_seeds;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use super::error::SpecError;
use super::values::{
    Amount, Destinations, JetStream, JetStreamTable, Nanos, PermissionsTable, ResponsesTable,
    Subjects,
};

/// A description of an operator, its accounts, and their roles and users.
///
/// # Examples
///
/// ```
/// use cim_host::identity::plan::Spec;
///
/// let text = r#"
/// operator = "acme"
///
/// [account.orders]
/// jetstream = { disk = "10GiB" }
///
/// [account.orders.role.reader]
/// subscribe = ["orders.>"]
///
/// [account.orders.user.ann]
/// role = "reader"
/// "#;
/// Spec::parse(text, "identity.toml")?;
///
/// let error = Spec::parse("operator = \"acme\"\n[acount.orders]", "identity.toml");
/// let error = error.expect_err("no such table").to_string();
/// assert!(error.starts_with("`identity.toml`, line 2, column 2: unknown field `acount`"), "{error}");
/// # Ok::<(), cim_host::identity::plan::SpecError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spec {
    path: PathBuf,
    text: String,
    pub(super) file: File,
}

impl Spec {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SpecError`].
    pub fn load(path: &Path) -> Result<Self, SpecError> {
        let text = std::fs::read_to_string(path).map_err(|source| SpecError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Takes the text of a file. The path is for messages.
    ///
    /// # Errors
    ///
    /// [`SpecError::Invalid`].
    pub fn parse(text: &str, path: impl Into<PathBuf>) -> Result<Self, SpecError> {
        let path = path.into();
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            invalid(&path, text, at, error.message().to_owned())
        })?;
        let spec = Self {
            text: text.to_owned(),
            path,
            file,
        };
        spec.check()?;
        Ok(spec)
    }

    /// Checks what no single table tells.
    fn check(&self) -> Result<(), SpecError> {
        for account in self.file.account.values() {
            let AccountTable {
                jetstream,
                tier,
                role,
                user,
                ..
            } = account.get_ref();
            if jetstream.is_some() && !tier.is_empty() {
                let why = "expected `jetstream` or `tier`, found both".to_owned();
                return Err(self.invalid(account.span(), why));
            }
            for user in user.values() {
                let UserTable {
                    role: named, own, ..
                } = user.get_ref();
                let Some(named) = named else { continue };
                if !role.contains_key(named.get_ref()) {
                    let why = format!(
                        "expected a role of the account, `[account.ACCOUNT.role.{0}]`, found `{0}`",
                        named.get_ref()
                    );
                    return Err(self.invalid(named.span(), why));
                }
                if let Some(field) = own {
                    let why = format!(
                        "what the user may do comes from its role, beside which `{field}` may not \
                         be said"
                    );
                    return Err(self.invalid(named.span(), why));
                }
            }
        }
        Ok(())
    }

    /// What is wrong at a place of the file.
    pub(super) fn invalid(&self, span: Range<usize>, why: String) -> SpecError {
        invalid(&self.path, &self.text, span.start, why)
    }

    /// What the domain refuses of what stands at a place of the file.
    pub(super) fn refused(&self, span: Range<usize>, what: String, source: Refusal) -> SpecError {
        let (line, column) = place(&self.text, span.start);
        SpecError::Refused {
            path: self.path.clone(),
            line,
            column,
            what: without_seeds(&what).into_owned(),
            source: Box::new(source),
        }
    }
}

fn invalid(path: &Path, text: &str, at: usize, why: String) -> SpecError {
    let (line, column) = place(text, at);
    SpecError::Invalid {
        path: path.to_owned(),
        line,
        column,
        // Somebody may have put a seed there.
        why: without_seeds(&why).into_owned(),
    }
}

/// Line and column of a byte, from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (1 + before.matches('\n').count(), 1 + line.chars().count())
}

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) operator: Spanned<OperatorForm>,
    #[serde(default)]
    pub(super) account: BTreeMap<String, Spanned<AccountTable>>,
}

/// An operator by its name alone, which is left as it is, or with what its token says.
#[derive(Clone, Debug)]
pub(super) enum OperatorForm {
    Named(String),
    Described(Box<OperatorTable>),
}

impl<'de> Deserialize<'de> for OperatorForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = OperatorForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an operator, or a table with its `name`")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<OperatorForm, E> {
                Ok(OperatorForm::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OperatorForm, A::Error> {
                let table = OperatorTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OperatorForm::Described(Box::new(table)))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// `[operator]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorTable {
    pub(super) name: String,
    #[serde(default)]
    pub(super) strict: bool,
    #[serde(default)]
    pub(super) service_urls: Vec<String>,
    #[serde(default)]
    pub(super) account_server_url: String,
    pub(super) system_account: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) assert_server_version: String,
    pub(super) claims: Option<Spanned<toml::Table>>,
}

/// `[account.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AccountTable {
    pub(super) description: String,
    pub(super) info_url: String,
    pub(super) jetstream: Option<JetStream>,
    pub(super) tier: BTreeMap<String, JetStreamTable>,
    pub(super) limits: LimitsTable,
    pub(super) default_permissions: PermissionsTable,
    pub(super) exports: Vec<ExportTable>,
    pub(super) imports: Vec<ImportTable>,
    pub(super) mappings: BTreeMap<String, Destinations>,
    pub(super) authorization: AuthorizationTable,
    pub(super) trace: Option<TraceTable>,
    pub(super) cluster_traffic: String,
    pub(super) claims: Option<Spanned<toml::Table>>,
    pub(super) role: BTreeMap<String, Spanned<RoleTable>>,
    pub(super) user: BTreeMap<String, Spanned<UserTable>>,
}

/// `limits` of an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    pub(super) connections: Amount,
    pub(super) leaf_nodes: Amount,
    pub(super) subscriptions: Amount,
    pub(super) payload: Amount,
    pub(super) data: Amount,
    pub(super) exports: Amount,
    pub(super) imports: Amount,
    pub(super) wildcards: bool,
    pub(super) disallow_bearer: bool,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            connections: Amount::default(),
            leaf_nodes: Amount::default(),
            subscriptions: Amount::default(),
            payload: Amount::default(),
            data: Amount::default(),
            exports: Amount::default(),
            imports: Amount::default(),
            wildcards: true,
            disallow_bearer: false,
        }
    }
}

/// What is exported, as a word.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExportType {
    Stream,
    Service,
}

/// One of `exports`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportTable {
    pub(super) subject: String,
    #[serde(rename = "type")]
    pub(super) kind: ExportType,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) activation_required: bool,
    #[serde(default)]
    pub(super) response_type: String,
    #[serde(default)]
    pub(super) response_threshold: Nanos,
    pub(super) latency: Option<LatencyTable>,
    #[serde(default)]
    pub(super) account_token_position: u32,
    #[serde(default)]
    pub(super) advertise: bool,
    #[serde(default)]
    pub(super) allow_trace: bool,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) info_url: String,
}

/// `latency` of an export.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LatencyTable {
    pub(super) results: String,
    /// The percentage; that of requests whose headers ask for it without one.
    pub(super) sampling: Option<u8>,
}

/// One of `imports`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportTable {
    pub(super) subject: String,
    #[serde(rename = "type")]
    pub(super) kind: ExportType,
    pub(super) account: Spanned<String>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) local_subject: String,
    #[serde(default)]
    pub(super) activation: String,
    #[serde(default)]
    pub(super) share: bool,
    #[serde(default)]
    pub(super) allow_trace: bool,
}

/// `authorization` of an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthorizationTable {
    pub(super) users: Vec<Spanned<String>>,
    pub(super) allowed_accounts: Vec<Spanned<String>>,
    pub(super) xkey: String,
}

/// `trace` of an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TraceTable {
    pub(super) destination: String,
    #[serde(default)]
    pub(super) sampling: u8,
}

/// What a user may do, or the users of a role.
#[derive(Clone, Debug, Default)]
pub(super) struct MayTable {
    pub(super) publish: Subjects,
    pub(super) subscribe: Subjects,
    pub(super) responses: Option<ResponsesTable>,
    pub(super) sources: Vec<String>,
    pub(super) times: Vec<TimesTable>,
    pub(super) times_location: String,
    pub(super) max_subscriptions: Amount,
    pub(super) max_payload: Amount,
    pub(super) max_data: Amount,
    pub(super) bearer: bool,
    pub(super) proxy_required: bool,
    pub(super) connection_types: Vec<String>,
    pub(super) claims: Option<Spanned<toml::Table>>,
}

/// One of `times`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimesTable {
    pub(super) start: String,
    pub(super) end: String,
}

/// `[account.NAME.role.ROLE]`.
#[derive(Clone, Debug)]
pub(super) struct RoleTable {
    pub(super) description: String,
    pub(super) may: MayTable,
}

/// `[account.NAME.user.USER]`.
#[derive(Clone, Debug)]
pub(super) struct UserTable {
    pub(super) role: Option<Spanned<String>>,
    pub(super) tags: Vec<String>,
    pub(super) may: MayTable,
    /// The first of its fields that says what it may do.
    own: Option<&'static str>,
}

/// Reads a table with the fields of [`MayTable`] among others; those cannot be told from unknown ones
/// where serde flattens them.
macro_rules! table {
    ($name:ident { $($more:ident: $type:ty),* }, |$read:ident, $may:ident, $own:ident| $make:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields, default)]
                #[derive(Default)]
                struct Read {
                    $($more: $type,)*
                    publish: Option<Subjects>,
                    subscribe: Option<Subjects>,
                    responses: Option<ResponsesTable>,
                    sources: Option<Vec<String>>,
                    times: Option<Vec<TimesTable>>,
                    times_location: Option<String>,
                    max_subscriptions: Option<Amount>,
                    max_payload: Option<Amount>,
                    max_data: Option<Amount>,
                    bearer: Option<bool>,
                    proxy_required: Option<bool>,
                    connection_types: Option<Vec<String>>,
                    claims: Option<Spanned<toml::Table>>,
                }
                let $read = Read::deserialize(deserializer)?;
                let said = [
                    ("publish", $read.publish.is_some()),
                    ("subscribe", $read.subscribe.is_some()),
                    ("responses", $read.responses.is_some()),
                    ("sources", $read.sources.is_some()),
                    ("times", $read.times.is_some()),
                    ("times_location", $read.times_location.is_some()),
                    ("max_subscriptions", $read.max_subscriptions.is_some()),
                    ("max_payload", $read.max_payload.is_some()),
                    ("max_data", $read.max_data.is_some()),
                    ("bearer", $read.bearer.is_some()),
                    ("proxy_required", $read.proxy_required.is_some()),
                    ("connection_types", $read.connection_types.is_some()),
                    ("claims", $read.claims.is_some()),
                ];
                let $own = said.into_iter().find(|(_, is_said)| *is_said).map(|(name, _)| name);
                let $may = MayTable {
                    publish: $read.publish.unwrap_or_default(),
                    subscribe: $read.subscribe.unwrap_or_default(),
                    responses: $read.responses,
                    sources: $read.sources.unwrap_or_default(),
                    times: $read.times.unwrap_or_default(),
                    times_location: $read.times_location.unwrap_or_default(),
                    max_subscriptions: $read.max_subscriptions.unwrap_or_default(),
                    max_payload: $read.max_payload.unwrap_or_default(),
                    max_data: $read.max_data.unwrap_or_default(),
                    bearer: $read.bearer.unwrap_or_default(),
                    proxy_required: $read.proxy_required.unwrap_or_default(),
                    connection_types: $read.connection_types.unwrap_or_default(),
                    claims: $read.claims,
                };
                Ok($make)
            }
        }
    };
}

table!(
    RoleTable {
        description: String
    },
    |read, may, _own| Self {
        description: read.description,
        may,
    }
);
table!(
    UserTable { role: Option<Spanned<String>>, tags: Vec<String> },
    |read, may, own| Self {
        role: read.role,
        tags: read.tags,
        may,
        own,
    }
);
