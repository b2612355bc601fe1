# A secret has at most 2,560 bytes, as UTF-16. Longer ones are told with their size, and the old one stays
# (danieljoos/wincred#18, git-ecosystem/git-credential-manager#444, git-for-windows/git#5856, gitgitgadget/git#2182).
. "$PSScriptRoot/Ask.ps1"

$server = "$Unique.invalid"
$query = @('protocol=https', "host=$server", 'username=alice')
foreach ($size in 1, 2, 3, 255, 256, 1279, 1280) {
    $secret = 'x' * $size
    $stored = Ask store ($query + "password=$secret")
    Assert ($stored.Code -eq 0) "$size characters: $($stored.Said)"
    Assert-Line (Ask get $query) "password=$secret"
}
# Characters outside the first plane take two units.
$secret = [char]::ConvertFromUtf32(0x1F600) * 640
$null = Ask store ($query + "password=$secret")
Assert-Line (Ask get $query) "password=$secret"

foreach ($size in 1281, 5000) {
    $stored = Ask store ($query + "password=$('y' * $size)")
    Assert ($stored.Said.Contains("$size") -and $stored.Said.Contains('1280')) "the sizes were not told: $($stored.Said)"
    Assert (-not $stored.Said.Contains('yyyy')) 'the secret was shown'
    Assert-Line (Ask get $query) "password=$secret"
}

# Items of an odd size or of none are no text of ours: no crash, and no answer.
foreach ($count in 0, 1, 3) {
    [Manager]::Write("git:https://dave@odd-$server", 'dave', [byte[]]::new($count))
    $answer = Ask get @('protocol=https', "host=odd-$server", 'username=dave')
    Assert ($answer.Code -in 0, 1) "exit status $($answer.Code)"
    Assert-No $answer 'password=?'
}
$null = [Manager]::Delete("git:https://dave@odd-$server")
$null = Ask erase ($query)
'limits: told, and nothing lost'
