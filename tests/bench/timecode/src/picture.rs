//! Pictures that move, with the time in them.
//!
//! The time is 32 bits of microseconds, followed by the same bits inverted, in a grid of black and white squares: large
//! enough to survive any coding that a picture survives, and a picture that was damaged is told from a late one.

use std::time::Duration;

pub(crate) const WIDTH: usize = 1280;
pub(crate) const HEIGHT: usize = 720;
pub(crate) const FRAMES_PER_SECOND: u32 = 30;
/// The size of a picture in I420, in bytes.
pub(crate) const SIZE: usize = WIDTH * HEIGHT * 3 / 2;

const COLUMNS: usize = 16;
const ROWS: usize = 4;
/// The side of a square: some macroblocks, and none of them shared with the next square.
const SQUARE: usize = 64;
/// What is read of a square: its middle, far from what a codec blurs.
const MIDDLE: usize = 16;
const LEFT: usize = (WIDTH - COLUMNS * SQUARE) / 2;
const TOP: usize = 64;
const BLACK: u8 = 16;
const WHITE: u8 = 235;

/// What moves behind the time: a texture twice as wide as the picture that is seen through it.
pub(crate) struct Scene {
    texture: Vec<u8>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut texture = vec![0; 2 * WIDTH * HEIGHT];
        for (y, row) in texture.chunks_exact_mut(2 * WIDTH).enumerate() {
            for (x, luma) in row.iter_mut().enumerate() {
                // Slopes and edges of several sizes; the same again after one width, so that it can go round.
                let x = x % WIDTH;
                let slope = (x * 2 + y) % 128;
                let edges = if (x / 40 + y / 24).is_multiple_of(3) {
                    48
                } else {
                    0
                };
                let detail = (x * y / 7) % 16;
                *luma = u8::try_from(40 + slope + edges + detail).unwrap_or(WHITE);
            }
        }
        Self { texture }
    }

    /// Draws the picture number `index`, without a time.
    pub(crate) fn draw(&self, index: usize, picture: &mut [u8]) {
        let offset = index * 6 % WIDTH;
        let (luma, chroma) = picture.split_at_mut(WIDTH * HEIGHT);
        for (row, texture) in luma
            .chunks_exact_mut(WIDTH)
            .zip(self.texture.chunks_exact(2 * WIDTH))
        {
            row.copy_from_slice(&texture[offset..offset + WIDTH]);
        }
        chroma.fill(128);
    }
}

/// Draws `time` into a picture.
pub(crate) fn write_time(time: Duration, picture: &mut [u8]) {
    let code = encode(micros(time));
    for (square, (x, y)) in squares().enumerate() {
        let luma = if code >> square & 1 == 1 { WHITE } else { BLACK };
        for line in y..y + SQUARE {
            picture[line * WIDTH + x..][..SQUARE].fill(luma);
        }
    }
}

/// The time that passed between the one in a picture and `now`; none if the picture shows no time.
pub(crate) fn age(now: Duration, luma: &[u8], stride: usize) -> Option<Duration> {
    let mut code = 0;
    for (square, (x, y)) in squares().enumerate() {
        let (x, y) = (x + (SQUARE - MIDDLE) / 2, y + (SQUARE - MIDDLE) / 2);
        let mut sum = 0;
        for line in y..y + MIDDLE {
            sum += luma
                .get(line * stride + x..)?
                .get(..MIDDLE)?
                .iter()
                .copied()
                .map(usize::from)
                .sum::<usize>();
        }
        if sum / (MIDDLE * MIDDLE) > 128 {
            code |= 1 << square;
        }
    }
    let sent = decode(code)?;
    // The code goes round after 71 minutes.
    Some(Duration::from_micros(micros(now).wrapping_sub(sent).into()))
}

/// Where the squares are: their upper left corners.
fn squares() -> impl Iterator<Item = (usize, usize)> {
    (0..ROWS * COLUMNS).map(|i| (LEFT + i % COLUMNS * SQUARE, TOP + i / COLUMNS * SQUARE))
}

/// The lowest 32 bits.
fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros() & u128::from(u32::MAX)).unwrap_or_default()
}

fn encode(micros: u32) -> u64 {
    u64::from(!micros) << 32 | u64::from(micros)
}

fn decode(code: u64) -> Option<u32> {
    let micros = u32::try_from(code & u64::from(u32::MAX)).ok()?;
    (encode(micros) == code).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_was_written_is_read_again() {
        let mut picture = vec![0; SIZE];
        Scene::new().draw(7, &mut picture);
        // Shortly before the code goes round.
        let sent = Duration::from_micros(u64::from(u32::MAX) - 5);
        write_time(sent, &mut picture);
        let after = Duration::from_micros(12_345);
        assert_eq!(age(sent + after, &picture, WIDTH), Some(after));
    }

    #[test]
    fn a_damaged_picture_has_no_time() {
        let mut picture = vec![0; SIZE];
        Scene::new().draw(0, &mut picture);
        assert_eq!(age(Duration::from_secs(1), &picture, WIDTH), None);
        write_time(Duration::from_secs(1), &mut picture);
        picture[TOP * WIDTH..(TOP + SQUARE) * WIDTH].fill(BLACK);
        assert_eq!(age(Duration::from_secs(1), &picture, WIDTH), None);
    }
}
