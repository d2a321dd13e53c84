//! Files of one row a line.

use std::io::{self, BufRead, Read};

use zeroize::Zeroizing;

use crate::Problem;

/// The longest line that is read, in bytes, its end included.
pub const LONGEST_LINE: usize = 64 * 1024;

/// Hands on each line that is not blank, with its number and without its end. The end may be that
/// of Unix or of Windows.
pub(crate) fn each_line(mut input: impl BufRead, mut f: impl FnMut(u64, Result<&str, Problem>)) -> io::Result<()> {
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    for number in 1.. {
        line.clear();
        let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX) + 1;
        if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > LONGEST_LINE {
            if !line.ends_with(b"\n") {
                input.skip_until(b'\n')?;
            }
            f(number, Err(Problem::LineTooLong));
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => f(number, Ok(text.trim_end_matches(['\n', '\r']))),
            Err(_) => f(number, Err(Problem::NotUtf8)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(u64, Result<String, Problem>)> {
        let mut found = Vec::new();
        each_line(input, |number, line| found.push((number, line.map(ToOwned::to_owned)))).expect("read");
        found
    }

    #[test]
    fn lines_end_as_on_unix_or_windows_and_blank_ones_are_left_out() {
        let expected = [(1, "a"), (4, " b "), (5, "c")].map(|(number, line)| (number, Ok(line.to_owned())));
        assert_eq!(lines(b"a\r\n\n \t\r\n b \nc"), expected);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_or_no_text_is_told_and_the_next_one_is_read() {
        let longest = [&vec![b'x'; LONGEST_LINE - 1][..], b"\n"].concat();
        let too_long = [&vec![b'x'; LONGEST_LINE][..], b"\n"].concat();
        let endless = [&vec![b'x'; 3 * LONGEST_LINE][..], b"\n"].concat();
        let found = lines(&[&longest[..], &too_long, &endless, b"\xff\n", b"end\n", &too_long[1..]].concat());
        let told: Vec<_> = found.iter().map(|(number, line)| (*number, line.as_ref().map(String::len))).collect();
        let (too_long, not_utf8) = (Problem::LineTooLong, Problem::NotUtf8);
        let expected = [
            (1, Ok(LONGEST_LINE - 1)),
            (2, Err(&too_long)),
            (3, Err(&too_long)),
            (4, Err(&not_utf8)),
            (5, Ok(3)),
            (6, Ok(LONGEST_LINE - 1)),
        ];
        assert_eq!(told, expected);
    }
}
