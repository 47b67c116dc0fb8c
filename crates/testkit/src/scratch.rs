//! Directories that last as long as the test process.
//!
//! `/tmp/billhook-tests-UID/` holds one directory per test process. Each is removed by a small shell that waits for
//! the process to end; should that shell be killed too, the next test process removes what has no living owner.

use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// This process's directory, and what keeps it.
struct Scratch {
    path: PathBuf,
    /// Locked while the process lives; the kernel unlocks it when the process dies.
    _alive: File,
    /// Removes the directory once its standard input, held open here, reaches its end.
    _keeper: Child,
}

/// Makes a new, empty directory that is removed when the test process ends. The path is short enough for a socket.
pub fn new_directory(purpose: &str) -> PathBuf {
    static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| open().expect("a directory below /tmp can be made"));
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let path = SCRATCH.path.join(format!("{purpose}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    make_directory(&path).expect("the directory is new");
    path
}

/// Searchable, not readable, by others, whatever the umask: PostgreSQL may run as another user.
fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o711))
}

fn open() -> io::Result<Scratch> {
    let user = fs::metadata("/proc/self")?.uid();
    let shared = PathBuf::from(format!("/tmp/billhook-tests-{user}"));
    if let Err(error) = make_directory(&shared)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    let found = fs::symlink_metadata(&shared)?;
    if !found.is_dir() || found.uid() != user {
        return Err(io::Error::other(format!("{} belongs to somebody else", shared.display())));
    }
    // Held until a new directory has its own lock, or it could be taken for a leftover.
    let turn = File::create(shared.join("turn"))?;
    turn.lock()?;
    remove_leftovers(&shared)?;
    let path = unused_name(&shared);
    make_directory(&path)?;
    let alive = File::create(path.join("alive"))?;
    alive.lock()?;
    let keeper = keep(&path)?;
    Ok(Scratch { path, _alive: alive, _keeper: keeper })
}

/// The process id alone will not do: containers may share `/tmp`.
fn unused_name(shared: &Path) -> PathBuf {
    let pid = std::process::id();
    let mut names = (0u32..).map(|turn| shared.join(format!("{pid}-{turn}")));
    names.find(|path| !path.exists()).expect("the numbers do not end")
}

fn remove_leftovers(shared: &Path) -> io::Result<()> {
    for entry in fs::read_dir(shared)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        match File::open(path.join("alive")).map(|file| file.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => {}
            Ok(Err(TryLockError::Error(error))) => return Err(error),
            // Its own keeper may be removing it at this moment, so that it is gone before us.
            Ok(Ok(())) | Err(_) => match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
    }
    Ok(())
}

/// Tries again while a program that has just been told to end still writes.
const KEEPER: &str = r#"
trap '' HUP INT QUIT TERM
read -r line
n=0
until rm -rf -- "$1" || [ $n -ge 100 ]; do n=$((n+1)); sleep 0.1; done
"#;

fn keep(path: &Path) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of reach of a Ctrl-C at the terminal, which ends the tests.
        .process_group(0)
        .spawn()
}
