//! Rust: the kinds of errors.

use super::names::{comment, pascal};
use super::surface::Surface;
use super::{HEADER, Tree};

pub(super) fn write(surface: &Surface, tree: &mut Tree) -> Result<(), String> {
    tree.write("core/src/error/kind.rs", kinds(surface));
    Ok(())
}

fn kinds(surface: &Surface) -> String {
    let mut variants = String::new();
    let mut all = String::new();
    let mut names = String::new();
    for kind in &surface.error_kinds {
        let variant = pascal(&kind.name);
        variants += &comment("    ///", &kind.doc, 100);
        variants += &format!("    {variant},\n");
        all += &format!("        Self::{variant},\n");
        names += &format!("            Self::{variant} => \"{}\",\n", kind.name);
    }
    format!(
        r#"// {HEADER}

//! The kinds of errors.

use std::fmt;

/// The kind of an error: the same list, with the same names, in every language.
///
/// ```
/// use pipevideo::ErrorKind;
///
/// assert_eq!(ErrorKind::SubmissionUncertain.as_str(), "submission_uncertain");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {{
{variants}}}

impl ErrorKind {{
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
{all}    ];

    /// The name that every language uses, such as `rate_limited`.
    pub fn as_str(self) -> &'static str {{
        match self {{
{names}        }}
    }}
}}

impl fmt::Display for ErrorKind {{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
        f.write_str(self.as_str())
    }}
}}
"#
    )
}
