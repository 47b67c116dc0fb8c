//! What can be bought: the plans of a version as offers.

use super::{BillingPeriod, Catalog, Plan, Price, PriceList, ProductCategory};

/// A plan in a price list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The price list that offers it.
    pub price_list: &'a PriceList,
}

impl Listing<'_> {
    /// The period of the final phase.
    pub fn billing_period(&self) -> BillingPeriod {
        self.plan.billing_period()
    }

    /// What the final phase costs for each period.
    pub fn recurring_prices(&self) -> &[Price] {
        let recurring = self.plan.final_phase().and_then(|phase| phase.recurring.as_ref());
        recurring.and_then(|recurring| recurring.prices.as_deref()).unwrap_or_default()
    }
}

/// The offers of base products, by plan.
pub fn available_base_plans(catalog: &Catalog) -> Vec<Listing<'_>> {
    let is_base = |plan: &&Plan| {
        catalog.product(&plan.product).is_some_and(|product| product.category == ProductCategory::Base)
    };
    let offer = |plan| catalog.price_list_of(name(plan)).map(|price_list| Listing { plan, price_list });
    catalog.plans.iter().filter(is_base).filter_map(offer).collect()
}

fn name(plan: &Plan) -> &str {
    &plan.named.name
}

/// The offers of add-ons that may be bought for a base product, by add-on, then in each price list, or in the one named.
pub fn available_add_ons<'a>(catalog: &'a Catalog, base: &str, price_list: Option<&str>) -> Vec<Listing<'a>> {
    let add_ons = catalog.product(base).map(|product| product.available.as_slice()).unwrap_or_default();
    let mut listings = Vec::new();
    for add_on in add_ons {
        for plan in catalog.plans.iter().filter(|plan| plan.product == *add_on) {
            let lists = catalog.price_lists.iter().filter(|list| {
                list.plans.iter().any(|listed| listed == name(plan))
                    && price_list.is_none_or(|wanted| wanted == list.named.name)
            });
            listings.extend(lists.map(|price_list| Listing { plan, price_list }));
        }
    }
    listings
}
