//! What a business sells: products, their plans with prices, and the rules of changing between them. One version of a
//! catalog holds from its effective date until that of the next.

mod check;
mod listing;
mod read;
mod rules;
mod simple_plan;
mod terms;
mod write;

pub use check::{Problem, check, check_together};
pub use listing::{Listing, available_add_ons, available_base_plans};
pub use read::read;
pub use rules::{Case, Criteria, Rules, Selector};
pub use simple_plan::{SimplePlan, empty, with_simple_plan};
pub use terms::{
    ActionPolicy, BillingAlignment, BillingMode, BillingPeriod, BlockType, ChangeAlignment, CreateAlignment,
    FixedType, PhaseType, ProductCategory, Term, TierBlockPolicy, TimeUnit, UsageType,
};
pub use write::{write, write_all};

use crate::Currency;
use jiff::Timestamp;
use rust_decimal::Decimal;

/// The name of the price list that every catalog has.
pub const DEFAULT_PRICE_LIST: &str = "DEFAULT";

/// One version of a catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    /// The same in all versions.
    pub name: String,
    /// From when it holds.
    pub effective_at: Timestamp,
    /// How plans are charged that do not say it themselves.
    pub billing_mode: Option<BillingMode>,
    /// The currencies that prices may be in.
    pub currencies: Vec<Currency>,
    /// What use is counted in.
    pub units: Vec<Named>,
    /// What is sold.
    pub products: Vec<Product>,
    /// How subscriptions begin, change and end.
    pub rules: Rules,
    /// How products are sold.
    pub plans: Vec<Plan>,
    /// Which plans are offered together; [`DEFAULT_PRICE_LIST`] is the first.
    pub price_lists: Vec<PriceList>,
}

/// A name for programs, and one for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// For programs.
    pub name: String,
    /// For people; the same unless told.
    pub pretty_name: String,
}

impl Named {
    /// The same name for both.
    pub fn new(name: &str) -> Named {
        Named { name: name.to_owned(), pretty_name: name.to_owned() }
    }
}

/// What is sold.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Its names.
    pub named: Named,
    /// How it is bought.
    pub category: ProductCategory,
    /// Names of the add-ons that come with it and cannot be bought.
    pub included: Vec<String>,
    /// Names of the add-ons that may be bought for it.
    pub available: Vec<String>,
    /// What it allows of a unit.
    pub limits: Vec<Limit>,
}

/// How much of a unit there may be; none is no bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Name of the unit.
    pub unit: String,
    /// The most.
    pub max: Option<Decimal>,
    /// The least.
    pub min: Option<Decimal>,
}

/// A way of selling a product.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its names.
    pub named: Named,
    /// From when subscriptions of earlier versions are charged by this one; none: never.
    pub effective_for_existing_at: Option<Timestamp>,
    /// Name of the product.
    pub product: String,
    /// When its periods are charged; none: as the catalog says.
    pub billing_mode: Option<BillingMode>,
    /// Its phases in order, the last one being the final.
    pub phases: Vec<Phase>,
    /// How many subscriptions to it a bundle may have; none is no bound.
    pub allowed_in_bundle: Option<u32>,
}

impl Plan {
    /// The phase that it ends in.
    pub fn final_phase(&self) -> Option<&Phase> {
        self.phases.last()
    }

    /// The period of its final phase.
    pub fn billing_period(&self) -> BillingPeriod {
        let recurring = self.final_phase().and_then(|phase| phase.recurring.as_ref());
        recurring.map_or(BillingPeriod::None, |recurring| recurring.billing_period)
    }

    /// The name of one of its phases.
    pub fn phase_name(&self, phase: &Phase) -> String {
        format!("{}-{}", self.named.name, phase.phase_type.suffix())
    }
}

