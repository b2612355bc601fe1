# `setup --reminder`: the Task Scheduler takes the task, and `setup --undo` takes it back.
. "$PSScriptRoot/Ask.ps1"

$name = 'git-credential-pat-reminder-' + [Security.Principal.WindowsIdentity]::GetCurrent().User.Value
$done = Invoke-Program $env:PROGRAM @('setup', '--reminder') @() 60
Assert ($done.Code -eq 0) "setup failed: $($done.Said)"
$task = Get-ScheduledTask -TaskName $name
Assert ("$($task.Actions[0].Execute) $($task.Actions[0].Arguments)" -like '*git-credential-pat*check*') "another program: $($task.Actions[0].Execute)"
Assert ($task.Principal.RunLevel -eq 'Limited') 'the task has more rights than its user'
# Again: no error, one task.
$done = Invoke-Program $env:PROGRAM @('setup', '--reminder') @() 60
Assert ($done.Code -eq 0) "setup failed again: $($done.Said)"
$done = Invoke-Program $env:PROGRAM @('setup', '--undo') @() 60
Assert ($done.Code -eq 0) "undo failed: $($done.Said)"
Assert (-not (Get-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue)) 'the task stays'
'reminder: scheduled, and taken back'
