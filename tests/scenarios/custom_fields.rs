//! Custom fields on accounts.

use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

fn account(kb: &Http) -> String {
    kb.post("/accounts", json!({"name": "John Doe", "currency": "USD"})).status(201).id()
}

#[test]
fn a_field_is_added_changed_and_removed() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let fields = format!("/accounts/{id}/customFields");
        let added =
            kb.post(&fields, json!([{"name": "color", "value": "red"}, {"name": "size", "value": "XL"}]));
        assert!(added.status(201).location().ends_with(&format!("/1.0/kb{fields}")));
        let listed = kb.get(&fields).status(200).json();
        assert_eq!(listed[0]["name"], "color");
        assert_eq!((&listed[0]["objectId"], &listed[0]["objectType"]), (&json!(id), &json!("ACCOUNT")));

        let color = listed[0]["customFieldId"].as_str().unwrap();
        kb.put(&fields, json!([{"customFieldId": color, "value": "blue"}])).status(204);
        let all = kb.get(format!("/accounts/{id}/allCustomFields?audit=FULL")).status(200).json();
        assert_eq!(all[0]["value"], "blue");
        let changes: Vec<&Value> =
            all[0]["auditLogs"].as_array().unwrap().iter().map(|log| &log["changeType"]).collect();
        assert_eq!(changes, [&json!("INSERT"), &json!("UPDATE")]);

        kb.delete(format!("/accounts/{id}/customField")).status(400);
        kb.delete(format!("/accounts/{id}/customField?customField={color}")).status(204);
        assert_eq!(kb.get(&fields).json()[0]["name"], "size");
        kb.post(&fields, json!([{"name": "color", "value": "green"}])).status(201);
        kb.delete(&fields).status(204);
        assert_eq!(kb.get(&fields).status(200).json(), json!([]));
    });
}

#[test]
fn limits_and_bad_input() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let fields = format!("/accounts/{id}/customFields");
        let add = |name: &str, value: &str| kb.post(&fields, json!([{"name": name, "value": value}]));
        add(&"é".repeat(64), &"é".repeat(255)).status(201);
        add(&"n".repeat(65), "v").status(400);
        add("n", &"v".repeat(256)).status(400);
        add("", "v").status(400);
        add("n", "").status(400);
        add("n\0", "v").status(400);
        add("'; DROP TABLE accounts; --", "<b>\"quoted\"</b>").status(201);
        let taken = add("'; DROP TABLE accounts; --", "again").status(400).json();
        assert_eq!(taken["code"], 9000);
        kb.post(&fields, json!([{"name": "n"}])).status(400);
        kb.post(&fields, json!([{"name": "n", "value": "v", "colour": "red"}])).status(400);
        kb.post(&fields, json!({"name": "n", "value": "v"})).status(400);
        kb.post(&fields, json!([])).status(201);
        assert_eq!(kb.get(&fields).json().as_array().unwrap().len(), 2);
        kb.post(format!("/accounts/{NOBODY}/customFields"), json!([{"name": "n", "value": "v"}])).status(404);
        assert_eq!(kb.get(format!("/accounts/{NOBODY}/customFields")).status(200).json(), json!([]));
        kb.get(format!("/accounts/{id}/allCustomFields?objectType=FOO")).status(404);
    });
}

#[test]
fn only_the_value_of_ones_own_field_changes() {
    scenario(|world| {
        let kb = world.killbill();
        let (mine, other) = (account(&kb), account(&kb));
        kb.post(format!("/accounts/{mine}/customFields"), json!([{"name": "a", "value": "1"}])).status(201);
        let field = kb.get(format!("/accounts/{mine}/customFields")).json()[0]["customFieldId"].clone();
        let put = |account: &str, body: Value| {
            kb.put(format!("/accounts/{account}/customFields"), body).status(400).json()
        };
        assert_eq!(put(&mine, json!([{"customFieldId": field, "name": "b", "value": "2"}]))["code"], 9002);
        assert_eq!(put(&other, json!([{"customFieldId": field, "value": "2"}]))["code"], 9002);
        assert_eq!(put(&mine, json!([{"customFieldId": NOBODY, "value": "2"}]))["code"], 9001);
        put(&mine, json!([{"customFieldId": field, "value": ""}]));
        put(&mine, json!([{"value": "2"}]));
        kb.delete(format!("/accounts/{other}/customFields?customField={}", field.as_str().unwrap()))
            .status(204);
        assert_eq!(kb.get(format!("/accounts/{mine}/customFields")).json()[0]["value"], "1");
    });
}

#[test]
fn tenants_do_not_reach_each_others_fields() {
    scenario(|world| {
        let (mine, other) = (world.killbill(), world.killbill_of(&world.another_tenant()));
        let id = account(&mine);
        mine.post(format!("/accounts/{id}/customFields"), json!([{"name": "a", "value": "1"}])).status(201);
        assert_eq!(other.get(format!("/accounts/{id}/customFields")).status(200).json(), json!([]));
        assert_eq!(other.get(format!("/accounts/{id}/allCustomFields")).status(200).json(), json!([]));
        other.delete(format!("/accounts/{id}/customFields")).status(404);
        let field = mine.get(format!("/accounts/{id}/customFields")).json()[0]["customFieldId"].clone();
        let theirs = account(&other);
        let put = json!([{"customFieldId": field, "value": "2"}]);
        other.put(format!("/accounts/{theirs}/customFields"), put).status(400);
    });
}
