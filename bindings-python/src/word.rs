//! Words of a set that Python's types know by a name.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A text that the stubs give a type of its own: where it is, and its name.
macro_rules! word {
    ($name:ident, $module:literal) => {
        #[doc = concat!("A `", stringify!($name), "` of Python's.")]
        pub(crate) struct $name<'a>(pub(crate) &'a str);

        impl<'py> IntoPyObject<'py> for $name<'_> {
            type Target = PyString;
            type Output = Bound<'py, PyString>;
            type Error = std::convert::Infallible;
            #[cfg(feature = "stubs")]
            const OUTPUT_TYPE: pyo3::inspect::PyStaticExpr =
                pyo3::type_hint_identifier!($module, stringify!($name));

            fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(PyString::new(py, self.0))
            }
        }
    };
}

word!(FailureCategory, "pipevideo.errors");
word!(Via, "pipevideo._options");
