# The plaintext file: only its owner may read it, and a scanner that holds it open loses no write (moby/sys#219).
. "$PSScriptRoot/Ask.ps1"

$file = Join-Path $Scratch 'store\credentials'
$storage = @('--storage', 'file', '--file', $file)
$query = @('protocol=https', "host=$Unique.invalid", 'username=alice')
$stored = Ask store ($query + 'password=made-up') $storage
Assert ($stored.Code -eq 0) "cannot store: $($stored.Said)"

$me = [Security.Principal.WindowsIdentity]::GetCurrent().User
$allowed = @($me.Value, 'S-1-5-18')
foreach ($path in $file, (Split-Path $file)) {
    $list = Get-Acl -Path $path
    Assert $list.AreAccessRulesProtected "$path inherits its access list"
    foreach ($rule in $list.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
        Assert ($rule.IdentityReference.Value -in $allowed) "$($rule.IdentityReference.Value) may use $path"
    }
}

# A scanner opens whatever appears, without sharing its deletion.
$scanner = Start-ThreadJob -ArgumentList (Split-Path $file) -ScriptBlock {
    param($folder)
    while ($true) {
        foreach ($found in [IO.Directory]::GetFiles($folder)) {
            try {
                $open = [IO.File]::Open($found, 'Open', 'Read', 'ReadWrite')
                Start-Sleep -Milliseconds 3
                $open.Dispose()
            } catch [IO.IOException], [UnauthorizedAccessException] { continue }
        }
    }
}
try {
    $last = 'made-up'
    $failures = 0
    for ($number = 0; $number -lt 500; $number++) {
        $stored = Ask store ($query + "password=token-$number") $storage
        if ($stored.Code -eq 0) {
            $last = "token-$number"
        } else {
            $failures++
        }
        # Whole: the last one that was stored, never half of one.
        Assert-Line (Ask get $query $storage) "password=$last"
    }
    Assert ($failures -lt 5) "$failures of 500 writes failed"
} finally {
    Stop-Job $scanner
}
# A file that others may read is not used.
$null = & icacls $file /grant '*S-1-1-0:R'
$answer = Ask get $query $storage
Assert-No $answer "password=$last"
Assert ($answer.Said.Length -gt 0) 'an open file is passed over in silence'
'files: private, and whole'
