//! Lists of roles, of kinds of roles, of agreements and of activities: found, counted, sorted and paged by the
//! database.

use crate::search::folded_pattern;
use crate::{Connection, Param, Row, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A list that can be searched and sorted.
pub struct List {
    /// Tables, with their joins.
    from: &'static str,
    /// The names that requests search by, with their columns.
    searched: &'static [(&'static str, &'static str)],
    /// The names that requests sort by, with their columns.
    sorted: &'static [(&'static str, &'static str)],
    /// The order when nobody asks for another, and behind what they ask for.
    order: &'static str,
}

/// What a request asks of a list. Names that the list does not know are passed over.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Texts, any of which is to be found in any searched column, in any case.
    pub terms: Vec<String>,
    /// The columns to search, by their names; all of them when none is known.
    pub fields: Vec<String>,
    /// The columns to sort by, by their names, each with whether in reverse.
    pub order: Vec<(String, bool)>,
}

/// A list with its condition, ready to be counted and read.
pub struct Found<'a> {
    list: &'static List,
    sql: String,
    params: Vec<Param<'a>>,
}

impl List {
    /// The names that requests may search by.
    pub fn searchable(&self) -> Vec<&'static str> {
        self.searched.iter().map(|(name, _)| *name).collect()
    }

    /// The names that requests may sort by.
    pub fn sortable(&self) -> Vec<&'static str> {
        self.sorted.iter().map(|(name, _)| *name).collect()
    }

    /// The patterns by which [`Found::search`] finds the terms.
    pub fn patterns(wanted: &Wanted) -> Vec<String> {
        wanted.terms.iter().map(|term| folded_pattern(term)).collect()
    }
}

impl<'a> Found<'a> {
    /// All of a list to which `condition` applies; its placeholders are `params`.
    pub fn all(list: &'static List, condition: &str, params: Vec<Param<'a>>) -> Found<'a> {
        Found { list, sql: condition.to_owned(), params }
    }

    /// Those of them that hold any of the patterns.
    pub fn search(mut self, wanted: &Wanted, patterns: &'a [String]) -> Found<'a> {
        if patterns.is_empty() {
            return self;
        }
        let is_wanted = |name: &str| wanted.fields.iter().any(|field| field == name);
        let all = !self.list.searched.iter().any(|(name, _)| is_wanted(name));
        let mut alternatives = Vec::new();
        for pattern in patterns {
            self.params.push(pattern.into());
            let place = self.params.len();
            for (_, column) in self.list.searched.iter().filter(|(name, _)| all || is_wanted(name)) {
                alternatives.push(format!("LOWER(COALESCE({column}, '')) LIKE ${place} ESCAPE '\\'"));
            }
        }
        self.sql = format!("{} AND ({})", self.sql, alternatives.join(" OR "));
        self
    }

    /// How many there are.
    pub fn count(&self, tx: &mut dyn Connection) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", self.list.from, self.sql);
        tx.query_one(&sql, &self.params)?.next()
    }

    /// The rows of one page.
    pub fn page<T>(
        &self,
        tx: &mut dyn Connection,
        columns: &str,
        wanted: &Wanted,
        (offset, limit): (i64, i64),
        read: impl Fn(Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut order: Vec<String> = Vec::new();
        for (name, is_reverse) in &wanted.order {
            if let Some((_, column)) = self.list.sorted.iter().find(|(known, _)| known == name) {
                order.push(format!("{column}{}", if *is_reverse { " DESC" } else { "" }));
            }
        }
        order.push(self.list.order.to_owned());
        let next = self.params.len() + 1;
        let sql = format!(
            "SELECT {columns} FROM {} WHERE {} ORDER BY {} LIMIT ${next} OFFSET ${}",
            self.list.from,
            self.sql,
            order.join(", "),
            next + 1
        );
        let mut params = self.params.clone();
        params.push(limit.into());
        params.push(offset.into());
        tx.query(&sql, &params)?.into_iter().map(read).collect()
    }
}

/// The roles of an organization, or of a user.
pub static ROLES: List = List {
    from: "organization_roles r
        JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
        JOIN organizations o ON o.tenant_id = r.tenant_id AND o.id = r.organization_id
        LEFT JOIN role_descriptions d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id",
    searched: &[
        ("user", "u.username"),
        ("user__full_name", "u.full_name"),
        ("user__email", "u.email"),
        ("profile", "o.slug"),
        ("profile__full_name", "o.name"),
        ("profile__email", "o.email"),
        ("role", "d.slug"),
        ("role__title", "d.title"),
    ],
    sorted: &[
        ("profile__full_name", "o.name"),
        ("user", "u.username"),
        ("user__full_name", "COALESCE(u.full_name, '')"),
        ("role__title", "COALESCE(d.title, '')"),
        ("grant_key", "COALESCE(r.grant_key, '')"),
        ("request_key", "COALESCE(r.request_key, '')"),
        ("created_at", "r.created_at"),
    ],
    order: "r.created_at DESC, u.username, r.record_id",
};

/// Where a role stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleState {
    /// In force.
    Active,
    /// Offered to the user, who has not said yes.
    Invited,
    /// Asked for by the user.
    Requested,
}

/// Which roles are wanted.
#[derive(Clone, Debug)]
pub struct RoleFilter {
    /// Those on this organization.
    pub organization_id: Option<Uuid>,
    /// Those of this user.
    pub user_id: Option<Uuid>,
    /// Those of this kind.
    pub kind: Option<Uuid>,
    /// With a kind: also those that are asked for.
    pub with_requests: bool,
    /// In any of these states; in any state when empty.
    pub states: Vec<RoleState>,
    /// Not those of a person on himself.
    pub hides_personal: bool,
}

