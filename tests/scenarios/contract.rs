//! The routes, the API documents and the contracts' operations agree.
//!
//! `docs/contract/seed-operations.tsv` has the operations that the contracts show. What is not served yet stands in
//! `docs/contract/missing.txt`, and what is served without a description in `docs/contract/undocumented.txt`. Both may
//! only shrink: a line that is no longer true fails.

use crate::scenario;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A desk: its name, its operations as (method, path), and its API document.
struct Desk {
    name: &'static str,
    operations: BTreeSet<(String, String)>,
    document: Value,
}

/// All desks.
fn desks() -> Vec<Desk> {
    vec![
        desk("killbill", api_killbill::routes(), api_killbill::openapi()),
        desk("mikrocloud", api_mikrocloud::routes(), api_mikrocloud::openapi()),
        desk("togai", api_togai::routes(), api_togai::openapi()),
        desk("djaoapp", api_djaoapp::routes(), api_djaoapp::openapi()),
    ]
}

fn desk(name: &'static str, routes: Vec<edge::Route>, document: Result<Value, String>) -> Desk {
    // A parameter that takes all the rest of a path is one like any other to a document.
    let path = |route: &edge::Route| route.path.replace("{*", "{");
    let operations = routes.iter().map(|route| (route.method.to_owned(), path(route))).collect();
    Desk { name, operations, document: document.unwrap_or_else(|why| panic!("{name}: {why}")) }
}

/// The lines of a file that may only shrink.
fn ratchet(text: &'static str) -> BTreeSet<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Into::into)
        .collect()
}

/// The operations of a document.
fn described(document: &Value) -> BTreeMap<(String, String), &Map<String, Value>> {
    let methods = ["get", "post", "put", "patch", "delete"];
    let paths = document["paths"].as_object().expect("paths is an object");
    let mut operations = BTreeMap::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap_or_else(|| panic!("{path} is no object")) {
            assert!(methods.contains(&method.as_str()), "{path}: {method} is no method");
            let operation = operation.as_object().unwrap_or_else(|| panic!("{method} {path} is no object"));
            operations.insert((method.to_uppercase(), path.clone()), operation);
        }
    }
    operations
}

fn told(desk: &str, (method, path): &(String, String)) -> String {
    format!("{desk} {method} {path}")
}

#[test]
fn documents_describe_what_is_served_and_nothing_else() {
    let listed = ratchet(include_str!("../../docs/contract/undocumented.txt"));
    let mut undocumented = BTreeSet::new();
    let mut wrong = Vec::new();
    for desk in desks() {
        let described = described(&desk.document);
        for operation in &desk.operations {
            if !described.contains_key(operation) {
                undocumented.insert(told(desk.name, operation));
            }
        }
        let unserved = described.keys().filter(|operation| !desk.operations.contains(operation));
        wrong.extend(
            unserved.map(|operation| format!("described, not served: {}", told(desk.name, operation))),
        );
    }
    wrong.extend(undocumented.difference(&listed).map(|line| format!("served, not described: {line}")));
    wrong.extend(
        listed
            .difference(&undocumented)
            .map(|line| format!("no longer undocumented, take out of undocumented.txt: {line}")),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A path whose parameters have no names, because contracts name them differently from place to place.
fn nameless(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

/// Whether one of these operations is the contract's. `*` stands for any method, and behind a path for what follows.
fn is_served(operations: &BTreeSet<(String, String)>, method: &str, path: &str) -> bool {
    let wanted = nameless(path);
    operations.iter().any(|(served, at)| {
        let is_path = match wanted.strip_suffix('*') {
            Some(begin) => nameless(at).starts_with(begin),
            None => nameless(at) == wanted,
        };
        (method == "*" || served == method) && is_path
    })
}

#[test]
fn what_the_contracts_show_is_served_or_listed_as_missing() {
    let listed = ratchet(include_str!("../../docs/contract/missing.txt"));
    let desks = desks();
    let mut missing = BTreeSet::new();
    let mut shown = 0;
    for line in include_str!("../../docs/contract/seed-operations.tsv").lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [surface, method, path, ..] = fields[..] else { panic!("not an operation: {line}") };
        shown += 1;
        let desk = desks.iter().find(|desk| desk.name == surface);
        if !desk.is_some_and(|desk| is_served(&desk.operations, method, path)) {
            missing.insert(format!("{surface} {method} {path}"));
        }
    }
    assert!(shown > 50, "only {shown} operations were read");
    let mut wrong: Vec<String> = missing.difference(&listed).map(|line| format!("missing: {line}")).collect();
    wrong.extend(
        listed.difference(&missing).map(|line| format!("no longer missing, take out of missing.txt: {line}")),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every `$ref` beneath a value.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn documents_are_well_formed() {
    for desk in desks() {
        let (name, document) = (desk.name, &desk.document);
        assert_eq!(document["openapi"], "3.1.0", "{name}");
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string(), "{name}");
        let mut found = Vec::new();
        references(document, &mut found);
        for reference in found {
            let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            assert!(target.is_some(), "{name}: {reference} leads nowhere");
        }
        let mut ids = BTreeSet::new();
        for ((method, path), operation) in described(document) {
            check_operation(operation, &path, &format!("{name} {method} {path}"));
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(ids.insert(id.clone()), "{name}: operationId {id} is there twice");
        }
    }
}

fn check_operation(operation: &Map<String, Value>, path: &str, place: &str) {
    for text in ["operationId", "summary"] {
        let value = operation.get(text).and_then(Value::as_str).unwrap_or_default();
        assert!(!value.is_empty(), "{place}: no {text}");
    }
    let responses = operation.get("responses").and_then(Value::as_object).expect(place);
    assert!(!responses.is_empty(), "{place}: no responses");
    for (status, response) in responses {
        assert!(status == "default" || status.len() == 3, "{place}: status {status}");
        assert!(
            response.get("$ref").is_some() || response["description"].is_string(),
            "{place}: {status} says nothing"
        );
    }
    let parameters = operation.get("parameters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let in_path = |name: &str| {
        parameters.iter().any(|one| one["in"] == "path" && one["name"] == name && one["required"] == true)
    };
    for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        assert!(in_path(part), "{place}: the parameter {part} is not described");
    }
    for one in parameters {
        assert!(
            one.get("$ref").is_some() || one["schema"].is_object(),
            "{place}: a parameter without a schema: {one}"
        );
        let is_in_path = one["in"] != "path"
            || path.contains(&format!("{{{}}}", one["name"].as_str().unwrap_or_default()));
        assert!(is_in_path, "{place}: a parameter that the path does not have: {one}");
    }
}

#[test]
fn documents_can_be_browsed_without_the_internet() {
    scenario(|world| {
        let http = world.http();
        for desk in desks() {
            let served = http.get(format!("/openapi/{}.json", desk.name)).status(200).json();
            assert_eq!(served, desk.document);
            let page = http.get(format!("/docs/{}", desk.name)).status(200);
            assert!(page.text().contains(&format!("/openapi/{}.json", desk.name)), "{page}");
            assert!(!page.text().contains("://"), "the page loads something from elsewhere: {page}");
        }
        let page = http.get("/docs").status(200);
        let program =
            page.text().split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
        let program = http.get(program).status(200);
        assert!(program.text().contains("rapi-doc"), "not RapiDoc's program");
        assert_eq!(http.get("/openapi.json").status(200).json(), http.get("/openapi/killbill.json").json());
        http.get("/openapi/nobody.json").status(404);
        http.get("/docs/nobody").status(404);
    });
}
