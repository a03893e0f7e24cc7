//! The structure of `src`, as tables: who imports whom, and where `unsafe`, orderings and foreign crates may stand.
//!
//! Comments and strings do not count; nor does, but for `unsafe`, what stands in test modules.

#[path = "structure/code.rs"]
mod code;

use code::{Code, Path, Token};
use std::{fs, path};

/// Module, and what it may see of the crate. Below the first line of each nothing points up again.
const IMPORTS: &[(&str, &[&str])] = &[
    ("sync", &[]),
    ("quiet", &[]),
    ("prefetch", &[]),
    ("slot", &["quiet", "sync"]),
    ("index", &["prefetch", "sync"]),
    ("entry", &["index", "prefetch", "quiet", "slot", "sync"]),
    ("stats", &["sync"]),
    ("error", &[]),
    ("heap", &["error", "sync"]),
    ("gc", &["entry", "error", "heap", "index", "prefetch", "slot", "stats", "sync", "tuning"]),
    ("tuning", &["error", "gc", "heap", "sync"]), // of gc: Law
    ("flight", &["entry", "index", "sync"]),
    ("builder", &["error", "gc", "heap", "map", "tuning"]),
    ("map", &["builder", "entry", "flight", "gc", "index", "pinned", "slot", "stats", "sync"]),
    ("pinned", &["map", "sync"]),
];

/// The same inside `gc`; "mod" is `gc/mod.rs` and what it declares itself.
const IMPORTS_OF_GC: &[(&str, &[&str])] = &[
    (
        "mod",
        &[
            "ages",
            "assist",
            "background",
            "bag",
            "band",
            "calm",
            "clock",
            "cycle",
            "ghost",
            "graves",
            "learned",
            "ledger",
            "log",
            "members",
            "pacer",
            "pass",
            "quota",
            "region",
            "rest",
            "settings",
            "strips",
            "upkeep",
        ],
    ),
    ("pacer", &[]),
    ("band", &[]),
    ("calm", &["ledger", "settings"]),
    ("rest", &[]),
    ("log", &[]),
    ("settings", &["pacer"]),
    ("learned", &[]),
    ("members", &["mod", "background", "pass"]),
    ("cycle", &["mod", "settings"]),
    ("strips", &["mod", "log", "pacer", "pass", "quota", "settings"]),
    ("assist", &["mod", "calm", "log", "pacer", "settings", "strips"]),
    ("upkeep", &["mod", "band", "log", "pacer", "settings"]),
    ("background", &["mod", "log", "upkeep"]),
    ("ages", &[]),
    ("ghost", &[]),
    ("clock", &["ghost"]),
    ("bag", &[]),
    ("ledger", &[]),
    ("graves", &["bag", "ledger", "region"]),
    ("region", &["ages", "bag", "clock", "graves", "learned", "ledger", "pass"]),
    ("pass", &["ages", "bag", "clock", "graves", "ledger", "quota", "region"]),
    ("quota", &["pass", "region"]),
    ("model", &["graves", "ledger", "pass", "region"]),
];

/// Modules of which only one thing may be imported by another.
const ONLY_THIS: &[(&str, &str, &[&str])] = &[("tuning", "gc", &["Law"])];

/// Files (or folders) that see none of the crate's other modules and no threads.
const ALONE: &[&str] =
    &["gc/pacer.rs", "gc/clock.rs", "gc/clock/", "gc/ghost.rs", "gc/ages.rs", "gc/band.rs"];

const UNSAFE: &[&str] = &[
    "slot.rs",
    "index.rs",
    "index/buckets.rs",
    "prefetch.rs",
    "quiet.rs",
    "heap/counting.rs",
    "heap/purge.rs",
    "sync/strong.rs",
    "sync/urn.rs",
    "sync/loom/",
];

