//! The binary: command line, configuration and wiring.

mod bodies;
mod commands;
mod config;
mod connections;
mod cors;
mod crowd;
mod documents;
mod front;
mod gzip;
mod heads;
mod health;
mod log;
mod mailer;
mod metrics;
mod progress;
mod server;

use clap::{Parser, Subcommand};
pub(crate) use config::Book;
use std::process::ExitCode;

/// Billhook: one server for the accounts that a business bills.
///
/// One binary speaks the contracts of Kill Bill (/1.0/kb), MikroCloud (/v1), Togai (/customers, /accounts) and
/// DjaoApp (/api) over one book, which is a SQLite file or a PostgreSQL database. Without a command it starts the demo.
#[derive(Parser)]
#[command(version, about, after_long_help = EXAMPLES)]
struct CommandLine {
    #[command(flatten)]
    book: Book,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  billhook                                      look around: demo tenant, port 8080, on this machine only
  billhook serve                                for real, on a SQLite file
  billhook serve --database postgres://billhook@db/book?sslmode=verify-full --listen 0.0.0.0:8080
  BILLHOOK_CONFIG=/etc/billhook.toml billhook serve
  billhook tenant create --api-key shop --api-secret S3cret      prints the tenant's id
  billhook admin reset                          when the admin's password is lost: makes one and prints it

Options are taken from flags, then from the environment (BILLHOOK_...), then from the file of --config.
Commands work on the book while a server runs on it, and what they change counts at once.
After start the API documents are at /docs.";

#[derive(Subcommand)]
enum Command {
    /// Start with a demo tenant and known passwords, on loopback only (what plain `billhook` does)
    Demo(commands::demo::Demo),
    /// Start the server
    Serve(commands::serve::Serve),
    /// Let an operator in again whose password is lost, or who was deleted
    #[command(subcommand)]
    Admin(commands::admin::AdminCommand),
    /// Make or list tenants, or set their clocks right
    #[command(subcommand)]
    Tenant(commands::tenant::TenantCommand),
    /// Look at due work that failed, and let it run again
    #[command(subcommand)]
    Work(commands::work::WorkCommand),
    /// Make or list a tenant's organizations, whose tops are billed at MikroCloud's desk
    #[command(subcommand)]
    Organization(commands::organization::OrganizationCommand),
    /// Issue tokens, and say whose tokens count
    #[command(subcommand)]
    Token(commands::token::TokenCommand),
    Verify(commands::verify::Verify),
    Export(commands::export::Export),
    Import(commands::import::Import),
    Migrate(commands::migrate::Migrate),
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let done = match line.command.unwrap_or(Command::Demo(commands::demo::Demo::default())) {
        Command::Demo(command) => command.run(&line.book),
        Command::Serve(command) => command.run(&line.book),
        Command::Admin(command) => command.run(&line.book),
        Command::Tenant(command) => command.run(&line.book),
        Command::Work(command) => command.run(&line.book),
        Command::Organization(command) => command.run(&line.book),
        Command::Token(command) => command.run(&line.book),
        Command::Verify(command) => command.run(&line.book),
        Command::Export(command) => command.run(&line.book),
        Command::Import(command) => command.run(&line.book),
        Command::Migrate(command) => command.run(&line.book),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("billhook: {error:#}");
            ExitCode::FAILURE
        }
    }
}
