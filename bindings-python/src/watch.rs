//! A generation's updates, one after another.

use bindings_macros::barrier;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::call::Call;
use crate::observer::Observed;
use crate::outcome::Value;
use crate::steps::Steps;
use crate::token::TokenSource;

/// The native half of what `watch` returns.
#[pyclass(frozen, module = "pipevideo._native")]
pub(crate) struct Watch(Steps<pipevideo::Watch, pipevideo::Update>);

impl Watch {
    pub(crate) fn new(
        watch: pipevideo::Watch,
        tokens: Option<Py<TokenSource>>,
        observed: Option<Observed>,
    ) -> Self {
        Self(Steps::new(watch, Value::Update, tokens, observed))
    }
}

#[barrier]
#[pymethods]
impl Watch {
    /// Returns the call that yields the next update, or None (awaited: StopAsyncIteration) at the end.
    #[pyo3(signature = () -> "Pending[Update | None]")]
    fn next(&self, py: Python<'_>) -> PyResult<Call> {
        self.0.next(py)
    }

    /// Ends the watch; a step that waits ends, too.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.traverse(&visit)
    }
}