const ALL: &[&str] = &["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
/// Where which ordering may be named. What only counts is `Relaxed`; all else belongs to a protocol.
const ORDERINGS: &[(&str, &[&str])] = &[
    ("slot.rs", &["Relaxed", "Acquire", "Release", "AcqRel"]),
    ("entry.rs", &["Relaxed", "Acquire", "Release"]),
    ("index.rs", &["Relaxed", "Acquire", "Release"]),
    ("index/bucket.rs", &["Acquire", "Release"]),
    ("flight.rs", ALL),
    ("sync/mod.rs", &["Relaxed"]),
    ("sync/alarm.rs", &["Relaxed", "Acquire", "Release", "SeqCst"]),
    ("sync/grace/deferred.rs", &["Relaxed"]),
    ("sync/grace/readers.rs", &["Acquire", "SeqCst"]),
    ("sync/grace.rs", &["Relaxed", "Acquire", "Release", "SeqCst"]),
    ("sync/native.rs", &["SeqCst"]),
    ("sync/number.rs", &["Relaxed", "Acquire", "Release"]),
    ("sync/pin.rs", ALL),
    ("sync/strong.rs", &["Relaxed", "Acquire", "Release"]),
    ("sync/urn.rs", &["Relaxed", "Acquire", "AcqRel"]),
    ("sync/loom/", ALL),
    ("heap/counting.rs", &["Relaxed"]),
    ("heap/jemalloc.rs", &["Relaxed"]),
    ("heap/watch.rs", &["Relaxed"]),
    ("heap/scripted.rs", &["Relaxed"]),
    ("gc/", &["Relaxed"]),
    ("stats.rs", &["Relaxed"]),
    ("map/", &["Relaxed"]),
];

/// Every dependency, and where it may be named; std's parts that touch threads with them.
const FOREIGN: &[(&str, &[&str])] = &[
    ("scc", &["sync/"]),
    ("crossbeam_utils", &["sync/"]),
    ("arc_swap", &["sync/"]),
    ("once_cell", &["sync/"]),
    ("async_lock", &["sync/load_cell.rs"]),
    ("loom", &["sync/"]),
    ("std::sync", &["sync/", "heap/counting.rs"]),
    ("std::thread", &["sync/"]),
    (
        "equivalent",
        &[
            "lib.rs",
            "map.rs",
            "map/load.rs",
            "map/load_async.rs",
            "pinned.rs",
            "flight.rs",
            "flight/key.rs",
            "index.rs",
            "gc/region.rs",
            "gc/region/remove.rs",
        ],
    ),
    ("foldhash", &["map.rs"]),
    ("bytesize", &["builder.rs", "tuning.rs", "gc/log.rs", "heap/mod.rs", "heap/limit.rs"]),
    ("rustix", &["heap/limit.rs", "heap/process.rs"]),
    ("libc", &["heap/purge.rs"]),
    ("libmimalloc_sys", &["heap/purge.rs"]),
    ("tikv_jemalloc_sys", &["heap/purge.rs"]),
    ("tikv_jemalloc_ctl", &["heap/jemalloc.rs"]),
    ("tracing", &["gc/log.rs"]),
    ("thiserror", &["error.rs"]),
];

/// File, line and rule of each violation.
fn violations(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in files {
        let code = Code::read(text);
        let mut report = |line: usize, rule: String| found.push(format!("src/{file}:{line}: {rule}"));
        code.tokens.iter().for_each(|token| check_token(file, token, &mut report));
        let module = module_of(file);
        for path in &code.paths {
            check_foreign(file, path, &mut report);
            check_import(file, &module, path, &mut report);
        }
    }
    found
}

fn allowed(file: &str, places: &[&str]) -> bool {
    places.iter().any(|place| file == *place || (place.ends_with('/') && file.starts_with(place)))
}

/// Tests beside the code may use threads and what they test; `unsafe` they may not.
fn is_test(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

fn check_token(file: &str, token: &Token, report: &mut impl FnMut(usize, String)) {
    let word = token.text.as_str();
    if word == "unsafe" && !allowed(file, UNSAFE) {
        report(token.line, format!("`unsafe` may be written in {} alone", UNSAFE.join(", ")));
    }
    if ALL.contains(&word) && !is_test(file) {
        let row = ORDERINGS.iter().find(|(place, _)| allowed(file, &[place]));
        let may = row.map_or(&[][..], |row| row.1);
        if !may.contains(&word) {
            report(token.line, format!("ordering `{word}`: here may be named {may:?}"));
        }
    }
}

fn check_foreign(file: &str, path: &Path, report: &mut impl FnMut(usize, String)) {
    if is_test(file) {
        return;
    }
    let name = path.segments.join("::");
    let is =
        |krate: &str| name == krate || name.strip_prefix(krate).is_some_and(|rest| rest.starts_with("::"));
    for (krate, places) in FOREIGN {
        if is(krate) && !allowed(file, places) {
            report(path.line, format!("`{krate}` may be named in {} alone", places.join(", ")));
        }
    }
}

fn check_import(file: &str, module: &[String], path: &Path, report: &mut impl FnMut(usize, String)) {
    if path.inside.iter().any(|inner| inner == "tests") || is_test(file) {
        return;
    }
    let Some(to) = resolve(module, path) else { return };
    let (Some(from), Some(target)) = (module.first(), to.first()) else { return };
    if from != target {
        let Some(row) = IMPORTS.iter().find(|row| row.0 == from) else {
            return report(path.line, format!("module `{from}` has no row in the table of imports"));
        };
        if !row.1.contains(&target.as_str()) {
            return report(path.line, format!("`{from}` may not see `{target}`, but {:?}", row.1));
        }
        let only = ONLY_THIS.iter().find(|row| row.0 == from && row.1 == target);
        if let Some((_, _, names)) =
            only.filter(|row| !to.get(1).is_some_and(|name| row.2.contains(&name.as_str())))
        {
            report(path.line, format!("`{from}` may see of `{target}` only {names:?}"));
        }
        // A hint to the processor decides nothing.
        if allowed(file, ALONE) && target != "prefetch" {
            report(path.line, format!("{file} sees nobody, so not `{target}`"));
        }
    } else if from == "gc" {
        check_import_in_gc(module, &to, path.line, report);
    }
}

fn check_import_in_gc(module: &[String], to: &[String], line: usize, report: &mut impl FnMut(usize, String)) {
    let inner = |path: &[String]| {
        let name = path.get(1).map_or("mod", String::as_str);
        IMPORTS_OF_GC.iter().map(|row| row.0).find(|row| *row == name)
    };
    let Some(from) = inner(module) else {
        return report(line, format!("`gc::{}` has no row in the table of imports", module[1]));
    };
    let target = inner(to).unwrap_or("mod");
    let row = IMPORTS_OF_GC.iter().find(|row| row.0 == from).unwrap();
    if from != target && !row.1.contains(&target) {
        report(line, format!("`gc::{from}` may not see `gc::{target}`, but {:?}", row.1));
    }
}

/// `gc/pass.rs` is the module `gc::pass`.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(String::from).collect() }
}

/// The path from the crate's root, if it is one of the crate's own.
fn resolve(module: &[String], path: &Path) -> Option<Vec<String>> {
    let mut here: Vec<_> = module.iter().chain(&path.inside).cloned().collect();
    let mut rest = &path.segments[..];
    match rest.first()?.as_str() {
        "crate" => (here, rest) = (Vec::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {}
        _ => return None,
    }
    while rest.first().is_some_and(|segment| segment == "super") {
        here.pop();
        rest = &rest[1..];
    }
    here.extend(rest.iter().cloned());
    Some(here)
}

fn root() -> path::PathBuf {
    path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &path::Path, files: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, files);
            } else if entry.extension().is_some_and(|kind| kind == "rs") {
                let name = entry.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    walk(&root(), &mut files);
    files.sort();
    files
}

#[test]
fn the_crate_keeps_to_its_structure() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_module_has_a_row() {
    let files: Vec<_> = sources().into_iter().map(|file| module_of(&file.0)).collect();
    for module in files.iter().filter(|module| !module.is_empty()) {
        assert!(IMPORTS.iter().any(|row| row.0 == module[0]), "`{}` has no row", module[0]);
        let is_inner = module[0] == "gc" && module.len() > 1;
        assert!(
            !is_inner || IMPORTS_OF_GC.iter().any(|row| row.0 == module[1]),
            "`gc::{}` has no row",
            module[1]
        );
    }
    for (module, _) in IMPORTS {
        assert!(files.iter().any(|file| file[..] == [*module]), "there is no module `{module}` any more");
    }
}

#[test]
fn every_dependency_has_a_row() {
    let manifest = fs::read_to_string(root().join("../Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies =
                line.ends_with("dependencies]") && !line.contains("dev-") && !line.contains("build-");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| in_dependencies) {
            let name = name.trim().replace('-', "_");
            assert!(FOREIGN.iter().any(|row| row.0 == name), "`{name}` has no row");
        }
    }
}

#[test]
fn planted_violations_are_found_by_file_line_and_rule() {
    let planted = [
        ("slot.rs", "\nuse crate::map::WeakMap;", 2, "`slot` may not see `map`"),
        ("index.rs", "use crate::{\n    sync::Arc,\n    entry::Entry,\n};", 3, "`index` may not see `entry`"),
        ("gc/pass.rs", "use super::{Sweep, pacer::Law};", 1, "`gc::pass` may not see `gc::pacer`"),
        ("gc/clock.rs", "use crate::sync::Arc;", 1, "gc/clock.rs sees nobody"),
        ("gc/clock/ring.rs", "use super::super::pass::Want;", 1, "`gc::clock` may not see `gc::pass`"),
        (
            "gc/ledger.rs",
            "fn f() { crate::gc::clock::Clock::new(); }",
            1,
            "`gc::ledger` may not see `gc::clock`",
        ),
        ("gc/mod.rs", "use crate::builder::Builder;", 1, "`gc` may not see `builder`"),
        ("tuning.rs", "use crate::gc::{Law, Collector};", 1, "`tuning` may see of `gc` only"),
        ("entry.rs", "mod inner { use super::super::stats::Stats; }", 1, "`entry` may not see `stats`"),
        ("new.rs", "use crate::sync::Arc;", 1, "`new` has no row"),
        ("map.rs", "\n\nfn f() { unsafe { g() } }", 3, "`unsafe` may be written in"),
        ("sync/pin.rs", "unsafe fn f() {}", 1, "`unsafe` may be written in"),
        ("map/tests.rs", "unsafe fn f() {}", 1, "`unsafe` may be written in"),
        ("map.rs", "x.load(Acquire)", 1, "ordering `Acquire`"),
        ("pinned.rs", "x.load(Ordering::Relaxed)", 1, "ordering `Relaxed`"),
        ("gc/region.rs", "let a = '\"'; // \" \nx.swap(1, SeqCst); // \"", 2, "ordering `SeqCst`"),
        ("gc/mod.rs", "use std::{fmt, sync::Mutex};", 1, "`std::sync` may be named in"),
        ("map.rs", "std::thread::yield_now()", 1, "`std::thread` may be named in"),
        ("flight.rs", "use scc::HashMap;", 1, "`scc` may be named in"),
        ("slot.rs", "use ::loom;", 1, "`loom` may be named in"),
        ("gc/mod.rs", "pub use bytesize as bytes;", 1, "`bytesize` may be named in"),
        ("heap/mod.rs", "/* /* */ */ thiserror::Error", 1, "`thiserror` may be named in"),
    ];
    for (file, text, line, rule) in planted {
        let found = violations(&[(file.to_string(), text.to_string())]);
        let place = format!("src/{file}:{line}: ");
        let hit = |message: &&String| message.starts_with(&place) && message.contains(rule);
        assert!(found.iter().find(hit).is_some(), "{text:?} in {file} gives {found:?}");
    }
}

#[test]
fn comments_strings_and_tests_do_not_count() {
    let innocent = [
        ("slot.rs", "// use crate::map::WeakMap; unsafe SeqCst scc::Guard\n/* unsafe /* SeqCst */ scc::X */"),
        (
            "map.rs",
            r####"const A: &str = "unsafe \" SeqCst"; const B: &str = r#"scc::X " unsafe"#; const C: &[u8] = b"unsafe";"####,
        ),
        (
            "index.rs",
            "/// [`scc::HashMap`] and crate::map::X\n//! Acquire\nfn f<'a>(x: &'a str) -> char { '\\'' }",
        ),
        ("heap/limit.rs", "mod tests { use super::*; }"),
        ("slot.rs", "mod tests { use crate::map::WeakMap; }"),
        ("slot.rs", "pub(in crate::gc) fn f() {}"),
        ("gc/clock/tests.rs", "use crate::map::WeakMap; use std::thread; x.load(SeqCst)"),
        ("tuning.rs", "use crate::gc::Law;"),
        ("gc/mod.rs", "mod a { use super::Sweep; }"),
        ("map.rs", "fn equivalent(x: X) { x.loom::<u8>(); Unsafe; r#unsafe(); acquire() }"),
    ];
    for (file, text) in innocent {
        assert_eq!(violations(&[(file.to_string(), text.to_string())]), [""; 0], "{text}");
    }
}
