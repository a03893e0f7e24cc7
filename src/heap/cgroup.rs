//! The memory cgroup that the process is in: its limit, and what of it is in use.
//!
//! # Where it is
//!
//! 1. `/proc/self/cgroup` says which version has the memory controller (a line that names `memory`: v1; else `0::`: v2; on
//!    a hybrid machine both are there), and the process's path in it.
//! 2. `/proc/self/mountinfo` says where that hierarchy is mounted, and which path the mount shows as its root.
//! 3. The path less that root, below the mount point, is the process's own level; its parents up to the mount point
//!    are the levels above. Where the path is not below that root (a namespace hides it, `/..`), the mount point is all
//!    there is to see.
//!
//! # The limit
//!
//! v2: the least `memory.max` or `memory.high` of all levels; beyond `memory.high` the kernel slows the process down to a crawl. The
//! real root has neither file. v1: the kernel has the least of the path itself, `hierarchical_memory_limit` in
//! `memory.stat`, hidden parents included; without it, the least `memory.limit_in_bytes`. "max", 0, and 2^60 and more are none.

use std::{
    fmt, fs, io,
    path::{Component, Path, PathBuf},
};

/// From here on a number stands for "no limit": v1 says 2^63 less a page.
const UNLIMITED: u64 = 1 << 60;

/// The memory cgroup that this process is in, v1 or v2. Linux only.
///
/// It holds where its files are: find it again if the process may have moved. Reading its limit or its use opens,
/// reads and closes files at each level; it costs tens of microseconds, as does finding it.
///
/// ```
/// use weakmap::heap::Cgroup;
///
/// match Cgroup::find() {
///     Ok(cgroup) => match cgroup.limit() {
///         Some(limit) => println!("{} bytes, says {}", limit.bytes, limit.file.display()),
///         None => println!("{cgroup} has no limit"),
///     },
///     Err(error) => println!("no memory cgroup: {error}"),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    version: CgroupVersion,
    /// The directories of the process's level and those above it, that one first.
    levels: Vec<PathBuf>,
}

/// Which of Linux's two cgroup interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    /// A hierarchy for each controller; also the memory half of a hybrid machine.
    V1,
    /// The unified hierarchy.
    V2,
}

/// A cgroup's limit, and the file that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CgroupLimit {
    /// Bytes.
    pub bytes: u64,
    /// Where it was read.
    pub file: PathBuf,
}

impl Cgroup {
    /// The cgroup of this process.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) where there is no memory controller, no mount of it, or no `/proc` (other systems
    /// than Linux); what reading gave otherwise.
    pub fn find() -> io::Result<Self> {
        Self::find_below("/")
    }

