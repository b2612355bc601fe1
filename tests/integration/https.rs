//! A git server over HTTPS that wants a username and a token, and whose mind about the token can be changed.

use std::ffi::OsString;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::process::{self, Guard};
use crate::sandbox::Sandbox;
use crate::tool;

/// Ends, with its workers, when it is dropped.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: u16,
    _nginx: Guard,
    _fcgiwrap: Guard,
}

impl Server {
    /// With one repository of one commit, `r.git`, for `alice` with `token`; `bearer` opens it under `/bearer`, and `other`, a second
    /// token of `alice`'s, under `/other`.
    pub fn start(sandbox: &Sandbox, token: &str, bearer: &str, other: &str) -> Self {
        let folder = sandbox.path("server");
        fs::create_dir_all(folder.join("tmp")).unwrap();
        make_certificate(sandbox, &folder);
        make_repository(sandbox, &folder);
        let socket = format!("unix:{}", folder.join("fcgi.sock").display());
        let fcgiwrap = started(
            sandbox
                .command(tool::need("fcgiwrap"))
                .args(["-c", "2", "-s", &socket]),
        );
        let listens = process::until(|| folder.join("fcgi.sock").exists());
        assert!(listens, "fcgiwrap did not start");

        for way in [ASKED, SENT] {
            write_passwords(sandbox, &folder.join(way), token);
        }
        write_passwords(sandbox, &folder.join(OTHER), other);
        // Between our letting go of a port and nginx taking it another may take it: then with the next.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            fs::write(
                folder.join("nginx.conf"),
                configuration(&folder, port, bearer),
            )
            .unwrap();
            let mut nginx = sandbox.command(tool::need("nginx"));
            nginx.arg("-c").arg(folder.join("nginx.conf"));
            nginx.arg("-e").arg(folder.join("error.log"));
            let mut nginx = started(&mut nginx);
            // It writes its process id once it listens.
            let mut is_expired = false;
            let settled = process::until(|| {
                is_expired = nginx.0.try_wait().unwrap().is_some();
                let is_up = fs::read_to_string(folder.join("nginx.pid"))
                    .is_ok_and(|pid| pid.trim() == nginx.0.id().to_string());
                is_expired || (is_up && TcpStream::connect(("127.0.0.1", port)).is_ok())
            });
            assert!(settled, "nginx did not start");
            if !is_expired {
                return Self {
                    folder,
                    port,
                    _nginx: nginx,
                    _fcgiwrap: fcgiwrap,
                };
            }
        }
        let log = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
        panic!("nginx finds no port, or does not start:\n{log}");
    }

    /// `localhost` with the port.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The repository; `way` is `basic`, `bearer` or `other`.
    pub fn url(&self, way: &str) -> String {
        format!("https://{}/{way}/r.git", self.host())
    }

    /// For `GIT_SSL_CAINFO`.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// From now on it takes this token of `alice`'s and no other.
    pub fn takes(&self, sandbox: &Sandbox, token: &str) {
        for way in [ASKED, SENT] {
            write_passwords(sandbox, &self.folder.join(way), token);
        }
    }

    /// The same, but what it has is still told to whoever has the token of before: as if that were revoked between a
    /// command's two requests.
    pub fn takes_in_the_middle(&self, sandbox: &Sandbox, token: &str) {
        write_passwords(sandbox, &self.folder.join(SENT), token);
    }
}

fn started(command: &mut Command) -> Guard {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Guard(command.process_group(0).spawn().unwrap())
}

/// Who may ask what there is (`GET info/refs`).
const ASKED: &str = "htpasswd";
/// Who may fetch or push (`POST git-upload-pack`).
const SENT: &str = "htpasswd-sent";
/// Who may do both under `/other`.
const OTHER: &str = "htpasswd-other";

fn write_passwords(sandbox: &Sandbox, file: &Path, token: &str) {
    let mut openssl = sandbox.command(tool::need("openssl"));
    openssl.args(["passwd", "-apr1", "-stdin"]);
    let hash = process::run(&mut openssl, token.as_bytes())
        .succeeded()
        .text();
    // nginx reads it at every request: never half of it.
    let new = file.with_extension("new");
    fs::write(&new, format!("alice:{hash}")).unwrap();
    fs::rename(new, file).unwrap();
}

