//! Reading a catalog from its XML. Whatever is wrong is told, with the line; nothing that is not understood is passed over.

mod element;

use super::check::{Place, Problem, findings};
use super::rules::{Case, Criteria, Rules, Selector};
use super::terms::{
    BillingMode, BillingPeriod, BlockType, FixedType, PhaseType, ProductCategory, Term, TierBlockPolicy,
    TimeUnit, UsageType,
};
use super::{
    Block, Catalog, Duration, Fixed, Limit, Named, Phase, Plan, Price, PriceList, Product, Recurring, Tier,
    Usage,
};
pub(super) use element::is_name;
use element::{Element, PROBLEMS_LIMIT, Problems};
use jiff::Timestamp;
use roxmltree::{Document, ParsingOptions};
use std::collections::BTreeMap;

/// Most elements, attributes and texts of a catalog together.
const NODES_LIMIT: u32 = 500_000;

/// Reads one version and checks it by itself; all that is wrong is told, with its line. Document types and entities are
/// refused, and more than [`NODES_LIMIT`] nodes.
pub fn read(xml: &str) -> Result<Catalog, Vec<Problem>> {
    let options = ParsingOptions { nodes_limit: NODES_LIMIT, ..ParsingOptions::default() };
    let document = Document::parse_with_options(xml, options).map_err(|error| {
        vec![Problem { line: Some(error.pos().row), message: format!("the XML cannot be read: {error}") }]
    })?;
    let problems = Problems::default();
    let root = Element { node: document.root_element(), problems: &problems };
    if root.name() != "catalog" {
        root.problem(format!("the outermost element must be <catalog>, not <{}>", root.name()));
        return Err(problems.take());
    }
    let mut catalog = catalog(&root);
    let mut found = problems.take();
    if found.is_empty() {
        catalog.sort();
        let lines = lines(&root);
        let findings = findings(&catalog).into_iter().take(PROBLEMS_LIMIT);
        found.extend(findings.map(|(place, message)| Problem { line: lines.get(&place).copied(), message }));
    }
    if found.is_empty() { Ok(catalog) } else { Err(found) }
}

/// The lines on which units, products, plans, price lists and lists of rules begin.
fn lines(root: &Element<'_>) -> BTreeMap<Place, u32> {
    let mut lines = BTreeMap::new();
    for (list, element) in [("units", "unit"), ("products", "product"), ("plans", "plan")] {
        for part in root.list(list, element) {
            lines.insert((element, part.attribute("name").unwrap_or_default().to_owned()), part.line());
        }
    }
    let lists = root.child("priceLists");
    for part in lists.iter().flat_map(Element::elements) {
        lines.insert(("priceList", part.attribute("name").unwrap_or_default().to_owned()), part.line());
    }
    for list in RULES {
        let place = root.child("rules").and_then(|rules| rules.child(list));
        lines.extend(place.map(|place| ((list, String::new()), place.line())));
    }
    for part in ["priceLists", "currencies"] {
        lines.extend(root.child(part).map(|place| ((part, String::new()), place.line())));
    }
    lines
}

/// The lists of rules.
const RULES: [&str; 6] =
    ["changePolicy", "changeAlignment", "cancelPolicy", "createAlignment", "billingAlignment", "priceList"];

fn catalog(root: &Element<'_>) -> Catalog {
    root.expect(
        &[
            "effectiveDate",
            "catalogName",
            "recurringBillingMode",
            "currencies",
            "units",
            "products",
            "rules",
            "plans",
            "priceLists",
        ],
        &[],
        &[],
    );
    for required in ["currencies", "products", "rules", "plans", "priceLists"] {
        root.require(required);
    }
    Catalog {
        name: root.required_text("catalogName"),
        effective_at: root
            .require("effectiveDate")
            .and_then(|date| date.instant())
            .unwrap_or(Timestamp::UNIX_EPOCH),
        billing_mode: root.term("recurringBillingMode"),
        currencies: root.list("currencies", "currency").iter().filter_map(Element::currency).collect(),
        units: root.list("units", "unit").iter().map(unit).collect(),
        products: root.list("products", "product").iter().map(product).collect(),
        rules: root.child("rules").map(|rules| read_rules(&rules)).unwrap_or_default(),
        plans: root.list("plans", "plan").iter().map(plan).collect(),
        price_lists: root.child("priceLists").map(|lists| price_lists(&lists)).unwrap_or_default(),
    }
}

fn unit(element: &Element<'_>) -> Named {
    element.expect(&[], &[], &["name", "prettyName"]);
    element.named()
}