    /// The same in a file system whose root is `root`: for tests, and for a host's file system mounted in a container.
    ///
    /// ```no_run
    /// let cgroup = weakmap::heap::Cgroup::find_below("/host")?;
    /// # Ok::<_, std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn find_below(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref();
        let membership = read(&root.join("proc/self/cgroup"))?;
        let (version, path) = membership_of(&membership).ok_or_else(|| {
            not_found("/proc/self/cgroup names no memory controller and no unified hierarchy")
        })?;
        let mounts = read(&root.join("proc/self/mountinfo"))?;
        let mounts: Vec<_> = mounts.lines().filter_map(|line| Mount::parse(line, version)).collect();
        let (mount, below) = choose(&mounts, Path::new(path))
            .ok_or_else(|| not_found(format!("the memory hierarchy ({version}) is not mounted")))?;
        let point = beneath(root, &mount.point);
        let levels = joined(&point, &below)
            .ancestors()
            .take(below.components().count() + 1)
            .map(Path::to_owned)
            .collect();
        Ok(Self { version, levels })
    }

    /// v1 or v2.
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// The directory of the process's own level; where a namespace hides it, the lowest that can be seen.
    pub fn path(&self) -> &Path {
        &self.levels[0]
    }

    /// The least limit on the path to the root, `memory.high` included; `None` without one.
    ///
    /// Costs about 10 µs a level.
    pub fn limit(&self) -> Option<CgroupLimit> {
        match self.version {
            CgroupVersion::V1 => self.limit_v1(),
            CgroupVersion::V2 => least(&self.levels, &["memory.max", "memory.high"]),
        }
    }

    fn limit_v1(&self) -> Option<CgroupLimit> {
        let own = least(&self.levels, &["memory.limit_in_bytes"]);
        let stat = self.levels.iter().find_map(|level| {
            let file = level.join("memory.stat");
            Some((Stat(fs::read_to_string(&file).ok()?), file))
        });
        let Some((bytes, file)) =
            stat.and_then(|(stat, file)| Some((stat.get("hierarchical_memory_limit")?, file)))
        else {
            return own;
        };
        match own {
            Some(own) if own.bytes == bytes => Some(own),
            _ => limiting(bytes).map(|bytes| CgroupLimit { bytes, file }),
        }
    }

    /// Bytes in use at the level that has the least limit (else the process's own), all its processes together, without what
    /// the kernel takes back by itself: page cache and (v2) reclaimable slab. Shared memory and `tmpfs` stay in.
    ///
    /// The kernel counts in batches for each processor, so it is exact to some 100 KiB. Costs about 60 µs.
    ///
    /// ```
    /// use weakmap::heap::Cgroup;
    ///
    /// if let Ok(used) = Cgroup::find().and_then(|cgroup| cgroup.used()) {
    ///     println!("{used} bytes");
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Where the files cannot be read: v2's real root has no `memory.current`.
    pub fn used(&self) -> io::Result<u64> {
        let limited = self.limit().and_then(|limit| limit.file.parent().map(Path::to_owned));
        let level = limited.as_deref().unwrap_or(self.path());
        let stat = Stat(read(&level.join("memory.stat"))?);
        let (total, cache) = match self.version {
            CgroupVersion::V1 => ("memory.usage_in_bytes", ["total_active_file", "total_inactive_file", ""]),
            CgroupVersion::V2 => ("memory.current", ["active_file", "inactive_file", "slab_reclaimable"]),
        };
        let file = level.join(total);
        let total: u64 = read(&file)?.trim().parse().map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()))
        })?;
        let cache: u64 = cache.iter().filter_map(|name| stat.get(name)).sum();
        Ok(total.saturating_sub(cache))
    }
}

/// "cgroup v2 at /sys/fs/cgroup/app".
impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cgroup {} at {}", self.version, self.path().display())
    }
}

impl fmt::Display for CgroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// Which version has the memory controller, and the path there, out of `/proc/self/cgroup`: "4:cpu,memory:/path", "0::/path".
fn membership_of(text: &str) -> Option<(CgroupVersion, &str)> {
    let lines = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let v1 = || lines().find(|(controllers, _)| controllers.split(',').any(|name| name == "memory"));
    let v2 = || lines().find(|(controllers, _)| controllers.is_empty());
    let v1 = v1().map(|(_, path)| (CgroupVersion::V1, path));
    let (version, path) = v1.or_else(|| v2().map(|(_, path)| (CgroupVersion::V2, path)))?;
    Some((version, path.strip_suffix(" (deleted)").unwrap_or(path)))
}

/// A mount of the hierarchy that has the memory controller.
#[derive(Debug, PartialEq)]
struct Mount {
    /// The path in the hierarchy that is seen at the mount point.
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// Out of a line of `/proc/self/mountinfo`: "id parent dev root point options [tags] - type source options".
    fn parse(line: &str, version: CgroupVersion) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let mut right = right.split(' ');
        let (root, point, kind) = (left.next()?, left.next()?, right.next()?);
        let ours = match version {
            CgroupVersion::V1 => kind == "cgroup" && right.nth(1)?.split(',').any(|name| name == "memory"),
            CgroupVersion::V2 => kind == "cgroup2",
        };
        ours.then(|| Self { root: unescape(root).into(), point: unescape(point).into() })
    }
}

/// The mount that shows most of `path`, and what of `path` lies below its root.
fn choose<'m>(mounts: &'m [Mount], path: &Path) -> Option<(&'m Mount, PathBuf)> {
    let hidden = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    let seen = mounts.iter().filter(|mount| !hidden(&mount.root) && !hidden(path));
    let below = seen.filter_map(|mount| Some((mount, path.strip_prefix(&mount.root).ok()?.to_owned())));
    // Of several the longest path shows the most parents. A later mount lies on top of an earlier one.
    below
        .max_by_key(|(_, below)| below.components().count())
        .or_else(|| mounts.last().map(|mount| (mount, PathBuf::new())))
}

