//! What a user may really publish and subscribe to, as a server decides.

use std::collections::BTreeMap;

use super::account::{AccountClaims, Destination};
use super::claims::Claims;
use super::mapping::{self, Target};
use super::permissions::{Permission, Responses};
use super::signing_key::SigningKey;
use super::template::{self, Names};
use super::user::{UserClaims, UserLimits};
use super::validate::{contains, is_valid};

/// What a user may publish and subscribe to, with all that the server makes of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effective {
    publish: Rules,
    subscribe: Rules,
    responses: Option<Responses>,
    mappings: BTreeMap<String, Vec<Destination>>,
}

/// Whether something is allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// It is as the answer to a message that asked for it there, and not otherwise.
    AllowedAsAnswer,
    /// It is not.
    Denied {
        /// By which rule.
        why: String,
    },
}

impl Verdict {
    /// Whether it is allowed without a question.
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }

    fn denied(why: impl Into<String>) -> Self {
        Self::Denied { why: why.into() }
    }
}

impl Effective {
    /// What a user of an account may do, if the account's key, or one of its signing keys, has signed
    /// its token: the scope of that key, or what the token says, or the account's defaults.
    ///
    /// # Errors
    ///
    /// Why the server refuses the user: its scope cannot be applied to it.
    pub fn of(user: &Claims<UserClaims>, account: &Claims<AccountClaims>) -> Result<Self, String> {
        let keys = &account.body.signing_keys;
        let signer = keys.iter().find(|key| key.key() == user.issuer);
        let limits = limits(user, account, signer)?;
        let defaults = &account.body.default_permissions;
        let is_silent =
            limits.publish.is_empty() && limits.subscribe.is_empty() && limits.responses.is_none();
        let (publish, subscribe, responses) = match is_silent {
            true => (&defaults.publish, &defaults.subscribe, &defaults.responses),
            false => (&limits.publish, &limits.subscribe, &limits.responses),
        };
        let mut publish = Rules::to_publish(publish);
        if responses.is_some() {
            // Who may answer may otherwise do only what is allowed.
            publish.allow.get_or_insert_default();
        }
        Ok(Self {
            publish,
            subscribe: Rules::to_subscribe(subscribe),
            responses: responses.clone(),
            mappings: account.body.mappings.clone(),
        })
    }

    /// Whether it may publish to a subject.
    ///
    /// An account's mappings come first: what counts is the subject that they lead to. Where they may
    /// lead to several, by weights or in some clusters, it is allowed if it is to all of them; so it
    /// is not where a destination has a function other than `wildcard`, unless everything is allowed.
    pub fn may_publish(&self, subject: &str) -> Verdict {
        if self.publish.is_empty() {
            return self.may_publish_at(subject);
        }
        let mut verdict = None;
        for target in mapping::targets(&self.mappings, subject) {
            let found = match &target {
                Target::Subject(to) => match self.may_publish_at(to) {
                    Verdict::Denied { why } if to != subject => {
                        Verdict::denied(format!("it is mapped to `{to}`: {why}"))
                    }
                    found => found,
                },
                Target::Unknown(to) => Verdict::denied(format!(
                    "it is mapped to `{to}`, which is not worked out here"
                )),
            };
            match found {
                Verdict::Allowed => {}
                Verdict::Denied { .. } => return found,
                Verdict::AllowedAsAnswer => verdict = Some(found),
            }
            verdict.get_or_insert(Verdict::Allowed);
        }
        verdict.unwrap_or_else(|| self.may_publish_at(subject))
    }

    /// Whether it may publish to a subject that no mapping changes.
    fn may_publish_at(&self, subject: &str) -> Verdict {
        if subject.starts_with("_GR_.") || subject.starts_with("$NRG.") {
            return Verdict::denied(format!("servers keep `{subject}` for themselves"));
        }
        let denied = match self.publish.denied_by(subject) {
            Some(entry) => format!("`{}` is denied", entry.subject),
            None => match self.publish.allows(subject) {
                true => return Verdict::Allowed,
                false => "no entry allows it".to_owned(),
            },
        };
        match self.responses {
            // An answer overrides what is denied.
            Some(_) => Verdict::AllowedAsAnswer,
            None => Verdict::denied(denied),
        }
    }

