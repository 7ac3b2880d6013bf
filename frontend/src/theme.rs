//! Streamlit's theme as CSS custom properties.
//!
//! The theme comes in a message: a value passes only if it has the form of a colour, a
//! length or a list of font families, so that it cannot smuggle in `url()` or a second
//! declaration. Setting the properties is [`crate::streamlit`]'s and the view's business.

/// The theme of the host page, as far as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Theme {
    /// `light` or `dark`.
    pub base: Option<String>,
    /// Accent colour.
    pub primary: Option<String>,
    /// Page background.
    pub background: Option<String>,
    /// Background of boxes.
    pub secondary_background: Option<String>,
    /// Text colour.
    pub text: Option<String>,
    /// Border colour.
    pub border: Option<String>,
    /// Corner radius.
    pub radius: Option<String>,
    /// CSS font-family list.
    pub font: Option<String>,
}

/// A red-green-blue colour with channels from 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rgb([f64; 3]);

impl Theme {
    /// The custom properties to set, by name; `None` falls back to the style sheet's.
    #[must_use]
    pub fn properties(&self) -> Vec<(&'static str, Option<String>)> {
        let primary = self.primary.as_deref().and_then(color);
        let fill = primary.as_deref().and_then(Rgb::parse).map(readable_fill);
        let text = self.text.as_deref().and_then(color);
        vec![
            ("--primary", primary),
            ("--fill", fill.as_ref().map(|(fill, _)| fill.clone())),
            ("--on-fill", fill.map(|(_, text)| text.to_owned())),
            ("--background", self.background.as_deref().and_then(color)),
            (
                "--box",
                self.secondary_background.as_deref().and_then(color),
            ),
            ("--text", text),
            ("--border", self.border.as_deref().and_then(color)),
            ("--radius", self.radius.as_deref().and_then(length)),
            ("--font", self.font.as_deref().and_then(font)),
        ]
    }

    /// Whether light text lies on a dark page.
    #[must_use]
    pub fn is_dark(&self) -> bool {
        match self.background.as_deref().and_then(Rgb::parse) {
            Some(background) => background.luminance() < 0.18,
            None => self.base.as_deref() == Some("dark"),
        }
    }
}

/// The accent as a button's background, and the text on it, with a contrast of 4.5
/// (WCAG 2.2 §1.4.3): Streamlit's own red under white text has 3.3, so it is darkened.
fn readable_fill(primary: Rgb) -> (String, &'static str) {
    const ENOUGH: f64 = 4.5;
    let dark_text_contrast = (primary.luminance() + 0.05) / 0.05;
    if contrast_with_white(primary) < 2.0 && dark_text_contrast >= ENOUGH {
        return (primary.css(), "#14151a");
    }
    let mut fill = primary;
    while contrast_with_white(fill) < ENOUGH {
        fill = fill.darker();
    }
    (fill.css(), "#ffffff")
}

fn contrast_with_white(color: Rgb) -> f64 {
    1.05 / (color.luminance() + 0.05)
}

impl Rgb {
    /// Reads `#rgb`, `#rrggbb` (alpha ignored) and `rgb(…)` of whole numbers; any other
    /// colour keeps the style sheet's fill.
    /// No floating point is parsed: its tables would be 10 KB that do not compress.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(hex) = text.strip_prefix('#') {
            let digits: Vec<u32> = hex
                .chars()
                .map(|c| c.to_digit(16))
                .collect::<Option<Vec<_>>>()?;
            let channel = |i: usize| match digits.len() {
                3 | 4 => Some(f64::from(digits[i] * 17)),
                6 | 8 => Some(f64::from(digits[2 * i] * 16 + digits[2 * i + 1])),
                _ => None,
            };
            return Some(Self([channel(0)?, channel(1)?, channel(2)?]));
        }
        let inner = text
            .strip_prefix("rgba(")
            .or_else(|| text.strip_prefix("rgb("))?;
        let mut numbers = inner
            .split([',', ' ', '/', ')'])
            .filter(|part| !part.is_empty())
            .map(|part| part.parse::<u8>().ok().map(f64::from));
        Some(Self([numbers.next()??, numbers.next()??, numbers.next()??]))
    }

    /// Relative luminance (WCAG 2.2), with the square for the power of 2.4: the error is far
    /// below what the eye or the threshold cares for, and `powf` costs a kilobyte.
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|channel| (channel / 255.0) * (channel / 255.0));
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn darker(self) -> Self {
        Self(self.0.map(|channel| channel * 0.97))
    }

    fn css(self) -> String {
        let hex = |value: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "channels lie between 0 and 255"
            )]
            let byte = value as u8;
            let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
            [digit(byte >> 4), digit(byte & 15)]
        };
        std::iter::once('#')
            .chain(self.0.into_iter().flat_map(hex))
            .collect()
    }
}

