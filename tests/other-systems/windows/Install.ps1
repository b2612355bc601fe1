# install.ps1 and uninstall.ps1: the program, PATH, git's configuration, and back.
. "$PSScriptRoot/Ask.ps1"

$install = Join-Path $PSScriptRoot '..\..\..\install'
$prefix = Join-Path $Scratch 'Programs\git credential pat'
$path = [string] [Environment]::GetEnvironmentVariable('Path', 'User')
& (Join-Path $install 'install.ps1') -Binary $env:PROGRAM -Prefix $prefix -Setup
$program = Join-Path $prefix 'git-credential-pat.exe'
Assert (Test-Path $program) 'the program is not installed'
$lines = [Environment]::GetEnvironmentVariable('Path', 'User') -split ';'
Assert (@($lines | Where-Object { $_ -eq $prefix }).Count -eq 1) 'the folder is not on PATH once'
# Again: nothing doubles.
& (Join-Path $install 'install.ps1') -Binary $env:PROGRAM -Prefix $prefix -Setup
$lines = [Environment]::GetEnvironmentVariable('Path', 'User') -split ';'
Assert (@($lines | Where-Object { $_ -eq $prefix }).Count -eq 1) 'the folder is on PATH twice'
Assert (@(& git config --global --get-all credential.helper | Where-Object { $_ -like '*git-credential-pat*' }).Count -eq 1) `
    'git calls the helper not once'
& (Join-Path $install 'uninstall.ps1') -Prefix $prefix
Assert (-not (Test-Path $program)) 'the program stays'
Assert ([Environment]::GetEnvironmentVariable('Path', 'User').TrimEnd(';') -eq $path.TrimEnd(';')) 'PATH is another than before'
Assert (-not (& git config --global --get-all credential.helper)) 'git calls the helper still'
'install: and back'
