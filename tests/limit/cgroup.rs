//! Cgroups of every layout: files as they are found on such machines.

use crate::alone;
use std::{fs, path::Path};
use tempfile::TempDir;
use weakmap::heap::{Cgroup, CgroupVersion};

const MIB: u64 = 1 << 20;

/// v1's "no limit".
const NONE_V1: &str = "9223372036854771712";

/// A file system with these files; the cgroup mounts are `(root, point, options)`, of v2 where there are no options.
fn machine(membership: &str, mounts: &[(&str, &str, &str)], files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = root.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let mut table = String::from("23 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
    for (path, point, options) in mounts {
        let kind = if options.is_empty() { "cgroup2 cgroup2 rw" } else { "cgroup cgroup rw" };
        let comma = if options.is_empty() { "" } else { "," };
        table += &format!("35 31 0:32 {path} {point} rw,relatime shared:9 - {kind}{comma}{options}\n");
    }
    write("proc/self/cgroup", membership);
    write("proc/self/mountinfo", &table);
    files.iter().for_each(|(file, text)| write(file, text));
    root
}

/// Asserts the limit and the file that says so, below the root.
#[track_caller]
fn limits(root: &TempDir, version: CgroupVersion, expected: Option<(u64, &str)>) -> Cgroup {
    let cgroup = Cgroup::find_below(root.path()).unwrap();
    assert_eq!(cgroup.version(), version);
    let limit = cgroup.limit();
    let found = limit.as_ref().map(|limit| (limit.bytes, limit.file.strip_prefix(root.path()).unwrap()));
    assert_eq!(found, expected.map(|(bytes, file)| (bytes, Path::new(file))));
    cgroup
}

const UNIFIED: &[(&str, &str, &str)] = &[("/", "/sys/fs/cgroup", "")];
const MEMORY: &[(&str, &str, &str)] =
    &[("/", "/sys/fs/cgroup/cpu", "cpu"), ("/", "/sys/fs/cgroup/memory", "memory")];

#[test]
fn v2() {
    let _alone = alone();
    let files = [("sys/fs/cgroup/app/memory.max", "104857600\n"), ("sys/fs/cgroup/app/memory.high", "max\n")];
    let root = machine("0::/app\n", UNIFIED, &files);
    let cgroup = limits(&root, CgroupVersion::V2, Some((100 * MIB, "sys/fs/cgroup/app/memory.max")));
    assert_eq!(cgroup.to_string(), format!("cgroup v2 at {}/sys/fs/cgroup/app", root.path().display()));
}

#[test]
fn v2_without_a_limit() {
    let _alone = alone();
    let root = machine("0::/app\n", UNIFIED, &[("sys/fs/cgroup/app/memory.max", "max\n")]);
    limits(&root, CgroupVersion::V2, None);
    limits(
        &machine("0::/\n", UNIFIED, &[("sys/fs/cgroup/memory.stat", "anon 1\n")]),
        CgroupVersion::V2,
        None,
    );
}

#[test]
fn v2_nested_the_least_holds() {
    let _alone = alone();
    let mut files = vec![
        ("sys/fs/cgroup/a/b/c/memory.max", "max"),
        ("sys/fs/cgroup/a/b/memory.max", "209715200"),
        ("sys/fs/cgroup/a/memory.max", "104857600"),
    ];
    let root = machine("0::/a/b/c\n", UNIFIED, &files);
    limits(&root, CgroupVersion::V2, Some((100 * MIB, "sys/fs/cgroup/a/memory.max")));
    files.push(("sys/fs/cgroup/a/b/c/memory.high", "52428800"));
    let root = machine("0::/a/b/c\n", UNIFIED, &files);
    limits(&root, CgroupVersion::V2, Some((50 * MIB, "sys/fs/cgroup/a/b/c/memory.high")));
}

#[test]
fn v2_in_a_container() {
    let _alone = alone();
    let root = machine("0::/\n", UNIFIED, &[("sys/fs/cgroup/memory.max", "104857600")]);
    limits(&root, CgroupVersion::V2, Some((100 * MIB, "sys/fs/cgroup/memory.max")));
    // Without a namespace of its own: the mount shows the container's path as its root.
    let mounts = [("/docker/1", "/sys/fs/cgroup", "")];
    let files = [("sys/fs/cgroup/memory.max", "max"), ("sys/fs/cgroup/sub/memory.max", "104857600")];
    let root = machine("0::/docker/1/sub\n", &mounts, &files);
    limits(&root, CgroupVersion::V2, Some((100 * MIB, "sys/fs/cgroup/sub/memory.max")));
}

#[test]
fn v2_hidden_by_a_namespace() {
    let _alone = alone();
    let file = [("sys/fs/cgroup/memory.max", "104857600")];
    for (path, mounted) in [("/../other", "/"), ("/", "/../.."), ("/elsewhere", "/docker/1")] {
        let root = machine(&format!("0::{path}\n"), &[(mounted, "/sys/fs/cgroup", "")], &file);
        limits(&root, CgroupVersion::V2, Some((100 * MIB, "sys/fs/cgroup/memory.max")));
    }
}

#[test]
fn v2_whose_level_has_gone() {
    let _alone = alone();
    let root = machine("0::/a/gone (deleted)\n", UNIFIED, &[("sys/fs/cgroup/a/memory.max", "104857600")]);
    limits(&root, CgroupVersion::V2, Some((100 * MIB, "sys/fs/cgroup/a/memory.max")));
}

#[test]
fn v1() {
    let _alone = alone();
    let files = [
        ("sys/fs/cgroup/memory/app/memory.limit_in_bytes", "104857600\n"),
        ("sys/fs/cgroup/memory/app/memory.stat", "cache 1\nhierarchical_memory_limit 104857600\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", NONE_V1),
    ];
    let root = machine("2:memory:/app\n1:cpu:/other\n", MEMORY, &files);
    limits(&root, CgroupVersion::V1, Some((100 * MIB, "sys/fs/cgroup/memory/app/memory.limit_in_bytes")));
}

#[test]
fn v1_without_a_limit() {
    let _alone = alone();
    let stat = format!("hierarchical_memory_limit {NONE_V1}\n");
    let files = [
        ("sys/fs/cgroup/memory/app/memory.limit_in_bytes", NONE_V1),
        ("sys/fs/cgroup/memory/app/memory.stat", &stat),
    ];
    limits(&machine("2:memory:/app\n", MEMORY, &files), CgroupVersion::V1, None);
    limits(&machine("2:memory:/app\n", MEMORY, &[]), CgroupVersion::V1, None);
}

#[test]
fn v1_nested() {
    let _alone = alone();
    let mut files = vec![
        ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "209715200"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600"),
    ];
    let least = Some((100 * MIB, "sys/fs/cgroup/memory/a/memory.limit_in_bytes"));
    limits(&machine("2:memory:/a/b\n", MEMORY, &files), CgroupVersion::V1, least);
    files.push(("sys/fs/cgroup/memory/a/b/memory.stat", "hierarchical_memory_limit 104857600\n"));
    limits(&machine("2:memory:/a/b\n", MEMORY, &files), CgroupVersion::V1, least);
    // `memory.use_hierarchy` 0: the parent's limit is not ours.
    files[2].1 = "hierarchical_memory_limit 209715200\n";
    let own = Some((200 * MIB, "sys/fs/cgroup/memory/a/b/memory.stat"));
    limits(&machine("2:memory:/a/b\n", MEMORY, &files), CgroupVersion::V1, own);
}

/// A parent that the container does not see holds it: only the kernel's own sum says so.
#[test]
fn v1_below_a_hidden_parent() {
    let _alone = alone();
    let files = [
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", NONE_V1),
        ("sys/fs/cgroup/memory/memory.stat", "hierarchical_memory_limit 104857600\n"),
    ];
    let mounts = [("/kubepods/pod1/2", "/sys/fs/cgroup/memory", "memory")];
    let root = machine("2:memory:/kubepods/pod1/2\n", &mounts, &files);
    limits(&root, CgroupVersion::V1, Some((100 * MIB, "sys/fs/cgroup/memory/memory.stat")));
}

#[test]
fn v1_mounted_with_another_controller_at_a_strange_place() {
    let _alone = alone();
    let mounts = [("/", r"/my\040groups", "cpuset,memory")];
    let root =
        machine("3:cpuset,memory:/a:b\n", &mounts, &[("my groups/a:b/memory.limit_in_bytes", "104857600")]);
    limits(&root, CgroupVersion::V1, Some((100 * MIB, "my groups/a:b/memory.limit_in_bytes")));
}

/// Both are mounted, the memory controller is in v1.
#[test]
fn hybrid() {
    let _alone = alone();
    let mounts = [("/", "/sys/fs/cgroup/memory", "memory"), ("/", "/sys/fs/cgroup/unified", "")];
    let files = [
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "104857600"),
        ("sys/fs/cgroup/unified/b/memory.max", "1048576"),
    ];
    let root = machine("4:memory:/a\n1:name=systemd:/s\n0::/b\n", &mounts, &files);
    limits(&root, CgroupVersion::V1, Some((100 * MIB, "sys/fs/cgroup/memory/a/memory.limit_in_bytes")));
    // v1 has other controllers, and memory is v2's.
    let root = machine("1:name=systemd:/s\n0::/b\n", &mounts, &files);
    limits(&root, CgroupVersion::V2, Some((MIB, "sys/fs/cgroup/unified/b/memory.max")));
}

