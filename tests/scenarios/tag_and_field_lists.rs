//! Tags and custom fields of a whole tenant: pages, search, history.

use crate::scenario;
use serde_json::{Value, json};
use testkit::{Http, Response, World};

const AUTO_PAY_OFF: &str = "00000000-0000-0000-0000-000000000001";
const TEST: &str = "00000000-0000-0000-0000-000000000006";
const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

fn account(kb: &Http) -> String {
    kb.post("/accounts", json!({"name": "John Doe", "currency": "USD"})).status(201).id()
}

fn column(page: &Response, name: &str) -> Vec<String> {
    let rows: Value = page.json();
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
}

fn counts(page: &Response) -> String {
    ["CurrentOffset", "NextOffset", "TotalNbRecords", "MaxNbRecords"]
        .map(|name| page.header(&format!("X-Killbill-Pagination-{name}")).unwrap_or("-").to_owned())
        .join(" ")
}

/// Two accounts: one wears AUTO_PAY_OFF and "vip", the other TEST and "vip"; a second tenant's wears TEST.
fn tagged(world: &World) -> (Http, String) {
    let kb = world.killbill();
    let (first, second) = (account(&kb), account(&kb));
    let vip =
        json!({"name": "vip", "description": "Dear 100% customer", "applicableObjectTypes": ["ACCOUNT"]});
    let vip = kb.post("/tagDefinitions", vip).status(201).id();
    kb.post(format!("/accounts/{first}/tags"), json!([AUTO_PAY_OFF, vip])).status(201);
    kb.post(format!("/accounts/{second}/tags"), json!([TEST, vip])).status(201);
    let other = world.killbill_of(&world.another_tenant());
    other.post(format!("/accounts/{}/tags", account(&other)), json!([TEST])).status(201);
    (kb, vip)
}

#[test]
fn the_tenants_tags_come_in_pages() {
    scenario(|world| {
        let (kb, _) = tagged(world);
        let all = kb.get("/tags/pagination").status(200);
        assert_eq!(column(&all, "tagDefinitionName"), ["AUTO_PAY_OFF", "vip", "TEST", "vip"]);
        assert_eq!(counts(&all), "0 - 4 4");
        let page = kb.get("/tags/pagination?offset=1&limit=2&audit=FULL").status(200);
        assert_eq!(column(&page, "tagDefinitionName"), ["vip", "TEST"]);
        assert_eq!(counts(&page), "1 3 4 4");
        assert_eq!(
            page.header("X-Killbill-Pagination-NextPageUri"),
            Some("/1.0/kb/tags/pagination?offset=3&limit=2&audit=FULL")
        );
        for tag in page.json().as_array().unwrap() {
            assert_eq!(tag["auditLogs"][0]["changeType"], "INSERT");
        }
        assert_eq!(column(&kb.get("/tags/pagination?limit=-1").status(200), "tagDefinitionName"), ["vip"]);
        kb.get("/tags/pagination?offset=-1").status(400);
        kb.get("/tags/pagination?limit=x").status(404);
        let nobody = world.killbill_of(&world.another_tenant());
        assert_eq!(nobody.get("/tags/pagination").status(200).json(), json!([]));
    });
}

#[test]
fn tags_are_found_by_what_their_definition_says() {
    scenario(|world| {
        let (kb, vip) = tagged(world);
        let found =
            |key: &str| column(&kb.get(format!("/tags/search/{key}")).status(200), "tagDefinitionName");
        assert_eq!(found("PAY"), ["AUTO_PAY_OFF"]);
        assert_eq!(found("100%25%20cust"), ["vip", "vip"]);
        assert_eq!(found("account").len(), 4);
        assert_eq!(found("nothing").len(), 0);
        assert_eq!(found(&vip).len(), 0, "an id is a tag's, not a definition's");
        let id = column(&kb.get("/tags/pagination").status(200), "tagId").remove(2);
        assert_eq!(found(&id), ["TEST"]);
        let page = kb.get("/tags/search/vip?limit=1").status(200);
        assert_eq!(counts(&page), "0 1 2 4");
        assert_eq!(
            page.header("X-Killbill-Pagination-NextPageUri"),
            Some("/1.0/kb/tags/search/vip?offset=1&limit=1&audit=NONE")
        );
        kb.get("/tags/search/%ff").status(400);
    });
}

