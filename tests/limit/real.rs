//! Real walls, each with a child of this test that floods a map and must live: `ulimit`'s, and a cgroup's where root can
//! make one (v1, of its own, with nothing in it but the child).

use crate::{alone, wall};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use weakmap::{
    Collector, Tuning, WeakMap,
    heap::{Cgroup, CgroupVersion, Limit, Origin, Process},
};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 96 * MIB;
const RAISED: u64 = 128 * MIB;

/// A cgroup with one inside, removed when dropped.
pub struct Group(PathBuf);

impl Group {
    pub fn make(bytes: u64) -> Result<Self, String> {
        let group = Self(format!("/sys/fs/cgroup/memory/weakmap-test-{}", std::process::id()).into());
        fs::create_dir_all(group.inner()).map_err(|error| error.to_string())?;
        // In a directory that is no cgroup, the file would be made: then this is not the place.
        if !group.0.join("memory.limit_in_bytes").exists() {
            return Err(format!("{} is no v1 memory cgroup", group.0.display()));
        }
        group.limit(bytes)?;
        Ok(group)
    }

    fn inner(&self) -> PathBuf {
        self.0.join("inner")
    }

    fn limit(&self, bytes: u64) -> Result<(), String> {
        fs::write(self.0.join("memory.limit_in_bytes"), bytes.to_string()).map_err(|error| error.to_string())
    }

    pub fn add(&self, child: &Child) {
        fs::write(self.inner().join("cgroup.procs"), child.id().to_string()).unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel lets go of a process a little after it ended.
        let gone = |path: &Path| fs::remove_dir(path).is_ok() || !path.exists();
        for _ in 0..100 {
            if gone(&self.inner()) && gone(&self.0) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        eprintln!("{} stays", self.0.display());
    }
}

/// The child is put into the cgroup before it starts, and told again to go on once its limit is raised.
#[test]
fn a_real_cgroup() {
    let _alone = alone();
    let group = match Group::make(LIMIT) {
        Ok(group) => group,
        Err(why) => return println!("skipped: no v1 memory cgroup can be made here: {why}"),
    };
    let mut child = command("cgroup").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    group.add(&child);
    let mut go = child.stdin.take().unwrap();
    writeln!(go, "go").unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "raise" {
            group.limit(RAISED).unwrap();
            writeln!(go, "go").unwrap();
        }
        told += &(line + "\n");
    }
    let status = child.wait().unwrap();
    let most = fs::read_to_string(group.0.join("memory.max_usage_in_bytes")).unwrap();
    println!("{told}most: {} MiB", most.trim().parse::<u64>().unwrap() / MIB);
    assert!(status.success(), "{status}\n{told}");
    assert!(told.contains("\ndone\n"), "{told}");
}

/// A child that does `task`, through a shell that does what is put before `exec`.
pub fn command(task: &str) -> Command {
    under("", task)
}

