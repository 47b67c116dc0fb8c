//! Starting programs that never outlive the test process.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// A user that a program runs as.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A command that runs `program` and sends it `signal` (such as `KILL`) when the test process dies. The signal is
/// asked for by util-linux's `setpriv`, which every Linux has, and which can change the user as well.
pub(crate) fn tied(program: impl AsRef<OsStr>, signal: &str, user: Option<&User>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    if let Some(user) = user {
        command.arg(format!("--reuid={}", user.uid));
        command.arg(format!("--regid={}", user.gid));
        command.arg("--clear-groups");
        command.env("HOME", "/").env("USER", &user.name);
    }
    command.arg("--").arg(program);
    command
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts a command from a thread that lives as long as the process: the kernel ties a child to the *thread* that
/// started it, and a test's thread ends with the test, while what it started may serve the tests after it.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: LazyLock<Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // The one who ordered may be gone only if it panicked; then nobody wants the child.
                if let Err(mut unwanted) = answer.send(command.spawn()).map_err(|back| back.0)
                    && let Ok(child) = unwanted.as_mut()
                {
                    drop(child.kill());
                }
            }
        });
        orders
    });
    let (answer, reply) = channel();
    STARTER.send((command, answer)).expect("the starter thread lives as long as the process");
    reply.recv().expect("the starter thread answers every order")
}

/// Sends `signal` to a child that has not been waited for (so its id cannot have become another's).
pub(crate) fn signal(child: &Child, signal: &str) {
    let status = Command::new("sh")
        .args(["-c", r#"kill -s "$1" "$2""#, "sh", signal, &child.id().to_string()])
        .status()
        .expect("sh runs");
    assert!(status.success(), "signal {signal} could not be sent to process {}", child.id());
}

/// The directories of `PATH`.
pub(crate) fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}