#[test]
fn a_tag_and_its_definition_tell_their_life() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        kb.post(format!("/accounts/{id}/tags"), json!([TEST])).status(201);
        let tag = column(&kb.get("/tags/pagination").status(200), "tagId").remove(0);
        kb.delete(format!("/accounts/{id}/tags?tagDef={TEST}")).status(204);
        let logs = kb.get(format!("/tags/{tag}/auditLogsWithHistory")).status(200).json();
        let told = |n: usize| (logs[n]["changeType"].clone(), logs[n]["history"]["isActive"].clone());
        assert_eq!((told(0), told(1)), ((json!("INSERT"), json!(true)), (json!("DELETE"), json!(false))));
        assert_eq!(logs[0]["history"]["tableName"], "TAG");
        assert_eq!(logs.as_array().map(Vec::len), Some(2));

        let body = json!({"name": "vip", "description": "d", "applicableObjectTypes": ["ACCOUNT", "BUNDLE"]});
        let vip = kb.post("/tagDefinitions", body).status(201).id();
        kb.delete(format!("/tagDefinitions/{vip}")).status(204);
        let path = format!("/tagDefinitions/{vip}/auditLogsWithHistory");
        let logs = kb.get(&path).status(200).json();
        assert_eq!(logs[0]["history"]["applicableObjectTypes"], "ACCOUNT,BUNDLE");
        assert_eq!((&logs[1]["changeType"], &logs[1]["history"]["name"]), (&json!("DELETE"), &json!("vip")));

        let other = world.killbill_of(&world.another_tenant());
        for hidden in [path, format!("/tags/{tag}/auditLogsWithHistory")] {
            other.get(hidden).status(404);
        }
        for unknown in ["tags", "tagDefinitions", "customFields"] {
            let error = kb.get(format!("/{unknown}/{NOBODY}/auditLogsWithHistory")).status(404).json();
            assert!(error["message"].as_str().unwrap().contains("doesn't exist"), "{error}");
            kb.get(format!("/{unknown}/nouuid/auditLogsWithHistory")).status(404);
        }
    });
}

/// Two accounts: one with color and size, the other with color; a second tenant's has color.
fn with_fields(world: &World) -> (Http, String) {
    let kb = world.killbill();
    let (first, second) = (account(&kb), account(&kb));
    let color = json!({"name": "color", "value": "Sky_Blue"});
    kb.post(format!("/accounts/{first}/customFields"), json!([color, {"name": "size", "value": "50%"}]))
        .status(201);
    kb.with("X-Killbill-CreatedBy", "Ann")
        .post(format!("/accounts/{second}/customFields"), json!([{"name": "color", "value": "red"}]))
        .status(201);
    let other = world.killbill_of(&world.another_tenant());
    other.post(format!("/accounts/{}/customFields", account(&other)), json!([color])).status(201);
    (kb, first)
}

#[test]
fn the_tenants_fields_come_in_pages() {
    scenario(|world| {
        let (kb, _) = with_fields(world);
        let page = kb.get("/customFields/pagination?limit=2&audit=MINIMAL").status(200);
        assert_eq!(
            (column(&page, "name"), counts(&page)),
            (vec!["color".into(), "size".into()], "0 2 3 3".into())
        );
        let next = page.header("X-Killbill-Pagination-NextPageUri").unwrap();
        assert_eq!(next, "/1.0/kb/customFields/pagination?offset=2&limit=2&audit=MINIMAL");
        let last = kb.get(next.trim_start_matches("/1.0/kb")).status(200);
        assert_eq!((column(&last, "value"), counts(&last)), (vec!["red".into()], "2 - 3 3".into()));
        assert_eq!(last.json()[0]["auditLogs"][0]["changedBy"], "Ann");
    });
}

