//! The names and scalars of a YAML document.

use std::collections::HashMap;
use std::ops::Range;

use zeroize::Zeroizing;

/// Why a file is not read. It repeats no content, which may be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {problem}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    pub(super) problem: &'static str,
}

/// A name in a map, and its scalar.
pub struct Leaf {
    /// From the outermost map to this name.
    pub path: Vec<Vec<u8>>,
    /// Empty for null, a map, a list and an alias. The line ends at the end of a block scalar are left out.
    pub value: Zeroizing<Vec<u8>>,
    /// Whether the value is an alias, which is not followed.
    pub is_alias: bool,
    /// The line of the name, from 1.
    pub line: usize,
    pub(super) entry: Option<Range<usize>>,
}

/// Every name of the maps of a file.
#[derive(Default)]
pub struct Document {
    /// In the order of the file.
    pub leaves: Vec<Leaf>,
    pub(super) by_path: HashMap<Vec<Vec<u8>>, usize>,
}

impl Document {
    /// The leaf at exactly the path `names`.
    pub fn get(&self, names: &[&[u8]]) -> Option<&Leaf> {
        let path: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
        self.leaves.get(*self.by_path.get(&path)?)
    }

    /// The scalar at exactly the path `names`, unless it is empty.
    pub fn value(&self, names: &[&[u8]]) -> Option<&[u8]> {
        let value = &self.get(names)?.value[..];
        (!value.is_empty()).then_some(value)
    }
}
