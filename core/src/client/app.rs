//! The application that uses the service, as it is named to the service.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::builder::configuration;
use crate::error::Error;

/// The application that uses the service, for the service's statistics. Each field is optional.
///
/// ```
/// use pipevideo::App;
///
/// let app = App::default().url("https://cats.example").title("Cats in motion");
/// assert_eq!(app.title.as_deref(), Some("Cats in motion"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct App {
    /// The application's address: http or https, at most 2048 characters.
    pub url: Option<String>,
    /// The application's title, at most 256 characters.
    pub title: Option<String>,
    /// The application's name, at most 256 characters.
    pub name: Option<String>,
}

impl App {
    /// Sets the application's address: http or https, at most 2048 characters.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Sets the application's title, at most 256 characters.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the application's name, at most 256 characters.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds the attribution headers.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a value that the service would ignore silently.
    pub(crate) fn write(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let url_is_fine = self.url.as_deref().is_none_or(|url| {
            Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https"))
        });
        if !url_is_fine {
            return Err(configuration(
                "app.url is not an http or https URL. Pass one such as https://cats.example.",
            ));
        }
        // The limits are the service's.
        for (field, name, value, max_length) in [
            ("url", "http-referer", &self.url, 2048),
            ("title", "x-pipevideo-title", &self.title, 256),
            ("name", "x-application-name", &self.name, 256),
        ] {
            let Some(value) = value else { continue };
            let header = HeaderValue::from_str(value)
                .ok()
                .filter(|_| value.chars().count() <= max_length)
                .ok_or_else(|| {
                    configuration(&format!(
                        "app.{field} is longer than {max_length} characters, or is not a valid \
                         header value. Shorten it, and use visible ASCII characters."
                    ))
                })?;
            headers.insert(HeaderName::from_static(name), header);
        }
        Ok(())
    }
}
