//! Accounts to look at: a handful with stories, and any number without.

use crate::progress;
use anyhow::Context;
use billing::account::{AccountDetails, NewAccount};
use billing::tag::TagDefinition;
use billing::{Caller, ObjectType, Tenant};
use operations::owner::Object;
use operations::{accounts, clock, custom_fields, tags};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use storage::{Connection, Outcome, Store};
use uuid::Uuid;

/// Accounts opened by one transaction.
const BATCH: u64 = 250;

/// Transactions under way at a time.
const THREADS: usize = 8;

fn caller() -> Caller {
    Caller { changed_by: "demo".into(), ..Caller::system(Uuid::new_v4()) }
}

/// Opens the accounts with stories: a group of companies that its parent pays for, people and shops in several
/// countries, with tags and custom fields.
pub(crate) fn open_few(store: &Store, tenant: &Tenant) -> anyhow::Result<()> {
    let (tenant_id, now) = (tenant.tenant_id, clock::now(tenant));
    store.write_now(move |tx| {
        let caller = caller();
        let vip = TagDefinition {
            id: Uuid::new_v4(),
            name: "vip".into(),
            description: "Answer within the hour".into(),
            applicable_object_types: vec![ObjectType::Account],
        };
        tags::define(tx, tenant_id, &caller, now, &vip)?;
        let open = |tx: &mut dyn Connection, new: &NewAccount| -> Outcome<Uuid> {
            Ok(accounts::open(tx, tenant_id, &caller, now, new)?.account.id)
        };
        let parent = open(tx, &northwind())?;
        for (key, name, city) in
            [("northwind-lyon", "Northwind Lyon", "Lyon"), ("northwind-lille", "Northwind Lille", "Lille")]
        {
            let mut child = northwind();
            child.external_key = Some(key.into());
            child.details.name = Some(name.into());
            child.details.city = Some(city.into());
            child.details.email = Some(format!("{key}@example.com"));
            child.details.parent_account_id = Some(parent);
            child.details.is_payment_delegated_to_parent = true;
            open(tx, &child)?;
        }
        let others = [ann(), sato(), dos_santos(), not_chosen_yet()];
        let others: Vec<Uuid> = others.iter().map(|new| open(tx, new)).collect::<Outcome<_>>()?;
        let Some(ann) = others.first().copied() else { return Ok(()) };
        for id in [parent, ann] {
            tags::add(tx, tenant_id, Object::account(id), &caller, now, &[vip.id])?;
        }
        let fields =
            [("sales_person".to_owned(), "Kim".to_owned()), ("contract".to_owned(), "N-2041".to_owned())];
        custom_fields::add(tx, tenant_id, Object::account(parent), &caller, now, &fields)
    })?;
    Ok(())
}

fn northwind() -> NewAccount {
    NewAccount {
        external_key: Some("northwind".into()),
        currency: Some("EUR".into()),
        bill_cycle_day_local: Some(1),
        time_zone: Some("Europe/Paris".into()),
        details: AccountDetails {
            name: Some("Northwind Group".into()),
            email: Some("billing@northwind.example.com".into()),
            company: Some("Northwind SAS".into()),
            address1: Some("12 rue de la Paix".into()),
            city: Some("Paris".into()),
            postal_code: Some("75002".into()),
            country: Some("FR".into()),
            locale: Some("fr_FR".into()),
            phone: Some("+33 1 70 18 99 00".into()),
            notes: Some("One invoice for the whole group.".into()),
            ..AccountDetails::default()
        },
        ..NewAccount::default()
    }
}

fn ann() -> NewAccount {
    NewAccount {
        external_key: Some("ann".into()),
        currency: Some("USD".into()),
        bill_cycle_day_local: Some(31),
        time_zone: Some("America/Los_Angeles".into()),
        details: AccountDetails {
            name: Some("Ann Whitaker".into()),
            first_name_length: Some(3),
            email: Some("ann@example.com".into()),
            address1: Some("1 Market Street".into()),
            city: Some("San Francisco".into()),
            state: Some("CA".into()),
            postal_code: Some("94105".into()),
            country: Some("US".into()),
            locale: Some("en_US".into()),
            ..AccountDetails::default()
        },
        ..NewAccount::default()
    }
}

fn sato() -> NewAccount {
    NewAccount {
        external_key: Some("sato-denki".into()),
        currency: Some("JPY".into()),
        bill_cycle_day_local: Some(25),
        time_zone: Some("Asia/Tokyo".into()),
        details: AccountDetails {
            name: Some("佐藤電機".into()),
            email: Some("keiri@sato.example.jp".into()),
            company: Some("佐藤電機株式会社".into()),
            city: Some("大阪市".into()),
            postal_code: Some("530-0001".into()),
            country: Some("JP".into()),
            locale: Some("ja_JP".into()),
            is_migrated: Some(true),
            ..AccountDetails::default()
        },
        ..NewAccount::default()
    }
}

fn dos_santos() -> NewAccount {
    NewAccount {
        external_key: Some("padaria-dos-santos".into()),
        currency: Some("BRL".into()),
        bill_cycle_day_local: Some(10),
        time_zone: Some("America/Sao_Paulo".into()),
        details: AccountDetails {
            name: Some("Padaria João dos Santos".into()),
            email: Some("joao@padaria.example.com.br".into()),
            city: Some("São Paulo".into()),
            state: Some("SP".into()),
            country: Some("BR".into()),
            locale: Some("pt_BR".into()),
            ..AccountDetails::default()
        },
        ..NewAccount::default()
    }
}

