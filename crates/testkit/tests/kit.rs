//! The kit keeps its promises.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use testkit::PostgresCluster;

#[test]
fn databases_are_separate_copies_of_the_template() {
    let cluster = PostgresCluster::shared();
    cluster.prepare_template(|url| {
        let mut client = Client::connect(url, NoTls).unwrap();
        client
            .batch_execute("CREATE TABLE greeting (word TEXT); INSERT INTO greeting VALUES ('hello')")
            .unwrap();
    });
    cluster.prepare_template(|_| panic!("the template is made once"));
    let [first, second] = [cluster.create_database(), cluster.create_database()];

    Client::connect(&first, NoTls).unwrap().batch_execute("UPDATE greeting SET word = 'bye'").unwrap();

    let rows = Client::connect(&second, NoTls).unwrap().query("SELECT word FROM greeting", &[]).unwrap();
    assert_eq!(rows[0].get::<_, String>(0), "hello");
}

/// Set for the process that the test below starts and kills: this very program, running that test alone.
const VICTIM: &str = "TESTKIT_VICTIM";

#[test]
fn nothing_outlives_a_test_process_that_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        println!("\ndatabase {}", PostgresCluster::shared().create_database());
        // Until the parent kills this process.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_outlives_a_test_process_that_is_killed", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| line.strip_prefix("database ").map(str::to_owned)).unwrap();
    let home = PathBuf::from(url.split_once("host=").unwrap().1);
    let pid = std::fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    let postgres = Path::new("/proc").join(pid.lines().next().unwrap());
    assert!(postgres.exists());

    victim.kill().unwrap();
    victim.wait().unwrap();

    let scratch = home.parent().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while (postgres.exists() && !is_dead(&postgres)) || scratch.exists() {
        assert!(Instant::now() < end, "{} or {} is still there", postgres.display(), scratch.display());
        std::thread::yield_now();
    }
}

/// Ended, but nobody has asked for its exit status yet: in a container nobody may ever.
fn is_dead(process: &Path) -> bool {
    std::fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z "))
}
