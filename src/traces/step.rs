//! Single changes of a file, as values: found by comparing, and taken out again whatever came after them.

use sha2::{Digest, Sha256};

/// One stretch of whole lines that came into a file, in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What was to be set.
    pub(super) label: Vec<u8>,
    /// Whether the file was there before.
    pub(super) existed: bool,
    /// Where the change begins.
    pub(super) at: usize,
    /// What was there.
    pub(super) removed: Vec<u8>,
    /// What came in its place.
    pub(super) inserted: Vec<u8>,
    /// Of the heading of the section in which it stands: the heading itself may hold a secret, as the URL in it may.
    pub(super) heading: String,
    /// Of the whole file before the change.
    pub(super) before: String,
    /// Of the whole file after it.
    pub(super) digest: String,
}

/// A file from which steps were taken out.
#[derive(Debug)]
pub(super) struct Undone {
    /// `None`: it was not there before.
    pub(super) bytes: Option<Vec<u8>>,
    /// The steps that stay, as they are now.
    pub(super) kept: Vec<Step>,
    /// Those of them that were to go, and of which a line may still stand there.
    pub(super) left: Vec<Step>,
}

/// What happened between `before` and `after`, in order: as small as whole lines can be, so that nothing else of the file
/// is in it.
pub(super) fn steps(label: &[u8], before: Option<&[u8]>, after: &[u8]) -> Vec<Step> {
    let existed = before.is_some();
    let mut state = before.unwrap_or_default().to_vec();
    let mut changes = Vec::new();
    // A last line without an end gets one when something is put behind it.
    let end = state.len();
    let is_ended = state.is_empty() || state.ends_with(b"\n");
    if !is_ended && after.starts_with(&state) && after.get(end) == Some(&b'\n') {
        changes.push((end, 0, b"\n".to_vec()));
        state.push(b'\n');
    }
    changes.extend(compared(&state, after));
    let mut state = before.unwrap_or_default().to_vec();
    let mut steps = Vec::new();
    for (at, length, inserted) in changes {
        let removed = state[at..at + length].to_vec();
        let heading = digest(heading(&state[..at]));
        let before = digest(&state);
        state.splice(at..at + length, inserted.iter().copied());
        steps.push(Step {
            label: label.to_vec(),
            existed: existed || !steps.is_empty(),
            at,
            removed,
            inserted,
            heading,
            before,
            digest: digest(&state),
        });
    }
    steps
}

/// Where, how much went, and what came: each as the file is after those before it.
fn compared(before: &[u8], after: &[u8]) -> Vec<(usize, usize, Vec<u8>)> {
    let (old, new): (Vec<_>, Vec<_>) = (lines(before).collect(), lines(after).collect());
    let same = |pair: &(&&[u8], &&[u8])| pair.0 == pair.1;
    let head = old.iter().zip(&new).take_while(same).count();
    let most = old.len().min(new.len()) - head;
    let pairs = old.iter().rev().zip(new.iter().rev());
    let tail = pairs.take(most).take_while(same).count();
    let (old_lines, old) = (&old, &old[head..old.len() - tail]);
    let new = &new[head..new.len() - tail];
    let mut at: usize = old_lines[..head].iter().map(|line| line.len()).sum();
    let mut changes = Vec::new();
    if is_part(old, new) {
        let mut rest = old.iter().peekable();
        let mut inserted = Vec::new();
        for line in new {
            if rest.next_if_eq(&line).is_none() {
                inserted.extend_from_slice(line);
                continue;
            }
            at += push(&mut changes, at, 0, &mut inserted) + line.len();
        }
        push(&mut changes, at, 0, &mut inserted);
    } else if is_part(new, old) {
        let mut rest = new.iter().peekable();
        for line in old {
            if rest.next_if_eq(&line).is_some() {
                at += line.len();
            } else {
                changes.push((at, line.len(), Vec::new()));
            }
        }
    } else {
        let length = old.iter().map(|line| line.len()).sum();
        changes.push((at, length, new.concat()));
    }
    changes
}

fn push(
    changes: &mut Vec<(usize, usize, Vec<u8>)>,
    at: usize,
    length: usize,
    inserted: &mut Vec<u8>,
) -> usize {
    let count = inserted.len();
    if count > 0 {
        changes.push((at, length, std::mem::take(inserted)));
    }
    count
}

/// Whether all of `few` is in `many`, in this order.
fn is_part(few: &[&[u8]], many: &[&[u8]]) -> bool {
    let mut many = many.iter();
    few.iter().all(|line| many.any(|other| other == line))
}

