//! Panics inside of simulated processes, which a runtime would swallow: each is a problem of its
//! world, but for those that it planned.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    /// What panicked on this thread, while worlds run on it.
    static SEEN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Collects the panics of this thread from now on, instead of printing them.
pub(super) fn collect() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.to_string();
            let kept = SEEN.with_borrow_mut(|seen| {
                seen.as_mut().map(|seen| {
                    if !text.contains("planned: ") {
                        seen.push(text)
                    }
                })
            });
            if kept.is_none() {
                usual(info);
            }
        }));
    });
    SEEN.set(Some(Vec::new()));
}

/// Panics of this thread are its own again.
pub(super) fn release() {
    SEEN.set(None);
}

/// The first panic since the last call, if there was one.
pub(super) fn take() -> Option<String> {
    let seen = SEEN.with_borrow_mut(|seen| seen.as_mut().map(std::mem::take)).unwrap_or_default();
    seen.into_iter().next().map(|panic| format!("a panic: {panic}"))
}
