//! What a catalog must be before it is kept, beyond being read. Each rule is one function; all that is wrong is told.

use super::read::is_name;
use super::rules::Case;
use super::terms::{
    ActionPolicy, BillingMode, BillingPeriod, BlockType, PhaseType, Term, TimeUnit, UsageType,
};
use super::{Block, Catalog, DEFAULT_PRICE_LIST, Limit, Phase, Plan, Price, Usage};
use std::fmt;

/// Something wrong with a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the XML, from 1, where it has one.
    pub line: Option<u32>,
    /// What is wrong, and with what.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Which part of a catalog it is: the element and its name, such as `("plan", "gold-monthly")`; a list of rules has none.
pub(super) type Place = (&'static str, String);

/// What is wrong so far.
struct Findings {
    place: Place,
    found: Vec<(Place, String)>,
}

impl Findings {
    fn at(&mut self, element: &'static str, name: &str) {
        self.place = (element, name.to_owned());
    }

    fn unless(&mut self, is_right: bool, message: impl FnOnce() -> String) {
        if !is_right {
            let (element, name) = &self.place;
            let where_ = if name.is_empty() { (*element).to_owned() } else { format!("{element} {name}") };
            self.found.push((self.place.clone(), format!("{where_}: {}", message())));
        }
    }
}

/// What is wrong with a version by itself.
pub fn check(catalog: &Catalog) -> Vec<Problem> {
    findings(catalog).into_iter().map(|(_, message)| Problem { line: None, message }).collect()
}

/// The same, with the place of each.
pub(super) fn findings(catalog: &Catalog) -> Vec<(Place, String)> {
    let mut findings = Findings { place: ("catalog", String::new()), found: Vec::new() };
    check_names(catalog, &mut findings);
    check_products(catalog, &mut findings);
    for plan in &catalog.plans {
        findings.at("plan", &plan.named.name);
        check_plan(catalog, plan, &mut findings);
    }
    check_price_lists(catalog, &mut findings);
    check_rules(catalog, &mut findings);
    findings.found
}

fn check_names(catalog: &Catalog, findings: &mut Findings) {
    findings.unless(!catalog.name.trim().is_empty(), || "the name is missing".into());
    let products = catalog.products.iter().map(|product| &product.named);
    let plans = catalog.plans.iter().map(|plan| &plan.named);
    let lists = catalog.price_lists.iter().map(|list| &list.named);
    let kinds: [(&'static str, Vec<_>); 4] = [
        ("unit", catalog.units.iter().collect()),
        ("product", products.collect()),
        ("plan", plans.collect()),
        ("priceList", lists.collect()),
    ];
    for (element, all) in kinds {
        let mut names: Vec<&str> = all.iter().map(|named| named.name.as_str()).collect();
        for name in &names {
            findings.at(element, name);
            findings.unless(is_name(name), || {
                "a name begins with a letter and has letters, digits, '.', '-' and '_' alone".into()
            });
        }
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [one, other] = pair {
                findings.at(element, one);
                findings.unless(one != other, || "there are two of this name".into());
            }
        }
    }
    let mut currencies: Vec<&str> = catalog.currencies.iter().map(|currency| currency.code()).collect();
    currencies.sort_unstable();
    findings.at("currencies", "");
    let count = currencies.len();
    currencies.dedup();
    findings.unless(currencies.len() == count, || "a currency is there twice".into());
}

fn check_products(catalog: &Catalog, findings: &mut Findings) {
    for product in &catalog.products {
        findings.at("product", &product.named.name);
        for add_on in product.included.iter().chain(&product.available) {
            findings.unless(*add_on != product.named.name, || "it cannot be an add-on to itself".into());
            findings.unless(catalog.product(add_on).is_some(), || format!("there is no product {add_on}"));
        }
        check_limits(catalog, &product.limits, findings);
    }
}

fn check_limits(catalog: &Catalog, limits: &[Limit], findings: &mut Findings) {
    for Limit { unit, max, min } in limits {
        check_unit(catalog, unit, findings);
        if let (Some(max), Some(min)) = (max, min) {
            findings
                .unless(min <= max, || format!("of {unit} the least, {min}, is more than the most, {max}"));
        }
    }
}

fn check_unit(catalog: &Catalog, unit: &str, findings: &mut Findings) {
    findings
        .unless(catalog.units.iter().any(|known| known.name == unit), || format!("there is no unit {unit}"));
}

fn check_plan(catalog: &Catalog, plan: &Plan, findings: &mut Findings) {
    findings
        .unless(catalog.product(&plan.product).is_some(), || format!("there is no product {}", plan.product));
    if let Some(at) = plan.effective_for_existing_at {
        findings.unless(at >= catalog.effective_at, || {
            "effectiveDateForExistingSubscriptions is before the catalog's effectiveDate".into()
        });
    }
    let has_mode = plan.billing_mode.or(catalog.billing_mode).is_some();
    findings.unless(has_mode || plan.billing_period() == BillingPeriod::None, || {
        "neither it nor the catalog has a recurringBillingMode".into()
    });
    let (last, initial) = match plan.phases.split_last() {
        Some(parts) => parts,
        None => return findings.unless(false, || "it has no finalPhase".into()),
    };
    for phase in initial {
        findings.unless(phase.phase_type != PhaseType::Evergreen, || {
            "an initial phase cannot be EVERGREEN: it does not end".into()
        });
    }
    findings.unless(matches!(last.phase_type, PhaseType::Evergreen | PhaseType::FixedTerm), || {
        format!("the final phase cannot be {}", last.phase_type)
    });
    for (index, phase) in plan.phases.iter().enumerate() {
        let is_first = !plan.phases.iter().take(index).any(|earlier| earlier.phase_type == phase.phase_type);
        findings
            .unless(is_first, || format!("two phases are {}: they would have one name", phase.phase_type));
        check_phase(catalog, phase, findings);
    }
}

fn check_phase(catalog: &Catalog, phase: &Phase, findings: &mut Findings) {
    let kind = phase.phase_type;
    let has_price = phase.fixed.is_some() || phase.recurring.is_some() || !phase.usages.is_empty();
    findings.unless(has_price, || format!("phase {kind} has neither fixed nor recurring nor usages"));
    let is_unlimited = phase.duration.unit == TimeUnit::Unlimited;
    findings.unless(is_unlimited == phase.duration.number.is_none(), || match is_unlimited {
        true => format!("the duration of phase {kind} is UNLIMITED and has a number"),
        false => format!("the duration of phase {kind} has no number"),
    });
    findings.unless(phase.duration.number.is_none_or(|number| number >= 0), || {
        format!("the duration of phase {kind} is below 0")
    });
    findings.unless(is_unlimited == (kind == PhaseType::Evergreen), || match is_unlimited {
        true => format!("the duration of phase {kind} is UNLIMITED, which only EVERGREEN can be"),
        false => "the duration of phase EVERGREEN must be UNLIMITED".into(),
    });
    if let Some(fixed) = &phase.fixed {
        check_prices(catalog, &fixed.prices, findings);
    }
    if let Some(recurring) = &phase.recurring {
        let has_period = recurring.billing_period != BillingPeriod::None;
        findings.unless(recurring.prices.is_some() == has_period, || match has_period {
            true => format!("phase {kind} has a billingPeriod and no recurringPrice"),
            false => format!("phase {kind} has a recurringPrice and NO_BILLING_PERIOD"),
        });
        check_prices(catalog, recurring.prices.as_deref().unwrap_or_default(), findings);
    }
    for usage in &phase.usages {
        let with_name = phase.usages.iter().filter(|other| other.named.name == usage.named.name);
        findings.unless(with_name.count() == 1, || format!("two usages are called {}", usage.named.name));
        check_usage(catalog, usage, findings);
    }
}

fn check_prices(catalog: &Catalog, prices: &[Price], findings: &mut Findings) {
    for (index, price) in prices.iter().enumerate() {
        let code = price.currency.code();
        findings.unless(catalog.currencies.contains(&price.currency), || {
            format!("a price is in {code}, which <currencies> does not have")
        });
        findings.unless(!price.value.is_sign_negative() || price.value.is_zero(), || {
            format!("a price is below 0: {} {code}", price.value)
        });
        let is_first = !prices.iter().take(index).any(|earlier| earlier.currency == price.currency);
        findings.unless(is_first, || format!("a price is there twice in {code}"));
    }
}

fn check_usage(catalog: &Catalog, usage: &Usage, findings: &mut Findings) {
    let name = &usage.named.name;
    findings.unless(usage.billing_period != BillingPeriod::None, || {
        format!("usage {name} needs a billingPeriod")
    });
    match (usage.billing_mode, usage.usage_type) {
        (BillingMode::InArrear, kind) => {
            findings
                .unless(!usage.tiers.is_empty(), || format!("usage {name} is IN_ARREAR and has no tiers"));
            for tier in &usage.tiers {
                let (given, element) = match kind {
                    UsageType::Capacity => (!tier.limits.is_empty(), "limits"),
                    UsageType::Consumable => (!tier.blocks.is_empty(), "blocks"),
                };
                findings.unless(given, || format!("a tier of usage {name}, {kind}, has no {element}"));
            }
        }
        (BillingMode::InAdvance, UsageType::Capacity) => {
            findings.unless(!usage.limits.is_empty(), || format!("usage {name} has no limits"));
        }
        (BillingMode::InAdvance, UsageType::Consumable) => {
            findings.unless(!usage.blocks.is_empty(), || format!("usage {name} has no blocks"));
        }
    }
    let tiers = &usage.tiers;
    for block in usage.blocks.iter().chain(tiers.iter().flat_map(|tier| &tier.blocks)) {
        check_block(catalog, name, block, findings);
    }
    check_limits(catalog, &usage.limits, findings);
    for tier in tiers {
        check_limits(catalog, &tier.limits, findings);
    }
    let prices = [&usage.fixed_price, &usage.recurring_price];
    let of_tiers = tiers.iter().flat_map(|tier| [&tier.fixed_price, &tier.recurring_price]);
    for prices in prices.into_iter().chain(of_tiers).flatten() {
        check_prices(catalog, prices, findings);
    }
}

fn check_block(catalog: &Catalog, usage: &str, block: &Block, findings: &mut Findings) {
    check_unit(catalog, &block.unit, findings);
    check_prices(catalog, &block.prices, findings);
    findings.unless(block.size > rust_decimal::Decimal::ZERO, || {
        format!("the size of a block of usage {usage} must be above 0, not {}", block.size)
    });
    findings.unless(block.block_type != BlockType::TopUp || block.min_top_up_credit.is_some(), || {
        format!("a TOP_UP block of usage {usage} needs minTopUpCredit")
    });
}

fn check_price_lists(catalog: &Catalog, findings: &mut Findings) {
    findings.at("priceLists", "");
    let first = catalog.price_lists.first().map(|list| list.named.name.as_str());
    findings.unless(first == Some(DEFAULT_PRICE_LIST), || {
        format!("the default price list must be called {DEFAULT_PRICE_LIST}")
    });
    for list in &catalog.price_lists {
        findings.at("priceList", &list.named.name);
        for plan in &list.plans {
            findings.unless(catalog.plan(plan).is_some(), || format!("there is no plan {plan}"));
        }
        findings.unless(list.plans.windows(2).all(|pair| pair.first() != pair.last()), || {
            "it has a plan twice".into()
        });
    }
}

fn check_rules(catalog: &Catalog, findings: &mut Findings) {
    let rules = &catalog.rules;
    check_cases(catalog, "changePolicy", &rules.change_policy, findings);
    check_cases(catalog, "changeAlignment", &rules.change_alignment, findings);
    check_cases(catalog, "cancelPolicy", &rules.cancel_policy, findings);
    check_cases(catalog, "createAlignment", &rules.create_alignment, findings);
    check_cases(catalog, "billingAlignment", &rules.billing_alignment, findings);
    check_cases(catalog, "priceList", &rules.price_list, findings);
    for (place, cases) in [("changePolicy", &rules.change_policy), ("cancelPolicy", &rules.cancel_policy)] {
        findings.at(place, "");
        findings.unless(cases.iter().any(|case| case.criteria.is_empty()), || {
            "the case without conditions is missing".into()
        });
    }
    findings.at("cancelPolicy", "");
    findings
        .unless(rules.cancel_policy.iter().all(|case| case.decision != ActionPolicy::StartOfTerm), || {
            "a cancellation cannot be START_OF_TERM".into()
        });
    findings.at("priceList", "");
    for Case { decision, .. } in &rules.price_list {
        findings
            .unless(catalog.price_list(decision).is_some(), || format!("there is no price list {decision}"));
    }
}

fn check_cases<T>(catalog: &Catalog, list: &'static str, cases: &[Case<T>], findings: &mut Findings) {
    findings.at(list, "");
    for (index, case) in cases.iter().enumerate() {
        let is_first = !cases.iter().take(index).any(|earlier| earlier.criteria == case.criteria);
        findings.unless(is_first, || format!("case {} has the conditions of an earlier one", index + 1));
        for selector in [&case.criteria.from, &case.criteria.to] {
            if let Some(name) = &selector.product {
                findings.unless(catalog.product(name).is_some(), || format!("there is no product {name}"));
            }
            if let Some(name) = &selector.price_list {
                findings
                    .unless(catalog.price_list(name).is_some(), || format!("there is no price list {name}"));
            }
        }
    }
}

/// What is wrong with a new version beside those that are there.
pub fn check_together(versions: &[impl AsRef<Catalog>], new: &Catalog) -> Vec<Problem> {
    let mut findings = Findings { place: ("catalog", new.name.clone()), found: Vec::new() };
    for version in versions.iter().map(AsRef::as_ref) {
        findings.at("catalog", &new.name);
        findings.unless(version.effective_at != new.effective_at, || {
            format!("there is a version of {} already", new.effective_at)
        });
        for plan in &new.plans {
            let Some(known) = version.plan(&plan.named.name) else {
                continue;
            };
            findings.at("plan", &plan.named.name);
            let kinds =
                |plan: &Plan| plan.phases.iter().map(|phase| phase.phase_type.name()).collect::<Vec<_>>();
            let (before, now) = (kinds(known), kinds(plan));
            findings.unless(before == now, || {
                format!(
                    "its phases are {} in the version of {}, and must stay so",
                    before.join(", "),
                    version.effective_at
                )
            });
        }
    }
    findings.found.into_iter().map(|(_, message)| Problem { line: None, message }).collect()
}
