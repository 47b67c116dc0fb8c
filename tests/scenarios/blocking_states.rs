//! Services say what an account may not do.

use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

fn account(kb: &Http, more: Value) -> String {
    let mut body = json!({ "name": "John Doe", "currency": "USD" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    kb.post("/accounts", body).status(201).id()
}

fn block(kb: &Http, id: &str, date: &str, state: &str, service: &str) {
    let body = json!({ "stateName": state, "service": service });
    kb.post(format!("/accounts/{id}/block?requestedDate={date}"), body).status(201);
}

/// State, service and instant of each state in a list.
fn shown(kb: &Http, id: &str, query: &str) -> Vec<String> {
    let states = kb.get(format!("/accounts/{id}/block{query}")).status(200).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let show = |state: &Value| {
        let at = text(&state["effectiveDate"]);
        format!("{} {} {at}", text(&state["stateName"]), text(&state["service"]))
    };
    states.as_array().unwrap().iter().map(show).collect()
}

#[test]
fn a_service_blocks_an_account() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb, json!({}));
        let body = json!({
            "stateName": "STATE1", "service": "ServiceStateService", "isBlockChange": true, "isBlockEntitlement": "true",
            "isBlockBilling": false, "type": "SUBSCRIPTION", "blockedId": NOBODY, "effectiveDate": "2001-01-01",
        });
        let who = kb.with("X-Killbill-CreatedBy", "Ann").with("X-Killbill-Reason", "fraud");
        let made = who.post(format!("/accounts/{id}/block"), body).status(201);
        assert!(made.location().ends_with(&format!("/accounts/{id}/block?blockingStateTypes=ACCOUNT")));
        let mut state = kb.get(made.location()).status(200).json()[0].take();
        assert!(state["effectiveDate"].take().as_str().unwrap() > "2020");
        let expected = json!({
            "blockedId": id, "stateName": "STATE1", "service": "ServiceStateService", "isBlockChange": true,
            "isBlockEntitlement": true, "isBlockBilling": false, "effectiveDate": null, "type": "ACCOUNT",
            "auditLogs": [],
        });
        assert_eq!(state, expected);
        let audited = kb.get(format!("/accounts/{id}/block?audit=FULL")).status(200).json();
        let log = &audited[0]["auditLogs"][0];
        assert_eq!((&log["changedBy"], &log["reasonCode"]), (&json!("Ann"), &json!("fraud")));
        assert_eq!(log["objectType"], "BLOCKING_STATES");
    });
}

#[test]
fn a_day_is_taken_at_the_accounts_time_of_day_and_place() {
    scenario(|world| {
        let kb = world.killbill();
        let place = json!({ "timeZone": "America/New_York", "referenceTime": "2026-01-15T17:30:05.000Z" });
        let id = account(&kb, place);
        block(&kb, &id, "2040-12-01", "WINTER", "svc");
        block(&kb, &id, "2020-07-01", "SUMMER", "svc");
        block(&kb, &id, "2040-12-01T10:20:30.123Z", "EXACT", "other");
        block(&kb, &id, "2040-12-02T10:20", "UTC", "other");
        block(&kb, &id, "2040-12-03T10:20:00%2B05:00", "EAST", "other");
        let all = [
            "SUMMER svc 2020-07-01T16:30:05.000Z",
            "EXACT other 2040-12-01T10:20:30.123Z",
            "WINTER svc 2040-12-01T17:30:05.000Z",
            "UTC other 2040-12-02T10:20:00.000Z",
            "EAST other 2040-12-03T05:20:00.000Z",
        ];
        assert_eq!(shown(&kb, &id, ""), all);
        assert_eq!(shown(&kb, &id, "?blockingStateSvcs=svc"), [all[0], all[2]]);
        assert_eq!(shown(&kb, &id, "?blockingStateSvcs=svc&blockingStateSvcs=other").len(), 5);
        assert_eq!(shown(&kb, &id, "?blockingStateTypes=SUBSCRIPTION&blockingStateTypes=ACCOUNT").len(), 5);
        assert_eq!(shown(&kb, &id, "?blockingStateTypes=SUBSCRIPTION_BUNDLE"), [] as [&str; 0]);
        kb.get(format!("/accounts/{id}/block?blockingStateTypes=INVOICE")).status(404);
        kb.get(format!("/accounts/{id}/block?audit=SOME")).status(404);
        for date in ["garbage", "2026-13-03", "garTbage", "2026-02-30"] {
            let body = json!({ "stateName": "S", "service": "svc" });
            let error =
                kb.post(format!("/accounts/{id}/block?requestedDate={date}"), body).status(400).json();
            assert_eq!(error["message"], format!("Invalid format: \"{date}\""));
        }
    });
}

#[test]
fn what_says_nothing_new_is_not_kept() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb, json!({}));
        block(&kb, &id, "2030-01-10T00:00:00Z", "S1", "svc");
        block(&kb, &id, "2030-01-05T00:00:00Z", "S1", "svc");
        block(&kb, &id, "2030-01-07T00:00:00Z", "S1", "svc");
        assert_eq!(shown(&kb, &id, ""), ["S1 svc 2030-01-05T00:00:00.000Z"]);
        block(&kb, &id, "2030-01-08T00:00:00Z", "S2", "svc");
        block(&kb, &id, "2030-01-09T00:00:00Z", "S1", "svc");
        block(&kb, &id, "2030-01-09T00:00:00Z", "S3", "svc");
        block(&kb, &id, "2030-01-05T00:00:00Z", "S2", "svc");
        let expected = [
            "S1 svc 2030-01-05T00:00:00.000Z",
            "S2 svc 2030-01-05T00:00:00.000Z",
            "S1 svc 2030-01-09T00:00:00.000Z",
            "S3 svc 2030-01-09T00:00:00.000Z",
        ];
        assert_eq!(shown(&kb, &id, ""), expected);
        let logs = kb.get(format!("/accounts/{id}/auditLogs")).status(200).json();
        let changes: Vec<_> = logs.as_array().unwrap().iter().map(|log| &log["changeType"]).collect();
        let [insert, delete] = [&json!("INSERT"), &json!("DELETE")];
        assert_eq!(changes, [insert, insert, delete, insert, insert, insert, insert, delete, insert]);
    });
}

