//! Finding accounts by a part of what they say, and by conditions on their columns.

use crate::scenario;
use serde_json::{Value, json};
use testkit::{Http, Response, World};

fn people(kb: &Http) {
    let people = [
        json!({ "externalKey": "one", "name": "John Doe", "email": "john@acme.com", "company": "A/B=C&D Söhne",
            "currency": "USD", "billCycleDayLocal": 1, "city": "Köln", "isMigrated": true, "firstNameLength": 4,
            "referenceTime": "2020-03-01T10:00:00.123Z" }),
        json!({ "externalKey": "two", "name": "Jane <b>Doe</b>", "email": "jane@acme.com", "currency": "EUR",
            "billCycleDayLocal": 15, "phone": "555-1", "notes": "a\nb", "address2": "Poitiers",
            "isPaymentDelegatedToParent": true }),
        json!({ "externalKey": "three", "name": "100%_\\ '; DROP TABLE accounts; --", "currency": "JPY",
            "billCycleDayLocal": 31, "email": "JOHN@upper.com", "isMigrated": false }),
    ];
    for person in people {
        kb.post("/accounts", person).status(201);
    }
}

fn keys(page: &Response) -> Vec<String> {
    let rows: Value = page.json();
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["externalKey"].as_str().unwrap_or_default().to_owned()).collect()
}

fn total(page: &Response) -> Option<&str> {
    page.header("X-Killbill-Pagination-TotalNbRecords")
}

