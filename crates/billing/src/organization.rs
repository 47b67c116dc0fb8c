//! Organizations: nodes of a tree whose top is billed for all beneath it.

use crate::Refusal;
use crate::account::{Account, AccountStatus};
use crate::blocking::{self, BlockingState};
use crate::text::{check_country, check_email, check_line, check_text};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// Most levels of organizations beneath organizations.
pub const TREE_DEPTH_LIMIT: usize = 32;

/// Longest name of an organization, in characters.
pub const NAME_LIMIT: usize = 100;

/// Longest slug of an organization, in characters.
pub const SLUG_LIMIT: usize = 50;

/// What an organization is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A company, or any other body of people.
    Organization,
    /// One person: its slug is the name of its user.
    Personal,
}

impl Kind {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Organization => "organization",
            Kind::Personal => "personal",
        }
    }

    /// The kind of this name.
    pub fn known(name: &str) -> Option<Kind> {
        [Kind::Organization, Kind::Personal].into_iter().find(|kind| kind.name() == name)
    }
}

/// How to reach an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Street and number.
    pub street_address: Option<String>,
    /// City.
    pub locality: Option<String>,
    /// State or province.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
}

/// An organization as the book holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// Its id: what the claim `id` of a token names.
    pub id: Uuid,
    /// Its name in addresses, unique in the tenant: 1 to 50 letters, digits, `-` and `_`.
    pub slug: String,
    /// What it is.
    pub kind: Kind,
    /// Name for people; that of the billing account once it has one.
    pub name: String,
    /// The organization above it; none at the top of a tree.
    pub parent_id: Option<Uuid>,
    /// The user who owns it.
    pub owner_id: Option<Uuid>,
    /// Its billing account; only the top of a tree has one.
    pub account_id: Option<Uuid>,
    /// How to reach it; as the billing account says once it has one.
    pub contact: Contact,
    /// IANA name or fixed offset.
    pub time_zone: String,
    /// Whether it offers plans.
    pub is_provider: bool,
    /// Whether it buys for others.
    pub is_bulk_buyer: bool,
    /// Whether nobody gets a role on it by his e-mail address alone.
    pub no_implicit_role: bool,
    /// Address of its picture.
    pub picture: Option<String>,
    /// What callers keep with it, as JSON.
    pub extra: Option<String>,
    /// False once deleted: it is kept for the books.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Organization {
    /// A new organization with nothing but its names.
    pub fn new(id: Uuid, slug: String, kind: Kind, name: String, now: Timestamp) -> Organization {
        Organization {
            id,
            slug,
            kind,
            name,
            parent_id: None,
            owner_id: None,
            account_id: None,
            contact: Contact::default(),
            time_zone: "UTC".to_owned(),
            is_provider: false,
            is_bulk_buyer: false,
            no_implicit_role: false,
            picture: None,
            extra: None,
            is_active: true,
            created_at: now,
            updated_at: now,
        }
    }

    /// The organization of an account that was opened without one. It has the account's id, and its external key for a
    /// slug where that can be one.
    pub fn of_account(account: &Account) -> Organization {
        let key = &account.external_key;
        let slug = if check_slug(key).is_ok() { key.clone() } else { account.id.to_string() };
        let name = account.details.name.clone().unwrap_or_default();
        let mut organization =
            Organization::new(account.id, slug, Kind::Organization, name, account.created_at);
        organization.account_id = Some(account.id);
        organization.time_zone.clone_from(&account.time_zone);
        organization.follow(account);
        organization
    }

    /// Takes over what the billing account says: name, addresses, and whether it still lives. The time zone of an account
    /// is fixed, that of an organization is not.
    pub fn follow(&mut self, account: &Account) {
        let details = &account.details;
        if let Some(name) = &details.name {
            self.name.clone_from(name);
        }
        self.contact = Contact {
            email: details.email.clone(),
            phone: details.phone.clone(),
            street_address: details.address1.clone(),
            locality: details.city.clone(),
            region: details.state.clone(),
            postal_code: details.postal_code.clone(),
            country: details.country.clone(),
        };
        self.is_active = account.status != AccountStatus::Archived;
        self.updated_at = account.updated_at;
    }

    /// What people read: the name, or the slug of an organization without one.
    pub fn printable_name(&self) -> &str {
        if self.name.is_empty() { &self.slug } else { &self.name }
    }
}

/// Refuses a slug that is empty, too long, or has other characters than ASCII letters, digits, `-` and `_`.
pub fn check_slug(slug: &str) -> Result<(), Refusal> {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if slug.is_empty() {
        return Err(Refusal::FieldMissing { field: "slug" });
    }
    if slug.len() > SLUG_LIMIT {
        return Err(Refusal::FieldTooLong { field: "slug", limit: SLUG_LIMIT });
    }
    if !slug.chars().all(is_allowed) {
        return Err(Refusal::invalid("slug", "must be of letters, digits, hyphens and underscores"));
    }
    Ok(())
}

/// A slug made from a name: lower case, what is no ASCII letter or digit becomes one hyphen. Empty when nothing is left.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_LIMIT);
    slug.trim_end_matches('-').to_owned()
}

/// Refuses a name that is blank or too long.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::FieldMissing { field: "name" });
    }
    check_text("name", name, NAME_LIMIT, false)
}

/// Longest e-mail address, in characters.
pub const EMAIL_LIMIT: usize = 254;

