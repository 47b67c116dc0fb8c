//! Profiles: made, listed, changed, shown at every desk, and deleted without losing the books.

use super::Site;
use crate::scenario;
use serde_json::{Value, json};

/// A whole body for a new profile.
fn acme() -> Value {
    json!({
        "full_name": "Acme, Inc.", "email": "billing@acme.test", "phone": "(650) 253-0000",
        "street_address": "1 Main St", "locality": "San Francisco", "region": "CA", "postal_code": "94105",
        "country": "US", "default_timezone": "America/Los_Angeles", "is_bulk_buyer": true,
        "extra": { "tax": [1, 2] }
    })
}

#[test]
fn a_profile_is_made_read_changed_and_deleted() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let made = ann.post("/api/users/ann/profiles", acme()).status(201);
        assert_eq!(made.location(), format!("{}/api/profile/acme-inc", site.base()));
        let made = made.json();
        let mut wanted = json!({
            "slug": "acme-inc", "printable_name": "Acme, Inc.", "picture": null, "type": "organization",
            "credentials": false, "created_at": made["created_at"], "full_name": "Acme, Inc.",
            "email": "billing@acme.test", "phone": "+16502530000", "street_address": "1 Main St",
            "locality": "San Francisco", "region": "CA", "postal_code": "94105", "country": "US",
            "default_timezone": "America/Los_Angeles", "is_provider": false, "is_bulk_buyer": true,
            "no_implicit_role": false, "extra": { "tax": [1, 2] }
        });
        assert_eq!(made, wanted);
        assert!(made["created_at"].as_str().unwrap().ends_with('Z'));

        wanted["subscriptions"] = json!([]);
        wanted["activities"] = json!([]);
        assert_eq!(ann.get("/api/profile/acme-inc").status(200).json(), wanted);

        let change = json!({ "full_name": "Acme", "phone": "", "extra": "a text", "no_implicit_role": true });
        let mut changed = ann.put("/api/profile/acme-inc", change).status(200).json();
        assert!(changed["detail"].is_string());
        changed.as_object_mut().unwrap().remove("detail");
        for (name, value) in
            [("full_name", "Acme"), ("printable_name", "Acme"), ("phone", ""), ("extra", "a text")]
        {
            wanted[name] = json!(value);
        }
        wanted["no_implicit_role"] = json!(true);
        assert_eq!(changed, wanted);
        assert_eq!(ann.get("/api/profile/acme-inc").status(200).json(), wanted);

        ann.patch("/api/profile/acme-inc", json!({ "slug": "Acme_2", "country": "" })).status(200);
        ann.get("/api/profile/acme-inc").status(404);
        let renamed = ann.get("/api/profile/Acme_2").status(200).json();
        assert_eq!((&renamed["slug"], &renamed["country"]), (&json!("Acme_2"), &json!("")));

        assert!(ann.delete("/api/profile/Acme_2").status(204).bytes().is_empty());
        let gone = ann.get("/api/profile/Acme_2").status(404).json();
        assert!(gone["detail"].is_string(), "{gone}");
        ann.delete("/api/profile/Acme_2").status(404);
        ann.patch("/api/profile/Acme_2", json!({})).status(404);
    });
}
