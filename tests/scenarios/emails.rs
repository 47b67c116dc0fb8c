//! E-mail addresses of an account, beside its own.

use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

fn account(kb: &Http) -> String {
    kb.post("/accounts", json!({ "name": "John Doe", "currency": "USD" })).status(201).id()
}

fn addresses(kb: &Http, id: &str) -> Vec<String> {
    let emails = kb.get(format!("/accounts/{id}/emails")).status(200).json();
    emails.as_array().unwrap().iter().map(|email| email["email"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_account_has_several_addresses() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let path = format!("/accounts/{id}/emails");
        assert_eq!(kb.get(&path).status(200).json(), json!([]));
        let made = kb.post(&path, json!({ "accountId": id, "email": "a@x.org" })).status(201);
        assert!(made.location().ends_with(&format!("/1.0/kb/accounts/{id}/emails")));
        kb.post(&path, json!({ "email": "A@x.org" })).status(201);
        kb.post(&path, json!({ "accountId": id, "email": "a@x.org" })).status(201);
        let first = json!({ "accountId": id, "email": "a@x.org", "auditLogs": [] });
        assert_eq!(kb.get(made.location()).json()[0], first);
        assert_eq!(addresses(&kb, &id), ["a@x.org", "A@x.org"]);

        kb.delete(format!("{path}/a@x.org")).status(204);
        kb.delete(format!("{path}/a@x.org")).status(204);
        kb.delete(format!("{path}/nobody@x.org")).status(204);
        assert_eq!(addresses(&kb, &id), ["A@x.org"]);
        kb.post(&path, json!({ "email": "a@x.org" })).status(201);
        assert_eq!(addresses(&kb, &id), ["A@x.org", "a@x.org"]);
    });
}

#[test]
fn an_address_is_refused_when_it_is_missing_too_long_or_anothers() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        let path = format!("/accounts/{id}/emails");
        for body in [json!({ "accountId": id }), json!({ "accountId": id, "email": "" })] {
            let error = kb.post(&path, body).status(400).json();
            assert_eq!(error["className"], "java.lang.IllegalArgumentException");
            assert_eq!(error["message"], "AccountEmailJson email needs to be set");
        }
        let missing = kb.send("POST", &path, None::<&str>).status(400).json();
        assert_eq!(missing["message"], "AccountEmailJson body should be specified");
        kb.post(&path, json!({ "email": "é".repeat(128) })).status(201);
        kb.post(&path, json!({ "email": "é".repeat(129) })).status(400);
        kb.post(&path, json!({ "email": "a\u{0}@x.org" })).status(400);
        kb.post(&path, json!({ "accountId": NOBODY, "email": "a@x.org" })).status(400);
        let unknown = kb.post(&path, json!({ "email": "a@x.org", "foo": 1 })).status(400).json();
        assert_eq!(unknown["className"], "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException");
        kb.without("X-Killbill-CreatedBy").post(&path, json!({ "email": "a@x.org" })).status(400);
        kb.without("X-Killbill-CreatedBy").delete(format!("{path}/{}", "é".repeat(128))).status(400);
        let nobody = format!("/accounts/{NOBODY}/emails");
        let error = kb.post(&nobody, json!({ "email": "a@x.org" })).status(404).json();
        assert_eq!(error["message"], format!("Object id={NOBODY} type=ACCOUNT doesn't exist!"));
        assert_eq!(kb.get(&nobody).status(200).json(), json!([]));
        kb.delete(format!("{nobody}/a@x.org")).status(204);
        kb.get("/accounts/nobody/emails").status(404);
        assert_eq!(addresses(&kb, &id), ["é".repeat(128)]);
    });
}

#[test]
fn the_history_of_an_address_shows_that_it_was_removed() {
    scenario(|world| {
        let kb = world.killbill();
        let id = account(&kb);
        kb.post(format!("/accounts/{id}/emails"), json!({ "email": "a@x.org" })).status(201);
        kb.delete(format!("/accounts/{id}/emails/a@x.org")).status(204);
        let logs = kb.get(format!("/accounts/{id}/auditLogs")).status(200).json();
        let email_id = logs[1]["objectId"].as_str().unwrap().to_owned();
        let history = kb.get(format!("/accounts/{id}/emails/{email_id}/auditLogsWithHistory")).status(200);
        let keys = r#""email":"a@x.org","isActive":false,"tableName":"ACCOUNT_EMAIL","historyTableName":"ACCOUNT_EMAIL_HISTORY"}"#;
        assert!(history.text().contains(keys), "{history}");
        let logs = history.json();
        let seen: Vec<(&Value, &Value)> = logs
            .as_array()
            .unwrap()
            .iter()
            .map(|log| (&log["changeType"], &log["history"]["isActive"]))
            .collect();
        assert_eq!(seen, [(&json!("INSERT"), &json!(true)), (&json!("DELETE"), &json!(false))]);
        kb.get(format!("/accounts/{id}/emails/{NOBODY}/auditLogsWithHistory")).status(404);
        kb.get(format!("/accounts/{NOBODY}/emails/{email_id}/auditLogsWithHistory")).status(404);
    });
}

#[test]
fn another_tenant_sees_and_removes_nothing() {
    scenario(|world| {
        let kb = world.killbill();
        let stranger = world.killbill_of(&world.another_tenant());
        let id = account(&kb);
        let path = format!("/accounts/{id}/emails");
        kb.post(&path, json!({ "email": "a@x.org" })).status(201);
        assert_eq!(stranger.get(&path).status(200).json(), json!([]));
        stranger.post(&path, json!({ "email": "b@x.org" })).status(404);
        stranger.delete(format!("{path}/a@x.org")).status(204);
        assert_eq!(addresses(&kb, &id), ["a@x.org"]);
    });
}
