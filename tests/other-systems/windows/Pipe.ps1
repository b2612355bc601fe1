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
    Assert-Line (Ask get $query $memory) 'password=made-up'
    $null = Invoke-Program $env:PROGRAM ($memory + @('cache', 'stop')) @()

    # That user takes the name first, and lets everyone in. The client sends no byte.
    $ready = Join-Path $env:PUBLIC "$Unique.ready"
    $script = "`$rule = [IO.Pipes.PipeAccessRule]::new([Security.Principal.SecurityIdentifier]::new('S-1-1-0'), " +
        "'ReadWrite', 'Allow'); `$rules = [IO.Pipes.PipeSecurity]::new(); `$rules.AddAccessRule(`$rule); " +
        "`$own = [Security.Principal.WindowsIdentity]::GetCurrent().User; " +
        "`$rules.AddAccessRule([IO.Pipes.PipeAccessRule]::new(`$own, 'FullControl', 'Allow')); " +
        "`$p = [IO.Pipes.NamedPipeServerStream]::new('$name', 'InOut', 5, 'Byte', 'Asynchronous', 0, 0, `$rules); " +
        "Set-Content '$ready' 'ready'; if (-not `$p.WaitForConnectionAsync().Wait(30000)) { 'no client'; return }; " +
        "`$read = `$p.ReadAsync([byte[]]::new(4096), 0, 4096); if (`$read.Wait(15000)) { `$read.Result } else { 0 }"
    $process = Start-Process -FilePath powershell -Credential $login -WorkingDirectory $env:PUBLIC -PassThru `
        -ArgumentList '-NoProfile', '-Command', "& { $script } | Set-Content '$report'"
    for ($try = 0; -not (Test-Path $ready); $try++) {
        Assert ($try -lt 300) 'the squatter did not start'
        Start-Sleep -Milliseconds 100
    }
    $stored = Ask store ($query + 'password=made-up') $memory
    Assert ($stored.Said -match 'another user|denied') "not told of another user: $($stored.Said)"
    Assert ($process.WaitForExit(60000)) 'the squatter still waits'
    $got = (Get-Content $report).Trim()
    Assert ($got -eq '0') "the other user received: $got"
} finally {
    Remove-LocalUser -Name $other
}

# A squatter that everyone may use: the first instance is not ours, so no token is kept, and nothing hangs.
$squatter = [IO.Pipes.NamedPipeServerStream]::new($name, 'InOut', 5)
try {
    $stored = Ask store ($query + 'password=made-up') $memory
    Assert ($stored.Code -in 0, 1) "exit status $($stored.Code)"
} finally {
    $squatter.Dispose()
}
'pipe: for its owner alone'
