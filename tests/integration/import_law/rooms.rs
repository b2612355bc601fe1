//! Holds the imports between rooms against the table, and prints the table that would be true.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{ROOMS, SYSTEM_FILES};

/// Each child of a hall is a room of its own; a hall holds nothing but its `mod.rs`.
const HALLS: &[&str] = &["tasks"];

/// The lines that the law compares the house with.
#[derive(Debug, Clone)]
pub struct Table {
    pub rooms: BTreeMap<String, BTreeSet<String>>,
    /// The rooms in the order of the table.
    pub order: Vec<String>,
    pub system_files: BTreeSet<String>,
}

impl Table {
    /// The table of this crate.
    pub fn of_this_crate() -> Self {
        Self::new(ROOMS, SYSTEM_FILES)
    }

    pub fn new(rooms: &[(&str, &[&str])], system_files: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            rooms: rooms
                .iter()
                .map(|(room, imports)| ((*room).to_owned(), owned(imports)))
                .collect(),
            order: rooms.iter().map(|(room, _)| (*room).to_owned()).collect(),
            system_files: owned(system_files),
        }
    }

    /// Returns the room that owns a file, and whether it is listed. The room of an unlisted file is the one to add.
    pub fn room_of(&self, path: &str) -> (String, bool) {
        let name = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let listed = self.rooms.keys().filter(|room| is_within(name, room));
        let owner = listed.max_by_key(|room| room.len());
        if let Some(owner) = owner.filter(|room| *room == name || !is_hall(room)) {
            return (owner.clone(), true);
        }
        let mut parts = name.split('/');
        let first = parts.next().unwrap_or(name);
        match parts.next().filter(|_| is_hall(first)) {
            Some(second) => (format!("{first}/{second}"), false),
            None => (first.to_owned(), false),
        }
    }
}

fn is_hall(room: &str) -> bool {
    HALLS.contains(&room)
}

