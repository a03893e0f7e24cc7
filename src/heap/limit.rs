//! What the heap may grow to, and who says so.

use super::Cgroup;
use crate::error::ConfigError;
use bytesize::ByteSize;
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// The variable that sets the limit from outside, as "512MiB".
pub const VARIABLE: &str = "WEAKMAP_LIMIT";

/// Assumed where the machine's memory cannot be told.
const ASSUMED: u64 = 1 << 30;

/// What the heap may grow to, and who says so.
///
/// The first that exists of
///
/// 1. what was given: [`Tuning::limit`](crate::Tuning::limit),
/// 2. half of [`Tuning::resident_limit`](crate::Tuning::resident_limit),
/// 3. the variable `WEAKMAP_LIMIT`, such as `512MiB` (KiB, MiB and GiB are powers of 1024; K, M and G of 1000), if it says anything,
/// 4. half of the memory [`Cgroup`]'s, the least on the path to the root (Linux),
/// 5. half of what `ulimit` set, the less of `RLIMIT_DATA` and `RLIMIT_AS` (Linux),
/// 6. half of physical memory (Linux),
/// 7. 1 GiB, assumed.
///
/// 4 and 5 only where they are below physical memory. A collector looks again twice a second, while inserts run.
///
/// 2 and 4 to 6 are [walls](Self::wall), for all that the process takes, and who runs into one is killed. The limit is for the heap's live
/// bytes, so it stays below: the rest is for fragmentation, for what the allocator keeps, stacks, and code
/// (measured with four flooding threads over glibc: live bytes of 60 MiB take 80 MiB in values of 4 KiB, 110 MiB in values of 100 B to 1 MB).
/// With 2, 4 and `RLIMIT_DATA` half is where a collector starts: it watches how much of the wall is taken and corrects its limit, down
/// above 95 %, and up below 91 % when live bytes fill it, within a second or two.
///
/// ```
/// let limit = weakmap::heap::Limit::detect()?;
/// println!("{} bytes, from {}", limit.bytes, limit.origin);
/// println!("{}", limit.explain());
/// # Ok::<_, weakmap::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// Live bytes of heap; above 0.
    pub bytes: u64,
    /// The whole of what `bytes` is a share of, in bytes: what the process is killed or refused memory at. `None` where
    /// the limit was told, or assumed.
    pub wall: Option<u64>,
    /// Who says so.
    pub origin: Origin,
    /// Everyone asked, in order.
    asked: Vec<(Origin, Answer)>,
}

/// Live bytes and the wall that they are a share of, or why there are none.
type Answer = Result<(u64, Option<u64>), String>;

/// Who says what the [`Limit`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// [`Tuning::limit`](crate::Tuning::limit).
    Given,
    /// Half of [`Tuning::resident_limit`](crate::Tuning::resident_limit).
    Resident,
    /// `WEAKMAP_LIMIT`.
    Variable,
    /// Half of the memory cgroup's limit: the file that has the least.
    Cgroup(PathBuf),
    /// Half of `RLIMIT_DATA`.
    DataSize,
    /// Half of `RLIMIT_AS`.
    AddressSpace,
    /// Half of the machine's memory.
    Physical,
    /// Nobody.
    Assumed,
}

impl Limit {
    /// The limit of a collector that is given none. Costs about 0.1 ms: it reads `/proc` and the cgroup's files.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where `WEAKMAP_LIMIT` is set and no size above 0.
    pub fn detect() -> Result<Self, ConfigError> {
        Self::choose(None, &Surroundings::real(variable()))
    }

    /// The same again, but for the variable; `None` where that cannot be told now. A process that has no descriptors left can read none of the files, and must
    /// not take that for a machine without limits.
    pub(crate) fn detect_again() -> Option<Self> {
        match fs::File::open("/proc/self/cgroup") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => None,
            _ => {
                Self::choose(None, &Surroundings::real(None)).ok().filter(|now| now.origin != Origin::Assumed)
            }
        }
    }

    /// Whether the two say the same, whoever was asked besides.
    pub(crate) fn is_the_same(&self, other: &Self) -> bool {
        (self.bytes, self.wall, &self.origin) == (other.bytes, other.wall, &other.origin)
    }

    /// The given one, else half of what may be resident, else the first that exists.
    pub(crate) fn given_or_detected(given: Option<u64>, resident: Option<u64>) -> Result<Self, ConfigError> {
        // Who is told asks nobody else: tests and tools make collectors by the thousand.
        let told = |origin: Origin, bytes| {
            let asked = vec![(origin.clone(), Ok((bytes, resident)))];
            Ok(Self { bytes, wall: resident, origin, asked })
        };
        match (given, resident) {
            (Some(bytes), _) => told(Origin::Given, bytes),
            (None, Some(wall)) => told(Origin::Resident, (wall / 2).max(1)),
            (None, None) => Self::detect(),
        }
    }

    fn choose(given: Option<u64>, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        if let (None, Some(text)) = (given, &surroundings.variable) {
            parse(text)?;
        }
        let asked = surroundings.ask(given);
        let first = asked.iter().find_map(|(origin, answer)| Some((origin.clone(), *answer.as_ref().ok()?)));
        let (origin, (bytes, wall)) = first.unwrap_or((Origin::Assumed, (ASSUMED, None)));
        Ok(Self { bytes, wall, origin, asked })
    }

    /// Which limit is in use, and why the others are not, a line each.
    ///
    /// ```text
    /// limit: 512.0 MiB, from WEAKMAP_LIMIT
    ///   not what was given: none was
    ///   not half of /sys/fs/cgroup/memory.max: 1.5 GiB, but WEAKMAP_LIMIT goes first
    /// ```
    pub fn explain(&self) -> String {
        let mut text = format!("limit: {}, from {}", ByteSize::b(self.bytes), self.origin);
        for (origin, answer) in self.asked.iter().filter(|(origin, _)| *origin != self.origin) {
            let why = match answer {
                Ok((other, _)) => format!("{}, but {} goes first", ByteSize::b(*other), self.origin),
                Err(why) => why.clone(),
            };
            text += &format!("\n  not {origin}: {why}");
        }
        text
    }
}

