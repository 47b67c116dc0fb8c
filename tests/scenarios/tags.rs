//! Tags on accounts, and tag definitions.

use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

const AUTO_PAY_OFF: &str = "00000000-0000-0000-0000-000000000001";
const AUTO_INVOICING_OFF: &str = "00000000-0000-0000-0000-000000000002";
const WRITTEN_OFF: &str = "00000000-0000-0000-0000-000000000004";
const PARK: &str = "00000000-0000-0001-0000-000000000001";
const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

fn account(kb: &Http) -> String {
    kb.post("/accounts", json!({"name": "John Doe", "currency": "USD"})).status(201).id()
}

fn define(kb: &Http, name: &str) -> String {
    let body = json!({"name": name, "description": "d", "applicableObjectTypes": ["ACCOUNT"]});
    kb.post("/tagDefinitions", body).status(201).id()
}

fn names(tags: &Value) -> Vec<&str> {
    tags.as_array().unwrap().iter().map(|tag| tag["tagDefinitionName"].as_str().unwrap()).collect()
}

#[test]
fn an_account_wears_control_tags_and_the_tenants_own() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let vip = define(&kb, "vip");
        let tags = format!("/accounts/{id}/tags");
        let added = kb.post(&tags, json!([AUTO_INVOICING_OFF, vip])).status(201);
        assert!(added.location().ends_with(&format!("/1.0/kb/accounts/{id}/tags")));
        kb.post(&tags, json!([vip])).status(201);
        assert_eq!(names(&kb.get(&tags).status(200).json()), ["AUTO_INVOICING_OFF", "vip"]);
        assert_eq!(names(&kb.get(format!("/accounts/{id}/allTags?objectType=ACCOUNT")).json()).len(), 2);
        assert_eq!(names(&kb.get(format!("/accounts/{id}/allTags?objectType=BUNDLE")).json()).len(), 0);

        kb.delete(format!("{tags}?tagDef={vip}&tagDef={AUTO_INVOICING_OFF}")).status(204);
        assert_eq!(kb.get(&tags).json(), json!([]));
        assert_eq!(names(&kb.get(format!("{tags}?includedDeleted=true")).json()).len(), 2);
        kb.delete(&tags).status(204);
        let gone = kb.delete(format!("{tags}?tagDef={AUTO_INVOICING_OFF}")).status(404).json();
        assert_eq!(
            (gone["code"].as_i64(), gone["message"].as_str()),
            (Some(3950), Some("The tag does not exist (name: AUTO_INVOICING_OFF)"))
        );
    });
}

#[test]
fn a_tag_says_who_set_it() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let who = kb.with("X-Killbill-CreatedBy", "Ann").with("X-Killbill-Reason", "late");
        who.post(format!("/accounts/{id}/tags"), json!([AUTO_PAY_OFF])).status(201);
        let tags = kb.get(format!("/accounts/{id}/tags?audit=FULL")).status(200).json();
        let log = &tags[0]["auditLogs"][0];
        assert_eq!(
            (&log["changeType"], &log["changedBy"], &log["reasonCode"]),
            (&json!("INSERT"), &json!("Ann"), &json!("late"))
        );
        assert_eq!(kb.get(format!("/accounts/{id}/tags?audit=SOME")).status(404).text(), "");
    });
}

#[test]
fn tags_that_do_not_fit_are_refused_and_nothing_is_half_done() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let tags = format!("/accounts/{id}/tags");
        let refused = |body: Value, status: u16, code: Option<i64>| {
            let error = kb.post(&tags, body).status(status).json();
            assert_eq!(error["code"].as_i64(), code, "{error}");
        };
        refused(json!([AUTO_INVOICING_OFF, NOBODY]), 400, Some(3902));
        refused(json!([PARK]), 400, Some(3953));
        refused(json!([WRITTEN_OFF]), 400, None);
        refused(json!(["no id"]), 400, None);
        refused(json!({}), 400, None);
        assert_eq!(kb.get(&tags).json(), json!([]));
        kb.post(format!("/accounts/{NOBODY}/tags"), json!([AUTO_PAY_OFF])).status(404);
        kb.post("/accounts/no-id/tags", json!([AUTO_PAY_OFF])).status(404);

        kb.post(&tags, json!([AUTO_PAY_OFF])).status(201);
        let stays = kb.delete(format!("{tags}?tagDef={AUTO_PAY_OFF}")).status(400).json();
        assert_eq!(stays["code"], 3951);
    });
}