/// A stretch of a plan with prices of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its kind.
    pub phase_type: PhaseType,
    /// Its name for people, where it has one.
    pub pretty_name: Option<String>,
    /// How long it lasts.
    pub duration: Duration,
    /// What is paid when it begins.
    pub fixed: Option<Fixed>,
    /// What is paid again and again.
    pub recurring: Option<Recurring>,
    /// What is paid for use.
    pub usages: Vec<Usage>,
}

/// A length of time by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    /// What it is counted in.
    pub unit: TimeUnit,
    /// How many of them; none when it does not end.
    pub number: Option<i32>,
}

/// A price paid once.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    /// What for.
    pub fixed_type: FixedType,
    /// How much; empty is 0 in every currency.
    pub prices: Vec<Price>,
}

/// A price paid for each period.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurring {
    /// How often.
    pub billing_period: BillingPeriod,
    /// How much; none where the element is missing, empty is 0 in every currency.
    pub prices: Option<Vec<Price>>,
}

/// An amount in a currency, with the decimals it was given with.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// The currency.
    pub currency: Currency,
    /// The amount, 0 or more.
    pub value: Decimal,
}

/// A price for use.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Its names.
    pub named: Named,
    /// Whether it is paid before or after.
    pub billing_mode: BillingMode,
    /// What is counted.
    pub usage_type: UsageType,
    /// Which tiers count.
    pub tier_block_policy: TierBlockPolicy,
    /// Over which period it is counted.
    pub billing_period: BillingPeriod,
    /// What may be used, paid in advance.
    pub limits: Vec<Limit>,
    /// What is bought in advance.
    pub blocks: Vec<Block>,
    /// Prices by quantity, paid afterwards.
    pub tiers: Vec<Tier>,
    /// A price paid once.
    pub fixed_price: Option<Vec<Price>>,
    /// A price for each period.
    pub recurring_price: Option<Vec<Price>>,
}

/// Prices up to some quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// How much capacity it is for.
    pub limits: Vec<Limit>,
    /// What consumables cost in it.
    pub blocks: Vec<Block>,
    /// A price paid once.
    pub fixed_price: Option<Vec<Price>>,
    /// What its capacity costs for each period.
    pub recurring_price: Option<Vec<Price>>,
}

/// A number of units that have a price together.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// How it is bought.
    pub block_type: BlockType,
    /// Name of the unit.
    pub unit: String,
    /// How many units.
    pub size: Decimal,
    /// What they cost.
    pub prices: Vec<Price>,
    /// Below which credit another is bought.
    pub min_top_up_credit: Option<Decimal>,
    /// How many blocks its tier goes to; none is no bound.
    pub max: Option<Decimal>,
}

/// Plans that are offered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList {
    /// Its names.
    pub named: Named,
    /// Names of its plans.
    pub plans: Vec<String>,
}

impl Catalog {
    /// The product of this name.
    pub fn product(&self, name: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.named.name == name)
    }

    /// The plan of this name.
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.named.name == name)
    }

    /// The price list of this name.
    pub fn price_list(&self, name: &str) -> Option<&PriceList> {
        self.price_lists.iter().find(|list| list.named.name == name)
    }

    /// The price list of a plan: the first that has it.
    pub fn price_list_of(&self, plan: &str) -> Option<&PriceList> {
        self.price_lists.iter().find(|list| list.plans.iter().any(|listed| listed == plan))
    }

    /// Whether nothing is sold, as in the catalog that a new tenant gets.
    pub fn is_empty(&self) -> bool {
        self.plans.is_empty() && self.products.is_empty()
    }

    /// Puts names where they must be sorted: products, plans, add-ons and the plans of price lists.
    fn sort(&mut self) {
        self.products.sort_by(|one, other| one.named.name.cmp(&other.named.name));
        for product in &mut self.products {
            product.included.sort();
            product.available.sort();
        }
        self.plans.sort_by(|one, other| one.named.name.cmp(&other.named.name));
        for list in &mut self.price_lists {
            list.plans.sort();
        }
    }
}
