//! An account's timeline, its children, and whether it is overdue.

use crate::scenario;
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

#[test]
fn a_new_account_has_an_empty_timeline() {
    scenario(|world| {
        let kb = world.killbill();
        let id = kb.post("/accounts", json!({ "name": "John", "currency": "USD" })).status(201).id();
        let answer = kb.get(format!("/accounts/{id}/timeline")).status(200);
        assert!(answer.text().ends_with(",\"bundles\":[],\"invoices\":[],\"payments\":[]}"), "{answer}");
        assert_eq!(answer.json()["account"], kb.get(format!("/accounts/{id}")).json());
        let audited = kb.get(format!("/accounts/{id}/timeline?audit=FULL&parallel=true")).status(200).json();
        assert_eq!(audited["account"]["auditLogs"][0]["changeType"], "INSERT");
        kb.get(format!("/accounts/{NOBODY}/timeline")).status(404);
        kb.get(format!("/accounts/{id}/timeline?audit=SOME")).status(404);
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.get(format!("/accounts/{id}/timeline")).status(404);
    });
}

#[test]
fn a_parent_lists_its_children() {
    scenario(|world| {
        let kb = world.killbill();
        let parent = kb.post("/accounts", json!({ "name": "Parent" })).status(201).id();
        let child = |name: &str, above: &str| {
            let body = json!({ "name": name, "parentAccountId": above, "isPaymentDelegatedToParent": true });
            kb.post("/accounts", body).status(201).id()
        };
        let [first, second] = [child("First", &parent), child("Second", &parent)];
        child("Grandchild", &first);
        let path = format!("/accounts/{parent}/children");
        let children =
            kb.get(format!("{path}?accountWithBalanceAndCBA=true&audit=MINIMAL")).status(200).json();
        let ids: Vec<_> = children.as_array().unwrap().iter().map(|child| &child["accountId"]).collect();
        assert_eq!(ids, [&first, &second]);
        assert_eq!(children[1]["parentAccountId"], parent.as_str());
        assert_eq!((&children[1]["accountBalance"], &children[1]["accountCBA"]), (&json!(0), &json!(0)));
        assert_eq!(children[1]["auditLogs"][0]["objectId"], second.as_str());
        let plain = kb.get(&path).status(200).json();
        assert_eq!((&plain[0]["accountBalance"], &plain[0]["auditLogs"]), (&Value::Null, &json!([])));
        assert_eq!(kb.get(format!("/accounts/{second}/children")).json(), json!([]));
        assert_eq!(kb.get(format!("/accounts/{NOBODY}/children")).status(200).json(), json!([]));
        let stranger = world.killbill_of(&world.another_tenant());
        assert_eq!(stranger.get(&path).status(200).json(), json!([]));
    });
}

#[test]
fn an_account_without_debts_is_clear() {
    scenario(|world| {
        let kb = world.killbill();
        let id = kb.post("/accounts", json!({})).status(201).id();
        let state = kb.get(format!("/accounts/{id}/overdue")).status(200);
        assert_eq!(
            state.text(),
            "{\"name\":\"__KILLBILL__CLEAR__OVERDUE_STATE__\",\"externalMessage\":\"\",\
             \"daysBetweenPaymentRetries\":[8,8,8],\"isDisableEntitlementAndChangesBlocked\":false,\
             \"isBlockChanges\":false,\"isClearState\":true,\"reevaluationIntervalDays\":null}"
        );
        kb.get(format!("/accounts/{NOBODY}/overdue")).status(404);
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.get(format!("/accounts/{id}/overdue")).status(404);
    });
}
