//! What a builder refuses, and how it says so.

use crate::support::{in_child, is_child};
use weakmap::{Collector, ConfigError, Law, Tuning, WeakMap, heap::Purge};

type Map = WeakMap<u64, [u64; 128]>;

/// Which setting, what it was, what is allowed.
fn refused(error: &ConfigError, field: &str, value: &str, allowed: &str) {
    let said = error.to_string();
    assert_eq!(error.field(), field, "{said}");
    for part in [field, value, allowed] {
        assert!(said.contains(part), "{part:?} is missing in {said:?}");
    }
}

#[test]
fn a_limit_of_nothing_is_refused() {
    refused(&Map::builder().limit(0).build().unwrap_err(), "limit", "0", "above 0");
    refused(&Collector::new(Tuning::new().limit(0)).unwrap_err(), "limit", "0", "above 0");
    assert!(Map::builder().limit(1).build().is_ok());
}

#[test]
fn a_sensitivity_that_is_no_factor_is_refused() {
    for (factor, shown) in
        [(f64::NAN, "NaN"), (-0.5, "-0.5"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")]
    {
        refused(
            &Map::builder().sensitivity(factor).build().unwrap_err(),
            "sensitivity",
            shown,
            "not negative",
        );
    }
    assert!([0.0, 1.0, 1e9].into_iter().all(|factor| Map::builder().sensitivity(factor).build().is_ok()));
}

#[test]
fn a_law_without_a_slope_is_refused() {
    for (low, high) in
        [(0.5, 0.5), (0.8, 0.2), (-0.1, 0.5), (f64::NAN, 1.0), (0.0, f64::NAN), (0.5, f64::INFINITY)]
    {
        let error = Map::builder().law(Law::Proportional { low, high }).build().unwrap_err();
        refused(&error, "law", &format!("{low}"), "low < high");
        assert!(error.to_string().contains(&format!("{high}")));
    }
    assert!(Map::builder().law(Law::Proportional { low: 0.0, high: 2.0 }).build().is_ok());
}

#[test]
fn a_greatest_weight_of_nothing_is_refused() {
    refused(&Map::builder().max_weight(0).build().unwrap_err(), "max_weight", "0", "above 0");
}

#[test]
fn a_resident_limit_of_nothing_is_refused() {
    let error = Collector::new(Tuning::new().resident_limit(0)).unwrap_err();
    refused(&error, "resident_limit", "0 B", "above 0");
    assert_eq!(Map::builder().resident_limit(0).build().unwrap_err(), error);
    let map = Map::builder().resident_limit(1 << 30).build().unwrap();
    assert_eq!(map.collector().stats().limit, 512 << 20, "half of it to begin with");
}

#[test]
fn a_priority_that_scales_nothing_is_refused() {
    for (factor, shown) in [(0.0, "0"), (-2.0, "-2"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        refused(
            &Map::builder().priority(factor).build().unwrap_err(),
            "priority",
            shown,
            "above 0 and finite",
        );
    }
    assert!(Map::builder().priority(1e-9).build().is_ok());
}

#[test]
fn a_floor_that_cannot_fit_is_refused() {
    // Each entry takes 1 KiB at the least.
    let error = Map::builder().limit(100 << 10).floor(101).build().unwrap_err();
    refused(&error, "floor", "101", "100.0 KiB");
    refused(
        &Map::builder().limit(1 << 20).floor(u64::MAX).build().unwrap_err(),
        "floor",
        "18446744073709551615",
        "1.0 MiB",
    );
    assert!(Map::builder().limit(100 << 10).floor(90).build().is_ok());
    let shared = Collector::new(Tuning::new().limit(1 << 10)).unwrap();
    assert_eq!(Map::builder().collector(shared).floor(2).build().unwrap_err().field(), "floor");
}

struct Nothing;

impl Purge for Nothing {
    fn purge(&self) {}

    fn name(&self) -> &str {
        "nothing"
    }
}

#[test]
fn what_a_shared_collector_decides_is_not_set_on_a_map() {
    let collector = Collector::new(Tuning::new()).unwrap();
    type Set = fn(weakmap::Builder<u64, u64>) -> weakmap::Builder<u64, u64>;
    let settings: [(&str, Set); 7] = [
        ("resident_limit", |builder| builder.resident_limit(1 << 30)),
        ("purge", |builder| builder.purge(Nothing)),
        ("background", |builder| builder.background(false)),
        ("limit", |builder| builder.limit(1 << 20)),
        ("law", |builder| builder.law(Law::EveryPass)),
        ("sensitivity", |builder| builder.sensitivity(2.0)),
        ("heap", |builder| builder.heap(weakmap::heap::Scripted::new())),
    ];
    for (field, set) in settings {
        let error = set(WeakMap::builder()).collector(collector.clone()).build().unwrap_err();
        refused(&error, field, "on the map", "collector");
    }
}

#[test]
fn errors_are_errors_and_compare() {
    let error = || Map::builder().limit(0).build().unwrap_err();
    let boxed: Box<dyn std::error::Error + Send + Sync> = error().into();
    assert_eq!((boxed.to_string(), error()), (error().to_string(), error().clone()));
}

#[test]
fn builders_and_tunings_show_what_is_set() {
    let builder = WeakMap::<u8, u8>::builder().name("pages").limit(64 << 20).max_weight(77).floor(3);
    let shown = format!("{builder:?} {:?}", Tuning::new().limit(3 << 20).sensitivity(1.5));
    for part in ["pages", "64.0 MiB", "77", "3.0 MiB", "1.5", "Pacer"] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
}

#[test]
fn the_limit_comes_from_the_variable_where_none_is_set() {
    let (passed, said) = in_child("builder::child_reads_a_limit_of_3_mib", &[("WEAKMAP_LIMIT", "3MiB")]);
    assert!(passed, "{said}");
}

#[test]
fn child_reads_a_limit_of_3_mib() {
    if is_child() {
        assert_eq!(Collector::global().stats().limit, 3 << 20);
        assert_eq!(WeakMap::<u8, u8>::new().collector().stats().limit, 3 << 20);
        assert_eq!(Map::builder().sensitivity(2.0).build().unwrap().collector().stats().limit, 3 << 20);
        assert_eq!(
            Map::builder().limit(5 << 20).build().unwrap().collector().stats().limit,
            5 << 20,
            "what is set wins"
        );
    }
}

#[test]
fn a_variable_that_is_no_size_is_refused() {
    for text in ["lots", "0"] {
        let (passed, said) = in_child("builder::child_refuses_the_variable", &[("WEAKMAP_LIMIT", text)]);
        assert!(passed, "{said}");
    }
}

#[test]
fn maps_cross_a_caught_panic_and_lie_in_statics() {
    fn unwinds<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    unwinds::<WeakMap<String, Vec<u8>>>();
    unwinds::<Collector>();
    static MAP: std::sync::LazyLock<WeakMap<u8, u8>> = std::sync::LazyLock::new(|| WeakMap::from([(1, 2)]));
    fn read(pin: &weakmap::Pinned<u8, u8>) -> Option<u8> {
        pin.get(&1).copied()
    }
    (&mut &*MAP).extend([(3, 4)]);
    assert_eq!((read(&MAP.pin()), MAP.len()), (Some(2), 2));
}

#[test]
fn a_variable_that_says_nothing_is_as_none() {
    let (passed, said) = in_child("builder::child_builds", &[("WEAKMAP_LIMIT", " ")]);
    assert!(passed, "{said}");
}

#[test]
fn child_builds() {
    if is_child() {
        assert!(
            Map::builder().build().unwrap().collector().explain().contains("WEAKMAP_LIMIT: it is not set")
        );
    }
}

#[test]
fn child_refuses_the_variable() {
    if is_child() {
        let text = std::env::var("WEAKMAP_LIMIT").unwrap();
        refused(&Collector::new(Tuning::new()).unwrap_err(), "WEAKMAP_LIMIT", &text, "512MiB");
        assert!(Collector::new(Tuning::new().limit(1 << 20)).is_ok(), "it is not asked where a limit is set");
        for _ in 0..2 {
            refused(&Map::builder().build().unwrap_err(), "WEAKMAP_LIMIT", &text, "512MiB");
            let panic = std::panic::catch_unwind(WeakMap::<u8, u8>::new).unwrap_err();
            assert!(panic.downcast_ref::<String>().unwrap().contains("WEAKMAP_LIMIT"));
        }
    }
}
