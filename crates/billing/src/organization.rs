//! Organizations: nodes of a tree whose top is billed for all beneath it.

use crate::Refusal;
use crate::account::AccountStatus;
use crate::blocking::{self, BlockingState};
use crate::text::check_text;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// Most levels of organizations beneath organizations.
pub const TREE_DEPTH_LIMIT: usize = 32;

/// Longest name of an organization, in characters.
pub const NAME_LIMIT: usize = 100;

/// An organization as the book holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// Its id: what the claim `id` of a token names.
    pub id: Uuid,
    /// Name for people.
    pub name: String,
    /// The organization above it; none at the top of a tree.
    pub parent_id: Option<Uuid>,
    /// The user who owns it.
    pub owner_id: Option<Uuid>,
    /// Its billing account; only the top of a tree has one.
    pub account_id: Option<Uuid>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Refuses a name that is blank or too long.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::FieldMissing { field: "name" });
    }
    check_text("name", name, NAME_LIMIT, false)
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
