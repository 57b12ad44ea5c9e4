//! The canvas that a request asks for.

/// A canvas in pixels. Both sides are positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// The service's default, 1080 by 1920 pixels.
const DEFAULT: Canvas = Canvas { width: 1080.0, height: 1920.0 };

impl Canvas {
    /// The canvas of a request. A side in pixels counts more than the aspect ratio, which is a hint. None:
    /// the request leaves it to the service.
    pub(crate) fn requested(
        width: Option<f64>,
        height: Option<f64>,
        aspect_ratio: Option<&str>,
    ) -> Option<Self> {
        let ratio = aspect_ratio.and_then(ratio);
        let canvas = match (width, height, ratio) {
            (Some(width), Some(height), _) => Self { width, height },
            (Some(width), None, Some(ratio)) => Self { width, height: width / ratio },
            (None, Some(height), Some(ratio)) => Self { width: height * ratio, height },
            (Some(width), None, None) => Self { width, ..DEFAULT },
            (None, Some(height), None) => Self { height, ..DEFAULT },
            (None, None, Some(ratio)) => {
                let short = DEFAULT.width;
                Self { width: short * ratio.max(1.0), height: short / ratio.min(1.0) }
            }
            (None, None, None) => return None,
        };
        Some(canvas)
    }

    /// The width divided by the height.
    pub(crate) fn ratio(self) -> f64 {
        self.width / self.height
    }
}

/// Reads a ratio such as `16:9`.
fn ratio(text: &str) -> Option<f64> {
    let (width, height) = text.split_once(':')?;
    let side = |text: &str| text.trim().parse::<f64>().ok().filter(|side| *side > 0.0);
    Some(side(width)? / side(height)?).filter(|ratio| ratio.is_normal())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(width: Option<f64>, height: Option<f64>, ratio: Option<&str>) -> Option<String> {
        let canvas = Canvas::requested(width, height, ratio)?;
        Some(format!("{}x{}", canvas.width, canvas.height))
    }

    #[test]
    fn sides_count_more_than_the_aspect_ratio() {
        let found = |width, height, ratio| requested(width, height, ratio).unwrap();
        assert_eq!(found(Some(640.0), Some(480.0), Some("1:1")), "640x480");
        assert_eq!(found(Some(1600.0), None, Some("16:9")), "1600x900");
        assert_eq!(found(None, Some(900.0), Some("16:9")), "1600x900");
        assert_eq!(found(Some(1920.0), None, None), "1920x1920");
        assert_eq!(found(None, Some(1080.0), None), "1080x1080");
        assert_eq!(found(None, None, Some("16:9")), "1920x1080");
        assert_eq!(found(None, None, Some("9:16")), "1080x1920");
    }

    #[test]
    fn a_ratio_that_is_none_is_ignored() {
        for ratio in ["wide", "16", "16:0", "0:9", "-16:9", "1e300:1e-300", "NaN:1", ":"] {
            assert_eq!(requested(None, None, Some(ratio)), None, "{ratio}");
        }
    }
}
