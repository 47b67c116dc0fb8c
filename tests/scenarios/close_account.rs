//! Closing an account.

use crate::scenario;
use serde_json::json;

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

#[test]
fn a_closed_account_is_not_billed_and_stays_readable() {
    scenario(|world| {
        let kb = world.killbill();
        let id = kb.post("/accounts", json!({ "name": "John", "currency": "USD" })).status(201).id();
        let before = kb.get(format!("/accounts/{id}")).json();
        kb.with("X-Killbill-Comment", "bye").delete(format!("/accounts/{id}")).status(204);
        assert_eq!(kb.get(format!("/accounts/{id}")).status(200).json(), before);
        let tags = kb.get(format!("/accounts/{id}/tags?audit=FULL")).status(200).json();
        assert_eq!(tags[0]["tagDefinitionName"], "AUTO_INVOICING_OFF");
        assert_eq!(tags[0]["auditLogs"][0]["comments"], "bye");
        let states = kb.get(format!("/accounts/{id}/block")).status(200).json();
        let state = &states[0];
        assert_eq!(
            (&state["stateName"], &state["service"]),
            (&json!("CLOSE_ACCOUNT"), &json!("account-service"))
        );
        let flags = [&state["isBlockChange"], &state["isBlockEntitlement"], &state["isBlockBilling"]];
        assert_eq!(flags, [&json!(true), &json!(false), &json!(false)]);

        // Closing again, with every flag, adds nothing; and a closed account still takes changes of its data.
        let flags = "cancelAllSubscriptions=true&writeOffUnpaidInvoices=true&itemAdjustUnpaidInvoices=true\
                     &removeFutureNotifications=true";
        kb.delete(format!("/accounts/{id}?{flags}")).status(204);
        assert_eq!(kb.get(format!("/accounts/{id}/auditLogs")).json().as_array().unwrap().len(), 3);
        kb.put(format!("/accounts/{id}"), json!({ "name": "Jane" })).status(204);
    });
}

#[test]
fn nobody_strangers_and_the_nameless_close_nothing() {
    scenario(|world| {
        let kb = world.killbill();
        let id = kb.post("/accounts", json!({})).status(201).id();
        let path = format!("/accounts/{id}");
        kb.delete(format!("/accounts/{NOBODY}")).status(404);
        kb.delete("/accounts/nobody").status(404);
        kb.without("X-Killbill-CreatedBy").delete(&path).status(400);
        world.killbill_of(&world.another_tenant()).delete(&path).status(404);
        assert_eq!(kb.get(format!("/accounts/{id}/block")).json(), json!([]));
        assert_eq!(kb.get(format!("/accounts/{id}/tags")).json(), json!([]));
    });
}