#[test]
fn reserved_missing_and_long_names_are_refused() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb, json!({}));
        let path = format!("/accounts/{id}/block");
        let cases = [
            (json!({ "stateName": "S" }), "serviceName"),
            (json!({ "stateName": "S", "service": "entitlement-service" }), "serviceName"),
            (json!({ "service": "svc" }), "stateName"),
            (json!({ "stateName": "ENT_CANCELLED", "service": "svc" }), "stateName"),
            (json!({ "stateName": "ENT_BLOCKED", "service": "svc" }), "stateName"),
            (json!({ "stateName": "ENT_CLEAR", "service": "svc" }), "stateName"),
        ];
        for (body, what) in cases {
            let error = kb.post(&path, body).status(400).json();
            assert_eq!(error["code"], 1107);
            assert_eq!(error["className"], "org.killbill.billing.entitlement.api.EntitlementApiException");
            let why =
                format!("Invalid arguments for adding a blocking state : Need to specify a valid {what}");
            assert_eq!(error["message"], why);
        }
        kb.post(&path, json!({ "stateName": "é".repeat(50), "service": "é".repeat(20) })).status(201);
        kb.post(&path, json!({ "stateName": "é".repeat(51), "service": "svc" })).status(400);
        kb.post(&path, json!({ "stateName": "S", "service": "é".repeat(21) })).status(400);
        kb.post(&path, json!({ "stateName": "S", "service": "svc", "type": "FOO" })).status(400);
        kb.post(&path, json!({ "stateName": "S", "service": "svc", "isBlockChange": "maybe" })).status(400);
        kb.send("POST", &path, None::<&str>).status(400);
        let body = json!({ "stateName": "S", "service": "svc" });
        kb.without("X-Killbill-CreatedBy").post(&path, body.clone()).status(400);
        kb.post(format!("/accounts/{NOBODY}/block"), body.clone()).status(404);
        kb.get(format!("/accounts/{NOBODY}/block")).status(404);
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.post(&path, body).status(404);
        stranger.get(&path).status(404);
        assert_eq!(shown(&kb, &id, "").len(), 1);
    });
}

#[test]
fn the_history_of_a_state_has_all_of_it() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb, json!({}));
        block(&kb, &id, "2030-01-10T00:00:00Z", "S1", "svc");
        block(&kb, &id, "2030-01-05T00:00:00Z", "S1", "svc");
        let logs = kb.get(format!("/accounts/{id}/auditLogs")).status(200).json();
        let blocking_id = logs[1]["objectId"].as_str().unwrap().to_owned();
        let answer = kb.get(format!("/accounts/block/{blocking_id}/auditLogsWithHistory")).status(200);
        let logs = answer.json();
        assert_eq!(logs.as_array().unwrap().len(), 2);
        let record_id = &logs[0]["history"]["recordId"];
        assert!(record_id.is_i64() && logs[0]["history"]["tenantRecordId"].is_i64());
        assert_eq!(&logs[1]["history"]["recordId"], record_id);
        let fields = format!(
            "\"blockableId\":\"{id}\",\"type\":\"ACCOUNT\",\"state\":\"S1\",\"service\":\"svc\",\
             \"blockChange\":false,\"blockEntitlement\":false,\"blockBilling\":false,\
             \"effectiveDate\":\"2030-01-10T00:00:00.000Z\",\"isActive\":false,\
             \"tableName\":\"BLOCKING_STATES\",\"historyTableName\":\"BLOCKING_STATES\",\"active\":false}}"
        );
        assert!(answer.text().contains(&fields), "{answer}");
        let error = kb.get(format!("/accounts/block/{NOBODY}/auditLogsWithHistory")).status(404).json();
        assert_eq!(error["message"], format!("Object id={NOBODY} type=BLOCKING_STATES doesn't exist!"));
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.get(format!("/accounts/block/{blocking_id}/auditLogsWithHistory")).status(404);
    });
}

#[test]
fn a_state_of_the_same_name_says_nothing_new_as_at_kill_bill() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb, json!({ "referenceTime": "2024-01-01T00:00:00Z" }));
        let path = format!("/accounts/{id}/block?requestedDate=2024-02-");
        let state = |day: &str, blocks: bool| {
            let body = json!({ "stateName": "S", "service": "svc", "isBlockChange": blocks });
            kb.post(format!("{path}{day}"), body).status(201);
        };
        state("01", true);
        state("02", false);
        let states = kb.get(format!("/accounts/{id}/block")).status(200).json();
        assert_eq!(states.as_array().unwrap().len(), 1, "{states}");
        assert_eq!(states[0]["isBlockChange"], true);
        block(&kb, &id, "2024-02-03", "T", "svc");
        state("04", false);
        assert_eq!(kb.get(format!("/accounts/{id}/block")).json().as_array().unwrap().len(), 3);
    });
}
