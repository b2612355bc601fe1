# Installs the release's archives and builds nothing: on macOS, the keychain trusts a program by its
# signature, and each build has another one.
class GitCredentialPat < Formula
  desc "Git credential helper for personal access tokens"
  homepage "@ADDRESS@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    url "@ADDRESS@/releases/download/v@VERSION@/git-credential-pat-@VERSION@-macos.tar.gz"
    sha256 "@sha256:-macos.tar.gz@"
  end

  on_linux do
    on_intel do
      url "@ADDRESS@/releases/download/v@VERSION@/git-credential-pat-@VERSION@-x86_64-linux.tar.gz"
      sha256 "@sha256:-x86_64-linux.tar.gz@"
    end
    on_arm do
      url "@ADDRESS@/releases/download/v@VERSION@/git-credential-pat-@VERSION@-aarch64-linux.tar.gz"
      sha256 "@sha256:-aarch64-linux.tar.gz@"
    end
  end

  def install
    bin.install "git-credential-pat"
    man1.install "git-credential-pat.1"
    bash_completion.install "completions/git-credential-pat.bash" => "git-credential-pat"
    zsh_completion.install "completions/git-credential-pat.zsh" => "_git-credential-pat"
    fish_completion.install "completions/git-credential-pat.fish"
    # fish reads this one at start: the completions of "git credential-pat".
    (share/"fish/vendor_conf.d").install_symlink fish_completion/"git-credential-pat.fish"
  end

  def caveats
    <<~EOS
      To make git call it:
        git credential-pat setup
      Before you remove it:
        git credential-pat setup --undo
    EOS
  end

  test do
    file = "--storage file --file #{testpath}/credentials"
    query = "protocol=https\nhost=test.invalid\nusername=octocat\n"
    pipe_output("#{bin}/git-credential-pat #{file} store", "#{query}password=made-up\n\n", 0)
    assert_match "password=made-up", pipe_output("#{bin}/git-credential-pat #{file} get", "#{query}\n", 0)
  end
end
