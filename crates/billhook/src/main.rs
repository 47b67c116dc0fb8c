//! The binary: command line, configuration and wiring.

mod commands;
mod server;

use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// Billhook: one server for the accounts that a business bills.
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct CommandLine {
    #[command(flatten)]
    book: Book,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Which book a command works on.
#[derive(Args, Clone, Debug)]
pub(crate) struct Book {
    /// Where the book is: sqlite:PATH or postgres://USER@HOST/NAME
    #[arg(long, global = true, env = "BILLHOOK_DATABASE", default_value = "sqlite:data/billhook.sqlite")]
    database: String,
}

#[derive(Subcommand)]
enum Command {
    /// Start with a demo tenant and known passwords, on loopback only (what plain `billhook` does)
    Demo(commands::demo::Demo),
    /// Start the server
    Serve(commands::serve::Serve),
    /// Make or list tenants
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
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let done = match line.command.unwrap_or(Command::Demo(commands::demo::Demo::default())) {
        Command::Demo(command) => command.run(&line.book),
        Command::Serve(command) => command.run(&line.book),
        Command::Tenant(command) => command.run(&line.book),
        Command::Work(command) => command.run(&line.book),
        Command::Organization(command) => command.run(&line.book),
        Command::Token(command) => command.run(&line.book),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("billhook: {error:#}");
            ExitCode::FAILURE
        }
    }
}
