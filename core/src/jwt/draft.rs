//! Claims as people and programs write them: some fields, in the form of a token.

use serde_json::{Map, Value};

use super::body::Body;
use super::claims::{Claims, IssueError};
use super::lenient;
use super::trust::first_limit;
use super::user::UserClaims;
use super::validate::{Finding, Level};
use crate::nkey::{PublicKey, without_seeds};

impl<B: Body> Claims<B> {
    /// Takes what stands under `nats` in a token, or some of it, to be signed.
    ///
    /// Limits that are absent are unlimited, other than in a token; zero is what somebody has written.
    /// But with a `version`, the fields are those of a token, and are read as such. Fields that are not
    /// known are kept; names count as servers read them, whatever their case.
    ///
    /// # Errors
    ///
    /// [`IssueError::Claims`] when a field is not what it should be, or they are claims of another
    /// kind.
    pub fn draft(
        subject: PublicKey,
        name: &str,
        fields: Map<String, Value>,
    ) -> Result<Self, IssueError> {
        let mut fields = lenient::fields(fields);
        if !fields.contains_key("version") {
            B::unlimit(&mut fields);
        }
        Self::of_fields(subject, name, fields)
    }

    /// Lays fields over claims, as [`draft`](Self::draft) lays them over those without limits.
    ///
    /// # Errors
    ///
    /// As [`draft`](Self::draft).
    pub fn draft_over(
        body: B,
        subject: PublicKey,
        name: &str,
        fields: Map<String, Value>,
    ) -> Result<Self, IssueError> {
        let mut laid = serde_json::to_value(body).expect("keys are texts");
        lay(lenient::fields(fields), &mut laid);
        let Value::Object(laid) = laid else {
            unreachable!("claims are objects")
        };
        Self::of_fields(subject, name, laid)
    }

    fn of_fields(
        subject: PublicKey,
        name: &str,
        fields: Map<String, Value>,
    ) -> Result<Self, IssueError> {
        let invalid = |why: String| IssueError::Claims {
            why: without_seeds(&why).into_owned(),
        };
        if let Some(kind) = fields.get("type")
            && *kind != B::KIND.name()
        {
            let (expected, found) = (B::KIND.name(), kind.as_str().unwrap_or("…"));
            let why = format!("expected the type `{expected}`, found `{found}`");
            return Err(invalid(why));
        }
        let mut payload = Map::new();
        payload.insert("nats".to_owned(), Value::Object(fields));
        let read = Self::read(payload).map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            name: name.to_owned(),
            subject: subject.to_string(),
            ..read
        })
    }
}

impl Claims<UserClaims> {
    /// The same for a user whose limits come from the scope of the key that signs.
    ///
    /// # Errors
    ///
    /// Also [`IssueError::Refused`] when the fields have permissions or limits.
    pub fn draft_scoped(
        subject: PublicKey,
        name: &str,
        fields: Map<String, Value>,
    ) -> Result<Self, IssueError> {
        let fields = lenient::fields(fields);
        if let Some(field) = first_limit(&fields) {
            return Err(IssueError::Refused(vec![Finding {
                level: Level::Error,
                code: "scope-and-limits",
                path: format!("nats.{field}"),
                text: "the key that signs has a scope, beside which nothing may be said".to_owned(),
            }]));
        }
        Self::of_fields(subject, name, fields)
    }
}

/// Lays fields over others, those of objects one by one.
fn lay(fields: Map<String, Value>, under: &mut Value) {
    let Value::Object(under) = under else {
        *under = Value::Object(fields);
        return;
    };
    for (name, value) in fields {
        match (value, under.get_mut(&name)) {
            (Value::Object(fields), Some(under)) => lay(fields, under),
            (value, _) => {
                under.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::{AccountClaims, Limit, OperatorClaims, UserLimits};
    use crate::nkey::{KeyKind, Seed};

    fn draft<B: Body>(kind: KeyKind, fields: Value) -> Result<Claims<B>, IssueError> {
        let Value::Object(fields) = fields else {
            panic!("an object");
        };
        Claims::draft(Seed::new(kind, [1; 32]).public_key(), "a", fields)
    }

    fn user(fields: Value) -> UserLimits {
        let claims: Claims<UserClaims> = draft(KeyKind::User, fields).expect("claims");
        claims.body.limits
    }

    #[test]
    fn what_is_absent_is_not_limited_and_zero_is_zero() {
        assert_eq!(user(json!({})), UserLimits::default());
        let limits = user(json!({ "subs": 0, "payload": null, "pub": { "deny": ["a"] } }));
        assert_eq!(limits.subscriptions, Limit::ZERO);
        assert_eq!(limits.payload, Limit::UNLIMITED);
        assert_eq!(limits.publish.deny, ["a"]);

        let account: Claims<AccountClaims> =
            draft(KeyKind::Account, json!({ "limits": { "conn": 5 } })).expect("claims");
        assert_eq!(account.body.limits.connections, Limit::at_most(5));
        assert_eq!(account.body.limits.leaf_nodes, Limit::UNLIMITED);
        assert!(account.body.limits.allows_wildcards);
        assert!(!account.body.limits.has_jetstream());
    }

    #[test]
    fn what_was_taken_from_a_token_is_read_as_one() {
        let limits = user(json!({ "type": "user", "version": 2, "subs": -1 }));
        assert_eq!(limits.subscriptions, Limit::UNLIMITED);
        assert_eq!(limits.payload, Limit::ZERO);
    }

    #[test]
    fn names_count_as_servers_read_them_and_others_are_kept() {
        let claims: Claims<UserClaims> = draft(
            KeyKind::User,
            json!({ "Bearer_Token": true, "tags": ["a:b"], "later": [1] }),
        )
        .expect("claims");
        assert!(claims.body.limits.is_bearer);
        assert_eq!(claims.tags, ["a:b"]);
        assert_eq!(claims.body.other["later"], json!([1]));
    }

    #[test]
    fn what_is_no_claims_is_refused() {
        let why = |fields: Value| {
            let drawn: Result<Claims<OperatorClaims>, _> = draft(KeyKind::Operator, fields);
            let error = drawn.expect_err("refused");
            assert_eq!(error.code(), "claims-invalid");
            error.to_string()
        };
        assert_eq!(
            why(json!({ "type": "account" })),
            "not signed: the claims are not as they should be: expected the type `operator`, \
             found `account`"
        );
        let secret = Seed::new(KeyKind::Operator, [1; 32]).expose();
        let message = why(json!({ "signing_keys": *secret }));
        assert!(message.contains("expected a sequence"), "{message}");
        assert!(!message.contains(&secret[2..]), "{message}");
    }

    #[test]
    fn beside_a_scope_nothing_may_be_said() {
        let key = Seed::new(KeyKind::User, [1; 32]).public_key();
        let fields = |value| Map::from_iter([("Subs".to_owned(), value)]);
        let claims = Claims::draft_scoped(key, "a", fields(0.into())).expect("zero is nothing");
        assert_eq!(claims.body.limits, UserLimits::none());
        let error = Claims::draft_scoped(key, "a", fields((-1).into())).expect_err("a limit");
        assert!(error.to_string().contains("nats.subs"), "{error}");
    }
}
