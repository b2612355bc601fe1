# The package, for `pkgs.callPackage ./package.nix { }`.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
}:

let
  root = ../../..;
  manifest = (builtins.fromTOML (builtins.readFile (root + "/Cargo.toml"))).package;
in
rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;

  src = lib.cleanSource root;
  cargoLock.lockFile = root + "/Cargo.lock";

  nativeBuildInputs = [ installShellFiles ];

  # The tests need a desktop's keyring, a web server and a clock of their own: tests/run has them.
  doCheck = false;

  postInstall =
    ''
      installManPage docs/git-credential-pat.1
    ''
    + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
      for shell in bash zsh fish; do
        $out/bin/git-credential-pat completions $shell >completions.$shell
        installShellCompletion --cmd git-credential-pat --$shell completions.$shell
      done
      # fish reads this one at start: the completions of "git credential-pat".
      install -Dm644 completions.fish $out/share/fish/vendor_conf.d/git-credential-pat.fish
    '';

  meta = {
    inherit (manifest) description;
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "git-credential-pat";
    platforms = lib.platforms.unix;
  };
}