fn product(element: &Element<'_>) -> Product {
    element.expect(&["category", "included", "available", "limits"], &[], &["name", "prettyName"]);
    let add_ons =
        |name| element.list(name, "addonProduct").iter().map(|add_on| add_on.text().to_owned()).collect();
    Product {
        named: element.named(),
        category: element.required_term("category").unwrap_or(ProductCategory::Base),
        included: add_ons("included"),
        available: add_ons("available"),
        limits: element.list("limits", "limit").iter().map(limit).collect(),
    }
}

fn limit(element: &Element<'_>) -> Limit {
    element.expect(&["unit", "max", "min"], &[], &[]);
    Limit { unit: element.required_text("unit"), max: element.bound("max"), min: element.bound("min") }
}

/// The names of the criteria of rules about a change, and of those about one plan.
const CHANGE: ([&str; 4], [&str; 4]) = (
    ["fromProduct", "fromProductCategory", "fromBillingPeriod", "fromPriceList"],
    ["toProduct", "toProductCategory", "toBillingPeriod", "toPriceList"],
);
const ONE_PLAN: [&str; 4] = ["product", "productCategory", "billingPeriod", "priceList"];

fn read_rules(element: &Element<'_>) -> Rules {
    element.expect(&RULES, &[], &[]);
    let change = |case: &Element<'_>| Criteria {
        phase_type: case.term("phaseType"),
        from: selector(case, CHANGE.0),
        to: selector(case, CHANGE.1),
    };
    let one_plan = |case: &Element<'_>| Criteria {
        phase_type: case.term("phaseType"),
        from: selector(case, ONE_PLAN),
        to: Selector::default(),
    };
    let from_plan = |case: &Element<'_>| Criteria {
        phase_type: None,
        from: selector(case, CHANGE.0),
        to: Selector::default(),
    };
    let of_change = [&["phaseType"], CHANGE.0.as_slice(), CHANGE.1.as_slice()].concat();
    let of_plan = [&["phaseType"], ONE_PLAN.as_slice()].concat();
    Rules {
        change_policy: cases(element, ("changePolicy", "policy"), &of_change, change),
        change_alignment: cases(element, ("changeAlignment", "alignment"), &of_change, change),
        cancel_policy: cases(element, ("cancelPolicy", "policy"), &of_plan, one_plan),
        create_alignment: cases(element, ("createAlignment", "alignment"), &ONE_PLAN, one_plan),
        billing_alignment: cases(element, ("billingAlignment", "alignment"), &of_plan, one_plan),
        price_list: price_list_cases(element, from_plan),
    }
}

fn selector(case: &Element<'_>, [product, category, period, list]: [&str; 4]) -> Selector {
    let text = |name| case.child(name).map(|child| child.text().to_owned());
    Selector {
        product: text(product),
        category: case.term(category),
        billing_period: case.term(period),
        price_list: text(list),
    }
}

/// The cases of a list; `decision` is the element that holds what is decided.
fn cases<T: Term>(
    rules: &Element<'_>,
    (list, decision): (&str, &str),
    criteria: &[&str],
    read_criteria: impl Fn(&Element<'_>) -> Criteria,
) -> Vec<Case<T>> {
    let read_case = |case: &Element<'_>| {
        case.expect(&[criteria, &[decision]].concat(), &[], &[]);
        Some(Case { criteria: read_criteria(case), decision: case.required_term(decision)? })
    };
    rules.list(list, &format!("{list}Case")).iter().filter_map(read_case).collect()
}

fn price_list_cases(
    rules: &Element<'_>,
    read_criteria: impl Fn(&Element<'_>) -> Criteria,
) -> Vec<Case<String>> {
    let read_case = |case: &Element<'_>| {
        case.expect(&[CHANGE.0.as_slice(), &["toPriceList"]].concat(), &[], &[]);
        Case { criteria: read_criteria(case), decision: case.required_text("toPriceList") }
    };
    rules.list("priceList", "priceListCase").iter().map(read_case).collect()
}

fn plan(element: &Element<'_>) -> Plan {
    element.expect(
        &[
            "effectiveDateForExistingSubscriptions",
            "product",
            "recurringBillingMode",
            "initialPhases",
            "finalPhase",
            "plansAllowedInBundle",
        ],
        &[],
        &["name", "prettyName"],
    );
    let mut phases: Vec<Phase> = element.list("initialPhases", "phase").iter().map(phase).collect();
    phases.extend(element.require("finalPhase").map(|last| phase(&last)));
    Plan {
        named: element.named(),
        effective_for_existing_at: element
            .child("effectiveDateForExistingSubscriptions")
            .and_then(|date| date.instant()),
        product: element.required_text("product"),
        billing_mode: element.term("recurringBillingMode"),
        phases,
        allowed_in_bundle: element
            .child("plansAllowedInBundle")
            .and_then(|number| number.integer())
            .and_then(|number| u32::try_from(number).ok()),
    }
}

