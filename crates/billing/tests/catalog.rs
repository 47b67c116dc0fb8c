//! Catalogs as businesses upload them: read, refused, written, offered, and extended by simple plans.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use billing::Currency;
use billing::catalog::{
    self, BillingPeriod, Catalog, PhaseType, ProductCategory, SimplePlan, TimeUnit, available_add_ons,
    available_base_plans,
};
use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

const PLANS: &str = include_str!("catalogs/plans.xml");
const USAGE: &str = include_str!("catalogs/usage.xml");

fn problems(xml: &str) -> Vec<String> {
    catalog::read(xml).unwrap_err().iter().map(ToString::to_string).collect()
}

/// What is told of the plans catalog with one text in the place of another, where it first stands.
fn told(before: &str, after: &str) -> String {
    assert!(PLANS.contains(before), "{before}");
    problems(&PLANS.replacen(before, after, 1)).join("\n")
}

#[test]
fn what_is_written_is_read_as_the_same_catalog() {
    for xml in [PLANS, USAGE] {
        let catalog = catalog::read(xml).unwrap();
        assert_eq!(catalog::read(&catalog::write(&catalog)).unwrap(), catalog);
    }
}

#[test]
fn prices_keep_their_decimals() {
    let catalog = catalog::read(PLANS).unwrap();
    let plan = catalog.plan("basic-annual").unwrap();
    let prices = plan.final_phase().unwrap().recurring.as_ref().unwrap().prices.as_ref().unwrap();
    let shown: Vec<String> =
        prices.iter().map(|price| format!("{} {}", price.value, price.currency.code())).collect();
    assert_eq!(shown, ["199.90 USD", "179.91 EUR", "19990 JPY"]);
}

#[test]
fn a_problem_is_told_with_its_line_element_and_rule() {
    let xml =
        "<catalog>\n<effectiveDate>soon</effectiveDate>\n<catalogName>A</catalogName>\n<colour/>\n</catalog>";
    let told = problems(xml).join("\n");
    assert!(told.contains("line 4: <catalog> has no element <colour>"), "{told}");
    assert!(told.contains("line 2: <effectiveDate> is no date and time: \"soon\""), "{told}");
    assert!(told.contains("line 1: <catalog> needs an element <plans>"), "{told}");
}

#[test]
fn each_rule_refuses_what_breaks_it() {
    let cases = [
        ("<catalogName>A</catalogName>", "", "<catalog> needs an element <catalogName>"),
        ("<currency>EUR</currency>", "<currency>EUROS</currency>", "there is no currency \"EUROS\""),
        ("<currency>EUR</currency>", "", "a price is in EUR, which <currencies> does not have"),
        ("<value>19.99</value>", "<value>-19.99</value>", "a price is below 0: -19.99 USD"),
        ("<value>19.99</value>", "<value>cheap</value>", "<value> is no decimal number: \"cheap\""),
        ("<product>Basic</product>", "<product>Bronze</product>", "there is no product Bronze"),
        ("<policy>END_OF_TERM</policy>", "<policy>LATER</policy>", "none of START_OF_TERM, END_OF_TERM"),
        ("<finalPhase type=\"EVERGREEN\">", "<finalPhase type=\"TRIAL\">", "the final phase cannot be TRIAL"),
        ("<phase type=\"TRIAL\">", "<phase type=\"EVERGREEN\">", "an initial phase cannot be EVERGREEN"),
        ("<number>30</number>", "", "the duration of phase TRIAL has no number"),
        ("<unit>UNLIMITED</unit>", "<unit>DAYS</unit><number>9</number>", "EVERGREEN must be UNLIMITED"),
        ("<unit>UNLIMITED</unit>", "<unit>UNLIMITED</unit><number>9</number>", "UNLIMITED and has a number"),
        ("<fixed><fixedPrice></fixedPrice></fixed>", "", "has neither fixed nor recurring nor usages"),
        (
            "<billingPeriod>MONTHLY</billingPeriod><recurringPrice>",
            "<billingPeriod>NO_BILLING_PERIOD</billingPeriod><recurringPrice>",
            "has a recurringPrice and NO_BILLING_PERIOD",
        ),
        ("<plan name=\"basic-annual\">", "<plan name=\"basic-monthly\">", "there are two of this name"),
        ("<plan name=\"basic-annual\">", "<plan name=\"9 lives\">", "must begin with a letter"),
        ("<plan>basic-annual</plan>", "<plan>basic-hourly</plan>", "there is no plan basic-hourly"),
        ("defaultPriceList name=\"DEFAULT\"", "defaultPriceList name=\"OURS\"", "must be called DEFAULT"),
        (
            "<cancelPolicyCase><policy>END_OF_TERM</policy></cancelPolicyCase>",
            "",
            "cancelPolicy: the case without conditions is missing",
        ),
        (
            "<cancelPolicyCase><policy>END_OF_TERM</policy></cancelPolicyCase>",
            "<cancelPolicyCase><policy>START_OF_TERM</policy></cancelPolicyCase>",
            "a cancellation cannot be START_OF_TERM",
        ),
        (
            "<changePolicyCase><policy>END_OF_TERM</policy></changePolicyCase>",
            "<changePolicyCase><policy>END_OF_TERM</policy></changePolicyCase>\
             <changePolicyCase><policy>IMMEDIATE</policy></changePolicyCase>",
            "has the conditions of an earlier one",
        ),
        ("<addonProduct>Support</addonProduct>", "<addonProduct>Basic</addonProduct>", "an add-on to itself"),
        ("<recurringBillingMode>IN_ADVANCE</recurringBillingMode>", "", "has a recurringBillingMode"),
    ];
    for (before, after, expected) in cases {
        let told = told(before, after);
        assert!(told.contains(expected) && told.starts_with("line "), "{before} -> {after}: {told}");
    }
}