/// How many of `all` are in effect where the file is `now`: the others were noted and not done, or are undone already.
/// `None`: somebody else has changed it.
pub(super) fn in_effect(now: Option<&[u8]>, all: &[Step]) -> Option<usize> {
    let digest = digest(now.unwrap_or_default());
    let is_after = |count: usize| count > 0 && all[count - 1].digest == digest;
    let is_before = |count: usize| {
        let next = all.get(count);
        next.is_some_and(|next| next.before == digest && next.existed == now.is_some())
    };
    (0..=all.len())
        .rev()
        .find(|&count| is_after(count) || is_before(count))
}

/// Takes those of `all` that are `chosen` out of a file. What was done since by ourselves stays as it would be without
/// them; what somebody else did stays as it is: then a step goes only where it stands word for word, in one place alone.
pub(super) fn without(mut bytes: Vec<u8>, all: &[Step], chosen: impl Fn(&Step) -> bool) -> Undone {
    let all = &all[..in_effect(Some(&bytes), all).unwrap_or(all.len())];
    // How far back the file is what we made of it.
    let mut state = bytes.clone();
    let mut known = all.len();
    while known > 0 && digest(&state) == all[known - 1].digest {
        let Some(before) = all[known - 1].undone(&state) else {
            break;
        };
        state = before;
        known -= 1;
    }
    let existed = all.first().is_none_or(|step| step.existed);
    let (older, ours) = all.split_at(known);
    let stays = |step: &&Step| !chosen(step);
    let mut kept: Vec<Step> = older.iter().filter(stays).cloned().collect();
    let mut rest = all
        .iter()
        .rev()
        .filter(|step| chosen(step))
        .collect::<Vec<_>>();
    if let Some((rebuilt, steps)) = rebuilt(state, ours, &chosen) {
        bytes = rebuilt;
        kept.extend(steps);
        rest = older.iter().rev().filter(|step| chosen(step)).collect();
    } else {
        kept.extend(ours.iter().filter(stays).cloned());
    }
    let mut left = Vec::new();
    for step in rest {
        match step.taken_by_words(&bytes) {
            Some(now) => bytes = now,
            None => left.insert(0, step.clone()),
        }
    }
    left.retain(|step| step.may_stand(&bytes));
    kept.splice(0..0, left.iter().cloned());
    Undone {
        bytes: (existed || !bytes.is_empty()).then_some(bytes),
        kept,
        left,
    }
}

/// A stretch of the file as it was, and how long it is in the file as it shall be.
struct Stretch {
    start: usize,
    was: usize,
    is: usize,
}

/// The file as it would be had only those `ours` been done that are not chosen, and those steps as they would have been.
/// `None` if one of them was done within what a chosen one had done.
fn rebuilt(
    before: Vec<u8>,
    ours: &[Step],
    chosen: &impl Fn(&Step) -> bool,
) -> Option<(Vec<u8>, Vec<Step>)> {
    let mut exists = ours.first().is_none_or(|step| step.existed);
    let mut was = before.clone();
    let mut is = before;
    let mut differing: Vec<Stretch> = Vec::new();
    let mut kept = Vec::new();
    for step in ours {
        let (start, end) = (step.at, step.at + step.removed.len());
        let mut place = start;
        let mut merged = Stretch {
            start,
            was: step.removed.len(),
            is: step.removed.len(),
        };
        let mut others = Vec::new();
        for mut other in std::mem::take(&mut differing) {
            let (from, to) = (other.start, other.start + other.was);
            if to <= start && !(from == start && chosen(step)) {
                place = place + other.is - other.was;
                others.push(other);
            } else if from >= end {
                other.start = other.start + step.inserted.len() - step.removed.len();
                others.push(other);
            } else if chosen(step) {
                let first = from.min(merged.start);
                let last = to.max(merged.start + merged.was);
                let length = last - first;
                let shared = merged.was + other.was - length;
                merged.is = merged.is + other.is - shared;
                (merged.start, merged.was) = (first, length);
            } else {
                return None;
            }
        }
        differing = others;
        if chosen(step) {
            merged.was = merged.was + step.inserted.len() - step.removed.len();
            differing.push(merged);
        } else {
            let range = place..place + step.removed.len();
            if is.get(range.clone())? != step.removed {
                return None;
            }
            let mut next = is.clone();
            let follows_line = start == 0 || was[start - 1] == b'\n';
            let is_glued = follows_line && place > 0 && is[place - 1] != b'\n';
            let mut inserted = step.inserted.clone();
            if is_glued && !inserted.is_empty() {
                inserted.insert(0, b'\n');
            }
            next.splice(range, inserted.iter().copied());
            // What follows it stands so much further on in both.
            if inserted.len() > step.inserted.len() {
                differing.push(Stretch {
                    start,
                    was: 0,
                    is: 1,
                });
            }
            kept.extend(steps(&step.label, exists.then_some(&is[..]), &next));
            exists = true;
            is = next;
        }
        was.splice(start..end, step.inserted.iter().copied());
    }
    Some((is, kept))
}

