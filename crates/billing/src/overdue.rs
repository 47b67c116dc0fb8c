//! Overdue states: what becomes of an account that does not pay in time.

/// Kill Bill's name of the state in which nothing is overdue.
pub const CLEAR_STATE: &str = "__KILLBILL__CLEAR__OVERDUE_STATE__";

/// Days between the attempts to collect a payment that failed, where a tenant says nothing else.
pub const PAYMENT_RETRY_DAYS: [i64; 3] = [8, 8, 8];

/// Where an account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueState {
    /// Its name.
    pub name: String,
    /// What the customer is told.
    pub external_message: String,
    /// Whether the services bought may not be used and plans may not change.
    pub is_disable_entitlement_and_changes_blocked: bool,
    /// Whether plans may not change.
    pub is_block_changes: bool,
    /// Whether nothing is overdue.
    pub is_clear_state: bool,
    /// Days until the account is looked at again; none when nothing calls for it.
    pub reevaluation_interval_days: Option<i64>,
}

impl OverdueState {
    /// The state in which nothing is overdue.
    pub fn clear() -> OverdueState {
        OverdueState {
            name: CLEAR_STATE.to_owned(),
            external_message: String::new(),
            is_disable_entitlement_and_changes_blocked: false,
            is_block_changes: false,
            is_clear_state: true,
            reevaluation_interval_days: None,
        }
    }
}

/// The days of a tenant's setting, such as `8,8,8`; none when it is not a list of whole numbers of days.
pub fn parse_retry_days(setting: &str) -> Option<Vec<i64>> {
    let day = |text: &str| text.trim().parse().ok().filter(|days| *days >= 0);
    setting.split(',').filter(|text| !text.trim().is_empty()).map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_days_are_whole_numbers_between_commas() {
        for (setting, days) in [
            ("8,8,8", Some(vec![8, 8, 8])),
            (" 1, 3 ,10", Some(vec![1, 3, 10])),
            ("0", Some(vec![0])),
            ("", Some(vec![])),
            ("8,x", None),
            ("-1", None),
            ("1.5", None),
        ] {
            assert_eq!(parse_retry_days(setting), days, "{setting:?}");
        }
    }
}