fn make_certificate(sandbox: &Sandbox, folder: &Path) {
    let mut openssl = sandbox.command(tool::need("openssl"));
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    openssl.args(["-nodes", "-days", "30", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl.arg("-keyout").arg(folder.join("key.pem"));
    openssl.arg("-out").arg(folder.join("cert.pem"));
    process::run(&mut openssl, b"").succeeded();
}

/// Makes `repos/r.git`, bare, of one commit. Each git makes one, of which every other is a copy.
pub fn make_repository(sandbox: &Sandbox, folder: &Path) {
    type Made = Vec<(OsString, Vec<(PathBuf, Option<Vec<u8>>)>)>;
    static MADE: Mutex<Made> = Mutex::new(Vec::new());

    let repository = folder.join("repos/r.git");
    let git = sandbox.git(&[]).get_program().to_owned();
    // Whoever comes meanwhile waits: and makes its own where that one has failed.
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, entries)) = made.iter().find(|(by, _)| *by == git) else {
        make_first_repository(sandbox, &repository);
        let mut entries = Vec::new();
        read_all(&repository, Path::new(""), &mut entries);
        made.push((git, entries));
        return;
    };
    for (path, content) in entries {
        let path = repository.join(path);
        match content {
            None => fs::create_dir_all(path).unwrap(),
            Some(content) => fs::write(path, content).unwrap(),
        }
    }
}

/// Folders before what is in them.
fn read_all(root: &Path, folder: &Path, entries: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
    entries.push((folder.to_owned(), None));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read_all(root, &path, entries);
        } else {
            let content = fs::read(entry.path()).unwrap();
            entries.push((path, Some(content)));
        }
    }
}

fn make_first_repository(sandbox: &Sandbox, repository: &Path) {
    let repository = repository.to_str().unwrap();
    let git = |arguments: &[&str]| {
        process::run(&mut sandbox.git(arguments), b"")
            .succeeded()
            .text()
    };
    let init = ["init", "--quiet", "--bare", "--template=", "-b", "main"];
    git(&[&init[..], &[repository]].concat());
    git(&["-C", repository, "config", "http.receivepack", "true"]);
    let tree = git(&[
        "-C",
        repository,
        "hash-object",
        "-w",
        "-t",
        "tree",
        "/dev/null",
    ]);
    let commit = git(&["-C", repository, "commit-tree", "-m", "First", tree.trim()]);
    git(&[
        "-C",
        repository,
        "update-ref",
        "refs/heads/main",
        commit.trim(),
    ]);
}

fn configuration(folder: &Path, port: u16, bearer: &str) -> String {
    let backends = [
        "/usr/lib/git-core",
        "/usr/libexec/git-core",
        "/usr/local/libexec/git-core",
    ];
    let backend = backends.map(|folder| Path::new(folder).join("git-http-backend"));
    let backend = backend
        .iter()
        .find(|program| program.exists())
        .expect("git-http-backend, which comes with git");
    let (folder, backend) = (folder.display(), backend.display());
    // Its workers read our folder: so they must be who we are.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let common = format!(
        "fastcgi_pass unix:{folder}/fcgi.sock;
      fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string;
      fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SERVER_PROTOCOL $server_protocol; fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
      fastcgi_param SCRIPT_FILENAME {backend}; fastcgi_param GIT_PROJECT_ROOT {folder}/repos;
      fastcgi_param GIT_HTTP_EXPORT_ALL 1; fastcgi_param PATH_INFO $repository;"
    );
    format!(
        "daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log; client_max_body_size 0;
  client_body_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp;
  uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  map $request_method $passwords {{ default {ASKED}; POST {SENT}; }}
  map $http_authorization $has_bearer {{ default 0; \"Bearer {bearer}\" 1; }}
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location ~ ^/basic(?<repository>/.*)$ {{
      auth_basic \"git\"; auth_basic_user_file {folder}/$passwords;
      fastcgi_param REMOTE_USER $remote_user;
      {common}
    }}
    location ~ ^/other(?<repository>/.*)$ {{
      auth_basic \"git\"; auth_basic_user_file {folder}/{OTHER};
      fastcgi_param REMOTE_USER $remote_user;
      {common}
    }}
    location ~ ^/bearer(?<repository>/.*)$ {{
      if ($has_bearer = 0) {{ add_header WWW-Authenticate 'Bearer realm=\"git\"' always; return 401; }}
      fastcgi_param REMOTE_USER bearer;
      {common}
    }}
  }}
}}
"
    )
}
