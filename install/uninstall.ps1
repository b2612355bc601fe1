<#
.SYNOPSIS
Takes back what install.ps1 did.

.DESCRIPTION
Runs 'git-credential-pat setup --undo', ends the memory daemon, removes the program and takes its folder off your PATH.
Credentials in the Credential Manager and your files stay.

.PARAMETER Prefix
The folder, if install.ps1 was given another one.
#>
[CmdletBinding()]
param(
    [string] $Prefix = (Join-Path $env:LOCALAPPDATA 'Programs\git-credential-pat')
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2
# install.ps1 put the whole path on PATH.
if (Test-Path -LiteralPath $Prefix) { $Prefix = (Resolve-Path -LiteralPath $Prefix).ProviderPath }
$target = Join-Path $Prefix 'git-credential-pat.exe'

# git first: it must not call a program that has gone.
if (Test-Path -LiteralPath $target) {
    if (Get-Command git -ErrorAction SilentlyContinue) {
        & $target setup --undo
        if ($LASTEXITCODE -ne 0) { throw "git's configuration was not changed, and nothing was removed" }
    } else {
        Write-Output "There is no git on PATH, so git's configuration was not changed: its lines for the helper stay."
    }
    & $target cache stop
    if ($LASTEXITCODE -ne 0) { Write-Output 'The memory daemon was not reached. It ends once it has nothing left to keep.' }
    # A program that runs cannot be removed: it gets a moment to end.
    for ($try = 0; ; $try++) {
        try {
            Remove-Item -LiteralPath $target -Force
            break
        } catch {
            if ($try -ge 20) { throw }
            Start-Sleep -Milliseconds 100
        }
    }
    Write-Output "Removed $target."
} else {
    Write-Output "There is no $target."
}
if (Test-Path -LiteralPath $Prefix) {
    Get-ChildItem -LiteralPath $Prefix -Filter '.old-*.exe' | Remove-Item -Force -ErrorAction SilentlyContinue
    if (-not (Get-ChildItem -LiteralPath $Prefix -Force)) { Remove-Item -LiteralPath $Prefix }
}

$key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment', $true)
try {
    $path = [string] $key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    $left = @($path -split ';' | Where-Object { $_ -ne $Prefix }) -join ';'
    if ($left -ne $path) {
        $key.SetValue('Path', $left, [Microsoft.Win32.RegistryValueKind]::ExpandString)
        Write-Output "Took $Prefix off your PATH."
    }
} finally {
    $key.Dispose()
}
# Removes nothing, and tells the desktop that variables have changed.
[Environment]::SetEnvironmentVariable('GIT_CREDENTIAL_PAT_INSTALL', $null, 'User')
