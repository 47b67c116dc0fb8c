//! Whatever is done to an account, its history can be replayed: the last snapshot of each object is the object as the
//! book holds it, and the chain on the account's row is as long as its records.
#![allow(clippy::unwrap_used)]

use billing::account::{AccountChange, NewAccount};
use billing::blocking::{Blocked, NewBlockingState};
use billing::{Caller, ObjectType, TenantId};
use jiff::{SignedDuration, Timestamp};
use operations::accounts::close::{Closing, close};
use operations::blocking::{Blockable, EffectiveFrom};
use operations::owner::Object;
use operations::tenants::{NewTenant, create};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;
use storage::audit::AuditRecord;
use storage::{Connection, Outcome, Store, StoreOptions};
use uuid::Uuid;

/// Something that is done to an account. Small numbers, so that it is often done again.
#[derive(Clone, Debug)]
enum Step {
    Rename(u8),
    AddEmail(u8),
    RemoveEmail(u8),
    Block { service: u8, state: u8, day: i64, billing: bool },
    Tag(u8),
    Untag(u8),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let block = (0..2u8, 0..3u8, -3..4i64, any::<bool>())
        .prop_map(|(service, state, day, billing)| Step::Block { service, state, day, billing });
    let step = prop_oneof![
        (0..4u8).prop_map(Step::Rename),
        (0..3u8).prop_map(Step::AddEmail),
        (0..3u8).prop_map(Step::RemoveEmail),
        block,
        (2..5u8).prop_map(Step::Tag),
        (2..5u8).prop_map(Step::Untag),
        Just(Step::Close),
    ];
    prop::collection::vec(step, 1..25)
}

fn control_tag(number: u8) -> Uuid {
    Uuid::from_u128(number.into())
}

fn apply(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
    step: &Step,
) -> Outcome<()> {
    match step {
        Step::Rename(number) => {
            let rename = |account: &billing::account::Account| {
                let mut details = account.details.clone();
                details.name = Some(format!("name {number}"));
                Ok(AccountChange { details, ..AccountChange::default() })
            };
            operations::accounts::change(tx, tenant_id, id, caller, now, &rename).map(drop)
        }
        Step::AddEmail(number) => {
            operations::account_emails::add(tx, tenant_id, id, caller, now, &format!("{number}@x.org"))
        }
        Step::RemoveEmail(number) => {
            operations::account_emails::remove(tx, tenant_id, id, caller, now, &format!("{number}@x.org"))
        }
        Step::Block { service, state, day, billing } => {
            let new = NewBlockingState {
                state_name: Some(format!("S{state}")),
                service: Some(format!("service-{service}")),
                blocked: Blocked { billing: *billing, ..Blocked::default() },
            };
            let from = EffectiveFrom::Instant(now.checked_add(SignedDuration::from_hours(day * 24)).unwrap());
            operations::blocking::set(tx, tenant_id, Blockable::account(id), caller, now, &new, from)
        }
        Step::Tag(number) => {
            operations::tags::add(tx, tenant_id, Object::account(id), caller, now, &[control_tag(*number)])
        }
        Step::Untag(number) => {
            operations::tags::remove(tx, tenant_id, Object::account(id), caller, now, &[control_tag(*number)])
        }
        Step::Close => close(tx, tenant_id, id, caller, now, Closing::default()),
    }
}

static BOOK: LazyLock<(Store, TenantId)> = LazyLock::new(|| {
    let file = testkit::new_directory("history").join("book.sqlite");
    let store = Store::open(&format!("sqlite:{}", file.display()), StoreOptions::default()).unwrap();
    let new = NewTenant { api_key: "t".into(), ..NewTenant::default() };
    let caller = Caller::system(Uuid::new_v4());
    let tenant = store.write_now(move |tx| create(tx, &caller, start(), &new)).unwrap();
    (store, tenant.tenant_id)
});

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// The last record of each object of the account, with its snapshot.
fn last_records(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Outcome<Vec<(AuditRecord, String)>> {
    let mut last = HashMap::new();
    let records = storage::audit::of_account(tx, tenant_id, id)?;
    let (_, chain) = storage::accounts::lock(tx, tenant_id, id)?.unwrap();
    assert_eq!(chain.length(), i64::try_from(records.len()).unwrap());
    for record in records {
        let of_object = storage::audit::of_object(tx, tenant_id, record.object_type, record.object_id)?;
        last.insert(record.object_id, of_object.into_iter().next_back().unwrap());
    }
    Ok(last.into_values().collect())
}

/// The object of a record as the book holds it now, in the words of its snapshot.
fn held_now(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    record: &AuditRecord,
) -> Outcome<serde_json::Value> {
    let id = record.object_id;
    let json = match record.object_type {
        ObjectType::Account => {
            serde_json::to_value(storage::accounts::by_id(tx, tenant_id, id)?.unwrap().account)
        }
        ObjectType::AccountEmail => {
            serde_json::to_value(storage::account_emails::by_id(tx, tenant_id, id)?.unwrap())
        }
        ObjectType::BlockingStates => {
            serde_json::to_value(storage::blocking_states::by_id(tx, tenant_id, id)?.unwrap().state)
        }
        ObjectType::Tag => {
            let tags = storage::tags::of_object(tx, tenant_id, account_id, true)?;
            serde_json::to_value(tags.into_iter().find(|tag| tag.id == id).unwrap())
        }
        other => unreachable!("{other}"),
    };
    Ok(json.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_last_snapshot_of_each_object_is_the_object(steps in steps()) {
        let (store, tenant_id) = (&BOOK.0, BOOK.1);
        let caller = Caller::system(Uuid::new_v4());
        let opened = {
            let caller = caller.clone();
            let open = move |tx: &mut dyn Connection| {
                operations::accounts::open(tx, tenant_id, &caller, start(), &NewAccount::default())
            };
            store.write_now(open).unwrap()
        };
        let id = opened.account.id;
        for (hour, step) in steps.into_iter().enumerate() {
            let now = start().checked_add(SignedDuration::from_hours(i64::try_from(hour).unwrap())).unwrap();
            let caller = caller.clone();
            let done = store.write_now(move |tx| apply(tx, tenant_id, id, &caller, now, &step));
            // A tag that is not there cannot be taken off; nothing of a refused step may stay.
            prop_assert!(matches!(done, Ok(()) | Err(storage::Error::Refused(_))), "{:?}", done);
        }
        let compared = store.write_now(move |tx| {
            let mut pairs = Vec::new();
            for (record, snapshot) in last_records(tx, tenant_id, id)? {
                let held = held_now(tx, tenant_id, id, &record)?;
                pairs.push((serde_json::from_str::<serde_json::Value>(&snapshot).unwrap(), held));
            }
            Ok(pairs)
        });
        for (snapshot, held) in compared.unwrap() {
            prop_assert_eq!(snapshot, held);
        }
    }
}
