//! This desk's API document: `openapi/` has a file per group of operations.

use edge::{About, openapi_document};
use serde_json::{Value, json};

/// A file per group. A path may be in several of them, an operation only in one.
const GROUPS: &[(&str, &str)] = &[
    ("accounts", include_str!("../openapi/accounts.json")),
    ("admin", include_str!("../openapi/admin.json")),
    ("audit", include_str!("../openapi/audit.json")),
    ("blocking", include_str!("../openapi/blocking.json")),
    ("catalog", include_str!("../openapi/catalog.json")),
    ("common", include_str!("../openapi/common.json")),
    ("custom_fields", include_str!("../openapi/custom_fields.json")),
    ("emails", include_str!("../openapi/emails.json")),
    ("payment_methods", include_str!("../openapi/payment_methods.json")),
    ("search", include_str!("../openapi/search.json")),
    ("security", include_str!("../openapi/security.json")),
    ("tags", include_str!("../openapi/tags.json")),
    ("tenant_values", include_str!("../openapi/tenant_values.json")),
    ("tenants", include_str!("../openapi/tenants.json")),
];

const DESCRIPTION: &str = "\
Kill Bill's REST API, as of version 0.25. Its clients work unchanged.\n\n\
Every call has HTTP basic authentication and, but for tenants, users and nodes, the tenant's `X-Killbill-ApiKey` and \
`X-Killbill-ApiSecret`. A call that changes something says who asks in `X-Killbill-CreatedBy`, and may say why in \
`X-Killbill-Reason` and `X-Killbill-Comment`; a UUID in `X-Request-Id` becomes the user token of its audit records. \
A POST with an `Idempotency-Key` is done once, however often it is sent.\n\n\
A refused call answers with an `Error`.";

/// The OpenAPI 3.1 document of this desk. An error names the file that is broken.
pub fn openapi() -> Result<Value, String> {
    let header = |name: &str| json!({ "type": "apiKey", "in": "header", "name": name });
    let about = About {
        title: "Billhook: Kill Bill's desk",
        description: DESCRIPTION,
        security_schemes: json!({
            "basic": { "type": "http", "scheme": "basic" },
            "apiKey": header("X-Killbill-ApiKey"),
            "apiSecret": header("X-Killbill-ApiSecret")
        }),
        security: json!([{ "basic": [], "apiKey": [], "apiSecret": [] }]),
    };
    openapi_document(about, GROUPS)
}
