//! What the command line refuses before it harms, and what a start does in which order.

use crate::export::billhook;
use crate::{BILLHOOK, scenario};
use billing::TenantId;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Output};
use storage::{Store, StoreOptions};
use testkit::{Engine, Server};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const NEED_A_BOOK: &[&[&str]] = &[
    &["verify"],
    &["verify", "--tenant", "bob"],
    &["export", "--tenant", "bob"],
    &["tenant", "list"],
    &["tenant", "reset-clock", "--tenant", "bob"],
    &["work", "failed"],
    &["organization", "list", "--tenant", "bob"],
    &["organization", "create", "--tenant", "bob", "--name", "Acme"],
    &["token", "togai", "--tenant", "bob"],
    &["token", "list", "--tenant", "bob"],
    &["token", "key", "list", "--tenant", "bob"],
    &["admin", "reset"],
];

#[test]
fn a_book_that_is_not_there_is_not_made_by_what_needs_one() {
    let folder = testkit::new_directory("absent");
    let empty = folder.join("empty.sqlite");
    std::fs::write(&empty, "").unwrap();
    let postgres = Engine::Postgres.create_database();
    let typo = format!("sqlite:{}/no/typo.sqlite", folder.display());
    for arguments in NEED_A_BOOK {
        for database in [&typo, &format!("sqlite:{}", empty.display()), &postgres] {
            let output = billhook(database, arguments, "");
            let shown = database.split('?').next().unwrap();
            let why = told(&output);
            assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
            assert!(why.contains("there is no book there") && why.contains(shown), "{arguments:?}: {why}");
        }
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "only the empty file");
    assert_eq!(std::fs::metadata(&empty).unwrap().len(), 0);

    let mut version = String::new();
    for database in [&typo, &postgres] {
        version = succeeds(&billhook(database, &["migrate"], ""));
        assert_eq!(succeeds(&billhook(database, &["tenant", "list"], "")), "ID\tAPI KEY\tNAME\n");
    }
    assert!(version.starts_with("schema version "), "{version}");
}

#[test]
fn an_address_that_names_no_file_is_refused_as_such() {
    for database in ["sqlite:", "sqlite://", "sqlite::memory:"] {
        for arguments in [&["migrate"][..], &["tenant", "list"]] {
            let why = told(&billhook(database, arguments, ""));
            assert!(why.contains("names no file"), "{database}: {why}");
        }
    }
    let why = told(&billhook("mysql://x", &["migrate"], ""));
    assert!(why.contains("must begin with sqlite:"), "{why}");
}

/// A book with the tenant that a demo makes; its export.
fn demos_export() -> String {
    let demo = Engine::Sqlite.create_database();
    let create = ["tenant", "create", "--api-key", "bob", "--api-secret", "lazar", "--name", "Demo"];
    succeeds(&billhook(&demo, &create, ""));
    succeeds(&billhook(&demo, &["export", "--tenant", "bob"], ""))
}

#[test]
fn a_demos_tenant_comes_into_another_book_only_when_told() {
    let exported = demos_export();
    for engine in Engine::ALL {
        let database = engine.create_database();
        succeeds(&billhook(&database, &["tenant", "create", "--api-key", "shop", "--api-secret", "s"], ""));
        let refused = billhook(&database, &["import"], &exported);
        let why = told(&refused);
        assert!(!refused.status.success() && why.contains("a demo's") && why.contains("--force"), "{why}");
        let tenants = succeeds(&billhook(&database, &["tenant", "list"], ""));
        assert!(tenants.contains("\tshop\t") && !tenants.contains("\tbob\t"), "{tenants}");
        succeeds(&billhook(&database, &["import", "--force"], &exported));
        let again = told(&billhook(&database, &["import", "--api-key", "other"], &exported));
        assert!(again.contains("is in this book already, with API key bob"), "{again}");
    }
}

#[test]
fn a_domain_that_is_taken_is_told_as_such() {
    let (one, other) = (Engine::Sqlite.create_database(), Engine::Sqlite.create_database());
    for (database, key) in [(&one, "a"), (&other, "b")] {
        let create = ["tenant", "create", "--api-key", key, "--api-secret", "s", "--domain", "shop.example"];
        succeeds(&billhook(database, &create, ""));
    }
    let exported = succeeds(&billhook(&one, &["export", "--tenant", "a"], ""));
    let why = told(&billhook(&other, &["import"], &exported));
    assert!(why.contains("another tenant has its domain shop.example"), "{why}");
}

