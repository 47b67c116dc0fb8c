//! Catalogs: uploaded, checked, read again, extended by simple plans, and removed.

use crate::scenario;
use crate::tenants::operator;
use serde_json::{Value, json};
use testkit::{Http, Response, Tenant, World};

const PLANS: &str = include_str!("../../crates/billing/tests/catalogs/plans.xml");
const USAGE: &str = include_str!("../../crates/billing/tests/catalogs/usage.xml");

fn upload(kb: &Http, xml: &str) -> Response {
    kb.with("Content-Type", "text/xml").send("POST", "/catalog/xml", Some(xml))
}

fn errors(kb: &Http, xml: &str) -> Vec<String> {
    let answer = kb.with("Content-Type", "text/xml").send("POST", "/catalog/xml/validate", Some(xml));
    let told = answer.status(200).json()["catalogValidationErrors"].clone();
    let text = |error: &Value| error["errorDescription"].as_str().unwrap().to_owned();
    told.as_array().unwrap().iter().map(text).collect()
}

/// JSON whose numbers keep their decimals.
fn exactly(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// The desk of a new tenant.
fn newcomer(world: &World, name: &str, query: &str) -> Http {
    let key = format!("{}-{name}", world.tenant().api_key);
    let body = json!({"apiKey": key, "apiSecret": "s"});
    let id = world.killbill().post(format!("/tenants{query}"), body).status(201).id();
    world.killbill_of(&Tenant { id, api_key: key, api_secret: "s".into() })
}

#[test]
fn a_business_uploads_its_catalog_and_reads_it_again() {
    scenario(|world| {
        let kb = newcomer(world, "uploads", "");
        assert_eq!(kb.get("/catalog").status(200).json(), json!([]));
        assert_eq!(kb.get("/catalog/versions").status(200).json(), json!([]));
        assert!(kb.get("/catalog/xml").status(200).text().contains("<versions/>"));
        assert_eq!(kb.get("/catalog/availableBasePlans").status(200).json(), json!([]));

        assert_eq!(errors(&kb, PLANS), [""; 0]);
        assert!(upload(&kb, PLANS).status(201).location().ends_with("/1.0/kb/catalog"));
        assert_eq!(kb.get("/catalog/versions").json(), json!(["2020-01-01T00:00:00.000Z"]));
        let catalog = kb.get("/catalog").status(200).json();
        let version = &catalog[0];
        assert_eq!(
            (&version["name"], &version["effectiveDate"]),
            (&json!("A"), &json!("2020-01-01T00:00:00.000+00:00"))
        );
        let gold = version["products"].as_array().unwrap().iter().find(|it| it["name"] == "Gold").unwrap();
        assert_eq!(gold["available"], json!(["Backup", "Bonus", "Support"]));
        let monthly =
            gold["plans"].as_array().unwrap().iter().find(|it| it["name"] == "gold-monthly").unwrap();
        assert_eq!(
            monthly["phases"][1],
            exactly(
                r#"{
                    "type": "DISCOUNT",
                    "prices": [
                        {"currency": "USD", "value": 20.00},
                        {"currency": "EUR", "value": 18.00},
                        {"currency": "JPY", "value": 2000}
                    ],
                    "fixedPrices": [],
                    "duration": {"unit": "MONTHS", "number": 2},
                    "usages": []
                }"#
            )
        );
        assert_eq!(monthly["phases"][0]["duration"], json!({"unit": "DAYS", "number": 14}));
        assert_eq!(monthly["phases"][2]["duration"], json!({"unit": "UNLIMITED", "number": -1}));

        let xml = kb.with("Accept", "text/xml").get("/catalog").status(200);
        assert_eq!(xml.header("Content-Type"), Some("text/xml"));
        assert_eq!(xml.text(), kb.get("/catalog/xml").text());
        assert!(xml.text().contains("<value>199.90</value>"));
        assert_eq!(kb.get("/catalog?requestedDate=2024-05-01").json(), catalog);
        let before = kb.get("/catalog?requestedDate=2019-12-31").status(400).json();
        assert_eq!(before["code"], 2050);
        kb.get("/catalog?requestedDate=yesterday").status(400);
    });
}

#[test]
fn what_can_be_bought_is_listed_with_its_prices() {
    scenario(|world| {
        let kb = newcomer(world, "lists", "");
        upload(&kb, PLANS).status(201);
        let bases = kb.get("/catalog/availableBasePlans").status(200).json();
        assert_eq!(bases.as_array().unwrap().len(), 12);
        assert_eq!(
            bases[0],
            exactly(
                r#"{
                    "product": "Basic", "plan": "basic-annual", "priceList": "DEFAULT",
                    "finalPhaseBillingPeriod": "ANNUAL",
                    "finalPhaseRecurringPrice": [
                        {"currency": "USD", "value": 199.90},
                        {"currency": "EUR", "value": 179.91},
                        {"currency": "JPY", "value": 19990}
                    ]
                }"#
            )
        );
        let add_ons = |query: &str| {
            let found = kb.get(format!("/catalog/availableAddons{query}")).status(200).json();
            let name = |it: &Value| {
                format!("{}/{}", it["plan"].as_str().unwrap(), it["priceList"].as_str().unwrap())
            };
            found.as_array().unwrap().iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(add_ons("?baseProductName=Gold").len(), 4);
        assert_eq!(add_ons("?baseProductName=Gold&priceListName=Promo"), ["support-monthly/Promo"]);
        assert_eq!(add_ons("?baseProductName=Nothing"), [""; 0]);
        assert_eq!(add_ons(""), [""; 0]);
    });
}