/// The kernel writes blanks and backslashes in paths as "\040", "\011", "\012", "\134".
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, sign)| text.replace(code, sign))
}

/// An absolute path, in the file system at `root`.
fn beneath(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Without the slash at the end that joining nothing leaves.
fn joined(point: &Path, below: &Path) -> PathBuf {
    point.components().chain(below.components()).collect()
}

/// The least limit that one of the files says at one of the levels.
fn least(levels: &[PathBuf], names: &[&str]) -> Option<CgroupLimit> {
    let files = levels.iter().flat_map(|level| names.iter().map(|name| level.join(name)));
    let limits = files.filter_map(|file| {
        let bytes = fs::read_to_string(&file).ok()?.trim().parse().ok().and_then(limiting)?;
        Some(CgroupLimit { bytes, file })
    });
    limits.min_by_key(|limit| limit.bytes)
}

fn limiting(bytes: u64) -> Option<u64> {
    (0 < bytes && bytes < UNLIMITED).then_some(bytes)
}

/// Lines of "name number".
struct Stat(String);

impl Stat {
    fn get(&self, name: &str) -> Option<u64> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
    }
}

fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

fn not_found(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why.into())
}

#[cfg(all(test, not(weakmap_loom)))]
mod tests {
    use super::*;

    #[test]
    fn memberships() {
        use CgroupVersion::*;
        for (text, expected) in [
            ("0::/a/b\n", Some((V2, "/a/b"))),
            ("0::/a (deleted)\n", Some((V2, "/a"))),
            ("4:memory:/m\n1:cpu:/c\n0::/u\n", Some((V1, "/m"))),
            ("4:cpu,memory:/m:n\n", Some((V1, "/m:n"))),
            ("1:name=memory:/x\n0::/u\n", Some((V2, "/u"))),
            ("1:cpu:/c\n", None),
            ("", None),
        ] {
            assert_eq!(membership_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn mounts() {
        let line =
            r"35 31 0:32 /a\040b /sys/fs/c\134g rw,relatime shared:9 master:1 - cgroup cgroup rw,memory";
        let mount = Mount { root: "/a b".into(), point: r"/sys/fs/c\g".into() };
        assert_eq!(Mount::parse(line, CgroupVersion::V1), Some(mount));
        assert_eq!(Mount::parse(line, CgroupVersion::V2), None);
        assert_eq!(Mount::parse(&line.replace("rw,memory", "rw,cpu"), CgroupVersion::V1), None);
        assert_eq!(Mount::parse("", CgroupVersion::V1), None);
    }

    fn chosen(mounts: &[(&str, &str)], path: &str) -> (String, String) {
        let mounts: Vec<_> =
            mounts.iter().map(|(root, point)| Mount { root: root.into(), point: point.into() }).collect();
        let (mount, below) = choose(&mounts, Path::new(path)).unwrap();
        (mount.point.display().to_string(), below.display().to_string())
    }

    #[test]
    fn what_a_mount_shows() {
        for (mounts, path, point, below) in [
            (&[("/", "/cg")][..], "/a/b", "/cg", "a/b"),
            (&[("/", "/cg")], "/", "/cg", ""),
            (&[("/docker/1", "/cg")], "/docker/1/sub", "/cg", "sub"),
            // Not below what is mounted: a prefix of the text is none of the path.
            (&[("/docker/1", "/cg")], "/docker/12", "/cg", ""),
            (&[("/", "/cg")], "/../other", "/cg", ""),
            (&[("/../..", "/cg")], "/", "/cg", ""),
            // The one that shows more parents; of equals, the one on top.
            (&[("/a", "/part"), ("/", "/whole")], "/a/b", "/whole", "a/b"),
            (&[("/", "/under"), ("/", "/top")], "/a", "/top", "a"),
        ] {
            assert_eq!(chosen(mounts, path), (point.into(), below.into()), "{mounts:?} {path}");
        }
    }
}