#[test]
fn an_export_goes_into_devices_and_pipes_and_through_links() {
    scenario(|world| {
        let folder = testkit::new_directory("targets");
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let export =
            |to: &str| world.billhook_output(["export", "--tenant", &world.tenant().api_key, "--output", to]);
        let whole = world.billhook(["export", "--tenant", &world.tenant().api_key]) + "\n";

        let fifo = path("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || {
                let mut text = String::new();
                std::fs::File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        let output = export(&fifo);
        if !output.status.success() || !std::fs::metadata(&fifo).unwrap().file_type().is_fifo() {
            // The reader must not wait for ever.
            drop(std::fs::OpenOptions::new().write(true).open(&fifo));
            panic!("{}", told(&output));
        }
        assert_eq!(reader.join().unwrap(), whole);

        let full = path("full");
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        let output = export(&full);
        assert!(!output.status.success() && told(&output).contains("cannot be written"), "{}", told(&output));
        assert!(std::fs::symlink_metadata(&full).unwrap().is_symlink());

        std::fs::create_dir(folder.join("real")).unwrap();
        for (link, target) in [("there", "real/there"), ("absent", "real/absent")] {
            std::os::unix::fs::symlink(target, path(link)).unwrap();
        }
        std::fs::write(path("real/there"), "old").unwrap();
        for name in ["there", "absent", "plain"] {
            let output = export(&path(name));
            assert!(output.status.success(), "{}", told(&output));
            assert_eq!(std::fs::read_to_string(path(name)).unwrap(), whole, "{name}");
            assert_eq!(std::fs::symlink_metadata(path(name)).unwrap().is_symlink(), name != "plain");
        }
        assert_eq!(std::fs::read_dir(folder.join("real")).unwrap().count(), 2, "nothing half-written");
        assert!(told(&export(&path("real"))).contains("is a folder"));
    });
}

#[test]
fn a_start_that_fails_makes_and_shows_no_password() {
    for engine in Engine::ALL {
        let database = engine.create_database();
        let serve = |listen: &str| {
            let mut command = Command::new(BILLHOOK);
            command.args(["serve", "--listen", listen, "--database", &database]);
            command.current_dir(testkit::new_directory("run")).env_remove("BILLHOOK_ADMIN_PASSWORD");
            command
        };
        let output = serve("192.0.2.1:1").output().unwrap();
        assert!(told(&output).contains("cannot listen") && output.stdout.is_empty(), "{output:?}");
        let store = Store::open(&database, StoreOptions::default()).unwrap();
        let admin = store.read_now(|tx| Ok(storage::users::by_username(tx, TenantId::SERVER, "admin")?));
        assert_eq!(admin.unwrap(), None);
        store.close();

        let mut child = serve("127.0.0.1:0").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut first).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(first.starts_with("first start: user admin has password "), "{first}");
    }
}

#[test]
fn the_demo_listens_where_it_is_told_but_on_this_machine_alone() {
    let demo = |options: &[&str]| {
        let arguments: Vec<&str> = ["demo"].iter().chain(options).copied().collect();
        told(&billhook(&Engine::Sqlite.create_database(), &arguments, ""))
    };
    for address in ["0.0.0.0:8080", "[::]:0", "192.0.2.1:1"] {
        let why = demo(&["--listen", address]);
        assert!(why.contains("this machine alone") && why.contains("billhook serve"), "{why}");
    }
    assert!(demo(&["--listen", "127.0.0.1:0", "--port", "0"]).contains("cannot be used with"));
    // An address of this machine that somebody has already.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(demo(&["--listen", &address]).contains(&format!("cannot listen on {address}")));
}

#[test]
fn what_cannot_be_a_limit_or_an_origin_is_refused() {
    let serve = |options: &[&str]| {
        let arguments: Vec<&str> = ["serve"].iter().chain(options).copied().collect();
        let database = format!("sqlite:{}/book.sqlite", testkit::new_directory("options").display());
        let output = billhook(&database, &arguments, "");
        assert!(!output.status.success(), "{options:?}");
        assert!(!Path::new(database.strip_prefix("sqlite:").unwrap()).exists());
        told(&output)
    };
    assert!(serve(&["--body-limit", "0"]).contains("body_limit must be at least 1"));
    assert!(serve(&["--cors-origins", "foo bar"]).contains("\"foo bar\" is none"));
    assert!(serve(&["--cors-origins", "https://a.example,https://b.example/"]).contains("b.example"));
}

#[test]
fn the_root_leads_to_the_documents() {
    scenario(|world| {
        let root = world.http().get("/").status(307);
        assert_eq!(root.location(), "/docs");
        assert!(world.http().get(root.location()).status(200).text().contains("Billhook"));
    });
}

#[test]
fn revoking_a_token_that_is_none_says_so() {
    scenario(|world| {
        let key = world.tenant().api_key.as_str();
        let id = "00000000-0000-0000-0000-0000000000ff";
        let output = world.billhook_output(["token", "revoke", "--tenant", key, "--id", id]);
        assert!(told(&output).contains(&format!("no API token with id {id}")), "{}", told(&output));
    });
}

#[test]
fn a_demo_runs_at_the_address_it_is_told() {
    let database = Engine::Sqlite.create_database();
    let mut command = Command::new(BILLHOOK);
    command.args(["demo", "--listen", "127.0.0.2:0", "--database", &database]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening on http://127.0.0.2:"), "{line}");
}

#[test]
fn an_empty_list_of_origins_names_none() {
    let server = Server::start_with(
        BILLHOOK,
        Engine::Sqlite,
        Engine::Sqlite.create_database(),
        &["--cors-origins", ""],
    );
    let http = testkit::Http::new(server.url()).with("Origin", "https://x.example");
    let asked = http.request("OPTIONS", "/1.0/kb/accounts", None).status(200);
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://x.example"));
}
