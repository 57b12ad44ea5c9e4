//! Texts with a `Literal` as their Python type.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A text for which the stubs name a type of `_types`.
macro_rules! literal {
    ($name:ident) => {
        #[doc = concat!("A text of the Python type `", stringify!($name), "`.")]
        pub(crate) struct $name<'a>(pub(crate) &'a str);

        impl<'py> IntoPyObject<'py> for $name<'_> {
            type Target = PyString;
            type Output = Bound<'py, PyString>;
            type Error = std::convert::Infallible;
            #[cfg(feature = "stubs")]
            const OUTPUT_TYPE: pyo3::inspect::PyStaticExpr =
                pyo3::type_hint_identifier!("pipevideo._types", stringify!($name));

            fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
                Ok(PyString::new(py, self.0))
            }
        }
    };
}

literal!(FailureCategory);
literal!(Via);
