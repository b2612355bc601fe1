# The daemon inherits nothing: no caller waits for it (kunobi-ninja/kache#1001, git-ai-project/git-ai#2349).
. "$PSScriptRoot/Ask.ps1"

$memory = @('--storage', 'memory', '--socket', (Join-Path $Scratch 'run\socket'))
$query = @('protocol=https', "host=$Unique.invalid", 'username=alice')
# An extra pipe that every child inherits, beside the three that Invoke-Program reads to their ends.
$pipe = [IO.Pipes.AnonymousPipeServerStream]::new([IO.Pipes.PipeDirection]::In, [IO.HandleInheritability]::Inheritable)
try {
    $stored = Ask store ($query + 'password=made-up') $memory
    Assert ($stored.Code -eq 0) "cannot store: $($stored.Said)"
    Assert-Line (Ask get $query $memory) 'password=made-up'
    # The daemon runs. The pipe ends once this process closes its own writing end.
    $pipe.DisposeLocalCopyOfClientHandle()
    $read = $pipe.ReadAsync([byte[]]::new(1), 0, 1)
    Assert ($read.Wait(10000)) 'the daemon holds a pipe of its caller'
    Assert ($read.Result -eq 0) 'something was written to the pipe'
} finally {
    $pipe.Dispose()
    $null = Invoke-Program $env:PROGRAM ($memory + @('cache', 'stop')) @()
}
'handles: none is inherited'
