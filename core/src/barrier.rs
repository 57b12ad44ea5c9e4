//! The panic barrier: a panic of this library becomes an error of kind `internal`.
//!
//! The poll driver has one, and so does every function that a binding exports. A panic that crossed
//! the border to another language would end the process, or be an exception that programs do not
//! expect.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use crate::error::Error;

thread_local! {
    /// How many barriers this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where the last panic of this thread was, if the hook is installed.
    static LOCATION: Cell<Option<String>> = const { Cell::new(None) };
}

struct Inside(());

impl Inside {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get().saturating_add(1));
        Self(())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// Calls a function.
///
/// # Errors
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if the function panics. The error has the
/// location of the panic if [`install_hook`] has been called, and never its message, which may quote
/// a prompt.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    let inside = Inside::enter();
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    drop(inside);
    result.map_err(|_| Error::internal(LOCATION.take().as_deref()))
}

/// The error of a call that was dropped before it had an outcome.
pub fn lost() -> Error {
    Error::internal(None)
}

/// Awaits a future, with the barrier of [`catch`] around each of its steps.
pub fn catch_async<F: Future>(future: F) -> CatchAsync<F> {
    CatchAsync(Box::pin(future))
}

/// The future of [`catch_async`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct CatchAsync<F>(Pin<Box<F>>);

impl<F: Future> Future for CatchAsync<F> {
    type Output = Result<F::Output, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch(|| self.0.as_mut().poll(context)) {
            Ok(poll) => poll.map(Ok),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// Installs the process's panic hook that records where a panic inside a barrier is, and prints
/// nothing: the error says it. Other panics are passed to the hook that was installed before.
///
/// Only the bindings call it: in a Rust program the hook is the program's.
pub fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if DEPTH.get() == 0 {
                previous(info);
            } else {
                LOCATION.set(info.location().map(ToString::to_string));
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_panic_is_an_internal_error_that_says_where_it_was() {
        install_hook();
        let line = line!() + 1;
        let error = catch(|| panic!("a secret prompt")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains(&format!("{}:{line}:", file!())), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"));
        assert!(!error.is_retryable());
        assert_eq!(catch(|| 7).unwrap(), 7);
    }

    #[test]
    fn a_future_may_panic_at_any_step() {
        let waker = std::task::Waker::noop();
        let mut steps = 0;
        let mut future = Box::pin(catch_async(std::future::poll_fn(|_| {
            steps += 1;
            assert!(steps < 3, "a secret prompt");
            Poll::<()>::Pending
        })));
        let mut poll = || future.as_mut().poll(&mut Context::from_waker(waker));
        assert!(poll().is_pending() && poll().is_pending());
        let Poll::Ready(Err(error)) = poll() else { panic!("it has not ended") };
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn barriers_within_each_other_end_at_the_inner_one() {
        let outer = catch(|| {
            let inner = catch(|| panic!("inner")).unwrap_err();
            assert_eq!(DEPTH.get(), 1);
            inner.kind()
        });
        assert_eq!(outer.unwrap(), ErrorKind::Internal);
        assert_eq!(DEPTH.get(), 0);
    }
}
