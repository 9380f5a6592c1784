//! Drawing as PNG, with the letters of a crate, so that no font has to be installed.

use miniz_oxide::deflate::compress_to_vec_zlib;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::canvas::{Anchor, Canvas, Pen};

const LETTERS: RasterHeight = RasterHeight::Size16;
const DASH: f64 = 6.0;
const DASH_AND_SPACE: f64 = 10.0;
const BEST_COMPRESSION: u8 = 9;

pub(super) struct Png {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Png {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, pixels: vec![[255; 3]; width * height] }
    }

    /// 8 bits per channel, no filter: large areas of one colour compress well without.
    pub(super) fn finish(self) -> Vec<u8> {
        let side = |pixels: usize| u32::try_from(pixels).expect("pictures are small").to_be_bytes();
        let header = [&side(self.width)[..], &side(self.height), &[8, 2, 0, 0, 0]].concat();
        let rows = self.pixels.chunks_exact(self.width.max(1));
        let raw: Vec<u8> = rows.flat_map(|row| [0].into_iter().chain(row.iter().flatten().copied())).collect();
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, content) in
            [(b"IHDR", header), (b"IDAT", compress_to_vec_zlib(&raw, BEST_COMPRESSION)), (b"IEND", Vec::new())]
        {
            file.extend(side(content.len()));
            let begin = file.len();
            file.extend(name);
            file.extend(content);
            file.extend(crc32fast::hash(&file[begin..]).to_be_bytes());
        }
        file
    }

    fn blend(&mut self, x: i64, y: i64, colour: [u8; 3], share: f64) {
        let inside = |at: i64, size: usize| usize::try_from(at).ok().filter(|at| *at < size);
        let (Some(x), Some(y)) = (inside(x, self.width), inside(y, self.height)) else { return };
        for (channel, ink) in self.pixels[y * self.width + x].iter_mut().zip(colour) {
            let (old, ink) = (f64::from(*channel), f64::from(ink));
            *channel = (old + (ink - old) * share.clamp(0.0, 1.0)).round() as u8;
        }
    }

    /// Pixels nearer than `reach` to a stroke, its edge smoothed.
    fn segment(&mut self, from: (f64, f64), to: (f64, f64), reach: f64, colour: [u8; 3]) {
        let span = |a: f64, b: f64| (a.min(b) - reach - 1.0).floor() as i64..=(a.max(b) + reach + 1.0).ceil() as i64;
        for y in span(from.1, to.1) {
            for x in span(from.0, to.0) {
                let distance = distance((x as f64 + 0.5, y as f64 + 0.5), from, to);
                self.blend(x, y, colour, reach + 0.5 - distance);
            }
        }
    }
}

impl Canvas for Png {
    fn polyline(&mut self, points: &[(f64, f64)], pen: Pen) {
        let mut drawn = 0.0;
        for pair in points.windows(2) {
            let length = (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1);
            for (from, to) in strokes(drawn, length, pen.is_dashed) {
                let at = |way: f64| {
                    let share = if length > 0.0 { way / length } else { 0.0 };
                    (pair[0].0 + (pair[1].0 - pair[0].0) * share, pair[0].1 + (pair[1].1 - pair[0].1) * share)
                };
                self.segment(at(from), at(to), pen.width / 2.0, rgb(pen.colour));
            }
            drawn += length;
        }
    }

    fn dot(&mut self, centre: (f64, f64), radius: f64, colour: &'static str) {
        self.segment(centre, centre, radius, rgb(colour));
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, is_bold: bool, text: &str) {
        let weight = if is_bold { FontWeight::Bold } else { FontWeight::Regular };
        let advance = get_raster_width(weight, LETTERS) as f64;
        let length = advance * text.chars().count() as f64;
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - length / 2.0,
            Anchor::End => x - length,
        };
        let top = (y - LETTERS.val() as f64 / 2.0).round() as i64;
        for (index, letter) in text.chars().enumerate() {
            let Some(raster) = get_raster(letter, weight, LETTERS) else { continue };
            let left = (left + advance * index as f64).round() as i64;
            for (row, y) in raster.rows().zip(top..) {
                for (share, x) in row.iter().zip(left..) {
                    self.blend(x, y, [0; 3], f64::from(*share) / 255.0);
                }
            }
        }
    }
}

/// From where to where ink is, on a stretch before which so much was drawn.
fn strokes(drawn: f64, length: f64, is_dashed: bool) -> Vec<(f64, f64)> {
    if !is_dashed {
        return vec![(0.0, length)];
    }
    let mut strokes = Vec::new();
    let mut dash = -(drawn % DASH_AND_SPACE);
    while dash < length {
        let (from, to) = (dash.max(0.0), (dash + DASH).min(length));
        if from < to {
            strokes.push((from, to));
        }
        dash += DASH_AND_SPACE;
    }
    strokes
}

fn distance(point: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 { ((point.0 - from.0) * dx + (point.1 - from.1) * dy) / squared } else { 0.0 };
    let along = along.clamp(0.0, 1.0);
    (point.0 - from.0 - along * dx).hypot(point.1 - from.1 - along * dy)
}

fn rgb(colour: &str) -> [u8; 3] {
    [1, 3, 5].map(|from| u8::from_str_radix(&colour[from..from + 2], 16).expect("colours are #rrggbb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_is_where_the_stroke_is_and_nowhere_else() {
        let mut png = Png::new(20.0, 10.0);
        png.polyline(&[(2.0, 5.0), (18.0, 5.0)], Pen { colour: "#ff0000", width: 2.0, is_dashed: false });
        let at = |x: usize, y: usize| png.pixels[y * 20 + x];
        assert_eq!((at(10, 4), at(10, 5)), ([255, 0, 0], [255, 0, 0]));
        assert_eq!((at(10, 2), at(10, 7), at(0, 5)), ([255; 3], [255; 3], [255; 3]));
    }

    #[test]
    fn dashes_go_on_across_corners() {
        assert_eq!(strokes(0.0, 12.0, true), [(0.0, 6.0), (10.0, 12.0)]);
        assert_eq!(strokes(12.0, 6.0, true), [(0.0, 4.0)]);
        assert_eq!(strokes(12.0, 6.0, false), [(0.0, 6.0)]);
    }

    #[test]
    fn a_file_has_its_size_in_the_header_and_all_chunks() {
        let file = Png::new(300.0, 2.0).finish();
        assert_eq!(&file[12..24], b"IHDR\x00\x00\x01\x2c\x00\x00\x00\x02");
        assert!(file.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
