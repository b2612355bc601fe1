# Both ways with the helpers of Git for Windows: git-credential-wincred and Git Credential Manager.
. "$PSScriptRoot/Ask.ps1"

$git = (Get-Command git).Source
function Invoke-Helper([string] $Helper, [string] $Operation, [string[]] $Lines) {
    Invoke-Program $git @("credential-$Helper", $Operation) $Lines 60
}

foreach ($helper in 'wincred', 'manager') {
    $server = "$helper-$Unique.invalid"
    $query = @('protocol=https', "host=$server", 'username=alice')
    $stored = Invoke-Helper $helper store ($query + 'password=from-git')
    Assert ($stored.Code -eq 0) "$helper cannot store: $($stored.Said)"
    Assert-Line (Ask get $query) 'password=from-git'
    $null = Ask store ($query + 'password=from-us')
    Assert-Line (Invoke-Helper $helper get $query) 'password=from-us'
    # A stale erase by the other helper's old token erases nothing here, ours of the new token does.
    $null = Ask erase ($query + 'password=from-git')
    Assert-Line (Invoke-Helper $helper get $query) 'password=from-us'
    $null = Ask erase ($query + 'password=from-us')
    Assert-No (Invoke-Helper $helper get $query) 'password=from-us'
}

$server = "expiry-$Unique.invalid"
$query = @('protocol=https', "host=$server", 'username=alice')
$null = Invoke-Helper wincred store ($query + 'password=made-up' + 'password_expiry_utc=4102444800')
Assert-Line (Ask get $query) 'password_expiry_utc=4102444800'
# git before 2.40 confirms without the expiry: it stays.
$null = Ask store ($query + 'password=made-up')
Assert-Line (Invoke-Helper wincred get $query) 'password_expiry_utc=4102444800'
'other helpers: both ways'
