//! Finding profiles by parts of their texts, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use billing::TenantId;
use billing::organization::{Kind, Organization};
use storage::profiles::{self, PROFILES};
use storage::{Connection, Outcome, Store, StoreOptions, organizations};
use testkit::PostgresCluster;
use uuid::Uuid;

const TENANT: TenantId = TenantId(1);

fn databases() -> [String; 2] {
    let file = testkit::new_directory("book").join("book.db");
    [format!("sqlite:{}", file.display()), PostgresCluster::shared().create_database()]
}

fn add(tx: &mut dyn Connection, slug: &str, name: &str, locality: &str) -> Outcome<()> {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut organization =
        Organization::new(Uuid::new_v4(), slug.to_owned(), Kind::Organization, name.to_owned(), now);
    organization.contact.locality = Some(locality.to_owned());
    organizations::insert(tx, TENANT, &organization)?.expect("the slug is free");
    Ok(())
}

/// How many profiles there are of which a field holds a term, and the slugs of a page of them.
fn find(store: &Store, fields: &[&str], terms: &[&str], window: (i64, i64)) -> (i64, Vec<String>) {
    let terms: Vec<String> = terms.iter().map(|&term| term.to_owned()).collect();
    let known = PROFILES.searched.iter().map(|(name, _)| *name);
    let fields: Vec<&str> = known.filter(|name| fields.is_empty() || fields.contains(name)).collect();
    store
        .read_now(move |tx| {
            let mut list = profiles::list(tx.engine(), TENANT);
            profiles::search(tx, &mut list, &fields, &terms)?;
            // Pages are the same whether somebody has counted or not.
            let before = profiles::page(tx, &list, window)?;
            let (few, count) = (list.count_to(tx, 3)?, list.count(tx)?);
            assert_eq!(few, count.min(3));
            let after = profiles::page(tx, &list, window)?;
            assert_eq!(before, after);
            let slugs = after.into_iter().map(|profile| profile.organization.organization.slug).collect();
            Ok((count, slugs))
        })
        .unwrap()
}

#[test]
fn parts_of_any_field_find_a_profile() {
    for url in databases() {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        store
            .write_now(|tx| {
                add(tx, "coyote", "Wile E. Coyote", "New Mexico")?;
                add(tx, "odd", "50%_off \\ \"Söhne & Co\" 東京都", "Ost-Berlin")?;
                add(tx, "new", "Newton", "Rome")
            })
            .unwrap();
        let found = |fields: &[&str], terms: &[&str]| find(&store, fields, terms, (0, 10)).1.join(",");
        assert_eq!(found(&[], &["WILE E"]), "coyote", "{url}");
        assert_eq!(found(&[], &["new"]), "new,coyote", "{url}");
        assert_eq!(found(&["locality"], &["new"]), "coyote", "{url}");
        assert_eq!(found(&["slug", "full_name"], &["new"]), "new", "{url}");
        assert_eq!(found(&[], &["e", "nobody"]), "odd,new,coyote", "{url}");
        assert_eq!(found(&[], &["rome", "coyo"]), "new,coyote", "{url}");
        for needle in ["0%_o", "%_", "\\ \"s", "Söhne", "\" 東", "東京都", "京", "& co", "t-b"] {
            assert_eq!(found(&[], &[needle]), "odd", "{url}: {needle}");
        }
        // Two fields are not one text.
        assert_eq!(found(&[], &["coyote\nwile"]), "", "{url}");
        assert_eq!(found(&["username"], &["coyote"]), "", "{url}");
        store
            .write_now(|tx| {
                let mut stored = organizations::by_slug(tx, TENANT, "coyote")?.expect("it was made");
                stored.organization.name = "Road Runner".to_owned();
                stored.organization.slug = "runner".to_owned();
                assert!(organizations::update(tx, TENANT, &stored.organization)?);
                Ok(())
            })
            .unwrap();
        assert_eq!(found(&[], &["coyote"]), "", "{url}");
        assert_eq!(found(&[], &["road run"]), "runner", "{url}");
    }
}

#[test]
fn many_profiles_are_paged_as_few_are() {
    for url in databases() {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        store
            .write_now(|tx| {
                for number in 0..6_000 {
                    let town = if number % 1_000 == 0 { "Springfield" } else { "Shelbyville" };
                    add(tx, &format!("p{number:04}"), &format!("Profile {number:04}"), town)?;
                }
                Ok(())
            })
            .unwrap();
        let (count, page) = find(&store, &[], &["shelby"], (5_990, 25));
        assert_eq!((count, page), (5_994, ["p5996", "p5997", "p5998", "p5999"].map(str::to_owned).to_vec()));
        let (count, page) = find(&store, &[], &["springf"], (1, 2));
        assert_eq!((count, page), (6, ["p1000", "p2000"].map(str::to_owned).to_vec()));
    }
}
