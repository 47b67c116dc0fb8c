//! Blocking states: what services say about an account, a bundle or a subscription from some instant on, and what is
//! blocked because of it.

use crate::Refusal;
use crate::text::check_text;
use jiff::Timestamp;
use serde::Serialize;
use std::str::FromStr;
use uuid::Uuid;

/// Longest name of a state, in characters.
pub const STATE_NAME_LIMIT: usize = 50;

/// Longest name of a service, in characters.
pub const SERVICE_LIMIT: usize = 20;

/// The service that speaks for the rules of entitlement; nobody else may.
pub const ENTITLEMENT_SERVICE: &str = "entitlement-service";

/// The states that only the rules of entitlement set.
pub const ENTITLEMENT_STATES: [&str; 3] = ["ENT_CANCELLED", "ENT_BLOCKED", "ENT_CLEAR"];

/// The service that blocks accounts because they have not paid in time.
pub const OVERDUE_SERVICE: &str = "overdue-service";

/// The service that closes accounts.
pub const ACCOUNT_SERVICE: &str = "account-service";

/// The state of a closed account.
pub const CLOSED_ACCOUNT_STATE: &str = "CLOSE_ACCOUNT";

/// What can be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum BlockedType {
    Subscription,
    SubscriptionBundle,
    Account,
}

impl BlockedType {
    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            BlockedType::Subscription => "SUBSCRIPTION",
            BlockedType::SubscriptionBundle => "SUBSCRIPTION_BUNDLE",
            BlockedType::Account => "ACCOUNT",
        }
    }
}

impl FromStr for BlockedType {
    type Err = ();
    fn from_str(name: &str) -> Result<BlockedType, ()> {
        [BlockedType::Subscription, BlockedType::SubscriptionBundle, BlockedType::Account]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(())
    }
}

/// What is blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// Whether plans may not change.
    pub change: bool,
    /// Whether the services bought may not be used.
    pub entitlement: bool,
    /// Whether nothing is billed.
    pub billing: bool,
}

impl Blocked {
    /// Blocked by either.
    #[must_use]
    pub fn or(self, other: Blocked) -> Blocked {
        Blocked {
            change: self.change || other.change,
            entitlement: self.entitlement || other.entitlement,
            billing: self.billing || other.billing,
        }
    }
}

/// A request to set a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBlockingState {
    /// Name of the state; required.
    pub state_name: Option<String>,
    /// The service that says so; required.
    pub service: Option<String>,
    /// What it blocks.
    pub blocked: Blocked,
}

/// A state as a service may set it: its name, the service, what it blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Name of the state.
    pub state_name: String,
    /// The service that says so.
    pub service: String,
    /// What it blocks.
    pub blocked: Blocked,
}

impl ServiceState {
    /// The state of a closed account: nothing of it may change any more.
    pub fn closed_account() -> ServiceState {
        ServiceState {
            state_name: CLOSED_ACCOUNT_STATE.to_owned(),
            service: ACCOUNT_SERVICE.to_owned(),
            blocked: Blocked { change: true, ..Blocked::default() },
        }
    }

    /// A state that a caller asks for. Refuses missing, reserved and too long names.
    pub fn requested(new: &NewBlockingState) -> Result<ServiceState, Refusal> {
        let invalid =
            |what: &str| Refusal::BlockingStateInvalid { why: format!("Need to specify a valid {what}") };
        let service = new.service.as_deref().filter(|name| *name != ENTITLEMENT_SERVICE);
        let service = service.ok_or_else(|| invalid("serviceName"))?;
        let state_name = new.state_name.as_deref().filter(|name| !ENTITLEMENT_STATES.contains(name));
        let state_name = state_name.ok_or_else(|| invalid("stateName"))?;
        check_text("stateName", state_name, STATE_NAME_LIMIT, false)?;
        check_text("service", service, SERVICE_LIMIT, false)?;
        let (state_name, service) = (state_name.to_owned(), service.to_owned());
        Ok(ServiceState { state_name, service, blocked: new.blocked })
    }
}

/// A state that the book holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockingState {
    /// Its id.
    pub id: Uuid,
    /// The account of what is blocked.
    pub account_id: Uuid,
    /// What is blocked: an account, bundle or subscription.
    pub blocked_id: Uuid,
    /// Which of these.
    pub blocked_type: BlockedType,
    /// The service that set it. The states of one service about one thing follow each other.
    pub service: String,
    /// Its name, such as `OVERDUE`.
    pub state_name: String,
    /// Whether plans may not change.
    pub is_block_change: bool,
    /// Whether the services bought may not be used.
    pub is_block_entitlement: bool,
    /// Whether nothing is billed.
    pub is_block_billing: bool,
    /// From when on it holds, until the next state of the same service.
    pub effective_at: Timestamp,
    /// False once another state has taken its place.
    pub is_active: bool,
}

impl BlockingState {
    /// What it blocks.
    pub fn blocked(&self) -> Blocked {
        Blocked {
            change: self.is_block_change,
            entitlement: self.is_block_entitlement,
            billing: self.is_block_billing,
        }
    }

