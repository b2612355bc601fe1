# The daemon's pipe: for its owner alone, and a name that another process took first gets no token (amanthanvi/noctty#185,
# DataDog/libdatadog#2134). Makes a user: for runners only.
. "$PSScriptRoot/Ask.ps1"

$socket = Join-Path $Scratch 'run\socket'
$memory = @('--storage', 'memory', '--socket', $socket)
$query = @('protocol=https', "host=$Unique.invalid", 'username=alice')
function Get-Pipes { [IO.Directory]::GetFiles('\\.\pipe\') | Where-Object { $_ -like '*git-credential-pat*' } }

$before = @(Get-Pipes)
$null = Ask store ($query + 'password=made-up') $memory
$pipe = @(Get-Pipes | Where-Object { $_ -notin $before })
Assert ($pipe.Count -eq 1) "other pipes than one: $pipe"
$name = Split-Path $pipe[0] -Leaf

# Another user may not open it.
$word = ConvertTo-SecureString "A1!$([Guid]::NewGuid())" -AsPlainText -Force
$other = "pat$(Get-Random -Maximum 99999)"
$null = New-LocalUser -Name $other -Password $word
try {
    $report = Join-Path $env:PUBLIC "$Unique.txt"
    $script = "try { `$p = [IO.Pipes.NamedPipeClientStream]::new('.', '$name', 'InOut'); `$p.Connect(3000); 'opened' } " +
        "catch { `$_.Exception.GetBaseException().GetType().Name }"
    $login = [Management.Automation.PSCredential]::new($other, $word)
    $process = Start-Process -FilePath powershell -Credential $login -WorkingDirectory $env:PUBLIC -PassThru -Wait `
        -ArgumentList '-NoProfile', '-Command', "& { $script } | Set-Content '$report'"
    Assert ($process.ExitCode -eq 0) 'the other user could not try'
    $said = (Get-Content $report).Trim()
    Assert ($said -eq 'UnauthorizedAccessException') "the other user got: $said"
} finally {
    Remove-LocalUser -Name $other
}
Assert-Line (Ask get $query $memory) 'password=made-up'

$null = Invoke-Program $env:PROGRAM ($memory + @('cache', 'stop')) @()

# A squatter that everyone may use: the first instance is not ours, so no token is kept, and nothing hangs.
$squatter = [IO.Pipes.NamedPipeServerStream]::new($name, 'InOut', 5)
try {
    $stored = Ask store ($query + 'password=made-up') $memory
    Assert ($stored.Code -in 0, 1) "exit status $($stored.Code)"
} finally {
    $squatter.Dispose()
}
'pipe: for its owner alone'
