//! The subjects of a scope, with a user's names in the place of `{{name()}}` and its like.
//!
//! The server's rules (2.12.5 and later) are followed where they are odd, too: names are put in as they
//! stand, so that a name with a full stop in it adds a token; and a list in which one entry has braces
//! loses all entries with a queue group.

use super::permissions::Permission;
use super::user::UserLimits;
use super::validate::is_valid;

/// The most subjects that a list may become.
const MAX_SUBJECTS: usize = 4096;

/// What names are put in from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub(super) user_name: &'a str,
    pub(super) user: &'a str,
    pub(super) user_tags: &'a [String],
    pub(super) account_name: &'a str,
    pub(super) account: &'a str,
    pub(super) account_tags: &'a [String],
}

/// The limits of a scope for one user, or why the server refuses that user.
pub(super) fn expanded(template: &UserLimits, names: Names<'_>) -> Result<UserLimits, String> {
    let mut limits = template.clone();
    for permission in [&mut limits.subscribe, &mut limits.publish] {
        expand(permission, names)?;
    }
    Ok(limits)
}

fn expand(permission: &mut Permission, names: Names<'_>) -> Result<(), String> {
    if let Some(allow) = &mut permission.allow
        && !allow.is_empty()
    {
        *allow = list(allow, names, false)?;
        if allow.is_empty() {
            permission.deny.push(">".to_owned());
        }
    }
    // What was just denied has no braces.
    permission.deny = list(&permission.deny, names, true)?;
    Ok(())
}

/// The subjects of a list. A denied one that cannot be made refuses the user, an allowed one is left
/// out.
fn list(entries: &[String], names: Names<'_>, is_deny: bool) -> Result<Vec<String>, String> {
    if entries.iter().all(|entry| fields(entry).is_empty()) {
        return Ok(entries.to_vec());
    }
    let mut made: Vec<String> = Vec::new();
    for entry in entries {
        let fields = fields(entry);
        let mut has_tags = false;
        let mut values = Vec::with_capacity(fields.len());
        for field in &fields {
            let value = value(entry, field, names, is_deny)?;
            has_tags |= matches!(value, Value::Tags(_));
            values.push(value.into_list());
        }
        if has_tags {
            let count = values
                .iter()
                .try_fold(1, |count: usize, values| count.checked_mul(values.len()));
            let is_within = |count| made.len() + count <= MAX_SUBJECTS;
            if !count.is_some_and(|count| count <= MAX_SUBJECTS && is_within(count)) {
                return Err(format!(
                    "`{entry}` becomes more than {MAX_SUBJECTS} subjects with the tags of this user"
                ));
            }
        }
        for subject in combined(entry, &fields, &values) {
            if is_valid(&subject) {
                made.push(subject);
            } else if is_deny {
                return Err(format!(
                    "`{entry}` becomes `{subject}`, which is no subject"
                ));
            }
        }
    }
    Ok(made)
}

/// What is put in the place of braces.
enum Value<'a> {
    Name(&'a str),
    Tags(Vec<&'a str>),
}

impl<'a> Value<'a> {
    fn into_list(self) -> Vec<&'a str> {
        match self {
            Self::Name(name) => vec![name],
            Self::Tags(values) => values,
        }
    }
}

fn value<'a>(
    entry: &str,
    field: &str,
    names: Names<'a>,
    is_deny: bool,
) -> Result<Value<'a>, String> {
    let inner = field.trim_start_matches("{{").trim_end_matches("}}").trim();
    for (function, name) in [
        ("name()", names.user_name),
        ("subject()", names.user),
        ("account-name()", names.account_name),
        ("account-subject()", names.account),
    ] {
        if inner.eq_ignore_ascii_case(function) {
            return Ok(Value::Name(name));
        }
    }
    for (function, tags) in [
        ("tag(", names.user_tags),
        ("account-tag(", names.account_tags),
    ] {
        let Some((start, _)) = inner.split_at_checked(function.len()) else {
            continue;
        };
        if !start.eq_ignore_ascii_case(function) || !inner.ends_with(')') {
            continue;
        }
        // In capitals it is known for a tag, and not taken off.
        let tag = inner.strip_prefix(function).unwrap_or(inner);
        let tag = tag.strip_suffix(')').unwrap_or(tag);
        // Servers lower other letters than those of ASCII, too; such a tag is not found here.
        let start = format!("{}:", tag.to_ascii_lowercase());
        let values: Vec<_> = tags
            .iter()
            .filter_map(|tag| tag.strip_prefix(&*start))
            .collect();
        return match values.is_empty() {
            false => Ok(Value::Tags(values)),
            true if is_deny => Err(format!("`{entry}`: there is no tag `{tag}`")),
            // What is no subject, and left out.
            true => Ok(Value::Tags(vec![" "])),
        };
    }
    Err(format!("`{entry}`: there is no `{inner}`"))
}

/// The parts of an entry in double braces, with them.
fn fields(entry: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = entry[at..].find("{{").map(|start| at + start) {
        let inner = &entry[start + 2..];
        let length = inner.find('}').unwrap_or(0);
        if length > 0 && inner[length..].starts_with("}}") {
            let end = start + 2 + length + 2;
            found.push(&entry[start..end]);
            at = end;
        } else {
            at = start + 1;
        }
    }
    found
}

