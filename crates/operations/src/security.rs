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
    let new = NewUser {
        username: "admin".to_owned(),
        password_hash: password_hash.to_owned(),
        roles: vec![role::ROOT.to_owned()],
    };
    match create_user(tx, caller, now, &new) {
        Err(Error::Refused(Refusal::UserTaken { .. })) => return Ok(false),
        made => made?,
    }
    define_root(tx, caller, now)?;
    Ok(true)
}

fn define_root(tx: &mut dyn Connection, caller: &Caller, now: Timestamp) -> Outcome<()> {
    keep_role(tx, caller, now, ChangeType::Update, (role::ROOT, &["*:*".to_owned()]))
}

/// Lets a user who was locked out, or deleted, do everything again under a new password: he is active, has the role
/// root, which permits what it must, and his sessions end. For the command line alone, which needs no login. Refuses a
/// name that nobody ever had.
pub fn reset_admin(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    username: &str,
    password_hash: &str,
) -> Outcome<()> {
    define_root(tx, caller, now)?;
    if !users::reactivate(tx, TenantId::SERVER, username, now)? {
        return Err(Refusal::UserUnknown { username: username.to_owned() }.into());
    }
    let (_, user) = lock(tx, username)?;
    let mut roles = users::roles(tx, user.id)?;
    if !roles.iter().any(|name| name == role::ROOT) {
        roles.push(role::ROOT.to_owned());
        users::set_roles(tx, user.id, &roles)?;
    }
    set_password(tx, caller, now, username, password_hash)
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
    let (record_id, user) = if roles.iter().any(|name| name == role::ROOT) {
        lock(tx, username)?
    } else {
        lock_for_loss_of_root(tx, username)?
    };
    users::set_roles(tx, user.id, roles)?;
    record(tx, caller, now, ChangeType::Update, (record_id, &user))
}

/// Deletes a user: he cannot log in any more, his sessions end, and his name stays taken.
pub fn delete_user(tx: &mut dyn Connection, caller: &Caller, now: Timestamp, username: &str) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    let (record_id, user) = lock_for_loss_of_root(tx, username)?;
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

/// Locks a user who is to have the role root no more. Refuses the last active one: nobody could manage the server then.
fn lock_for_loss_of_root(tx: &mut dyn Connection, username: &str) -> Outcome<(i64, User)> {
    // First the role, whose row keeps two such changes apart, then the user.
    users::lock_role(tx, role::ROOT)?;
    let (record_id, user) = lock(tx, username)?;
    let is_root = users::roles(tx, user.id)?.iter().any(|name| name == role::ROOT);
    if is_root && !users::another_has_role(tx, role::ROOT, user.id)? {
        return Err(Refusal::UserIsLastRoot { username: username.to_owned() }.into());
    }
    Ok((record_id, user))
}

/// Defines a role. Refuses one that permits something already, and the server's own.
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
    if name == role::ROOT || !users::role(tx, name)?.is_empty() {
        return Err(Refusal::RoleTaken { role: name.to_owned() }.into());
    }
    keep_role(tx, caller, now, ChangeType::Insert, (name, &permissions))
}

/// Replaces what a role permits, or defines it. Refuses the server's own.
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
    if name == role::ROOT {
        return Err(Refusal::RoleReserved { role: name.to_owned() }.into());
    }
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
