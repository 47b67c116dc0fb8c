//! Blocking states: what a service says an account, bundle or subscription may not do, from some instant on.

use jiff::Timestamp;
use uuid::Uuid;

/// The service that blocks accounts because they have not paid in time.
pub const OVERDUE_SERVICE: &str = "overdue-service";

/// One blocking state, as far as the question "what is blocked now?" goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingState {
    /// The account, bundle or subscription that it blocks.
    pub blocked_id: Uuid,
    /// The service that set it. The states of one service for one object follow each other.
    pub service: String,
    /// Its name, such as `OVERDUE`.
    pub state_name: String,
    /// Whether plans may not change.
    pub is_block_change: bool,
    /// Whether the services bought may not be used.
    pub is_block_entitlement: bool,
    /// Whether nothing is billed.
    pub is_block_billing: bool,
    /// From when on.
    pub effective_at: Timestamp,
}

/// The states in force at `now`: of each service and object the one that took effect last. `states` are those that
/// still count, in the order in which they were recorded; of two that take effect at the same instant the later
/// recorded one holds.
pub fn in_force(states: &[BlockingState], now: Timestamp) -> Vec<&BlockingState> {
    let mut held: Vec<&BlockingState> = Vec::new();
    for state in states.iter().filter(|state| state.effective_at <= now) {
        let same = |other: &&mut &BlockingState| {
            other.service == state.service && other.blocked_id == state.blocked_id
        };
        match held.iter_mut().find(same) {
            Some(other) if other.effective_at <= state.effective_at => *other = state,
            Some(_) => {}
            None => held.push(state),
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(service: &str, name: &str, day: i8) -> BlockingState {
        BlockingState {
            blocked_id: Uuid::nil(),
            service: service.into(),
            state_name: name.into(),
            is_block_change: true,
            is_block_entitlement: false,
            is_block_billing: false,
            effective_at: at(day),
        }
    }

    fn at(day: i8) -> Timestamp {
        jiff::civil::date(2024, 3, day).at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
    }

    fn names(states: &[BlockingState], day: i8) -> Vec<&str> {
        in_force(states, at(day)).into_iter().map(|state| state.state_name.as_str()).collect()
    }

    #[test]
    fn the_last_effective_state_of_each_service_holds() {
        let states =
            [state("fraud", "BLOCKED", 2), state("fraud", "CLEAR", 5), state("support", "FROZEN", 3)];
        assert_eq!(names(&states, 1), [] as [&str; 0]);
        assert_eq!(names(&states, 2), ["BLOCKED"]);
        assert_eq!(names(&states, 4), ["BLOCKED", "FROZEN"]);
        assert_eq!(names(&states, 5), ["CLEAR", "FROZEN"]);
    }

    #[test]
    fn what_takes_effect_counts_not_what_was_recorded_last() {
        assert_eq!(names(&[state("fraud", "NEW", 5), state("fraud", "BACKDATED", 2)], 6), ["NEW"]);
        assert_eq!(names(&[state("fraud", "FIRST", 5), state("fraud", "SECOND", 5)], 6), ["SECOND"]);
    }

    #[test]
    fn each_object_has_states_of_its_own() {
        let other = BlockingState { blocked_id: Uuid::max(), ..state("fraud", "BUNDLE", 2) };
        assert_eq!(names(&[state("fraud", "ACCOUNT", 1), other], 6), ["ACCOUNT", "BUNDLE"]);
    }
}
