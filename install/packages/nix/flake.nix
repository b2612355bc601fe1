# In a clone: `nix build ./install/packages/nix`; elsewhere: `nix profile install 'git+ADDRESS?dir=install/packages/nix'`.
{
  description = "A Git credential helper for personal access tokens";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      each = nixpkgs.lib.genAttrs systems;
    in
    {
      packages = each (system: rec {
        git-credential-pat = nixpkgs.legacyPackages.${system}.callPackage ./package.nix { };
        default = git-credential-pat;
      });
      checks = each (system: {
        inherit (self.packages.${system}) default;
      });
    };
}