    /// Whether it may subscribe to a subject, which may have wildcards, alone or in a queue group.
    ///
    /// Where it may, messages can be left out still: those whose subjects are denied.
    pub fn may_subscribe(&self, subject: &str, queue: Option<&str>) -> Verdict {
        if queue == Some("_sys_") {
            return Verdict::denied("servers keep the queue group `_sys_` for themselves");
        }
        let rules = &self.subscribe;
        if let Some(allow) = &rules.allow {
            let mut is_allowed = allow.iter().any(|entry| entry.is_plain_for(subject));
            if let Some(queue) = queue {
                let mut groups = allow
                    .iter()
                    .filter(|entry| entry.has_group_for(subject))
                    .peekable();
                // Where there are entries for groups, they alone count.
                if groups.peek().is_some() {
                    is_allowed = groups.any(|entry| entry.takes_group(queue));
                }
            }
            if !is_allowed {
                return Verdict::denied("no entry allows it");
            }
        }
        let denies = |entry: &&Entry| {
            entry.is_plain_for(subject)
                || queue
                    .is_some_and(|queue| entry.has_group_for(subject) && entry.takes_group(queue))
        };
        match rules.deny.iter().find(denies) {
            Some(entry) => Verdict::denied(format!("`{entry}` is denied")),
            None => Verdict::Allowed,
        }
    }

    /// Whether a message on a subject reaches it, if it subscribes to it with wildcards.
    pub fn may_receive(&self, subject: &str) -> Verdict {
        self.may_subscribe(subject, None)
    }
}

