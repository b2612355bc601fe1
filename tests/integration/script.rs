//! The script of a transcript or of a picture: scenes, setup, command lines, and the keys that a user types.

use crate::git::Git;
use crate::scene::{Answer, Scene};

/// A command line, and the answers to its questions.
#[derive(Debug)]
pub struct Step {
    pub line: String,
    pub answers: Vec<Answer>,
}

#[derive(Debug, Default)]
pub struct Script {
    /// As it stands in the file.
    pub text: String,
    /// How many columns a picture has.
    pub columns: Option<u16>,
    /// The oldest git that does what is shown, such as `2.46`.
    git: Option<String>,
    pub steps: Vec<Step>,
    /// Named scenes, built in this order.
    scenes: Vec<String>,
    /// Lines of a shell, run after the scenes.
    setup: Vec<String>,
}

impl Script {
    /// Reads the lines above the first output.
    pub fn read(file: &str) -> Result<Self, String> {
        let mut script = Self::default();
        let mut early = Vec::new();
        for line in file.lines().take_while(|line| !line.starts_with("== ")) {
            script.text.push_str(line);
            script.text.push('\n');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(line) = line.strip_prefix("$ ") {
                let line = line.to_owned();
                let answers = std::mem::take(&mut early);
                script.steps.push(Step { line, answers });
                continue;
            }
            match line.split_once(": ") {
                Some(("scene", names)) => script.scenes.extend(names.split(' ').map(str::to_owned)),
                Some(("setup", line)) => script.setup.push(line.to_owned()),
                Some(("git", version)) => script.git = Some(version.to_owned()),
                Some(("columns", number)) => script.columns = number.parse().ok(),
                Some(("type", answer)) => {
                    let answers = script.steps.last_mut().map(|step| &mut step.answers);
                    answers.unwrap_or(&mut early).push(answer_in(answer)?);
                }
                _ => return Err(format!("no such line in a script: {line}")),
            }
        }
        script.text.truncate(script.text.trim_end().len());
        match (script.text.starts_with("# "), script.steps.is_empty()) {
            (false, _) => Err("the first line tells with '# ' what the script shows".to_owned()),
            (_, true) => Err("no command line ('$ git credential-pat …')".to_owned()),
            _ => Ok(script),
        }
    }

    /// Whether the git here is too old for it.
    pub fn needs_newer_git(&self) -> bool {
        let version = Git::new().version;
        let oldest = self.git.as_ref().and_then(|git| git.split_once('.'));
        oldest.is_some_and(|(major, minor)| {
            version < (major.parse().unwrap(), minor.parse().unwrap())
        })
    }

    /// Builds the scene before the first step.
    pub fn scene(&self) -> Scene {
        let names: Vec<&str> = self.scenes.iter().map(String::as_str).collect();
        let scene = Scene::new(&names);
        for line in &self.setup {
            scene.prepare(line);
        }
        scene
    }
}

/// `PROMPT => KEYS`
fn answer_in(text: &str) -> Result<Answer, String> {
    let (prompt, keys) = text.split_once(" =>").ok_or("'type: PROMPT => KEYS'")?;
    Ok(Answer {
        prompt: prompt.to_owned(),
        keys: keys.trim_start().to_owned(),
    })
}

#[test]
fn a_script_without_a_command_or_with_an_unknown_line_is_told() {
    let told = |text: &str| Script::read(text).unwrap_err();
    assert!(told("# Shows.\nscene: none\n").contains("no command line"));
    assert!(told("$ git credential-pat list\n").contains("what the script shows"));
    assert!(told("# Shows.\nwidth: 12\n").contains("no such line in a script: width: 12"));
    let script =
        "# Shows.\ntype: Token (not shown): => a b\n$ x\n$ y\ntype: Sure =>\n\n== pipe\nscene: y\n";
    let script = Script::read(script).unwrap();
    let typed = script.steps.iter().map(|step| {
        let answer = &step.answers[0];
        (&step.line[..], &answer.prompt[..], &answer.keys[..])
    });
    let typed: Vec<_> = typed.collect();
    assert_eq!(
        typed,
        [("x", "Token (not shown):", "a b"), ("y", "Sure", "")]
    );
    assert!(script.scenes.is_empty() && script.text.ends_with("=>"));
}
