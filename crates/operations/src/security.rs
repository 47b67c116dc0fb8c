//! The operators of the server and their roles. They belong to no tenant.

use billing::text::check_text;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId, role};
use jiff::Timestamp;
use storage::users::{self, User};
use storage::{Connection, Error, Outcome};
use uuid::Uuid;

/// Longest name of a user, in characters.
const USERNAME_LIMIT: usize = 128;

/// Longest password, in characters.
const PASSWORD_LIMIT: usize = 1024;

/// A request to make a user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name to log in with.
    pub username: String,
    /// Hash of the password, made before the transaction because it is slow on purpose.
    pub password_hash: String,
    /// Names of roles; they need not be defined yet.
    pub roles: Vec<String>,
}

/// Checks the name of a new user. HTTP basic authentication cannot carry a name with a colon.
pub fn check_username(username: &str) -> Result<(), Refusal> {
    if username.is_empty() {
        return Err(Refusal::FieldMissing { field: "username" });
    }
    if username.contains(':') {
        return Err(Refusal::invalid("username", "must not contain a colon"));
    }
    check_text("username", username, USERNAME_LIMIT, false)
}

/// Checks a new password.
pub fn check_password(password: &str) -> Result<(), Refusal> {
    if password.is_empty() {
        return Err(Refusal::FieldMissing { field: "password" });
    }
    check_text("password", password, PASSWORD_LIMIT, false)
}

/// Makes a user. Refuses a name that was ever taken.
pub fn create_user(tx: &mut dyn Connection, caller: &Caller, now: Timestamp, new: &NewUser) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    check_username(&new.username)?;
    check_roles(&new.roles)?;
    let user = User {
        id: Uuid::new_v4(),
        tenant_id: TenantId::SERVER,
        username: new.username.clone(),
        email: None,
        password_hash: Some(new.password_hash.clone()),
        current_organization_id: None,
        person: storage::users::Person::default(),
        is_active: true,
    };
    if !users::insert(tx, &user, &caller.changed_by, now)? {
        return Err(Refusal::UserTaken { username: new.username.clone() }.into());
    }
    users::set_roles(tx, user.id, &new.roles)?;
    let (record_id, user) = lock(tx, &new.username)?;
    record(tx, caller, now, ChangeType::Insert, (record_id, &user))
}

/// Makes the first user, `admin`, who may do everything; false when that name was ever taken.
pub fn ensure_admin(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    password_hash: &str,
) -> Outcome<bool> {
    let role = "root".to_owned();
    let new = NewUser {
        username: "admin".to_owned(),
        password_hash: password_hash.to_owned(),
        roles: vec![role.clone()],
    };
    match create_user(tx, caller, now, &new) {
        Err(Error::Refused(Refusal::UserTaken { .. })) => return Ok(false),
        made => made?,
    }
    redefine_role(tx, caller, now, &role, &[Some("*:*".to_owned())])?;
    Ok(true)
}

/// Changes a user's password; his sessions end.
pub fn set_password(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    username: &str,
    password_hash: &str,
) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    let (record_id, user) = lock(tx, username)?;
    users::set_password(tx, user.id, password_hash, now)?;
    storage::sessions::end_all(tx, user.id)?;
    record(tx, caller, now, ChangeType::Update, (record_id, &user))
}

/// Replaces a user's roles.
pub fn set_roles(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    username: &str,
    roles: &[String],
) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    check_roles(roles)?;
    let (record_id, user) = lock(tx, username)?;
    users::set_roles(tx, user.id, roles)?;
    record(tx, caller, now, ChangeType::Update, (record_id, &user))
}

/// Deletes a user: he cannot log in any more, his sessions end, and his name stays taken.
pub fn delete_user(tx: &mut dyn Connection, caller: &Caller, now: Timestamp, username: &str) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    let (record_id, user) = lock(tx, username)?;
    users::deactivate(tx, user.id, now)?;
    storage::sessions::end_all(tx, user.id)?;
    record(tx, caller, now, ChangeType::Delete, (record_id, &user))
}

/// The roles of a user.
pub fn roles_of_user(tx: &mut dyn Connection, username: &str) -> Outcome<Vec<String>> {
    let user = users::by_username(tx, TenantId::SERVER, username)?
        .ok_or_else(|| Refusal::UserUnknown { username: username.to_owned() })?;
    Ok(users::roles(tx, user.id)?)
}

/// Defines a role. Refuses one that permits something already.
pub fn define_role(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    name: &str,
    wanted: &[Option<String>],
) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    role::check_name(name)?;
    let permissions = role::permissions(wanted)?;
    users::lock_role(tx, name)?;
    if !users::role(tx, name)?.is_empty() {
        return Err(Refusal::RoleTaken { role: name.to_owned() }.into());
    }
    keep_role(tx, caller, now, ChangeType::Insert, (name, &permissions))
}

/// Replaces what a role permits, or defines it.
pub fn redefine_role(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    name: &str,
    wanted: &[Option<String>],
) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    role::check_name(name)?;
    let permissions = role::permissions(wanted)?;
    keep_role(tx, caller, now, ChangeType::Update, (name, &permissions))
}

fn keep_role(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    (name, permissions): (&str, &[String]),
) -> Outcome<()> {
    let (record_id, id) = users::set_role(tx, name, permissions)?;
    let snapshot = serde_json::json!({ "id": id, "role": name, "permissions": permissions });
    let change = (change_type, ObjectType::Role, id, record_id);
    crate::record_of_tenant(tx, TenantId::SERVER, caller, now, change, &snapshot)
}

fn check_roles(roles: &[String]) -> Result<(), Refusal> {
    roles.iter().try_for_each(|name| role::check_name(name))
}

fn lock(tx: &mut dyn Connection, username: &str) -> Outcome<(i64, User)> {
    Ok(users::lock_by_username(tx, TenantId::SERVER, username)?
        .ok_or_else(|| Refusal::UserUnknown { username: username.to_owned() })?)
}

/// Records a change of a user as he now stands, without his password.
fn record(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    (record_id, user): (i64, &User),
) -> Outcome<()> {
    let snapshot = serde_json::json!({
        "id": user.id,
        "username": user.username,
        "roles": users::roles(tx, user.id)?,
        "isActive": !matches!(change_type, ChangeType::Delete),
    });
    let change = (change_type, ObjectType::User, user.id, record_id);
    crate::record_of_tenant(tx, TenantId::SERVER, caller, now, change, &snapshot)
}
