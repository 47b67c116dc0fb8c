//! Whatever is done to an account, its history can be replayed: the last snapshot of each object is the object as the
//! book holds it, and the chain on the account's row is as long as its records.
#![allow(clippy::unwrap_used)]

use billing::account::{AccountChange, NewAccount};
use billing::alias::{NewAlias, Validity};
use billing::blocking::{Blocked, NewBlockingState};
use billing::custom_field::CustomFieldChange;
use billing::payment_method::{EXTERNAL_PAYMENT, NewPaymentMethod};
use billing::{Caller, ObjectType, TenantId};
use jiff::{SignedDuration, Timestamp};
use operations::accounts::close::{Closing, close};
use operations::aliases::{self, Removal};
use operations::blocking::{Blockable, EffectiveFrom};
use operations::custom_fields;
use operations::owner::Object;
use operations::payment_methods::{self, Choice, DefaultDeletion};
use operations::tenants::{NewTenant, create};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;
use storage::audit::AuditRecord;
use storage::{Connection, Outcome, Store, StoreOptions};
use testkit::PostgresCluster;
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
    AddField { name: u8, value: u8 },
    ChangeField { name: u8, value: u8 },
    RemoveField(u8),
    AddAlias { value: u8, from: Option<i64> },
    EndAlias { value: u8, day: i64 },
    RemoveAlias(u8),
    AddPaymentMethod { is_default: bool },
    DeletePaymentMethod,
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
        (0..3u8, any::<u8>()).prop_map(|(name, value)| Step::AddField { name, value }),
        (0..3u8, any::<u8>()).prop_map(|(name, value)| Step::ChangeField { name, value }),
        (0..3u8).prop_map(Step::RemoveField),
        (0..3u8, prop::option::of(-3..4i64)).prop_map(|(value, from)| Step::AddAlias { value, from }),
        (0..3u8, -3..4i64).prop_map(|(value, day)| Step::EndAlias { value, day }),
        (0..3u8).prop_map(Step::RemoveAlias),
        any::<bool>().prop_map(|is_default| Step::AddPaymentMethod { is_default }),
        Just(Step::DeletePaymentMethod),
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
            let at = now.checked_add(SignedDuration::from_hours(day * 24)).unwrap();
            // Finer than the book keeps instants.
            let from = EffectiveFrom::Instant(at.checked_add(SignedDuration::from_nanos(1)).unwrap());
            operations::blocking::set(tx, tenant_id, Blockable::account(id), caller, now, &new, from)
        }
        Step::Tag(number) => {
            operations::tags::add(tx, tenant_id, Object::account(id), caller, now, &[control_tag(*number)])
        }
        Step::Untag(number) => {
            operations::tags::remove(tx, tenant_id, Object::account(id), caller, now, &[control_tag(*number)])
        }
        Step::Close => close(tx, tenant_id, id, caller, now, Closing::default()),
        Step::AddPaymentMethod { is_default } => {
            let new =
                NewPaymentMethod { plugin_name: EXTERNAL_PAYMENT.into(), ..NewPaymentMethod::default() };
            let choice = Choice { is_default: *is_default, ..Choice::default() };
            payment_methods::add(tx, tenant_id, id, caller, now, (&new, choice)).map(drop)
        }
        Step::DeletePaymentMethod => {
            let held = storage::payment_methods::of_account(tx, tenant_id, id, false)?;
            held.first().map_or(Ok(()), |stored| {
                let method_id = stored.payment_method.id;
                payment_methods::delete(tx, tenant_id, method_id, caller, now, DefaultDeletion::Clear)
            })
        }
        step => apply_to_names(tx, tenant_id, id, caller, now, step),
    }
}