/// As MikroCloud opens them: the currency comes with the first subscription.
fn not_chosen_yet() -> NewAccount {
    NewAccount {
        external_key: Some("outback-hosting".into()),
        time_zone: Some("Australia/Perth".into()),
        details: AccountDetails {
            name: Some("Outback Hosting".into()),
            email: Some("ops@outback.example.com.au".into()),
            country: Some("AU".into()),
            ..AccountDetails::default()
        },
        ..NewAccount::default()
    }
}

/// Opens accounts until the tenant has `wanted`.
pub(crate) fn fill(store: &Store, tenant: &Tenant, wanted: u64) -> anyhow::Result<()> {
    let tenant_id = tenant.tenant_id;
    let present = store.read_now(move |tx| Ok(storage::verify::count_accounts(tx, tenant_id)?))?;
    let present = u64::try_from(present)?;
    if present >= wanted {
        return Ok(());
    }
    let bar = progress::bar(wanted - present, "accounts");
    let next = AtomicU64::new(present);
    let has_failed = AtomicBool::new(false);
    let run = uuid::Uuid::new_v4().simple().to_string();
    let run = &run[..6];
    std::thread::scope(|scope| {
        let work = || -> anyhow::Result<()> {
            while !has_failed.load(Ordering::Relaxed) {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                let last = (first + BATCH).min(wanted);
                if first >= last {
                    return Ok(());
                }
                let opened = open_batch(store, tenant, run, first..last);
                has_failed.fetch_or(opened.is_err(), Ordering::Relaxed);
                opened?;
                bar.inc(last - first);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread that opens accounts panicked"))??;
        }
        Ok::<_, anyhow::Error>(())
    })
    .context("the sample accounts could not be opened")?;
    bar.finish_and_clear();
    println!("opened {} accounts; the tenant has {wanted}", wanted - present);
    Ok(())
}

fn open_batch(
    store: &Store,
    tenant: &Tenant,
    run: &str,
    numbers: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let (tenant_id, now, run) = (tenant.tenant_id, clock::now(tenant), run.to_owned());
    store.write_now(move |tx| {
        let caller = caller();
        for number in numbers.clone() {
            accounts::open(tx, tenant_id, &caller, now, &numbered(&run, number))?;
        }
        Ok(())
    })?;
    Ok(())
}

const FIRST_NAMES: &[&str] = &[
    "Amina", "Björn", "Chloé", "Diego", "Elif", "Farid", "Giulia", "Hana", "Ivan", "Jonas", "Keiko", "Lena",
    "Mateo", "Nadia", "Oscar", "Priya", "Quentin", "Rosa", "Samuel", "Tove", "Umar", "Vera", "Wei", "Yara",
    "Zoe",
];

const LAST_NAMES: &[&str] = &[
    "Almeida", "Berg", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Jansen",
    "Kowalski", "Lopez", "Müller", "Novak", "Okafor", "Petrov", "Rossi", "Sharma", "Tanaka", "Weber",
    "Yilmaz",
];

const COMPANIES: &[&str] =
    &["Bakery", "Cloud", "Design", "Energy", "Foods", "Logistics", "Media", "Robotics", "Tools"];

/// Country, currency, time zone, locale, city.
const PLACES: &[(&str, &str, &str, &str, &str)] = &[
    ("US", "USD", "America/New_York", "en_US", "New York"),
    ("FR", "EUR", "Europe/Paris", "fr_FR", "Lyon"),
    ("DE", "EUR", "Europe/Berlin", "de_DE", "Hamburg"),
    ("JP", "JPY", "Asia/Tokyo", "ja_JP", "Osaka"),
    ("BR", "BRL", "America/Sao_Paulo", "pt_BR", "Recife"),
    ("KW", "KWD", "Asia/Kuwait", "ar_KW", "Kuwait City"),
    ("IN", "INR", "Asia/Kolkata", "en_IN", "Pune"),
    ("AU", "AUD", "Australia/Sydney", "en_AU", "Sydney"),
    ("GB", "GBP", "Europe/London", "en_GB", "Leeds"),
    ("CH", "CHF", "Europe/Zurich", "de_CH", "Zürich"),
];

/// One of any number of accounts. `run` keeps the keys of one filling apart from those of another.
fn numbered(run: &str, number: u64) -> NewAccount {
    let pick = |length: usize, divisor: u64| (number / divisor % length as u64) as usize;
    let first = FIRST_NAMES[pick(FIRST_NAMES.len(), 1)];
    let last = LAST_NAMES[pick(LAST_NAMES.len(), FIRST_NAMES.len() as u64)];
    let (country, currency, time_zone, locale, city) = PLACES[pick(PLACES.len(), 7)];
    let is_company = number.is_multiple_of(3);
    let company = format!("{last} {}", COMPANIES[pick(COMPANIES.len(), 3)]);
    NewAccount {
        external_key: Some(format!("demo-{run}-{number:07}")),
        currency: Some(currency.into()),
        bill_cycle_day_local: i32::try_from(number % 31 + 1).ok(),
        time_zone: Some(time_zone.into()),
        details: AccountDetails {
            name: Some(if is_company { company.clone() } else { format!("{first} {last}") }),
            first_name_length: (!is_company).then(|| i32::try_from(first.chars().count()).unwrap_or(0)),
            email: Some(format!("account-{number}@{}.example.com", country.to_lowercase())),
            company: is_company.then_some(company),
            city: Some(city.into()),
            country: Some(country.into()),
            locale: Some(locale.into()),
            ..AccountDetails::default()
        },
        ..NewAccount::default()
    }
}