/// "512.0 MiB, from WEAKMAP_LIMIT".
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, from {}", ByteSize::b(self.bytes), self.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("what was given"),
            Self::Resident => f.write_str("half of the resident limit that was given"),
            Self::Variable => f.write_str(VARIABLE),
            Self::Cgroup(file) if file.as_os_str().is_empty() => f.write_str("the memory cgroup"),
            Self::Cgroup(file) => write!(f, "half of {}", file.display()),
            Self::DataSize => f.write_str("half of RLIMIT_DATA"),
            Self::AddressSpace => f.write_str("half of RLIMIT_AS"),
            Self::Physical => f.write_str("half of physical memory"),
            Self::Assumed => f.write_str("nobody (assumed)"),
        }
    }
}

/// Where the answers come from; a test brings its own.
struct Surroundings {
    variable: Option<String>,
    /// Of the file system.
    root: PathBuf,
    data_size: Option<u64>,
    address_space: Option<u64>,
}

impl Surroundings {
    fn real(variable: Option<String>) -> Self {
        let (data_size, address_space) = resource_limits();
        Self { variable, root: "/".into(), data_size, address_space }
    }

    fn ask(&self, given: Option<u64>) -> Vec<(Origin, Answer)> {
        let physical = physical_memory(&self.root);
        let half = |wall: Result<u64, String>| match (wall?, physical) {
            (wall, Some(physical)) if wall >= physical => {
                Err(format!("{}, no less than the machine has", ByteSize::b(wall)))
            }
            (wall, _) if wall < 2 => Err(format!("{wall} is too little")),
            (wall, _) => Ok((wall / 2, Some(wall))),
        };
        let told = |bytes| (bytes, None);
        let variable = self.variable.as_ref().ok_or("it is not set".to_owned());
        let variable = variable.and_then(|text| parse(text).map_err(|error| error.to_string()));
        let (file, cgroup) = self.ask_cgroup();
        let resource = |limit: Option<u64>| limit.ok_or("none is set".to_owned());
        let mut resources = [
            (Origin::DataSize, half(resource(self.data_size))),
            (Origin::AddressSpace, half(resource(self.address_space))),
        ];
        resources.sort_by_key(|(_, answer)| answer.as_ref().map_or(u64::MAX, |(bytes, _)| *bytes));
        let [first, second] = resources;
        let physical = physical.map(|wall| (wall / 2, Some(wall)));
        vec![
            (Origin::Given, given.map(told).ok_or("none was".into())),
            (Origin::Variable, variable.map(told)),
            (Origin::Cgroup(file), half(cgroup)),
            first,
            second,
            (Origin::Physical, physical.ok_or("it cannot be told here".into())),
        ]
    }

    fn ask_cgroup(&self) -> (PathBuf, Result<u64, String>) {
        let found = Cgroup::find_below(&self.root).map_err(|error| error.to_string());
        let limit = found.and_then(|cgroup| cgroup.limit().ok_or(format!("{cgroup} has no limit")));
        match limit {
            Ok(limit) => (limit.file, Ok(limit.bytes)),
            Err(why) => (PathBuf::new(), Err(why)),
        }
    }
}

/// What `WEAKMAP_LIMIT` says, if anything: files that set up containers set what is not set to nothing. Read once for each collector: C code may change the
/// environment at any time.
fn variable() -> Option<String> {
    let text = std::env::var_os(VARIABLE)?.to_string_lossy().into_owned();
    (!text.trim().is_empty()).then_some(text)
}

fn parse(text: &str) -> Result<u64, ConfigError> {
    let bytes = text.trim().parse::<ByteSize>().map(|size| size.as_u64());
    match bytes {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => {
            Err(ConfigError::new(VARIABLE, format!("{text:?}"), "a size above 0, such as 512MiB or 1000000"))
        }
    }
}

