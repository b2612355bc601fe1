# Over SSH the Credential Manager answers 1312: it is told, and memory takes the token
# (git-ecosystem/git-credential-manager#325, PowerShell/Win32-OpenSSH#996). Changes the machine: for runners only.
. "$PSScriptRoot/Ask.ps1"

if (-not (Get-Service sshd -ErrorAction SilentlyContinue)) {
    $null = Add-WindowsCapability -Online -Name 'OpenSSH.Server~~~~0.0.1.0'
}
$key = Join-Path $Scratch 'key'
$made = Invoke-Program (Get-Command ssh-keygen).Source @('-q', '-t', 'ed25519', '-N', '', '-f', $key) @()
Assert ($made.Code -eq 0) "no key: $($made.Said)"
$allowed = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
$null = New-Item -ItemType Directory -Force -Path (Split-Path $allowed)
Add-Content -Path $allowed -Value (Get-Content "$key.pub")
$null = & icacls $allowed /inheritance:r /grant 'Administrators:F' /grant 'SYSTEM:F'
Start-Service sshd

$ssh = (Get-Command ssh).Source
function Invoke-Remote([string] $Operation, [string[]] $Lines, [string] $Storage) {
    $remote = "`"$env:PROGRAM`" $Storage $Operation"
    Invoke-Program $ssh @('-i', $key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=NUL',
        '-o', 'BatchMode=yes', "$env:USERNAME@localhost", $remote) $Lines 60
}

$query = @('protocol=https', "host=$Unique.invalid", 'username=alice')
$stored = Invoke-Remote store ($query + 'password=made-up') '--storage keychain'
Assert ($stored.Said.Contains('cannot be used in this session') -or $stored.Said.Contains('keeps nothing in this session')) `
    "1312 was not told: $($stored.Said)"
Assert (-not $stored.Said.Contains('made-up')) 'the secret was shown'
$answer = Invoke-Remote get $query '--storage keychain'
Assert-No $answer 'password='
# With auto, memory keeps it as long as the session lives; a daemon that dies with the session is no error.
$stored = Invoke-Remote store ($query + 'password=made-up') ''
Assert ($stored.Code -eq 0) "auto cannot store: $($stored.Said)"
Assert ((Invoke-Remote get $query '').Code -eq 0) 'auto cannot answer'
'ssh: told, and memory takes the token'