impl Step {
    fn undone(&self, now: &[u8]) -> Option<Vec<u8>> {
        let end = self.at.checked_add(self.inserted.len())?;
        let is_there = now.get(self.at..end)? == self.inserted;
        is_there.then(|| [&now[..self.at], &self.removed, &now[end..]].concat())
    }

    /// In a file that somebody has changed: word for word, as whole lines, in its section, in one place alone. A heading
    /// of ours under which somebody has put something stays, and only our lines under it go.
    fn taken_by_words(&self, now: &[u8]) -> Option<Vec<u8>> {
        // An empty line, or none, could be anybody's.
        if self.inserted.trim_ascii().is_empty() {
            return None;
        }
        let new: Vec<&[u8]> = lines(&self.inserted).collect();
        let headings = new.iter().filter(|line| is_heading(line)).count();
        let within = |heading: &[u8]| digest(heading) == self.heading;
        let found = Self::only_place(now, &self.inserted, |heading| {
            is_heading(new[0]) || within(heading)
        });
        if let Some(at) = found {
            let end = at + self.inserted.len();
            let rest = lines(&now[end..]).map(<[u8]>::trim_ascii_start);
            let next = rest
                .filter(|line| !matches!(line.first(), None | Some(b'#' | b';')))
                .map(is_heading)
                .next();
            if headings == 0 || next.unwrap_or(true) {
                return Some(joined(&now[..at], &self.removed, &now[end..]));
            }
        }
        if !self.removed.is_empty() {
            return None;
        }
        if headings == 0 {
            return Self::taken_apart(now, &new, within);
        }
        if headings != 1 || !is_heading(new[0]) {
            return None;
        }
        let within = |heading: &[u8]| heading == new[0].trim_ascii();
        let block = new[1..].concat();
        if let Some(at) = Self::only_place(now, &block, within) {
            return Some(joined(&now[..at], b"", &now[at + block.len()..]));
        }
        Self::taken_apart(now, &new[1..], within)
    }

    /// Somebody may have put something between them: then they go if all of them are there, each once. One alone could be
    /// somebody else's.
    fn taken_apart(
        now: &[u8],
        new: &[&[u8]],
        is_within: impl Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let mut left = now.to_vec();
        let mut last = 0;
        for line in new.iter().filter(|line| !line.trim_ascii().is_empty()) {
            let at = Self::only_place(&left, line, &is_within).filter(|&at| at >= last)?;
            last = at;
            left = joined(&left[..at], b"", &left[at + line.len()..]);
        }
        (left != now).then_some(left)
    }

    /// Whether one of its lines is there, however it is spaced.
    fn may_stand(&self, now: &[u8]) -> bool {
        let bare = |line: &[u8]| -> Vec<u8> {
            let bytes = line.iter().filter(|byte| !byte.is_ascii_whitespace());
            bytes.map(u8::to_ascii_lowercase).collect()
        };
        let now: Vec<Vec<u8>> = lines(now).map(bare).collect();
        lines(&self.inserted)
            .filter(|line| !is_heading(line))
            .map(bare)
            .any(|line| !line.is_empty() && now.contains(&line))
    }

    fn only_place(now: &[u8], text: &[u8], is_within: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let mut start = 0;
        let mut places = Vec::new();
        let mut is_continued = false;
        for line in lines(now) {
            let is_here = now[start..].starts_with(text)
                && (text.ends_with(b"\n") || start + text.len() == now.len());
            if is_here && !is_continued && is_within(heading(&now[..start])) {
                places.push(start);
            }
            is_continued = line.trim_ascii_end().ends_with(b"\\");
            start += line.len();
        }
        let [place] = places[..] else { return None };
        Some(place)
    }
}

/// Never two lines in one.
fn joined(before: &[u8], between: &[u8], after: &[u8]) -> Vec<u8> {
    let mut all = [before, between].concat();
    if !all.is_empty() && !all.ends_with(b"\n") && !after.is_empty() {
        all.push(b'\n');
    }
    all.extend_from_slice(after);
    all
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n')
}