/// What a user's token says, or what the scope of the signing key does that has signed it.
pub(super) fn limits(
    user: &Claims<UserClaims>,
    account: &Claims<AccountClaims>,
    signer: Option<&SigningKey>,
) -> Result<UserLimits, String> {
    let Some(scope) = signer.and_then(SigningKey::scope) else {
        return Ok(user.body.limits.clone());
    };
    template::expanded(
        &scope.template,
        Names {
            user_name: &user.name,
            user: &user.subject,
            user_tags: &user.tags,
            account_name: &account.name,
            account: &user.body.issuer_account,
            account_tags: &account.tags,
        },
    )
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Rules {
    /// Without a list, everything.
    allow: Option<Vec<Entry>>,
    deny: Vec<Entry>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Entry {
    subject: String,
    queue: Option<String>,
}

impl Rules {
    /// A list to publish to counts when it is there, even if it is empty; unless nothing is said at
    /// all.
    fn to_publish(permission: &Permission) -> Self {
        let entry = |entry: &String, may_have_queue: bool| {
            let subject = match is_valid(entry) {
                true => Some(entry.as_str()),
                false if may_have_queue => Entry::read(entry).map(|_| first_word(entry)),
                false => None,
            };
            subject.map(|subject| Entry {
                subject: subject.to_owned(),
                queue: None,
            })
        };
        let allow = permission.allow.as_ref().filter(|_| !permission.is_empty());
        Self {
            allow: allow.map(|allow| {
                allow
                    .iter()
                    .filter_map(|found| entry(found, false))
                    .collect()
            }),
            deny: permission
                .deny
                .iter()
                .filter_map(|found| entry(found, true))
                .collect(),
        }
    }

    fn to_subscribe(permission: &Permission) -> Self {
        let allow = permission.allow.as_ref().filter(|allow| !allow.is_empty());
        let entries = |entries: &Vec<String>| {
            entries
                .iter()
                .filter_map(|entry| Entry::read(entry))
                .collect()
        };
        Self {
            allow: allow.map(entries),
            deny: entries(&permission.deny),
        }
    }

    /// Whether everything is allowed.
    fn is_empty(&self) -> bool {
        self.allow.is_none() && self.deny.is_empty()
    }

    fn allows(&self, subject: &str) -> bool {
        let allow = self.allow.as_ref();
        allow.is_none_or(|allow| allow.iter().any(|entry| entry.matches(subject)))
    }

    fn denied_by(&self, subject: &str) -> Option<&Entry> {
        self.deny.iter().find(|entry| entry.matches(subject))
    }
}

fn first_word(entry: &str) -> &str {
    entry.split_whitespace().next().unwrap_or_default()
}

impl Entry {
    /// A subject, and a queue group behind white space. What the server cannot use it leaves out.
    fn read(entry: &str) -> Option<Self> {
        let words: Vec<&str> = entry.split_whitespace().collect();
        let (subject, queue) = match words[..] {
            [subject] => (subject, None),
            [subject, queue] => (subject, Some(queue)),
            _ => return None,
        };
        let is_usable = is_valid(subject) && queue.is_none_or(is_valid);
        is_usable.then(|| Self {
            subject: subject.to_owned(),
            queue: queue.map(str::to_owned),
        })
    }

    /// Whether every subject that `asked` stands for is one of the entry's; its `*` takes a last `>`,
    /// too. What has empty tokens is nothing's.
    fn matches(&self, asked: &str) -> bool {
        asked.split('.').all(|token| !token.is_empty()) && contains(&self.subject, asked)
    }

    fn is_plain_for(&self, asked: &str) -> bool {
        self.queue.is_none() && self.matches(asked)
    }

    fn has_group_for(&self, asked: &str) -> bool {
        self.queue.is_some() && self.matches(asked)
    }

    fn takes_group(&self, group: &str) -> bool {
        self.queue
            .as_ref()
            .is_some_and(|queue| queue == group || contains(queue, group))
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.queue {
            Some(queue) => write!(f, "{} {queue}", self.subject),
            None => f.write_str(&self.subject),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jwt::Scope;
    use crate::nkey::{KeyKind, Seed};

    fn user(limits: Value) -> Claims<UserClaims> {
        let key = Seed::new(KeyKind::User, [1; 32]).public_key();
        Claims::new(key, "ann", serde_json::from_value(limits).expect("claims"))
    }

    fn account(body: Value) -> Claims<AccountClaims> {
        let key = Seed::new(KeyKind::Account, [2; 32]).public_key();
        Claims::new(key, "acme", serde_json::from_value(body).expect("claims"))
    }

    fn effective(limits: Value) -> Effective {
        Effective::of(&user(limits), &account(json!({}))).expect("no scope")
    }

    #[test]
    fn who_has_no_permissions_may_do_everything() {
        let all = effective(json!({}));
        assert!(all.may_publish("a.b").is_allowed() && all.may_publish("$SYS.x").is_allowed());
        assert!(all.may_subscribe(">", Some("q")).is_allowed());
        assert!(!all.may_publish("$NRG.x").is_allowed());
        assert!(!all.may_subscribe("a", Some("_sys_")).is_allowed());
        // An empty list says nothing alone, and with a denied subject allows nothing.
        let silent = effective(json!({ "pub": { "allow": [] } }));
        assert!(silent.may_publish("a").is_allowed());
        let odd = json!({ "allow": [], "deny": ["x"] });
        let odd = effective(json!({ "pub": odd, "sub": odd }));
        assert!(!odd.may_publish("a").is_allowed() && odd.may_subscribe("a", None).is_allowed());
    }

    #[test]
    fn what_is_denied_is_denied_whatever_is_allowed() {
        let some = effective(json!({
            "pub": { "allow": ["a.>", "b"], "deny": ["a.x.*"] }, "sub": { "allow": ["b"] },
        }));
        assert!(some.may_publish("a.b").is_allowed() && some.may_publish("b").is_allowed());
        assert_eq!(
            some.may_publish("a.x.y"),
            Verdict::denied("`a.x.*` is denied")
        );
        for subject in ["a", "c", "", "a.", "a..b"] {
            assert_eq!(
                some.may_publish(subject),
                Verdict::denied("no entry allows it"),
                "{subject}"
            );
        }
    }

    #[test]
    fn subjects_with_wildcards_are_covered_as_a_whole() {
        let allow = |entry: &str, asked: &str| {
            let user = effective(json!({ "sub": { "allow": [entry] } }));
            user.may_subscribe(asked, None).is_allowed()
        };
        assert!(allow("a.*", "a.*") && allow("a.>", "a.*") && allow("a.>", "a.*.c"));
        assert!(!allow("a.b", "a.*") && !allow("a.*", "a.*.c") && !allow("a.>", "a"));
        // A `>` is one token to a `*`.
        assert!(allow("a.*", "a.>"));
        let user = effective(json!({ "sub": { "deny": ["a.b"] } }));
        assert!(user.may_subscribe("a.*", None).is_allowed());
        assert!(!user.may_receive("a.b").is_allowed() && user.may_receive("a.c").is_allowed());
    }

    #[test]
    fn queue_groups_have_entries_of_their_own() {
        let user =
            effective(json!({ "sub": { "allow": ["a", "a v1", "b v.*"], "deny": ["c x"] } }));
        assert!(user.may_subscribe("a", None).is_allowed());
        assert!(user.may_subscribe("a", Some("v1")).is_allowed());
        assert!(!user.may_subscribe("a", Some("v2")).is_allowed());
        assert!(user.may_subscribe("b", Some("v.2")).is_allowed());
        assert!(!user.may_subscribe("b", None).is_allowed());
        let user = effective(json!({ "sub": { "deny": ["c x", "d"] } }));
        assert!(user.may_subscribe("c", None).is_allowed());
        assert!(user.may_subscribe("c", Some("y")).is_allowed());
        assert_eq!(
            user.may_subscribe("c", Some("x")),
            Verdict::denied("`c x` is denied")
        );
        assert!(!user.may_subscribe("d", Some("y")).is_allowed());
    }

    #[test]
    fn who_may_answer_may_do_nothing_else() {
        let user = effective(json!({ "resp": {}, "pub": { "deny": ["d"] } }));
        assert_eq!(user.may_publish("a"), Verdict::AllowedAsAnswer);
        assert_eq!(user.may_publish("d"), Verdict::AllowedAsAnswer);
        let user = effective(json!({ "resp": {}, "pub": { "allow": ["a"] } }));
        assert!(user.may_publish("a").is_allowed());
    }

    #[test]
    fn what_counts_is_where_messages_are_mapped_to() {
        let account = account(json!({ "mappings": {
            "a.*": [{ "subject": "b.$1" }],
            "half": [{ "subject": "b.half", "weight": 50 }],
            "f.*": [{ "subject": "b.{{left(1,2)}}" }],
        } }));
        let of = |limits: Value| Effective::of(&user(limits), &account).expect("no scope");
        let some = of(json!({ "pub": { "allow": ["b.>", "f.>"] } }));
        assert!(some.may_publish("a.x").is_allowed() && some.may_publish("b.x").is_allowed());
        assert_eq!(
            some.may_publish("half"),
            Verdict::denied("no entry allows it")
        );
        assert_eq!(
            some.may_publish("f.x"),
            Verdict::denied("it is mapped to `b.{{left(1,2)}}`, which is not worked out here")
        );
        let other = of(json!({ "pub": { "allow": ["a.>"] } }));
        assert_eq!(
            other.may_publish("a.x"),
            Verdict::denied("it is mapped to `b.x`: no entry allows it")
        );
        assert!(of(json!({})).may_publish("f.x").is_allowed());
        let answering = of(json!({ "resp": {}, "pub": { "allow": ["b.>"] } }));
        assert_eq!(answering.may_publish("half"), Verdict::AllowedAsAnswer);
    }

    #[test]
    fn defaults_hold_for_those_who_say_nothing() {
        let account = account(json!({ "default_permissions": { "pub": { "allow": ["d"] } } }));
        let silent = Effective::of(&user(json!({})), &account).expect("no scope");
        assert!(silent.may_publish("d").is_allowed() && !silent.may_publish("a").is_allowed());
        let other = json!({ "sub": { "allow": ["s"] } });
        let other = Effective::of(&user(other), &account).expect("no scope");
        assert!(other.may_publish("a").is_allowed());
    }

    #[test]
    fn entries_that_the_server_cannot_use_are_as_good_as_none() {
        let user = effective(
            json!({ "pub": { "deny": ["a.>.b", "x\tq"] }, "sub": { "deny": ["a.>.b"] } }),
        );
        assert!(user.may_publish("a.>.b").is_allowed());
        assert!(!user.may_publish("x").is_allowed());
        assert!(user.may_subscribe("a.>.b", None).is_allowed());
    }

    #[test]
    fn the_scope_of_the_signer_holds_for_the_user() {
        let key = Seed::new(KeyKind::Account, [3; 32]).public_key();
        let mut account = account(json!({}));
        let template = UserLimits {
            publish: Permission::only(["log.{{name()}}"]),
            ..UserLimits::default()
        };
        let scope = Scope::new(key.to_string(), "logger", template);
        account.body.signing_keys = vec![SigningKey::Scoped(Box::new(scope))];
        let mut user = user(json!({}));
        user.issuer = key.to_string();
        let scoped = Effective::of(&user, &account).expect("a name");
        assert!(scoped.may_publish("log.ann").is_allowed());
        assert!(!scoped.may_publish("log.bob").is_allowed());
    }
}
