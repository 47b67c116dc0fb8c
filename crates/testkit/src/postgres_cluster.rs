//! A PostgreSQL of the test process's own.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use postgres::{Client, NoTls};

use crate::log::Log;
use crate::process::{self, User};
use crate::scratch;

const SUPERUSER: &str = "billhook";
const TEMPLATE: &str = "billhook_template";

/// A database server that listens on a private socket, keeps its files in a private directory and ends with the test
/// process. It forgets on power loss what it has acknowledged, and is the faster for it; a `kill -9` of a *client*
/// finds everything that was committed.
pub struct PostgresCluster {
    socket: PathBuf,
    administration: Mutex<Client>,
    template: OnceLock<()>,
    log: Log,
    _server: Child,
}

impl PostgresCluster {
    /// The cluster of this process, started at the first call.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the message says what to do.
    pub fn shared() -> &'static PostgresCluster {
        static CLUSTER: LazyLock<Result<PostgresCluster, String>> = LazyLock::new(start);
        match &*CLUSTER {
            Ok(cluster) => cluster,
            Err(why) => panic!("{why}"),
        }
    }

    /// Creates a database for one test and returns its URL. Once there is a template, the database is a copy of it;
    /// before, it is empty.
    pub fn create_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let template = if self.template.get().is_some() { TEMPLATE } else { "template0" };
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        self.url(&name)
    }

    /// Takes a database of [`PostgresCluster::create_database`] away from whoever is connected to it.
    pub fn drop_database(&self, url: &str) {
        let name = url.split(['/', '?']).find(|part| part.starts_with("test_")).unwrap_or_default();
        self.execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
    }

    /// Makes the template that later databases are copied from: `prepare` gets the URL of an empty database, fills
    /// it and leaves no connection to it open. Only the first call does anything; others wait for it.
    pub fn prepare_template(&self, prepare: impl FnOnce(&str)) {
        self.template.get_or_init(|| {
            self.execute(&format!("DROP DATABASE IF EXISTS {TEMPLATE}"));
            self.execute(&format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0"));
            prepare(&self.url(TEMPLATE));
        });
    }

    /// What the database server printed last, for the message of a failed test.
    pub fn log(&self) -> String {
        self.log.since(0)
    }

    fn url(&self, database: &str) -> String {
        url(&self.socket, database)
    }

    fn execute(&self, statement: &str) {
        let mut client = self.administration.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = client.batch_execute(statement) {
            panic!("{statement}: {error}\n{}", self.log());
        }
    }
}

fn url(socket: &Path, database: &str) -> String {
    format!("postgres://{SUPERUSER}@/{database}?host={}", socket.display())
}

fn start() -> Result<PostgresCluster, String> {
    let programs = find_programs()?;
    let home = scratch::new_directory("pg");
    let user = server_user()?;
    if let Some(user) = &user {
        chown(&home, Some(user.uid), Some(user.gid))
            .map_err(|error| format!("{}: {error}", home.display()))?;
    }
    let run = |program: &str, signal| {
        let mut command = process::tied(programs.join(program), signal, user.as_ref());
        // Messages are read here, so they must be in English; and no setting of the person's may leak in.
        command.current_dir(&home).env("LC_ALL", "C").stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        command
    };
    make_cluster(run("initdb", "KILL"), &home)?;
    // SIGQUIT is PostgreSQL's "end at once", which its own child processes obey too.
    let (server, log) = start_server(run("postgres", "QUIT"), &home)?;
    let administration = Client::connect(&url(&home, "postgres"), NoTls)
        .map_err(|error| format!("the test database does not answer: {error}\n{}", log.since(0)))?;
    Ok(PostgresCluster {
        socket: home,
        administration: Mutex::new(administration),
        template: OnceLock::new(),
        log,
        _server: server,
    })
}

fn make_cluster(mut initdb: Command, home: &Path) -> Result<(), String> {
    initdb.arg("--pgdata").arg(home.join("data")).args(["--username", SUPERUSER, "--auth", "trust"]);
    initdb.args(["--encoding", "UTF8", "--locale", "C", "--no-sync"]);
    let output = initdb.output().map_err(|error| format!("setpriv (Debian package util-linux): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("initdb failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn start_server(mut postgres: Command, home: &Path) -> Result<(Child, Log), String> {
    postgres.arg("-D").arg(home.join("data")).arg("-k").arg(home);
    let settings = [
        "listen_addresses=",
        "max_connections=200",
        "shared_buffers=64MB",
        "fsync=off",
        "full_page_writes=off",
        "synchronous_commit=off",
        "autovacuum_naptime=1h",
        "log_min_messages=warning",
    ];
    for setting in settings {
        postgres.args(["-c", setting]);
    }
    postgres.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = process::spawn(postgres).map_err(|error| format!("postgres does not start: {error}"))?;
    let log = Log::default();
    let lines = log.follow(server.stderr.take().expect("standard error is piped"));
    let ready = lines.find(Duration::from_secs(60), |line| {
        line.contains("database system is ready to accept connections").then_some(())
    });
    match ready {
        Some(()) => Ok((server, log)),
        None => Err(format!("postgres did not become ready\n{}", log.since(0))),
    }
}

/// PostgreSQL refuses to run as root: then the user of the Debian package takes its place, or nobody.
fn server_user() -> Result<Option<User>, String> {
    if fs::metadata("/proc/self").map_err(|error| format!("/proc/self: {error}"))?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let named =
        |wanted: &str| users.lines().find_map(|line| parse_user(line).filter(|user| user.name == wanted));
    let user = named("postgres").or_else(|| named("nobody"));
    user.map(Some).ok_or_else(|| "no user postgres or nobody: PostgreSQL cannot run as root".to_owned())
}

fn parse_user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let _password = fields.next()?;
    Some(User { name, uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// The directory of the newest PostgreSQL server programs on this machine.
fn find_programs() -> Result<PathBuf, String> {
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    debian.sort_by_key(|path| {
        path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok())
    });
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.and_then(|output| String::from_utf8(output.stdout).ok());
    let mut places = debian.into_iter().rev().map(|version| version.join("bin")).collect::<Vec<_>>();
    places.extend(process::search_path());
    places.extend(configured.map(|line| PathBuf::from(line.trim_end())));
    let whole = |place: &PathBuf| place.join("initdb").is_file() && place.join("postgres").is_file();
    places.into_iter().find(whole).ok_or_else(|| {
        "PostgreSQL's server programs (initdb, postgres) are not on this machine, and the tests run on them.\n\
         Install the Debian package `postgresql` (apt-get install postgresql), or run ./test, which does."
            .to_owned()
    })
}
