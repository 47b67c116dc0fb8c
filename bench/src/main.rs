//! Measures servers that speak Kill Bill's REST API or DjaoApp's: requests per second, latencies, CPU and memory. `bench/README.md`
//! shows how to make every figure that the project claims.
#![allow(clippy::float_arithmetic, reason = "a measuring tool: rates and means, never money")]

mod book;
mod histogram;
mod http;
mod load;
mod measure;
mod procfs;
mod report;
mod startup;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};

use http::{Credentials, Desk, Target};
use load::Outcome;
use measure::{Plan, Subject, Surroundings};
use workload::Operation;

/// Load generator for Billhook, Kill Bill, and whatever else speaks Kill Bill's REST API
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure operations and print a table, with a second server side by side
    Run(RunArguments),
    /// Create accounts until the tenant has so many
    Fill(FillArguments),
    /// Measure the time from start to first answer of `billhook serve`
    Startup(StartupArguments),
}

#[derive(Args)]
struct Access {
    #[arg(long, default_value = "admin")]
    user: String,
    #[arg(long, default_value = "password")]
    password: String,
    #[arg(long, default_value = "bob")]
    api_key: String,
    #[arg(long, default_value = "lazar")]
    api_secret: String,
    /// Make the tenant first, where it does not exist
    #[arg(long)]
    create_tenant: bool,
    /// Keep-alive connections, each with one request at a time
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds to wait for an answer before it counts as an error
    #[arg(long, default_value_t = 30)]
    patience: u64,
}

#[derive(Args)]
struct RunArguments {
    /// Server to measure: http://HOST:PORT
    #[arg(long)]
    url: String,
    /// Second server, measured in turn with the first
    #[arg(long)]
    vs: Option<String>,
    #[command(flatten)]
    access: Access,
    /// Seconds for each operation on each server
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Parts those seconds are cut into; the servers take turns
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds for each operation on each server that do not count
    #[arg(long, default_value_t = 2)]
    warmup: u64,
    /// The contract spoken to both servers
    #[arg(long, value_enum, default_value = "killbill")]
    desk: Desk,
    /// Operations of that desk; all unless told
    #[arg(long, value_enum, value_delimiter = ',')]
    operations: Vec<Operation>,
    /// Accounts (or profiles) of the book that readers draw from, spread over the whole of it
    #[arg(long, default_value_t = 2_000)]
    accounts: u64,
    /// Limit of lists and searches
    #[arg(long, default_value_t = 100)]
    page: u64,
    /// Advanced search, after `_q=1&`; {field} is what the account has in that field of its JSON
    #[arg(long, default_value = "email={email}&currency={currency}")]
    advanced: String,
    /// Process of the server, for its CPU and memory, child processes included
    #[arg(long)]
    pid: Option<u32>,
    /// The same for the second server
    #[arg(long)]
    pid_vs: Option<u32>,
    /// First process of the database, where it has its own: `head -1 DATA/postmaster.pid`
    #[arg(long)]
    pid_database: Option<u32>,
    /// The same for the second server
    #[arg(long)]
    pid_database_vs: Option<u32>,
}

#[derive(Args)]
struct FillArguments {
    /// Server to fill: http://HOST:PORT
    #[arg(long)]
    url: String,
    #[command(flatten)]
    access: Access,
    /// How many accounts the tenant shall have
    #[arg(long)]
    accounts: u64,
}

