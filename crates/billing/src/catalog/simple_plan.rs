//! A plan by a few words: a recurring price, perhaps after a free trial.

use super::read::is_name;
use super::rules::{Case, Criteria, Rules};
use super::terms::{
    ActionPolicy, BillingAlignment, BillingMode, BillingPeriod, ChangeAlignment, CreateAlignment, FixedType,
    PhaseType, ProductCategory, TimeUnit,
};
use super::{
    Catalog, DEFAULT_PRICE_LIST, Duration, Fixed, Named, Phase, Plan, Price, PriceList, Product, Recurring,
};
use crate::{Currency, Refusal};
use jiff::Timestamp;
use rust_decimal::Decimal;

/// What is known of the plan. Of a plan that exists, what is none may stay untold.
#[derive(Clone, Debug, Default)]
pub struct SimplePlan {
    /// Name of the plan; required.
    pub plan: Option<String>,
    /// Name of the product; required for a new plan.
    pub product: Option<String>,
    /// How the product is bought; required for a new product.
    pub category: Option<ProductCategory>,
    /// The currency of the price; required.
    pub currency: Option<Currency>,
    /// The price for each period, 0 or more; required.
    pub amount: Option<Decimal>,
    /// The period; required for a new plan.
    pub billing_period: Option<BillingPeriod>,
    /// How long it is free at first; 0 or none is not at all.
    pub trial_length: Option<i32>,
    /// What that is counted in.
    pub trial_unit: Option<TimeUnit>,
    /// For an add-on, the names of the products it may be bought for.
    pub base_products: Vec<String>,
}

fn refuse(why: &str) -> Refusal {
    Refusal::SimplePlanInvalid { why: why.to_owned() }
}

/// The catalog with the plan, or with one more price of it. Refuses what is missing, and what differs from the plan of that
/// name. What comes of it may still have problems ([`super::check`]).
pub fn with_simple_plan(mut catalog: Catalog, simple: &SimplePlan) -> Result<Catalog, Refusal> {
    let name = simple.plan.as_deref().filter(|name| is_name(name));
    let name = name.ok_or_else(|| {
        refuse("planId must begin with a letter and have letters, digits, '.', '-' and '_' alone")
    })?;
    let price = match (simple.currency, simple.amount) {
        (Some(currency), Some(value)) if value >= Decimal::ZERO => Price { currency, value },
        _ => return Err(refuse("a currency and an amount of 0 or more are required")),
    };
    check_bases(&catalog, simple)?;
    match catalog.plans.iter_mut().find(|plan| plan.named.name == name) {
        Some(plan) => add_price(plan, simple, &price)?,
        None => add_plan(&mut catalog, name, simple, &price)?,
    }
    if !catalog.currencies.contains(&price.currency) {
        catalog.currencies.push(price.currency);
    }
    catalog.sort();
    Ok(catalog)
}

fn check_bases(catalog: &Catalog, simple: &SimplePlan) -> Result<(), Refusal> {
    if simple.category == Some(ProductCategory::AddOn) && simple.base_products.is_empty() {
        return Err(refuse("an add-on needs availableBaseProducts"));
    }
    match simple.base_products.iter().find(|base| catalog.product(base).is_none()) {
        Some(base) => Err(refuse(&format!("there is no base product {base}"))),
        None => Ok(()),
    }
}

/// A trial in days, weeks, months or years; none where there is none.
fn trial(simple: &SimplePlan) -> Result<Option<Duration>, Refusal> {
    match (simple.trial_length.unwrap_or(0), simple.trial_unit) {
        (length, _) if length < 0 => Err(refuse("trialLength must not be below 0")),
        (0, _) | (_, Some(TimeUnit::Unlimited)) => Ok(None),
        (_, None) => Err(refuse("trialTimeUnit is missing")),
        (length, Some(unit)) => Ok(Some(Duration { unit, number: Some(length) })),
    }
}

