# Follows the manifests of a release: manifests.rb OUT DIST SYSTEM CELLAR
#
# Runs the formula's `install` for SYSTEM (macos, x86_64-linux, aarch64-linux) into CELLAR, in place of Homebrew, and compares
# addresses and digests of Scoop's and winget's manifests with the files of DIST.

require "digest"
require "fileutils"
require "json"
require "pathname"
require "yaml"

OUT, DIST, SYSTEM, CELLAR = ARGV.map { |word| Pathname(word) }

# What Homebrew gives to a formula, as far as ours uses it.
class Pathname
  def install(files)
    mkpath
    pairs = files.is_a?(Hash) ? files : { files => File.basename(files) }
    pairs.each { |from, to| FileUtils.cp(from, self / to) }
  end

  def install_symlink(target)
    mkpath
    (self / target.basename).make_symlink(target)
  end
end

class Formula
  class << self
    attr_reader :address, :digest

    %i[desc homepage version license test].each { |word| define_method(word) { |*| } }

    def on_macos
      yield if SYSTEM.to_s == "macos"
    end

    def on_linux
      yield if SYSTEM.to_s.end_with?("-linux")
    end

    def on_intel
      yield if SYSTEM.to_s.start_with?("x86_64")
    end

    def on_arm
      yield if SYSTEM.to_s.start_with?("aarch64")
    end

    def url(address)
      raise "two addresses for #{SYSTEM}" if @address

      @address = address
    end

    def sha256(digest)
      @digest = digest
    end
  end

  def share = CELLAR / "share"
  def bin = CELLAR / "bin"
  def man1 = share / "man/man1"
  def bash_completion = CELLAR / "etc/bash_completion.d"
  def zsh_completion = share / "zsh/site-functions"
  def fish_completion = share / "fish/vendor_completions.d"
end

# The file of the release behind an address, if its digest is right.
def released(address, digest)
  file = DIST / File.basename(address)
  raise "#{address} is no file of the release" unless file.file?
  raise "not under the release's address: #{address}" unless address.include?("/releases/download/v")
  raise "the digest of #{file.basename} is another" unless Digest::SHA256.file(file).hexdigest == digest.downcase

  file
end

load (OUT / "homebrew/git-credential-pat.rb").to_s
archive = released(GitCredentialPat.address, GitCredentialPat.digest)
unpacked = CELLAR.sub_ext(".unpacked")
unpacked.mkpath
system("tar", "-C", unpacked.to_s, "--strip-components=1", "-xzf", archive.to_s, exception: true)
Dir.chdir(unpacked) { GitCredentialPat.new.install }
raise "nothing is said" if GitCredentialPat.new.caveats.empty?

# What `cargo binstall` asks for, with its names filled in.
package = JSON.parse(`cargo metadata --no-deps --locked --format-version 1`)["packages"].first
binstall = package["metadata"]["binstall"]
machine = SYSTEM.to_s.split("-").first
filled = lambda do |template|
  { "name" => package["name"], "version" => package["version"], "target-arch" => machine, "repo" => "", "bin" => package["name"],
    "archive-suffix" => "" }.reduce(template) { |text, (word, value)| text.gsub("{ #{word} }", value) }
end
override = SYSTEM.to_s == "macos" ? binstall["overrides"]["cfg(target_os = \"macos\")"] : {}
chosen = binstall.merge(override)
raise "cargo binstall asks for another archive" unless archive.basename(".tar.gz").to_s == File.basename(filled.(chosen["pkg-url"]))

names = IO.popen(["tar", "-tzf", archive.to_s], &:readlines).map(&:chomp)
raise "cargo binstall looks for another program" unless names.include?(filled.(chosen["bin-dir"]))

scoop = JSON.parse((OUT / "scoop/git-credential-pat.json").read)
windows = scoop.dig("architecture", "64bit")
zip = released(windows["url"], windows["hash"])
machine = "x86_64"
windows_binstall = binstall["overrides"]["cfg(windows)"]
raise "cargo binstall asks for another zip" unless zip.basename(".zip").to_s == File.basename(filled.(windows_binstall["pkg-url"]))
raise "Scoop looks into another folder" unless windows["extract_dir"] == zip.basename(".zip").to_s

winget = (OUT / "winget").children.to_h do |file|
  manifest = YAML.safe_load(file.read)
  kind = manifest["ManifestType"]
  suffix = { "version" => "", "installer" => ".installer", "defaultLocale" => ".locale.en-US" }.fetch(kind)
  raise "#{file} has another name" unless file.basename.to_s == "#{manifest['PackageIdentifier']}#{suffix}.yaml"

  [kind, manifest]
end
%w[PackageIdentifier PackageVersion ManifestVersion].each do |key|
  raise "winget's manifests differ in #{key}" unless winget.values.map { |manifest| manifest[key] }.uniq.size == 1
end
winget["installer"]["Installers"].each { |one| released(one["InstallerUrl"], one["InstallerSha256"]) }
nested = winget["installer"]["NestedInstallerFiles"].map { |one| one["RelativeFilePath"] }
raise "winget looks into another folder" unless nested == ["#{zip.basename('.zip')}\\git-credential-pat.exe"]
