//! Lists of roles, of kinds of roles, and of the users who have to do with an organization.

use crate::list::{List, Spec};
use crate::people::CONTACTS;
use crate::{Connection, Engine, StoreError, Value};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

const FROM: &str = "organization_roles AS r
    JOIN users AS u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
    JOIN organizations AS o ON o.tenant_id = r.tenant_id AND o.id = r.organization_id
    LEFT JOIN role_descriptions AS d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id";

/// The roles on one organization, or of one user: of several kinds.
pub const ROLES: Spec = Spec {
    from: FROM,
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
    default_order: "r.created_at DESC, u.username, r.record_id",
    dated: "r.created_at",
    splits_words: false,
};

/// The roles on one organization: what is the same for all of them is not searched.
pub const ROLES_OF_ORGANIZATION: Spec = Spec {
    searched: &[
        ("user", "u.username"),
        ("user__full_name", "u.full_name"),
        ("user__email", "u.email"),
        ("role", "d.slug"),
        ("role__title", "d.title"),
    ],
    ..ROLES
};

/// The roles of one user.
pub const ROLES_OF_USER: Spec = Spec {
    searched: &[
        ("profile", "o.slug"),
        ("profile__full_name", "o.name"),
        ("profile__email", "o.email"),
        ("role", "d.slug"),
        ("role__title", "d.title"),
    ],
    ..ROLES
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

/// Whose roles are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolesOf {
    /// Those on this organization.
    Organization(Uuid),
    /// Those of this user.
    User(Uuid),
}

impl RolesOf {
    /// What their list may be asked for.
    pub fn spec(self) -> Spec {
        match self {
            RolesOf::Organization(_) => ROLES_OF_ORGANIZATION,
            RolesOf::User(_) => ROLES_OF_USER,
        }
    }
}

/// Which roles are wanted.
#[derive(Clone, Debug)]
pub struct RoleFilter {
    /// Whose.
    pub of: RolesOf,
    /// Those of this kind.
    pub kind: Option<Uuid>,
    /// With a kind: also those that are asked for, of whatever kind.
    pub with_requests: bool,
    /// In any of these states; in any state when empty.
    pub states: Vec<RoleState>,
    /// Of a user's: not those on himself.
    pub hides_personal: bool,
    /// What time it is: roles that have ended are not in force.
    pub now: Timestamp,
}

impl RoleFilter {
    /// The roles in any state.
    fn any_state(&self, engine: Engine, tenant_id: TenantId) -> List {
        let mut list = List::new(engine, self.of.spec());
        // Users and organizations that were deleted have no roles.
        list.count_in("organization_roles AS r");
        let tenant = list.bind(Value::Integer(tenant_id.0));
        let (column, id) = match self.of {
            RolesOf::Organization(id) => ("r.organization_id", id),
            RolesOf::User(id) => ("r.user_id", id),
        };
        let id = list.bind(Value::Uuid(id));
        list.filter(format!("r.tenant_id = {tenant} AND {column} = {id}"));
        if let Some(kind) = self.kind {
            let kind = list.bind(Value::Uuid(kind));
            let also = if self.with_requests { " OR r.request_key IS NOT NULL" } else { "" };
            list.filter(format!("(r.role_description_id = {kind}{also})"));
        }
        if self.hides_personal && matches!(self.of, RolesOf::User(_)) {
            list.filter(format!(
                "r.organization_id NOT IN (
                     SELECT p.id FROM organizations AS p
                     WHERE p.tenant_id = {tenant} AND p.owner_id = {id} AND p.kind = 'personal'
                     UNION ALL SELECT p.id FROM users AS v
                     JOIN organizations AS p ON p.tenant_id = v.tenant_id AND p.slug = v.username
                     WHERE v.tenant_id = {tenant} AND v.id = {id} AND p.kind = 'personal')"
            ));
        }
        list
    }

    /// Keeps only the roles in any of these states.
    fn keep(&self, list: &mut List, states: &[RoleState]) {
        let mut alternatives = Vec::new();
        for state in states {
            alternatives.push(match state {
                RoleState::Active => {
                    let now = list.bind(Value::Integer(self.now.as_microsecond()));
                    format!(
                        "(r.grant_key IS NULL AND r.request_key IS NULL AND (r.ends_at IS NULL OR r.ends_at > {now}))"
                    )
                }
                RoleState::Invited => "r.grant_key IS NOT NULL".to_owned(),
                RoleState::Requested => "r.request_key IS NOT NULL".to_owned(),
            });
        }
        if !alternatives.is_empty() {
            list.filter(format!("({})", alternatives.join(" OR ")));
        }
    }

    /// The roles that are wanted.
    pub fn list(&self, engine: Engine, tenant_id: TenantId) -> List {
        let mut list = self.any_state(engine, tenant_id);
        self.keep(&mut list, &self.states);
        list
    }

    /// How many of them, in any state, are invitations, and how many requests.
    pub fn pending(&self, tx: &mut dyn Connection, tenant_id: TenantId) -> Result<(i64, i64), StoreError> {
        let mut list = self.any_state(tx.engine(), tenant_id);
        self.keep(&mut list, &[RoleState::Invited, RoleState::Requested]);
        let mut counts = list.total(tx, "COUNT(r.grant_key), COUNT(r.request_key)")?;
        Ok((counts.next()?, counts.next()?))
    }
}

/// The kinds of roles.
pub const ROLE_KINDS: Spec = Spec {
    from: "role_descriptions",
    searched: &[("slug", "slug"), ("title", "title")],
    sorted: &[("slug", "slug"), ("title", "title")],
    default_order: "slug",
    dated: "created_at",
    splits_words: false,
};

/// The kinds of roles that an organization has: its own and every organization's.
pub fn kinds_of(engine: Engine, tenant_id: TenantId, organization_id: Uuid) -> List {
    let mut list = List::new(engine, ROLE_KINDS);
    let tenant = list.bind(Value::Integer(tenant_id.0));
    let organization = list.bind(Value::Uuid(organization_id));
    list.filter(format!(
        "tenant_id = {tenant} AND (organization_id IS NULL OR organization_id = {organization})"
    ));
    list
}

/// The users who have to do with an organization: those with a role, and those of whom something was written there.
pub fn contacts_of(engine: Engine, tenant_id: TenantId, organization_id: Uuid) -> List {
    let mut list = List::new(engine, CONTACTS);
    let (tenant, yes) = (list.bind(Value::Integer(tenant_id.0)), list.bind(Value::Bool(true)));
    let organization = list.bind(Value::Uuid(organization_id));
    list.filter(format!(
        "tenant_id = {tenant} AND is_active = {yes} AND id IN
            (SELECT r.user_id FROM organization_roles AS r
             WHERE r.tenant_id = {tenant} AND r.organization_id = {organization}
             UNION SELECT v.contact_id FROM activities AS v
             WHERE v.tenant_id = {tenant} AND v.organization_id = {organization})"
    ));
    list
}
