//! Kill Bill's JSON of a catalog and its parts.

use crate::error::bad_argument;
use crate::json::decimal;
use billing::Currency;
use billing::catalog::{
    Block, Catalog, Limit, Listing, Phase, Plan, Price, Problem, Product, SimplePlan, Term, Tier, Usage,
};
use edge::Reply;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Kill Bill's `Catalog`: one version.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatalogJson<'a> {
    name: &'a str,
    effective_date: String,
    currencies: Vec<&'static str>,
    units: Vec<UnitJson<'a>>,
    products: Vec<ProductJson<'a>>,
    price_lists: Vec<PriceListJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnitJson<'a> {
    name: &'a str,
    pretty_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductJson<'a> {
    r#type: &'static str,
    name: &'a str,
    pretty_name: &'a str,
    plans: Vec<PlanJson<'a>>,
    included: &'a [String],
    available: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanJson<'a> {
    name: &'a str,
    pretty_name: &'a str,
    recurring_billing_mode: Option<&'static str>,
    billing_period: &'static str,
    phases: Vec<PhaseJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhaseJson<'a> {
    r#type: &'static str,
    prices: Vec<PriceJson>,
    fixed_prices: Vec<PriceJson>,
    duration: DurationJson,
    usages: Vec<UsageJson<'a>>,
}

#[derive(Serialize)]
struct DurationJson {
    unit: &'static str,
    number: i32,
}

#[derive(Serialize)]
struct PriceJson {
    currency: &'static str,
    value: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageJson<'a> {
    billing_period: &'static str,
    tiers: Vec<TierJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TierJson<'a> {
    limits: Vec<LimitJson<'a>>,
    fixed_price: Vec<PriceJson>,
    recurring_price: Vec<PriceJson>,
    blocks: Vec<BlockJson<'a>>,
}

#[derive(Serialize)]
struct LimitJson<'a> {
    unit: &'a str,
    max: String,
    min: String,
}

#[derive(Serialize)]
struct BlockJson<'a> {
    unit: &'a str,
    size: String,
    max: String,
    prices: Vec<PriceJson>,
}

#[derive(Serialize)]
struct PriceListJson<'a> {
    name: &'a str,
    plans: &'a [String],
}

impl<'a> CatalogJson<'a> {
    /// A version; of its products those that have plans.
    pub(super) fn of(catalog: &'a Catalog) -> CatalogJson<'a> {
        let products = catalog.products.iter().map(|product| ProductJson::of(catalog, product));
        CatalogJson {
            name: &catalog.name,
            effective_date: java_date(catalog.effective_at),
            currencies: catalog.currencies.iter().map(|currency| currency.code()).collect(),
            units: catalog
                .units
                .iter()
                .map(|unit| UnitJson { name: &unit.name, pretty_name: &unit.pretty_name })
                .collect(),
            products: products.filter(|product| !product.plans.is_empty()).collect(),
            price_lists: catalog
                .price_lists
                .iter()
                .map(|list| PriceListJson { name: &list.named.name, plans: &list.plans })
                .collect(),
        }
    }
}

/// An instant as Kill Bill writes this one: with an offset rather than `Z`.
fn java_date(at: Timestamp) -> String {
    crate::json::instant(at).replace('Z', "+00:00")
}

impl<'a> ProductJson<'a> {
    fn of(catalog: &'a Catalog, product: &'a Product) -> ProductJson<'a> {
        let plans = catalog.plans.iter().filter(|plan| plan.product == product.named.name);
        ProductJson {
            r#type: product.category.name(),
            name: &product.named.name,
            pretty_name: &product.named.pretty_name,
            plans: plans.map(|plan| PlanJson::of(catalog, plan)).collect(),
            included: &product.included,
            available: &product.available,
        }
    }
}

