# Items have the fields of git-credential-wincred and of Git Credential Manager; the target is the key, so each user has one
# (git-ecosystem/git-credential-manager#160, #1368).
. "$PSScriptRoot/Ask.ps1"

$server = "$Unique.invalid"
$null = Ask store @('protocol=https', "host=$server", 'username=alice', 'password=made-up', 'password_expiry_utc=4102444800',
    'oauth_refresh_token=refresh')
$item = [Manager]::Read("git:https://alice@$server")
Assert ($null -ne $item) 'there is no item under the target with the user'
Assert ($item.User -ceq 'alice') "another user: $($item.User)"
Assert ($item.Persist -eq 2) "another persistence: $($item.Persist)"
Assert ((Get-Text $item.Secret) -ceq "made-up`r`noauth_refresh_token=refresh") 'another secret'
Assert ($item.Attributes['git_password_expiry_utc'] -ceq '4102444800') 'the expiry is not kept as wincred keeps it'

# A second user beside the first, and names of other scripts.
$null = Ask store @('protocol=https', "host=$server", 'username=bob@corp', 'password=of-bob')
$null = Ask store @('protocol=https', "host=$server`:8443", 'username=jürgen', 'password=pässwort')
Assert-Line (Ask get @('protocol=https', "host=$server", 'username=alice')) 'password=made-up'
Assert-Line (Ask get @('protocol=https', "host=$server", 'username=alice')) 'password_expiry_utc=4102444800'
Assert-Line (Ask get @('protocol=https', "host=$server", 'username=bob@corp')) 'password=of-bob'
Assert-Line (Ask get @('protocol=https', "host=$server`:8443", 'username=jürgen')) 'password=pässwort'

# An item of GCM without the user in its target is updated in place, and so is wincred's expiry.
$other = "g$Unique.invalid"
[Manager]::Write("git:https://$other", 'carol', [Text.Encoding]::Unicode.GetBytes('first'))
Assert-Line (Ask get @('protocol=https', "host=$other")) 'password=first'
$null = Ask store @('protocol=https', "host=$other", 'username=carol', 'password=second')
Assert ((Get-Text ([Manager]::Read("git:https://$other").Secret)) -ceq 'second') "GCM's item was not updated"
Assert ($null -eq [Manager]::Read("git:https://carol@$other")) 'a second item of one user'

# A rejected token goes with its refresh token, which wincred never erases.
$null = Ask erase @('protocol=https', "host=$server", 'username=alice', 'password=made-up')
Assert ($null -eq [Manager]::Read("git:https://alice@$server")) 'the item was not erased'
Assert-Line (Ask get @('protocol=https', "host=$server", 'username=bob@corp')) 'password=of-bob'
'fields: as wincred and GCM write them'