/// Steps about custom fields and aliases, which are looked up by name.
fn apply_to_names(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
    step: &Step,
) -> Outcome<()> {
    let object = Object::account(id);
    let fields = storage::custom_fields::of_object(tx, tenant_id, ObjectType::Account, id)?;
    let field = |name: u8| {
        let found = fields.iter().find(|(_, field)| field.name == format!("field {name}"));
        found.map(|(_, field)| field.id).unwrap_or_default()
    };
    // Finer than the book keeps instants.
    let finely = |day: i64| {
        let at = now.checked_add(SignedDuration::from_hours(day * 24)).unwrap();
        at.checked_add(SignedDuration::from_nanos(1)).unwrap()
    };
    match step {
        Step::AddField { name, value } => {
            let fields = [(format!("field {name}"), value.to_string())];
            custom_fields::add(tx, tenant_id, object, caller, now, &fields)
        }
        Step::ChangeField { name, value } => {
            let change = CustomFieldChange { name: None, value: value.to_string() };
            custom_fields::change(tx, tenant_id, object, caller, now, &[(field(*name), change)])
        }
        Step::RemoveField(name) => custom_fields::remove(tx, tenant_id, object, caller, now, &[field(*name)]),
        Step::AddAlias { value, from } => {
            let validity = Validity { from: from.map(finely), until: None };
            let alias = NewAlias { value: format!("{id} {value}"), validity };
            aliases::add(tx, tenant_id, id, caller, now, &[alias])
        }
        Step::EndAlias { value, day } => {
            let held = storage::aliases::by_value(tx, tenant_id, &format!("{id} {value}"), None)?;
            let ids = held.iter().map(|stored| (stored.alias.id, Some(finely(*day)))).collect();
            aliases::remove(tx, tenant_id, id, caller, now, &Removal { ids, ..Removal::default() })
        }
        Step::RemoveAlias(value) => {
            let values = vec![format!("{id} {value}")];
            aliases::remove(tx, tenant_id, id, caller, now, &Removal { values, ..Removal::default() })
        }
        other => unreachable!("{other:?}"),
    }
}

/// A book of each engine.
static BOOKS: LazyLock<[(Store, TenantId); 2]> = LazyLock::new(|| {
    let file = testkit::new_directory("history").join("book.sqlite");
    let urls = [format!("sqlite:{}", file.display()), PostgresCluster::shared().create_database()];
    urls.map(|url| {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let new = NewTenant { api_key: "t".into(), ..NewTenant::default() };
        let caller = Caller::system(Uuid::new_v4());
        let tenant = store.write_now(move |tx| create(tx, &caller, start(), &new)).unwrap();
        (store, tenant.tenant_id)
    })
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

/// The object of a record as the book holds it now, in the words of its snapshot; nothing for one that was removed.
fn held_now(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    record: &AuditRecord,
) -> Outcome<Option<serde_json::Value>> {
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
            let tags = storage::tags::of_object(tx, tenant_id, ObjectType::Account, account_id, true)?;
            serde_json::to_value(tags.into_iter().find(|tag| tag.id == id).unwrap())
        }
        ObjectType::PaymentMethod => {
            let stored = storage::payment_methods::by_id(tx, tenant_id, id)?.unwrap();
            serde_json::to_value(stored.payment_method)
        }
        ObjectType::CustomField => match storage::custom_fields::by_id(tx, tenant_id, id)? {
            Some(stored) => serde_json::to_value(stored.1),
            None => return Ok(None),
        },
        ObjectType::AccountAlias => match storage::aliases::by_id(tx, tenant_id, account_id, id)? {
            Some(stored) => serde_json::to_value(stored.alias),
            None => return Ok(None),
        },
        other => unreachable!("{other}"),
    };
    Ok(Some(json.unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_last_snapshot_of_each_object_is_the_object(steps in steps(), book in 0..2usize) {
        let (store, tenant_id) = (&BOOKS[book].0, BOOKS[book].1);
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
                let snapshot: serde_json::Value = serde_json::from_str(&snapshot).unwrap();
                assert!(held.is_some() || record.change_type == "DELETE", "{record:?}");
                pairs.push((held.is_some().then_some(snapshot), held));
            }
            Ok(pairs)
        });
        for (snapshot, held) in compared.unwrap() {
            prop_assert_eq!(snapshot, held);
        }
        let findings = store.read_now(move |tx| operations::verify::tenant(tx, tenant_id)).unwrap();
        prop_assert!(findings.differences.is_empty(), "{:?}", findings.differences);
    }
}