#[test]
fn usage_needs_what_its_kind_is_priced_by() {
    let told = |before: &str, after: &str| {
        assert!(USAGE.contains(before), "{before}");
        problems(&USAGE.replacen(before, after, 1)).join("\n")
    };
    assert!(told("usageType=\"CAPACITY\"", "usageType=\"CONSUMABLE\"").contains("has no blocks"));
    assert!(told("usageType=\"CONSUMABLE\"", "usageType=\"CAPACITY\"").contains("has no limits"));
    assert!(told("billingMode=\"IN_ARREAR\"", "billingMode=\"IN_ADVANCE\"").contains("has no blocks"));
    assert!(told("<size>10</size>", "<size>0</size>").contains("must be above 0"));
    assert!(told("<unit>calls</unit>", "<unit>shouts</unit>").contains("there is no unit shouts"));
}

#[test]
fn untrusted_xml_does_no_harm() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><catalog>&b;</catalog>";
    let file = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><catalog>&f;</catalog>";
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let wide = format!("<catalog>{}</catalog>", "<a/>".repeat(600_000));
    for xml in [bomb, file, &deep, &wide, "", "hello", "<catalog>", "<catalogs/>"] {
        assert!(!problems(xml).is_empty());
    }
}

#[test]
fn versions_keep_a_name_for_each_plans_phases_and_a_date_of_their_own() {
    let first = catalog::read(PLANS).unwrap();
    let together = |xml: &str| {
        let problems =
            catalog::check_together(&[std::sync::Arc::new(first.clone())], &catalog::read(xml).unwrap());
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(together(PLANS).contains("there is a version of 2020-01-01T00:00:00Z already"));
    let later = PLANS.replace("2020-01-01", "2021-01-01");
    assert_eq!(together(&later), "");
    let discount = later.replacen("<phase type=\"TRIAL\">", "<phase type=\"DISCOUNT\">", 1);
    assert!(together(&discount).contains("plan basic-monthly: its phases are TRIAL, EVERGREEN"));
}

#[test]
fn what_can_be_bought_is_told_by_base_plan_and_add_on() {
    let catalog = catalog::read(PLANS).unwrap();
    let names = |listings: Vec<catalog::Listing<'_>>| -> Vec<String> {
        let name = |it: &catalog::Listing<'_>| format!("{}/{}", it.plan.named.name, it.price_list.named.name);
        listings.iter().map(name).collect()
    };
    let bases = names(available_base_plans(&catalog));
    assert_eq!(bases.len(), 12);
    assert_eq!(&bases[..3], ["basic-annual/DEFAULT", "basic-monthly/DEFAULT", "basic-promo-monthly/Promo"]);
    assert_eq!(
        names(available_add_ons(&catalog, "Gold", None)),
        [
            "backup-monthly/DEFAULT",
            "bonus-monthly/DEFAULT",
            "support-monthly/DEFAULT",
            "support-monthly/Promo"
        ]
    );
    assert_eq!(names(available_add_ons(&catalog, "Gold", Some("Promo"))), ["support-monthly/Promo"]);
    assert!(available_add_ons(&catalog, "Nothing", None).is_empty());
}

