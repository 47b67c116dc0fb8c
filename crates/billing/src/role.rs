//! Roles: names for sets of permissions.

use crate::Refusal;
use crate::text::check_text;
use std::collections::BTreeSet;

/// The role that permits everything. It is the server's own: nobody can define it anew.
pub const ROOT: &str = "root";

/// Longest name of a role, in characters.
pub const NAME_LIMIT: usize = 255;

/// Longest permission of a role, in characters.
const PERMISSION_LIMIT: usize = 255;

/// Checks the name of a role.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::FieldMissing { field: "role" });
    }
    check_text("role", name, NAME_LIMIT, false)
}

/// The permissions of a role as they are kept, sorted: `*` stands alone; a bare `group` means `group:*` and replaces
/// what came before it of that group; empty entries are dropped. Neither part needs to be one that the server knows.
pub fn permissions(wanted: &[Option<String>]) -> Result<Vec<String>, Refusal> {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let wanted: Vec<&str> =
        wanted.iter().flatten().map(|text| text.trim()).filter(|t| !t.is_empty()).collect();
    if wanted.contains(&"*") {
        return Ok(vec!["*".to_owned()]);
    }
    for text in wanted {
        check_text("permission", text, PERMISSION_LIMIT, false)?;
        let parts: Vec<&str> = text.trim_end_matches(':').split(':').collect();
        match parts[..] {
            [group] | [group, "*"] if !group.is_empty() => {
                let prefix = format!("{group}:");
                kept.retain(|earlier| !earlier.starts_with(&prefix));
                kept.insert(format!("{prefix}*"));
            }
            [group, value] if !group.is_empty() => {
                kept.insert(format!("{group}:{value}"));
            }
            _ => return Err(Refusal::PermissionInvalid { permission: text.to_owned() }),
        }
    }
    Ok(kept.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(wanted: &[&str]) -> Result<Vec<String>, Refusal> {
        permissions(&wanted.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn permissions_are_tidied() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["tag:add", "*", "a:b"], &["*"]),
            (&["tag:add", "tag"], &["tag:*"]),
            (&["tag:", "tag:add"], &["tag:*", "tag:add"]),
            (&["tag:*"], &["tag:*"]),
            (&["tag:delete", "tag:add", "tag:add"], &["tag:add", "tag:delete"]),
            (&["", "my_plugin:anything"], &["my_plugin:anything"]),
            (&["*:*"], &["*:*"]),
            (&[], &[]),
        ];
        for (wanted, expected) in cases {
            assert_eq!(kept(wanted).unwrap(), expected, "{wanted:?}");
        }
        assert!(permissions(&[None]).unwrap().is_empty());
    }

    #[test]
    fn more_than_two_parts_are_refused() {
        for wrong in ["a:b:c", ":", ":b", "a\0:b"] {
            assert!(kept(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
