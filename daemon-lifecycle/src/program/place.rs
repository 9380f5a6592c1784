use std::path::Path;

/// Where in a file a byte of its text is, such as `a.toml:3:12`: line and column from 1, columns in characters.
#[must_use]
pub fn place(file: &Path, text: &str, at: usize) -> String {
    let before = &text[..text.floor_char_boundary(at)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", file.display())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::place;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_are_characters() {
        let text = "a\nä = 1\n";
        let at = |at| place(Path::new("f"), text, at);
        assert_eq!([at(0), at(2), at(5), at(99)], ["f:1:1", "f:2:1", "f:2:3", "f:3:1"]);
    }
}
