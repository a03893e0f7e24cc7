//! Runs a closure under every schedule within the preemption bound, or panics: a model cut short
//! proves nothing.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How often, in executions, loom looks at the clock.
const INTERVAL: usize = 100;

/// The most preemptions of an execution, where a model names no fewer.
pub const PREEMPTIONS: usize = 3;

/// Explores `f`, to [`PREEMPTIONS`].
pub fn model(name: &str, f: impl Fn() + Send + Sync + 'static) {
    model_within(PREEMPTIONS, name, f);
}

/// Explores `f` and prints how many executions that took.
///
/// The knobs are loom's own: `LOOM_MAX_PREEMPTIONS` (here `preemptions` if unset), `LOOM_MAX_DURATION` in seconds (60 if unset), and
/// `LOOM_CHECKPOINT_FILE`, to which the model's name is added.
///
/// # Panics
///
/// If an execution panics, or the time is up before all were explored.
pub fn model_within(preemptions: usize, name: &str, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 100_000;
    builder.checkpoint_interval = INTERVAL;
    if let Some(file) = &mut builder.checkpoint_file {
        // Each model has its own: a path of one means nothing to another.
        file.as_mut_os_string().push(format!(".{}", name.replace(' ', "_")));
    }
    builder.max_permutations = None;
    let limit = *builder.max_duration.get_or_insert(Duration::from_secs(60));

    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let start = Instant::now();
    warm_up();
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        super::allocation::reset();
        super::guard::reset();
        f();
    });
    super::allocation::reset();

    let (n, took) = (executions.load(Relaxed), start.elapsed());
    // Out of time, loom returns as if it were done, but only just before an execution whose number
    // `INTERVAL` divides.
    let cut = took >= limit && (n + 1).is_multiple_of(INTERVAL);
    assert!(!cut, "{name}: not exhausted: {n} executions in {took:.2?}");
    println!("{name}: {n} executions in {took:.2?}");
}

/// scc makes its collector for this thread of the system on the stack, and the first thread of a model has 32 KiB of that.
fn warm_up() {
    let mut builder = loom::model::Builder::new();
    builder.checkpoint_file = None;
    builder.check(|| {
        let roomy = loom::thread::Builder::new().stack_size(1 << 20);
        roomy.spawn(|| drop(scc::Guard::new())).unwrap().join().unwrap();
    });
}

/// Explores `f`, which is wrong, and checks that it is stopped by a panic whose message contains
/// one of `reasons`.
///
/// # Panics
///
/// If no execution of `f` panics, or one does for another reason.
pub fn model_fails(name: &str, reasons: &[&str], f: impl Fn() + Send + Sync + 'static) {
    let start = Instant::now();
    let panic = catch_unwind(AssertUnwindSafe(|| model(name, f)))
        .expect_err("a wrong protocol went through the model");
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    assert!(reasons.iter().any(|r| message.contains(r)), "{name}: caught, but as: {message}");
    println!("{name}: caught in {:.2?}", start.elapsed());
}

/// Runs the work of a destructor. If it is run because a model failed, then the execution may be
/// gone, and with it every loom object: a panic on that account must not abort the process, which
/// would hide the first one.
pub(super) fn in_drop(work: impl FnOnce()) {
    if std::thread::panicking() {
        drop(catch_unwind(AssertUnwindSafe(work)));
    } else {
        work();
    }
}