fn under(before: &str, task: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["real::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("WEAKMAP_TEST_CHILD", task)
        .env_remove("WEAKMAP_LIMIT");
    command
}

#[test]
#[cfg(target_os = "linux")]
fn real_resource_limits() {
    let _alone = alone();
    for (before, task) in [("ulimit -d 131072;", "data"), ("ulimit -v 524288;", "address space")] {
        let output = under(before, task).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        println!("{told}");
        assert!(
            output.status.success(),
            "{}\n{told}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(told.contains("\ndone\n"), "{told}");
    }
}

/// What may be resident is told, and the live bytes follow.
#[test]
#[cfg(target_os = "linux")]
fn a_resident_limit() {
    let _alone = alone();
    let output = command("resident").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{}\n{told}{}", output.status, String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("\ndone\n"), "{told}");
}

fn holds_resident_memory() {
    const RESIDENT: u64 = 128 * MIB;
    let tuning = Tuning::new().resident_limit(RESIDENT);
    let collector = Collector::new(tuning).unwrap();
    let map: WeakMap<u64, Vec<u8>> = WeakMap::builder().collector(collector.clone()).build().unwrap();
    let process = Process::open().unwrap();
    let resident = || process.read().unwrap().resident;
    let (mut highest, mut limits) = (0, Vec::new());
    for from in (0..400_000).step_by(1000) {
        insert(&map, from..from + 1000);
        highest = highest.max(resident());
        limits.push(collector.stats().limit / MIB);
    }
    println!("highest {} MiB, limit {} to {} MiB", highest / MIB, limits[0], limits[limits.len() - 1]);
    assert!(highest <= RESIDENT, "{highest}");
    assert!(resident() > RESIDENT * 3 / 4, "{}", resident());
}

#[test]
#[ignore = "run by the others"]
fn child() {
    match std::env::var("WEAKMAP_TEST_CHILD").as_deref() {
        Ok("cgroup") => {
            await_go();
            says_limit_and_use();
            holds_it();
        }
        Ok("resident") => holds_resident_memory(),
        Ok("flood of pages") => {
            await_go();
            wall::pages();
        }
        Ok("flood of mixed values") => {
            await_go();
            wall::mixed_values();
        }
        Ok("data") => holds_resource_limit(Origin::DataSize, 96 * MIB),
        Ok("address space") => holds_resource_limit(Origin::AddressSpace, 256 * MIB),
        _ => return,
    }
    println!("\ndone");
}

fn await_go() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    assert_eq!(line, "go\n");
}

fn holds_resource_limit(origin: Origin, bytes: u64) {
    let limit = Limit::detect().unwrap();
    if matches!(limit.origin, Origin::Cgroup(_)) {
        return println!("skipped: {limit} goes first here");
    }
    assert_eq!((limit.bytes, limit.origin), (bytes, origin));
    let map: WeakMap<u64, Vec<u8>> =
        WeakMap::builder().collector(Collector::new(Tuning::new()).unwrap()).build().unwrap();
    flood(&map, 0);
    println!("{} entries, {:?}", map.len(), Process::open().unwrap().read());
}

fn says_limit_and_use() {
    let cgroup = Cgroup::find().unwrap();
    assert_eq!(cgroup.version(), CgroupVersion::V1);
    assert!(cgroup.path().ends_with("inner"), "{cgroup}");
    let limit = cgroup.limit().unwrap();
    assert_eq!(limit.bytes, LIMIT, "the parent's");
    println!("{} says {}", limit.file.display(), limit.bytes);
    let detected = Limit::detect().unwrap();
    assert_eq!((detected.wall, &detected.origin), (Some(LIMIT), &Origin::Cgroup(limit.file)));

    let slack = 4 * MIB;
    let before = cgroup.used().unwrap();
    let block = std::hint::black_box(vec![1u8; 24 * MIB as usize]);
    let full = cgroup.used().unwrap();
    assert!((full - before).abs_diff(24 * MIB) < slack, "{before} {full}");
    drop(block);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-cache-{}", std::process::id()));
    fs::write(&file, vec![1u8; 32 * MIB as usize]).unwrap();
    let (cached, raw) =
        (cgroup.used().unwrap(), fs::read_to_string(cgroup.path().join("memory.usage_in_bytes")));
    fs::remove_file(&file).unwrap();
    println!(
        "32 MiB of page cache: {} MiB of {} MiB",
        cached / MIB,
        raw.unwrap().trim().parse::<u64>().unwrap() / MIB
    );
    assert!(cached < before + 8 * MIB, "page cache counts: {before} {cached}");
}

/// A flood with no limit but the cgroup's; then the cgroup's is raised, under way.
fn holds_it() {
    let collector = Collector::new(Tuning::new()).unwrap();
    println!("{}", collector.explain());
    assert_eq!(collector.stats().limit, LIMIT / 4 * 3);
    let map: WeakMap<u64, Vec<u8>> = WeakMap::builder().collector(collector.clone()).build().unwrap();
    let process = Process::open().unwrap();
    flood(&map, 0);
    println!("{} entries, {} MiB resident", map.len(), process.read().unwrap().resident / MIB);
    println!("raise");
    await_go();
    let raised = Instant::now();
    let mut from = 1 << 32;
    // It starts anew at three quarters, whatever the outer loop had made of the old one.
    while collector.stats().limit < RAISED / 4 * 3 {
        insert(&map, from..from + 100);
        from += 100;
        assert!(raised.elapsed() < Duration::from_secs(10), "{:?}", collector.stats());
    }
    println!("obeyed after {:?}", raised.elapsed());
    flood(&map, 1 << 33);
    println!("{} entries, {} MiB resident", map.len(), process.read().unwrap().resident / MIB);
}

fn insert(map: &WeakMap<u64, Vec<u8>>, keys: std::ops::Range<u64>) {
    keys.for_each(|key| _ = map.insert(key, vec![1u8; 4096 + key as usize % 4096]));
}

/// 400 MB in values of a page or two.
fn flood(map: &WeakMap<u64, Vec<u8>>, from: u64) {
    insert(map, from..from + 60_000);
    assert!(map.len() > 1000, "{}", map.len());
}
