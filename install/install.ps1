<#
.SYNOPSIS
Installs git-credential-pat for you, on Windows.

.DESCRIPTION
Copies git-credential-pat.exe to %LOCALAPPDATA%\Programs\git-credential-pat and puts that folder on your PATH.
You can run it again at any time. uninstall.ps1 takes it back.

.PARAMETER Binary
Installs this program. The default is git-credential-pat.exe beside this script, as in a release's archive; in a clone of the
repository, cargo builds it.

.PARAMETER Prefix
Another folder.

.PARAMETER Setup
Then makes git call it: runs 'git-credential-pat setup' with the words of -SetupOptions.

.PARAMETER SetupOptions
Words for 'git-credential-pat setup', separated by commas, such as --storage,memory.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File install.ps1 -Setup
#>
[CmdletBinding()]
param(
    [string] $Binary,
    [string] $Prefix = (Join-Path $env:LOCALAPPDATA 'Programs\git-credential-pat'),
    [switch] $Setup,
    [string[]] $SetupOptions = @()
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2
$name = 'git-credential-pat.exe'

# With 'powershell -File', a list arrives as one word.
$SetupOptions = @($SetupOptions | ForEach-Object { $_ -split ',' })
if ($SetupOptions.Count -gt 0 -and -not $Setup) { throw '-SetupOptions needs -Setup' }
if (-not $Binary) {
    $Binary = Join-Path $PSScriptRoot $name
    if (-not (Test-Path -LiteralPath $Binary)) {
        $source = Split-Path $PSScriptRoot
        if (-not (Get-Command cargo -ErrorAction SilentlyContinue)) {
            throw 'cannot find cargo, which builds the program: get Rust from https://rustup.rs, or give -Binary'
        }
        & cargo build --release --locked --bin git-credential-pat --manifest-path (Join-Path $source 'Cargo.toml')
        if ($LASTEXITCODE -ne 0) { throw 'cargo could not build the program: nothing was installed' }
        $build = if ($env:CARGO_TARGET_DIR) { $env:CARGO_TARGET_DIR } else { Join-Path $source 'target' }
        $Binary = Join-Path $build "release\$name"
    }
}
if (-not (Test-Path -LiteralPath $Binary -PathType Leaf)) { throw "cannot find $Binary" }

# Whole or not at all: the new program runs under a name of its own before it takes the old one's place. A program that runs can
# be renamed on Windows, but not overwritten.
$null = New-Item -ItemType Directory -Force -Path $Prefix
$Prefix = (Resolve-Path -LiteralPath $Prefix).ProviderPath
# Another user who may write there could replace the program: only you, the system, administrators and the installer of
# Windows may. CREATOR OWNER and OWNER RIGHTS stand for the owner. An entry that is only handed down does not count.
$trusted = @([Security.Principal.WindowsIdentity]::GetCurrent().User.Value, 'S-1-5-18', 'S-1-5-32-544', 'S-1-3-0', 'S-1-3-4',
    'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464')
$writes = [int] [Security.AccessControl.FileSystemRights] 'Write, Delete, DeleteSubdirectoriesAndFiles, ChangePermissions, TakeOwnership'
$sid = [Security.Principal.SecurityIdentifier]
$list = Get-Acl -LiteralPath $Prefix
if ($trusted -notcontains $list.GetOwner($sid).Value) { throw "$Prefix belongs to another user: nothing was installed" }
foreach ($rule in $list.GetAccessRules($true, $true, $sid)) {
    $isHandedDown = $rule.PropagationFlags -band [Security.AccessControl.PropagationFlags]::InheritOnly
    if ($rule.AccessControlType -eq 'Allow' -and -not $isHandedDown -and
        ([int] $rule.FileSystemRights -band $writes) -and $trusted -notcontains $rule.IdentityReference.Value) {
        throw "$($rule.IdentityReference.Value) may write to ${Prefix}: nothing was installed"
    }
}
$target = Join-Path $Prefix $name
$new = Join-Path $Prefix ".new-$([Guid]::NewGuid()).exe"
Get-ChildItem -LiteralPath $Prefix -Filter '.old-*.exe' | Remove-Item -Force -ErrorAction SilentlyContinue
Copy-Item -LiteralPath $Binary -Destination $new
try {
    $version = & $new --version
    if ($LASTEXITCODE -ne 0) { throw 'the new program does not run: nothing was installed' }
    $old = $null
    if (Test-Path -LiteralPath $target) {
        $old = Join-Path $Prefix ".old-$([Guid]::NewGuid()).exe"
        Move-Item -LiteralPath $target -Destination $old
    }
    try {
        Move-Item -LiteralPath $new -Destination $target
    } catch {
        if ($old) { Move-Item -LiteralPath $old -Destination $target }
        throw
    }
    # It may still run: the next installation removes it.
    if ($old) { Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue }
} finally {
    if (Test-Path -LiteralPath $new) { Remove-Item -LiteralPath $new -Force }
}
Write-Output "Installed $version in $Prefix."

# The registry's own value, so that %NAME% in other entries stays as it is.
$key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment', $true)
try {
    $path = [string] $key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    if (@($path -split ';') -notcontains $Prefix) {
        $joined = if ($path -eq '' -or $path.EndsWith(';')) { "$path$Prefix" } else { "$path;$Prefix" }
        $key.SetValue('Path', $joined, [Microsoft.Win32.RegistryValueKind]::ExpandString)
        Write-Output "Added $Prefix to your PATH. Open a new terminal to use 'git credential-pat'."
    }
} finally {
    $key.Dispose()
}
# Removes nothing, and tells the desktop that variables have changed.
[Environment]::SetEnvironmentVariable('GIT_CREDENTIAL_PAT_INSTALL', $null, 'User')

if ($Setup) {
    & $target setup @SetupOptions
    if ($LASTEXITCODE -ne 0) { throw "git could not be told: try again: & '$target' setup" }
} else {
    Write-Output "To make git call it: git credential-pat setup"
}