fn color(text: &str) -> Option<String> {
    let text = text.trim();
    let hex = text.strip_prefix('#').is_some_and(|digits| {
        matches!(digits.len(), 3 | 4 | 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    });
    let function = ["rgb(", "rgba(", "hsl(", "hsla("].iter().any(|name| {
        text.strip_prefix(name)
            .and_then(|rest| rest.strip_suffix(')'))
            .is_some_and(|inner| {
                inner.len() <= 48
                    && inner.bytes().all(|b| {
                        b.is_ascii_digit() || matches!(b, b'.' | b',' | b'%' | b' ' | b'/' | b'-')
                    })
            })
    });
    let name = (3..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic());
    (hex || function || name).then(|| text.to_owned())
}

fn length(text: &str) -> Option<String> {
    let text = text.trim();
    let number = text
        .strip_suffix("rem")
        .or_else(|| text.strip_suffix("px"))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits =
        |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let sane =
        whole.parse::<u8>().is_ok_and(|whole| whole <= 64) && digits(whole) && digits(fraction);
    sane.then(|| text.to_owned())
}

fn font(text: &str) -> Option<String> {
    let plain = text.chars().all(|c| {
        !c.is_ascii()
            || c.is_ascii_alphanumeric()
            || matches!(c, ' ' | ',' | '-' | '_' | '"' | '\'')
    });
    let balanced =
        text.matches('"').count().is_multiple_of(2) && text.matches('\'').count().is_multiple_of(2);
    (plain && balanced && !text.trim().is_empty() && text.len() <= 300)
        .then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(theme: &Theme, name: &str) -> Option<String> {
        theme
            .properties()
            .into_iter()
            .find(|(known, _)| *known == name)
            .and_then(|(_, value)| value)
    }

    #[test]
    fn streamlits_colours_fonts_and_radii_pass() {
        for good in [
            "#ff4b4b",
            "#fff",
            "rgba(49, 51, 63, 0.2)",
            "hsl(210 40% 98% / 0.5)",
            "tomato",
        ] {
            assert_eq!(color(good).as_deref(), Some(good));
        }
        for good in [
            "\"Source Sans\", sans-serif",
            "'IBM Plex', monospace",
            "system-ui",
        ] {
            assert_eq!(font(good).as_deref(), Some(good));
        }
        for good in ["0.5rem", "8px", "0px"] {
            assert_eq!(length(good).as_deref(), Some(good));
        }
    }

    #[test]
    fn what_could_load_or_declare_something_else_does_not_pass() {
        for bad in [
            "url(https://evil.test)",
            "#fff;background:url(//evil.test)",
            "rgb(0,0,0);x",
            "var(--x)",
            "image-set('x')",
            "#12",
            "",
            "red blue",
            "rgb(url(x))",
        ] {
            assert_eq!(color(bad), None, "{bad}");
        }
        for bad in [
            "x; color: red",
            "a)",
            "url(x)",
            "\"open",
            "",
            "\\6a",
            "a{b}",
        ] {
            assert_eq!(font(bad), None, "{bad}");
        }
        for bad in [
            "1e9px",
            "-1px",
            "calc(1px)",
            "8",
            "",
            "px",
            "NaNpx",
            "infpx",
            "8vw",
        ] {
            assert_eq!(length(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_accent_is_darkened_until_white_text_on_it_can_be_read() {
        let theme = Theme {
            primary: Some("#ff4b4b".to_owned()),
            ..Theme::default()
        };
        let fill = Rgb::parse(&property(&theme, "--fill").unwrap()).unwrap();
        assert!(contrast_with_white(fill) >= 4.4, "{fill:?}");
        assert_eq!(property(&theme, "--primary").as_deref(), Some("#ff4b4b"));
        assert_eq!(property(&theme, "--on-fill").as_deref(), Some("#ffffff"));
    }

    #[test]
    fn a_pale_accent_keeps_its_colour_under_dark_text() {
        let theme = Theme {
            primary: Some("rgb(255, 220, 0)".to_owned()),
            ..Theme::default()
        };
        assert_eq!(property(&theme, "--fill").as_deref(), Some("#ffdc00"));
        assert_eq!(property(&theme, "--on-fill").as_deref(), Some("#14151a"));
    }

    #[test]
    fn an_absent_theme_leaves_the_style_sheet_alone() {
        assert!(
            Theme::default()
                .properties()
                .iter()
                .all(|(_, value)| value.is_none())
        );
        assert!(!Theme::default().is_dark());
    }

    #[test]
    fn darkness_is_told_by_the_background_and_else_by_the_base() {
        let dark = |background: &str| Theme {
            background: Some(background.to_owned()),
            base: Some("light".to_owned()),
            ..Theme::default()
        };
        assert!(dark("#0e1117").is_dark());
        assert!(!dark("#ffffff").is_dark());
        assert!(
            Theme {
                base: Some("dark".to_owned()),
                ..Theme::default()
            }
            .is_dark()
        );
    }
}
