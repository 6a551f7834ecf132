//! As much of H.264's syntax as tells B-slices from others (ITU-T H.264, 7.3.1, 7.3.3 and 7.4.3).

/// Whether an access unit, as a byte stream with start codes, has a slice that refers to later pictures.
pub(super) fn has_b_slice(access_unit: &[u8]) -> bool {
    nal_units(access_unit)
        .filter_map(slice_type)
        .any(|kind| kind % 5 == B)
}

/// `slice_type` of B-slices; 5 more says that all slices of the picture are of that type.
const B: u32 = 1;

/// What stands between start codes.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    const START: [u8; 3] = [0, 0, 1];
    let mut starts = stream
        .windows(3)
        .enumerate()
        .filter(|(_, bytes)| *bytes == START)
        .map(|(at, _)| at)
        .peekable();
    std::iter::from_fn(move || {
        let start = starts.next()? + START.len();
        let end = starts.peek().copied().unwrap_or(stream.len());
        stream.get(start..end)
    })
}

/// The type of a coded slice; `None` for any other NAL unit.
fn slice_type(nal: &[u8]) -> Option<u32> {
    let (header, payload) = nal.split_first()?;
    // 1: a slice; 2: the first partition of one; 5: a slice of an IDR picture.
    if !matches!(header & 0x1f, 1 | 2 | 5) {
        return None;
    }
    let mut bits = Bits {
        bytes: payload,
        next: 0,
    };
    let _first_macroblock = bits.exp_golomb()?;
    bits.exp_golomb()
}

struct Bits<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.next / 8)?;
        let bit = byte >> (7 - self.next % 8) & 1;
        self.next += 1;
        Some(u32::from(bit))
    }

    /// An unsigned number as of 9.1: zeros, a one, and as many bits more as there were zeros.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut value = 1u32;
        for _ in 0..zeros {
            value = value.checked_mul(2)?.checked_add(self.bit()?)?;
        }
        Some(value - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slice whose first macroblock is 0 (bit `1`), followed by the bits of its type.
    fn slice(nal_type: u8, bits: u8) -> Vec<u8> {
        vec![0, 0, 0, 1, 0x60 | nal_type, bits, 0x88]
    }

    #[test]
    fn b_slices_are_told_from_p_and_i() {
        assert!(has_b_slice(&slice(1, 0b1010_0000)), "type 1 is B");
        assert!(
            has_b_slice(&slice(1, 0b1001_1100)),
            "type 6 is B for the whole picture"
        );
        assert!(!has_b_slice(&slice(1, 0b1100_0000)), "type 0 is P");
        assert!(
            !has_b_slice(&slice(5, 0b1000_1000)),
            "type 7 is I for the whole picture"
        );
    }

    #[test]
    fn other_units_are_not_read_as_slices() {
        let mut unit = slice(7, 0b1010_0000);
        assert!(!has_b_slice(&unit), "a parameter set is no slice");
        unit.extend(slice(1, 0b1010_0000));
        assert!(has_b_slice(&unit), "the slice behind it is found");
    }

    #[test]
    fn truncated_and_empty_units_say_nothing() {
        for bytes in [
            &[][..],
            &[0, 0, 1],
            &[0, 0, 1, 0x61],
            &[0, 0, 1, 0x61, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(!has_b_slice(bytes), "{bytes:?}");
        }
    }
}
