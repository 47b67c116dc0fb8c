//! Writing a catalog as XML, with every default told: what is written is read as the same catalog.

use super::rules::{Case, Criteria, Selector};
use super::terms::Term;
use super::{Block, Catalog, Duration, Limit, Named, Phase, Plan, Price, Product, Tier, Usage};
use rust_decimal::Decimal;
use std::fmt::Write;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// The XML of all versions of a catalog, as Kill Bill shows it.
pub fn write_all(versions: &[impl AsRef<Catalog>]) -> String {
    let mut out = Writer::default();
    out.within("catalogs", |out| {
        out.within_or_empty("versions", !versions.is_empty(), |out| {
            for version in versions {
                out.within("version", |out| out.catalog(version.as_ref()));
            }
        });
        if let Some(version) = versions.first() {
            out.text("catalogName", &version.as_ref().name);
        }
    });
    format!("{HEAD}{}", out.xml)
}

/// The XML of one version, to be kept.
pub fn write(catalog: &Catalog) -> String {
    let mut out = Writer::default();
    out.within("catalog", |out| out.catalog(catalog));
    format!("{HEAD}{}", out.xml)
}

#[derive(Default)]
struct Writer {
    xml: String,
    depth: usize,
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

impl Writer {
    fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.xml.push_str("    ");
        }
        self.xml.push_str(line);
        self.xml.push('\n');
    }

    /// An element with others in it; `head` is its name and attributes.
    fn within(&mut self, head: &str, write: impl FnOnce(&mut Writer)) {
        self.line(&format!("<{head}>"));
        self.depth += 1;
        write(self);
        self.depth -= 1;
        self.line(&format!("</{}>", head.split(' ').next().unwrap_or(head)));
    }

    fn within_or_empty(&mut self, head: &str, has_content: bool, write: impl FnOnce(&mut Writer)) {
        match has_content {
            true => self.within(head, write),
            false => self.line(&format!("<{head}/>")),
        }
    }

    /// A list of elements.
    fn each<T>(&mut self, list: &str, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
        self.within_or_empty(list, !items.is_empty(), |out| items.iter().for_each(|item| write(out, item)));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.line(&format!("<{name}>{}</{name}>", escaped(text)));
    }

    fn maybe(&mut self, name: &str, text: Option<impl AsRef<str>>) {
        if let Some(text) = text {
            self.text(name, text.as_ref());
        }
    }

    /// A number that is -1 where there is none.
    fn bound(&mut self, name: &str, bound: Option<Decimal>) {
        self.text(name, &bound.unwrap_or(Decimal::NEGATIVE_ONE).to_string());
    }

    fn catalog(&mut self, catalog: &Catalog) {
        self.text("effectiveDate", &catalog.effective_at.to_string());
        self.text("catalogName", &catalog.name);
        self.maybe("recurringBillingMode", catalog.billing_mode.map(Term::name));
        self.each("currencies", &catalog.currencies, |out, currency| out.text("currency", currency.code()));
        self.each("units", &catalog.units, |out, unit| out.line(&format!("<{}/>", head("unit", unit))));
        self.each("products", &catalog.products, Writer::product);
        self.within("rules", |out| out.rules(catalog));
        self.each("plans", &catalog.plans, Writer::plan);
        self.within("priceLists", |out| {
            for (index, list) in catalog.price_lists.iter().enumerate() {
                let element = if index == 0 { "defaultPriceList" } else { "childPriceList" };
                out.within(&head(element, &list.named), |out| {
                    out.each("plans", &list.plans, |out, plan| out.text("plan", plan));
                });
            }
        });
    }

    fn product(&mut self, product: &Product) {
        self.within(&head("product", &product.named), |out| {
            out.text("category", product.category.name());
            out.each("included", &product.included, |out, add_on| out.text("addonProduct", add_on));
            out.each("available", &product.available, |out, add_on| out.text("addonProduct", add_on));
            out.each("limits", &product.limits, Writer::limit);
        });
    }

    fn limit(&mut self, limit: &Limit) {
        self.within("limit", |out| {
            out.text("unit", &limit.unit);
            out.bound("max", limit.max);
            out.bound("min", limit.min);
        });
    }

    fn rules(&mut self, catalog: &Catalog) {
        let rules = &catalog.rules;
        self.cases(("changePolicy", "policy"), &rules.change_policy, Writer::change);
        self.cases(("changeAlignment", "alignment"), &rules.change_alignment, Writer::change);
        self.cases(("cancelPolicy", "policy"), &rules.cancel_policy, Writer::one_plan);
        self.cases(("createAlignment", "alignment"), &rules.create_alignment, Writer::one_plan);
        self.cases(("billingAlignment", "alignment"), &rules.billing_alignment, Writer::one_plan);
        self.each("priceList", &rules.price_list, |out, case| {
            out.within("priceListCase", |out| {
                out.change(&case.criteria);
                out.text("toPriceList", &case.decision);
            });
        });
    }

    fn cases<T: Term>(
        &mut self,
        (list, decision): (&str, &str),
        cases: &[Case<T>],
        criteria: fn(&mut Writer, &Criteria),
    ) {
        self.each(list, cases, |out, case| {
            out.within(&format!("{list}Case"), |out| {
                criteria(out, &case.criteria);
                out.text(decision, case.decision.name());
            });
        });
    }

    fn change(&mut self, criteria: &Criteria) {
        self.maybe("phaseType", criteria.phase_type.map(Term::name));
        let names = ["fromProduct", "fromProductCategory", "fromBillingPeriod", "fromPriceList"];
        self.selector(&criteria.from, names);
        self.selector(&criteria.to, ["toProduct", "toProductCategory", "toBillingPeriod", "toPriceList"]);
    }

    fn one_plan(&mut self, criteria: &Criteria) {
        self.maybe("phaseType", criteria.phase_type.map(Term::name));
        self.selector(&criteria.from, ["product", "productCategory", "billingPeriod", "priceList"]);
    }

    fn selector(&mut self, selector: &Selector, [product, category, period, list]: [&str; 4]) {
        self.maybe(product, selector.product.as_ref());
        self.maybe(category, selector.category.map(Term::name));
        self.maybe(period, selector.billing_period.map(Term::name));
        self.maybe(list, selector.price_list.as_ref());
    }

    fn plan(&mut self, plan: &Plan) {
        self.within(&head("plan", &plan.named), |out| {
            let existing = plan.effective_for_existing_at.map(|at| at.to_string());
            out.maybe("effectiveDateForExistingSubscriptions", existing);
            out.text("product", &plan.product);
            out.maybe("recurringBillingMode", plan.billing_mode.map(Term::name));
            let (last, initial) = match plan.phases.split_last() {
                Some((last, initial)) => (Some(last), initial),
                None => (None, [].as_slice()),
            };
            out.each("initialPhases", initial, |out, phase| out.phase("phase", phase));
            if let Some(last) = last {
                out.phase("finalPhase", last);
            }
            let allowed = plan.allowed_in_bundle.map_or("-1".to_owned(), |number| number.to_string());
            out.text("plansAllowedInBundle", &allowed);
        });
    }

    fn phase(&mut self, element: &str, phase: &Phase) {
        let mut head = format!("{element} type=\"{}\"", phase.phase_type);
        if let Some(pretty_name) = &phase.pretty_name {
            attribute(&mut head, "prettyName", pretty_name);
        }
        self.within(&head, |out| {
            let Duration { unit, number } = phase.duration;
            out.within("duration", |out| {
                out.text("unit", unit.name());
                out.text("number", &number.unwrap_or(-1).to_string());
            });
            if let Some(fixed) = &phase.fixed {
                out.within(&format!("fixed type=\"{}\"", fixed.fixed_type), |out| {
                    out.prices("fixedPrice", Some(&fixed.prices));
                });
            }
            if let Some(recurring) = &phase.recurring {
                out.within("recurring", |out| {
                    out.text("billingPeriod", recurring.billing_period.name());
                    out.prices("recurringPrice", recurring.prices.as_deref());
                });
            }
            out.each("usages", &phase.usages, Writer::usage);
        });
    }

    fn prices(&mut self, list: &str, prices: Option<&[Price]>) {
        if let Some(prices) = prices {
            self.each(list, prices, |out, price| {
                out.within("price", |out| {
                    out.text("currency", price.currency.code());
                    out.text("value", &price.value.to_string());
                });
            });
        }
    }

    fn usage(&mut self, usage: &Usage) {
        let mut head = head("usage", &usage.named);
        attribute(&mut head, "billingMode", usage.billing_mode.name());
        attribute(&mut head, "usageType", usage.usage_type.name());
        attribute(&mut head, "tierBlockPolicy", usage.tier_block_policy.name());
        self.within(&head, |out| {
            out.text("billingPeriod", usage.billing_period.name());
            out.each("limits", &usage.limits, Writer::limit);
            out.each("blocks", &usage.blocks, |out, block| out.block("block", block));
            out.each("tiers", &usage.tiers, Writer::tier);
            out.prices("fixedPrice", usage.fixed_price.as_deref());
            out.prices("recurringPrice", usage.recurring_price.as_deref());
        });
    }

    fn tier(&mut self, tier: &Tier) {
        self.within("tier", |out| {
            out.each("limits", &tier.limits, Writer::limit);
            out.each("blocks", &tier.blocks, |out, block| out.block("tieredBlock", block));
            out.prices("fixedPrice", tier.fixed_price.as_deref());
            out.prices("recurringPrice", tier.recurring_price.as_deref());
        });
    }

    fn block(&mut self, element: &str, block: &Block) {
        self.within(&format!("{element} type=\"{}\"", block.block_type), |out| {
            out.text("unit", &block.unit);
            out.text("size", &block.size.to_string());
            out.prices("prices", Some(&block.prices));
            out.maybe("minTopUpCredit", block.min_top_up_credit.map(|credit| credit.to_string()));
            out.bound("max", block.max);
        });
    }
}

/// The name of an element with its attributes `name` and `prettyName`.
fn head(element: &str, named: &Named) -> String {
    let mut head = element.to_owned();
    attribute(&mut head, "name", &named.name);
    attribute(&mut head, "prettyName", &named.pretty_name);
    head
}

fn attribute(head: &mut String, name: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = write!(head, " {name}=\"{}\"", escaped(value));
}
