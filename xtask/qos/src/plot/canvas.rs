//! What is drawn on.

#[derive(Clone, Copy)]
pub(super) struct Pen {
    /// As `#rrggbb`.
    pub(super) colour: &'static str,
    pub(super) width: f64,
    pub(super) is_dashed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Coordinates are in pixels, from the top left.
pub(super) trait Canvas {
    fn polyline(&mut self, points: &[(f64, f64)], pen: Pen);
    fn dot(&mut self, centre: (f64, f64), radius: f64, colour: &'static str);
    /// In one line, whose middle is at the height of `at`. Latin letters alone.
    fn text(&mut self, at: (f64, f64), anchor: Anchor, is_bold: bool, text: &str);
}
