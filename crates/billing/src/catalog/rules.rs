//! How subscriptions begin, change and end: lists of cases, of which the first that applies decides. Where none does,
//! the answer is Kill Bill's.

use super::terms::{
    ActionPolicy, BillingAlignment, BillingPeriod, ChangeAlignment, CreateAlignment, PhaseType,
    ProductCategory,
};

/// The rules of a catalog, each list in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// When a change takes effect.
    pub change_policy: Vec<Case<ActionPolicy>>,
    /// How the phases are laid out after a change.
    pub change_alignment: Vec<Case<ChangeAlignment>>,
    /// When a cancellation takes effect.
    pub cancel_policy: Vec<Case<ActionPolicy>>,
    /// How the phases are laid out at the beginning.
    pub create_alignment: Vec<Case<CreateAlignment>>,
    /// Whose bill cycle day counts.
    pub billing_alignment: Vec<Case<BillingAlignment>>,
    /// The price list of a change that names none.
    pub price_list: Vec<Case<String>>,
}

/// What is decided when the criteria are met.
#[derive(Clone, Debug, PartialEq)]
pub struct Case<T> {
    /// All of them must be met.
    pub criteria: Criteria,
    /// The decision.
    pub decision: T,
}

/// What must be so; what is none does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    /// The phase that the subscription is in.
    pub phase_type: Option<PhaseType>,
    /// What the subscription is to, before a change.
    pub from: Selector,
    /// What it changes to.
    pub to: Selector,
}

/// Some plans. In a question it says everything; in a case what must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Name of the product.
    pub product: Option<String>,
    /// Its category.
    pub category: Option<ProductCategory>,
    /// The period of the plan.
    pub billing_period: Option<BillingPeriod>,
    /// Name of the price list.
    pub price_list: Option<String>,
}

impl Selector {
    fn covers(&self, asked: &Selector) -> bool {
        agrees(&self.product, &asked.product)
            && agrees(&self.category, &asked.category)
            && agrees(&self.billing_period, &asked.billing_period)
            && agrees(&self.price_list, &asked.price_list)
    }
}

fn agrees<T: PartialEq>(wanted: &Option<T>, given: &Option<T>) -> bool {
    wanted.is_none() || wanted == given
}

impl Criteria {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Criteria::default()
    }

    fn cover(&self, asked: &Criteria) -> bool {
        agrees(&self.phase_type, &asked.phase_type)
            && self.from.covers(&asked.from)
            && self.to.covers(&asked.to)
    }
}

fn decide<'a, T>(cases: &'a [Case<T>], asked: &Criteria) -> Option<&'a T> {
    cases.iter().find(|case| case.criteria.cover(asked)).map(|case| &case.decision)
}

impl Rules {
    /// When such a change takes effect.
    pub fn change_policy(&self, asked: &Criteria) -> ActionPolicy {
        decide(&self.change_policy, asked).copied().unwrap_or(ActionPolicy::EndOfTerm)
    }

    /// How the phases are laid out after such a change.
    pub fn change_alignment(&self, asked: &Criteria) -> ChangeAlignment {
        decide(&self.change_alignment, asked).copied().unwrap_or(ChangeAlignment::StartOfBundle)
    }

    /// When a cancellation takes effect. The phase is not looked at: a case that names one never applies.
    pub fn cancel_policy(&self, asked: &Selector) -> ActionPolicy {
        let asked = Criteria { phase_type: None, from: asked.clone(), to: Selector::default() };
        decide(&self.cancel_policy, &asked).copied().unwrap_or(ActionPolicy::EndOfTerm)
    }

    /// How the phases of a new subscription are laid out.
    pub fn create_alignment(&self, asked: &Selector) -> CreateAlignment {
        let asked = Criteria { phase_type: None, from: asked.clone(), to: Selector::default() };
        decide(&self.create_alignment, &asked).copied().unwrap_or(CreateAlignment::StartOfBundle)
    }

    /// Whose bill cycle day counts for a plan in a phase.
    pub fn billing_alignment(&self, phase_type: PhaseType, asked: &Selector) -> BillingAlignment {
        let asked = Criteria { phase_type: Some(phase_type), from: asked.clone(), to: Selector::default() };
        decide(&self.billing_alignment, &asked).copied().unwrap_or(BillingAlignment::Account)
    }

    /// The price list for a change from such a plan that names none; none: the present one.
    pub fn price_list(&self, asked: &Selector) -> Option<&str> {
        let asked = Criteria { phase_type: None, from: asked.clone(), to: Selector::default() };
        decide(&self.price_list, &asked).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(name: &str) -> Selector {
        Selector { product: Some(name.to_owned()), ..Selector::default() }
    }

    #[test]
    fn the_first_case_that_applies_decides() {
        let case = |from: Selector, to: Selector, decision| Case {
            criteria: Criteria { phase_type: None, from, to },
            decision,
        };
        let rules = Rules {
            change_policy: vec![
                case(product("Gold"), product("Basic"), ActionPolicy::Illegal),
                case(Selector::default(), product("Gold"), ActionPolicy::Immediate),
                case(Selector::default(), Selector::default(), ActionPolicy::StartOfTerm),
            ],
            ..Rules::default()
        };
        let change = |from, to| {
            rules.change_policy(&Criteria { phase_type: None, from: product(from), to: product(to) })
        };
        assert_eq!(change("Gold", "Basic"), ActionPolicy::Illegal);
        assert_eq!(change("Basic", "Gold"), ActionPolicy::Immediate);
        assert_eq!(change("Basic", "Lite"), ActionPolicy::StartOfTerm);
    }

    #[test]
    fn where_no_case_applies_the_answer_is_kill_bills() {
        let rules = Rules::default();
        assert_eq!(rules.change_policy(&Criteria::default()), ActionPolicy::EndOfTerm);
        assert_eq!(rules.change_alignment(&Criteria::default()), ChangeAlignment::StartOfBundle);
        assert_eq!(rules.cancel_policy(&Selector::default()), ActionPolicy::EndOfTerm);
        assert_eq!(rules.create_alignment(&Selector::default()), CreateAlignment::StartOfBundle);
        assert_eq!(rules.billing_alignment(PhaseType::Trial, &product("x")), BillingAlignment::Account);
        assert_eq!(rules.price_list(&Selector::default()), None);
    }

    #[test]
    fn a_cancellation_in_a_trial_is_not_told_from_others() {
        let in_trial = Criteria { phase_type: Some(PhaseType::Trial), ..Criteria::default() };
        let rules = Rules {
            cancel_policy: vec![Case { criteria: in_trial, decision: ActionPolicy::Immediate }],
            ..Rules::default()
        };
        assert_eq!(rules.cancel_policy(&Selector::default()), ActionPolicy::EndOfTerm);
    }
}
