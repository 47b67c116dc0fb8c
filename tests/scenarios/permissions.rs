//! Who lacks a permission changes nothing of an account; who has just what a request asks for does.

use crate::scenario;
use crate::tenants::operator;
use serde_json::{Value, json};
use testkit::{Http, World};

const AUTO_INVOICING_OFF: &str = "00000000-0000-0000-0000-000000000002";

/// Every permission that the stories below ask for, and one that none asks for.
const ALL: &[&str] = &[
    "account:create",
    "account:update",
    "account:add_emails",
    "account:delete_emails",
    "custom_field:add",
    "custom_field:update",
    "custom_field:delete",
    "entitlement:pause_resume",
    "payment:trigger",
    "payment_method:create",
    "payment_method:update",
    "payment_method:delete",
    "tag:create_tag_definition",
    "tag:delete_tag_definition",
    "tag:add",
    "tag:delete",
    "usage:record",
];

/// An operator whose permissions change from request to request.
struct Clerk {
    admin: Http,
    http: Http,
    role: String,
}

impl Clerk {
    fn new(world: &World) -> Clerk {
        let http = operator(world, "changing", &[]);
        Clerk { admin: world.killbill(), http, role: format!("changing-{}", world.tenant().api_key) }
    }

    fn may(&self, permissions: &[&str]) -> &Http {
        let role = json!({ "role": self.role, "permissions": permissions });
        self.admin.put("/security/roles", role).status(204);
        &self.http
    }

    /// Sends a request without each of the permissions it needs, though with all others, then with these alone; and
    /// answers what came of that.
    #[track_caller]
    fn needs(&self, needed: &[&str], (method, path, body): (&str, &str, Value)) -> testkit::Response {
        let body = (!body.is_null()).then_some(&body);
        for missing in needed {
            let others: Vec<&str> = ALL.iter().copied().filter(|other| other != missing).collect();
            assert_eq!(others.len(), ALL.len() - 1, "{missing} is not among all");
            let refused = self.may(&others).request(method, path, body).status(401).json();
            assert_eq!(refused["className"], "org.apache.shiro.authz.UnauthorizedException");
            assert_eq!(refused["message"], format!("Subject does not have permission [{missing}]"));
        }
        let done = self.may(needed).request(method, path, body);
        assert!((200..300).contains(&done.code()), "{method} {path} with {needed:?}: {done}");
        done
    }
}

#[test]
fn each_change_of_an_account_needs_its_permission() {
    scenario(|world| {
        let clerk = Clerk::new(world);
        let body = json!({ "currency": "USD", "externalKey": "k" });
        let account = clerk.needs(&["account:create"], ("POST", "/accounts", body)).id();
        let at = |rest: &str| format!("/accounts/{account}{rest}");
        clerk.needs(&["account:update"], ("PUT", &at(""), json!({ "name": "Jo" })));
        let email = json!({ "email": "a@x.org" });
        clerk.needs(&["account:add_emails"], ("POST", &at("/emails"), email));
        clerk.needs(&["account:delete_emails"], ("DELETE", &at("/emails/a@x.org"), Value::Null));
        let state = json!({ "stateName": "S", "service": "s" });
        clerk.needs(&["entitlement:pause_resume"], ("POST", &at("/block"), state));
        // What was refused left nothing behind.
        let count = |path: String| clerk.http.get(path).status(200).json().as_array().unwrap().len();
        assert_eq!(count(at("/block")), 1);
        assert_eq!(count(at("/emails")), 0);
        assert_eq!(clerk.http.get(at("")).status(200).json()["name"], "Jo");
        assert_eq!(count(at("/auditLogs")), 5);
    });
}

#[test]
fn tags_and_fields_need_theirs() {
    scenario(|world| {
        let clerk = Clerk::new(world);
        let account = clerk.admin.post("/accounts", json!({})).status(201).id();
        let at = |rest: &str| format!("/accounts/{account}{rest}");
        let vip = json!({ "name": "vip", "description": "d", "applicableObjectTypes": ["ACCOUNT"] });
        let vip = clerk.needs(&["tag:create_tag_definition"], ("POST", "/tagDefinitions", vip)).id();
        let definition = format!("/tagDefinitions/{vip}");
        clerk.needs(&["tag:delete_tag_definition"], ("DELETE", &definition, Value::Null));
        clerk.needs(&["tag:add"], ("POST", &at("/tags"), json!([AUTO_INVOICING_OFF])));
        let untag = at(&format!("/tags?tagDef={AUTO_INVOICING_OFF}"));
        clerk.needs(&["tag:delete"], ("DELETE", &untag, Value::Null));

        let fields = at("/customFields");
        clerk.needs(&["custom_field:add"], ("POST", &fields, json!([{ "name": "n", "value": "v" }])));
        let field = clerk.http.get(&fields).status(200).json()[0]["customFieldId"].clone();
        let change = json!([{ "customFieldId": field, "value": "w" }]);
        clerk.needs(&["custom_field:update"], ("PUT", &fields, change));
        assert_eq!(clerk.http.get(&fields).status(200).json()[0]["value"], "w");
        clerk.needs(&["custom_field:delete"], ("DELETE", &fields, Value::Null));
    });
}

#[test]
fn payment_methods_need_theirs() {
    scenario(|world| {
        let clerk = Clerk::new(world);
        let account = clerk.admin.post("/accounts", json!({ "currency": "USD" })).status(201).id();
        let list = format!("/accounts/{account}/paymentMethods");
        let new = || json!({ "pluginName": "__EXTERNAL_PAYMENT__" });
        let first = clerk.needs(&["payment_method:create"], ("POST", &list, new())).id();
        let other = clerk.admin.post("/accounts", json!({ "currency": "USD" })).status(201).id();
        let pays = format!("/accounts/{other}/paymentMethods?isDefault=true&payAllUnpaidInvoices=true");
        clerk.needs(&["payment_method:create", "payment:trigger"], ("POST", &pays, new()));
        let default = format!("{list}/{first}/setDefault");
        clerk.needs(&["payment_method:create"], ("PUT", &default, json!({})));
        let default = format!("{default}?payAllUnpaidInvoices=true");
        clerk.needs(&["payment_method:create", "payment:trigger"], ("PUT", &default, json!({})));
        clerk.needs(&["payment_method:update"], ("PUT", &format!("{list}/refresh"), json!({})));
        let delete = format!("/paymentMethods/{first}?forceDefaultPmDeletion=true");
        clerk.needs(&["payment_method:delete"], ("DELETE", &delete, Value::Null));
    });
}

#[test]
fn closing_needs_what_it_does() {
    scenario(|world| {
        let clerk = Clerk::new(world);
        let always = ["tag:add", "entitlement:pause_resume"];
        // As at Kill Bill: where there is nothing to cancel, write off or adjust, nobody need be permitted to.
        for flags in [
            "",
            "removeFutureNotifications=true",
            "cancelAllSubscriptions=true&writeOffUnpaidInvoices=true&itemAdjustUnpaidInvoices=true",
        ] {
            let account = clerk.admin.post("/accounts", json!({})).status(201).id();
            let path = format!("/accounts/{account}?{flags}");
            clerk.needs(&always, ("DELETE", &path, Value::Null));
            let audit = clerk.http.get(format!("/accounts/{account}/auditLogs")).status(200).json();
            assert_eq!(audit.as_array().unwrap().len(), 3, "opened, tagged, blocked: {audit}");
        }
    });
}
