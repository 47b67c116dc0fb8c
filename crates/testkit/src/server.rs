//! The real server, as an operator would start it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::log::{Lines, Log};
use crate::postgres_cluster::PostgresCluster;
use crate::process;
use crate::scratch;

/// The administrator's password on every server of the tests. The user is `admin`.
pub const ADMIN_PASSWORD: &str = "the tests' own password";

/// How long a server may take to start or to end. Only a broken one takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server prints on standard output, before its URL, once it answers.
const READY: &str = "listening on ";

/// The databases that Billhook runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// The shared cluster of the test process.
    Postgres,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

    /// The URL of a new database that nothing has been written to (on PostgreSQL, a copy of the template if one has
    /// been prepared).
    pub fn create_database(self) -> String {
        match self {
            Engine::Sqlite => {
                format!("sqlite:{}/billhook.sqlite", scratch::new_directory("sqlite").display())
            }
            Engine::Postgres => PostgresCluster::shared().create_database(),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        })
    }
}

/// A `billhook serve --test-mode` process with its database.
pub struct Server {
    program: &'static Path,
    database: String,
    engine: Engine,
    log: Log,
    options: Vec<String>,
    running: Mutex<Option<Running>>,
    mails: PathBuf,
}

struct Running {
    child: Child,
    url: String,
    output: Lines,
}

impl Server {
    /// The server that the tests of this process share, each with a tenant of its own.
    ///
    /// # Panics
    /// When it does not start; the message has what it printed.
    pub fn shared(program: &'static str, engine: Engine) -> Arc<Server> {
        static SERVERS: [OnceLock<Result<Arc<Server>, String>>; 2] = [const { OnceLock::new() }; 2];
        let slot = &SERVERS[engine as usize];
        let started = slot
            .get_or_init(|| Server::try_start(program, engine, engine.create_database(), &[]).map(Arc::new));
        match started {
            Ok(server) => Arc::clone(server),
            Err(why) => panic!("{why}"),
        }
    }

    /// Starts a server on a database and waits until it answers.
    ///
    /// # Panics
    /// When it does not start; the message has what it printed.
    pub fn start(program: &'static str, engine: Engine, database: String) -> Server {
        Server::start_with(program, engine, database, &[])
    }

    /// [`Server::start`] with further options of `serve`.
    ///
    /// # Panics
    /// When it does not start; the message has what it printed.
    pub fn start_with(program: &'static str, engine: Engine, database: String, options: &[&str]) -> Server {
        Server::try_start(program, engine, database, options).unwrap_or_else(|why| panic!("{why}"))
    }

    fn try_start(
        program: &'static str,
        engine: Engine,
        database: String,
        options: &[&str],
    ) -> Result<Server, String> {
        let options = options.iter().map(ToString::to_string).collect();
        let program = Path::new(program);
        let server = Server {
            program,
            database,
            engine,
            log: Log::default(),
            options,
            running: Mutex::new(None),
            mails: scratch::new_directory("mails"),
        };
        server.try_run()?;
        Ok(server)
    }

    /// A second server on the same database.
    pub fn another_node(&self) -> Server {
        let program = self.program.to_str().expect("it was given as text");
        Server::start(program, self.engine, self.database.clone())
    }

    /// Starts it again after [`Server::kill9`] or [`Server::terminate`], on the same database and another port.
    pub fn start_again(&self) {
        assert!(self.running().is_none(), "the server still runs");
        self.try_run().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Where it answers, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.running().as_ref().expect("the server runs").url.clone()
    }

    /// What it runs on.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The URL of its database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Ends it as a crash would, with no chance to tidy up.
    pub fn kill9(&self) {
        let mut running = self.running().take().expect("the server runs");
        running.child.kill().expect("a child that was not waited for can be killed");
        running.child.wait().expect("it was not waited for before");
    }

    /// Asks it to end (`SIGTERM`) and waits until it has.
    ///
    /// # Panics
    /// When it takes longer than a minute.
    pub fn terminate(&self) -> ExitStatus {
        let mut running = self.running().take().expect("the server runs");
        process::signal(&running.child, "TERM");
        if !running.output.ended(PATIENCE) {
            drop(running.child.kill());
            panic!("the server did not end after SIGTERM\n{}", self.log.since(0));
        }
        running.child.wait().expect("it was not waited for before")
    }

    /// Runs the command line on this server's database; see [`crate::World::billhook`].
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        let mut command = prepare(self.program);
        command.args(arguments).args(["--database", &self.database]).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }

    /// The texts of all mails to this address that the server has put into files so far, in no order.
    ///
    /// # Panics
    /// When the directory cannot be read.
    pub fn mails_to(&self, recipient: &str) -> Vec<String> {
        let files = std::fs::read_dir(&self.mails).expect("the directory was made at the start");
        let paths = files.map(|file| file.expect("the directory can be read").path());
        let whole = paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
        let texts = whole.map(|path| std::fs::read_to_string(path).expect("a mail is a text"));
        texts.filter(|text| text.lines().any(|line| line == format!("To: {recipient}"))).collect()
    }

    /// What it has printed so far, in lines: a mark for [`Server::log_since`].
    pub(crate) fn log_mark(&self) -> usize {
        self.log.mark()
    }

    /// What it printed last, after a mark.
    pub fn log_since(&self, mark: usize) -> String {
        self.log.since(mark)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_run(&self) -> Result<(), String> {
        let mut command = prepare(self.program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--test-mode", "--database", &self.database]);
        command.args(&self.options).env("BILLHOOK_MAIL_DIRECTORY", &self.mails);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |why: String| format!("{}: {why}", self.program.display());
        let mut child = process::spawn(command).map_err(|error| failed(error.to_string()))?;
        self.log.follow(child.stderr.take().expect("standard error is piped"));
        let output = self.log.follow(child.stdout.take().expect("standard output is piped"));
        match output.find(PATIENCE, |line| line.strip_prefix(READY).map(str::to_owned)) {
            Some(url) => *self.running() = Some(Running { child, url, output }),
            None => {
                drop(child.kill());
                let ended = child.wait().map_err(|error| failed(error.to_string()))?;
                return Err(failed(format!("never said \"{READY}…\" ({ended})\n{}", self.log.since(0))));
            }
        }
        Ok(())
    }
}

/// The program in a directory where nobody's configuration is, and with none of the person's settings.
fn prepare(program: &Path) -> Command {
    let mut command = process::tied(program, "KILL", None);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"BILLHOOK_"))
    {
        command.env_remove(name);
    }
    let directory = scratch::new_directory("run");
    command.env("BILLHOOK_ADMIN_PASSWORD", ADMIN_PASSWORD).env("HOME", &directory).current_dir(&directory);
    command
}

/// A server that only one test used ends with it.
impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running().as_mut() {
            drop(running.child.kill());
            drop(running.child.wait());
        }
    }
}
