//! On real traces, if `WEAKMAP_TRACES` names their folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gc::clock::{Clock, Policy};

use super::cache::{Cache, budget};
use super::same_victims::agree;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("WEAKMAP_TRACES").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: WEAKMAP_TRACES does not name a folder of traces");
    }
    folder
}

fn read(folder: &Path, name: &str) -> Vec<u32> {
    let path = folder.join(format!("{name}.trace.zst"));
    let output = Command::new("zstd").arg("-dc").arg(&path).output().expect("zstd runs");
    assert!(output.status.success(), "{}", path.display());
    let words = output.stdout.chunks_exact(4);
    words.map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))).collect()
}

#[test]
fn same_victims() {
    let Some(folder) = folder() else { return };
    for (name, capacity) in [
        ("cs", 141),
        ("gli", 632),
        ("cpp", 61),
        ("sprite", 354),
        ("multi2", 568),
        ("zigzag", 100),
        ("two_pools", 497),
        ("hp_ajw", 1_282),
        ("web12", 688),
        ("apache_site", 74),
    ] {
        for batch in [0.0, 0.05] {
            agree(name, &read(&folder, name), capacity, batch);
        }
    }
}

#[test]
fn hit_ratios() {
    let Some(folder) = folder() else { return };
    for (name, capacity, three_hands, clock) in
        [("loop", 253, 24.0, 0.0), ("cs", 352, 20.5, 1.5), ("gli", 253, 16.0, 0.5), ("sprite", 354, 0.0, 0.0)]
    {
        for (policy, least) in [(Policy::ThreeHands, three_hands), (Policy::Clock, clock)] {
            let requests = read(&folder, name);
            let mut cache = Cache::of(Clock::new(policy));
            for &key in &requests {
                cache.request(key, 1, budget(capacity, 0.0));
            }
            let ratio = 100.0 * cache.hits as f64 / requests.len() as f64;
            assert!(ratio >= least, "{name}@{capacity} {policy:?}: {ratio:.2} %");
        }
    }
}