/// Reports whether `path` is `place` or below it; the `.rs` and `/mod.rs` of a path do not count.
pub fn is_within(path: &str, place: &str) -> bool {
    let name = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let place = place.trim_end_matches(".rs");
    let rest = name.strip_prefix(place);
    path == place || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The imports between rooms as they are: for each room and each import, the first place of it.
#[derive(Debug, Default)]
pub struct Actual {
    pub rooms: BTreeMap<String, BTreeMap<String, String>>,
    pub system_files: BTreeSet<String>,
    unlisted: BTreeMap<String, String>,
}

impl Actual {
    pub fn add_file(&mut self, table: &Table, path: &str) {
        let (room, is_listed) = table.room_of(path);
        if !is_listed {
            let first = self.unlisted.entry(room.clone());
            first.or_insert_with(|| path.to_owned());
        }
        self.rooms.entry(room).or_default();
    }

    pub fn add_import(&mut self, table: &Table, path: &str, line: usize, target: &str) {
        let (own, other) = (table.room_of(path).0, table.room_of(target).0);
        if own != other {
            let place = self.rooms.entry(own).or_default().entry(other);
            place.or_insert_with(|| format!("{path}:{line}"));
        }
    }

    /// Returns every difference from the table as one line, with the corrected line of the table.
    pub fn breaches(&self, table: &Table) -> Vec<String> {
        let mut found = Vec::new();
        for (room, path) in &self.unlisted {
            found.push(format!("{path}: room: not listed: add {}", self.line(room)));
        }
        for (room, allowed) in &table.rooms {
            let Some(imports) = self.rooms.get(room) else {
                found.push(format!("{room}: room: without files: remove its line"));
                continue;
            };
            for (other, place) in imports {
                if !allowed.contains(other) {
                    let line = self.line(room);
                    found.push(format!(
                        "{place}: import: {room} → {other} is not listed: {line}"
                    ));
                }
            }
            for other in allowed {
                if !imports.contains_key(other) {
                    let line = self.line(room);
                    found.push(format!(
                        "{room}: unused: {room} → {other} is listed: {line}"
                    ));
                }
            }
        }
        found.extend(self.wrong_order(table));
        found.extend(cycles(&self.graph(), "cycle of rooms"));
        let (now, then) = (&self.system_files, &table.system_files);
        for file in now.difference(then) {
            found.push(format!("{file}: system: used outside the rooms for it"));
        }
        for file in then.difference(now) {
            found.push(format!(
                "{file}: system: no longer used: remove it from the list"
            ));
        }
        found
    }

    /// A room stands above the rooms that it imports. A cycle is reported as such.
    fn wrong_order(&self, table: &Table) -> Vec<String> {
        let mut found = Vec::new();
        let place = |room: &str| table.order.iter().position(|listed| listed == room);
        for (at, room) in table.order.iter().enumerate() {
            for other in self.rooms.get(room).into_iter().flat_map(BTreeMap::keys) {
                if place(other).is_some_and(|below| below < at) {
                    found.push(format!("{room}: order: its line stands below {other}"));
                }
            }
        }
        found
    }

    fn graph(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut graph = BTreeMap::new();
        for (room, imports) in &self.rooms {
            graph.insert(&room[..], imports.keys().map(|other| &other[..]).collect());
        }
        graph
    }

    /// The rooms from the roof down: first by the longest chain of importers, then by name.
    fn sorted(&self) -> Vec<&str> {
        let graph = self.graph();
        let mut depths: BTreeMap<&str, usize> = graph.keys().map(|room| (*room, 0)).collect();
        // A longest chain has at most as many links as there are rooms; a cycle has no end.
        for _ in 0..graph.len() {
            for (room, imports) in &graph {
                let below = depths[room] + 1;
                for other in imports {
                    let depth = depths.entry(other).or_default();
                    *depth = below.max(*depth);
                }
            }
        }
        let mut rooms: Vec<&str> = depths.keys().copied().collect();
        rooms.sort_by_key(|room| (depths[room], *room));
        rooms
    }

    /// Returns the true line of a room in Rust.
    fn line(&self, room: &str) -> String {
        let imports = self.rooms.get(room).into_iter().flat_map(BTreeMap::keys);
        format!("({room:?}, &[{}]),", quoted(imports))
    }

    /// Returns the true table for people.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        for room in self.sorted() {
            let imports: Vec<&str> = self.graph()[room].iter().copied().collect();
            shown += format!("{room} → {}", imports.join(", ")).trim_end();
            shown.push('\n');
        }
        shown
    }

    /// Returns the true table in Rust: the text of `table.rs` with new lines.
    pub fn in_rust(&self) -> String {
        let mut rooms = String::new();
        for room in self.sorted() {
            rooms += "\n    ";
            rooms += &self.line(room);
        }
        let mut files = String::new();
        for file in &self.system_files {
            files.push_str(&["\n    \"", file, "\","].concat());
        }
        let (start, rest) = include_str!("table.rs").split_once("= &[").unwrap();
        let (_, rest) = rest.split_once("];").unwrap();
        let (middle, _) = rest.split_once("= &[").unwrap();
        format!("{start}= &[{rooms}\n];{middle}= &[{files}\n];\n")
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

/// Returns each cycle once. The rule's name tells files from rooms.
pub fn cycles(imports: &BTreeMap<&str, BTreeSet<&str>>, rule: &str) -> Vec<String> {
    let mut reach = BTreeMap::new();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(node) = next.pop() {
            for target in imports.get(node).into_iter().flatten() {
                if seen.insert(*target) {
                    next.push(target);
                }
            }
        }
        reach.insert(*start, seen);
    }
    let mut found = BTreeSet::new();
    for (start, seen) in &reach {
        if !seen.contains(start) {
            continue;
        }
        let is_in_cycle = |node: &&str| reach.get(node).is_some_and(|back| back.contains(start));
        let cycle: Vec<&str> = seen.iter().copied().filter(is_in_cycle).collect();
        found.insert(format!("{}: {rule}: {}", cycle[0], cycle.join(", ")));
    }
    found.into_iter().collect()
}