fn simple(plan: &str, currency: &str, amount: i64) -> SimplePlan {
    SimplePlan {
        plan: Some(plan.to_owned()),
        product: Some("Foo".to_owned()),
        category: Some(ProductCategory::Base),
        currency: Currency::known(currency),
        amount: Some(Decimal::from(amount)),
        billing_period: Some(BillingPeriod::Monthly),
        trial_length: Some(10),
        trial_unit: Some(TimeUnit::Days),
        base_products: Vec::new(),
    }
}

fn empty() -> Catalog {
    catalog::empty(Timestamp::UNIX_EPOCH)
}

#[test]
fn a_simple_plan_is_a_trial_and_a_price() {
    let catalog = catalog::with_simple_plan(empty(), &simple("foo", "USD", 10)).unwrap();
    assert!(catalog::check(&catalog).is_empty());
    let plan = catalog.plan("foo").unwrap();
    let kinds: Vec<PhaseType> = plan.phases.iter().map(|phase| phase.phase_type).collect();
    assert_eq!(kinds, [PhaseType::Trial, PhaseType::Evergreen]);
    assert_eq!(plan.phase_name(&plan.phases[1]), "foo-evergreen");
    let with_euros = catalog::with_simple_plan(catalog, &simple("foo", "EUR", 9)).unwrap();
    let prices = with_euros.plan("foo").unwrap().phases[1].recurring.clone().unwrap().prices.unwrap();
    assert_eq!(prices.len(), 2);
    assert_eq!(with_euros.currencies.len(), 2);
}

#[test]
fn a_simple_plan_that_differs_from_the_one_of_its_name_is_refused() {
    let catalog = catalog::with_simple_plan(empty(), &simple("foo", "USD", 10)).unwrap();
    let refused = |change: fn(&mut SimplePlan)| {
        let mut wanted = simple("foo", "USD", 10);
        change(&mut wanted);
        catalog::with_simple_plan(catalog.clone(), &wanted).unwrap_err().to_string()
    };
    assert!(refused(|plan| plan.amount = Some(Decimal::from(11))).contains("costs 10 USD"));
    assert!(refused(|plan| plan.amount = Some(Decimal::from(-1))).contains("0 or more"));
    assert!(refused(|plan| plan.currency = None).contains("currency"));
    assert!(refused(|plan| plan.billing_period = Some(BillingPeriod::Annual)).contains("billing period"));
    assert!(refused(|plan| plan.trial_length = Some(11)).contains("another trial"));
    assert!(refused(|plan| plan.product = Some("Bar".into())).contains("another product"));
    assert!(refused(|plan| plan.plan = Some("a b".into())).contains("planId"));
    assert!(refused(|plan| plan.base_products = vec!["Bar".into()]).contains("no base product Bar"));
    assert!(refused(|plan| plan.category = Some(ProductCategory::AddOn)).contains("availableBaseProducts"));
}

proptest! {
    #[test]
    fn no_text_and_no_change_of_one_makes_the_reader_fail_otherwise(
        at in 0..PLANS.len(),
        length in 0usize..40,
        put in "[<>/a-zA-Z0-9&;\" =.-]{0,12}",
    ) {
        let end = (at + length).min(PLANS.len());
        let (at, end) = (PLANS.floor_char_boundary(at), PLANS.floor_char_boundary(end));
        let changed = format!("{}{put}{}", &PLANS[..at], &PLANS[end..]);
        match catalog::read(&changed) {
            Ok(catalog) => prop_assert_eq!(catalog::read(&catalog::write(&catalog)).unwrap(), catalog),
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}