impl<'a> PlanJson<'a> {
    fn of(catalog: &Catalog, plan: &'a Plan) -> PlanJson<'a> {
        PlanJson {
            name: &plan.named.name,
            pretty_name: &plan.named.pretty_name,
            recurring_billing_mode: plan.billing_mode.or(catalog.billing_mode).map(Term::name),
            billing_period: plan.billing_period().name(),
            phases: plan.phases.iter().map(PhaseJson::of).collect(),
        }
    }
}

impl<'a> PhaseJson<'a> {
    fn of(phase: &'a Phase) -> PhaseJson<'a> {
        let recurring = phase.recurring.as_ref().and_then(|recurring| recurring.prices.as_deref());
        PhaseJson {
            r#type: phase.phase_type.name(),
            prices: prices(recurring),
            fixed_prices: prices(phase.fixed.as_ref().map(|fixed| fixed.prices.as_slice())),
            duration: DurationJson {
                unit: phase.duration.unit.name(),
                number: phase.duration.number.unwrap_or(-1),
            },
            usages: phase.usages.iter().map(UsageJson::of).collect(),
        }
    }
}

fn prices(prices: Option<&[Price]>) -> Vec<PriceJson> {
    let json = |price: &Price| PriceJson { currency: price.currency.code(), value: decimal(price.value) };
    prices.unwrap_or_default().iter().map(json).collect()
}

impl<'a> UsageJson<'a> {
    fn of(usage: &'a Usage) -> UsageJson<'a> {
        UsageJson {
            billing_period: usage.billing_period.name(),
            tiers: usage.tiers.iter().map(TierJson::of).collect(),
        }
    }
}

impl<'a> TierJson<'a> {
    fn of(tier: &'a Tier) -> TierJson<'a> {
        TierJson {
            limits: tier.limits.iter().map(LimitJson::of).collect(),
            fixed_price: prices(tier.fixed_price.as_deref()),
            recurring_price: prices(tier.recurring_price.as_deref()),
            blocks: tier.blocks.iter().map(BlockJson::of).collect(),
        }
    }
}

fn bound(bound: Option<Decimal>) -> String {
    bound.map_or("-1".to_owned(), |bound| bound.to_string())
}

impl<'a> LimitJson<'a> {
    fn of(limit: &'a Limit) -> LimitJson<'a> {
        LimitJson { unit: &limit.unit, max: bound(limit.max), min: bound(limit.min) }
    }
}

impl<'a> BlockJson<'a> {
    fn of(block: &'a Block) -> BlockJson<'a> {
        BlockJson {
            unit: &block.unit,
            size: block.size.to_string(),
            max: bound(block.max),
            prices: prices(Some(&block.prices)),
        }
    }
}

/// Kill Bill's `PlanDetail`: an offer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanDetailJson<'a> {
    product: &'a str,
    plan: &'a str,
    price_list: &'a str,
    final_phase_billing_period: &'static str,
    final_phase_recurring_price: Vec<PriceJson>,
}

impl<'a> PlanDetailJson<'a> {
    pub(super) fn of(listing: &Listing<'a>) -> PlanDetailJson<'a> {
        PlanDetailJson {
            product: &listing.plan.product,
            plan: &listing.plan.named.name,
            price_list: &listing.price_list.named.name,
            final_phase_billing_period: listing.billing_period().name(),
            final_phase_recurring_price: prices(Some(listing.recurring_prices())),
        }
    }
}

/// Kill Bill's `CatalogValidation`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidationJson {
    catalog_validation_errors: Vec<ProblemJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemJson {
    error_description: String,
}

impl ValidationJson {
    pub(super) fn of(problems: &[Problem]) -> ValidationJson {
        let json = |problem: &Problem| ProblemJson { error_description: problem.to_string() };
        ValidationJson { catalog_validation_errors: problems.iter().map(json).collect() }
    }
}

/// Kill Bill's `SimplePlan`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct SimplePlanRequest {
    plan_id: Option<String>,
    product_name: Option<String>,
    product_category: Option<String>,
    currency: Option<String>,
    #[serde(deserialize_with = "crate::json::text")]
    amount: Option<String>,
    billing_period: Option<String>,
    trial_length: Option<i32>,
    trial_time_unit: Option<String>,
    available_base_products: Option<Vec<String>>,
}

/// The value of that name; a name that there is not is refused.
fn term<T: Term>(field: &str, name: Option<String>) -> Result<Option<T>, Reply> {
    let Some(name) = name else {
        return Ok(None);
    };
    match T::parse(&name) {
        Some(value) => Ok(Some(value)),
        None => {
            let names: Vec<&str> = T::ALL.iter().map(|value| value.name()).collect();
            Err(bad_argument(format!("{field} must be one of {}, not {name}", names.join(", "))))
        }
    }
}

impl SimplePlanRequest {
    /// What is asked for.
    pub(super) fn parsed(self) -> Result<SimplePlan, Reply> {
        let currency = |code: String| {
            Currency::known(&code).ok_or_else(|| bad_argument(format!("there is no currency {code}")))
        };
        let amount = |text: String| {
            Decimal::from_str_exact(&text)
                .or_else(|_| Decimal::from_scientific(&text))
                .map_err(|_| bad_argument(format!("amount is no decimal number: {text}")))
        };
        Ok(SimplePlan {
            plan: self.plan_id,
            product: self.product_name,
            category: term("productCategory", self.product_category)?,
            currency: self.currency.map(currency).transpose()?,
            amount: self.amount.map(amount).transpose()?,
            billing_period: term("billingPeriod", self.billing_period)?,
            trial_length: self.trial_length,
            trial_unit: term("trialTimeUnit", self.trial_time_unit)?,
            base_products: self.available_base_products.unwrap_or_default(),
        })
    }
}
