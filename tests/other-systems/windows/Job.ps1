# A job that forbids breakaway and ends its processes: the daemon starts all the same, and its death is no error
# (microsoft/terminal#20480, zellij-org/zellij#5195).
. "$PSScriptRoot/Ask.ps1"

Add-Type -TypeDefinition @'
using System;
using System.ComponentModel;
using System.Runtime.InteropServices;

public static class Jobs
{
    [DllImport("kernel32", CharSet = CharSet.Unicode, SetLastError = true)]
    static extern IntPtr CreateJobObjectW(IntPtr attributes, string name);
    [DllImport("kernel32", SetLastError = true)]
    static extern bool AssignProcessToJobObject(IntPtr job, IntPtr process);
    [DllImport("kernel32", SetLastError = true)]
    static extern bool TerminateJobObject(IntPtr job, uint code);

    public static IntPtr Enter(IntPtr process)
    {
        // Without limits: breakaway is not allowed.
        var job = CreateJobObjectW(IntPtr.Zero, null);
        if (job == IntPtr.Zero || !AssignProcessToJobObject(job, process)) throw new Win32Exception();
        return job;
    }

    public static void End(IntPtr job)
    {
        if (!TerminateJobObject(job, 1)) throw new Win32Exception();
    }
}
'@

$memory = @('--storage', 'memory', '--socket', (Join-Path $Scratch 'run\socket'))
$query = @('protocol=https', "host=$Unique.invalid", 'username=alice')
# A shell in the job starts the helper, as in a tab of a terminal.
$start = [Diagnostics.ProcessStartInfo]::new((Get-Command pwsh).Source)
foreach ($word in '-NoProfile', '-Command', '-') { $start.ArgumentList.Add($word) }
$start.UseShellExecute = $false
$start.RedirectStandardInput = $true
$shell = [Diagnostics.Process]::Start($start)
$job = [Jobs]::Enter($shell.Handle)
$words = ($memory | ForEach-Object { "'$_'" }) -join ' '
$lines = (($query + 'password=made-up') -join "``n") + "``n``n"
$shell.StandardInput.WriteLine("`"$lines`" | & '$env:PROGRAM' $words store")
$deadline = [DateTime]::UtcNow.AddSeconds(30)
do {
    Start-Sleep -Milliseconds 200
    $answer = Ask get $query $memory
} until ($answer.Output.Contains('password=made-up') -or [DateTime]::UtcNow -gt $deadline)
Assert-Line $answer 'password=made-up'
[Jobs]::End($job)
$shell.WaitForExit()

# Gone with the job: no answer, no error, and the next store starts the next daemon.
$answer = Ask get $query $memory
Assert ($answer.Code -eq 0) "get fails without its daemon: $($answer.Said)"
$stored = Ask store ($query + 'password=again') $memory
Assert ($stored.Code -eq 0) "cannot store again: $($stored.Said)"
Assert-Line (Ask get $query $memory) 'password=again'
$null = Invoke-Program $env:PROGRAM ($memory + @('cache', 'stop')) @()
'job: the daemon starts, and its death is no error'