#[test]
fn versions_follow_each_other_under_one_name() {
    scenario(|world| {
        let kb = newcomer(world, "versions", "");
        let later = PLANS.replace("2020-01-01", "2022-01-01").replace(">19.99<", ">21.99<");
        upload(&kb, &later).status(201);
        upload(&kb, PLANS).status(201);
        let dates = json!(["2020-01-01T00:00:00.000Z", "2022-01-01T00:00:00.000Z"]);
        assert_eq!(kb.get("/catalog/versions").json(), dates);
        let price = |query: &str| kb.get(format!("/catalog/xml{query}")).status(200).text().contains("21.99");
        assert!(!price("?requestedDate=2021-12-31T23:59:59Z"));
        assert!(price("?requestedDate=2022-01-01"));

        let again = upload(&kb, PLANS).status(400).json();
        assert_eq!(again["code"], 2080);
        assert!(again["message"].as_str().unwrap().contains("a version of 2020-01-01"), "{again}");
        let other = USAGE.replace("2020-01-01", "2023-01-01");
        assert_eq!(upload(&kb, &other).status(400).json()["code"], 2052);
        assert_eq!(errors(&kb, &other).len(), 1);
        let renamed =
            PLANS.replace("2020-01-01", "2023-01-01").replacen("type=\"TRIAL\"", "type=\"DISCOUNT\"", 1);
        assert!(errors(&kb, &renamed)[0].contains("its phases are TRIAL, EVERGREEN"));
        assert_eq!(kb.get("/catalog/versions").json(), dates);
    });
}

#[test]
fn a_catalog_with_problems_is_refused_with_all_of_them_and_nothing_is_kept() {
    scenario(|world| {
        let kb = newcomer(world, "problems", "");
        let wrong =
            PLANS.replacen(">19.99<", ">-19.99<", 1).replacen("<product>Basic<", "<product>Bronze<", 1);
        let told = errors(&kb, &wrong);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("line ") && told[0].contains("plan basic-"), "{told:?}");
        let refused = upload(&kb, &wrong).status(400).json();
        assert_eq!(refused["className"], "org.killbill.billing.catalog.api.CatalogApiException");
        assert_eq!(refused["code"], 2080);
        assert!(refused["message"].as_str().unwrap().contains("there is no product Bronze"), "{refused}");
        for xml in ["", "hello", "<catalog>", "<!DOCTYPE x [<!ENTITY e \"e\">]><catalog>&e;</catalog>"] {
            assert_eq!(errors(&kb, xml).len(), 1);
            assert_eq!(upload(&kb, xml).status(400).json()["code"], 2080);
        }
        kb.with("Content-Type", "text/plain").send("POST", "/catalog/xml", Some(PLANS)).status(415);
        kb.with("Content-Type", "text/xml")
            .without("X-Killbill-CreatedBy")
            .send("POST", "/catalog/xml", Some(PLANS))
            .status(400);
        assert_eq!(kb.get("/catalog").json(), json!([]));
    });
}

