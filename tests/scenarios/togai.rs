//! Togai's desk: customers and accounts, over HTTP and across desks.

mod accounts;
mod aliases;
mod customers;
mod desks;
mod tokens;

use serde_json::{Value, json};
use testkit::{Http, Response, World};

/// A client of Togai's desk in this world's tenant.
pub(crate) fn togai(world: &World) -> Http {
    togai_of(world, &world.tenant().api_key)
}

/// The same in the tenant with this API key.
fn togai_of(world: &World, api_key: &str) -> Http {
    let token = world.billhook(["token", "togai", "--tenant", api_key, "--name", "tests"]);
    world.http().with_bearer(token.split_whitespace().last().unwrap())
}

/// The smallest customer that is taken.
pub(crate) fn customer(id: &str) -> Value {
    json!({ "id": id, "name": "Acme Corp", "primaryEmail": "billing@acme.example", "address": {} })
}

/// The smallest account that is taken.
fn account(id: &str) -> Value {
    json!({ "id": id, "name": "Acme Main" })
}

/// The smallest account that is taken on its own.
fn account_of(customer_id: &str, id: &str) -> Value {
    json!({ "id": id, "name": "Acme Main", "customerId": customer_id })
}

/// `base` with one field, named by a JSON pointer, set to `value`; null removes it.
fn with(mut base: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = base.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(field),
        value => parent.insert(field.to_owned(), value),
    };
    base
}

/// Fails unless the answer is an error of this status, with Togai's body.
#[track_caller]
fn refused(response: Response, status: u16) -> String {
    let body = response.status(status).json();
    let message = body["message"].as_str().unwrap_or_else(|| panic!("no message in {body}")).to_owned();
    assert!(!message.is_empty() && message.chars().count() <= 500, "{message}");
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    message
}

/// All items of a list, read page by page; fails when a page is longer than it may be.
fn walk(client: &Http, path: &str, page_size: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut next = format!("{path}?pageSize={page_size}");
    loop {
        let page = client.get(&next).status(200).json();
        let data = page["data"].as_array().unwrap().clone();
        assert!(data.len() <= page_size);
        all.extend(data);
        match page["nextToken"].as_str() {
            Some(token) => next = format!("{path}?nextToken={token}"),
            None => return all,
        }
    }
}

/// The field of each item.
fn each<'a>(items: &'a [Value], field: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[field].as_str().unwrap()).collect()
}
