//! What an operator chooses of how e-mails look.

use std::fmt;

/// How e-mails look, and whom they name.
#[derive(Clone, Debug, Default)]
pub struct EmailStyle {
    /// The `https://` address of a picture that stands above the heading.
    pub logo_url: Option<String>,
    /// The address that people may write to. It is also that of the header `Reply-To`.
    pub support: Option<String>,
    /// The colour behind the heading.
    pub color: Color,
}

/// A colour, in the red, green and blue of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Default for Color {
    fn default() -> Self {
        Self([0x1f, 0x4f, 0xd8])
    }
}

impl Color {
    /// Reads `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// White or black, whichever is read better on it. The contrast is then at least the 4.5 that
    /// WCAG 2.2 wants for text of any size.
    #[must_use]
    pub fn text(self) -> Self {
        const CHOICES: [Color; 2] = [Color([0xff; 3]), Color([0; 3])];
        let [white, black] = CHOICES;
        if self.contrast(white) >= self.contrast(black) { white } else { black }
    }

    /// The contrast ratio of WCAG 2.2, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_hexadecimal_digits_and_nothing_else() {
        for text in ["#1f4fd8", "#000000", "#ffffff"] {
            assert_eq!(Color::parse(text).map(|color| color.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Color::parse("#ABCDEF"), Color::parse("#abcdef"));
        for bad in ["", "#fff", "1f4fd8", "#1f4fd", "#1f4fd88", "#1f4fdg", "blue", "#1f4fd8;", "#é1f4f"] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_heading_can_be_read_on_every_colour() {
        let steps = || (0..=255).step_by(15);
        for red in steps() {
            for (green, blue) in steps().flat_map(|green| steps().map(move |blue| (green, blue))) {
                let color = Color([red, green, blue]);
                assert!(color.contrast(color.text()) > 4.5, "{color}");
            }
        }
        assert_eq!(Color([0xff, 0xdd, 0]).text(), Color([0; 3]));
        assert_eq!(Color::default().text(), Color([0xff; 3]));
    }
}