/// Checks how to reach an organization, against the limits of DjaoApp's contract. The phone is already E.164.
pub fn check_contact(contact: &Contact) -> Result<(), Refusal> {
    contact.email.as_deref().map_or(Ok(()), |email| check_email("email", email, EMAIL_LIMIT))?;
    check_line("street_address", &contact.street_address, 150)?;
    check_line("locality", &contact.locality, 50)?;
    check_line("region", &contact.region, 50)?;
    check_line("postal_code", &contact.postal_code, 50)?;
    contact.country.as_deref().map_or(Ok(()), |country| check_country("country", country))
}

/// Refuses what is no time zone: an IANA name or a fixed offset.
pub fn check_time_zone(name: &str) -> Result<(), Refusal> {
    check_text("time_zone", name, 100, false)?;
    let zone = crate::time::zone(name);
    zone.map(|_| ()).ok_or_else(|| Refusal::invalid("time_zone", format!("must be a time zone, not {name}")))
}

/// Why an organization may not create a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// An organization above it does not exist, so that nobody would be billed.
    TopOfTreeMissing,
    /// The top of its tree has no billing account.
    NoAccount,
    /// The billing account was archived.
    AccountArchived,
    /// The billing account is blocked for changes or use.
    AccountBlocked,
    /// The same, because it has not paid in time.
    Overdue,
}

impl Obstacle {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Obstacle::TopOfTreeMissing => "top_of_tree_missing",
            Obstacle::NoAccount => "no_account",
            Obstacle::AccountArchived => "account_archived",
            Obstacle::AccountBlocked => "account_blocked",
            Obstacle::Overdue => "overdue",
        }
    }

    /// The reason, for people.
    pub fn message(self) -> &'static str {
        match self {
            Obstacle::TopOfTreeMissing => "The organization at the top of the tree does not exist",
            Obstacle::NoAccount => "You need to create an account first",
            Obstacle::AccountArchived => "The billing account is archived; contact support",
            Obstacle::AccountBlocked => "The billing account is blocked; contact support",
            Obstacle::Overdue => "The billing account is overdue; pay its invoices first",
        }
    }
}

/// What stands against a new service for an account of this status with these blocking states. Only states of the account
/// itself count: a blocked bundle does not keep the account from buying another.
pub fn obstacles_of_account(
    (account_id, status): (Uuid, AccountStatus),
    states: &[BlockingState],
    now: Timestamp,
) -> Vec<Obstacle> {
    let mut obstacles: Vec<Obstacle> = blocking::in_force(states, now)
        .into_iter()
        .filter(|state| state.blocked_id == account_id)
        .filter(|state| state.is_block_change || state.is_block_entitlement)
        .map(|state| match state.service.as_str() {
            blocking::OVERDUE_SERVICE => Obstacle::Overdue,
            _ => Obstacle::AccountBlocked,
        })
        .chain((status == AccountStatus::Archived).then_some(Obstacle::AccountArchived))
        .collect();
    obstacles.sort_unstable();
    obstacles.dedup();
    obstacles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::BlockedType;

    #[test]
    fn names_are_not_blank_and_at_most_100_characters() {
        assert!(check_name("é".repeat(100).as_str()).is_ok());
        for wrong in ["", "  ", "a\u{7}b", "é".repeat(101).as_str()] {
            assert!(check_name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn slugs_are_made_of_names() {
        assert_eq!(slug_of("John & Söhne, Inc."), "john-s-hne-inc");
        assert_eq!(slug_of(&"ab ".repeat(40)).len(), 50);
        assert_eq!(slug_of("東京"), "");
        for right in ["a", "A_b-9", "x".repeat(50).as_str()] {
            assert!(check_slug(right).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "é", "a/b", "x".repeat(51).as_str()] {
            assert!(check_slug(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_states_that_block_the_account_itself_are_in_the_way() {
        let (account_id, now) = (Uuid::from_u128(1), Timestamp::UNIX_EPOCH);
        let active = (account_id, AccountStatus::Active);
        let state = |blocked_id, change, entitlement, billing| BlockingState {
            id: Uuid::nil(),
            account_id,
            blocked_id,
            blocked_type: BlockedType::Account,
            service: "fraud".into(),
            state_name: "X".into(),
            is_block_change: change,
            is_block_entitlement: entitlement,
            is_block_billing: billing,
            effective_at: now,
            is_active: true,
        };
        let found = |state| obstacles_of_account(active, &[state], now);
        assert_eq!(found(state(account_id, true, false, false)), [Obstacle::AccountBlocked]);
        assert_eq!(found(state(account_id, false, true, false)), [Obstacle::AccountBlocked]);
        assert_eq!(found(state(account_id, false, false, true)), []);
        assert_eq!(found(state(Uuid::max(), true, true, true)), []);
        let overdue =
            BlockingState { service: "overdue-service".into(), ..state(account_id, true, true, true) };
        assert_eq!(found(overdue.clone()), [Obstacle::Overdue]);
        let both = [overdue, state(account_id, true, false, false)];
        let obstacles = obstacles_of_account(active, &both, now);
        assert_eq!(obstacles, [Obstacle::AccountBlocked, Obstacle::Overdue]);
        let archived = obstacles_of_account((account_id, AccountStatus::Archived), &[], now);
        assert_eq!(archived, [Obstacle::AccountArchived]);
        assert_eq!(obstacles_of_account((account_id, AccountStatus::Draft), &[], now), []);
    }
}