/// Gives a plan that agrees with what is told a price in another currency; the price it has already is left alone.
fn add_price(plan: &mut Plan, simple: &SimplePlan, price: &Price) -> Result<(), Refusal> {
    let differs = |what: &str| refuse(&format!("plan {} has another {what}", plan.named.name));
    let trial_of_plan = match plan.phases.as_slice() {
        [_] => None,
        [Phase { phase_type: PhaseType::Trial, duration, .. }, _] => Some(*duration),
        _ => return Err(refuse(&format!("plan {} is not a simple one", plan.named.name))),
    };
    if simple.trial_length.is_some() && trial(simple)? != trial_of_plan {
        return Err(differs("trial"));
    }
    if simple.product.as_ref().is_some_and(|product| *product != plan.product) {
        return Err(differs("product"));
    }
    if simple.billing_period.is_some_and(|period| period != plan.billing_period()) {
        return Err(differs("billing period"));
    }
    let name = plan.named.name.clone();
    let recurring = plan.phases.last_mut().and_then(|phase| phase.recurring.as_mut());
    let prices = recurring.map(|recurring| recurring.prices.get_or_insert_default());
    let prices = prices.ok_or_else(|| refuse(&format!("plan {name} has no recurring price")))?;
    match prices.iter().find(|known| known.currency == price.currency) {
        Some(known) if known.value != price.value => {
            Err(refuse(&format!("plan {name} costs {} {}", known.value, known.currency.code())))
        }
        Some(_) => Ok(()),
        None => {
            prices.push(price.clone());
            Ok(())
        }
    }
}

fn add_plan(catalog: &mut Catalog, name: &str, simple: &SimplePlan, price: &Price) -> Result<(), Refusal> {
    let product = simple.product.as_deref().filter(|product| is_name(product)).ok_or_else(|| {
        refuse("productName must begin with a letter and have letters, digits, '.', '-' and '_' alone")
    })?;
    let period = simple.billing_period.filter(|period| *period != BillingPeriod::None);
    let period = period.ok_or_else(|| refuse("a new plan needs a billingPeriod"))?;
    let trial = trial(simple)?.map(|duration| Phase {
        phase_type: PhaseType::Trial,
        pretty_name: None,
        duration,
        fixed: Some(Fixed { fixed_type: FixedType::OneTime, prices: Vec::new() }),
        recurring: None,
        usages: Vec::new(),
    });
    let evergreen = Phase {
        phase_type: PhaseType::Evergreen,
        pretty_name: None,
        duration: Duration { unit: TimeUnit::Unlimited, number: None },
        fixed: None,
        recurring: Some(Recurring { billing_period: period, prices: Some(vec![price.clone()]) }),
        usages: Vec::new(),
    };
    add_product(catalog, product, simple)?;
    catalog.plans.push(Plan {
        named: Named::new(name),
        effective_for_existing_at: None,
        product: product.to_owned(),
        billing_mode: Some(BillingMode::InAdvance),
        phases: trial.into_iter().chain([evergreen]).collect(),
        allowed_in_bundle: None,
    });
    if let Some(list) = catalog.price_lists.first_mut() {
        list.plans.push(name.to_owned());
    }
    Ok(())
}

/// Adds the product where it is new, and makes an add-on available for its bases.
fn add_product(catalog: &mut Catalog, name: &str, simple: &SimplePlan) -> Result<(), Refusal> {
    match catalog.product(name).map(|product| product.category) {
        Some(known) if simple.category.is_some_and(|category| category != known) => {
            return Err(refuse(&format!("product {name} is {known}")));
        }
        Some(_) => {}
        None => catalog.products.push(Product {
            named: Named::new(name),
            category: simple.category.ok_or_else(|| refuse("a new product needs a productCategory"))?,
            included: Vec::new(),
            available: Vec::new(),
            limits: Vec::new(),
        }),
    }
    for base in catalog.products.iter_mut().filter(|base| simple.base_products.contains(&base.named.name)) {
        if !base.available.iter().any(|available| available == name) {
            base.available.push(name.to_owned());
        }
    }
    Ok(())
}

/// A catalog in which nothing is sold yet: what changes and ends does so at once.
pub fn empty(effective_at: Timestamp) -> Catalog {
    fn always<T>(decision: T) -> Vec<Case<T>> {
        vec![Case { criteria: Criteria::default(), decision }]
    }
    Catalog {
        name: "DEFAULT".to_owned(),
        effective_at,
        billing_mode: Some(BillingMode::InAdvance),
        currencies: Vec::new(),
        units: Vec::new(),
        products: Vec::new(),
        rules: Rules {
            change_policy: always(ActionPolicy::Immediate),
            change_alignment: always(ChangeAlignment::StartOfBundle),
            cancel_policy: always(ActionPolicy::Immediate),
            create_alignment: always(CreateAlignment::StartOfBundle),
            billing_alignment: always(BillingAlignment::Account),
            price_list: always(DEFAULT_PRICE_LIST.to_owned()),
        },
        plans: Vec::new(),
        price_lists: vec![PriceList { named: Named::new(DEFAULT_PRICE_LIST), plans: Vec::new() }],
    }
}
