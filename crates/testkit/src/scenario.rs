//! One story, told on both engines.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::http::Http;
use crate::postgres_cluster::PostgresCluster;
use crate::server::{ADMIN_PASSWORD, Engine, Server};

/// A tenant's credentials.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id, a UUID.
    pub id: String,
    /// What `X-Killbill-ApiKey` names it by.
    pub api_key: String,
    /// What `X-Killbill-ApiSecret` proves it with.
    pub api_secret: String,
}

/// Where a story happens: a server, and a tenant that nobody else uses.
pub struct World {
    server: Arc<Server>,
    tenant: Tenant,
}

impl World {
    fn new(server: Arc<Server>) -> World {
        let tenant = create_tenant(&server);
        World { server, tenant }
    }

    /// A client of Kill Bill's desk: the administrator in this world's tenant. Paths begin after `/1.0/kb`.
    pub fn killbill(&self) -> Http {
        self.killbill_of(&self.tenant)
    }

    /// The same client in another tenant.
    pub fn killbill_of(&self, tenant: &Tenant) -> Http {
        let client = administrator(&self.server).with("X-Killbill-ApiKey", &tenant.api_key);
        client.with("X-Killbill-ApiSecret", &tenant.api_secret)
    }

    /// A client that sends no header but what it is told. Paths begin at the root.
    pub fn http(&self) -> Http {
        Http::new(self.server.url())
    }

    /// This world's tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Makes one more tenant on the same server.
    pub fn another_tenant(&self) -> Tenant {
        create_tenant(&self.server)
    }

    /// The server. It is this world's own in [`scenario_alone`] only: leave it running elsewhere.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What the server runs on, for the few stories that end differently.
    pub fn engine(&self) -> Engine {
        self.server.engine()
    }

    /// Runs the command line, with `--database` for this world's database put last, and answers what it printed,
    /// without the last line break.
    ///
    /// # Panics
    /// When the command fails; the message has all that it printed.
    #[track_caller]
    pub fn billhook<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> String {
        let output = self.billhook_output(arguments);
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "billhook failed, {}\n{text}\n{complaint}", output.status);
        text
    }

    /// Like [`World::billhook`], for a command that is expected to fail.
    pub fn billhook_output<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        self.server.command(arguments)
    }
}

fn administrator(server: &Server) -> Http {
    Http::new(format!("{}/1.0/kb", server.url()))
        .with_user("admin", ADMIN_PASSWORD)
        .with("X-Killbill-CreatedBy", "testkit")
}

#[track_caller]
fn create_tenant(server: &Server) -> Tenant {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let (api_key, api_secret) = (format!("key-{number}"), format!("secret-{number}"));
    let body = json!({ "apiKey": api_key, "apiSecret": api_secret, "externalKey": api_key });
    let id = administrator(server).post("/tenants", body).status(201).id();
    Tenant { id, api_key, api_secret }
}

/// Plays a story on SQLite, then on PostgreSQL, each time in a new tenant of the server that all stories of this test
/// process share. A story that fails on one engine is still played on the other, so that the failure tells whether
/// the engine matters. `program` is the path of `billhook`.
///
/// # Panics
/// When the story fails; the message names the engines and shows what the server printed meanwhile.
#[track_caller]
pub fn scenario(program: &'static str, story: impl Fn(&World)) {
    play(story, |engine| Server::shared(program, engine));
}

/// Like [`scenario`], but with a server and a database that nobody else uses: for stories that end the server, start
/// a second one, or look at what is no tenant's own. It costs a little more.
///
/// # Panics
/// As [`scenario`].
#[track_caller]
pub fn scenario_alone(program: &'static str, story: impl Fn(&World)) {
    play(story, |engine| {
        if engine == Engine::Postgres {
            PostgresCluster::shared().prepare_template(|url| {
                let ended = Server::start(program, engine, url.to_owned()).terminate();
                assert!(ended.success(), "the server that filled the template ended with {ended}");
            });
        }
        Arc::new(Server::start(program, engine, engine.create_database()))
    });
}

fn play(story: impl Fn(&World), serve: impl Fn(Engine) -> Arc<Server>) {
    let mut failed = Vec::new();
    for engine in Engine::ALL {
        if !succeeds(engine, &story, &serve) {
            failed.push(engine.to_string());
        }
    }
    if !failed.is_empty() {
        // The panics have been reported where they happened; one more report would only push them out of sight.
        println!("the story failed on {}", failed.join(" and on "));
        resume_unwind(Box::new("the story failed"));
    }
}

fn succeeds(engine: Engine, story: &impl Fn(&World), serve: &impl Fn(Engine) -> Arc<Server>) -> bool {
    println!("--- on {engine} ---");
    let Ok(server) = catch_unwind(AssertUnwindSafe(|| serve(engine))) else {
        return false;
    };
    let mark = server.log_mark();
    let played = catch_unwind(AssertUnwindSafe(|| story(&World::new(Arc::clone(&server)))));
    if played.is_err() {
        println!("--- what the server on {engine} printed meanwhile ---\n{}", server.log_since(mark));
    }
    played.is_ok()
}