impl RoleFilter {
    /// The condition and its parameters, without the states.
    fn condition(&self, tenant_id: TenantId) -> (String, Vec<Param<'static>>) {
        let mut params: Vec<Param<'static>> = vec![tenant_id.0.into(), true.into()];
        let mut sql = "r.tenant_id = $1 AND u.is_active = $2 AND o.is_active = $2".to_owned();
        if let Some(id) = self.organization_id {
            params.push(id.into());
            sql.push_str(&format!(" AND r.organization_id = ${}", params.len()));
        }
        if let Some(id) = self.user_id {
            params.push(id.into());
            sql.push_str(&format!(" AND r.user_id = ${}", params.len()));
        }
        if let Some(id) = self.kind {
            params.push(id.into());
            let also = if self.with_requests { " OR r.request_key IS NOT NULL" } else { "" };
            sql.push_str(&format!(" AND (r.role_description_id = ${}{also})", params.len()));
        }
        if self.hides_personal {
            sql.push_str(
                " AND (o.kind <> 'personal'
                       OR (o.slug <> u.username AND (o.owner_id IS NULL OR o.owner_id <> u.id)))",
            );
        }
        (sql, params)
    }

    fn states(&self) -> Option<String> {
        let each = self.states.iter().map(|state| match state {
            RoleState::Active => "(r.grant_key IS NULL AND r.request_key IS NULL)",
            RoleState::Invited => "r.grant_key IS NOT NULL",
            RoleState::Requested => "r.request_key IS NOT NULL",
        });
        (!self.states.is_empty()).then(|| each.collect::<Vec<_>>().join(" OR "))
    }

    /// The roles that are wanted.
    pub fn found(&self, tenant_id: TenantId) -> Found<'static> {
        let (mut sql, params) = self.condition(tenant_id);
        if let Some(states) = self.states() {
            sql.push_str(&format!(" AND ({states})"));
        }
        Found::all(&ROLES, &sql, params)
    }

    /// How many of them, in any state, are invitations, and how many requests.
    pub fn pending(&self, tx: &mut dyn Connection, tenant_id: TenantId) -> Result<(i64, i64), StoreError> {
        let (condition, params) = self.condition(tenant_id);
        let sql =
            format!("SELECT COUNT(r.grant_key), COUNT(r.request_key) FROM {} WHERE {condition}", ROLES.from);
        let mut row = tx.query_one(&sql, &params)?;
        Ok((row.next()?, row.next()?))
    }
}

/// The kinds of roles.
pub static ROLE_KINDS: List = List {
    from: "role_descriptions d",
    searched: &[("slug", "d.slug"), ("title", "d.title")],
    sorted: &[("slug", "d.slug"), ("title", "d.title")],
    order: "d.slug",
};

/// The kinds of roles that an organization has: its own and every organization's.
pub fn kinds_of(tenant_id: TenantId, organization_id: Uuid) -> Found<'static> {
    let condition = "d.tenant_id = $1 AND (d.organization_id IS NULL OR d.organization_id = $2)";
    Found::all(&ROLE_KINDS, condition, vec![tenant_id.0.into(), organization_id.into()])
}

/// The agreements.
pub static AGREEMENTS: List = List {
    from: "agreements a",
    searched: &[("slug", "a.slug"), ("title", "a.title")],
    sorted: &[("title", "a.title"), ("updated_at", "a.updated_at")],
    order: "a.title, a.slug",
};

/// All agreements of a tenant.
pub fn agreements(tenant_id: TenantId) -> Found<'static> {
    Found::all(&AGREEMENTS, "a.tenant_id = $1", vec![tenant_id.0.into()])
}

/// What people wrote down, newest first.
pub static ACTIVITIES: List = List {
    from: "activities v",
    searched: &[("text", "v.note")],
    sorted: &[("created_at", "v.created_at")],
    order: "v.created_at DESC, v.record_id DESC",
};

/// The same, oldest first.
pub static ACTIVITIES_OLDEST_FIRST: List = List {
    from: "activities v",
    searched: &[("text", "v.note")],
    sorted: &[("created_at", "v.created_at")],
    order: "v.created_at, v.record_id",
};

/// The users who have to do with an organization: those with a role, and those of whom something was written there.
pub static CONTACTS: List = List {
    from: "users u",
    searched: &[("email", "u.email"), ("username", "u.username")],
    sorted: &[
        ("full_name", "COALESCE(u.full_name, '')"),
        ("created_at", "u.created_at"),
        ("date_joined", "u.created_at"),
    ],
    order: "COALESCE(u.full_name, ''), u.username",
};

/// The users who have to do with an organization.
pub fn contacts_of(tenant_id: TenantId, organization_id: Uuid) -> Found<'static> {
    let condition = "u.tenant_id = $1 AND u.is_active = $3 AND u.id IN
        (SELECT r.user_id FROM organization_roles r WHERE r.tenant_id = $1 AND r.organization_id = $2
         UNION SELECT v.contact_id FROM activities v WHERE v.tenant_id = $1 AND v.organization_id = $2)";
    Found::all(&CONTACTS, condition, vec![tenant_id.0.into(), organization_id.into(), true.into()])
}

/// A condition on when something was made, from the first instant on and before the second, with its parameters
/// behind those of `found`.
pub fn made_between<'a>(
    mut found: Found<'a>,
    column: &'static str,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Found<'a> {
    for (bound, sign) in [(start, ">="), (end, "<")] {
        if let Some(at) = bound {
            found.params.push(at.into());
            found.sql.push_str(&format!(" AND {column} {sign} ${}", found.params.len()));
        }
    }
    found
}
