// SPDX-License-Identifier: GPL-2.0
//! Names of users.

use std::{collections::HashMap, fs};

/// The users of /etc/passwd; others keep their numbers.
///
/// Not getpwuid(3): in a static program it needs shared libraries of just the
/// right version.
#[derive(Debug, Default)]
pub struct Users(HashMap<u32, String>);

impl Users {
    /// Reads them; there are none when they cannot be read.
    pub fn load() -> Self {
        Self::parse(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    /// Lines look like `name:x:1000:…`; the first of a number counts.
    fn parse(text: &str) -> Self {
        let mut users = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(uid))) =
                (fields.next(), fields.nth(1).map(str::parse::<u32>))
            {
                users.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        Self(users)
    }

    /// The name of a user, if it is known.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n+nis\nu:x:7:7:::\n";
        let users = Users::parse(text);
        assert_eq!(users.name(0), Some("root"));
        assert_eq!(users.name(7), Some("u"));
        assert_eq!(users.name(8), None);
    }
}