/// `RLIMIT_DATA` and `RLIMIT_AS`: the soft ones, which the kernel goes by.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn resource_limits() -> (Option<u64>, Option<u64>) {
    use rustix::process::{Resource, getrlimit};
    (getrlimit(Resource::Data).current, getrlimit(Resource::As).current)
}

/// Other kernels have them, but bound other things by them, or nothing.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn resource_limits() -> (Option<u64>, Option<u64>) {
    (None, None)
}

/// Bytes, where there is a `/proc/meminfo`: on Linux.
fn physical_memory(root: &Path) -> Option<u64> {
    total_of(&fs::read_to_string(root.join("proc/meminfo")).ok()?)
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn sizes() {
        for (text, bytes) in [("512MiB", 512 * MIB), ("1GB", 1_000_000_000), (" 4096 ", 4096)] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn no_sizes() {
        for text in ["", "lots", "-1", "0", "12 parsecs"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("WEAKMAP_LIMIT") && error.contains("512MiB"), "{error}");
        }
    }

    #[test]
    fn meminfo() {
        assert_eq!(total_of("MemTotal:       24 kB\nMemFree: 1 kB\n"), Some(24 * 1024));
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
    }

    /// A machine of 1 GiB, in a v2 cgroup, if any, of so many bytes.
    fn machine(cgroup: Option<u64>) -> (tempfile::TempDir, Surroundings) {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("proc/meminfo", "MemTotal: 1048576 kB\n");
        if let Some(bytes) = cgroup {
            write("proc/self/cgroup", "0::/\n");
            write("proc/self/mountinfo", "1 2 0:3 / /cg rw - cgroup2 cgroup2 rw\n");
            write("cg/memory.max", &bytes.to_string());
        }
        let path = root.path().to_owned();
        (root, Surroundings { variable: None, root: path, data_size: None, address_space: None })
    }

    #[test]
    fn who_goes_first() {
        let (_root, mut surroundings) = machine(Some(100 * MIB));
        let file = surroundings.root.join("cg/memory.max");
        surroundings.variable = Some("200MiB".into());
        surroundings.data_size = Some(40 * MIB);
        surroundings.address_space = Some(50 * MIB);
        let mut check = |change: fn(&mut Surroundings), given, bytes, origin: Origin| {
            change(&mut surroundings);
            let limit = Limit::choose(given, &surroundings).unwrap();
            assert_eq!((limit.bytes, limit.origin), (bytes, origin), "{:?}", limit.asked);
        };
        check(|_| (), Some(1), 1, Origin::Given);
        check(|_| (), None, 200 * MIB, Origin::Variable);
        check(|this| this.variable = None, None, 50 * MIB, Origin::Cgroup(file));
        check(
            |this| fs::write(this.root.join("cg/memory.max"), "max").unwrap(),
            None,
            20 * MIB,
            Origin::DataSize,
        );
        check(|this| this.data_size = None, None, 25 * MIB, Origin::AddressSpace);
        check(|this| this.address_space = None, None, 512 * MIB, Origin::Physical);
        check(|this| this.root.push("nowhere"), None, 1 << 30, Origin::Assumed);
    }

    #[test]
    fn no_wall_above_the_machine() {
        let (_root, mut surroundings) = machine(Some(1 << 40));
        surroundings.data_size = Some(1 << 40);
        let limit = Limit::choose(None, &surroundings).unwrap();
        assert_eq!((limit.bytes, &limit.origin), (512 * MIB, &Origin::Physical));
        assert!(limit.explain().contains("no less than the machine has"), "{}", limit.explain());
    }

    #[test]
    fn a_wrong_variable_is_an_error_where_it_counts() {
        let (_root, mut surroundings) = machine(None);
        surroundings.variable = Some("lots".into());
        assert!(Limit::choose(None, &surroundings).is_err());
        let limit = Limit::choose(Some(5), &surroundings).unwrap();
        assert!(limit.explain().contains("\"lots\""), "{}", limit.explain());
    }

    #[test]
    fn why_not_the_others() {
        let (root, mut surroundings) = machine(Some(100 * MIB));
        surroundings.data_size = Some(40 * MIB);
        let limit = Limit::choose(None, &surroundings).unwrap();
        assert_eq!(limit.wall, Some(100 * MIB));
        let file = root.path().join("cg/memory.max");
        let file = file.display();
        assert_eq!(
            limit.explain(),
            format!(
                "limit: 50.0 MiB, from half of {file}\n  \
                 not what was given: none was\n  \
                 not WEAKMAP_LIMIT: it is not set\n  \
                 not half of RLIMIT_DATA: 20.0 MiB, but half of {file} goes first\n  \
                 not half of RLIMIT_AS: none is set\n  \
                 not half of physical memory: 512.0 MiB, but half of {file} goes first"
            )
        );
    }
}
