//! Who changed what of an account, and how it then stood.

use crate::scenario;
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

#[test]
fn audit_logs_tell_of_everything_that_belongs_to_an_account() {
    scenario(|world| {
        let kb = world.killbill();
        let token = "6775ff06-a2b6-4d46-bc06-4ba087fd0bef";
        let who = kb
            .with("X-Killbill-CreatedBy", "Ann")
            .with("X-Killbill-Reason", "why")
            .with("X-Killbill-Comment", "in words")
            .with("X-Request-Id", token);
        let id = who.post("/accounts", json!({ "name": "John" })).status(201).id();
        kb.post(format!("/accounts/{id}/emails"), json!({ "email": "a@x.org" })).status(201);
        kb.post(format!("/accounts/{id}/block"), json!({ "stateName": "S", "service": "svc" })).status(201);
        kb.put(format!("/accounts/{id}"), json!({ "name": "Jane" })).status(204);
        let mut logs = kb.get(format!("/accounts/{id}/auditLogs")).status(200).json();
        let changes: Vec<String> = logs
            .as_array()
            .unwrap()
            .iter()
            .map(|log| {
                format!("{} {}", log["changeType"].as_str().unwrap(), log["objectType"].as_str().unwrap())
            })
            .collect();
        assert_eq!(
            changes,
            ["INSERT ACCOUNT", "INSERT ACCOUNT_EMAIL", "INSERT BLOCKING_STATES", "UPDATE ACCOUNT"]
        );
        let mut first = logs[0].take();
        assert!(first["changeDate"].take().as_str().unwrap().ends_with('Z'));
        let expected = json!({
            "changeType": "INSERT", "changeDate": null, "objectType": "ACCOUNT", "objectId": id, "changedBy": "Ann",
            "reasonCode": "why", "comments": "in words", "userToken": token, "history": null,
        });
        assert_eq!(first, expected);
        assert_eq!((&logs[1]["changedBy"], &logs[1]["reasonCode"]), (&json!("testkit"), &Value::Null));
    });
}

#[test]
fn history_shows_the_account_after_each_change_in_kill_bills_order() {
    scenario(|world| {
        let kb = world.killbill();
        let reference = "2018-07-17T15:02:45.000Z";
        let body = json!({
            "name": "John Doe", "currency": "USD", "email": "john@laposte.com", "company": "Acme", "state": "CA",
            "referenceTime": reference, "externalKey": "john", "isMigrated": true,
        });
        let id = kb.post("/accounts", body).status(201).id();
        kb.put(format!("/accounts/{id}"), json!({ "name": "Another Name", "billCycleDayLocal": 5 }))
            .status(204);
        let answer = kb.get(format!("/accounts/{id}/auditLogsWithHistory")).status(200);
        let logs = answer.json();
        let named: Vec<_> = logs.as_array().unwrap().iter().map(|log| &log["history"]["name"]).collect();
        assert_eq!(named, ["John Doe", "Another Name"]);
        let history = &logs[1]["history"];
        assert_eq!(history["createdDate"], logs[1]["changeDate"]);
        assert_eq!(history["recordId"], history["accountRecordId"]);
        assert!(history["tenantRecordId"].as_i64().unwrap() > 0);
        let tail = format!(
            "\"externalKey\":\"john\",\"email\":\"john@laposte.com\",\"name\":\"Another Name\",\
             \"firstNameLength\":null,\"currency\":\"USD\",\"parentAccountId\":null,\
             \"isPaymentDelegatedToParent\":false,\"billingCycleDayLocal\":5,\"paymentMethodId\":null,\
             \"referenceTime\":\"{reference}\",\"timeZone\":\"UTC\",\"locale\":null,\"address1\":null,\
             \"address2\":null,\"companyName\":\"Acme\",\"city\":null,\"stateOrProvince\":\"CA\",\"country\":null,\
             \"postalCode\":null,\"phone\":null,\"notes\":null,\"migrated\":true,\"tableName\":\"ACCOUNT\",\
             \"historyTableName\":\"ACCOUNT_HISTORY\"}}}}]"
        );
        assert!(answer.text().ends_with(&tail), "{answer}");
        assert!(answer.text().contains("\"history\":{\"id\":null,\"createdDate\":"), "{answer}");
    });
}

#[test]
fn a_stranger_and_nobody_have_no_logs() {
    scenario(|world| {
        let kb = world.killbill();
        let id = kb.post("/accounts", json!({})).status(201).id();
        let stranger = world.killbill_of(&world.another_tenant());
        for path in ["auditLogs", "auditLogsWithHistory"] {
            let error = kb.get(format!("/accounts/{NOBODY}/{path}")).status(404).json();
            assert_eq!(error["message"], format!("Object id={NOBODY} type=ACCOUNT doesn't exist!"));
            stranger.get(format!("/accounts/{id}/{path}")).status(404);
            kb.get(format!("/accounts/nobody/{path}")).status(404);
        }
    });
}
