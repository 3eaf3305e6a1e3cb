//! From what the file says to what tokens say.

use std::collections::BTreeMap;

use cim_core::jwt::{
    AccountClaims, AccountLimits, Authorization, Body, Claims, Export, Exported, Import,
    JetStreamLimits, Latency, Networks, OperatorClaims, Sampling, TimeRange, Trace, UserClaims,
    UserLimits,
};
use cim_core::nkey::PublicKey;
use serde_json::{Map, Value};
use toml::Spanned;

use super::error::SpecError;
use super::spec::{
    AccountTable, AuthorizationTable, ExportTable, ExportType, ImportTable, LatencyTable,
    LimitsTable, MayTable, OperatorTable, Spec, TraceTable,
};

/// Finds what the file names. `None` for what is not there yet.
pub(super) type Find<'a> = &'a dyn Fn(&Spanned<String>) -> Result<Option<PublicKey>, SpecError>;

/// What a description of an operator or account becomes in a token.
pub(super) struct Reader<'a> {
    pub(super) spec: &'a Spec,
    /// Whose claims they become is not looked at, but they must be somebody's.
    pub(super) subject: PublicKey,
}

impl Reader<'_> {
    pub(super) fn operator(
        &self,
        table: &OperatorTable,
        account: Find<'_>,
    ) -> Result<OperatorClaims, SpecError> {
        let system_account = match &table.system_account {
            None => None,
            Some(name) => account(name)?,
        };
        let body = OperatorClaims {
            account_server_url: table.account_server_url.clone(),
            service_urls: table.service_urls.clone(),
            system_account: text_of(system_account),
            assert_server_version: table.assert_server_version.clone(),
            is_strict: table.strict,
            ..OperatorClaims::default()
        };
        self.laid_over(body, table.claims.as_ref())
    }

    /// The claims of an account, without imports from accounts that are not there yet, and without
    /// its authorization where a user of that is not.
    pub(super) fn account(
        &self,
        table: &AccountTable,
        account: Find<'_>,
        user: Find<'_>,
    ) -> Result<AccountClaims, SpecError> {
        let mut imports = Vec::new();
        for import in &table.imports {
            if let Some(key) = account(&import.account)? {
                imports.push(import_of(import, key));
            }
        }
        let tiers = table.tier.iter();
        let jetstream = table.jetstream.as_ref();
        let body = AccountClaims {
            imports,
            exports: table.exports.iter().map(export_of).collect(),
            limits: AccountLimits {
                jetstream: jetstream.map_or_else(JetStreamLimits::off, |found| found.0.clone()),
                tiers: tiers
                    .map(|(name, tier)| (name.clone(), tier.limits()))
                    .collect(),
                ..limits_of(&table.limits)
            },
            default_permissions: table.default_permissions.permissions(),
            mappings: table
                .mappings
                .iter()
                .map(|(subject, to)| (subject.clone(), to.0.clone()))
                .collect(),
            authorization: authorization_of(&table.authorization, account, user)?,
            trace: table.trace.as_ref().map(
                |TraceTable {
                     destination,
                     sampling,
                 }| Trace {
                    destination: destination.clone(),
                    sampling: i64::from(*sampling),
                    other: BTreeMap::new(),
                },
            ),
            cluster_traffic: table.cluster_traffic.clone(),
            description: table.description.clone(),
            info_url: table.info_url.clone(),
            ..AccountClaims::default()
        };
        self.laid_over(body, table.claims.as_ref())
    }

    pub(super) fn limits(&self, table: &MayTable) -> Result<UserLimits, SpecError> {
        let times = table.times.iter().map(|range| TimeRange {
            start: range.start.clone(),
            end: range.end.clone(),
            other: BTreeMap::new(),
        });
        let limits = UserLimits {
            publish: table.publish.0.clone(),
            subscribe: table.subscribe.0.clone(),
            responses: table.responses.as_ref().map(|table| table.responses()),
            sources: Networks(table.sources.clone()),
            times: times.collect(),
            times_location: table.times_location.clone(),
            subscriptions: table.max_subscriptions.0,
            data: table.max_data.0,
            payload: table.max_payload.0,
            is_bearer: table.bearer,
            needs_proxy: table.proxy_required,
            connection_types: table.connection_types.clone(),
        };
        let body = UserClaims {
            limits,
            ..UserClaims::default()
        };
        let claims = table.claims.as_ref();
        let laid: UserClaims = self.laid_over(body, claims)?;
        match (laid.other.keys().next(), claims) {
            (Some(field), Some(claims)) => {
                let why = format!("`claims` has `{field}`, which users have not");
                Err(self.spec.invalid(claims.span(), why))
            }
            _ => Ok(laid.limits),
        }
    }

    /// Lays `claims` over, and brings all into the form that tokens are read in.
    fn laid_over<B: Body + Default>(
        &self,
        body: B,
        claims: Option<&Spanned<toml::Table>>,
    ) -> Result<B, SpecError> {
        let Some(claims) = claims else {
            let drafted = self.drafted(body, Map::new());
            return drafted.map_err(|error| self.spec.invalid(0..0, error));
        };
        let invalid = |why: String| self.spec.invalid(claims.span(), why);
        let fields = serde_json::to_value(claims.get_ref());
        let Ok(Value::Object(fields)) = fields else {
            return Err(invalid("expected values that JSON has".to_owned()));
        };
        let mut names = fields.keys();
        if let Some(name) = names.find(|name| RESERVED.contains(&name.to_lowercase().as_str())) {
            return Err(invalid(format!("`{name}` is not set with `claims`")));
        }
        self.drafted(body, fields).map_err(invalid)
    }

    fn drafted<B: Body + Default>(&self, body: B, fields: Map<String, Value>) -> Result<B, String> {
        Claims::draft_over(body, self.subject, "", fields)
            .map(|claims| claims.body)
            .map_err(|error| error.to_string())
    }
}

