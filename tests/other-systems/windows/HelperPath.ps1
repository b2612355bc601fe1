# git starts the helper by sh: a path with a space and one with a quote work, from every shell
# (cli/cli#6558, block/buzz#3298).
. "$PSScriptRoot/Ask.ps1"

foreach ($name in 'with space', "o'brien", 'ünïcödé') {
    $folder = (New-Item -ItemType Directory -Path (Join-Path $Scratch $name)).FullName
    $program = Join-Path $folder 'git-credential-pat.exe'
    Copy-Item $env:PROGRAM $program
    Set-Content -Path $env:GIT_CONFIG_GLOBAL -Value ''
    $done = Invoke-Program $program @('setup', '--storage', 'file') @()
    Assert ($done.Code -eq 0) "setup failed in '$name': $($done.Said)"
    $line = @(& git config --global --get-all credential.helper)[-1]
    Assert (-not $line.Contains('\')) "a backslash in the helper's line: $line"

    $server = "p$(Get-Random)-$Unique.invalid"
    $query = @('protocol=https', "host=$server", 'username=alice')
    $git = (Get-Command git).Source
    $null = Invoke-Program $git @('credential', 'approve') ($query + 'password=made-up') 60
    Assert-Line (Invoke-Program $git @('credential', 'fill') $query 60) 'password=made-up'
    $bash = Join-Path (Split-Path (Split-Path $git)) 'bin\bash.exe'
    $shells = @{
        (Get-Command cmd).Source = @('/d', '/c', 'git credential fill')
        (Get-Command powershell).Source = @('-NoProfile', '-Command', '$input | git credential fill')
    }
    if (Test-Path $bash) { $shells[$bash] = @('-lc', 'git credential fill') }
    foreach ($shell in $shells.Keys) {
        $answer = Invoke-Program $shell $shells[$shell] $query 60
        Assert ($answer.Output -match '(?m)^password=made-up\r?$') "$shell, '$name': $($answer.Output) $($answer.Said)"
    }
    $null = Invoke-Program $git @('credential', 'reject') ($query + 'password=made-up') 60
    $null = Invoke-Program $program @('setup', '--undo') @()
}
'helper path: spaces, quotes and other letters'