#[derive(Args)]
struct StartupArguments {
    /// The `billhook` program
    #[arg(long)]
    binary: PathBuf,
    /// Its --database
    #[arg(long)]
    database: String,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Run(arguments) => run(&arguments),
        Task::Fill(arguments) => fill(&arguments),
        Task::Startup(arguments) => {
            startup::startup(&arguments.binary, &arguments.database, usize::from(arguments.runs))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Access {
    fn target(&self, url: &str, desk: Desk) -> Result<Target> {
        ensure!(self.connections > 0, "--connections must be at least 1");
        let who = Credentials {
            user: &self.user,
            password: &self.password,
            api_key: &self.api_key,
            api_secret: &self.api_secret,
        };
        let target = Target::enter(url, &who, desk)?;
        if self.create_tenant {
            book::create_tenant(&target, &self.api_key, &self.api_secret)?;
        }
        Ok(target)
    }
}

fn run(arguments: &RunArguments) -> Result<()> {
    ensure!(arguments.rounds > 0 && arguments.seconds > 0, "--rounds and --seconds must be at least 1");
    ensure!(arguments.page > 0 && arguments.accounts > 0, "--page and --accounts must be at least 1");
    let access = &arguments.access;
    let mut subjects = vec![Subject::new(
        access.target(&arguments.url, arguments.desk)?,
        arguments.pid,
        arguments.pid_database,
    )?];
    if let Some(url) = &arguments.vs {
        subjects.push(Subject::new(
            access.target(url, arguments.desk)?,
            arguments.pid_vs,
            arguments.pid_database_vs,
        )?);
    }
    let operations = match arguments.operations.as_slice() {
        [] => Operation::all_of(arguments.desk),
        named => named.to_vec(),
    };
    ensure!(
        operations.iter().all(|operation| operation.desk() == arguments.desk),
        "--operations: not all are of this desk; see --desk"
    );
    let plan = Plan {
        desk: arguments.desk,
        operations,
        connections: access.connections,
        duration: Duration::from_secs(arguments.seconds),
        rounds: arguments.rounds,
        warmup: Duration::from_secs(arguments.warmup),
        patience: Duration::from_secs(access.patience),
        accounts: arguments.accounts,
        page: arguments.page,
        advanced: arguments.advanced.clone(),
    };
    let mut rows = vec![report::titles(subjects.len() == 2)];
    let mut details = Vec::new();
    let mut surroundings = Surroundings::default();
    for &operation in &plan.operations {
        let name = operation.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        eprintln!("measuring {name} …");
        let figures = measure::measure(operation, &mut subjects, &plan, &mut surroundings)?;
        rows.push(report::row(&name, &figures));
        for (subject, figures) in subjects.iter().zip(&figures) {
            details.extend(report::details(&name, &subject.target.url, &figures.outcome));
        }
    }
    print_report(&plan, &subjects, &rows, &details, &surroundings)
}

fn print_report(
    plan: &Plan,
    subjects: &[Subject],
    rows: &[Vec<String>],
    details: &[String],
    surroundings: &Surroundings,
) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    println!(
        "{} connections, {} s an operation in {} rounds after {} s unmeasured, {cores} cores.",
        plan.connections,
        plan.duration.as_secs(),
        plan.rounds,
        plan.warmup.as_secs()
    );
    for (subject, name) in subjects.iter().zip(["Measured", "vs"]) {
        let size =
            subject.book_size().map_or("not read".to_owned(), |size| format!("{size} accounts or profiles"));
        println!("{name}: {}, its book when readers began: {size}.", subject.target.url);
    }
    println!("\n{}", report::table(rows));
    for line in details {
        println!("{line}");
    }
    println!("{}", report::surroundings(surroundings, cores));
    Ok(())
}

fn fill(arguments: &FillArguments) -> Result<()> {
    let access = &arguments.access;
    let mut subject = Subject::new(access.target(&arguments.url, Desk::Killbill)?, None, None)?;
    let patience = Duration::from_secs(access.patience);
    let outcome: Outcome = subject.fill(arguments.accounts, access.connections, patience)?;
    println!("{} accounts created in {:.1} s", outcome.in_time, outcome.elapsed.as_secs_f64());
    for line in report::details("create", &arguments.url, &outcome) {
        println!("{line}");
    }
    let has = book::count(&subject.target)?;
    ensure!(has >= arguments.accounts, "{} has only {has} accounts", arguments.url);
    Ok(())
}