/// A section's first line (git-config(1), CONFIGURATION FILE).
fn is_heading(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"[")
}

/// The last heading in `before`; empty if there is none.
fn heading(before: &[u8]) -> &[u8] {
    let last = lines(before).filter(|line| is_heading(line)).last();
    last.unwrap_or_default().trim_ascii()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few numbers, the same at every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
        }
    }

    const THEIRS: [&str; 9] = [
        "[user]\n",
        "\tname = a\n",
        "\r\n",
        "[credential \"https://a\"]\r\n",
        "# helper\n",
        "\thelper = store\n",
        "\tlong = \\\n",
        "[credential]\n",
        "\n",
    ];

    fn theirs(numbers: &mut Numbers) -> Vec<u8> {
        let count = numbers.below(8);
        let mut text: String = (0..count)
            .map(|_| THEIRS[numbers.below(THEIRS.len())])
            .collect();
        if numbers.below(3) == 0 && text.ends_with('\n') {
            text.pop();
        }
        text.into_bytes()
    }

    /// As git does it: lines come in, at the end a section of their own; lines of the same label go.
    fn changed(numbers: &mut Numbers, before: &[u8], label: &str, number: usize) -> Vec<u8> {
        let mut all: Vec<Vec<u8>> = lines(before).map(<[u8]>::to_vec).collect();
        let mark = format!("ours-{label}");
        if numbers.below(3) == 0 {
            all.retain(|line| !String::from_utf8_lossy(line).contains(&mark));
        }
        let line = format!("\t{mark} = {}\n", number % 2).into_bytes();
        let at = numbers.below(all.len() + 1);
        if at == all.len() || numbers.below(3) == 0 {
            if let Some(last) = all.last_mut().filter(|last| !last.ends_with(b"\n")) {
                last.push(b'\n');
            }
            all.push(format!("[section \"{mark}\"]\n").into_bytes());
            all.push(line);
        } else {
            all.insert(at, line);
        }
        all.concat()
    }

    #[test]
    fn whatever_goes_first_all_is_as_it_was_in_the_end() {
        for seed in 0..3000 {
            let mut numbers = Numbers(seed);
            let original = (numbers.below(5) > 0).then(|| theirs(&mut numbers));
            let mut file = original.clone();
            let mut all = Vec::new();
            for number in 0..=numbers.below(6) {
                let label = ["a", "b", "c"][numbers.below(3)];
                let before = file.clone();
                let after = changed(
                    &mut numbers,
                    before.as_deref().unwrap_or_default(),
                    label,
                    number,
                );
                all.extend(steps(label.as_bytes(), before.as_deref(), &after));
                file = Some(after);
            }
            let first = numbers.below(3);
            for turn in 0..3 {
                let label = ["a", "b", "c"][(first + turn) % 3].as_bytes();
                let Some(now) = file.clone() else {
                    continue;
                };
                let undone = without(now, &all, |step| step.label == label);
                (file, all) = (undone.bytes, undone.kept);
            }
            // Where one was done within what another had done, words decide, and they leave what they are unsure of.
            if all.is_empty() && file != original {
                let text = |file: &Option<Vec<u8>>| {
                    String::from_utf8_lossy(file.as_deref().unwrap_or_default()).into_owned()
                };
                let (is, was) = (text(&file), text(&original));
                let left = |text: &str| -> Vec<String> {
                    let lines = text.lines().map(|line| line.trim_end().to_owned());
                    lines.filter(|line| !line.contains("ours-")).collect()
                };
                assert_eq!(left(&is), left(&was), "{seed}");
            }
        }
    }

    /// Labels that never touch each other's lines, as setup's: then every byte is as it was.
    #[test]
    fn sections_go_in_any_order() {
        for original in [
            None,
            Some(""),
            Some("[a]\n\tb = c"),
            Some("[a]\r\n\tb = c\r\n# end\n"),
            Some("[x]\n\n\n"),
        ] {
            for order in [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ] {
                let original = original.map(|text: &str| text.as_bytes().to_vec());
                let mut file = original.clone();
                let mut all = Vec::new();
                for label in ["0", "1", "2", "1", "0"] {
                    let mut after = file.clone().unwrap_or_default();
                    if !after.is_empty() && !after.ends_with(b"\n") {
                        after.push(b'\n');
                    }
                    let line = format!("\thelper = {label}\n");
                    let text = String::from_utf8(after).unwrap();
                    let heading = format!("[{label}]\n");
                    let text = if text.contains(&heading) {
                        text.replace(&heading, &format!("{heading}{line}"))
                    } else {
                        format!("{text}{heading}{line}")
                    };
                    all.extend(steps(label.as_bytes(), file.as_deref(), text.as_bytes()));
                    file = Some(text.into_bytes());
                }
                for label in order {
                    let label = label.to_string();
                    let Some(now) = file.clone() else {
                        continue;
                    };
                    let undone = without(now, &all, |step| step.label == label.as_bytes());
                    (file, all) = (undone.bytes, undone.kept);
                    let text = String::from_utf8(file.clone().unwrap_or_default()).unwrap();
                    assert!(!text.contains(&format!("[{label}]")), "{text}");
                    assert!(
                        text.lines().all(|line| line.matches('[').count() < 2),
                        "{text}"
                    );
                }
                assert_eq!((file, all.len()), (original, 0), "{order:?}");
            }
        }
    }

    #[test]
    fn nothing_of_what_somebody_else_wrote_since_goes() {
        for seed in 0..3000 {
            let mut numbers = Numbers(seed);
            let original = theirs(&mut numbers);
            let mut file = original.clone();
            let mut all = Vec::new();
            for number in 0..=numbers.below(4) {
                let label = ["a", "b"][numbers.below(2)];
                let after = changed(&mut numbers, &file, label, number);
                all.extend(steps(label.as_bytes(), Some(&file), &after));
                file = after;
            }
            let mut since: Vec<Vec<u8>> = lines(&file).map(<[u8]>::to_vec).collect();
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(since.len() + 1);
                if numbers.below(4) == 0 && at < since.len() {
                    since.remove(at);
                } else if since[..at].iter().all(|line| line.ends_with(b"\n")) {
                    since.insert(at, THEIRS[numbers.below(THEIRS.len())].as_bytes().to_vec());
                }
            }
            let since = since.concat();
            let undone = without(since.clone(), &all, |_| true);
            let left = |bytes: &[u8]| -> Vec<String> {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let lines = text.lines().map(|line| line.trim_end().to_owned());
                lines.filter(|line| !line.contains("ours-")).collect()
            };
            let now = undone.bytes.unwrap_or_default();
            assert_eq!(left(&now), left(&since), "{seed}");
        }
    }

    #[test]
    fn a_line_that_could_be_anybodys_stays() {
        let before = b"[a]\n\tx = 1\n[b]\n\tx = 1\n";
        let after = b"[a]\n\tx = 1\n\tuse = true\n[b]\n\tx = 1\n";
        let all = steps(b"l", Some(before), after);
        for now in [
            // Ours was taken out, and the same was put elsewhere.
            &b"[a]\n\tx = 1\n[b]\n\tx = 1\n\tuse = true\n"[..],
            b"[a]\n\tx = 1\n\tuse = true\n\tuse = true\n[b]\n",
            b"[a]\n\ty = \\\n\tuse = true\n",
            b"[a]\n\tuse = truest\n",
        ] {
            let undone = without(now.to_vec(), &all, |_| true);
            assert_eq!(undone.bytes.as_deref(), Some(now), "{}", now.escape_ascii());
        }
        // A section of ours that somebody put something into is theirs by now.
        let all = steps(b"l", Some(b"[a]\n"), b"[a]\n[c]\n\thelper = p\n");
        let now = b"[a]\n[c]\n\thelper = p\n\tname = me\n";
        let undone = without(now.to_vec(), &all, |_| true);
        assert_eq!(undone.bytes.unwrap(), b"[a]\n[c]\n\tname = me\n");
    }

    #[test]
    fn no_more_is_noted_than_came_and_went() {
        let before =
            b"[http]\n\tpassword = made-up\n[credential]\n\thelper = a\n\tsecret = made-up\n";
        let after = b"[http]\n\tuse = true\n\tpassword = made-up\n[credential]\n\thelper = a\n\tsecret = made-up\n\thelper = b\n";
        for (before, after) in [(&before[..], &after[..]), (after, before)] {
            let all = steps(b"l", Some(before), after);
            assert_eq!(all.len(), 2);
            assert!(
                !format!("{all:?}").contains(&format!("{:?}", b"made-up").replace(['[', ']'], ""))
            );
            let undone = without(after.to_vec(), &all, |_| true);
            assert_eq!(undone.bytes.as_deref(), Some(before));
        }
    }
}