fn phase(element: &Element<'_>) -> Phase {
    element.expect(&["duration", "fixed", "recurring", "usages"], &[], &["type", "prettyName"]);
    let duration = element.require("duration").map(|duration| {
        duration.expect(&["unit", "number"], &[], &[]);
        Duration {
            unit: duration.required_term("unit").unwrap_or(TimeUnit::Unlimited),
            number: duration
                .child("number")
                .and_then(|number| number.integer())
                .filter(|number| *number != -1),
        }
    });
    Phase {
        phase_type: element.required_term_attribute("type").unwrap_or(PhaseType::Evergreen),
        pretty_name: element.attribute("prettyName").map(str::to_owned),
        duration: duration.unwrap_or(Duration { unit: TimeUnit::Unlimited, number: None }),
        fixed: element.child("fixed").map(|fixed| {
            fixed.expect(&["fixedPrice"], &[], &["type"]);
            Fixed {
                fixed_type: fixed.term_attribute("type").unwrap_or(FixedType::OneTime),
                prices: fixed.prices("fixedPrice").unwrap_or_default(),
            }
        }),
        recurring: element.child("recurring").map(|recurring| {
            recurring.expect(&["billingPeriod", "recurringPrice"], &[], &[]);
            Recurring {
                billing_period: recurring.required_term("billingPeriod").unwrap_or(BillingPeriod::None),
                prices: recurring.prices("recurringPrice"),
            }
        }),
        usages: element.list("usages", "usage").iter().map(usage).collect(),
    }
}

fn usage(element: &Element<'_>) -> Usage {
    element.expect(
        &["billingPeriod", "limits", "blocks", "tiers", "fixedPrice", "recurringPrice"],
        &[],
        &["name", "prettyName", "billingMode", "usageType", "tierBlockPolicy"],
    );
    Usage {
        named: element.named(),
        billing_mode: element.required_term_attribute("billingMode").unwrap_or(BillingMode::InArrear),
        usage_type: element.required_term_attribute("usageType").unwrap_or(UsageType::Consumable),
        tier_block_policy: element.term_attribute("tierBlockPolicy").unwrap_or(TierBlockPolicy::AllTiers),
        billing_period: element.required_term("billingPeriod").unwrap_or(BillingPeriod::Monthly),
        limits: element.list("limits", "limit").iter().map(limit).collect(),
        blocks: element.list("blocks", "block").iter().map(|it| block(it, BlockType::Vanilla)).collect(),
        tiers: element.list("tiers", "tier").iter().map(tier).collect(),
        fixed_price: element.prices("fixedPrice"),
        recurring_price: element.prices("recurringPrice"),
    }
}

fn tier(element: &Element<'_>) -> Tier {
    element.expect(&["limits", "blocks", "fixedPrice", "recurringPrice"], &[], &[]);
    Tier {
        limits: element.list("limits", "limit").iter().map(limit).collect(),
        blocks: element.list("blocks", "tieredBlock").iter().map(|it| block(it, BlockType::Tiered)).collect(),
        fixed_price: element.prices("fixedPrice"),
        recurring_price: element.prices("recurringPrice"),
    }
}

fn block(element: &Element<'_>, block_type: BlockType) -> Block {
    element.expect(&["unit", "size", "prices", "minTopUpCredit", "max"], &[], &["type"]);
    Block {
        block_type: element.term_attribute("type").unwrap_or(block_type),
        unit: element.required_text("unit"),
        size: element.require("size").and_then(|size| size.decimal()).unwrap_or_default(),
        prices: element.prices("prices").unwrap_or_default(),
        min_top_up_credit: element.bound("minTopUpCredit"),
        max: element.bound("max"),
    }
}

fn price_lists(element: &Element<'_>) -> Vec<PriceList> {
    element.expect(&["defaultPriceList"], &["childPriceList"], &[]);
    element.require("defaultPriceList");
    let mut lists: Vec<PriceList> = element.child("defaultPriceList").iter().map(price_list).collect();
    lists.extend(element.children("childPriceList").iter().map(price_list));
    lists
}

fn price_list(element: &Element<'_>) -> PriceList {
    element.expect(&["plans"], &[], &["name", "prettyName"]);
    let plans = element.list("plans", "plan").iter().map(|plan| plan.text().to_owned()).collect();
    PriceList { named: element.named(), plans }
}

impl Element<'_> {
    /// The prices within a child; none where there is no such child.
    fn prices(&self, name: &str) -> Option<Vec<Price>> {
        let list = self.child(name)?;
        list.expect(&[], &["price"], &[]);
        let read_price = |price: &Element<'_>| {
            price.expect(&["currency", "value"], &[], &[]);
            let currency = price.require("currency").and_then(|currency| currency.currency())?;
            let value = price.require("value").and_then(|value| value.decimal())?;
            Some(Price { currency, value })
        };
        Some(list.children("price").iter().filter_map(read_price).collect())
    }
}