#[test]
fn definitions_have_rules() {
    scenario(|world| {
        let kb = world.killbill();
        let define_with = |name: &str, description: Value, types: Value| {
            kb.post(
                "/tagDefinitions",
                json!({"name": name, "description": description, "applicableObjectTypes": types}),
            )
        };
        let account = || json!(["ACCOUNT"]);
        let long = define_with(&"n".repeat(20), json!("d".repeat(200)), account()).status(201).id();
        let refused = |name: &str, status: u16, code: Option<i64>| {
            let error = define_with(name, json!("d"), account()).status(status).json();
            assert_eq!(error["code"].as_i64(), code, "{error}");
        };
        refused(&"n".repeat(21), 400, None);
        refused("Vip", 400, Some(3904));
        refused("AUTO_PAY_OFF", 400, Some(3904));
        refused(&"n".repeat(20), 409, Some(3901));
        define_with("a", json!("d".repeat(201)), account()).status(400);
        define_with("a", Value::Null, account()).status(400);
        define_with("a", json!("d"), json!([])).status(400);
        define_with("a", json!("d"), json!(["FOO"])).status(400);

        let got = kb.get(format!("/tagDefinitions/{long}")).status(200).json();
        assert_eq!((&got["name"], &got["isControlTag"]), (&json!("n".repeat(20)), &json!(false)));
        let all = kb.get("/tagDefinitions").status(200).json();
        assert_eq!(all.as_array().unwrap().len(), 11);
        let control = all.as_array().unwrap().iter().filter(|one| one["isControlTag"] == true).count();
        assert_eq!(control, 9);
        assert_eq!(kb.get(format!("/tagDefinitions/{NOBODY}")).status(404).json()["code"], 3902);
    });
}

#[test]
fn a_definition_in_use_stays() {
    scenario(|world| {
        let kb = world.killbill();
        let (id, vip) = (account(&kb), define(&kb, "vip"));
        kb.post(format!("/accounts/{id}/tags"), json!([vip])).status(201);
        assert_eq!(kb.delete(format!("/tagDefinitions/{vip}")).status(400).json()["code"], 3903);
        kb.delete(format!("/accounts/{id}/tags?tagDef={vip}")).status(204);
        kb.delete(format!("/tagDefinitions/{vip}")).status(204);
        kb.get(format!("/tagDefinitions/{vip}")).status(404);
        kb.delete(format!("/tagDefinitions/{vip}")).status(404);
        kb.delete(format!("/tagDefinitions/{AUTO_PAY_OFF}")).status(404);
        let old = kb.get(format!("/accounts/{id}/tags?includedDeleted=true")).status(200).json();
        assert_eq!(names(&old), ["vip"]);
        define(&kb, "vip");
    });
}

#[test]
fn tenants_do_not_see_each_others_tags() {
    scenario(|world| {
        let (mine, other) = (world.killbill(), world.killbill_of(&world.another_tenant()));
        let (id, vip) = (account(&mine), define(&mine, "vip"));
        mine.post(format!("/accounts/{id}/tags"), json!([vip])).status(201);
        assert_eq!(other.get(format!("/accounts/{id}/tags")).status(200).json(), json!([]));
        other.post(format!("/accounts/{id}/tags"), json!([AUTO_PAY_OFF])).status(404);
        other.delete(format!("/accounts/{id}/tags?tagDef={vip}")).status(404);
        other.get(format!("/tagDefinitions/{vip}")).status(404);
        let theirs = account(&other);
        assert_eq!(
            other.post(format!("/accounts/{theirs}/tags"), json!([vip])).status(400).json()["code"],
            3902
        );
        define(&other, "vip");
    });
}
