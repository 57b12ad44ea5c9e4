//! The panic barrier around each exported function: what `#[barrier]` refers to.
//!
//! Without it a panic in a function that does not throw ends the app.

use bindings_common::{catch, catch_async};

use crate::errors::Failure;

/// Calls a function; a panic is an error of kind `internal`.
pub(crate) fn sync<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch(work).unwrap_or_else(|error| Err(error.into()))
}

/// Awaits a future; a panic is an error of kind `internal`.
pub(crate) async fn future<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    catch_async(work).await.unwrap_or_else(|error| Err(error.into()))
}

/// Calls a function that does not throw. These are short: they cancel, read a property, or convert a
/// value. After a panic they return what their type has for nothing.
pub(crate) fn or_default<T: Default>(work: impl FnOnce() -> T) -> T {
    catch(work).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::CancelHandle;

    fn kind<T>(result: Result<T, Failure>) -> String {
        match result {
            Err(Failure::Failed { details, .. }) => {
                assert!(details.message.contains(file!()), "{}", details.message);
                assert!(!details.message.contains("secret"), "{}", details.message);
                details.kind
            }
            _ => "none".to_owned(),
        }
    }

    #[test]
    fn a_panic_is_an_internal_error_or_nothing() {
        assert_eq!(kind(sync::<()>(|| panic!("a secret prompt"))), "internal");
        assert_eq!(or_default(|| -> Option<u64> { panic!("a secret prompt") }), None);
        assert_eq!(or_default(|| 7), 7);
    }

    #[tokio::test]
    async fn a_panic_in_a_call_is_an_internal_error() {
        let call = async { panic!("a secret prompt") };
        assert_eq!(kind(future::<()>(call).await), "internal");
        let cancel = Arc::new(CancelHandle::new());
        assert_eq!(kind(cancel.run::<()>(async { panic!("a secret prompt") }).await), "internal");
    }
}
