// SPDX-License-Identifier: GPL-2.0
//! Numbers in at most five characters.

/// A number of bytes, or bytes per second, rounded; K, M, G and T are powers of 1024.
pub fn amount(number: f64) -> String {
    let mut number = number;
    for letter in ["", "K", "M", "G", "T"] {
        if number < 999.5 {
            return match letter {
                "" => format!("{number:.0}"),
                _ if number < 9.95 => format!("{number:.1}{letter}"),
                _ => format!("{number:.0}{letter}"),
            };
        }
        number /= 1024.0;
    }
    format!("{number:.0}P")
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn rounded() {
        for (number, text) in [
            (0.0, "0"),
            (0.4, "0"),
            (999.4, "999"),
            (999.6, "1.0K"),
            (1024.0, "1.0K"),
            (10_188.0, "9.9K"),
            (10_239.0, "10K"),
            (1_048_576.0, "1.0M"),
            (67_108_864.0, "64M"),
            (1.5 * 1024.0 * 1024.0 * 1024.0, "1.5G"),
            (2e18, "1776P"),
        ] {
            assert_eq!(amount(number), text);
            assert!(text.len() <= 5);
        }
    }
}