/// The entry with each combination of values. One value is put in everywhere where its field stands.
fn combined(entry: &str, fields: &[&str], values: &[Vec<&str>]) -> Vec<String> {
    let mut combinations: Vec<Vec<&str>> = vec![Vec::new()];
    for values in values {
        combinations = combinations
            .iter()
            .flat_map(|chosen| values.iter().map(|value| [&chosen[..], &[*value]].concat()))
            .collect();
    }
    let fill = |chosen: Vec<&str>| {
        let pairs = fields.iter().zip(chosen);
        pairs.fold(entry.to_owned(), |subject, (field, value)| {
            subject.replace(field, value)
        })
    };
    combinations.into_iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    fn made(entries: &[&str], is_deny: bool) -> Result<Vec<String>, String> {
        let user_tags = tags(&["dc:east", "dc:west", "Up:x", "n:1"]);
        let account_tags = tags(&["stage:test", "dc:all"]);
        let names = Names {
            user_name: "a.b",
            user: "UKEY",
            user_tags: &user_tags,
            account_name: "acme",
            account: "AKEY",
            account_tags: &account_tags,
        };
        list(&tags(entries), names, is_deny)
    }

    fn allow(entries: &[&str]) -> Vec<String> {
        made(entries, false).expect("made")
    }

    #[test]
    fn names_are_put_in_as_they_stand() {
        let entry =
            "{{name()}}.{{ SUBJECT() }}.{{account-name()}}.{{account-subject()}}.{{name()}}";
        assert_eq!(allow(&[entry]), ["a.b.UKEY.acme.AKEY.a.b"]);
        assert_eq!(allow(&["plain q", "a..b"]), ["plain q", "a..b"]);
        assert_eq!(
            allow(&["x{{}}", "{{a}", "{name()}"]),
            ["x{{}}", "{{a}", "{name()}"]
        );
    }

    #[test]
    fn every_combination_of_tags_is_made() {
        let expected = ["x.east.all.1", "x.west.all.1"];
        assert_eq!(
            allow(&["x.{{tag(dc)}}.{{account-tag(DC)}}.{{tag(n)}}"]),
            expected
        );
        assert_eq!(
            allow(&["{{tag(dc)}}.{{account-tag(stage)}}"]),
            ["east.test", "west.test"]
        );
        // The same field twice has one value, and counts twice.
        let expected = ["east.east", "east.east", "west.west", "west.west"];
        assert_eq!(allow(&["{{tag(dc)}}.{{tag(dc)}}"]), expected);
    }

    #[test]
    fn an_allowed_subject_that_cannot_be_made_is_left_out() {
        assert_eq!(allow(&["x.{{tag(none)}}", "x.{{name()}}"]), ["x.a.b"]);
        // A queue group too, and a tag in capitals, and `tag` in capitals.
        let entries = ["a q", "a..b", "{{tag(up)}}", "{{TAG(dc)}}", "{{name()}}"];
        assert_eq!(allow(&entries), ["a.b"]);
    }

    #[test]
    fn a_denied_subject_that_cannot_be_made_refuses_the_user() {
        let error = |entries: &[&str]| made(entries, true).expect_err("refused");
        assert_eq!(
            error(&["{{tag(none)}}"]),
            "`{{tag(none)}}`: there is no tag `none`"
        );
        assert_eq!(
            error(&["{{name()}}", "a q"]),
            "`a q` becomes `a q`, which is no subject"
        );
        assert_eq!(
            error(&["{{name()}}."]),
            "`{{name()}}.` becomes `a.b.`, which is no subject"
        );
        for is_deny in [false, true] {
            let error = made(&["{{x()}}"], is_deny).expect_err("refused");
            assert_eq!(error, "`{{x()}}`: there is no `x()`");
        }
    }

    #[test]
    fn there_is_a_limit() {
        let many: Vec<String> = (0..65).map(|number| format!("t:{number}")).collect();
        let names = Names {
            user_name: "",
            user: "",
            user_tags: &many,
            account_name: "",
            account: "",
            account_tags: &[],
        };
        let entries = tags(&["{{tag(t)}}.x.{{tag(t)}}"]);
        let error = list(&entries, names, false).expect_err("65 times 65");
        assert!(error.contains("more than 4096"), "{error}");
        let names = Names {
            user_tags: &many[..64],
            ..names
        };
        assert_eq!(
            list(&entries, names, false).expect("64 times 64").len(),
            4096
        );
        let entries = tags(&["a", "{{tag(t)}}.x.{{tag(t)}}"]);
        assert!(list(&entries, names, false).is_err());
    }

    #[test]
    fn a_list_that_loses_everything_allows_nothing() {
        let template = UserLimits {
            publish: Permission::only(["{{tag(none)}}"]),
            subscribe: Permission::only(["a"]),
            ..UserLimits::default()
        };
        let names = Names {
            user_name: "",
            user: "",
            user_tags: &[],
            account_name: "",
            account: "",
            account_tags: &[],
        };
        let limits = expanded(&template, names).expect("made");
        assert_eq!(limits.publish.allow.as_deref(), Some(&[][..]));
        assert_eq!(limits.publish.deny, [">"]);
        assert_eq!(limits.subscribe, template.subscribe);
    }
}
