//! Git's own endpoint, for whoever shows a token the forge knows.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use super::http::{Request, Response};
use super::{Fate, Shared, Speaks};
use crate::https::make_repository;
use crate::sandbox::Sandbox;

/// Where `r.git`, also called `project.git`, is, and how to start git.
#[derive(Debug)]
pub(super) struct Repository {
    folder: PathBuf,
    program: OsString,
    environment: Vec<(OsString, OsString)>,
}

impl Repository {
    pub(super) fn new(sandbox: &Sandbox) -> Self {
        let folder = sandbox.path("forge");
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            make_repository(sandbox, &folder);
            symlink("r.git", folder.join("repos/project.git")).unwrap();
        }
        let git = sandbox.git(&[]);
        let environment = git.get_envs();
        Self {
            folder,
            program: git.get_program().to_owned(),
            environment: environment
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect(),
        }
    }

    pub(super) fn answer(&self, shared: &Shared, request: &Request) -> Response {
        let instead = shared.state.lock().unwrap().git_gets.clone();
        if let Some(response) = instead {
            return response;
        }
        if let Some(response) = refusal(shared, request) {
            return response;
        }
        self.run(request)
    }

    /// As a web server would, by RFC 3875.
    fn run(&self, request: &Request) -> Response {
        let mut command = Command::new(&self.program);
        command.arg("http-backend").current_dir(&self.folder);
        command.env_clear();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("GIT_PROJECT_ROOT", self.folder.join("repos"));
        command
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REMOTE_USER", "alice");
        command.env("REQUEST_METHOD", &request.method);
        command
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query);
        command.env("CONTENT_LENGTH", request.body.len().to_string());
        for (header, variable) in [
            ("content-type", "CONTENT_TYPE"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
            ("git-protocol", "HTTP_GIT_PROTOCOL"),
        ] {
            if let Some(value) = request.header(header) {
                command.env(variable, value);
            }
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let body = request.body.clone();
        let writer = thread::spawn(move || drop(stdin.write_all(&body)));
        let output = child.wait_with_output().unwrap().stdout;
        writer.join().unwrap();
        read(&output)
    }
}

fn read(output: &[u8]) -> Response {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else {
        return Response::text(500, "git http-backend said nothing");
    };
    let mut response = Response::new(200);
    response.body = output[end + 4..].to_vec();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => response.status = status[..3].parse().unwrap(),
            Some((name, value)) => response = response.with(name, value),
            None => {}
        }
    }
    response
}

fn refusal(shared: &Shared, request: &Request) -> Option<Response> {
    let challenge = match shared.speaks {
        Speaks::GitHub => "Basic realm=\"GitHub\"",
        Speaks::GitLab => "Basic realm=\"GitLab\"",
        Speaks::Gitea => "Basic realm=\"Gitea\"",
        Speaks::Bitbucket => "Basic realm=\"Bitbucket.org HTTP\"",
        Speaks::Azure => "Basic realm=\"https://tfsprodweu1.visualstudio.com/\"",
    };
    let unauthorized =
        |text: &str| Some(Response::text(401, text).with("WWW-Authenticate", challenge));
    let Some(secret) = request.secret() else {
        return unauthorized("Authentication required");
    };
    let state = shared.state.lock().unwrap();
    let token = state.token(&secret).filter(|token| !token.is_dead());
    let Some(token) = token else {
        return unauthorized(match shared.speaks {
            Speaks::GitHub => {
                "Invalid username or token. Password authentication is not supported for Git operations."
            }
            Speaks::GitLab => {
                "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect or you're required to use a token instead of a password."
            }
            _ => "Authentication failed",
        });
    };
    let is_push = format!("{}?{}", request.path, request.query).contains("git-receive-pack");
    let lacks_scope = match shared.speaks {
        Speaks::GitHub => !token.is_fine_grained() && !token.has("repo"),
        Speaks::GitLab => {
            let wanted: &[&str] = if is_push {
                &["api", "write_repository"]
            } else {
                &["api", "write_repository", "read_repository"]
            };
            !wanted.iter().any(|scope| token.has(scope))
        }
        _ => false,
    };
    match token.fate {
        Fate::NeedsSso => Some(Response::text(
            403,
            "The `acme' organization has enabled or enforced SAML SSO.\nTo access this repository, you must use the HTTPS remote with a personal access token\nor SSH with an SSH key and passphrase\nthat has been authorized for this organization.",
        )),
        Fate::GitNeedsSso => {
            let link = format!("{}/orgs/acme/sso?authorization_request=BBBB", state.url);
            let text = format!(
                "The 'acme' organization has enabled or enforced SAML SSO.\nTo access this repository, visit {link} and try your request again."
            );
            Some(Response::text(403, &text).with("X-GitHub-SSO", format!("required; url={link}")))
        }
        Fate::PushGets(status) if is_push => Some(Response::text(status, "No.")),
        Fate::LivesTooLong => Some(Response::text(
            403,
            "The 'acme' organization forbids access via a personal access token (classic) if the token's lifetime is greater than 366 days. Please adjust your token's lifetime at the following URL: https://github.com/settings/tokens",
        )),
        Fate::SeesNoRepository => Some(Response::text(404, "Repository not found.")),
        Fate::Retired => Some(Response::text(
            410,
            "App passwords are no longer supported.",
        )),
        Fate::MayNotPush if is_push => Some(Response::text(
            403,
            "Write access to repository not granted.",
        )),
        // A private repository is not shown to those who may not see it.
        _ if lacks_scope && shared.speaks == Speaks::GitHub => {
            Some(Response::text(404, "Repository not found."))
        }
        _ if lacks_scope => Some(Response::text(
            403,
            "You are not allowed to access this repository with this token.",
        )),
        _ => None,
    }
}
