//! DjaoApp's desk, at `/api`: people register, log in, own profiles and hold roles. It translates between DjaoApp's
//! contract and the book, and owns no rule.
//!
//! One file a resource: its JSON, its handlers, its routes. [`session`] knows who calls, [`error`] the error bodies,
//! [`list`] the conventions of every list.

mod accessibles;
mod activities;
mod adoption;
mod agreements;
mod auth;
mod contacts;
mod cookies;
mod error;
mod fields;
mod guards;
mod json;
mod list;
mod paging;
mod pictures;
mod profiles;
mod proofs;
mod role_kinds;
mod role_shapes;
mod roles;
mod root;
mod secrets;
mod session;
mod shapes;
mod tokens;
mod typeahead;
mod users;

use edge::{About, Route, openapi_document};
use serde_json::{Value, json};

/// All operations of this desk.
pub fn routes() -> Vec<Route> {
    [
        root::routes(),
        auth::routes(),
        tokens::routes(),
        secrets::routes(),
        profiles::routes(),
        pictures::routes(),
        typeahead::routes(),
        users::routes(),
        roles::routes(),
        role_kinds::routes(),
        accessibles::routes(),
        agreements::routes(),
        activities::routes(),
        contacts::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router of this desk. A path answers OPTIONS with the methods that it takes, and 405 to others, with this desk's
/// error body.
pub fn router() -> axum::Router<edge::SharedEdge> {
    let mut routes = routes();
    let options = edge::options_of(&routes);
    routes.extend(options);
    edge::router(routes).method_not_allowed_fallback(async |method: http::Method| {
        error::detail(http::StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."))
    })
}

/// A file per group. A path may be in several of them, an operation only in one.
const GROUPS: &[(&str, &str)] = &[
    ("root", include_str!("../openapi/root.json")),
    ("auth", include_str!("../openapi/auth.json")),
    ("profiles", include_str!("../openapi/profiles.json")),
    ("typeahead", include_str!("../openapi/typeahead.json")),
    ("users", include_str!("../openapi/users.json")),
    ("roles", include_str!("../openapi/roles.json")),
    ("legal", include_str!("../openapi/legal.json")),
    ("activities", include_str!("../openapi/activities.json")),
    ("contacts", include_str!("../openapi/contacts.json")),
];

const DESCRIPTION: &str = "\
Profiles, people and roles, as DjaoApp serves them.\n\n\
A call is made by whoever the session cookie, the `Authorization: Bearer` token or the API key (HTTP basic, empty \
password) says. Writes by cookie repeat the cookie `csrftoken`, which `GET /api` sets, in `X-CSRFToken`. The site \
is told by the host name; on any other host it is the oldest tenant.\n\n\
Lists take `page`, `page_size`, `q`, `q_f`, `o`, `start_at` and `ends_at`. A refused call answers with `detail`, or with \
a member for each field that is wrong.";

/// The OpenAPI 3.1 document of this desk. An error names the file that is broken.
pub fn openapi() -> Result<Value, String> {
    let about = About {
        title: "Billhook: DjaoApp's desk",
        description: DESCRIPTION,
        security_schemes: json!({
            "bearer": { "type": "http", "scheme": "bearer" },
            "apiKey": { "type": "http", "scheme": "basic" },
            "cookie": { "type": "apiKey", "in": "cookie", "name": "sessionid" }
        }),
        security: json!([{ "bearer": [] }, { "apiKey": [] }, { "cookie": [] }]),
    };
    openapi_document(about, GROUPS)
}