/// A key as clients that leave nothing to chance encode it.
fn encoded(key: &str) -> String {
    key.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_part_of_a_text_finds_the_account() {
    scenario(|world: &World| {
        let kb = world.killbill();
        people(&kb);
        people(&world.killbill_of(&world.another_tenant()));
        let find = |key: &str| keys(&kb.get(format!("/accounts/search/{}", encoded(key))).status(200));
        assert_eq!(find("doe"), ["one", "two"]);
        assert_eq!(find("JOHN"), ["one", "three"]);
        assert_eq!(find("acme.com"), ["one", "two"]);
        assert_eq!(find("SÖHNE"), ["one"]);
        assert_eq!(find("b=c&d"), ["one"]);
        assert_eq!(find("thre"), ["three"]);
        assert_eq!(find("<b>"), ["two"]);
        assert_eq!(find("%_\\ '; drop"), ["three"]);
        assert_eq!(find("j"), ["one", "two", "three"]);
        assert_eq!(find("10"), ["three"]);
        for nowhere in ["d_e", "' OR '1'='1", "köln", "東京都", "\"", "_q=1", "_q=2&name=x"] {
            assert_eq!(find(nowhere), Vec::<String>::new(), "{nowhere}");
        }
        assert_eq!(find(&"x".repeat(5000)), Vec::<String>::new());
        let literal = kb.get("/accounts/search/A/B=C&D").status(200);
        assert_eq!(keys(&literal), ["one"]);
        for wrong in ["a%00b", "%0A", "%FF"] {
            kb.get(format!("/accounts/search/{wrong}")).status(400);
        }
        let id = kb.get("/accounts?externalKey=two").status(200).json()["accountId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(find(&id), ["two"]);
        assert_eq!(find(&id[..8]), Vec::<String>::new());
    });
}

#[test]
fn what_a_search_finds_comes_in_parts() {
    scenario(|world: &World| {
        let kb = world.killbill();
        people(&kb);
        let page = kb.get("/accounts/search/A%2Fb?limit=1&offset=0").status(200);
        assert_eq!((keys(&page).len(), total(&page)), (1, Some("1")));
        let page = kb.get("/accounts/search/doe?limit=1&accountWithBalanceAndCBA=true").status(200);
        assert_eq!((keys(&page), total(&page)), (vec!["one".to_owned()], Some("2")));
        assert_eq!(page.header("X-Killbill-Pagination-MaxNbRecords"), Some("3"));
        let next = page.header("X-Killbill-Pagination-NextPageUri").unwrap_or_default().to_owned();
        let uri = "/1.0/kb/accounts/search/doe?offset=1&limit=1&accountWithBalance=false&accountWithBalanceAndCBA=true&audit=NONE";
        assert_eq!(next, uri);
        let page = kb.get(next.trim_start_matches("/1.0/kb")).status(200);
        assert_eq!(
            (keys(&page), page.json()[0]["accountCBA"].to_string()),
            (vec!["two".to_owned()], "0".to_owned())
        );
        assert_eq!(page.header("X-Killbill-Pagination-NextPageUri"), None);
        assert_eq!(keys(&kb.get("/accounts/search/doe?limit=-1").status(200)), ["two"]);
        let beyond = kb.get("/accounts/search/doe?offset=9").status(200);
        assert_eq!((keys(&beyond).len(), total(&beyond)), (0, Some("2")));
        kb.get("/accounts/search/doe?offset=x").status(404);
        kb.get("/accounts/search/doe?offset=-1&limit=2").status(400);
        let odd =
            kb.get(format!("/accounts/search/{}?limit=1", encoded("_q=1&name[like]=%Doe%"))).status(200);
        let next = odd.header("X-Killbill-Pagination-NextPageUri").unwrap_or_default().to_owned();
        assert!(next.starts_with("/1.0/kb/accounts/search/_q=1&name%5Blike%5D=%25Doe%25?offset=1"), "{next}");
        assert_eq!(total(&kb.get(next.trim_start_matches("/1.0/kb")).status(200)), Some("2"));
    });
}

#[test]
fn an_exact_match_is_asked_for_by_a_negative_offset() {
    scenario(|world: &World| {
        let kb = world.killbill();
        people(&kb);
        let exact = |key: &str| {
            let page = kb.get(format!("/accounts/search/{}?offset=-1&limit=1", encoded(key))).status(200);
            assert_eq!(page.header("X-Killbill-Pagination-MaxNbRecords"), None);
            assert_eq!(total(&page).map(str::to_owned), Some(keys(&page).len().to_string()));
            keys(&page)
        };
        for (key, found) in
            [("one", "one"), ("Jane <b>Doe</b>", "two"), ("john@acme.com", "one"), ("A/B=C&D Söhne", "one")]
        {
            assert_eq!(exact(key), [found], "{key}");
        }
        let id = kb.get("/accounts?externalKey=two").status(200).json()["accountId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(exact(&id), ["two"]);
        for key in ["on", "ONE", "doe"] {
            assert!(exact(key).is_empty(), "{key}");
        }
    });
}

#[test]
fn conditions_find_accounts() {
    scenario(|world: &World| {
        let kb = world.killbill();
        people(&kb);
        people(&world.killbill_of(&world.another_tenant()));
        let find = |key: &str| {
            let page = kb.get(format!("/accounts/search/{}", encoded(&format!("_q=1&{key}")))).status(200);
            assert_eq!(total(&page).map(str::to_owned), Some(keys(&page).len().to_string()), "{key}");
            keys(&page).join(" ")
        };
        let id = kb.get("/accounts?externalKey=two").status(200).json()["accountId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let cases: &[(&str, &str)] = &[
            ("email=john@acme.com&currency=USD", "one"),
            ("email[like]=john%", "one"),
            ("email[LIKE]=%acme%", "one two"),
            ("email[like]=jane_acme.com", "two"),
            ("name[like]=100\\%%", "three"),
            ("name[like]=%\\", ""),
            ("address2[like]=Poit%", "two"),
            ("address2=Poitiers&currency[neq]=MXN", "two"),
            ("billing_cycle_day_local[gte]=15&currency=JPY", "three"),
            ("billing_cycle_day_local[gt]=1&billing_cycle_day_local[lt]=31", "two"),
            ("billing_cycle_day_local[lte]=15", "one two"),
            ("billing_cycle_day_local[like]=1%", "one two"),
            ("first_name_length=4", "one"),
            ("company_name[like]=A/B%", "one"),
            ("city=Köln", "one"),
            ("currency[and]=USD", "one"),
            ("currency=USD&currency[or]=EUR", "one two"),
            ("name[neq]=John Doe", "two three"),
            ("phone[neq]=1", "two"),
            ("migrated=true", "one"),
            ("migrated=FALSE", "three"),
            ("is_payment_delegated_to_parent=true", "two"),
            ("is_payment_delegated_to_parent=false", "one three"),
            ("reference_time=2020-03-01T10:00:00.123Z", "one"),
            ("reference_time[lte]=2020-03-01T10:00:00.123Z", "one"),
            ("reference_time[lt]=2020-03-01T10:00:00.123Z", ""),
            ("reference_time[gt]=2020-03-01", "one two three"),
            ("created_date[gte]=2000-01-01T00:00:00+02:00", "one two three"),
            ("created_date[lt]=2000-01-01", ""),
            ("created_by=testkit", "one two three"),
            ("updated_by[neq]=testkit", ""),
            ("balance=0", "one two three"),
            ("balance[gte]=0.00&balance[lt]=0.001", "one two three"),
            ("balance[gt]=0", ""),
            ("balance[neq]=0", ""),
            ("balance[lt]=99999999999999999999999", "one two three"),
            ("time_zone=UTC", "one two three"),
            ("locale=", ""),
            ("name", ""),
            ("parent_account_id[neq]=x", ""),
            ("name=' OR '1'='1", ""),
            ("name='; DROP TABLE accounts; --", ""),
        ];
        for (key, found) in cases {
            assert_eq!(find(key), *found, "{key}");
        }
        assert_eq!(find(&format!("id={id}")), "two");
        assert_eq!(find(&format!("id[neq]={id}")), "one three");
        assert_eq!(find(&format!("id[like]={}%", &id[..13])), "two");
        assert_eq!(find(&format!("id[gte]={id}&id[lte]={id}")), "two");
        assert_eq!(find("id=nonsense"), "");
        assert_eq!(find("id[neq]=nonsense"), "one two three");
    });
}

#[test]
fn conditions_that_make_no_sense_are_refused() {
    scenario(|world: &World| {
        let kb = world.killbill();
        people(&kb);
        for key in [
            "",
            "&",
            "color=red",
            "NAME=John",
            "name[is]=x",
            "name[eq=x",
            "billing_cycle_day_local[gt]=x",
            "created_date[lt]=soon",
            "created_date[like]=2020%",
            "migrated=maybe",
            "balance=ten",
            "balance[like]=1%",
            "billing_cycle_day_local=99999999999999999999",
            "search_text=x",
            "tenant_id=1",
            "1=1",
        ] {
            let refused =
                kb.get(format!("/accounts/search/{}", encoded(&format!("_q=1&{key}")))).status(400).json();
            assert_eq!(refused["className"], "java.lang.IllegalArgumentException", "{key}");
        }
        let known = |key: &str| kb.get(format!("/accounts/search/{}", encoded(key))).status(200).json();
        assert_eq!(known("_q=1&name=a OR 1=1--[x]&x=1"), json!([]));
        assert_eq!(known("_q=1&currency=USD&color=red"), known("_q=1&currency=USD"), "as at Kill Bill");
        let long = format!("_q=1&name[like]={}", "%a".repeat(3000));
        kb.get(format!("/accounts/search/{long}").replace('%', "%25")).status(400);
    });
}
