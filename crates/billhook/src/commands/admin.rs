//! `billhook admin`: the way in for whoever is locked out.

use crate::Book;
use billing::Caller;
use clap::Subcommand;
use operations::{clock, credentials, security};
use uuid::Uuid;

#[derive(Subcommand, Debug)]
pub(crate) enum AdminCommand {
    /// Give an operator a new password and all rights at Kill Bill's desk, also one who was deleted
    ///
    /// The password comes from BILLHOOK_ADMIN_PASSWORD; without it one is made, and printed this once. The user has the
    /// role root afterwards, which permits everything, and logs in anew. A server that runs meanwhile may take his old
    /// password for another 10 seconds.
    Reset {
        /// Name of the operator
        #[arg(long, value_name = "NAME", default_value = "admin")]
        user: String,
    },
}

impl AdminCommand {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let AdminCommand::Reset { user } = self;
        let given = std::env::var("BILLHOOK_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
        let password = given.clone().unwrap_or_else(credentials::random_secret);
        security::check_password(&password)?;
        let hash = credentials::hash(&password)?;
        let store = book.open()?;
        let (name, caller, now) = (user.clone(), Caller::system(Uuid::new_v4()), clock::real());
        store.write_now(move |tx| security::reset_admin(tx, &caller, now, &name, &hash))?;
        store.close();
        match given {
            Some(_) => println!("user {user} has the password of BILLHOOK_ADMIN_PASSWORD and the role root"),
            None => println!("user {user} has password {password} and the role root"),
        }
        Ok(())
    }
}
