//! URLs that git reaches over SSH, and where the same repository is over HTTPS.

/// Where an SSH URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Without user and port: they are SSH's.
    pub host: String,
    /// Without the first `/`.
    pub path: String,
}

impl Ssh {
    /// Reads `ssh://[USER@]HOST[:PORT]/PATH` and, as git does, any text with a colon before its first slash: `[USER@]HOST:PATH`
    /// (git-clone(1), GIT URLS).
    pub fn parse(url: &str) -> Option<Self> {
        let (host, path) = if let Some((scheme, rest)) = url.split_once("://") {
            if !["ssh", "git+ssh", "ssh+git"].contains(&scheme) {
                return None;
            }
            let (authority, path) = rest.split_once('/')?;
            let host = authority.rsplit('@').next()?;
            (without_port(host)?.to_owned(), path)
        } else {
            scp_like(url)?
        };
        let host = host.to_ascii_lowercase();
        let path = path.trim_matches('/').to_owned();
        (!host.is_empty() && !path.is_empty()).then_some(Self { host, path })
    }

    /// Whether it is the same repository.
    pub fn is_same_place(&self, other: &Self) -> bool {
        let path = |ssh: &Self| ssh.path.trim_end_matches(".git").to_owned();
        self.host == other.host && path(self) == path(other)
    }

    /// Returns the same repository over HTTPS, as forges have it. `None`: unknown, for the host is a name of SSH's own
    /// configuration, or the path is none that its forge has.
    pub fn https(&self) -> Option<String> {
        let path = &self.path;
        Some(match &self.host[..] {
            "ssh.dev.azure.com" => {
                let [organization, project, repository] = self.of_azure()?;
                format!("https://dev.azure.com/{organization}/{project}/_git/{repository}")
            }
            "vs-ssh.visualstudio.com" => {
                let [organization, project, repository] = self.of_azure()?;
                format!("https://{organization}.visualstudio.com/{project}/_git/{repository}")
            }
            // Where port 22 is closed these answer on 443.
            "ssh.github.com" => format!("https://github.com/{path}"),
            "altssh.gitlab.com" => format!("https://gitlab.com/{path}"),
            "altssh.bitbucket.org" => format!("https://bitbucket.org/{path}"),
            host if is_alias(host) => return None,
            host => format!("https://{host}/{path}"),
        })
    }

    /// The host of [`Ssh::https`].
    pub fn web_host(&self) -> Option<String> {
        let https = self.https()?;
        let host = https.strip_prefix("https://")?.split('/').next()?;
        Some(host.to_owned())
    }

    /// `v3/ORGANIZATION/PROJECT/REPOSITORY`
    fn of_azure(&self) -> Option<[&str; 3]> {
        let parts: Vec<&str> = self.path.split('/').collect();
        match parts[..] {
            ["v3", organization, project, repository] => Some([organization, project, repository]),
            _ => None,
        }
    }
}

/// `HOST:PATH`, `[HOST:PORT]:PATH`, `[ADDRESS]:PATH`, each with or without `USER@`, within the brackets or before them.
fn scp_like(url: &str) -> Option<(String, &str)> {
    let bracket = url.find('[').filter(|&at| {
        let before = &url[..at];
        before.is_empty() || before.ends_with('@') && !before.contains([':', '/'])
    });
    let Some(bracket) = bracket else {
        let (host, path) = url.split_once(':')?;
        // Two colons: a program of git's (gitremote-helpers(7)).
        let is_host = !host.contains('/') && !path.starts_with(':');
        return is_host.then_some((host.rsplit('@').next()?.to_owned(), path));
    };
    let (inner, path) = url[bracket + 1..].split_once("]:")?;
    let host = inner.rsplit('@').next()?;
    let is_address = host.matches(':').count() > 1;
    let host = if is_address {
        format!("[{host}]")
    } else {
        without_port(host)?.to_owned()
    };
    Some((host, path))
}

fn without_port(host: &str) -> Option<&str> {
    if host.starts_with('[') {
        return host.find(']').map(|end| &host[..=end]);
    }
    host.split(':').next()
}

/// A name that only SSH's configuration knows: no domain has it, by its form.
fn is_alias(host: &str) -> bool {
    if host.starts_with('[') || host == "localhost" {
        return false;
    }
    match host.rsplit_once('.') {
        None => true,
        // `github.com-work`
        Some((_, last)) => last.contains('-') && !last.starts_with("xn--"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_over_https() {
        for (url, https) in [
            ("git@one.test:acme/r.git", "https://one.test/acme/r.git"),
            ("one.test:acme/r.git", "https://one.test/acme/r.git"),
            ("git@one.test:/acme/r.git", "https://one.test/acme/r.git"),
            (
                "ssh://git@One.test:2222/acme/r.git",
                "https://one.test/acme/r.git",
            ),
            ("ssh://one.test/r", "https://one.test/r"),
            (
                "git@ssh.dev.azure.com:v3/acme/proj/repo",
                "https://dev.azure.com/acme/proj/_git/repo",
            ),
            (
                "acme@vs-ssh.visualstudio.com:v3/acme/proj/repo",
                "https://acme.visualstudio.com/proj/_git/repo",
            ),
            (
                "ssh://git@ssh.github.com:443/acme/r.git",
                "https://github.com/acme/r.git",
            ),
            (
                "ssh://git@altssh.gitlab.com:443/acme/r.git",
                "https://gitlab.com/acme/r.git",
            ),
            (
                "ssh://git@altssh.bitbucket.org:443/acme/r.git",
                "https://bitbucket.org/acme/r.git",
            ),
            (
                "ssh://git@[::1]:2222/acme/r.git",
                "https://[::1]/acme/r.git",
            ),
            (
                "[git@github.com:22]:acme/r.git",
                "https://github.com/acme/r.git",
            ),
            (
                "git@[github.com:22]:acme/r.git",
                "https://github.com/acme/r.git",
            ),
            ("git@[::1]:acme/r.git", "https://[::1]/acme/r.git"),
            ("[::1]:acme/r.git", "https://[::1]/acme/r.git"),
            (
                "git@xn--bcher-kva.xn--p1ai:acme/r.git",
                "https://xn--bcher-kva.xn--p1ai/acme/r.git",
            ),
        ] {
            let found = Ssh::parse(url).and_then(|ssh| ssh.https());
            assert_eq!(found.as_deref(), Some(https), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_not_made_one() {
        for url in [
            "git@github-work:acme/r.git",
            "github-work:acme/r.git",
            "git@github.com-work:acme/r.git",
            "git@ssh.dev.azure.com:acme/repo",
        ] {
            let ssh = Ssh::parse(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(ssh.https(), None, "{url}");
        }
    }

    #[test]
    fn what_is_not_reached_over_ssh() {
        for url in [
            "https://one.test/r.git",
            "https://a@one.test:80/r.git",
            "../r.git",
            "/srv/a:b/r.git",
            "./a:b",
            "ext::one.test:x",
            "git@one.test:",
            "[::1]",
            "",
        ] {
            assert_eq!(Ssh::parse(url), None, "{url}");
        }
    }
}