#[test]
fn fields_are_found_by_name_value_object_and_conditions() {
    scenario(|world| {
        let (kb, first) = with_fields(world);
        let found = |path: &str| column(&kb.get(format!("/customFields/{path}")).status(200), "value");
        assert_eq!(found("search?objectType=ACCOUNT&fieldName=color"), ["Sky_Blue", "red"]);
        assert_eq!(found("search?objectType=ACCOUNT&fieldName=color&fieldValue=red"), ["red"]);
        assert_eq!(found("search?objectType=ACCOUNT&fieldName=color&fieldValue=re").len(), 0);
        assert_eq!(found("search?objectType=BUNDLE&fieldName=color").len(), 0);
        for wrong in ["objectType=X&fieldName=color", "fieldName=color", "objectType=ACCOUNT"] {
            kb.get(format!("/customFields/search?{wrong}")).status(400);
        }
        let page = kb.get("/customFields/search?objectType=ACCOUNT&fieldName=color&limit=1").status(200);
        let next = page.header("X-Killbill-Pagination-NextPageUri").unwrap();
        assert_eq!(found(next.trim_start_matches("/1.0/kb/customFields/")), ["red"]);

        assert_eq!(found("search/y_b"), ["Sky_Blue"]);
        assert_eq!(found("search/0%25"), ["50%"]);
        assert_eq!(found("search/COLOR").len(), 2);
        assert_eq!(found("search/account").len(), 3);
        let umlauts = json!([{"name": "ÄRGER", "value": "GROß"}]);
        kb.post(format!("/accounts/{}/customFields", account(&kb)), umlauts).status(201);
        // Letters beyond `a` to `z` are found as they are written, on both engines.
        assert_eq!(found("search/%C3%84rger"), ["GROß"]);
        assert_eq!(found("search/gro%C3%9F"), ["GROß"]);
        assert_eq!(found("search/%C3%A4rger").len(), 0);
        assert_eq!(found(&format!("search/{first}")), ["Sky_Blue", "50%"]);
        assert_eq!(found("search/_q=1&field_name=size"), ["50%"]);
        assert_eq!(found("search/_q=1&field_value%5Blike%5D=S%25&created_by%5Bneq%5D=Ann"), ["Sky_Blue"]);
        assert_eq!(found("search/_q=1&created_by=Ann"), ["red"]);
        kb.get("/customFields/search/_q=1&nothing=1").status(400);
    });
}

#[test]
fn a_field_tells_its_life() {
    scenario(|world| {
        let (kb, first) = with_fields(world);
        let path = format!("/accounts/{first}/customFields");
        let id = column(&kb.get(&path).status(200), "customFieldId").remove(0);
        kb.with("X-Killbill-CreatedBy", "Bob")
            .put(&path, json!([{"customFieldId": id, "value": "green"}]))
            .status(204);
        assert_eq!(
            column(&kb.get("/customFields/search/_q=1&updated_by=Bob").status(200), "value"),
            ["green"]
        );
        kb.delete(format!("{path}?customField={id}")).status(204);
        let logs = kb.get(format!("/customFields/{id}/auditLogsWithHistory")).status(200).json();
        let told: Vec<_> = logs
            .as_array()
            .unwrap()
            .iter()
            .map(|log| (log["changeType"].as_str().unwrap(), log["history"]["fieldValue"].as_str().unwrap()))
            .collect();
        assert_eq!(told, [("INSERT", "Sky_Blue"), ("UPDATE", "green"), ("DELETE", "green")]);
        assert_eq!(
            kb.get("/customFields/pagination").status(200).header("X-Killbill-Pagination-TotalNbRecords"),
            Some("2")
        );
    });
}

#[test]
fn one_request_carries_at_most_a_thousand() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let fields = |count: usize| {
            let fields: Vec<Value> =
                (0..count).map(|n| json!({"name": format!("n{n}"), "value": "v"})).collect();
            Value::from(fields)
        };
        kb.post(format!("/accounts/{id}/customFields"), fields(1001)).status(400);
        assert_eq!(kb.get(format!("/accounts/{id}/customFields")).json(), json!([]));
        kb.post(format!("/accounts/{id}/customFields"), fields(1000)).status(201);
        assert_eq!(
            kb.get(format!("/accounts/{id}/allCustomFields?audit=FULL")).json().as_array().map(Vec::len),
            Some(1000)
        );
        kb.post(format!("/accounts/{id}/tags"), json!(vec![TEST; 1001])).status(400);
    });
}