#[test]
fn nonsense_is_no_limit() {
    let _alone = alone();
    for text in ["", "0", "-1", "lots", "1152921504606846976", "99999999999999999999999"] {
        let root = machine("0::/\n", UNIFIED, &[("sys/fs/cgroup/memory.max", text)]);
        limits(&root, CgroupVersion::V2, None);
    }
}

#[test]
fn no_cgroup() {
    let _alone = alone();
    for (membership, mounts) in
        [("", UNIFIED), ("1:cpu:/\n", UNIFIED), ("0::/\n", MEMORY), ("2:memory:/\n", UNIFIED)]
    {
        let root = machine(membership, mounts, &[]);
        let error = Cgroup::find_below(root.path()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{membership:?}: {error}");
    }
    let error = Cgroup::find_below("/nowhere").unwrap_err();
    assert!(error.to_string().contains("/nowhere/proc/self/cgroup"), "{error}");
}

#[test]
fn page_cache_is_left_out() {
    let _alone = alone();
    let files = [
        ("sys/fs/cgroup/app/memory.current", "100000\n"),
        (
            "sys/fs/cgroup/app/memory.stat",
            "anon 30000\nfile 60000\nshmem 5000\ninactive_file 40000\nactive_file 15000\nslab_reclaimable 2000\n",
        ),
    ];
    let cgroup = Cgroup::find_below(machine("0::/app\n", UNIFIED, &files).path());
    assert!(cgroup.unwrap().used().is_err(), "its files have gone");
    let root = machine("0::/app\n", UNIFIED, &files);
    assert_eq!(Cgroup::find_below(root.path()).unwrap().used().unwrap(), 43_000);

    let files = [
        ("sys/fs/cgroup/memory/app/memory.usage_in_bytes", "100000\n"),
        (
            "sys/fs/cgroup/memory/app/memory.stat",
            "active_file 1\ninactive_file 1\ntotal_inactive_file 40000\ntotal_active_file 15000\n",
        ),
    ];
    let root = machine("2:memory:/app\n", MEMORY, &files);
    assert_eq!(Cgroup::find_below(root.path()).unwrap().used().unwrap(), 45_000);
}

/// What counts against a parent's limit is what all its children use.
#[test]
fn use_is_told_where_the_limit_is() {
    let _alone = alone();
    let files = [
        ("sys/fs/cgroup/a/memory.max", "104857600"),
        ("sys/fs/cgroup/a/memory.current", "5000"),
        ("sys/fs/cgroup/a/memory.stat", "inactive_file 1000\n"),
        ("sys/fs/cgroup/a/b/memory.max", "max"),
        ("sys/fs/cgroup/a/b/memory.current", "300"),
        ("sys/fs/cgroup/a/b/memory.stat", "inactive_file 100\n"),
    ];
    let root = machine("0::/a/b\n", UNIFIED, &files);
    assert_eq!(Cgroup::find_below(root.path()).unwrap().used().unwrap(), 4000);
    // As more counts than the current use: batches of the kernel's counters.
    fs::write(root.path().join("sys/fs/cgroup/a/memory.current"), "10").unwrap();
    assert_eq!(Cgroup::find_below(root.path()).unwrap().used().unwrap(), 0);
}