/// Fields of tokens that have their own place, or come from histories.
const RESERVED: [&str; 6] = [
    "issuer_account",
    "revocations",
    "signing_keys",
    "tags",
    "type",
    "version",
];

fn limits_of(table: &LimitsTable) -> AccountLimits {
    AccountLimits {
        subscriptions: table.subscriptions.0,
        data: table.data.0,
        payload: table.payload.0,
        imports: table.imports.0,
        exports: table.exports.0,
        allows_wildcards: table.wildcards,
        refuses_bearers: table.disallow_bearer,
        connections: table.connections.0,
        leaf_nodes: table.leaf_nodes.0,
        ..AccountLimits::default()
    }
}

fn exported(kind: ExportType) -> Option<Exported> {
    Some(match kind {
        ExportType::Stream => Exported::Stream,
        ExportType::Service => Exported::Service,
    })
}

fn export_of(table: &ExportTable) -> Export {
    let latency = |table: &LatencyTable| Latency {
        sampling: table.sampling.map_or(Sampling::Headers, |percent| {
            Sampling::Percent(i64::from(percent))
        }),
        results: table.results.clone(),
        other: BTreeMap::new(),
    };
    Export {
        name: table.name.clone(),
        subject: table.subject.clone(),
        exported: exported(table.kind),
        needs_activation: table.activation_required,
        response_type: table.response_type.clone(),
        response_threshold: table.response_threshold.0,
        latency: table.latency.as_ref().map(latency),
        account_token_position: u64::from(table.account_token_position),
        is_advertised: table.advertise,
        allows_trace: table.allow_trace,
        description: table.description.clone(),
        info_url: table.info_url.clone(),
        ..Export::default()
    }
}

fn import_of(table: &ImportTable, account: PublicKey) -> Import {
    Import {
        name: table.name.clone(),
        subject: table.subject.clone(),
        account: account.to_string(),
        activation: table.activation.clone(),
        local_subject: table.local_subject.clone(),
        exported: exported(table.kind),
        is_shared: table.share,
        allows_trace: table.allow_trace,
        ..Import::default()
    }
}

fn authorization_of(
    table: &AuthorizationTable,
    account: Find<'_>,
    user: Find<'_>,
) -> Result<Authorization, SpecError> {
    let mut found = Authorization {
        xkey: table.xkey.clone(),
        ..Authorization::default()
    };
    for name in &table.users {
        found.users.extend(user(name)?.map(|key| key.to_string()));
    }
    if found.users.len() < table.users.len() {
        // Nobody may decide about accounts before those who do are there.
        return Ok(Authorization::default());
    }
    for name in &table.allowed_accounts {
        match name.get_ref().as_str() {
            "*" => found.allowed_accounts.push("*".to_owned()),
            _ => found
                .allowed_accounts
                .extend(account(name)?.map(|key| key.to_string())),
        }
    }
    Ok(found)
}

fn text_of(key: Option<PublicKey>) -> String {
    key.map(|key| key.to_string()).unwrap_or_default()
}