    fn says(&self, state: &ServiceState) -> bool {
        self.service == state.service && self.state_name == state.state_name
    }
}

/// What becomes of a state that is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It holds then already: nothing is to be stored.
    Holds,
    /// It is to be stored.
    Add {
        /// Index of the next state, which says the same later and so says nothing any more.
        instead_of: Option<usize>,
    },
}

/// Where a state goes in a stream: the active states of one service about one thing, by instant, those of the same
/// instant in the order in which they were set. A stream never says the same twice in a row.
pub fn place(stream: &[BlockingState], state: &ServiceState, effective_at: Timestamp) -> Placement {
    let after = stream.partition_point(|other| other.effective_at <= effective_at);
    let says_the_same = |index: usize| stream.get(index).is_some_and(|other| other.says(state));
    if after.checked_sub(1).is_some_and(says_the_same) {
        return Placement::Holds;
    }
    Placement::Add { instead_of: Some(after).filter(|next| says_the_same(*next)) }
}

/// The states in force at an instant: of each service and thing the one that took effect last. `states` are the
/// active ones in the order in which they were set; of two that take effect at the same instant the later one holds.
pub fn in_force(states: &[BlockingState], at: Timestamp) -> Vec<&BlockingState> {
    let mut held: Vec<&BlockingState> = Vec::new();
    for state in states.iter().filter(|state| state.effective_at <= at) {
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

/// What is blocked at an instant: one state in force that blocks is enough.
pub fn blocked_at(states: &[BlockingState], at: Timestamp) -> Blocked {
    in_force(states, at).into_iter().map(BlockingState::blocked).fold(Blocked::default(), Blocked::or)
}

/// How a state changes what is blocked when it begins to hold: what was blocked before, and since. `states` are all
/// active ones of the same thing, in the order of their instants.
pub fn transition(states: &[BlockingState], id: Uuid) -> Option<(Blocked, Blocked)> {
    let position = states.iter().position(|state| state.id == id)?;
    let at = states[position].effective_at;
    Some((blocked_at(&states[..position], at), blocked_at(&states[..=position], at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn named(service: &str, state_name: &str, blocked: Blocked) -> ServiceState {
        ServiceState { state_name: state_name.into(), service: service.into(), blocked }
    }

    fn instant(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn held(state: &ServiceState, second: i64) -> BlockingState {
        BlockingState {
            id: Uuid::new_v4(),
            account_id: Uuid::nil(),
            blocked_id: Uuid::nil(),
            blocked_type: BlockedType::Account,
            service: state.service.clone(),
            state_name: state.state_name.clone(),
            is_block_change: state.blocked.change,
            is_block_entitlement: state.blocked.entitlement,
            is_block_billing: state.blocked.billing,
            effective_at: instant(second),
            is_active: true,
        }
    }

    /// Sets states one after the other as the book does, each service in a stream of its own.
    fn set_all(requests: &[(ServiceState, i64)]) -> Vec<BlockingState> {
        let mut streams: BTreeMap<String, Vec<BlockingState>> = BTreeMap::new();
        for (state, second) in requests {
            let stream = streams.entry(state.service.clone()).or_default();
            if let Placement::Add { instead_of } = place(stream, state, instant(*second)) {
                if let Some(index) = instead_of {
                    stream.remove(index);
                }
                let at = stream.partition_point(|other| other.effective_at <= instant(*second));
                stream.insert(at, held(state, *second));
            }
        }
        let mut all: Vec<_> = streams.into_values().flatten().collect();
        all.sort_by_key(|state| state.effective_at);
        all
    }

    #[test]
    fn reserved_and_missing_names_are_refused() {
        let ask = |state_name: Option<&str>, service: Option<&str>| {
            ServiceState::requested(&NewBlockingState {
                state_name: state_name.map(str::to_owned),
                service: service.map(str::to_owned),
                blocked: Blocked::default(),
            })
        };
        assert!(ask(Some("S"), Some("svc")).is_ok());
        assert!(ask(Some("ENT_STARTED"), Some("account-service")).is_ok());
        let invalid = |what: &str| {
            Err(Refusal::BlockingStateInvalid { why: format!("Need to specify a valid {what}") })
        };
        assert_eq!(ask(Some("S"), None), invalid("serviceName"));
        assert_eq!(ask(Some("S"), Some("entitlement-service")), invalid("serviceName"));
        for state_name in [None, Some("ENT_CANCELLED"), Some("ENT_BLOCKED"), Some("ENT_CLEAR")] {
            assert_eq!(ask(state_name, Some("svc")), invalid("stateName"));
        }
        assert!(ask(Some(&"é".repeat(50)), Some(&"é".repeat(20))).is_ok());
        assert!(ask(Some(&"é".repeat(51)), Some("svc")).is_err());
        assert!(ask(Some("S"), Some(&"é".repeat(21))).is_err());
    }

    /// The two scenarios of Kill Bill's manual.
    #[test]
    fn the_latest_state_of_each_service_counts() {
        let billing = Blocked { billing: true, ..Blocked::default() };
        let entitlement = Blocked { entitlement: true, ..Blocked::default() };
        let nothing = Blocked::default();
        let one_service = set_all(&[
            (named("A", "S1", billing), 1),
            (named("A", "S2", entitlement), 2),
            (named("A", "S3", nothing), 3),
            (named("A", "S3", nothing), 4),
        ]);
        let two_services = set_all(&[
            (named("A", "S1", billing), 1),
            (named("B", "S1", entitlement), 2),
            (named("A", "S2", nothing), 3),
            (named("B", "S2", nothing), 4),
        ]);
        let both = billing.or(entitlement);
        let cases = [
            (0, nothing, nothing),
            (1, billing, billing),
            (2, entitlement, both),
            (3, nothing, entitlement),
            (4, nothing, nothing),
        ];
        for (second, with_one, with_two) in cases {
            assert_eq!(blocked_at(&one_service, instant(second)), with_one, "one service at {second}");
            assert_eq!(blocked_at(&two_services, instant(second)), with_two, "two services at {second}");
        }
        assert_eq!(one_service.len(), 3, "the second S3 says nothing new");
    }

    /// As Kill Bill has it: a name stands for what it blocks.
    #[test]
    fn a_state_of_the_same_name_is_the_same_state_whatever_it_blocks() {
        let (one, other) = (
            named("A", "S", Blocked { change: true, ..Blocked::default() }),
            named("A", "S", Blocked::default()),
        );
        let stream = set_all(&[(one, 10)]);
        assert_eq!(place(&stream, &other, instant(20)), Placement::Holds);
        assert_eq!(place(&stream, &other, instant(5)), Placement::Add { instead_of: Some(0) });
    }

    #[test]
    fn a_state_set_before_its_like_takes_its_place() {
        let (one, two) = (named("A", "S1", Blocked::default()), named("A", "S2", Blocked::default()));
        let stream = set_all(&[(one.clone(), 10), (two.clone(), 20)]);
        assert_eq!(place(&stream, &one, instant(5)), Placement::Add { instead_of: Some(0) });
        assert_eq!(place(&stream, &one, instant(10)), Placement::Holds);
        assert_eq!(place(&stream, &one, instant(15)), Placement::Holds);
        assert_eq!(place(&stream, &two, instant(10)), Placement::Add { instead_of: Some(1) });
        assert_eq!(place(&stream, &one, instant(20)), Placement::Add { instead_of: None });
    }

    #[test]
    fn what_takes_effect_counts_not_what_was_set_last() {
        let blocked = Blocked { change: true, ..Blocked::default() };
        let (new, old) = (held(&named("A", "NEW", blocked), 5), held(&named("A", "OLD", blocked), 2));
        let names = |states: &[BlockingState]| {
            in_force(states, instant(6)).iter().map(|state| state.state_name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&[new.clone(), old.clone()]), ["NEW"]);
        let same_time = BlockingState { effective_at: instant(5), ..old.clone() };
        assert_eq!(names(&[new.clone(), same_time]), ["OLD"]);
        let of_another = BlockingState { blocked_id: Uuid::max(), ..old };
        assert_eq!(names(&[new, of_another]), ["NEW", "OLD"]);
    }

    #[test]
    fn a_transition_says_what_is_blocked_before_and_since() {
        let billing = Blocked { billing: true, ..Blocked::default() };
        let states = [held(&named("A", "S1", billing), 1), held(&named("A", "S2", Blocked::default()), 2)];
        assert_eq!(transition(&states, states[0].id), Some((Blocked::default(), billing)));
        assert_eq!(transition(&states, states[1].id), Some((billing, Blocked::default())));
        assert_eq!(transition(&states, Uuid::nil()), None);
    }

    fn requests() -> impl Strategy<Value = Vec<(ServiceState, i64)>> {
        let request = (0..3u8, 0..8u8, 0..12i64).prop_map(|(service, name, second)| {
            let blocked = Blocked { change: name & 1 > 0, entitlement: name & 2 > 0, billing: name & 4 > 0 };
            (named(&format!("service-{service}"), &format!("S{name}"), blocked), second)
        });
        prop::collection::vec(request, 0..20)
    }

    proptest! {
        /// Of states set in the order of their instants, leaving out what says nothing new changes nothing that is
        /// blocked.
        #[test]
        fn collapsing_loses_nothing(mut requests in requests(), at in 0..12i64) {
            requests.sort_by_key(|(_, second)| *second);
            let collapsed = set_all(&requests);
            let mut whole: Vec<_> = requests.iter().map(|(state, second)| held(state, *second)).collect();
            whole.sort_by_key(|state| state.effective_at);
            prop_assert_eq!(blocked_at(&collapsed, instant(at)), blocked_at(&whole, instant(at)));
        }

        /// No stream says the same twice in a row.
        #[test]
        fn streams_never_repeat_themselves(requests in requests()) {
            let states = set_all(&requests);
            for service in ["service-0", "service-1", "service-2"] {
                let stream: Vec<_> = states.iter().filter(|state| state.service == service).collect();
                let repeats = |pair: &[&BlockingState]| pair[0].state_name == pair[1].state_name;
                prop_assert!(!stream.windows(2).any(repeats));
            }
        }
    }
}