#[test]
fn a_catalog_grows_by_simple_plans() {
    scenario(|world| {
        let kb = newcomer(world, "simple", "");
        let plan = json!({
            "planId": "foo-monthly", "productName": "Foo", "productCategory": "BASE", "currency": "USD",
            "amount": 10.0, "billingPeriod": "MONTHLY", "trialLength": 10, "trialTimeUnit": "DAYS",
            "availableBaseProducts": [],
        });
        let with = |changes: Value| {
            let mut changed = plan.clone();
            changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            kb.post("/catalog/simplePlan", changed)
        };
        assert!(with(json!({})).status(201).location().ends_with("/1.0/kb/catalog"));
        let first = kb.get("/catalog/versions").json();
        with(json!({})).status(201);
        with(json!({"currency": "EUR", "amount": "9.50"})).status(201);
        kb.post("/catalog/simplePlan", json!({"planId": "foo-monthly", "currency": "GBP", "amount": 8}))
            .status(201);
        let bar = json!({
            "planId": "bar-monthly", "productName": "Bar", "productCategory": "ADD_ON", "currency": "USD",
            "amount": 0, "billingPeriod": "MONTHLY", "availableBaseProducts": ["Foo"],
        });
        kb.post("/catalog/simplePlan", bar).status(201);

        let catalog = kb.get("/catalog").status(200).json();
        assert_eq!(catalog.as_array().unwrap().len(), 1);
        assert_eq!(
            (&catalog[0]["name"], &catalog[0]["currencies"]),
            (&json!("DEFAULT"), &json!(["USD", "EUR", "GBP"]))
        );
        assert_eq!(
            catalog[0]["priceLists"],
            json!([{"name": "DEFAULT", "plans": ["bar-monthly", "foo-monthly"]}])
        );
        let foo = &catalog[0]["products"][1];
        assert_eq!((&foo["name"], &foo["available"]), (&json!("Foo"), &json!(["Bar"])));
        let phases = &foo["plans"][0]["phases"];
        assert_eq!((&phases[0]["type"], &phases[0]["duration"]["number"]), (&json!("TRIAL"), &json!(10)));
        assert_eq!(phases[1]["prices"].as_array().unwrap().len(), 3);
        assert_eq!(kb.get("/catalog/versions").json(), first, "the version keeps its date");

        for wrong in [
            json!({"amount": 11}),
            json!({"amount": -1}),
            json!({"amount": null}),
            json!({"currency": null}),
            json!({"billingPeriod": "ANNUAL"}),
            json!({"trialLength": 20}),
            json!({"planId": null}),
            json!({"planId": "a b"}),
            json!({"planId": "new", "productName": null}),
            json!({"planId": "new", "billingPeriod": null}),
            json!({"planId": "new", "productName": "New", "productCategory": null}),
            json!({"planId": "new", "productCategory": "ADD_ON"}),
            json!({"planId": "new", "availableBaseProducts": ["Nothing"]}),
        ] {
            let refused = with(wrong.clone()).status(400).json();
            assert_eq!(refused["code"], 2060, "{wrong}: {refused}");
        }
        for nonsense in
            [json!({"currency": "EUROS"}), json!({"billingPeriod": "OFTEN"}), json!({"amount": "much"})]
        {
            with(nonsense).status(400);
        }
        assert_eq!(kb.get("/catalog").json(), catalog);
    });
}

#[test]
fn a_catalog_is_removed_as_a_whole() {
    scenario(|world| {
        let kb = newcomer(world, "removes", "");
        upload(&kb, PLANS).status(201);
        upload(&kb, &PLANS.replace("2020-01-01", "2022-01-01")).status(201);
        kb.delete("/catalog").status(204);
        assert_eq!(kb.get("/catalog").status(200).json(), json!([]));
        upload(&kb, USAGE).status(201);
        assert_eq!(kb.get("/catalog").json()[0]["units"].as_array().unwrap().len(), 3);
        let refused =
            kb.with("Content-Type", "text/plain").send("POST", "/tenants/userKeyValue/CATALOG", Some("x"));
        refused.status(400);
        kb.delete("/tenants/userKeyValue/CATALOG").status(400);
    });
}

#[test]
fn a_tenant_without_a_catalog_of_its_own_sells_what_the_server_comes_with() {
    scenario(|world| {
        let kb = newcomer(world, "global", "?useGlobalDefault=true");
        assert_eq!(kb.get("/catalog/versions").json(), json!(["2013-02-08T00:00:00.000Z"]));
        let catalog = kb.get("/catalog").json();
        assert_eq!(catalog[0]["name"], "SpyCarAdvanced");
        assert_eq!(kb.get("/catalog/availableBasePlans").json().as_array().unwrap().len(), 8);
        assert_eq!(errors(&kb, &kb.get("/catalog/xml").text().replace("<catalogs>", "<catalog>")).len(), 1);
        kb.delete("/catalog").status(204);
        upload(&kb, PLANS).status(201);
    });
}

#[test]
fn catalogs_are_changed_by_those_who_may_and_seen_by_their_tenant_alone() {
    scenario(|world| {
        let kb = newcomer(world, "mine", "");
        upload(&kb, PLANS).status(201);
        let other = newcomer(world, "other", "");
        assert_eq!(other.get("/catalog").json(), json!([]));
        let key = kb_key(world, "mine");
        let as_who = |name: &str, permissions: &[&str]| {
            operator(world, name, permissions)
                .with("X-Killbill-ApiKey", &key)
                .with("X-Killbill-ApiSecret", "s")
        };
        let later = PLANS.replace("2020-01-01", "2022-01-01");
        let reader = as_who("catalog-reader", &["account:create"]);
        upload(&reader, &later).status(401);
        reader.delete("/catalog").status(401);
        reader.post("/catalog/simplePlan", json!({"planId": "x"})).status(401);
        assert_eq!(errors(&reader, &later), [""; 0]);
        assert_eq!(reader.get("/catalog/versions").status(200).json().as_array().unwrap().len(), 1);
        upload(&as_who("catalog-only", &["catalog:config_upload"]), &later).status(401);
        upload(&as_who("catalog-both", &["catalog:config_upload", "tenant_kvs:add"]), &later).status(201);
        as_who("catalog-delete", &["catalog:delete", "tenant_kvs:add"]).delete("/catalog").status(401);
        as_who("catalog-end", &["catalog:delete", "tenant_kvs:add", "tenant_kvs:delete"])
            .delete("/catalog")
            .status(204);
    });
}

fn kb_key(world: &World, name: &str) -> String {
    format!("{}-{name}", world.tenant().api_key)
}
